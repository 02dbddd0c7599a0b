"""The modes of a diagonal layer: where they start, and what step and method make of them (chapter 10)."""

from typing import ClassVar

import traitlets

from ssm_teach.errors import choose, require
from ssm_teach.layers.s4d import INITS, METHODS

from .base import Explorable

__all__ = ["Modes"]


class Modes(Explorable):
    """One channel of S4D with B = 1: eigenvalues after one step, kernel, and frequency response.

    Args:
        init: The spectrum, one of `ssm_teach.layers.s4d.INITS`.
        method: One of `ssm_teach.layers.s4d.METHODS`.
        delta: Step, 0.001 to 1.
        count: Modes stored, 1 to 32; all but real ones stand for a conjugate pair.
        mode: The one that is picked, 0 to count − 1.
        readout: C, all ones (``equal``) or scattered over a square (``mixed``), always in the same way.
    Raises: UserError: for a value outside these bounds.

    >>> Modes(init="inv", delta=0.01).state()["count"]
    32
    """

    name = "modes"
    keys_shown = ("init", "method", "readout", "delta", "count", "mode")
    pictured: ClassVar[dict[str, dict]] = {"coarse": {"delta": 0.1, "mode": 11}}

    init = traitlets.Unicode("lin").tag(sync=True)
    method = traitlets.Unicode("zoh").tag(sync=True)
    readout = traitlets.Unicode("mixed").tag(sync=True)
    delta = traitlets.Float(0.02).tag(sync=True)
    count = traitlets.Int(32).tag(sync=True)
    mode = traitlets.Int(4).tag(sync=True)

    def __init__(self, *, init="lin", method="zoh", readout="mixed", delta=0.02, count=32, mode=4):
        require(0.001 <= delta <= 1, f"Modes: delta must lie in 0.001 to 1; got {delta}")
        require(1 <= count <= 32, f"Modes: count must lie in 1 to 32; got {count}")
        require(0 <= mode < count, f"Modes: mode must lie in 0 to {count - 1}; got {mode}")
        super().__init__(
            init=choose("Modes", "init", init, INITS),
            method=choose("Modes", "method", method, METHODS),
            readout=choose("Modes", "readout", readout, ["equal", "mixed"]),
            delta=delta,
            count=count,
            mode=mode,
        )
