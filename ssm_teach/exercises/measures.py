"""Exercises of chapter 07, "Measures: what to remember"."""

import numpy as np
import sympy as sp

from ssm_teach import hippo
from ssm_teach.exercises import Exercise

s = sp.symbols("s")


def _fourier_state(rng):
    return rng.standard_normal(2 * rng.integers(1, 5) + 1), rng.standard_normal()


def _leaving(c, f):
    return 2 * _at_the_seam(c) - f


def _at_the_seam(c):
    return c @ hippo.basis("fout", len(c), 0.0)


def _odd_size(rng):
    return (int(2 * rng.integers(1, 6) + 1),)


def _lmu_states(rng):
    L, N = rng.integers(2, 6), rng.integers(2, 7)
    return (rng.standard_normal((L, N)),)


def _to_legt(m):
    n = np.arange(m.shape[1])
    return m * (-1.0) ** n / np.sqrt(2 * n + 1)


def _turned_backwards(N):
    A, B = hippo.transition("fout", N)
    low_rank = np.outer(B, B) / 2
    return -(A + low_rank) - low_rank, B


EXERCISES = [
    Exercise(
        "measures.1",
        solution=2 * (3 - s) / (s**2 + 4 * s + 6),
        wrong={
            "This is the fraction with both degrees 2; the numerator should have degree 1.": (12 - 6 * s + s**2)
            / (12 + 6 * s + s**2),
            "This is the approximant of e^{+s}.": 2 * (3 + s) / (s**2 - 4 * s + 6),
            "This is 1/(1 + s + s²/2): it agrees up to s² only.": 1 / (1 + s + s**2 / 2),
        },
        hints=[
            "Four unknowns: p0 and p1 above, q1 and q2 below, with 1 as the constant below. Four Taylor coefficients.",
            "Multiply e^{−s} by the denominator; its terms of order 2 and 3 must vanish. This gives q1 and q2.",
        ],
    ),
    Exercise(
        "measures.2",
        solution=float(np.sqrt(15)),
        rtol=1e-3,
        wrong={
            "The sign: at the far end g₁ is −√3 and g₂ is √5, and the closure subtracts their product.": -float(
                np.sqrt(15)
            ),
            "The functions are normalised: a factor √(2n+1) belongs to each.": 1.0,
            "Above the diagonal LegS has zeros; LegT has not.": 0.0,
            "This is A₀₁, from the slope to the mean.": float(np.sqrt(3)),
        },
        hints=[
            "A = M − g(1) g(1)ᵀ, and M₁₂ is 0 because the derivative of g₁ is constant.",
            "g₁(1) = −√3 and g₂(1) = √5.",
        ],
    ),
    Exercise(
        "measures.3",
        solution=_leaving,
        inputs=_fourier_state,
        wrong={
            "This is the value of the series at the seam, which is the average of the newest and the leaving sample.": (
                lambda c, f: _at_the_seam(c)
            ),
            "The cosines are normalised: each is √2 at the seam.": lambda c, f: 2 * (c[0] + c[1::2].sum()) - f,
            "At the seam the sines are zero.": lambda c, f: 2 * (c[0] + np.sqrt(2) * c[1:].sum()) - f,
            "This is the half sum with the newest sample; solve for the leaving one.": lambda c, f: (
                (_at_the_seam(c) + f) / 2
            ),
        },
        hints=[
            "What does the series show where the window's two ends meet?",
            "average = (f + leaving)/2, and the average is c₀ + √2 (c₁ + c₃ + …).",
        ],
    ),
    Exercise(
        "measures.4",
        solution=lambda N: hippo.transition("fout", N),
        inputs=_odd_size,
        wrong={
            "This is the closure by the series itself, the one that stalls.": lambda N: hippo.transition(
                "fout-series", N
            ),
            "A has the jump closure; the newest sample must come in twice as well.": lambda N: (
                hippo.transition("fout", N)[0],
                hippo.transition("fout-series", N)[1],
            ),
            "The rotation runs backwards: the derivative of the cosine is minus the sine.": _turned_backwards,
        },
        hints=[
            "Start from c' = D c + p (f(t) − f(t−1)) with p = (1, √2, 0, √2, 0, …).",
            "Insert f(t−1) = 2 pᵀc − f(t). Both A and B change.",
        ],
    ),
    Exercise(
        "measures.5",
        solution=_to_legt,
        inputs=_lmu_states,
        wrong={
            "The direction of time: odd polynomials change their sign.": lambda m: abs(_to_legt(np.ones_like(m))) * m,
            "This goes from LegT to LMU.": lambda m: m * (-1.0) ** np.arange(m.shape[1]) * _norms(m),
            "The factor is 2n + 1 in A; in the state it is its root.": lambda m: _to_legt(m) / _norms(m),
        },
        hints=[
            "Both read back the same past: Σ mₙ Pₙ(2a − 1) = Σ cₙ √(2n+1) Pₙ(1 − 2a).",
            "Pₙ(−x) = (−1)ⁿ Pₙ(x).",
        ],
    ),
    Exercise(
        "measures.6",
        solution=42,
        rtol=1e-3,
        wrong={
            "The equation has the square of the error: 1 % is 10⁻⁴.": 21,
            "One coefficient less misses slightly more than 1 %.": 41,
            "That is right before rounding: the question asks for a whole number.": float(np.log(1e-4) / np.log(0.8)),
            "The factor is ω²/(1 + ω²), not ω/√(1 + ω²).": 83,
        },
        hints=["(4/5)^N must fall to 10⁻⁴.", "N = ln 10⁻⁴ / ln 0.8, rounded up."],
    ),
]


def _norms(m):
    return np.sqrt(2 * np.arange(m.shape[1]) + 1)
