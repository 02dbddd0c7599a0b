"""Documents as sequences of bytes, read out of the cache a batch at a time. Symbol 0 is padding, 1 to 255 are bytes."""

from dataclasses import dataclass

import numpy as np
import torch

from ssm_teach.errors import require

__all__ = ["VOCAB", "Documents", "require_size"]

VOCAB = 256


@dataclass(frozen=True)
class Documents:
    """Texts one after the other, each cut after ``length`` bytes. Calling it is a split's `encode`.

    Every batch is padded to ``length``, and not to its own longest document: a layer that reads both ways sees the
    padding, and its answer must not depend on which documents happen to be in the batch.

    >>> documents = Documents(np.frombuffer(b"abcde", np.uint8), np.array([1, 5]), length=3)
    >>> documents(torch.tensor([[1, 0]]))
    tensor([[[ 98,  99, 100],
             [ 97,   0,   0]]])
    >>> documents.lengths(torch.tensor([1, 0])), documents.strings(torch.tensor([1]))
    (tensor([3, 1]), [b'bcd'])
    """

    text: np.ndarray  # (total,) uint8, no byte 0
    ends: np.ndarray  # (n,) int64: where each document ends
    length: int

    def __call__(self, numbers: torch.Tensor) -> torch.Tensor:
        """Numbers of documents, of any shape (…), to their symbols (…, length)."""
        symbols = np.zeros((numbers.numel(), self.length), np.uint8)
        for row, start, stop in zip(symbols, *self._spans(numbers.flatten()), strict=True):
            row[: stop - start] = self.text[start:stop]
        return torch.from_numpy(symbols).to(numbers.device).long().reshape(*numbers.shape, self.length)

    def lengths(self, numbers: torch.Tensor) -> torch.Tensor:
        """Bytes of documents, after the cut: (…) to (…)."""
        starts, stops = self._spans(numbers)
        return torch.from_numpy(stops - starts)

    def strings(self, numbers: torch.Tensor) -> list[bytes]:
        """The documents themselves, after the cut."""
        return [self.text[start:stop].tobytes() for start, stop in zip(*self._spans(numbers), strict=True)]

    def _spans(self, numbers: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Where each document starts and where it is cut."""
        numbers = numbers.cpu().numpy()
        starts = np.where(numbers > 0, self.ends[numbers - 1], 0)
        return starts, np.minimum(self.ends[numbers], starts + self.length)


def require_size(task: str, option: str, given: object, low: int, high: int, what: str) -> None:
    """A size among the options is a whole number within its range."""
    whole = isinstance(given, int) and not isinstance(given, bool)
    require(
        whole and low <= given <= high,
        f"tasks.load: {option} of {task} must be a whole number from {low} to {high:,}{what}; got {given!r}",
    )
