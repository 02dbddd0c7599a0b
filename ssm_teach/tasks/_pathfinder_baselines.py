"""What Pathfinder gives away to somebody who follows no line: how far apart its discs are, and what is near them."""

import warnings
from collections.abc import Callable

import numpy as np
from scipy import ndimage
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from . import Split, Task

__all__ = ["distance_of_discs", "find_discs", "surroundings_of_discs"]

WIDTHS = {32: 3, 64: 5, 128: 7}  # pixels, of a square that a disc fills
REACHES = {32: 6, 64: 9, 128: 15}  # pixels to each side of a disc: about two paddles
CHUNK = 250  # pictures at once, so that those of Path-X take little memory
MOST = 20_000  # training pictures; more do not change these numbers


def distance_of_discs(task: Task) -> dict:
    """The weak baseline: the ends of one snake are a little farther apart than those of two that began together."""
    return _logistic(task, lambda pictures: _distances(find_discs(pictures), len(pictures[0])), "the discs' distance")


def surroundings_of_discs(task: Task) -> dict:
    """The strong baseline sees where the line leaves each disc, with the other disc always in the same direction."""
    return _logistic(task, _surroundings, "the discs' distance and surroundings, turned so that the discs are in line")


def find_discs(pictures: np.ndarray) -> np.ndarray:
    """The middles (y, x) of the discs, (n, 2, 2), in pictures (n, size, size): where most white is close together."""
    size = pictures.shape[1]
    width = WIDTHS[size]
    white = ndimage.uniform_filter(pictures.astype(np.float32), (0, width, width), mode="constant")
    rows, columns = np.mgrid[:size, :size]
    discs = np.empty((len(pictures), 2, 2), int)
    for k in range(2):
        y, x = np.divmod(white.reshape(len(white), -1).argmax(1), size)
        discs[:, k, 0], discs[:, k, 1] = y, x
        near = (abs(rows - y[:, None, None]) < width) & (abs(columns - x[:, None, None]) < width)
        white[near] = 0
    return discs


def _distances(discs: np.ndarray, size: int) -> np.ndarray:
    distance = np.hypot(*(discs[:, 0] - discs[:, 1]).T) / size
    return np.stack([distance, distance**2], 1)


def _surroundings(pictures: np.ndarray) -> np.ndarray:
    size = len(pictures[0])
    discs = find_discs(pictures)
    steps = np.arange(-REACHES[size], REACHES[size] + 1)
    patches = []
    for picture, (first, second) in zip(pictures, discs.astype(float), strict=True):
        towards = (second - first) / np.hypot(*(second - first))
        across = np.array([-towards[1], towards[0]])
        grid = towards[:, None, None] * steps[:, None] + across[:, None, None] * steps
        around = [disc[:, None, None] + sign * grid for disc, sign in ((first, 1), (second, -1))]
        patches.append(ndimage.map_coordinates(picture / np.float32(255), np.concatenate(around, 1), order=1).ravel())
    return np.hstack([patches, _distances(discs, size)]).astype(np.float32)


def _logistic(task: Task, features: Callable, what: str) -> dict:
    """Logistic regression on features of the same splits; its penalty is chosen on the validation split."""
    (x, y), (x_validation, y_validation), (x_test, y_test) = (
        (_in_chunks(split, features), split.targets[:MOST].numpy())
        for split in (task.train, task.validation, task.test)
    )
    with warnings.catch_warnings():
        # Stopped early it is a slightly different linear classifier, and measured like any other.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fits = [(C, LogisticRegression(C=C, max_iter=200).fit(x, y)) for C in (1e-3, 1e-1, 1e1)]
    C, best = max(fits, key=lambda fit: fit[1].score(x_validation, y_validation))
    return {
        "kind": f"logistic regression on {what} (C = {C:g} chosen on the validation split; at most 200 iterations)",
        "accuracy": float(best.score(x_test, y_test)),
        "train_examples": len(y),
    }


def _in_chunks(split: Split, features: Callable) -> np.ndarray:
    size = round(split.raw.shape[1] ** 0.5)
    raw = split.raw[:MOST].numpy()
    return np.concatenate([features(raw[k : k + CHUNK].reshape(-1, size, size)) for k in range(0, len(raw), CHUNK)])
