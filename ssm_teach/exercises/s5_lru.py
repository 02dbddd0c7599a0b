"""Exercises of chapter 14, "S5 and LRU"."""

import itertools

import numpy as np

from ssm_teach.exercises import Exercise

_COSTS = {"a": "of order log L", "b": "of order NL", "c": "of order dNL"}
_MATCHINGS = {
    "".join(letters): "; ".join(
        f"{what} is {_COSTS[letter]}"
        for what, letter in zip(
            ("work of the scan", "its depth", "work of the products"),
            letters,
            strict=True,
        )
    )
    for letters in itertools.permutations(_COSTS)
}


def _half_spectrum(rng):
    """Complex and real modes in any order, at least one of each."""
    real, pairs = rng.integers(1, 4, 2)
    modes = np.concatenate(
        [rng.uniform(-0.9, 0.9, real) + 0j, rng.uniform(0.3, 0.95, pairs) * np.exp(1j * rng.uniform(0.2, 3, pairs))]
    )
    weights = rng.standard_normal(real + pairs) + 1j * rng.standard_normal(real + pairs) * (modes.imag > 0)
    order = rng.permutation(real + pairs)
    return modes[order], weights[order], int(rng.integers(2, 30))


def _kernel_from_half(modes, weights, L, for_real=1, for_pairs=2):
    counts = np.where(modes.imag > 0, for_pairs, for_real)
    return (modes ** np.arange(L)[:, None] @ (counts * weights)).real


def _multipliers_and_inputs(rng):
    """Lengths that are no powers of two, too, and more than the two positions at which any order would do."""
    L, N = rng.integers(5, 40), rng.integers(1, 5)
    return rng.uniform(-1, 1, (L, N)), rng.standard_normal((L, N))


def _scan(a, b):
    x = [b[0]]
    for k in range(1, len(b)):
        x.append(a[k] * x[-1] + b[k])
    return np.stack(x)


def _scan_with_stale_multipliers(a, b):
    distance = 1
    while distance < len(b):
        b = b + a * np.concatenate([np.zeros_like(b[:distance]), b[:-distance]])
        distance *= 2
    return b


def _scan_one_late(a, b):
    x = [b[0]]
    for k in range(1, len(b)):
        x.append(a[k - 1] * x[-1] + b[k])
    return np.stack(x)


def _ring_task(rng):
    r_min = rng.uniform(0, 0.5)
    return 4000, float(r_min), float(rng.uniform(r_min + 0.3, 1.0)), int(rng.integers(1_000_000))


def _draw_ring(N, r_min, r_max, seed, power=2.0, turn=2 * np.pi):
    rng = np.random.default_rng(seed)
    modulus = rng.uniform(r_min**power, r_max**power, N) ** (1 / power)
    return modulus * np.exp(1j * turn * rng.random(N))


def _is_inside(points, N, r_min, r_max, seed):
    return bool(np.all((np.abs(points) >= r_min - 1e-9) & (np.abs(points) <= r_max + 1e-9)))


def _has_equal_shares(points, N, r_min, r_max, seed):
    """Four rings of equal area: each share within five standard deviations of a quarter."""
    edges = np.sqrt(np.linspace(r_min**2, r_max**2, 5))
    edges[[0, -1]] = 0, 1.1  # the outer and inner edge are another law's business
    shares = np.histogram(np.abs(points), edges)[0] / N
    return bool(np.abs(shares - 0.25).max() < 5 * np.sqrt(0.25 * 0.75 / N))


def _points_everywhere(points, N, r_min, r_max, seed):
    """Eight sectors, each share within five standard deviations of an eighth."""
    shares = np.histogram(np.angle(points), np.linspace(-np.pi, np.pi, 9))[0] / N
    return bool(np.abs(shares - 1 / 8).max() < 5 * np.sqrt(7 / 64 / N))


EXERCISES = [
    Exercise(
        "s5-lru.1",
        solution=float(np.sqrt(1 - 0.99**2)),
        rtol=1e-3,
        wrong={
            "The variance is the sum of the squares, so the modulus enters squared.": 0.1,
            "This is γ². The gain multiplies the input, and the variance scales with its square.": 1 - 0.99**2,
            "This makes the answer to a constant 1, as a leaky average does.": 0.01,
        },
        hints=[
            "Without γ the variance of the state is the sum of |λ|^{2k} over all k.",
            "γ² times this sum must be 1.",
        ],
    ),
    Exercise(
        "s5-lru.2",
        solution="bac",
        options=_MATCHINGS,
        wrong={
            "Depth counts levels of the tree, work counts operations: these two are exchanged.": "abc",
            "The scan works on states alone: no channel enters it.": "cab",
        },
        hints=[
            "How many times is the operator applied, and to how many states each time?",
            "The product with B̄ meets every channel and every state at each of the L positions.",
        ],
    ),
    Exercise(
        "s5-lru.3",
        solution=_kernel_from_half,
        inputs=_half_spectrum,
        wrong={
            "A real mode is its own conjugate; yours counts it twice.": lambda modes, weights, L: _kernel_from_half(
                modes, weights, L, for_real=2
            ),
            "The conjugates are missing: a mode above the axis stands for two.": lambda modes, weights, L: (
                _kernel_from_half(modes, weights, L, for_pairs=1)
            ),
        },
        hints=[
            "A mode above the axis and its conjugate together give twice the real part.",
            "np.where(modes.imag > 0, 2, 1) is the number of modes that each stands for.",
        ],
    ),
    Exercise(
        "s5-lru.4",
        solution=_scan,
        inputs=_multipliers_and_inputs,
        wrong={
            "After the first round the multipliers no longer reach back far enough: compose them, too.": (
                _scan_with_stale_multipliers
            ),
            "x_k is multiplied by a_k, the multiplier of its own step.": _scan_one_late,
            "These are running sums: the multipliers are not used.": lambda a, b: np.cumsum(b, 0),
        },
        hints=[
            "Map (a, b) after map (a', b'), which came earlier, is (a a', a b' + b).",
            "Shift both arrays by the distance, and fill up with the identity, a' = 1 and b' = 0.",
        ],
    ),
    Exercise(
        "s5-lru.5",
        solution=_draw_ring,
        inputs=_ring_task,
        laws={
            "every eigenvalue lies between the two circles": _is_inside,
            "rings of equal area hold equal shares of the eigenvalues": _has_equal_shares,
            "all directions are equally frequent": _points_everywhere,
        },
        wrong={
            "The modulus is uniform, so the points crowd towards the inner circle.": lambda N, r_min, r_max, seed: (
                _draw_ring(N, r_min, r_max, seed, power=1.0)
            ),
            "Only the upper half of the ring is filled.": lambda N, r_min, r_max, seed: _draw_ring(
                N, r_min, r_max, seed, turn=np.pi
            ),
        },
        hints=[
            "What share of the ring's area lies inside the circle of radius r?",
            "r² − r_min², divided by r_max² − r_min²: so |λ|² is uniform.",
        ],
    ),
    Exercise(
        "s5-lru.6",
        solution=10_000.0,
        rtol=1e-3,
        wrong={
            "This is the state itself, 1/(1 − λ).": 100.0,
            "This is the variance for white noise, not the answer to ones.": (1 + 0.99**2) / (1 - 0.99**2) ** 3,
        },
        hints=["The settled state is the sum of all powers of λ.", "Differentiate 1/(1 − λ)."],
    ),
]
