"""What a memory of N numbers says about the past, measure by measure (chapter 07)."""

from typing import ClassVar

import traitlets

from ssm_teach.errors import choose, require

from .base import Explorable

__all__ = ["Measures"]


class Measures(Explorable):
    """A signal of four seconds, and its past as the memories of `ssm_teach.hippo` reconstruct it at one moment.

    Args:
        measure: ``legs``, ``legt``, ``lagt``, ``fout`` or ``chebyshev``.
        closure: What FouT takes for the sample that leaves its window: the ``jump`` average or its own ``series``.
        signal: ``tones``, ``sweep``, ``steps`` or ``pulse``.
        order: States N, 1 to 40; FouT takes the next odd number.
        window: Seconds in a window (LagT: until a sample counts 1/e), 0.2 to 2; LegS looks at everything.
        now: The moment that looks back, 0.2 to 4 s.
    Raises: UserError: for a value outside these bounds.

    >>> Measures(measure="fout", closure="series").closure
    'series'
    """

    name = "measures"
    keys_shown = ("measure", "closure", "signal", "order", "window", "now")
    pictured: ClassVar[dict[str, dict]] = {"series": {"measure": "fout", "closure": "series", "order": 32}}

    measure = traitlets.Unicode("legt").tag(sync=True)
    closure = traitlets.Unicode("jump").tag(sync=True)
    signal = traitlets.Unicode("tones").tag(sync=True)
    order = traitlets.Int(12).tag(sync=True)
    window = traitlets.Float(1.0).tag(sync=True)
    now = traitlets.Float(3.4).tag(sync=True)

    def __init__(self, *, measure="legt", closure="jump", signal="tones", order=12, window=1.0, now=3.4):
        choose("Measures", "measure", measure, ["legs", "legt", "lagt", "fout", "chebyshev"])
        choose("Measures", "closure", closure, ["jump", "series"])
        choose("Measures", "signal", signal, ["tones", "sweep", "steps", "pulse"])
        for argument, given, low, high in [
            ("order", order, 1, 40),
            ("window", window, 0.2, 2),
            ("now", now, 0.2, 4),
        ]:
            require(low <= given <= high, f"Measures: {argument} must lie in {low} to {high}; got {given}")
        super().__init__(measure=measure, closure=closure, signal=signal, order=order, window=window, now=now)
