"""Exercises of chapter 08, "Normal plus low rank"."""

import numpy as np
from scipy.linalg import block_diag

from ssm_teach.exercises import Exercise
from ssm_teach.hippo import transition


def _almost_normal(rng):
    """A = cI + S − PPᵀ with an arbitrary skew S: odd and even sizes."""
    N = rng.integers(2, 7)
    P, half = rng.standard_normal(N), rng.standard_normal((N, N))
    return rng.uniform(-1, 0) * np.eye(N) + half - half.T - np.outer(P, P), P


def _frequencies_of(A, P):
    M = A + np.outer(P, P)
    return np.linalg.eigvalsh(-0.5j * (M - M.T))[::-1]


def _modes_and_weights(rng):
    N = rng.integers(1, 5)
    lam = rng.uniform(0.3, 1, N) * np.exp(1j * rng.uniform(0, np.pi, N))
    return lam, rng.standard_normal(N) + 1j * rng.standard_normal(N)


def _as_real(lam, g, turn=1.0, readout=(2.0, -2.0)):
    blocks = [[[z.real, -turn * z.imag], [turn * z.imag, z.real]] for z in lam]
    C = np.stack([readout[0] * g.real, readout[1] * g.imag], axis=-1).reshape(-1)
    return block_diag(*blocks), np.tile([1.0, 0.0], len(lam)), C


def _distinct_modes(rng):
    N = rng.integers(2, 7)
    real = np.linspace(0.1, 0.9, N) + rng.uniform(-0.02, 0.02, N)
    return (real if rng.random() < 0.5 else np.exp(2j * np.pi * real),)


def _echo_weights(lam):
    gaps = lam[:, None] - lam
    np.fill_diagonal(gaps, 1.0)
    return 1 / gaps.prod(axis=1)


def _late_echo(lam):
    """The weights of an echo one step earlier, at N − 2."""
    powers = lam ** np.arange(len(lam))[:, None]
    return np.linalg.solve(powers, np.eye(len(lam))[-2])


def _largest_over_smallest_entry():
    V = np.abs(np.linalg.eig(transition("legs", 6)[0])[1])
    return V.max() / V[V > 0].min()


EXERCISES = [
    Exercise(
        "normal.1",
        solution=2500.330146,
        rtol=1e-3,
        wrong={
            "This is the condition number of A itself, not of its eigenvectors.": np.linalg.cond(
                transition("legs", 6)[0]
            ),
            "The normal part has this one. Leave P out.": 1.0,
            "This compares entries of V; the condition number compares its largest and smallest singular value.": (
                _largest_over_smallest_entry()
            ),
        },
        hints=[
            '`hippo.transition("legs", 6)` gives A; `np.linalg.eig` gives eigenvectors of length 1.',
            "The condition number is the quotient of the largest and the smallest singular value: `np.linalg.cond`.",
        ],
    ),
    Exercise(
        "normal.2",
        solution=np.array([7.45664, 1.37788]),
        rtol=1e-3,
        wrong={
            "These are the squares of the frequencies.": np.array([55.6014, 1.89856]),
            "The higher one comes first.": np.array([1.37788, 7.45664]),
            "These belong to N = 4.": np.array([4.60329, 0.55650]),
        },
        hints=[
            "The even powers of s cancel: ½[(s+½)(s+3/2)…(s+9/2) + the same with minus] = s⁵ + e₂ s³ + e₄ s.",
            "e₂ sums all products of two of ½, 3/2, 5/2, 7/2, 9/2, and e₄ all products of four. Set s = iω.",
        ],
    ),
    Exercise(
        "normal.3",
        solution=2,
        wrong={
            "Rank one is enough for LegS, whose window has one end that moves. This window has two.": 1,
            "The Legendre polynomials may be many, but the window has only two ends.": 4,
        },
        hints=[
            "Which measure is this? Look at the symmetric part of its matrix.",
            "Energy comes in at one end of the window and leaves at the other.",
        ],
    ),
    Exercise(
        "normal.4",
        solution=_frequencies_of,
        inputs=_almost_normal,
        wrong={
            "P is not added: these belong to A itself.": lambda A, P: np.sort(np.linalg.eigvals(A).imag)[::-1],
            "From the highest to the lowest: `eigvalsh` sorts the other way.": lambda A, P: _frequencies_of(A, P)[::-1],
            "Twice too high: the skew part is half of M − Mᵀ.": lambda A, P: 2 * _frequencies_of(A, P),
        },
        hints=[
            "With M = A + PPᵀ the skew part is (M − Mᵀ)/2.",
            "If S is real and skew, −iS is Hermitian: `np.linalg.eigvalsh`, then reverse the order.",
        ],
    ),
    Exercise(
        "normal.5",
        solution=_as_real,
        inputs=_modes_and_weights,
        wrong={
            "The rotation turns backwards.": lambda lam, g: _as_real(lam, g, turn=-1.0),
            "The kernel takes twice the real part.": lambda lam, g: _as_real(lam, g, readout=(1.0, -1.0)),
            "Re(gz) = Re g Re z − Im g Im z: mind the sign of the second entry.": lambda lam, g: _as_real(
                lam, g, readout=(2.0, 2.0)
            ),
        },
        hints=[
            "A single mode λ = a + bi becomes the block [[a, −b], [b, a]], started at (1, 0).",
            "`scipy.linalg.block_diag(*blocks)`; for each mode B is (1, 0) and C is (2 Re g, −2 Im g).",
        ],
    ),
    Exercise(
        "normal.6",
        solution=_echo_weights,
        inputs=_distinct_modes,
        wrong={
            "The differences are reversed: for an even number of modes the sign is wrong.": lambda lam: _echo_weights(
                -lam
            ),
            "This echo comes one step too early.": _late_echo,
            "One over the product, not the product.": lambda lam: 1 / _echo_weights(lam),
        },
        hints=[
            "c_n is one over the product of λ_n − λ_m over all m ≠ n.",
            "`lam[:, None] - lam` holds all differences; put ones on its diagonal and take `.prod(1)`.",
        ],
    ),
]
