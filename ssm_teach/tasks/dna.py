"""DNA: from which of four bacteria does a piece of a genome come?

A letter is a symbol, and a piece is drawn from one strand as it was published. One strain of each species, and the
chromosomes are cut into regions that belong either to training or to validation or to the test: strains of a species
share nearly all of their sequence, and overlapping pieces share all of theirs, so either would give the answers away.
(A few long repeats within a genome remain on both sides.)

How often each three letters follow one another differs so much between species that counting them is nearly enough at
a thousand letters: a model is to be judged by what it adds to that.

Source of the task: E. Nguyen et al. 2023, "HyenaDNA", section 4.4, with five mammals; of the genomes: `ssm_teach.data`.
"""

from functools import cache

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ssm_teach import data
from ssm_teach.errors import require

from . import Split, Task
from ._tokens import require_whole

__all__ = ["LETTERS", "REGION", "load"]

LETTERS = "ACGT"  # what is none of them, such as N for unknown, is symbol 4
REGION = 20_000  # letters; a tenth of the regions is for validation and a tenth for the test
HELD_OUT = 2000  # pieces for validation, and as many for the test


def load(length: int = 256, examples: int = 16_000) -> Task:
    """Four species as a task; its data must be in the cache: ``ssm-teach data get genomes``.

    Args:
        length: Letters of a piece.
        examples: Training pieces, drawn once; every split has equally many of each species.
    """
    require_whole("dna", {"length": 3, "examples": 4}, length=length, examples=examples)
    require(
        length <= REGION // 2,
        f"tasks.load: length of dna must be at most {REGION // 2}, half a region that is held out; got {length}",
    )
    genomes = data.load("genomes")
    regions = _regions(genomes["ends"], genomes["species"], length)
    text = torch.from_numpy(_symbols(genomes["text"]))
    splits = [
        _pieces(text, regions[part], n, length, seed)
        for seed, (part, n) in enumerate((("train", examples), ("validation", HELD_OUT), ("test", HELD_OUT)))
    ]
    return Task(
        "dna",
        {"length": length, "examples": examples},
        *splits,
        length=length,
        n_classes=len(np.unique(genomes["species"])),
        full_epochs=10,
        measure_weak=_letters,
        measure_strong=_triplets,
        vocab=len(LETTERS) + 1,
        limited=length < 1024,
    )


def _symbols(text: np.ndarray) -> np.ndarray:
    code = np.full(256, len(LETTERS), np.uint8)
    code[np.frombuffer(LETTERS.encode(), np.uint8)] = range(len(LETTERS))
    return code[text]


def _regions(ends: np.ndarray, species: np.ndarray, length: int) -> dict[str, np.ndarray]:
    """For each split, rows (start, stop, species) of regions that no other split touches.

    How a chromosome is cut does not depend on ``length``: pieces of two lengths come from the same regions.
    """
    starts = np.concatenate([[0], ends[:-1]])
    rows = [
        (start, min(start + REGION, stop), kind)
        for first, stop, kind in zip(starts, ends, species, strict=True)
        for start in range(first, stop, REGION)
    ]
    rows = np.array(rows)[np.random.RandomState(0).permutation(len(rows))]
    test, validation, train = np.split(rows, [len(rows) // 10, len(rows) // 5])
    parts = {"train": train, "validation": validation, "test": test}
    return {name: part[part[:, 1] - part[:, 0] >= length] for name, part in parts.items()}


def _pieces(text: torch.Tensor, regions: np.ndarray, n: int, length: int, seed: int) -> Split:
    """n pieces at random places; ``raw`` holds where they start, and the genomes are there once."""
    rng = np.random.RandomState(seed)  # its streams are frozen for ever, default_rng's are not
    kinds = np.unique(regions[:, 2])
    places, targets = [], []
    for i in range(n):
        kind = kinds[i % len(kinds)]
        here = regions[regions[:, 2] == kind]
        start, stop, _ = here[rng.randint(len(here))]
        places.append(start + rng.randint(stop - start - length + 1))
        targets.append(kind)
    on = cache(lambda device: (text.to(device), torch.arange(length, device=device)))

    def encode(starts):
        letters, steps = on(starts.device)
        return letters[starts[:, None] + steps].long()

    return Split(torch.tensor(places), torch.tensor(targets, dtype=torch.uint8), encode)


def _letters(task: Task) -> dict:
    """The weak baseline: how often each letter occurs."""
    return _softmax_on_words(task, 1)


def _triplets(task: Task) -> dict:
    """The strong baseline: how often each word of three letters occurs."""
    return _softmax_on_words(task, 3)


def _softmax_on_words(task: Task, k: int) -> dict:
    n = min(len(task.train), 16_000)
    fit = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=200))
    fit.fit(_word_counts(task.train, k, n), task.train.targets[:n].numpy())
    words = "the letters" if k == 1 else f"the words of {k} letters"
    return {
        "kind": f"softmax on how often {words} occur",
        "accuracy": float(fit.score(_word_counts(task.test, k, len(task.test)), task.test.targets.numpy())),
        "train_examples": n,
    }


def _word_counts(split: Split, k: int, n: int) -> np.ndarray:
    """(n, 5^k): how often each word of k symbols occurs in each of the first n pieces."""
    base, counts = len(LETTERS) + 1, []
    for start in range(0, n, 1000):
        symbols = split[torch.arange(start, min(start + 1000, n))][0].numpy()
        words = sum(symbols[:, i : symbols.shape[1] - k + 1 + i] * base**i for i in range(k))
        rows = np.arange(len(words))[:, None] * base**k
        counts.append(np.bincount((words + rows).ravel(), minlength=len(words) * base**k).reshape(len(words), -1))
    return np.concatenate(counts).astype(np.float32)
