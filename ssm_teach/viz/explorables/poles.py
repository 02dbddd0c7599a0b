"""Two poles to drag, and what the system they make answers (chapter 03)."""

from typing import ClassVar

import traitlets

from ssm_teach.errors import choose, require

from .base import Explorable

__all__ = ["Poles"]


class Poles(Explorable):
    """A unit mass on a spring, x'' + c x' + k x = u, by its poles: impulse, step and frequency response, recurrence.

    The recurrence holds its input for steps of 0.1 s.

    Args:
        pole: One of a conjugate pair; real part −4 to 0.5, imaginary part 0 to 6.
        real_poles: Two real poles, −4 to 0.5, in place of the pair.
        zero: None: the output is the position. Else −4 to 2, and the output is velocity − zero · position.
        input: Of the recurrence: ``kick`` (area 1, in step 0), ``push`` (1 from step 0 on) or ``sine``.
        omega: Frequency of the sine, 0.1 to 30 rad/s.
        step: Step of the recurrence that is shown, 0 to 100.
    Raises: UserError: for a value outside these bounds.

    >>> Poles(real_poles=(-1, -3), zero=-2.9).second
    -3.0
    """

    name = "poles"
    keys_shown = ("kind", "re", "im", "first", "second", "with_zero", "zero", "input", "omega", "step")
    pictured: ClassVar[dict[str, dict]] = {
        "cancel": {"real_poles": (-0.3, -2.0), "zero": -0.35, "input": "push", "step": 100}
    }

    kind = traitlets.Unicode("pair").tag(sync=True)
    re = traitlets.Float(-0.4).tag(sync=True)
    im = traitlets.Float(3.0).tag(sync=True)
    first = traitlets.Float(-0.5).tag(sync=True)
    second = traitlets.Float(-2.0).tag(sync=True)
    with_zero = traitlets.Bool(False).tag(sync=True)
    zero = traitlets.Float(-1.0).tag(sync=True)
    input = traitlets.Unicode("sine").tag(sync=True)
    omega = traitlets.Float(2.0).tag(sync=True)
    step = traitlets.Int(36).tag(sync=True)

    def __init__(self, *, pole=-0.4 + 3j, real_poles=None, zero=None, input="sine", omega=2.0, step=36):
        first, second = (-0.5, -2.0) if real_poles is None else real_poles
        bounds = [
            ("pole's real part", complex(pole).real, -4, 0.5),
            ("pole's imaginary part", complex(pole).imag, 0, 6),
        ]
        bounds += [("the first real pole", first, -4, 0.5), ("the second real pole", second, -4, 0.5)]
        bounds += [("zero", -1.0 if zero is None else zero, -4, 2), ("omega", omega, 0.1, 30), ("step", step, 0, 100)]
        for argument, given, low, high in bounds:
            require(low <= given <= high, f"Poles: {argument} must lie in {low} to {high}; got {given}")
        super().__init__(
            kind="pair" if real_poles is None else "real",
            re=complex(pole).real,
            im=complex(pole).imag,
            first=first,
            second=second,
            with_zero=zero is not None,
            zero=-1.0 if zero is None else zero,
            input=choose("Poles", "input", input, ["kick", "push", "sine"]),
            omega=omega,
            step=step,
        )
