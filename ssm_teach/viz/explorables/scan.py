"""A parallel scan, step by step (chapter 13)."""

from typing import ClassVar

import traitlets

from ssm_teach.errors import choose, require

from .base import Explorable

__all__ = ["Scan"]


class Scan(Explorable):
    """Blelloch's scan as a wiring diagram, or that of Hillis and Steele, or both; what it does is `ssm_teach.scan`'s.

    Args:
        length: n elements, 2 to 32. Blelloch's row is padded to a power of two.
        algorithm: ``blelloch``, ``hillis-steele`` or ``both``.
        operator: ``text`` (letters, joined), ``sum`` (numbers) or ``affine`` (pairs (a, b), the maps x ↦ a x + b).
        step: Steps already done, 0 to the last one.
        inclusive: Whether Blelloch's scan ends with the step that takes in each cell's own input.
        swapped: Whether its down-sweep has the classic bug: op(left, parent) in place of op(parent, left).
    Raises: UserError: for a value outside these bounds.

    >>> Scan(length=5, algorithm="both").last_step
    7
    """

    name = "scan"
    keys_shown = ("length", "algorithm", "operator", "inclusive", "swapped", "step")
    pictured: ClassVar[dict[str, dict]] = {"swapped": {"swapped": True, "step": 7}}

    length = traitlets.Int(8).tag(sync=True)
    algorithm = traitlets.Unicode("blelloch").tag(sync=True)
    operator = traitlets.Unicode("text").tag(sync=True)
    inclusive = traitlets.Bool(False).tag(sync=True)
    swapped = traitlets.Bool(False).tag(sync=True)
    step = traitlets.Int(5).tag(sync=True)

    def __init__(self, *, length=8, algorithm="blelloch", operator="text", step=None, inclusive=False, swapped=False):
        require(2 <= length <= 32, f"Scan: length must lie in 2 to 32; got {length}")
        choose("Scan", "algorithm", algorithm, ["blelloch", "hillis-steele", "both"])
        choose("Scan", "operator", operator, ["text", "sum", "affine"])
        last = _last_step(length, algorithm, inclusive)
        step = min(5, last) if step is None else step
        require(0 <= step <= last, f"Scan: step must lie in 0 to {last}; got {step}")
        super().__init__(
            length=length,
            algorithm=algorithm,
            operator=operator,
            step=step,
            inclusive=bool(inclusive),
            swapped=bool(swapped),
        )

    @property
    def last_step(self) -> int:
        """Number of steps of the longer algorithm shown."""
        return _last_step(self.length, self.algorithm, self.inclusive)


def _last_step(length: int, algorithm: str, inclusive: bool) -> int:
    levels = (length - 1).bit_length()
    return levels if algorithm == "hillis-steele" else 2 * levels + 1 + bool(inclusive)
