"""Exercises of chapter 03, "Signals and state"."""

import numpy as np

from ssm_teach.exercises import Exercise


def _two_descriptions(rng):
    """Two systems, of which the second is the first in other coordinates but for one change, which may be inaudible."""
    N = int(rng.integers(2, 5))
    A = np.diag(rng.permutation([-0.9, -0.5, 0.2, 0.6, 0.95])[:N])
    change = rng.choice(["none", "weight", "pole", "silent pole", "late"])
    if change == "late":
        return _alike_until_the_last_sample(np.diag(A))
    B, C = rng.uniform(0.5, 1.5, (2, N))
    if change == "silent pole":
        B[0] = 0.0
    T, _ = np.linalg.qr(rng.standard_normal((N, N)))
    A2, B2, C2 = T.T @ A @ T, T.T @ B, C @ T
    if change in ("pole", "silent pole"):
        A2 = A2 + 0.03 * np.outer(T[0], T[0])
    if change == "weight":
        C2 = C2 + 0.3 * T[0]
    return A, B, C, A2, B2, C2


def _alike_until_the_last_sample(modes):
    """Two systems whose kernels agree for 2N − 1 samples and no longer: 2N weights of an echo, shared among the two."""
    N = len(modes)
    every = np.concatenate([modes, 0.7 * modes - 0.1])
    gaps = every[:, None] - every + np.eye(2 * N)
    weights = 1 / gaps.prod(1)
    return np.diag(modes), np.ones(N), weights[:N], np.diag(every[N:]), np.ones(N), -weights[N:]


def _kernel(A, B, C, L):
    return [C @ np.linalg.matrix_power(A, k) @ B for k in range(L)]


def _agree(first, second):
    first, second = np.array(first), np.array(second)
    return bool(np.abs(first - second).max() <= 1e-6 * max(np.abs(first).max(), np.abs(second).max()))


def _same_from_outside(A1, B1, C1, A2, B2, C2):
    return _same_for(2 * len(B1), A1, B1, C1, A2, B2, C2)


def _same_for(L, A1, B1, C1, A2, B2, C2):
    return _agree(_kernel(A1, B1, C1, L), _kernel(A2, B2, C2, L))


def _same_poles(A1, B1, C1, A2, B2, C2):
    return _agree(np.sort(np.linalg.eigvals(A1).real), np.sort(np.linalg.eigvals(A2).real))


def _same_gain_for_a_constant(A1, B1, C1, A2, B2, C2):
    return bool(np.isclose(*(C @ B for B, C in ((B1, C1), (B2, C2))), rtol=1e-6))


EXERCISES = [
    Exercise(
        "signals.1",
        solution=(np.exp(-1.0), (1 - np.exp(-1.0)) / 2),
        rtol=3e-4,
        wrong={
            "Ā is right. B̄ is not the step: what the held input has put in decays from the first moment on.": (
                0.3679,
                0.5,
            ),
            "This is one step of Euler's method, which follows the slope at the start of the step.": (0.0, 0.5),
            "The step is half a second, not one.": (np.exp(-2.0), (1 - np.exp(-2.0)) / 2),
        },
        hints=[
            "Ā = e^{−2Δ} is what half a second leaves of a state.",
            "B̄ = ∫₀^Δ e^{−2τ} dτ: what each moment of the held input leaves, added up.",
        ],
    ),
    Exercise(
        "signals.2",
        solution=1.0,
        rtol=1e-3,
        wrong={
            "That is the gain at ω = 1, where a tone has lost half of its energy.": 0.7071,
            "This is H(1), at a real s. A pure tone has an imaginary one.": 0.5,
        },
        hints=["Write |H(iω)|² as a fraction in ω.", "Its denominator is 1 + ω²; where is that smallest?"],
    ),
    Exercise(
        "signals.3",
        solution=5.011984312444094,
        rtol=1e-4,
        wrong={
            "This is the growth in one step. It goes on for a few more.": 3.5816,
            "This is the largest entry of a power. The worst state uses both of its numbers.": 4.984727851851697,
            "This is what e^{−t} leaves of an eigenvector. Other states are mixtures of both.": 1.0,
        },
        hints=[
            "Compute the matrix exponential, then its powers one after another; their norms rise and then fall.",
            "np.linalg.norm(M, 2) is the largest singular value: the most that M can enlarge a vector.",
        ],
    ),
    Exercise(
        "signals.4",
        solution=2,
        wrong={
            "One change is missed: look at the first two samples.": 1,
            "Three modes, but N modes change their sign at most N − 1 times.": 3,
        },
        hints=["K_0 = 0.02. Which sign has K_1?", "In the end the slowest mode, 0.72 · 0.9ᵏ, is all that is left."],
    ),
    Exercise(
        "signals.5",
        solution=(3.0, 4.0),
        wrong={
            "These are damping and stiffness of the closed loop. Multiply by the mass, and the drag does a part.": (
                2.0,
                2.0,
            ),
            "The drag already damps: subtract it.": (4.0, 4.0),
            "The constant term of (s + 1)² + 1 is 2, not 1.": (3.0, 2.0),
        },
        hints=[
            "Poles at −1 ± i are the roots of s² + 2s + 2.",
            "Compare with s² + (c + g_P)/m · s + g_I/m, term by term.",
        ],
    ),
    Exercise(
        "signals.6",
        solution=_same_from_outside,
        inputs=_two_descriptions,
        wrong={
            "Equal poles are not enough: their weights may differ.": _same_poles,
            "The first samples agree; later ones may not.": _same_gain_for_a_constant,
            "Too few samples: two systems can agree for more than N of them, and then part.": (
                lambda *systems: _same_for(2 * len(systems[1]) - 1, *systems)
            ),
            "Equal matrices are too much to ask: other coordinates make others.": lambda A1, B1, C1, A2, B2, C2: bool(
                np.allclose(A1, A2) and np.allclose(B1, B2) and np.allclose(C1, C2)
            ),
        },
        hints=[
            "Compare the kernels C Aᵏ B of the two, sample by sample.",
            "The difference is the kernel of a system with 2N states: if 2N samples of it vanish, all do.",
        ],
    ),
]
