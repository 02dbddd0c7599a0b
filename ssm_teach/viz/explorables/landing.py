"""The moving picture of the book's first page: one system, read as a recurrence and as a convolution."""

import traitlets

from ssm_teach.errors import require

from .base import Explorable

__all__ = ["Landing"]


class Landing(Explorable):
    """An input, and its answer by four S4D modes −½ + iπn: states that turn, and a kernel laid over the past.

    Args:
        delta: Step Δ, seconds, 0.01 to 0.2.
        sample: The moment it starts from, 0 to 199.
    Raises: UserError: for a value outside these bounds.

    >>> Landing().delta
    0.04
    """

    name = "landing"
    keys_shown = ("delta", "sample")

    delta = traitlets.Float(0.04).tag(sync=True)
    sample = traitlets.Int(104).tag(sync=True)

    def __init__(self, *, delta=0.04, sample=104):
        for argument, given, low, high in [("delta", delta, 0.01, 0.2), ("sample", sample, 0, 199)]:
            require(low <= given <= high, f"Landing: {argument} must lie in {low} to {high}; got {given}")
        super().__init__(delta=delta, sample=sample)
