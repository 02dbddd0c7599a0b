"""Figures to move: each is one ES module that runs in a live notebook and in the rendered book.

The mathematics of an explorable is in ``<name>.math.mjs``, its picture in ``<name>.picture.mjs``, its controls in
``<name>.js``; `join` makes one module of them and `base` says how it reaches the page.
"""

from .base import Explorable, module_source
from .bias import Bias
from .cost import Cost
from .discretization import Discretization
from .duality import Duality
from .gate import Gate
from .landing import Landing
from .measures import Measures
from .memory import Memory
from .modes import Modes
from .nodes import Nodes
from .poles import Poles
from .ring import Ring
from .scan import Scan
from .spectrum import Spectrum
from .truncation import Truncation
from .wrap_around import WrapAround

__all__ = [
    "Bias",
    "Cost",
    "Discretization",
    "Duality",
    "Explorable",
    "Gate",
    "Landing",
    "Measures",
    "Memory",
    "Modes",
    "Nodes",
    "Poles",
    "Ring",
    "Scan",
    "Spectrum",
    "Truncation",
    "WrapAround",
    "every",
    "module_source",
]


def every() -> list[Explorable]:
    """Return one of each explorable in its first state, for checks that walk over all of them."""
    return [
        Discretization(),
        WrapAround(),
        Landing(),
        Scan(),
        Ring(),
        Gate(),
        Duality(),
        Cost(),
        Measures(),
        Poles(),
        Modes(),
        Nodes(),
        Spectrum(),
        Memory(),
        Bias(),
        Truncation(),
    ]
