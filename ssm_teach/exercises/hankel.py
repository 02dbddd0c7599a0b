"""Exercises of chapter 11, "Hankel values: how much a state remembers"."""

import numpy as np

from ssm_teach.exercises import Exercise


def _discrete_modes(rng):
    """Complex poles inside the circle, none of them close to it, and complex input weights."""
    N = int(rng.integers(1, 7))
    poles = rng.uniform(0.2, 0.95, N) * np.exp(1j * rng.uniform(0.3, 2.8, N))
    return poles, rng.standard_normal(N) + 1j * rng.standard_normal(N)


def _gramian(poles, b):
    return np.outer(b, b.conj()) / (1 - np.outer(poles, poles.conj()))


def _values_and_budget(rng):
    """Falling values, no two of them equal, and a budget: now and then one that no state or only all of them meet.

    (Equal values count once in the sharpest form of the bound, so with them two answers would be right.)
    """
    N = int(rng.integers(3, 12))
    sigma = np.cumsum(10 ** rng.uniform(-3, 0, N))[::-1]
    whole, last = 2 * sigma.sum(), 2 * sigma[-1]
    between = last + (whole - last) * rng.uniform(0.05, 0.9)
    return sigma, float(rng.choice([0.5 * last, between, between, 1.1 * whole]))


def _states_needed(sigma, budget, factor=2.0):
    """The least r with factor·(σ_{r+1} + …) ≤ budget."""
    return next(r for r in range(len(sigma) + 1) if factor * sigma[r:].sum() <= budget)


def _change(alpha, beta):
    """Of the gain of 1/(s + 1) at zero when its pole moves by α towards the axis and its product grows by β."""
    return (1 + beta) / (1 - alpha) - 1


EXERCISES = [
    Exercise(
        "hankel.1",
        solution=0.2,
        rtol=1e-3,
        wrong={
            "This is the value that is left out. What does it cost?": 0.1,
            "This is twice the value that is kept.": 1.8,
            "This is the value that is kept.": 0.9,
            "The eigenvalues of PQ are the squares of the values.": 0.02,
            "This drops one of the two modes and keeps the other. Balanced truncation makes a new mode.": 1.0,
        },
        hints=[
            "Write the system with c = b: b = (1, 2). Then P = Q, with the entries b_m b_n/(a_m + a_n).",
            "Its eigenvalues are ½ ± ⅖.",
        ],
    ),
    Exercise(
        "hankel.2",
        solution=2 / (1 - 0.9**2),
        rtol=1e-3,
        wrong={
            "This reads the output before the input: it is the value of the matrix K_{i+j+1}.": 2 * 0.9 / (1 - 0.9**2),
            "The sum of the kernel is its gain at zero frequency.": 2 / (1 - 0.9),
            "The readout 2 is missing.": 1 / (1 - 0.9**2),
            "This is PQ. The value is its root.": 4 / (1 - 0.9**2) ** 2,
            "This is the formula of a continuous mode with Re a = ln 0.9. Near, but it is not exact.": 1 / -np.log(0.9),
        },
        hints=[
            "The Hankel matrix is 2 v vᵀ with v = (1, 0.9, 0.81, …).",
            "Its only singular value is 2 ‖v‖².",
        ],
    ),
    Exercise(
        "hankel.3",
        solution=_gramian,
        inputs=_discrete_modes,
        wrong={
            "Without the conjugates the matrix is not Hermitian.": lambda poles, b: (
                np.outer(b, b) / (1 - np.outer(poles, poles))
            ),
            "The poles need the conjugate too: entry (m, n) has λ_m times the conjugate of λ_n.": lambda poles, b: (
                np.outer(b, b.conj()) / (1 - np.outer(poles, poles))
            ),
            "The weights need the conjugate too: entry (m, n) has b_m times the conjugate of b_n.": lambda poles, b: (
                np.outer(b, b) / (1 - np.outer(poles, poles.conj()))
            ),
            "This is the continuous formula.": lambda poles, b: (
                -np.outer(b, b.conj()) / np.add.outer(poles, poles.conj())
            ),
            "The conjugates have changed places: this is the transpose.": lambda poles, b: _gramian(poles, b).T,
        },
        hints=[
            "Entry (m, n) of the sum is b_m b̄_n Σ_k (λ_m λ̄_n)^k.",
            "np.outer(x, y.conj()) has the entries x_m ȳ_n.",
        ],
    ),
    Exercise(
        "hankel.4",
        solution=lambda sigma, budget: _states_needed(sigma, budget),
        inputs=_values_and_budget,
        wrong={
            "The bound is twice the tail.": lambda sigma, budget: _states_needed(sigma, budget, 1.0),
            "One state fewer breaks the promise.": lambda sigma, budget: _states_needed(sigma, budget) - 1,
            "A single value may be small while their sum is not.": lambda sigma, budget: int(
                (2 * sigma > budget).sum()
            ),
        },
        hints=[
            "Try r = 0, 1, 2, …; stop at the first r with 2·sigma[r:].sum() ≤ budget.",
            "sigma[len(sigma):].sum() is 0, so the search always ends.",
        ],
    ),
    Exercise(
        "hankel.5",
        solution=0.64,
        rtol=1e-3,
        wrong={
            "This is ‖δh‖₂. The gain can be √n times as large.": 0.08,
            "This is the largest single change.": 0.01,
            "This is n² times the change.": 0.01 * 64**2,
            "This is n ‖δh‖₂. Cauchy and Schwarz need the root of n only.": 64 * 0.08,
        },
        hints=[
            "‖δh‖₂ = √64 · 0.01.",
            "At which frequency do 64 changes of one sign add up?",
        ],
    ),
    Exercise(
        "hankel.6",
        solution=(0.6, 0.9),
        laws={
            "alpha must lie between 0 and 0.6": lambda answer: 0 <= answer[0] <= 0.6,
            "beta must lie between 0 and 1": lambda answer: 0 <= answer[1] <= 1,
            "the change of the gain must exceed the formula, beta + 4 alpha": lambda answer: (
                _change(*answer) > (1 + 1e-9) * (answer[1] + 4 * answer[0])
            ),
        },
        wrong={
            "This is the counterexample of the page. Here the pole may move by 0.6 only.": (0.9, 0.0),
            "With half of the distance both hypotheses are met, and the formula is just reached.": (0.5, 1.0),
            "If the pole alone moves, the formula holds up to three quarters of the distance.": (0.6, 0.0),
        },
        hints=[
            "The gain of g/(s + r) at zero is g/r. It changes from 1 to (1 + beta)/(1 − alpha).",
            "Move the pole as far as you may. From which beta on is (1 + beta)/0.4 − 1 more than beta + 2.4?",
        ],
    ),
]
