"""Tasks: each yields (input, target, mask), and knows its chance level and what two simple baselines reach.

One file a task, with a function ``load(**options) -> Task``. `load` here finds it by name.

input: (b, L, d_input) real, or (b, L) whole numbers below ``vocab``; with an axis (b, 2, …) for two documents.
target: whole numbers below ``n_classes``, (b,) for an answer to the whole sequence, or (b, L) for one at each position,
with `NOT_SCORED` where no answer is asked for. If ``n_classes`` is None, the target is real instead: (b,) or (b, L).
mask: (b, L) or (b, 2, L), true where the input is data and false where it is padding, or None where nothing is padded.
"""

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from ssm_teach.errors import choose

from ._remember import remembered

__all__ = ["NOT_SCORED", "TASKS", "Split", "Task", "load"]

# Name of the module → what `ssm-teach list` says about it.
TASKS = {
    "image": "Which of ten classes is a picture, read one pixel at a time?",
    "pathfinder": "Are two discs the ends of the same dashed line, in a picture read one pixel at a time?",
    "listops": "What is the value of a nested expression of MIN, MAX, MED and SM over digits?",
    "dna": "From which of four bacteria does a piece of a genome come?",
    "timeseries": "Which class is a measured curve, such as the power that an appliance draws?",
    "text": "Is a film review, read byte by byte, for or against the film?",
    "retrieval": "Does one of two documents, read byte by byte, cite the other?",
    "selective_copying": "Repeat, in order, the few data symbols that were scattered among noise.",
    "induction": "What followed the trigger when it appeared before?",
    "associative_recall": "Which value went with this key, among pairs that were shown before?",
    "delay": "What came in a fixed number of steps ago?",
    "adding": "What is the sum of the two numbers that were marked?",
}

NOT_SCORED = -100  # as in torch's cross entropy


@dataclass(frozen=True)
class Split:
    """Examples of one split. They stay as small as they were stored; `encode` turns a batch into the model's input.

    A tensor over a memory-mapped array will do: a batch reads only its own rows.

    >>> split = Split(torch.arange(6).reshape(3, 2), torch.tensor([0, 1, 0]), encode=lambda raw: raw / 10)
    >>> inputs, targets, mask = split[torch.tensor([2, 0])]
    >>> inputs, targets, mask
    (tensor([[0.4000, 0.5000],
            [0.0000, 0.1000]]), tensor([0, 0]), None)
    >>> replace(split, lengths=torch.tensor([2, 2, 1]))[torch.tensor([2])][2]
    tensor([[ True, False]])
    """

    raw: Tensor  # (n, L, …), or whatever else `encode` makes a batch of
    targets: Tensor  # (n,), or (n, L) with one for each position
    encode: Callable[[Tensor], Tensor]
    lengths: Tensor | None = None  # (n,), or (n, 2) for two documents: what comes after them is padding

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, indices) -> tuple[Tensor, Tensor, Tensor | None]:
        inputs, targets = self.encode(self.raw[indices]), self.targets[indices]
        targets = targets if targets.is_floating_point() else targets.long()
        if self.lengths is None:
            return inputs, targets, None
        lengths = self.lengths[indices]
        places = torch.arange(inputs.shape[lengths.ndim], device=inputs.device)
        return inputs, targets, places < lengths[..., None]

    @cached_property
    def variance(self) -> float | None:
        """Variance of real targets, None of classes. R² is 1 − mean squared error / this: 0 for answering the mean."""
        return float(self.targets.cpu().double().var(correction=0)) if self.targets.is_floating_point() else None

    def batches(self, batch_size: int):
        """Yield (input, target, mask) in order; the last batch may be smaller."""
        for start in range(0, len(self), batch_size):
            yield self[start : start + batch_size]

    def to(self, device: torch.device) -> "Split":
        lengths = None if self.lengths is None else self.lengths.to(device)
        return replace(self, raw=self.raw.to(device), targets=self.targets.to(device), lengths=lengths)


@dataclass(frozen=True)
class Task:
    """A task as the trainer sees it. Exactly one of ``d_input`` and ``vocab`` is set.

    A baseline is a function of the task that returns ``{"kind": in words, task.metric: on the test split, …}``. The
    weak one knows little more than how often each answer occurs; the strong one is a simple model that counts, compares
    or takes averages, as a practitioner would try first. A sequence model is judged by what it adds to that.
    """

    name: str
    options: dict  # what `load` was called with, defaults included: enough to load the same task again
    train: Split
    validation: Split
    test: Split
    length: int
    n_classes: int | None  # None: the target is a real number
    full_epochs: int  # the epochs of a full run; fewer of them, or fewer examples, is a small budget
    measure_weak: Callable[["Task"], dict] = field(repr=False)
    measure_strong: Callable[["Task"], dict] = field(repr=False)
    d_input: int | None = None
    vocab: int | None = None
    documents: int = 1  # 2: an example is two sequences, and the answer is about both
    limited: bool = False  # trains on fewer examples than there are, or shorter ones than the task's source
    more_tests: dict[str, Split] = field(default_factory=dict, repr=False)  # measured once, at the end

    @property
    def every_position(self) -> bool:
        """Whether an answer is asked for at single positions, and not one for the whole sequence."""
        return self.train.targets.ndim == 2

    @property
    def d_output(self) -> int:
        """Numbers in a model's answer: a score for each class, or one real number."""
        return self.n_classes or 1

    @property
    def metric(self) -> str:
        """What is measured, 1 at best: ``"accuracy"`` of classes, ``"r2"`` of real targets (see `Split.variance`)."""
        return "accuracy" if self.n_classes else "r2"

    @property
    def chance(self) -> float:
        """The metric on the test split of one answer to everything: training's most frequent class, or its mean."""
        train, test = self.train.targets, self.test.targets
        if self.metric == "r2":
            return 1 - float((test.double() - train.double().mean()).square().mean()) / self.test.variance
        train, test = (targets[targets != NOT_SCORED] for targets in (train, test))
        return float((test == train.mode().values).double().mean())

    def baseline(self) -> dict:
        """The strong baseline, measured now or remembered: ``{"kind": in words, "accuracy": on the test split, …}``."""
        return remembered(self.measure_strong, self)

    def weak_baseline(self) -> dict:
        """The weak baseline, in the same form."""
        return remembered(self.measure_weak, self)


def load(name: str, **options) -> Task:
    """Load a task by name; an unknown name or option gets one sentence with the nearest fix.

    >>> task = load("image", dataset="digits")
    >>> task.length, task.n_classes, task.d_input, len(task.train), len(task.validation), len(task.test)
    (64, 10, 1, 1257, 180, 360)
    """
    choose("tasks.load", "task", name, TASKS)
    module = importlib.import_module(f"{__name__}.{name}")
    for option in options:
        choose("tasks.load", f"option of task {name!r}", option, inspect.signature(module.load).parameters)
    return module.load(**options)
