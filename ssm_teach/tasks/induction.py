"""Induction heads: a trigger appears once among random symbols, and again at the end: what followed it the first time?

    input     7 2 ! 5 9 3 7 !        ! the trigger
    target    · · · · · · · 5        · not scored

A model that has learnt the rule, and not a distance, answers on sequences longer than any it was trained on.

Source: A. Gu and T. Dao 2023, "Mamba", section 4.1.2: vocabulary 16, trained at length 256, tested up to 2²⁰.
"""

import numpy as np

from ssm_teach.errors import require

from . import NOT_SCORED, Task
from ._tokens import MARKER, any_symbol, most_frequent_symbol, require_memory, require_whole, split

__all__ = ["generate", "load"]

HELD_OUT = 1024  # sequences for validation, and as many for each test
SYMBOLS = 1 << 24  # of one test at most: a test at length 2^20 has 16 sequences


def load(length: int = 128, longest: int = 1024, vocab: int = 16, examples: int = 64_000) -> Task:
    """Induction heads as a task, trained and tested at ``length``, and tested at its doubles too.

    Args:
        length: Positions of a training sequence, the last trigger included.
        longest: Further tests are at 2, 4, 8, … times ``length``, up to this; the source goes to 2²⁰.
        vocab: Symbols. Symbol 1 is the trigger and 0 is not used.
        examples: Training sequences, drawn once. The model sees each of them once an epoch.
    """
    low = {"length": 3, "longest": 3, "vocab": 3, "examples": 1}
    require_whole("induction", low, length=length, longest=longest, vocab=vocab, examples=examples)
    require(longest <= 1 << 20, f"tasks.load: longest of induction must be at most 2^20 = {1 << 20}; got {longest}")
    require(vocab <= 256, f"tasks.load: vocab of induction must be at most 256; got {vocab}")
    require_memory("induction", examples, 3 * length)
    splits = [split(*generate(n, seed, length, vocab)) for seed, n in enumerate((examples, HELD_OUT, HELD_OUT))]
    doubles = [length << k for k in range(1, 30) if length << k <= longest]
    return Task(
        "induction",
        {"length": length, "longest": longest, "vocab": vocab, "examples": examples},
        *splits,
        length=length,
        n_classes=vocab,
        full_epochs=1,
        measure_weak=any_symbol,
        measure_strong=most_frequent_symbol,
        vocab=vocab,
        limited=length < 256,
        more_tests={f"length {L}": split(*generate(min(HELD_OUT, SYMBOLS // L), 2, L, vocab)) for L in doubles},
    )


def generate(n: int, seed: int, length: int = 128, vocab: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """n sequences of symbols and their targets, (n, length) each, uint8 and int16.

    The first trigger is at a uniform place from 0 to length − 3; the symbols are uniform and independent.

    >>> symbols, targets = generate(1, seed=0, length=8)
    >>> symbols, targets[:, -1]
    (array([[14,  7,  2,  1, 13,  5,  9,  1]], dtype=uint8), array([13], dtype=int16))
    """
    rng = np.random.RandomState(seed)  # its streams are frozen for ever, default_rng's are not
    raw = rng.randint(MARKER + 1, vocab, size=(n, length)).astype(np.uint8)
    place = rng.randint(0, length - 2, size=n)
    raw[np.arange(n), place] = MARKER
    raw[:, -1] = MARKER
    targets = np.full((n, length), NOT_SCORED, np.int16)
    targets[:, -1] = raw[np.arange(n), place + 1]
    return raw, targets
