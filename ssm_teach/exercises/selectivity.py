"""Exercises of chapter 15, "Selectivity"."""

import numpy as np

from ssm_teach.exercises import Exercise


def _flags_and_slots(rng):
    """More data tokens than slots, fewer, or just as many; sometimes two of them are neighbours."""
    M = int(rng.integers(1, 6))
    return rng.uniform(size=int(rng.integers(8, 40))) < rng.uniform(0.1, 0.6), M


def _slot_gates(flag, M, first=1, everywhere=False):
    count = np.cumsum(flag)
    own = count[:, None] == first + np.arange(M)
    return (own if everywhere else own & flag[:, None]).astype(float)


def _map_and_place(rng):
    """What N < L states know of L values, and the place to attack."""
    N = int(rng.integers(1, 8))
    L = N + int(rng.integers(1, 8))
    return rng.standard_normal((N, L)), int(rng.integers(0, L))


def _attack(M, p):
    silent = np.linalg.svd(M)[2][len(M) :]  # the directions that the states do not see, orthonormal
    w = silent.T @ silent[:, p]
    return w / w[p]


def _is_unseen(w, M, p):
    return bool(np.abs(M @ w).max() < 1e-8 * np.abs(w).max())


def _moves_the_target(w, M, p):
    return bool(abs(w[p] - 1) < 1e-8)


EXERCISES = [
    Exercise(
        "selectivity.1",
        solution=(0.1192, 0.8808),
        rtol=1e-3,
        wrong={
            "The gates are swapped: a long step forgets. It is the slip in the thesis, too.": (0.8808, 0.1192),
            "This is the input weight of the released code, Δ itself; asked was the exact one.": (0.1192, 2.1269),
            "For the zero-order hold Δ is the softplus of z, ln(1 + e^z), not e^z.": (0.0006, 0.9994),
        },
        hints=[
            "Δ = ln(1 + e²). The weight of the old state is e^(−Δ).",
            "e^(−Δ) = 1/(1 + e²) = 1 − σ(2), and the two weights add up to 1.",
        ],
    ),
    Exercise(
        "selectivity.2",
        solution=0.875,
        rtol=1e-3,
        wrong={
            "This is the share of the variance that is explained; the error is the rest.": 0.125,
            "The best weight is not 1 for every place: that sums all values, and their variances.": 7.0,
            "The weights that fit one place are right once in eight times, and then exactly.": 1.75,
        },
        hints=[
            "With the flag at p, the error is |β − e_p|². Average over p; the best β is the mean of the e_p.",
            "β = (1/8, …, 1/8) leaves (7/8)² + 7/64.",
        ],
    ),
    Exercise(
        "selectivity.3",
        solution=0.3111,
        rtol=1e-3,
        wrong={
            "This is the limit for long sequences.": 0.3333,
            "One fixed weight ½ for all places takes the mean of the two tokens.": 0.5,
            "Once for each of the two tokens; asked was the error of one.": 0.6222,
        },
        hints=[
            "Put L = 16 into the formula (L − 2)/(3(L − 1)).",
            "14/45.",
        ],
    ),
    Exercise(
        "selectivity.4",
        solution=1.1931,
        rtol=1e-3,
        wrong={
            "With the exact weight they add up to 1; the released code takes Δ.": 1.0,
            "This is Δ alone.": 0.6931,
            "This is what is too much.": 0.1931,
        },
        hints=["At z = 0 the step is Δ = ln 2, and the old state keeps e^(−Δ).", "½ + ln 2."],
    ),
    Exercise(
        "selectivity.5",
        solution=_slot_gates,
        inputs=_flags_and_slots,
        wrong={
            "The gate stays open until the next data token: noise gets in.": lambda flag, M: _slot_gates(
                flag, M, everywhere=True
            ),
            "Off by one: at the first data token the count is already 1.": lambda flag, M: _slot_gates(
                flag, M, first=0
            ),
        },
        hints=[
            "`np.cumsum(flag)` counts the data tokens so far, the present one included.",
            "Slot i, counted from 0, opens where flag is set and the count is i + 1. Compare (L, 1) with (M,).",
        ],
    ),
    Exercise(
        "selectivity.6",
        solution=_attack,
        inputs=_map_and_place,
        laws={
            "the states do not see w: M @ w is zero": _is_unseen,
            "the target moves by one: w[p] is 1": _moves_the_target,
        },
        wrong={
            "The states see a change of one value alone.": lambda M, p: np.eye(M.shape[1])[p],
            "M w = 0, but the value at p does not change by 1.": lambda M, p: 2 * _attack(M, p),
        },
        hints=[
            "`np.linalg.svd(M)[2]` has orthonormal rows; those after the first N span what M does not see.",
            "Project e_p onto that space: w = R.T @ R[:, p]. Then divide by w[p].",
        ],
    ),
]
