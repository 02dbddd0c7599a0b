"""What a sequence layer costs, and where one way of computing it overtakes another (chapter 18)."""

import traitlets

from ssm_teach.errors import choose, require

from .base import Explorable

__all__ = ["Cost"]


class Cost(Explorable):
    """Work and memory of one layer by formula, against the length of the sequence, on logarithmic axes.

    A state space layer has ``expand`` · d channels, each a real diagonal system of N states; attention is d wide. A
    multiplication and an addition are two operations.

    Args:
        view: ``training`` (operations for all L tokens at once), ``decoding`` (operations for the token after L
            others) or ``memory`` (bytes kept between two tokens: a float32 state, keys and values in bfloat16).
        length: L, 4 to 1048576 (2²⁰).
        width: d, 16 to 8192.
        states: N, 1 to 256.
        batch: Sequences at once, 1 to 256.
        expand: Channels of the state space layer for each of the model's, 1 or 2 (Mamba's).
    Raises: UserError: for a value outside these bounds.

    >>> Cost(view="memory", width=1024, states=16).expand
    2
    """

    name = "cost"
    keys_shown = ("view", "length", "width", "states", "batch", "expand")

    view = traitlets.Unicode("training").tag(sync=True)
    length = traitlets.Int(4096).tag(sync=True)
    width = traitlets.Int(1024).tag(sync=True)
    states = traitlets.Int(16).tag(sync=True)
    batch = traitlets.Int(1).tag(sync=True)
    expand = traitlets.Int(2).tag(sync=True)

    def __init__(self, *, view="training", length=4096, width=1024, states=16, batch=1, expand=2):
        choose("Cost", "view", view, ["training", "decoding", "memory"])
        for argument, given, low, high in [
            ("length", length, 4, 2**20),
            ("width", width, 16, 8192),
            ("states", states, 1, 256),
            ("batch", batch, 1, 256),
        ]:
            require(low <= given <= high, f"Cost: {argument} must lie in {low} to {high}; got {given}")
        require(expand in (1, 2), f"Cost: expand must be 1 or 2; got {expand}")
        super().__init__(view=view, length=length, width=width, states=states, batch=batch, expand=expand)
