"""Delay: say what came in ``delay`` steps ago, at every step. The purest test of a memory.

A shift by D steps is a linear system, so a linear model can do it exactly: D + 1 taps of a convolution do, and all but
the last of them are zero. A small state can not: it has to hold D samples, unless the signal is smooth enough to be
described by fewer numbers. The signal is white noise with nothing above ``band`` cycles in the whole length.

Source: A. Gu, I. Johnson et al. 2022, "How to train your HiPPO", section 4: L = 4000 (one second), 1000 Hz, D = 1000.
The small setting here has the same proportions.
"""

import numpy as np
import torch
from scipy.signal import lfilter

from ssm_teach.errors import require

from . import Split, Task
from ._real import least_squares, r2
from ._tokens import require_memory, require_whole

__all__ = ["generate", "load"]

HELD_OUT = 256  # signals for validation, and as many for the test
AVERAGES = 64  # of the strong baseline


def load(length: int = 400, delay: int = 100, band: int = 100, examples: int = 4000) -> Task:
    """The delay as a task with a real target at every position.

    Args:
        length: Samples of a signal.
        delay: The target at step k is the input at step k − delay, and 0 before there is one.
        band: The highest frequency, in cycles per length (in hertz, if the length lasts a second).
        examples: Training signals, drawn once.
    """
    low = {"length": 4, "delay": 1, "band": 1, "examples": 1}
    require_whole("delay", low, length=length, delay=delay, band=band, examples=examples)
    require(delay < length, f"tasks.load: delay must be less than length = {length}; got {delay}")
    require(
        band <= length // 2,
        f"tasks.load: band must be at most {length // 2}, the highest frequency that {length} samples can show; "
        f"got {band}",
    )
    require_memory("delay", examples, 8 * length)
    sizes = {"length": length, "delay": delay, "band": band}
    splits = [_split(*generate(n, seed, **sizes)) for seed, n in enumerate((examples, HELD_OUT, HELD_OUT))]
    return Task(
        "delay",
        {**sizes, "examples": examples},
        *splits,
        length=length,
        n_classes=None,
        full_epochs=20,
        measure_weak=_current_input,
        measure_strong=_exponential_averages,
        d_input=1,
        limited=length < 4000 or delay < 1000 or examples < 10_000,
    )


def generate(n: int, seed: int, length: int = 400, delay: int = 100, band: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """n signals of mean square 1 (expected) and the same ``delay`` later, (n, length) float32 each.

    Every frequency from 1 to ``band`` has a normal complex amplitude, and no other is there.

    >>> signal, target = generate(1, seed=0, length=6, delay=2, band=2)
    >>> bool((target[:, 2:] == signal[:, :-2]).all())
    True
    >>> target[0, :2]
    array([0., 0.], dtype=float32)
    """
    rng = np.random.RandomState(seed)  # its streams are frozen for ever, default_rng's are not
    signal = np.empty((n, length), np.float32)
    for row in signal:
        spectrum = np.zeros(length // 2 + 1, np.complex128)
        real, imaginary = rng.standard_normal((2, band))
        spectrum[1 : band + 1] = real + 1j * imaginary
        if 2 * band == length:  # the highest frequency is its own mirror image, so its amplitude is real
            spectrum[-1] = np.sqrt(2) * real[-1]
        row[:] = np.fft.irfft(spectrum, length) * length / (2 * np.sqrt(band))
    target = np.zeros_like(signal)
    target[:, delay:] = signal[:, : length - delay]
    return signal, target


def _split(signal: np.ndarray, target: np.ndarray) -> Split:
    return Split(torch.from_numpy(signal), torch.from_numpy(target), encode=lambda raw: raw[..., None])


def _current_input(task: Task) -> dict:
    """The weak baseline: the best multiple of the input that is there now."""
    return _linear(task, lambda signal: signal[..., None], "least squares on the present input")


def _exponential_averages(task: Task) -> dict:
    """The strong baseline: a linear answer from exponential averages of the past, from fast ones to slow ones."""
    rates = np.geomspace(1, 1 / task.length, AVERAGES + 1)[1:]

    def averages(signal):
        past = [lfilter([rate], [1, rate - 1], signal, axis=1) for rate in rates]
        return np.stack([signal, *past], -1)

    return _linear(task, averages, f"least squares on {AVERAGES} exponential averages of the past")


def _linear(task: Task, features, kind: str) -> dict:
    """Least squares on some training signals. The features are many, so they are computed for 32 signals at a time."""
    x, y = (part[:32].double().numpy() for part in (task.train.raw, task.train.targets))
    x = features(x)
    weights = least_squares(x.reshape(-1, x.shape[-1]), y.ravel(), penalty=1e-12)
    answers = [features(signals.double().numpy()) @ weights for signals in task.test.raw.split(32)]
    return {"kind": kind, "r2": r2(task, np.concatenate(answers)), "train_examples": len(y)}
