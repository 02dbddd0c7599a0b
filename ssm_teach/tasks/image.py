"""Pictures as sequences, one pixel a step, row by row: digits (L = 64), Fashion-MNIST (784), CIFAR-10 (1024).

Three readings of a pixel: *numerical*, one normalised grey number; *categorical*, its grey level as a symbol, so the
model must learn that 100 and 101 are alike; *rgb*, three normalised numbers (CIFAR-10 alone has colours).

With ``noise``, every row is followed by that many pixels of uniform noise, over which the picture has to be remembered.
(A. Yu, M. W. Mahoney and N. B. Erichson 2025 pad the rows of CIFAR-10 with noise, to tell long memories from short.)

Sources: CIFAR-10 (A. Krizhevsky 2009) and Fashion-MNIST (H. Xiao et al. 2017) by `ssm_teach.data`; digits are those of
scikit-learn (E. Alpaydin and C. Kaynak 1998). Grey CIFAR-10 is the image task of Long Range Arena (Y. Tay et al. 2021).
"""

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from ssm_teach import data
from ssm_teach.errors import choose, require

from . import Split, Task

__all__ = ["DATASETS", "READINGS", "grey", "load"]

READINGS = ("numerical", "categorical", "rgb")


@dataclass(frozen=True)
class _Pictures:
    """What the readings need to know of a data set. Mean and standard deviation are those of its training pixels."""

    top: int  # the brightest value of a pixel
    mean: float  # of the grey pixels, as a share of `top`
    std: float
    full_epochs: int  # after which recipes in the literature stop (digits: where ours is done)
    rgb_mean: tuple[float, ...] = ()
    rgb_std: tuple[float, ...] = ()


DATASETS = {
    "digits": _Pictures(top=16, mean=0.305, std=0.376, full_epochs=20),
    "fashion-mnist": _Pictures(top=255, mean=0.2860, std=0.3530, full_epochs=50),
    "cifar10": _Pictures(
        top=255,
        mean=122.6 / 255,
        std=61 / 255,
        full_epochs=100,
        rgb_mean=(0.4914, 0.4822, 0.4465),
        rgb_std=(0.2470, 0.2435, 0.2616),
    ),
}


def load(dataset: str = "digits", reading: str = "numerical", limit: int | None = None, noise: int = 0) -> Task:
    """Load a data set of pictures as a sequence classification task.

    Args:
        dataset: One of `DATASETS`. All but digits must be in the cache: ``ssm-teach data get NAME``.
        reading: One of `READINGS`.
        limit: Train on this many examples only, for small budgets. Validation and test stay whole.
        noise: Pixels of noise after each row, uniform over the grey levels. They are fixed: an example has the same
            ones in every epoch, in every run, and for every ``limit``.

    The splits never change: digits, 1257 + 180 + 360 by a seeded shuffle (so one writer's digits are in all three);
    the others keep the official test set and give a tenth of the training set, by a seeded shuffle, to validation.
    """
    pictures = DATASETS[choose("tasks.load", "dataset", dataset, DATASETS)]
    choose("tasks.load", "reading", reading, READINGS)
    require(
        reading != "rgb" or bool(pictures.rgb_mean),
        f"tasks.load: {dataset} has no colours, so reading 'rgb' is not possible; choose numerical or categorical",
    )
    whole = isinstance(noise, int) and not isinstance(noise, bool)
    require(whole and noise >= 0, f"tasks.load: noise must be a whole number of pixels, at least 0; got {noise!r}")
    parts = _digits() if dataset == "digits" else _fetched(dataset)
    if noise:
        parts = [
            (_with_noise(images, noise, pictures.top, seed), labels) for seed, (images, labels) in enumerate(parts)
        ]
    train, validation, test = ((_pixels(images, reading), labels) for images, labels in parts)
    n = len(train[1])
    require(
        limit is None or (isinstance(limit, int) and 10 <= limit <= n),
        f"tasks.load: limit must be a whole number from 10 to {n}, the training examples of {dataset}; got {limit!r}",
    )
    encode = _symbols if reading == "categorical" else _normalise(pictures, reading)
    splits = [
        Split(torch.from_numpy(pixels), torch.from_numpy(labels.astype(np.int64)), encode)
        for pixels, labels in ((train[0][:limit], train[1][:limit]), validation, test)
    ]
    return Task(
        "image",
        {"dataset": dataset, "reading": reading, "limit": limit, "noise": noise},
        *splits,
        length=train[0].shape[1],
        n_classes=10,
        full_epochs=pictures.full_epochs,
        measure_baseline=_logistic_regression,
        d_input=None if reading == "categorical" else train[0].shape[2],
        vocab=pictures.top + 1 if reading == "categorical" else None,
        limited=limit is not None and limit < n,
    )


def grey(images: np.ndarray) -> np.ndarray:
    """(n, H, W, 3) or (n, H, W, 1) uint8 → (n, H, W) uint8: luma .299 R + .587 G + .114 B, in 16-bit fixed point.

    The same integers as Pillow's mode "L", which the literature's grey CIFAR-10 went through.

    >>> grey(np.array([[[[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]]]], dtype=np.uint8))
    array([[[ 76, 150,  29,   9]]], dtype=uint8)
    """
    if images.shape[-1] == 1:
        return images[..., 0]
    # A matrix product in int32 is slow in NumPy and the whole array as int32 is large, so one channel at a time.
    weighted = sum(images[..., c].astype(np.uint32) * w for c, w in enumerate((19595, 38470, 7471)))
    return ((weighted + 0x8000) >> 16).astype(np.uint8)


def _digits() -> list[tuple[np.ndarray, np.ndarray]]:
    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8, 1).astype(np.uint8)
    order = _shuffle(len(labels))
    return [(images[part], labels[part]) for part in np.split(order, [1257, 1257 + 180])]


def _fetched(dataset: str) -> list[tuple[np.ndarray, np.ndarray]]:
    arrays = data.load(dataset)
    images, labels = arrays["train_images"], arrays["train_labels"]
    validation, train = np.split(_shuffle(len(labels)), [len(labels) // 10])
    test = (arrays["test_images"], arrays["test_labels"])
    return [(images[train], labels[train]), (images[validation], labels[validation]), test]


def _shuffle(n: int) -> np.ndarray:
    # RandomState's streams are frozen for ever, default_rng's are not: the split must not depend on NumPy's version.
    return np.random.RandomState(0).permutation(n)


def _with_noise(images: np.ndarray, noise: int, top: int, seed: int) -> np.ndarray:
    """(n, H, W, C) → (n, H, W + noise, C), a frozen stream like that of `_shuffle`; in all channels the same noise."""
    n, height, _, channels = images.shape
    drawn = np.random.RandomState(seed).randint(0, top + 1, size=(n, height, noise, 1), dtype=np.uint8)
    return np.concatenate([images, np.repeat(drawn, channels, -1)], 2)


def _pixels(images: np.ndarray, reading: str) -> np.ndarray:
    """(n, H, W, C) → (n, L, channels) uint8, row by row; a grey picture has one channel."""
    n, height, width, channels = images.shape
    if reading == "rgb":
        return images.reshape(n, height * width, channels)
    return grey(images).reshape(n, height * width, 1)


def _symbols(raw: torch.Tensor) -> torch.Tensor:
    return raw[..., 0].long()


def _normalise(pictures: _Pictures, reading: str):
    mean, std = (pictures.rgb_mean, pictures.rgb_std) if reading == "rgb" else (pictures.mean, pictures.std)
    mean, std = torch.as_tensor(mean, dtype=torch.float32), torch.as_tensor(std, dtype=torch.float32)
    return lambda raw: (raw / pictures.top - mean.to(raw.device)) / std.to(raw.device)


def _logistic_regression(task: Task) -> dict:
    """Logistic regression on all pixels at once, on the same splits; its penalty is chosen on the validation split.

    A symbol is read as the number it stands for.
    """
    (x, y), (x_validation, y_validation), (x_test, y_test) = (
        ((split.raw.flatten(1).numpy() / 255).astype(np.float32), split.targets.numpy())
        for split in (task.train, task.validation, task.test)
    )
    mean, std = x.mean(0), x.std(0) + 1e-3  # a pixel that never changes stays 0
    fits = []
    for C in (1e-4, 1e-2, 1.0):
        with warnings.catch_warnings():
            # Stopped early it is a slightly different linear classifier, and measured like any other.
            warnings.simplefilter("ignore", ConvergenceWarning)
            fit = LogisticRegression(C=C, max_iter=100).fit((x - mean) / std, y)
        fits.append((fit.score((x_validation - mean) / std, y_validation), C, fit))
    _, C, best = max(fits, key=lambda f: f[:2])
    return {
        "kind": f"logistic regression on the pixels (C = {C:g} chosen on the validation split; at most 100 iterations)",
        "accuracy": float(best.score((x_test - mean) / std, y_test)),
        "train_examples": len(y),
    }
