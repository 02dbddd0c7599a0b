"""Exercises of chapter 18, "Cost"."""

import sympy as sp

from ssm_teach.exercises import Exercise

L, w = sp.symbols("L w", positive=True)


def _sizes(rng):
    return int(rng.integers(1, 5000)), int(rng.integers(1, 512)), int(rng.integers(1, 129)), int(rng.integers(1, 4))


def _decode(L, d, N, E, *, number=4, cached=2, of_attention=4, projections=8):
    return number * E * d * N, 2 * cached * L * d, of_attention * L * d + projections * d**2


EXERCISES = [
    Exercise(
        "cost.1",
        solution=126,
        wrong={
            "At 125 the direct sum is still ahead, by a hair.": 125,
            "That is with the kernel's transform given away.": 80,
            "Count in real operations: the FFT has 15 L log₂ 2L of them, not L log₂ L.": 2,
        },
        hints=["Both sides can be computed for every L below 1000.", "The root of the difference is near 125.6."],
    ),
    Exercise(
        "cost.2",
        solution=2048,
        wrong={
            "That is the width. There are four projections, of 2d² operations a token each.": 1024,
            "That would be with causal scores only.": 4096,
            "That includes the feed-forward network.": 6144,
        },
        hints=["Four projections: 8 L d². Two products with L rows: 4 L² d.", "L = 2d."],
    ),
    Exercise(
        "cost.3",
        solution=1.0,
        wrong={
            "It is the next smaller number, 1 − 2⁻⁸, but 1 is nearer.": 1 - 2.0**-8,
            "bfloat16 has 8 significant bits; no such number is among them.": 0.999,
        },
        hints=[
            "Just below 1 the numbers of bfloat16 are 2⁻⁸ apart.",
            "Ask PyTorch: torch.tensor(0.999, dtype=torch.bfloat16).item()",
        ],
    ),
    Exercise(
        "cost.4",
        solution=32,
        wrong={
            "A token of the cache is a key and a value.": 64,
            "The state belongs to E·d channels, not to d.": 16,
            "float32 has four bytes, bfloat16 two.": 8,
        },
        hints=["State: E·d·N numbers of 4 bytes.", "A token: 2·d numbers of 2 bytes. The width cancels."],
    ),
    Exercise(
        "cost.5",
        solution=sp.sqrt(L / w),
        wrong={
            "The wrong way round: dear fast memory makes shorter stretches.": sp.sqrt(L * w),
            "That is for w = 1.": sp.sqrt(L),
            "The square root is missing.": L / w,
        },
        hints=["Differentiate with respect to T.", "−L/T² + w = 0."],
    ),
    Exercise(
        "cost.6",
        solution=_decode,
        inputs=_sizes,
        wrong={
            "The state is in float32: four bytes a number.": lambda *sizes: _decode(*sizes, number=2),
            "Keys and values, both in two bytes a number.": lambda *sizes: _decode(*sizes, cached=1),
            "A multiplication and its addition are two operations.": lambda *sizes: _decode(
                *sizes, of_attention=2, projections=4
            ),
            "The four projections are missing.": lambda *sizes: _decode(*sizes, projections=0),
        },
        hints=[
            "State: 4 bytes for each of E·d·N numbers. Cache: L keys and L values of d numbers.",
            "Scores 2Ld, weighted sum 2Ld, and four products with a d × d matrix.",
        ],
    ),
]
