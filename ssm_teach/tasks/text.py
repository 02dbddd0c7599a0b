"""Film reviews, byte by byte: is a review for or against the film? The text task of Long Range Arena.

The reviews are those of IMDB, 25,000 to train on and 25,000 to be tested on, half for and half against, and no film is
in both. Nine out of ten are shorter than 2,600 bytes and 97% fit into the 4,096 of the arena; what is longer is cut.

Validation is a tenth of the training reviews. Most papers had no validation split: they chose their settings, and the
epoch to report, by the accuracy on the test reviews themselves and reported that same number, which is too high by
what the choice gained. That is not offered here, so compare with a reported accuracy only with this in mind. The data
set has a small leak of its own: 123 of the test reviews are among the training reviews word for word.

The literature's symbols are the characters that occur at least 15 times; here they are bytes, all of them.

Source: A. Maas et al. 2011, "Learning word vectors for sentiment analysis"; Y. Tay et al. 2021, "Long Range Arena".
"""

import re

import numpy as np
import torch
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from ssm_teach import data

from . import Split, Task
from ._documents import VOCAB, Documents, require_size

__all__ = ["load"]

LENGTH = 4096
PRAISE = ["excellent", "great", "wonderful", "perfect", "best", "love", "loved", "beautiful", "amazing", "brilliant"]
BLAME = ["bad", "worst", "awful", "boring", "terrible", "waste", "poor", "stupid", "horrible", "worse"]


def load(length: int = LENGTH, limit: int | None = None) -> Task:
    """IMDB as a task. The data set must be in the cache: ``ssm-teach data get imdb``.

    Args:
        length: Bytes read of each review, 4096 in Long Range Arena. A shorter one makes a smaller task.
        limit: Train on this many reviews only, for small budgets. Validation and test stay whole.
    """
    require_size("text", "length", length, 1, 1 << 20, "")
    arrays = data.load("imdb")
    documents = {part: Documents(arrays[f"{part}_text"], arrays[f"{part}_ends"], length) for part in ("train", "test")}
    labels = {part: torch.from_numpy(arrays[f"{part}_labels"]) for part in documents}
    n = len(labels["train"])
    order = torch.from_numpy(np.random.RandomState(0).permutation(n))  # its streams are frozen for ever
    validation, train = order[: n // 10], order[n // 10 :]
    if limit is not None:
        require_size("text", "limit", limit, 10, len(train), ", the training reviews")
    cuts = (("train", train[:limit]), ("train", validation), ("test", torch.arange(len(labels["test"]))))
    return Task(
        "text",
        {"length": length, "limit": limit},
        *(
            Split(numbers, labels[part][numbers], documents[part], documents[part].lengths(numbers))
            for part, numbers in cuts
        ),
        length=length,
        n_classes=2,
        full_epochs=32,
        measure_weak=_praise_against_blame,
        measure_strong=_bag_of_words,
        vocab=VOCAB,
        limited=length < LENGTH or (limit is not None and limit < len(train)),
    )


def _praise_against_blame(task: Task) -> dict:
    """Count ten words of praise and ten of blame; the count's best threshold is found in training."""
    scores, targets = {}, {}
    for part, split in (("train", task.train), ("test", task.test)):
        scores[part] = np.array([_praise(text.lower()) for text in split.encode.strings(split.raw)])
        targets[part] = split.targets.numpy()
    thresholds = np.arange(-3, 4)
    best = max(thresholds, key=lambda t: ((scores["train"] > t) == targets["train"]).mean())
    return {
        "kind": f"ten words of praise and ten of blame: for, if praise leads by more than {best}",
        "accuracy": float(((scores["test"] > best) == targets["test"]).mean()),
        "train_examples": len(task.train),
    }


def _praise(text: bytes) -> int:
    words = re.findall(rb"[a-z]+", text)
    return sum((word in _PRAISE) - (word in _BLAME) for word in words)


_PRAISE, _BLAME = ({word.encode() for word in words} for words in (PRAISE, BLAME))


def _bag_of_words(task: Task) -> dict:
    """Logistic regression on which words a review has; its penalty is chosen on the validation split."""
    texts = [split.encode.strings(split.raw) for split in (task.train, task.validation, task.test)]
    y, y_validation, y_test = (split.targets.numpy() for split in (task.train, task.validation, task.test))
    words = CountVectorizer(binary=True, min_df=min(5, len(y) // 10), token_pattern=r"\w+", decode_error="replace")
    x = words.fit_transform(texts[0])
    x_validation, x_test = map(words.transform, texts[1:])
    fits = []
    for C in (0.003, 0.03, 0.3):
        fit = LogisticRegression(C=C, solver="liblinear").fit(x, y)
        fits.append((fit.score(x_validation, y_validation), C, fit))
    _, C, best = max(fits, key=lambda f: f[:2])
    return {
        "kind": f"bag of {x.shape[1]:,} words, logistic regression (C = {C:g} chosen on the validation split)",
        "accuracy": float(best.score(x_test, y_test)),
        "train_examples": len(y),
    }
