"""Exercises of chapter 13, "Parallel scans"."""

import numpy as np

from ssm_teach.exercises import Exercise


def _after_the_up_sweep(rng):
    """Cells of random affine maps with the totals of blocks in place; at least four, or a swapped operand is unseen."""
    n = 4 * 2 ** int(rng.integers(0, 4))
    a, b = rng.uniform(0.5, 1.5, n), rng.standard_normal(n)
    distance = 1
    while distance < n:
        right = np.arange(2 * distance - 1, n, 2 * distance)
        left = right - distance
        a[right], b[right] = a[right] * a[left], a[right] * b[left] + b[right]
        distance *= 2
    return a, b


def _down_sweep(a, b, swapped=False, clear=(1.0, 0.0), copy_first=False):
    a, b = a.copy(), b.copy()
    a[-1], b[-1] = clear
    distance = len(a) // 2
    while distance:
        right = np.arange(2 * distance - 1, len(a), 2 * distance)
        left = right - distance
        parent, total = (a[right], b[right]), (a[left], b[left])
        a[left], b[left] = parent
        earlier, later = (total, parent) if swapped else (parent, parent if copy_first else total)
        a[right], b[right] = later[0] * earlier[0], later[0] * earlier[1] + later[1]
        distance //= 2
    return a, b


def _complex_recurrence(rng):
    """Multipliers, states from x₋₁ = 0, and ∂ℓ/∂x: what a backward pass is given."""
    L = int(rng.integers(3, 40))
    a = rng.uniform(0.5, 1.0, L) * np.exp(1j * rng.uniform(-3, 3, L))
    b, g = rng.standard_normal((2, L)) + 1j * rng.standard_normal((2, L))
    x = [b[0]]
    for k in range(1, L):
        x.append(a[k] * x[-1] + b[k])
    return a, np.array(x), g


def _adjoint(a, x, g, conjugate=np.conj, shift=1, previous=True):
    delta = g.copy()
    for k in range(len(g) - 2, -1, -1):
        delta[k] += conjugate(a[k + shift]) * delta[k + 1]
    return delta * conjugate(np.append(0, x[:-1]) if previous else x), delta


def _maps_and_length(rng):
    n = int(rng.integers(1, 20))
    return rng.uniform(0.1, 1.0, n), rng.standard_normal(n), n + int(rng.integers(1, 12))


def _pad(a, b, m, by=(1.0, 0.0)):
    return tuple(np.append(values, np.full(m - len(values), value)) for values, value in zip((a, b), by, strict=True))


EXERCISES = [
    Exercise(
        "scans.1",
        solution=(0.25, 2.5),
        wrong={
            "This is the other order: what came second was done first.": (0.25, 2.0),
            "The first deposit earns interest in the second year, too.": (0.25, 3.0),
            "The interest factors of two years multiply; they do not add.": (1.0, 2.5),
        },
        hints=[
            "Start with x and do both years: x/2 + 1, then half of that, plus 2.",
            "Sort by x: (¼) x + (½ · 1 + 2).",
        ],
    ),
    Exercise(
        "scans.2",
        solution=(30, 49, 26),
        wrong={
            "With the last step, which makes it inclusive; here it was to be exclusive.": (46, 49, 26),
            "In the step of distance d the first d cells have no partner.": (30, 64, 26),
            "The way up is only half of the two sweeps.": (15, 49, 26),
            "In the odd–even scan the first position of every level is already right.": (30, 49, 30),
        },
        hints=[
            "Two sweeps: a binary tree with 16 leaves has 15 inner nodes. Doubling: 15 + 14 + 12 + 8.",
            "Odd–even: 8 pairs, then a scan of 8, then 7 positions to fill in; and so on with the scan of 8.",
        ],
    ),
    Exercise(
        "scans.3",
        solution=_down_sweep,
        inputs=_after_the_up_sweep,
        wrong={
            "The operands are still swapped: what came before the block is the earlier map.": lambda a, b: _down_sweep(
                a, b, swapped=True
            ),
            "The left child was overwritten before its total was read.": lambda a, b: _down_sweep(
                a, b, copy_first=True
            ),
            "The root must be cleared to the identity, the map that changes nothing.": lambda a, b: _down_sweep(
                a, b, clear=(0.0, 0.0)
            ),
        },
        hints=[
            "Draw four cells with the letters a, b, c, d, and do the down-sweep by hand. Which cell is wrong?",
            "Right child: first the parent, then the left child's total. And (a, b) then (a', b') is (a'a, a'b + b').",
        ],
    ),
    Exercise(
        "scans.4",
        solution=_adjoint,
        inputs=_complex_recurrence,
        wrong={
            "Conjugate: on complex numbers the adjoint of multiplying by a is multiplying by its conjugate.": (
                lambda a, x, g: _adjoint(a, x, g, conjugate=lambda z: z)
            ),
            "Between x_k and x_{k+1} stands the multiplier a_{k+1}, not a_k.": lambda a, x, g: _adjoint(
                a, x, g, shift=0
            ),
            "The multiplier a_k meets the state before it.": lambda a, x, g: _adjoint(a, x, g, previous=False),
        },
        hints=[
            "A change of x_k reaches the loss directly, by g_k, and through x_{k+1} = a_{k+1} x_k + b_{k+1}.",
            "Go backwards: δ_k = g_k + conj(a_{k+1}) δ_{k+1}. Then ∂ℓ/∂a_k = δ_k conj(x_{k−1}), with x_{−1} = 0.",
        ],
    ),
    Exercise(
        "scans.5",
        solution=(64, 127),
        wrong={
            "The last phase is one step, however many offsets there are; and the first total needs no step.": (64, 191),
            "Counted one step too many: a chunk of T elements needs T − 1.": (64, 128),
            "Short chunks have a long loop over their totals.": (8, 519),
        },
        hints=[
            "A chunk of T elements takes T − 1 steps, the totals of C chunks take C − 1, the offsets one.",
            "T + C − 1 with T·C = 4096 is least where T = C.",
        ],
    ),
    Exercise(
        "scans.6",
        solution=_pad,
        inputs=_maps_and_length,
        wrong={
            "A multiplier of 0 wipes the state out.": lambda a, b, m: _pad(a, b, m, by=(0.0, 0.0)),
            "A deposit of 1 in each step of the padding changes the state.": lambda a, b, m: _pad(
                a, b, m, by=(1.0, 1.0)
            ),
            "Padding in front keeps the last state, too, but moves the others.": lambda a, b, m: tuple(
                padded[::-1] for padded in _pad(a[::-1], b[::-1], m)
            ),
        },
        hints=["Which map x ↦ a x + b leaves every x as it is?", "It is the identity of the monoid, (1, 0)."],
    ),
]
