"""Adding: numbers come in one channel; two of them are marked in the other; the answer is their sum.

    numbers   .3 .9 .1 .5 .7 .2
    marks      0  1  0  0  1  0        →   .9 + .7 = 1.6

A small task with a long wait, as old as the LSTM. What counts is the product of number and mark, so the best linear
function of the input explains only 2/length of the variance.

Source: S. Hochreiter and J. Schmidhuber 1997, "Long short-term memory", experiment 4, in the form of Q. Le, N. Jaitly
and G. Hinton 2015: numbers uniform in [0, 1], one mark in each half. Answering 1 has the mean squared error 1/6.
"""

import numpy as np
import torch

from . import Split, Task
from ._real import least_squares, r2
from ._tokens import require_memory, require_whole

__all__ = ["generate", "load"]

HELD_OUT = 1024  # sequences for validation, and as many for the test


def load(length: int = 100, examples: int = 20_000) -> Task:
    """The adding problem as a task with a real target; ``examples`` training sequences of ``length`` positions."""
    require_whole("adding", {"length": 2, "examples": 10}, length=length, examples=examples)
    require_memory("adding", examples, 8 * length)
    splits = [_split(*generate(n, seed, length)) for seed, n in enumerate((examples, HELD_OUT, HELD_OUT))]
    return Task(
        "adding",
        {"length": length, "examples": examples},
        *splits,
        length=length,
        n_classes=None,
        full_epochs=5,
        measure_weak=_linear,
        measure_strong=_one_of_two,
        d_input=2,
        limited=length < 400 or examples < 100_000,
    )


def generate(n: int, seed: int, length: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """n sequences, (n, length, 2) float32: numbers and marks; and the sums, (n,) float32.

    >>> inputs, sums = generate(1, seed=0, length=4)
    >>> inputs[0].T.round(2)
    array([[0.72, 0.6 , 0.54, 0.42],
           [1.  , 0.  , 0.  , 1.  ]], dtype=float32)
    >>> sums
    array([1.1388441], dtype=float32)
    """
    rng = np.random.RandomState(seed)  # its streams are frozen for ever, default_rng's are not
    inputs, rows = np.zeros((n, length, 2), np.float32), np.arange(n)
    first, second = rng.randint(0, length // 2, size=n), rng.randint(length // 2, length, size=n)
    for i in range(0, n, 1000):  # in pieces: the stream is the same, and float64 numbers are twice as large
        inputs[i : i + 1000, :, 0] = rng.random_sample((min(1000, n - i), length))
    inputs[rows, first, 1] = inputs[rows, second, 1] = 1
    return inputs, inputs[rows, first, 0] + inputs[rows, second, 0]


def _split(inputs: np.ndarray, sums: np.ndarray) -> Split:
    return Split(torch.from_numpy(inputs), torch.from_numpy(sums), encode=lambda raw: raw)


def _linear(task: Task) -> dict:
    """The weak baseline: least squares on all numbers and marks, and a constant."""
    n = min(len(task.train), 20_000)
    x, x_test = (
        np.concatenate([raw.flatten(1).numpy(), np.ones((len(raw), 1), np.float32)], 1)
        for raw in (task.train.raw[:n], task.test.raw)
    )
    weights = least_squares(x, task.train.targets[:n].numpy(), penalty=1e-3)
    return {
        "kind": "least squares on all numbers and marks",
        "r2": r2(task, x_test @ weights),
        "train_examples": n,
    }


def _one_of_two(task: Task) -> dict:
    """The strong baseline: the number under the later mark, and the mean of the other: what half a memory gives."""
    numbers, marks = task.test.raw.numpy().transpose(2, 0, 1)
    later = marks.shape[1] - 1 - marks[:, ::-1].argmax(1)
    return {
        "kind": "the number under the later mark, plus one half for the other",
        "r2": r2(task, numbers[np.arange(len(numbers)), later] + 0.5),
        "train_examples": 0,
    }
