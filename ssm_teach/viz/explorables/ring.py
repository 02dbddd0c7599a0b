"""Where the eigenvalues of a diagonal recurrence start, and how long they remember (chapter 14)."""

from typing import ClassVar

import traitlets

from ssm_teach.errors import choose, require

from .base import Explorable

__all__ = ["Ring"]


class Ring(Explorable):
    """32 eigenvalues in the unit disc, LRU's ring, S5's HiPPO blocks or S4D-Lin, and what each of them remembers.

    Nothing is random: in place of uniform numbers stand fixed sequences that fill their interval evenly.

    Args:
        spectrum: ``ring`` (|λ|² and phase uniform), ``legs`` (blocks of the normal part of HiPPO-LegS) or ``lin``
            (−½ + iπn); the last two are held for a step Δ, λ = e^{aΔ}.
        r_min, r_max: Radii of the ring, 0 to 0.9999.
        max_phase: Largest phase on the ring, in multiples of π, 0 to 2.
        blocks: Number of HiPPO blocks, 1, 2, 4 or 8, which share 64 real states.
        delta: Step Δ, 0.001 to 1, in units of the time of a.
        spread: Decades over which each mode has its own Δ, log-uniform around ``delta``, 0 to 2.
        normalised: Whether a state's input is weighted by γ = √(1 − |λ|²), in place of 1.
    Raises: UserError: for a value outside these bounds.

    >>> Ring(spectrum="legs", blocks=4).blocks
    4
    """

    name = "ring"
    keys_shown = ("spectrum", "r_min", "r_max", "max_phase", "blocks", "delta", "spread", "normalised")
    pictured: ClassVar[dict[str, dict]] = {"broad": {"r_min": 0.5, "r_max": 0.99}}

    spectrum = traitlets.Unicode("ring").tag(sync=True)
    r_min = traitlets.Float(0.9).tag(sync=True)
    r_max = traitlets.Float(0.999).tag(sync=True)
    max_phase = traitlets.Float(2.0).tag(sync=True)
    blocks = traitlets.Int(1).tag(sync=True)
    delta = traitlets.Float(0.01).tag(sync=True)
    spread = traitlets.Float(2.0).tag(sync=True)
    normalised = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        *,
        spectrum="ring",
        r_min=0.9,
        r_max=0.999,
        max_phase=2.0,
        blocks=1,
        delta=0.01,
        spread=2.0,
        normalised=False,
    ):
        bounds = [("r_min", r_min, 0, 0.9999), ("r_max", r_max, 0, 0.9999), ("max_phase", max_phase, 0, 2)]
        bounds += [("delta", delta, 0.001, 1), ("spread", spread, 0, 2)]
        for argument, given, low, high in bounds:
            require(low <= given <= high, f"Ring: {argument} must lie in {low} to {high}; got {given}")
        require(r_min <= r_max, f"Ring: r_min must be at most r_max = {r_max}; got {r_min}")
        require(blocks in (1, 2, 4, 8), f"Ring: blocks must be 1, 2, 4 or 8; got {blocks}")
        super().__init__(
            spectrum=choose("Ring", "spectrum", spectrum, ["ring", "legs", "lin"]),
            r_min=r_min,
            r_max=r_max,
            max_phase=max_phase,
            blocks=blocks,
            delta=delta,
            spread=spread,
            normalised=bool(normalised),
        )
