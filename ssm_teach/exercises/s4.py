"""Exercises of chapter 09, "The S4 kernel"."""

import numpy as np

from ssm_teach.exercises import Exercise
from ssm_teach.kernels import powers_kernel


def _complex(rng, *shape):
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


def _modes(rng):
    """Eigenvalues in the left half plane and vectors whose phases are anything, so that a lost conjugate shows."""
    N = rng.integers(1, 6)
    return -rng.uniform(0.2, 2, N) + 1j * rng.uniform(-9, 9, N), *_complex(rng, 3, N)


def _diagonal_system(rng):
    Lambda, _, B, C = _modes(rng)
    return Lambda, B, C, rng.uniform(0.02, 0.3), 2 * int(rng.integers(1, 9))


def _lambda_bar(Lambda, dt):
    return (1 + dt / 2 * Lambda) / (1 - dt / 2 * Lambda)


def _highest(Lambda, B, C, dt, L):
    """The alternating sum itself, sample by sample."""
    B_bar = dt * B / (1 - dt / 2 * Lambda)
    return sum((-1) ** k * (C * _lambda_bar(Lambda, dt) ** k * B_bar).sum() for k in range(L))


def _system_and_point(rng):
    return *_modes(rng), 1j * rng.uniform(-9, 9)


def _transfer(Lambda, P, B, C, g):
    return C @ np.linalg.solve(g * np.eye(len(P)) - np.diag(Lambda) + np.outer(P, P.conj()), B)


def _four_sums(Lambda, P, Q, B, C, g, sign):
    R = 1 / (g - Lambda)
    return (C * R * B).sum() + sign * (C * R * P).sum() * (Q * R * B).sum() / (1 - sign * (Q * R * P).sum())


def _dense_system(rng):
    """A contraction, slow enough for its tail to show after L samples."""
    N, L = int(rng.integers(1, 5)), int(rng.integers(3, 20))
    A_bar = rng.standard_normal((N, N))
    return 0.95 * A_bar / np.linalg.norm(A_bar, 2), *rng.standard_normal((2, N)), L


def _from_spectrum(A_bar, B_bar, C, L, *, corrected=True, clockwise=True):
    eye = np.eye(len(B_bar))
    row = C - C @ np.linalg.matrix_power(A_bar, L) if corrected else C
    roots = np.exp((-2j if clockwise else 2j) * np.pi * np.arange(L) / L)
    return np.fft.ifft([row @ np.linalg.solve(eye - A_bar * z, B_bar) for z in roots]).real


def _state_and_input(rng):
    Lambda, P, B, x = _modes(rng)
    return Lambda, P, B, rng.uniform(0.02, 0.5), x, rng.standard_normal()


def _step(Lambda, P, B, dt, x, u):
    A, eye = np.diag(Lambda) - np.outer(P, P.conj()), np.eye(len(x))
    return np.linalg.solve(eye - dt / 2 * A, (eye + dt / 2 * A) @ x + dt * B * u)


EXERCISES = [
    Exercise(
        "s4.1",
        solution=1 / (1 - 0.95**20),
        rtol=4e-4,
        wrong={
            "This is the factor of the correction, which undoes the one asked for.": 1 - 0.95**20,
            "This is the sum of all powers. Only every twentieth lands on the same sample.": 1 / (1 - 0.95),
            "Only the first echo: there are infinitely many.": 1 + 0.95**20,
            "This is by how much each sample is wrong, as a part of itself; the factor is one more.": (
                0.95**20 / (1 - 0.95**20)
            ),
        },
        hints=[
            "On a circle of twenty places the samples k, k + 20, k + 40, … share a place.",
            "Each of them is 0.95²⁰ times the one before: sum the geometric series.",
        ],
    ),
    Exercise(
        "s4.2",
        solution=-20j,
        wrong={
            "The sign: z = i lies anticlockwise from 1.": 20j,
            "The factor in front is 2/Δ.": -0.1j / 2,
            "The point and the transform are right, but the step is 0.1, not 0.2.": -10j,
        },
        hints=["g = (2/Δ)(1 − z)/(1 + z).", "Multiply (1 − i)/(1 + i) above and below by 1 − i."],
    ),
    Exercise(
        "s4.3",
        solution=_highest,
        inputs=_diagonal_system,
        wrong={
            "This is the infinite kernel. Which readout has its first L samples?": lambda Lambda, B, C, dt, L: (
                dt / 2 * (C * B).sum()
            ),
            "A factor of two: the limit has Δ/2.": lambda Lambda, B, C, dt, L: (
                dt * (C * (1 - _lambda_bar(Lambda, dt) ** L) * B).sum()
            ),
            "Ā is the bilinear one here, not the exponential.": lambda Lambda, B, C, dt, L: (
                dt / 2 * (C * (1 - np.exp(L * dt * Lambda)) * B).sum()
            ),
        },
        hints=[
            "The limit is (Δ/2) C̃B, and C̃ = C(I − Ā^L).",
            "For a diagonal system Ā is the number (1 + Δλ/2)/(1 − Δλ/2), mode by mode.",
        ],
    ),
    Exercise(
        "s4.4",
        solution=_transfer,
        inputs=_system_and_point,
        wrong={
            "The row P* has conjugated entries.": lambda Lambda, P, B, C, g: _four_sums(Lambda, P, P, B, C, g, -1),
            "The rank-one term is subtracted from Λ, so it is added to g − Λ: check the sign of the correction.": (
                lambda Lambda, P, B, C, g: _four_sums(Lambda, P, P.conj(), B, C, g, 1)
            ),
            "C enters as it is, without a conjugate.": lambda Lambda, P, B, C, g: _four_sums(
                Lambda, P, P.conj(), B, C.conj(), g, -1
            ),
            "This is the diagonal part alone.": lambda Lambda, P, B, C, g: (C * B / (g - Lambda)).sum(),
        },
        hints=[
            "Compute R = 1/(g − Λ), and the four sums of X · R · Y for X in C, P* and Y in B, P.",
            "The answer is CB − CP · QB / (1 + QP), with conj(P) for Q.",
        ],
    ),
    Exercise(
        "s4.5",
        solution=powers_kernel,
        inputs=_dense_system,
        wrong={
            "The roots run the right way now. The system still rings after sample L.": lambda *system: _from_spectrum(
                *system, corrected=False
            ),
            "The correction is there. The kernel comes out backwards in time.": lambda *system: _from_spectrum(
                *system, clockwise=False
            ),
            "Both bugs are still there.": lambda *system: _from_spectrum(*system, corrected=False, clockwise=False),
        },
        hints=[
            "Compare with powers_kernel for one state: is each sample off by the same factor? Is their order right?",
            "Replace C by C − C Ā^L, and the sign in the exponent by minus.",
        ],
    ),
    Exercise(
        "s4.6",
        solution=_step,
        inputs=_state_and_input,
        wrong={
            "P* x needs the conjugate of P, on both sides.": lambda Lambda, P, B, dt, x, u: np.linalg.solve(
                np.eye(len(x)) - dt / 2 * (np.diag(Lambda) - np.outer(P, P)),
                x + dt / 2 * (Lambda * x - P * (P @ x)) + dt * B * u,
            ),
            "This is the explicit (Euler) step: the left side has not been solved.": lambda Lambda, P, B, dt, x, u: (
                x + dt * (Lambda * x - P * (P.conj() @ x) + B * u)
            ),
            "The rank-one term is missing on the left.": lambda Lambda, P, B, dt, x, u: (
                (x + dt / 2 * (Lambda * x - P * (P.conj() @ x)) + dt * B * u) / (1 - dt / 2 * Lambda)
            ),
        },
        hints=[
            "The right side is v = x + (Δ/2)(Λx − P(P*x)) + ΔBu.",
            "With D = 1/(1 − ΔΛ/2) the solution is Dv − DP · (Δ/2)(P*Dv) / (1 + (Δ/2) P*DP).",
        ],
    ),
]
