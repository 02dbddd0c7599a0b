"""Associative recall: pairs of a key and a value, then some of the keys again, one by one: which value went with each?

    input     k v K V | · K · · k ·        · anything
    target    · · · · | · V · · v ·        · not scored

To answer, a model must keep all the pairs, whatever they are, and find one of them by its content. How many fit is a
matter of the size of its state, and attention, whose state grows with the sequence, has no such limit.

Source: S. Arora et al. 2023, "Zoology", multi-query associative recall: 8192 symbols, the lower half keys, the upper
half values; gaps between pairs and queries follow a power law; (length, pairs) = (64, 4), (128, 8), (256, 16).
"""

import numpy as np
import torch

from ssm_teach.errors import require

from . import NOT_SCORED, Task
from ._tokens import require_memory, require_whole, split

__all__ = ["generate", "load"]

HELD_OUT = 1024  # sequences for validation, and as many for the test
POWER = 0.01  # a gap x has probability proportional to x^(POWER − 1): short ones are much more frequent


def load(length: int = 64, pairs: int = 4, vocab: int = 8192, examples: int = 64_000) -> Task:
    """Multi-query associative recall as a task.

    Args:
        length: Positions, an even number; the first 2 · pairs hold the keys and their values.
        pairs: Each key is asked for once.
        vocab: Symbols. Symbol 0 is not used, keys are those below vocab / 2, values the others.
        examples: Training sequences, drawn once. The model sees each of them once an epoch.
    """
    low = {"length": 4, "pairs": 1, "vocab": 4, "examples": 1}
    require_whole("associative_recall", low, length=length, pairs=pairs, vocab=vocab, examples=examples)
    require(
        length % 2 == 0 and 4 * pairs <= length,
        f"tasks.load: length of associative_recall must be even and at least 4 · pairs = {4 * pairs}; got {length}",
    )
    require(
        2 * pairs + 2 <= vocab <= 32_767,
        f"tasks.load: vocab of associative_recall must be from {2 * pairs + 2}, for {pairs} different keys, to 32767; "
        f"got {vocab}",
    )
    require_memory("associative_recall", examples, 4 * length)
    sizes = {"length": length, "pairs": pairs, "vocab": vocab}
    splits = [split(*generate(n, seed, **sizes)) for seed, n in enumerate((examples, HELD_OUT, HELD_OUT))]
    return Task(
        "associative_recall",
        {**sizes, "examples": examples},
        *splits,
        length=length,
        n_classes=vocab,
        full_epochs=64,
        measure_weak=_any_value,
        measure_strong=_likely_value,
        vocab=vocab,
        limited=vocab < 8192 or (length, pairs) not in ((64, 4), (128, 8), (256, 16)) or examples < 64_000,
    )


def generate(n: int, seed: int, length: int = 64, pairs: int = 4, vocab: int = 8192) -> tuple[np.ndarray, np.ndarray]:
    """n sequences of symbols and their targets, (n, length) int16 each.

    A query stands an even number of positions after the pairs, at a gap drawn without repetition from the power law.
    What is neither pair nor query is a symbol drawn from all, and may be a key; it is not scored.

    >>> symbols, targets = generate(1, seed=0, length=12, pairs=2, vocab=16)
    >>> symbols
    array([[ 5,  8,  6, 11,  5,  6,  6,  5,  8,  7,  9,  9]], dtype=int16)
    >>> targets[0, 4:]
    array([   8, -100,   11, -100, -100, -100, -100, -100], dtype=int16)
    """
    rng = np.random.RandomState(seed)  # its streams are frozen for ever, default_rng's are not
    keys, values = _distinct(rng, n, pairs, vocab // 2), rng.randint(vocab // 2, vocab, size=(n, pairs))
    symbols = rng.randint(1, vocab, size=(n, length)).astype(np.int16)
    symbols[:, 0 : 2 * pairs : 2], symbols[:, 1 : 2 * pairs : 2] = keys, values
    # The greatest of log p + Gumbel noise: the same as drawing one by one, each time among those that are left.
    gaps = np.arange(1, length // 2 - pairs + 1)
    scores = (POWER - 1) * np.log(gaps) + rng.gumbel(size=(n, len(gaps)))
    places = 2 * pairs + 2 * np.argsort(-scores, axis=1, kind="stable")[:, :pairs]
    targets = np.full((n, length), NOT_SCORED, np.int16)
    np.put_along_axis(symbols, places, keys.astype(np.int16), 1)
    np.put_along_axis(targets, places, values.astype(np.int16), 1)
    return symbols, targets


def _distinct(rng, n: int, k: int, below: int) -> np.ndarray:
    """(n, k) numbers from 1 to below − 1, different within a row: a row with a repetition is drawn again."""
    rows = rng.randint(1, below, size=(n, k))
    while True:
        again = (np.diff(np.sort(rows, 1), axis=1) == 0).any(1)
        if not again.any():
            return rows
        rows[again] = rng.randint(1, below, size=(again.sum(), k))


def _any_value(task: Task) -> dict:
    """The weak baseline: any of the values among the pairs. Its accuracy is the expected one, so nothing is drawn."""
    values, targets = _values(task), task.test.targets
    share = (values[:, None] == targets[..., None]).double().mean(-1)
    return {
        "kind": "any value of the pairs, drawn at random",
        "accuracy": float(share[targets != NOT_SCORED].mean()),
        "train_examples": 0,
    }


def _likely_value(task: Task) -> dict:
    """The strong baseline: for the first query, second query, …, the place among the pairs that was most often right.

    It knows the statistics of the places and nothing of the keys.
    """
    pairs = task.options["pairs"]

    def right(part):  # (n, queries, pairs)
        values, targets = part.raw[:, 1 : 2 * pairs : 2], part.targets
        asked = targets[targets != NOT_SCORED].reshape(-1, pairs)
        return (asked[..., None] == values[:, None]).double()

    place = right(task.train).mean(0).argmax(-1)
    return {
        "kind": "for each query in turn, the pair that was most often the right one in training",
        "accuracy": float(right(task.test)[:, torch.arange(pairs), place].mean()),
        "train_examples": len(task.train),
    }


def _values(task: Task) -> torch.Tensor:
    return task.test.raw[:, 1 : 2 * task.options["pairs"] : 2]
