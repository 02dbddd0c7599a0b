"""Exercises of the errata."""

import numpy as np

from ssm_teach.exercises import Exercise


def _size(alpha, w):
    """|Ā| of the generalised bilinear transform, for one mode with w = aΔ."""
    return abs((1 + (1 - alpha) * w) / (1 - alpha * w))


def _path(rng):
    """W, states after each step and the derivatives of the losses by them; never one state, which hides a transpose."""
    N, L = rng.integers(2, 5), rng.integers(2, 8)
    return 0.7 * rng.standard_normal((N, N)), rng.standard_normal((L, N)), rng.standard_normal((L, N))


def _gradient(W, x, g):
    delta, total = np.zeros(len(W)), np.zeros_like(W)
    for k in range(len(x) - 1, 0, -1):
        delta = g[k] + W.T @ delta
        total += np.outer(delta, x[k - 1])
    return total


def _double_sum(W, x, g, shift):
    terms = [
        np.linalg.matrix_power(W, j - shift) @ np.outer(g[k], x[k - j]) for k in range(len(x)) for j in range(1, k + 1)
    ]
    return sum(terms)


EXERCISES = [
    Exercise(
        "errata.1",
        solution=(0.4, -0.1 + 2j),
        laws={
            "alpha must lie between 0.4 and 1": lambda answer: 0.4 <= answer[0] <= 1,
            "the system must be stable: Re w < 0": lambda answer: np.real(answer[1]) < 0,
            "the recurrence must be unstable: |Ā| > 1": lambda answer: _size(*answer) > 1 + 1e-6,
        },
        wrong={
            "From one half on no stable system becomes unstable.": (0.5, -0.1 + 20j),
            "This mode is too slow: it shrinks.": (0.4, -0.1 + 0.5j),
            "This is forward Euler; alpha must be at least 0.4.": (0.0, -0.1 + 1j),
        },
        hints=[
            "The claim above has the difference of the two squares, −2 Re w + (2α − 1)|w|². It must become negative.",
            "For α below one half the second term is negative. Make |w| large, and keep Re w small.",
        ],
    ),
    Exercise(
        "errata.2",
        solution=_gradient,
        inputs=_path,
        wrong={
            "This is the printed sum, without the transpose and with one power too many.": lambda W, x, g: _double_sum(
                W, x, g, 0
            ),
            "The power is right, the transpose is missing.": lambda W, x, g: _double_sum(W, x, g, 1),
            "The transpose is there, the power is one too high.": lambda W, x, g: _double_sum(W.T, x, g, 0),
            "This is the transpose of the gradient.": lambda W, x, g: _gradient(W, x, g).T,
            "This looks back one step only: W also acted on every state before.": lambda W, x, g: g[1:].T @ x[:-1],
        },
        hints=[
            "Going backwards, let δ_k be the derivative of the whole loss by x_k: δ_k = g_k + Wᵀ δ_{k+1}.",
            "W acts on x_{k−1}, so its gradient is the sum of δ_k x_{k−1}ᵀ. The state before the first is zero.",
        ],
    ),
]
