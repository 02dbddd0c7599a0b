"""What a few Legendre coefficients still know of a signal that the reader draws (chapter 06)."""

from collections.abc import Sequence
from math import pi, sin

import traitlets

from ssm_teach.errors import choose, require

from .base import Explorable

__all__ = ["Memory"]

SAMPLES = 60


def _waves() -> list[float]:
    """Two waves over the history, of one and a half and of five periods."""
    places = [(k + 0.5) / SAMPLES for k in range(SAMPLES)]
    return [0.6 * sin(3 * pi * r) + 0.3 * sin(10 * pi * r + 1) for r in places]


class Memory(Explorable):
    """A signal of 60 samples, drawn by hand, and the fit that HiPPO-LegS holds after reading some of them.

    Args:
        signal: 60 numbers, −1 to 1, oldest first; None is a sum of two waves.
        coefficients: N, 1 to 40.
        read: Samples read so far, 1 to 60.
        method: The update: ``exact``, ``bilinear`` or ``euler``, the last two with the step 1/k.
        pen, height: Where the pen is: sample, 1 to 60, and value, −1 to 1.
        pen_down: Whether the pen draws when the sliders move it. A mouse or a finger always draws.
    Raises: UserError: for a value outside these bounds.

    >>> Memory(coefficients=3).read
    60
    """

    name = "memory"
    keys_shown = ("signal", "coefficients", "read", "method", "pen", "height", "pen_down")

    signal = traitlets.List(traitlets.Float()).tag(sync=True)
    coefficients = traitlets.Int(12).tag(sync=True)
    read = traitlets.Int(SAMPLES).tag(sync=True)
    method = traitlets.Unicode("exact").tag(sync=True)
    pen = traitlets.Int(30).tag(sync=True)
    height = traitlets.Float(0.0).tag(sync=True)
    pen_down = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        *,
        signal: Sequence[float] | None = None,
        coefficients=12,
        read=SAMPLES,
        method="exact",
        pen=30,
        height=0.0,
        pen_down=False,
    ):
        for argument, given, low, high in [
            ("coefficients", coefficients, 1, 40),
            ("read", read, 1, SAMPLES),
            ("pen", pen, 1, SAMPLES),
            ("height", height, -1, 1),
        ]:
            require(low <= given <= high, f"Memory: {argument} must lie in {low} to {high}; got {given}")
        signal = _waves() if signal is None else [float(u) for u in signal]
        require(len(signal) == SAMPLES, f"Memory: signal must have {SAMPLES} samples; got {len(signal)}")
        require(all(-1 <= u <= 1 for u in signal), "Memory: every sample of signal must lie in −1 to 1")
        super().__init__(
            signal=signal,
            coefficients=coefficients,
            read=read,
            method=choose("Memory", "method", method, ["exact", "bilinear", "euler"]),
            pen=pen,
            height=height,
            pen_down=bool(pen_down),
        )
