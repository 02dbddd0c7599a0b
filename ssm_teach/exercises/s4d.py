"""Exercises of chapter 10, "Diagonal state spaces"."""

import numpy as np

from ssm_teach.exercises import Exercise


def _complex(rng, N):
    return rng.standard_normal(N) + 1j * rng.standard_normal(N)


def _eigenvalues(rng, N):
    return -rng.uniform(0.1, 1.0, N) + 1j * rng.uniform(0.5, 30.0, N)


def _channel(rng):
    N = int(rng.integers(1, 7))
    return _eigenvalues(rng, N), _complex(rng, N), _complex(rng, N), rng.uniform(0.02, 0.3), int(rng.integers(2, 60))


def _kernel(A_bar, w, L):
    return 2 * (w @ A_bar[:, None] ** np.arange(L)).real


def _bilinear_kernel(a, B, C, dt, L):
    below = 1 - dt * a / 2
    return _kernel((1 + dt * a / 2) / below, C * dt * B / below, L)


def _held_kernel(a, B, C, dt, L):
    return _kernel(np.exp(dt * a), C * B * np.expm1(dt * a) / a, L)


def _softmax_case(rng):
    N = int(rng.integers(1, 7))
    return _eigenvalues(rng, N), _complex(rng, N), rng.uniform(0.001, 0.1), int(rng.integers(2, 300))


def _dss_weights(a, w, dt, M):
    return w / a / np.exp(a * dt * np.arange(M)[:, None]).sum(0)


def _support(rng):
    """Support points apart from each other, and β all positive, so that every pole is real."""
    N = int(rng.integers(1, 7))
    return -np.cumsum(rng.uniform(0.5, 2.0, N)), rng.uniform(0.1, 1.0, N)


def _poles(lam, beta):
    return np.sort_complex(np.linalg.eigvals(np.diag(lam) - np.outer(np.ones(len(lam)), beta)))


EXERCISES = [
    Exercise(
        "s4d.1",
        solution=64 / np.pi * 63,
        rtol=1e-3,
        wrong={
            "M is the size of the matrix, twice the number of stored modes.": 32 / np.pi * 31,
            "This is M²/π, the law for large M. The bracket has a − 1 as well.": 64**2 / np.pi,
            "This is the second mode, n = 1.": 64 / np.pi * (64 / 3 - 1),
        },
        hints=["The largest is at n = 0.", "There the formula is (M/π)(M − 1), with M = 64."],
    ),
    Exercise(
        "s4d.2",
        solution=2 * (np.expm1(0.1 * (-0.5 + 1j * np.pi)) / (-0.5 + 1j * np.pi)).real,
        rtol=1e-3,
        wrong={
            "The conjugate mode is missing: the output is twice the real part.": 0.0960,
            "This is 2Δ, as if B̄ were ΔB; the hold makes it smaller.": 0.2,
            "This is K_1: the first sample has no factor Ā.": 0.1648,
            "This is the bilinear B̄.": 0.1906,
        },
        hints=["K_0 = 2 Re C B̄: no power of Ā.", "B̄ = (e^{aΔ} − 1)/a, a complex number."],
    ),
    Exercise(
        "s4d.3",
        solution=40,
        wrong={
            "This is two for each stored mode. Is none of them real, and are all of them different at this step?": 128,
            "This is 2N − 1, what it would be at a finer step.": 127,
            "These are the different pitches; most of them are complex and make two states.": 21,
            "The first and the last pitch are real and make one state each.": 42,
            "A step of 0.05 is 1/m with m = 20: no mode beyond n = 20 is new.": 64,
        },
        hints=[
            "Which modes turn by the same angle a step, up to sign?",
            "Δ = 1/20: the different ones are n = 0 to 20. Two of these are real.",
        ],
    ),
    Exercise(
        "s4d.4",
        solution=_bilinear_kernel,
        inputs=_channel,
        wrong={
            "This is the zero-order hold.": _held_kernel,
            "The input weight has the same denominator as Ā.": lambda a, B, C, dt, L: _kernel(
                (1 + dt * a / 2) / (1 - dt * a / 2), C * dt * B, L
            ),
            "Each mode stands for its conjugate as well: twice the real part.": lambda *given: (
                _bilinear_kernel(*given) / 2
            ),
            "The first sample is C B̄, without Ā.": lambda a, B, C, dt, L: _bilinear_kernel(a, B, C, dt, L + 1)[1:],
        },
        hints=[
            "Ā = (1 + aΔ/2)/(1 − aΔ/2), elementwise.",
            "B̄ = ΔB/(1 − aΔ/2). Then 2 Re of (C B̄) @ Ā[:, None] ** np.arange(L).",
        ],
    ),
    Exercise(
        "s4d.5",
        solution=_dss_weights,
        inputs=_softmax_case,
        wrong={
            "The 1/a of DSS is missing.": lambda a, w, dt, M: a * _dss_weights(a, w, dt, M),
            "This is the exp form.": lambda a, w, dt, M: w / a * np.expm1(a * dt),
            "The sum runs over M positions, 0 to M − 1.": lambda a, w, dt, M: _dss_weights(a, w, dt, M + 1),
            "The quotient is upside down.": lambda a, w, dt, M: w / a * np.expm1(a * dt * M) / np.expm1(a * dt),
        },
        hints=[
            "The softmax divides e^{zl} by the sum of e^{zr} over r < M, which does not depend on l.",
            "That sum is (e^{zM} − 1)/(e^z − 1), with z = aΔ.",
        ],
    ),
    Exercise(
        "s4d.6",
        solution=_poles,
        inputs=_support,
        wrong={
            "These are the support points. There the function is finite.": lambda lam, beta: np.sort_complex(lam),
            "The low-rank part is subtracted.": lambda lam, beta: _poles(lam, -beta),
            "With p and q both β, their products are β².": lambda lam, beta: _poles(lam, beta**2),
        },
        hints=[
            "The poles are where 1 + Σ β/(s − λ) is zero.",
            "They are the eigenvalues of diag(λ) − p qᵀ for any p and q with q_n p_n = β_n; sort them.",
        ],
    ),
]
