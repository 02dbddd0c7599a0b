"""Exercises of chapter 19, "From equations to a trained model"."""

import numpy as np

from ssm_teach.exercises import Exercise
from ssm_teach.kernels import powers_kernel


def _one_channel(rng):
    N, L = rng.integers(1, 6), rng.integers(2, 40)
    a = -rng.uniform(0.1, 1.0, N) + 1j * rng.uniform(-20.0, 20.0, N)
    return a, rng.standard_normal(N) + 1j * rng.standard_normal(N), rng.uniform(0.01, 0.2), int(L)


def _kernel(a, C, dt, L, B_bar=None):
    """By powers of the diagonal matrix, one after the other; the conjugate modes come as modes of their own."""
    B_bar = (np.exp(dt * a) - 1) / a if B_bar is None else B_bar
    modes, inputs, outputs = (np.concatenate([values, values.conj()]) for values in (np.exp(dt * a), B_bar, C))
    return powers_kernel(modes, inputs, outputs, L).real


EXERCISES = [
    Exercise(
        "models.1",
        solution=3136,
        wrong={
            "Two too few for each mode: B and C are both parameters, and complex.": 2 * 32 + 4 * 32 * 16,
            "Real and imaginary part of a are one number each, not two.": 2 * 32 + 8 * 32 * 16,
            "Δ and D are one number a channel, not one a mode.": 8 * 32 * 16,
        },
        hints=["Count first what a channel has, and what a mode has.", "A complex number is two real parameters."],
    ),
    Exercise(
        "models.2",
        solution=_kernel,
        inputs=_one_channel,
        wrong={
            "The conjugate modes are missing.": lambda a, C, dt, L: _kernel(a, C, dt, L) / 2,
            "This takes ΔB for B̄; the zero-order hold does not.": lambda a, C, dt, L: _kernel(
                a, C, dt, L, B_bar=dt * np.ones_like(a)
            ),
            "The kernel starts at the power 0: its first sample is C B̄.": lambda a, C, dt, L: _kernel(
                a, C * np.exp(dt * a), dt, L
            ),
        },
        hints=[
            "The weight of mode n is C_n (e^{Δ a_n} − 1) / a_n.",
            "np.exp(dt * a * np.arange(L)[:, None]) is the table of all powers, shape (L, N).",
        ],
    ),
    Exercise(
        "models.3",
        solution=1 / 512,
        rtol=1e-3,
        wrong={
            "This forgets the real part, one half.": 1 / 1024,
            "This is the memory in steps, not the step.": 2048.0,
        },
        hints=["Set the memory τ to 1024 and solve for Δ.", "τ = 1/(Δ/2) = 2/Δ."],
    ),
    Exercise(
        "models.4",
        solution="b",
        options={
            "a": "any continuous function of the picture",
            "b": "linear functions of the pixels, plus a constant",
            "c": "functions of the average pixel only",
        },
        wrong={
            "Depth alone does not help: what are two linear maps in a row?": "a",
            "An early pixel's echo is longer than a late one's, so the average over time tells them apart.": "c",
        },
        hints=["Which of convolution, linear map, sum and average is not linear?"],
    ),
]
