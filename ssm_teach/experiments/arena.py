"""What the tasks of the arena look like, and how far one gets without reading in order: for chapter 20.

Each task is loaded and its chance level and two baselines are measured on its own splits. Beside them stand three
facts about the data: how alike pixels are along the raster, how long the reviews are, and how the 3-mers of a genome
do with the length of the piece. The data sets must be in the cache: ``ssm-teach data get NAME``.
"""

import numpy as np

from ssm_teach import data, tasks
from ssm_teach.tasks import image

__all__ = ["TASKS", "autocorrelation", "describe", "run"]

# Name → its column in the arena's tables or None, what an example is, and the options of the task.
TASKS = {
    "listops": ("ListOps", "ListOps: a nested list, its value", "listops", {"size": "full"}),
    "text": ("Text", "Text: a review's bytes, kind or not", "text", {}),
    "retrieval": (None, "Manual pages: two of them, does one cite the other", "retrieval", {"source": "man-pages"}),
    "image": ("Image", "Image: a grey photograph, one of ten classes", "image", {"dataset": "cifar10"}),
    "pathfinder": ("Pathfinder", "Pathfinder: are two discs on one path", "pathfinder", {"size": 32}),
    "path-x": ("Path-X", "Path-X: the same, 128 × 128", "pathfinder", {"size": 128, "examples": 20_000}),
    "dna": (None, "DNA: a piece of a genome, one of four bacteria", "dna", {"length": 1024}),
    "timeseries": (None, "ACSF1: the power an appliance draws, one of ten kinds", "timeseries", {"dataset": "ACSF1"}),
}


def describe(name: str, options: dict) -> dict:
    """Size, chance level and both baselines of a task, measured now or remembered by the cache."""
    task = tasks.load(name, **options)
    return {
        "length": task.length * task.documents,
        "classes": task.n_classes,
        "train": len(task.train),
        "validation": len(task.validation),
        "test": len(task.test),
        "chance": task.chance,
        "weak": task.weak_baseline(),
        "strong": task.baseline(),
    }


def autocorrelation(sequences: np.ndarray, lags: int) -> list[float]:
    """The mean over sequences (n, L) of the correlation of samples k apart, k = 0 … lags − 1.

    >>> autocorrelation(np.array([[1.0, -1.0, 1.0, -1.0]]), 2)
    [1.0, -1.0]
    """
    x = sequences - sequences.mean()
    length = x.shape[1]
    products = [(x[:, : length - k] * x[:, k:]).mean() for k in range(lags)]
    return [float(product / products[0]) for product in products]


def run(pictures: int = 2000, dna_lengths: tuple[int, ...] = (64, 256, 1024)) -> dict:
    """Everything the chapter reads, as plain numbers.

    Args:
        pictures: Test pictures of CIFAR-10 that the autocorrelation is taken over.
        dna_lengths: Letters of a piece, for the 3-mers.
    """
    grey = image.grey(data.load("cifar10")["test_images"][:pictures])
    ends = [np.diff(data.load("imdb")[f"{part}_ends"], prepend=0) for part in ("train", "test")]
    review_bytes = np.concatenate(ends)
    return {
        "tasks": {
            key: {"arena": column, "what": what, "task": name, "options": options, **describe(name, options)}
            for key, (column, what, name, options) in TASKS.items()
        },
        "image_autocorrelation": {
            "width": grey.shape[2],
            "correlation": autocorrelation(grey.reshape(len(grey), -1).astype(float), 3 * grey.shape[2] + 1),
        },
        "text_lengths": {
            "median": int(np.median(review_bytes)),
            "p90": int(np.quantile(review_bytes, 0.9)),
            "fit_4096": float((review_bytes <= 4096).mean()),
            "reviews": len(review_bytes),
        },
        "dna": [
            {"length": length, "accuracy": tasks.load("dna", length=length).baseline()["accuracy"]}
            for length in dna_lengths
        ],
    }
