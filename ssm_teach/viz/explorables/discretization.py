"""Where a pole of the s-plane lands in the z-plane, and what becomes of its answer (chapter 04)."""

import traitlets

from ssm_teach.errors import choose, require

from .base import Explorable

__all__ = ["Discretization"]


class Discretization(Explorable):
    """The map s → z of a discretisation of x' = a x + u, y = Re x, with the answer to a unit step beside it.

    Args:
        delta: Step Δ, seconds, 0.001 to 10.
        alpha: Weight of GBT(α), 0 to 1: 0 forward Euler, ½ bilinear, 1 backward Euler.
        method: ``gbt`` or ``zoh``.
        system: ``real`` (a pole on the real axis), ``oscillator`` (anywhere), ``s4d`` (a = −½ + iπn).
        pole: The pole a, 1/s, for ``real`` and ``oscillator``; real part −6 to 2, imaginary part 0 to 4.
        mode: n, 0 to 8, for ``s4d``.
    Raises: UserError: for a value outside these bounds.

    >>> Discretization(delta=0.1, system="s4d", mode=2).mode
    2
    """

    name = "discretization"
    keys_shown = ("system", "method", "delta", "alpha", "pole_re", "pole_im", "mode")

    system = traitlets.Unicode("oscillator").tag(sync=True)
    method = traitlets.Unicode("gbt").tag(sync=True)
    delta = traitlets.Float(0.1).tag(sync=True)
    alpha = traitlets.Float(0.0).tag(sync=True)
    pole_re = traitlets.Float(-0.5).tag(sync=True)
    pole_im = traitlets.Float(2.5).tag(sync=True)
    mode = traitlets.Int(1).tag(sync=True)

    def __init__(self, *, delta=0.1, alpha=0.0, method="gbt", system="oscillator", pole=-0.5 + 2.5j, mode=1):
        bounds = [("delta", delta, 0.001, 10), ("alpha", alpha, 0, 1), ("mode", mode, 0, 8)]
        bounds += [("pole's real part", complex(pole).real, -6, 2), ("pole's imaginary part", complex(pole).imag, 0, 4)]
        for argument, given, low, high in bounds:
            require(low <= given <= high, f"Discretization: {argument} must lie in {low} to {high}; got {given}")
        super().__init__(
            delta=delta,
            alpha=alpha,
            method=choose("Discretization", "method", method, ["gbt", "zoh"]),
            system=choose("Discretization", "system", system, ["real", "oscillator", "s4d"]),
            pole_re=complex(pole).real,
            pole_im=complex(pole).imag,
            mode=mode,
        )
