"""Tasks: each yields (input, target, mask), and knows its chance level and what a simple baseline reaches.

One file a task, with a function ``load(**options) -> Task``. `load` here finds it by name.

input: (b, L, d_input) real, or (b, L) whole numbers below ``vocab``.
target: whole numbers below ``n_classes``, (b,) for an answer to the whole sequence, or (b, L) for one at each position,
with `NOT_SCORED` where no answer is asked for.
mask: (b, L), true where the input is data and false where it is padding, or None where nothing is padded.
"""

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ssm_teach.errors import choose

__all__ = ["NOT_SCORED", "TASKS", "Split", "Task", "load"]

# Name of the module → what `ssm-teach list` says about it.
TASKS = {
    "image": "Which of ten classes is a picture, read one pixel at a time?",
    "selective_copying": "Repeat, in order, the few data symbols that were scattered among noise.",
    "induction": "What followed the trigger when it appeared before?",
}

NOT_SCORED = -100  # as in torch's cross entropy


@dataclass(frozen=True)
class Split:
    """Examples of one split. They stay as small as they were stored; `encode` turns a batch into the model's input.

    >>> split = Split(torch.arange(6).reshape(3, 2), torch.tensor([0, 1, 0]), encode=lambda raw: raw / 10)
    >>> inputs, targets, mask = split[torch.tensor([2, 0])]
    >>> inputs, targets, mask
    (tensor([[0.4000, 0.5000],
            [0.0000, 0.1000]]), tensor([0, 0]), None)
    """

    raw: Tensor  # (n, L, …)
    targets: Tensor  # (n,), or (n, L) with one for each position
    encode: Callable[[Tensor], Tensor]
    masks: Tensor | None = None  # (n, L)

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, indices) -> tuple[Tensor, Tensor, Tensor | None]:
        mask = None if self.masks is None else self.masks[indices]
        return self.encode(self.raw[indices]), self.targets[indices].long(), mask

    def batches(self, batch_size: int):
        """Yield (input, target, mask) in order; the last batch may be smaller."""
        for start in range(0, len(self), batch_size):
            yield self[start : start + batch_size]

    def to(self, device: torch.device) -> "Split":
        masks = None if self.masks is None else self.masks.to(device)
        return replace(self, raw=self.raw.to(device), targets=self.targets.to(device), masks=masks)


@dataclass(frozen=True)
class Task:
    """A task as the trainer sees it. Exactly one of ``d_input`` and ``vocab`` is set."""

    name: str
    options: dict  # what `load` was called with, defaults included: enough to load the same task again
    train: Split
    validation: Split
    test: Split
    length: int
    n_classes: int
    full_epochs: int  # the epochs of a full run; fewer of them, or fewer examples, is a small budget
    measure_baseline: Callable[["Task"], dict] = field(repr=False)
    d_input: int | None = None
    vocab: int | None = None
    limited: bool = False  # trains on fewer examples than there are, or shorter ones than the task's source
    more_tests: dict[str, Split] = field(default_factory=dict, repr=False)  # measured once, at the end

    @property
    def every_position(self) -> bool:
        """Whether an answer is asked for at single positions, and not one for the whole sequence."""
        return self.train.targets.ndim == 2

    @property
    def chance(self) -> float:
        """Accuracy on the test split of always answering the class that is most frequent in training."""
        train, test = (split.targets[split.targets != NOT_SCORED] for split in (self.train, self.test))
        return float((test == train.mode().values).double().mean())

    def baseline(self) -> dict:
        """Measure the simple baseline now: ``{"kind": in words, "accuracy": on the test split, …}``."""
        return self.measure_baseline(self)


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
