"""What an FFT that is too short does to a convolution (chapter 05)."""

import traitlets

from ssm_teach.errors import choose, require

from .base import Explorable

__all__ = ["WrapAround"]


class WrapAround(Explorable):
    """The convolution of an input and a kernel of length L by an FFT of length L + pad.

    Args:
        length: L, 8 to 64.
        pad: Zeros of padding, 0 to L; from L − 1 on the result is right.
        decay: ρ of the kernel K_k = ρᵏ, 0.5 to 1.
        input: ``pulse`` (one at the end), ``ramp`` or ``noise`` (the same every time).
    Raises: UserError: for a value outside these bounds.

    >>> WrapAround(pad=31).pad
    31
    """

    name = "wrap-around"
    keys_shown = ("length", "pad", "decay", "input")

    length = traitlets.Int(32).tag(sync=True)
    pad = traitlets.Int(8).tag(sync=True)
    decay = traitlets.Float(0.9).tag(sync=True)
    input = traitlets.Unicode("ramp").tag(sync=True)

    def __init__(self, *, length=32, pad=8, decay=0.9, input="ramp"):
        for argument, given, low, high in [
            ("length", length, 8, 64),
            ("pad", pad, 0, length),
            ("decay", decay, 0.5, 1),
        ]:
            require(low <= given <= high, f"WrapAround: {argument} must lie in {low} to {high}; got {given}")
        chosen = choose("WrapAround", "input", input, ["pulse", "ramp", "noise"])
        super().__init__(length=length, pad=pad, decay=decay, input=chosen)
