"""The frequencies of LegS's normal part, of S4D-Inv and of S4D-Lin, and LegS's condition number (chapter 08)."""

import traitlets

from ssm_teach.errors import require

from .base import Explorable

__all__ = ["Spectrum"]


class Spectrum(Explorable):
    """Frequencies against their rank, a close-up of those near zero, and the eigenvectors' condition number against N.

    Args:
        size: N, the size of the real matrix, even, 4 to 128; each law has N/2 positive frequencies.
        mode: m, the rank of the frequency that is read off, 0 (the highest) to N/2 − 1; if left out N/4,
            where S4D-Inv is farthest from LegS.
        zoom: Upper end of the close-up, 2 to 40 rad per unit of time.
    Raises: UserError: for a value outside these bounds.

    >>> Spectrum(size=32).mode
    8
    """

    name = "spectrum"
    keys_shown = ("size", "mode", "zoom")

    size = traitlets.Int(64).tag(sync=True)
    mode = traitlets.Int(16).tag(sync=True)
    zoom = traitlets.Float(12.0).tag(sync=True)

    def __init__(self, *, size=64, mode=None, zoom=12.0):
        require(4 <= size <= 128 and size % 2 == 0, f"Spectrum: size must be even and lie in 4 to 128; got {size}")
        mode = size // 4 if mode is None else mode
        for argument, given, low, high in [("mode", mode, 0, size // 2 - 1), ("zoom", zoom, 2, 40)]:
            require(low <= given <= high, f"Spectrum: {argument} must lie in {low} to {high}; got {given}")
        super().__init__(size=size, mode=mode, zoom=zoom)
