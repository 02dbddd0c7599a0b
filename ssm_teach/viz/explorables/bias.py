"""Frequency bias: where the modes start, what their gradients feel, and what a fit then finds (chapter 12)."""

from typing import ClassVar

import traitlets

from ssm_teach.errors import choose, require

from .base import Explorable

__all__ = ["ALPHAS", "BETAS", "Bias"]

# The settings for which fits are recorded, see `ssm_teach.experiments.frequency_fits`.
ALPHAS = (0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0)
BETAS = (-1.0, -0.5, 0.0, 0.5, 1.0)


class Bias(Explorable):
    """Sixteen modes at −½ + iαπn, each one's gradient by frequency, and a recorded fit of two resonances.

    Args:
        alpha: α, one of `ALPHAS`.
        beta: β of the weight (1 + s)^β, one of `BETAS`.
        place: Where the weight acts in the fit: ``loss`` or ``layer``.
        delta: Step, 0.003 to 1; it decides which modes lie beyond π/Δ, and nothing else.
        mode: The one that is picked, 0 to 15.
    Raises: UserError: for a value outside these bounds.

    >>> Bias(alpha=10.0).state()["beta"]
    0.0
    """

    name = "bias"
    keys_shown = ("alpha", "beta", "place", "delta", "mode")
    pictured: ClassVar[dict[str, dict]] = {"weighed": {"beta": 1.0}}

    alpha = traitlets.Float(0.1).tag(sync=True)
    beta = traitlets.Float(0.0).tag(sync=True)
    place = traitlets.Unicode("loss").tag(sync=True)
    delta = traitlets.Float(0.03).tag(sync=True)
    mode = traitlets.Int(15).tag(sync=True)

    def __init__(self, *, alpha=0.1, beta=0.0, place="loss", delta=0.03, mode=15):
        for argument, given, listed in (("alpha", alpha, ALPHAS), ("beta", beta, BETAS)):
            there = ", ".join(f"{value:g}" for value in listed)
            require(given in listed, f"Bias: fits are recorded for {argument} in {there}; got {given}")
        require(0.003 <= delta <= 1, f"Bias: delta must lie in 0.003 to 1; got {delta}")
        require(0 <= mode <= 15, f"Bias: mode must lie in 0 to 15; got {mode}")
        place = choose("Bias", "place", place, ["loss", "layer"])
        super().__init__(alpha=alpha, beta=beta, place=place, delta=delta, mode=mode)
