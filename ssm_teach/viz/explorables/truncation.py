"""How many states of a diagonal system to keep, and what balanced truncation makes of the others (chapter 11)."""

from typing import ClassVar

import traitlets

from ssm_teach.errors import choose, require

from .base import Explorable

__all__ = ["Truncation"]


class Truncation(Explorable):
    """Balanced truncation of 16 states: Hankel singular values, the error of every order, kernel and gain.

    The system is continuous and diagonal with input weight 1. Nothing is random: the readout that is ``drawn`` comes
    from a small congruential generator.

    Args:
        system: The poles: ``real`` (−1 to −16), ``lin`` (−½ + iπn), ``inv`` or ``legs`` (S4D's), the last three with
            their conjugates.
        readout: ``ones`` or ``drawn``.
        kept: How many states are kept, 0 to 16.
    Raises: UserError: for a value outside these bounds.

    >>> Truncation(system="real", kept=3).kept
    3
    """

    name = "truncation"
    keys_shown = ("system", "readout", "kept")
    pictured: ClassVar[dict[str, dict]] = {"real": {"system": "real", "kept": 3}}

    system = traitlets.Unicode("legs").tag(sync=True)
    readout = traitlets.Unicode("drawn").tag(sync=True)
    kept = traitlets.Int(10).tag(sync=True)

    def __init__(self, *, system="legs", readout="drawn", kept=10):
        require(0 <= kept <= 16, f"Truncation: kept must lie in 0 to 16; got {kept}")
        super().__init__(
            system=choose("Truncation", "system", system, ["real", "lin", "inv", "legs"]),
            readout=choose("Truncation", "readout", readout, ["ones", "drawn"]),
            kept=kept,
        )
