"""Selective copying: data symbols are scattered among noise, and must be said again in their order.

    input     n n 5 n 9 n n 3 n | ? ? ?        n noise, ? the marker that asks for an answer
    target    · · · · · · · · · | 5 9 3        · not scored

Where the data stand differs from sequence to sequence, so what to keep must be decided by looking at it: delays that
are the same for every sequence, which are all that a convolution has, do not help.

Source: A. Gu and T. Dao 2023, "Mamba", section 4.1.1, with 16 data symbols among 4096 positions. The small setting here
has 8 among 256.
"""

import numpy as np

from ssm_teach.errors import require

from . import NOT_SCORED, Task
from ._tokens import MARKER, NOISE, any_symbol, most_frequent_symbol, require_memory, require_whole, split

__all__ = ["generate", "load"]

HELD_OUT = 1024  # sequences for validation, and as many for the test


def load(length: int = 256, tokens: int = 8, vocab: int = 16, examples: int = 64_000) -> Task:
    """Selective copying as a task: ``tokens`` data symbols among ``length`` positions, then ``tokens`` markers.

    Args:
        length: Positions before the answer; a sequence has length + tokens.
        tokens: Data symbols to remember.
        vocab: Symbols, of which noise and the marker are two.
        examples: Training sequences, drawn once. The model sees each of them once an epoch.
    """
    low = {"length": 1, "tokens": 1, "vocab": 3, "examples": 1}
    require_whole("selective_copying", low, length=length, tokens=tokens, vocab=vocab, examples=examples)
    require(tokens <= length, f"tasks.load: tokens must fit into length = {length}; got {tokens}")
    require(vocab <= 256, f"tasks.load: vocab of selective_copying must be at most 256; got {vocab}")
    require_memory("selective_copying", examples, 3 * (length + tokens))
    sizes = {"length": length, "tokens": tokens, "vocab": vocab}
    # One seed a split, so that a larger training set leaves validation and test as they were.
    splits = [split(*generate(n, seed, **sizes)) for seed, n in enumerate((examples, HELD_OUT, HELD_OUT))]
    return Task(
        "selective_copying",
        {**sizes, "examples": examples},
        *splits,
        length=length + tokens,
        n_classes=vocab,
        full_epochs=1,
        measure_weak=any_symbol,
        measure_strong=most_frequent_symbol,
        vocab=vocab,
        limited=length < 4096 or tokens < 16,
    )


def generate(n: int, seed: int, length: int = 256, tokens: int = 8, vocab: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """n sequences of symbols and their targets, (n, length + tokens) each, uint8 and int16.

    The positions of the data are uniform among all choices, the symbols uniform and independent, so they may repeat.

    >>> symbols, targets = generate(1, seed=0, length=8, tokens=3)
    >>> symbols
    array([[ 0,  0, 14,  0,  7,  0,  0,  2,  1,  1,  1]], dtype=uint8)
    >>> targets[:, 8:]
    array([[14,  7,  2]], dtype=int16)
    """
    # RandomState's streams are frozen for ever, default_rng's are not: the examples must not depend on NumPy's version.
    rng = np.random.RandomState(seed)
    raw = np.full((n, length + tokens), NOISE, np.uint8)
    targets = np.full((n, length + tokens), NOT_SCORED, np.int16)
    data = rng.randint(MARKER + 1, vocab, size=(n, tokens))
    # The first `tokens` places of a random order, sorted: every choice of places is equally likely.
    # A thousand sequences at a time: the stream is the same, and a full-size task stays within the memory of a laptop.
    numbers = (rng.rand(min(1000, n - start), length) for start in range(0, n, 1000))
    places = [np.sort(block.argpartition(tokens - 1, axis=1)[:, :tokens], axis=1) for block in numbers]
    places = np.concatenate(places)
    np.put_along_axis(raw, places, data.astype(np.uint8), axis=1)
    raw[:, length:] = MARKER
    targets[:, length:] = data
    return raw, targets
