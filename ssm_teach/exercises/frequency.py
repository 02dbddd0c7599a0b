"""Exercises of chapter 12, "Frequency bias"."""

import numpy as np
import sympy as sp

from ssm_teach.exercises import Exercise


def _frequencies_and_step(rng):
    """Frequencies up to several turns a sample, both signs, away from the edges where the sign is a matter of taste."""
    dt = rng.uniform(0.02, 0.5)
    inside = rng.uniform(-0.95, 0.95, rng.integers(2, 9))
    turns = rng.permutation(np.arange(len(inside)) - 1)  # never all zero
    return (inside + 2 * turns) * np.pi / dt, dt


def _fold(nu, dt):
    return np.angle(np.exp(1j * nu * dt)) / dt


def _modes_and_error(rng):
    N, M = rng.integers(1, 6), rng.integers(20, 60)
    a = -rng.uniform(0.2, 2, N) + 1j * rng.uniform(-5, 5, N)
    c, error = (rng.standard_normal((2, size)) for size in (N, M))
    return a, c[0] + 1j * c[1], error[0] + 1j * error[1], np.linspace(-8, 8, M)


def _summed(a, c, error, omega, factor, power=2):
    by_dial = factor * c / (1j * omega[:, None] - a) ** power
    return (omega[1] - omega[0]) * (error[:, None] * by_dial).real.sum(0)


def _dial_gradient(a, c, error, omega):
    return _summed(a, c, error.conj(), omega, 1j)


sigma = sp.Symbol("sigma", positive=True)

EXERCISES = [
    Exercise(
        "frequency.1",
        solution=float(50 - 2 * np.pi / 0.1),
        rtol=1e-3,
        wrong={
            "That is how fast it is, but it turns the other way round.": float(2 * np.pi / 0.1 - 50),
            "Only half a turn was taken away.": float(50 - np.pi / 0.1),
            "That is where the bilinear transform puts it.": float(20 * np.arctan(2.5)),
        },
        hints=[
            "Frequencies that differ by 2π/Δ are the same at the samples.",
            "2π/Δ is about 62.83. Which multiple of it must go?",
        ],
    ),
    Exercise(
        "frequency.2",
        solution=75.0,
        rtol=1e-3,
        wrong={
            "The width enters with its square.": 15.0,
            "The weight is missing.": 25.0,
            "This is the kernel at ω = 0. Where is it largest?": 3 / (0.2**2 + 10**2),
            "This is |G|² at the top. Asked is the derivative of G by the frequency of the mode.": 225.0,
        },
        hints=["The kernel is |c| over a sum of two squares.", "One of them is zero at the top."],
    ),
    Exercise(
        "frequency.3",
        solution=sp.sqrt(99) * sigma,
        wrong={
            "At this distance it has fallen to 1/101.": 10 * sigma,
            "That is where the answer of the mode, and not its gradient, has fallen to a hundredth.": sp.sqrt(9999)
            * sigma,
            "The kernel falls with the square of the distance.": 99 * sigma,
        },
        hints=["Set |c|/(d² + σ²) equal to |c|/(100 σ²).", "Then d² = 99 σ²."],
    ),
    Exercise(
        "frequency.4",
        solution=_fold,
        inputs=_frequencies_and_step,
        rtol=1e-7,
        wrong={
            "Frequencies are left between 0 and 2π/Δ; the upper half of them turns backwards.": lambda nu, dt: np.mod(
                nu, 2 * np.pi / dt
            ),
            "The signs are lost.": lambda nu, dt: np.abs(_fold(nu, dt)),
            "This is what the bilinear transform does.": lambda nu, dt: 2 / dt * np.arctan(nu * dt / 2),
            "This cuts off instead of folding.": lambda nu, dt: np.clip(nu, -np.pi / dt, np.pi / dt),
            "This is the angle from sample to sample; over the time between them it is a frequency.": lambda nu, dt: (
                dt * _fold(nu, dt)
            ),
            "One turn less is not always right: some modes need more taken away, some none, some one added.": (
                lambda nu, dt: nu - 2 * np.pi / dt
            ),
        },
        hints=[
            "Adding 2π/Δ to a frequency changes nothing at the samples.",
            "Which whole number of turns is nearest to ν? np.round knows.",
        ],
    ),
    Exercise(
        "frequency.5",
        solution=_dial_gradient,
        inputs=_modes_and_error,
        wrong={
            "The error must be conjugated: L is made of E times its conjugate.": lambda a, c, error, omega: _summed(
                a, c, error, omega, 1j
            ),
            "This is the gradient by the decay rate σ.": lambda a, c, error, omega: _summed(
                a, c, error.conj(), omega, -1
            ),
            "The derivative of 1/(iω − a) has a square below.": lambda a, c, error, omega: _summed(
                a, c, error.conj(), omega, 1j, power=1
            ),
            "The sign is reversed: the derivative of 1/(iω − a) by a is +1/(iω − a)².": lambda a, c, error, omega: (
                -_dial_gradient(a, c, error, omega)
            ),
            "The trapezoid rule halves the two ends; here every term counts in full.": lambda a, c, error, omega: (
                _dial_gradient(a, c, error, omega)
                - _dial_gradient(a, c, error[[0, -1]], omega[[0, -1]])
                / (omega[-1] - omega[0])
                * (omega[1] - omega[0])
                / 2
            ),
            "The spacing of the frequencies is missing.": lambda a, c, error, omega: (
                _dial_gradient(a, c, error, omega) / (omega[1] - omega[0])
            ),
        },
        hints=[
            "Write a = −σ + iν. What is the derivative of c/(iω − a) by ν?",
            "Then the sum of Re(conj(E) · ic/(iω − a)²) over the frequencies, times their spacing.",
        ],
    ),
    Exercise(
        "frequency.6",
        solution="c",
        options={
            "a": "twice as many modes between 0 and 10",
            "b": "the code's weight with β = 1",
            "c": "α = 6",
            "d": "ten times smaller decay rates",
        },
        wrong={
            "They would stand where there is nothing to learn, and the way to 60 is as long as before.": "a",
            "It at most doubles the voice of the line. And how far can Adam go?": "b",
            "Sharper ears hear less far.": "d",
        },
        hints=["How far does Adam move a parameter in 5000 steps?", "The way is 50, and the leash is 5."],
    ),
]
