"""Time series: one measured curve (or several at once), one class. Small, real, and not made for sequence models.

Files are in the ``.ts`` format of the time series classification archive: lines ``@name value``, then ``@data``, then
one example a line, its channels separated by ``:``, their values by ``,``, the class last. Such files, NAME_TRAIN.ts
and NAME_TEST.ts, can be given by their folder; some come with a package: ``ssm-teach data get timeseries``.

Source: A. Bagnall et al. 2018, "The UEA multivariate time series classification archive"; H. A. Dau et al. 2019, "The
UCR time series archive", whose own baseline is the nearest neighbour.
"""

import math
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ssm_teach import data
from ssm_teach.errors import UserError, choose, require

from . import Split, Task

__all__ = ["DATASETS", "load", "read_ts"]

DATASETS = ("ACSF1", "ArrowHead", "BasicMotions", "GunPoint", "ItalyPowerDemand", "JapaneseVowels", "OSULeaf")


def load(dataset: str = "ACSF1", folder: str | None = None) -> Task:
    """A set of time series as a task. A fifth of its training file, by a seeded shuffle, is for validation.

    Args:
        dataset: One of `DATASETS`, or with ``folder`` any name.
        folder: Where NAME_TRAIN.ts and NAME_TEST.ts lie; None for the cache.
    """
    if folder is None:
        choose("tasks.load", "dataset", dataset, DATASETS)
        where = data.folder("timeseries") / dataset
    else:
        where = Path(str(folder))  # from a command line a name of digits arrives as a number
    parts = []
    for part in ("TRAIN", "TEST"):
        path = where / f"{dataset}_{part}.ts"
        require(path.is_file(), f"tasks.load: timeseries needs the file {path}, which does not exist")
        parts.append(read_ts(path))
    (series, classes, names), (test_series, test_classes, test_names) = parts
    require(names == test_names, f"tasks.load: the two files of {dataset} name different classes")
    channels = {one.shape[1] for one in (*series, *test_series)}
    require(len(channels) == 1, f"tasks.load: the two files of {dataset} have different numbers of channels")
    require(len(series) >= 5, f"tasks.load: {dataset} has {len(series)} training series; at least 5 are needed")
    order = np.random.RandomState(0).permutation(len(series))
    validation, train = np.split(order, [len(order) // 5])
    length = max(map(len, (*series, *test_series)))
    together = np.concatenate([series[i] for i in train])
    scale = together.mean(0), together.std(0) + 1e-6
    splits = [_split([series[i] for i in rows], classes[rows], length, scale) for rows in (train, validation)]
    return Task(
        "timeseries",
        {"dataset": dataset, "folder": folder},
        *splits,
        _split(test_series, test_classes, length, scale),
        length=length,
        n_classes=len(names),
        full_epochs=100,
        measure_weak=_mean_and_spread,
        measure_strong=_best_of_three,
        d_input=channels.pop(),
    )


def read_ts(path: Path) -> tuple[list[np.ndarray], np.ndarray, list[str]]:
    """Read a file of time series with classes.

    Returns: the series, (length, channels) float32 each; their classes (n,) as whole numbers; the classes' names.
    Raises: UserError: with the number of the line that is wrong.
    """
    header, series, classes = {}, [], []
    with open(path, encoding="utf-8", errors="replace") as lines:
        numbered = ((number, line.strip()) for number, line in enumerate(lines, 1))
        numbered = ((number, line) for number, line in numbered if line and not line.startswith("#"))
        for number, line in numbered:
            require(line.startswith("@"), f"{path}: line {number} comes before @data and does not begin with @")
            key, *values = line[1:].split()
            if key.lower() == "data":
                break
            header[key.lower()] = values
        names = _class_names(header, path)
        for number, line in numbered:
            one, name = _example(line, f"{path}: line {number}")
            require(
                name in names, f"{path}: line {number} has the class {name[:40]!r}, which @classLabel does not name"
            )
            channels = (series or [one])[0].shape[1]
            require(
                one.shape[1] == channels,
                f"{path}: line {number} has {one.shape[1]} channels, the first example {channels}",
            )
            series.append(one)
            classes.append(names.index(name))
    require(bool(series), f"{path}: there is no example after @data")
    return series, np.array(classes), names


def _class_names(header: dict[str, list[str]], path: Path) -> list[str]:
    require(header.get("timestamps") != ["true"], f"{path}: has time stamps, which this reader does not know")
    label = header.get("classlabel", [])
    require(
        len(label) > 2 and label[0].lower() == "true",
        f"{path}: has no line '@classLabel true NAME NAME …' before @data, so it is not for classification",
    )
    return label[1:]


def _example(line: str, where: str) -> tuple[np.ndarray, str]:
    """``1,2,3:4,5,6:a`` → [[1, 4], [2, 5], [3, 6]] and "a"."""
    *channels, name = line.split(":")
    require(bool(channels), f"{where} must read VALUES:CLASS, with ':' before the class")
    try:
        values = [[float(value) for value in channel.split(",")] for channel in channels]
    except ValueError as error:
        raise UserError(f"{where}: {str(error)[:80]} (a missing value, '?', is not allowed)") from None
    require(all(map(math.isfinite, chain(*values))), f"{where} has a value that is not a finite number")
    lengths = {len(channel) for channel in values}
    require(len(lengths) == 1, f"{where} has channels of different lengths, {sorted(lengths)}")
    return np.array(values, np.float32).T, name


def _split(series: list[np.ndarray], classes: np.ndarray, length: int, scale: tuple) -> Split:
    """Series at the training split's scale, padded with its mean."""
    mean, std = scale
    raw, lengths = np.zeros((len(series), length, len(mean)), np.float32), [len(one) for one in series]
    for row, one in zip(raw, series, strict=True):
        row[: len(one)] = (one - mean) / std
    masked = None if min(lengths) == length else torch.tensor(lengths)
    return Split(torch.from_numpy(raw), torch.from_numpy(classes), encode=lambda raw: raw, lengths=masked)


def _mean_and_spread(task: Task) -> dict:
    """The weak baseline: nothing of the order."""
    return _fitted(task, "softmax on the mean and spread of each channel")


def _best_of_three(task: Task) -> dict:
    """The strong baseline: of three classifiers the one that does best when a fifth of what is no test is left out."""

    def left_out(kind):
        features, new_classifier = CLASSIFIERS[kind]
        x, y = (
            torch.cat([getattr(part, what) for part in (task.train, task.validation)]) for what in ("raw", "targets")
        )
        return cross_val_score(new_classifier(), features(x.numpy()), y.numpy(), cv=5).mean()

    best = _fitted(task, max(CLASSIFIERS, key=left_out))
    return best | {"kind": f"{best['kind']} (of three, chosen by cross-validation)"}


def _fitted(task: Task, kind: str) -> dict:
    features, new_classifier = CLASSIFIERS[kind]
    classifier = new_classifier().fit(features(task.train.raw.numpy()), task.train.targets.numpy())
    accuracy = classifier.score(features(task.test.raw.numpy()), task.test.targets.numpy())
    return {"kind": kind, "accuracy": float(accuracy), "train_examples": len(task.train)}


def _softmax():
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))


def _moments(raw: np.ndarray) -> np.ndarray:
    return np.concatenate([raw.mean(1), raw.std(1)], 1)


def _spectrum(raw: np.ndarray) -> np.ndarray:
    """How much there is of each of the 32 lowest frequencies, on a logarithmic scale: order up to a shift."""
    size = np.abs(np.fft.rfft(raw, axis=1)[:, :33]) / raw.shape[1]
    return np.log(size + 1e-3).reshape(len(raw), -1)


# What it is, in words → features of (n, L, channels), and the classifier on them.
CLASSIFIERS = {
    "softmax on the mean and spread of each channel": (_moments, _softmax),
    "softmax on the 32 lowest frequencies of each channel": (_spectrum, _softmax),
    "nearest neighbour, Euclidean distance": (
        lambda raw: raw.reshape(len(raw), -1),
        lambda: KNeighborsClassifier(1),
    ),
}
