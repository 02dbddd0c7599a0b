"""Exercises of chapter 16, "Duality"."""

import math

import sympy as sp
import torch

from ssm_teach.exercises import Exercise

N, p = sp.symbols("N p", positive=True)


def _decays(rng):
    """Float32 decays with a few exact zeros, mostly so many that a product of them underflows."""
    L = int(rng.integers(5, 12)) if rng.random() < 0.3 else int(rng.integers(150, 260))
    a = torch.from_numpy(rng.uniform(0.05, 0.95, L)).float()
    a[rng.integers(1, L, 2)] = 0.0
    return (a,)


def _mask(a):
    """Products of decays, entry by entry, in double precision."""
    L = len(a)
    mask = torch.eye(L, dtype=torch.float64)
    for i in range(1, L):
        mask[i, :i] = a[i].double() * mask[i - 1, :i]
    return mask.to(a.dtype)


def _ratios(a):
    P = a.cumprod(0)
    return (P[:, None] / P[None, :]).tril().nan_to_num(0.0)


def _subtracted(a):
    S = a.log().cumsum(0)
    above = torch.ones(len(a), len(a), dtype=torch.bool).triu(1)
    return (S[:, None] - S[None, :]).nan_to_num(0.0).masked_fill(above, -torch.inf).exp()


def _one_decay_too_many(a):
    """Γ with a_j included: what is written at step j would fade at once."""
    return _mask(a) * a[None, :]


def _chunk(rng):
    Q, N, p = (int(n) for n in rng.integers(1, 8, 3))
    draw = lambda *shape: torch.from_numpy(rng.standard_normal(shape))  # noqa: E731
    return draw(p, N), draw(Q, p), -draw(Q).abs(), draw(Q, N), draw(Q, N)


def _one_chunk(x, v, log_a, B, C, *, reads_before_fading=False, notes_fade=True, card_fades=True, own=True):
    outputs = []
    start = x
    for v_i, a_i, B_i, C_i in zip(v, log_a.exp(), B, C, strict=True):
        written = v_i[:, None] * B_i
        faded = a_i * x if notes_fade else x
        read = (x if reads_before_fading else faded) + (written if own else 0)
        outputs.append(read @ C_i)
        x = faded + written
    if not card_fades:
        x = x + (1 - log_a.sum().exp()) * start
    return torch.stack(outputs), x


EXERCISES = [
    Exercise(
        "duality.1",
        solution=0.04,
        rtol=1e-6,
        wrong={
            "A note is written after the decay of its own step: a_1 does not touch it.": 0.02,
            "The decay of the step that reads counts: first fade, then read.": 0.08,
            "Decays multiply; they do not add.": 1.4,
        },
        hints=[
            "Step through the recurrence with a single note: x_1 = 1, then x_2 = a_2 x_1, …",
            "Γ_ij = a_i ⋯ a_{j+1}, here with i = 4 and j = 1.",
        ],
    ),
    Exercise(
        "duality.2",
        solution=(3, 2, 4),
        wrong={
            "A block with two rows cannot have rank three.": (3, 3, 4),
            "The last block reaches above the diagonal, where T is zero and no state explains it.": (3, 2, 3),
            "All of the first block goes through three states.": (5, 2, 5),
        },
        hints=[
            "The rank is at most the number of rows, of columns, and, strictly below the diagonal, of states.",
            "The last block: columns 0 to 5 lie on or below the diagonal, and go through the state. And column 6?",
        ],
    ),
    Exercise(
        "duality.3",
        solution=_mask,
        inputs=_decays,
        rtol=1e-4,
        wrong={
            "Where the quotient was 0/0 there are zeros now, but after a reset the mask starts anew, from 1.": _ratios,
            "Where −∞ was subtracted from −∞ there are ones now, but decays are between 0 and 1.": _subtracted,
            "Between j and i there are the decays a_{j+1} to a_i; a_j is not among them.": _one_decay_too_many,
        },
        hints=[
            "Where does the NaN come from: from the logarithm of zero, or from subtracting two of them?",
            "For every j, sum log a over the steps after j: a column of log a below the diagonal, summed downwards.",
        ],
    ),
    Exercise(
        "duality.4",
        solution=_one_chunk,
        inputs=_chunk,
        wrong={
            "The old state is read one step too fresh: it fades before it is read.": (
                lambda *inputs: _one_chunk(*inputs, reads_before_fading=True)
            ),
            "Values fade until the end of the chunk, each by the time that is left.": (
                lambda *inputs: _one_chunk(*inputs, notes_fade=False)
            ),
            "The old state fades by the whole chunk.": lambda *inputs: _one_chunk(*inputs, card_fades=False),
            "A step reads its own value, too.": lambda *inputs: _one_chunk(*inputs, own=False),
        },
        hints=[
            "Two parts: masked attention inside of the chunk, and what the old state adds, faded by e^S.",
            "New state: e^{S_Q} x + (e^{S_Q − S} ∘ V)ᵀ B, with S the running sum of log_a and S_Q its last entry.",
        ],
    ),
    Exercise(
        "duality.5",
        solution=sp.sqrt(N * p / (N + p)),
        wrong={
            "That balances the wrong way round.": sp.sqrt((N + p) / (N * p)),
            "The square root is missing.": N * p / (N + p),
            "With the mask's own L·Q multiplications, which were to come for free.": sp.sqrt(N * p / (N + p + 1)),
        },
        hints=["Differentiate with respect to Q; only two of the three terms depend on it.", "(N + p) = p N / Q²."],
    ),
    Exercise(
        "duality.6",
        solution=math.log(math.expm1(math.log(2) / 65536)),
        rtol=2e-3,
        wrong={
            "The sign: to keep, Δ must be small, so the logit is negative.": -math.log(math.expm1(math.log(2) / 65536)),
            "That loses all but 1/e: half is ln 2.": -math.log(65536),
        },
        hints=["Solve (1 + e^z)^{−n} = ½ for e^z.", "For large n, e^z is nearly ln 2 / n."],
    ),
]
