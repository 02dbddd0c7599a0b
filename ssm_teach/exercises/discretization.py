"""Exercises of chapter 04: from continuous to discrete time."""

import numpy as np
import sympy as sp

from ssm_teach.exercises import Exercise

v = sp.symbols("v")


def _diagonal_system(rng):
    N = rng.integers(1, 6)
    a = -rng.uniform(0.1, 2, N) + 1j * rng.uniform(-5, 5, N)
    return a, rng.standard_normal(N), rng.uniform(0.05, 0.8)


def _driven_system(rng):
    N = rng.integers(1, 5)
    A = rng.standard_normal((N, N)) - 2 * np.eye(N)
    B, x_before = rng.standard_normal((2, N))
    u_before, u_now = (float(u) for u in rng.standard_normal(2))
    return A, B, rng.uniform(0.05, 0.5), x_before, u_before, u_now


def _backward_euler_diagonal(a, B, dt):
    return 1 / (1 - dt * a), dt * B / (1 - dt * a)


def _trapezoid_step(A, B, dt, x_before, u_before, u_now):
    identity = np.eye(len(A))
    right = (identity + dt / 2 * A) @ x_before + dt * B * (u_before + u_now) / 2
    return np.linalg.solve(identity - dt / 2 * A, right)


def _s4_step(A, B, dt, x_before, u_before, u_now):
    return _trapezoid_step(A, B, dt, x_before, u_now, u_now)


def _old_entry_step(A, B, dt, x_before, u_before, u_now):
    return _trapezoid_step(A, B, dt, x_before, u_before, u_before)


EXERCISES = [
    Exercise(
        "discretization.1",
        solution=(float(np.exp(-1)), float((1 - np.exp(-1)) / 2)),
        rtol=1e-3,
        wrong={
            "This is forward Euler.": (0.0, 0.5),
            "The input's share lacks the division by the rate, 2.": (float(np.exp(-1)), float(1 - np.exp(-1))),
            "This is backward Euler.": (0.5, 0.25),
        },
        hints=[
            "Without input the state shrinks by exp(aΔ) in one step. What is aΔ here?",
            "B̄ = (exp(aΔ) − 1) / a · b, with a = −2, b = 1 and Δ = 0.5.",
        ],
    ),
    Exercise(
        "discretization.2",
        solution=_backward_euler_diagonal,
        inputs=_diagonal_system,
        wrong={
            "This is forward Euler.": lambda a, B, dt: (1 + dt * a, dt * B + 0 * a),
            "This is the bilinear rule.": lambda a, B, dt: (
                (1 + dt * a / 2) / (1 - dt * a / 2),
                dt * B / (1 - dt * a / 2),
            ),
            "The input is divided too: collect all of x_k on the left.": lambda a, B, dt: (
                1 / (1 - dt * a),
                dt * B + 0 * a,
            ),
        },
        hints=[
            "A diagonal system is N scalar ones. Write x_k = x_{k−1} + Δ(a x_k + b u_k) for one of them.",
            "Bring Δ a x_k to the left: (1 − Δa) x_k = x_{k−1} + Δ b u_k. Now divide.",
        ],
    ),
    Exercise(
        "discretization.3",
        solution=float(1 / (0.25 + np.pi**2)),
        rtol=5e-3,
        wrong={
            "This is the limit for the real part alone; the pole also rotates.": 4.0,
            "The identity has |a|² below the line, the square of the size.": float(1 / np.hypot(0.5, np.pi)),
        },
        hints=[
            "The factor of one step is 1 + Δa. It is on the unit circle when |1 + Δa|² = 1.",
            "|1 + Δa|² = 1 + 2Δ Re a + Δ²|a|², with Re a = −½ and |a|² = ¼ + π².",
        ],
    ),
    Exercise(
        "discretization.4",
        solution="a",
        options={
            "a": "halve Δ, keep A and B",
            "b": "double Δ, keep A and B",
            "c": "halve Δ, and halve A and B",
            "d": "keep everything",
        },
        wrong={
            "Twice as many samples a second: is a step longer or shorter than before?": "b",
            "The rates A are per second, and the sound has not changed its speed.": "c",
            "With the old Δ the model hears every sound at half its speed.": "d",
        },
        hints=[
            "What stays the same is the sound, in seconds. Which of A, B and Δ count seconds, which samples?",
            "Two new steps must do what one old step did. See the semigroup property.",
        ],
    ),
    Exercise(
        "discretization.5",
        solution=_trapezoid_step,
        inputs=_driven_system,
        wrong={
            "This is S4's step: it takes the new entry alone.": _s4_step,
            "This takes the old entry alone.": _old_entry_step,
        },
        hints=[
            "Where does the input enter the bilinear rule? Only through one term, Δ B u_k.",
            "Call bilinear(A, B, dt), and drive it by the mean of the two entries.",
        ],
    ),
    Exercise(
        "discretization.6",
        solution=2 / (1 + sp.exp(-v)),
        wrong={
            "This is the gate of backward Euler with Δ = exp(v).": 1 / (1 + sp.exp(-v)),
            "This is the weight of the old state.": (1 - sp.exp(v)) / (1 + sp.exp(v)),
            "This is the step, not the gate.": 2 * sp.exp(v),
        },
        hints=[
            "For a = −1, b = 1 the bilinear rule has B̄ = Δ / (1 + Δ/2), and Ā = 1 − B̄.",
            "Put Δ = 2 exp(v) into Δ / (1 + Δ/2).",
        ],
    ),
]
