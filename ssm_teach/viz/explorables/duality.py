"""One mixing matrix, split into attention inside chunks and a state between them (chapter 16)."""

import traitlets

from ssm_teach.errors import require

from .base import Explorable

__all__ = ["Duality"]


class Duality(Explorable):
    """The matrix M = Γ ∘ (C Bᵀ) of a small SSD, Γ_ij = a_i ⋯ a_{j+1}, cut into chunks; every number is a fixed one.

    Blocks on the diagonal are computed as masked attention, blocks below it through the state, so that their rank is at
    most N. One row is told in full: what of y_i comes from its own chunk, and what from the state handed to it.

    Args:
        length: T, 4 to 16 positions.
        states: N, 1 to 3.
        decay: a of every step but the reset, 0.5 to 1.
        reset: Position whose a is 0, 1 to T − 1, or 0 for none.
        chunk: Positions in a chunk, 1 to T; the last chunk may be shorter.
        row: i, 0 to T − 1.
        channels: p channels that share the matrix, 1 to 64: they enter the counts of multiplications only.
    Raises: UserError: for a value outside these bounds.

    >>> Duality(length=12, chunk=5).chunk
    5
    """

    name = "duality"
    keys_shown = ("length", "states", "decay", "reset", "chunk", "row", "channels")

    length = traitlets.Int(12).tag(sync=True)
    states = traitlets.Int(2).tag(sync=True)
    decay = traitlets.Float(0.9).tag(sync=True)
    reset = traitlets.Int(0).tag(sync=True)
    chunk = traitlets.Int(4).tag(sync=True)
    row = traitlets.Int(9).tag(sync=True)
    channels = traitlets.Int(1).tag(sync=True)

    def __init__(self, *, length=12, states=2, decay=0.9, reset=0, chunk=4, row=None, channels=1):
        require(4 <= length <= 16, f"Duality: length must lie in 4 to 16; got {length}")
        row = (3 * length) // 4 if row is None else row
        for argument, given, low, high in [
            ("states", states, 1, 3),
            ("decay", decay, 0.5, 1),
            ("reset", reset, 0, length - 1),
            ("chunk", chunk, 1, length),
            ("row", row, 0, length - 1),
            ("channels", channels, 1, 64),
        ]:
            require(low <= given <= high, f"Duality: {argument} must lie in {low} to {high}; got {given}")
        super().__init__(
            length=length,
            states=states,
            decay=decay,
            reset=reset,
            chunk=chunk,
            row=row,
            channels=channels,
        )
