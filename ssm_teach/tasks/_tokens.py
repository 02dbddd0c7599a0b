"""What the generated tasks share: symbols drawn by seed, targets that say at which positions an answer counts."""

import numpy as np
import torch

from ssm_teach.errors import require

from . import NOT_SCORED, Split, Task

__all__ = ["any_symbol", "most_frequent_symbol", "require_memory", "require_whole", "split"]

NOISE, MARKER = 0, 1  # the first two symbols of a vocabulary; the others carry data


def split(raw: np.ndarray, targets: np.ndarray) -> Split:
    """Symbols (n, L) below 256 and targets (n, L) as a `Split`; both stay bytes until a batch is taken."""
    return Split(torch.from_numpy(raw), torch.from_numpy(targets), encode=lambda symbols: symbols.long())


def any_symbol(task: Task) -> dict:
    """The weak baseline: any data symbol of the sequence. Its accuracy is the expected one, so nothing is drawn."""
    counts, targets, scored = _counted(task)
    answers = np.where(scored, targets, MARKER + 1) - MARKER - 1
    share = np.take_along_axis(counts / counts.sum(1, keepdims=True), answers, 1)
    return {
        "kind": "a data symbol of the sequence, drawn at random",
        "accuracy": float(share[scored].mean()),
        "train_examples": 0,
    }


def most_frequent_symbol(task: Task) -> dict:
    """The strong baseline counts and ignores order: always the data symbol that a sequence holds most often."""
    counts, targets, scored = _counted(task)
    answer = MARKER + 1 + counts.argmax(1)
    return {
        "kind": "the data symbol that the sequence holds most often",
        "accuracy": float((targets == answer[:, None])[scored].mean()),
        "train_examples": 0,
    }


def _counted(task: Task) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How often each sequence of the test holds each data symbol, its targets, and where they are scored."""
    raw, targets = task.test.raw.numpy(), task.test.targets.numpy()
    counts = np.stack([(raw == symbol).sum(1) for symbol in range(MARKER + 1, task.vocab)], 1)
    return counts, targets, targets != NOT_SCORED


def require_memory(task: str, examples: int, bytes_each: int) -> None:
    """The examples, which are all in memory, leave room within two gigabytes for everything else."""
    needed = examples * bytes_each
    require(
        needed <= 1.5 * (1 << 30),
        f"tasks.load: {examples} examples of {task} of this size need {needed / (1 << 30):.1f} GiB of memory, "
        "more than 1.5; ask for fewer or for smaller ones",
    )


def require_whole(task: str, low: dict[str, int], **given) -> None:
    """Every given option is a whole number, at least what ``low`` says for it."""
    for name, value in given.items():
        whole = isinstance(value, int) and not isinstance(value, bool)
        require(
            whole and value >= low[name],
            f"tasks.load: {name} of {task} must be a whole number, at least {low[name]}; got {value!r}",
        )
