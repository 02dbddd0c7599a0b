"""A Pathfinder picture, traced and flattened into its sequence (chapter 20)."""

import traitlets

from ssm_teach.errors import choose, require

from .base import Explorable

__all__ = ["Pathfinder"]


class Pathfinder(Explorable):
    """Pictures of seed 0 of `ssm_teach.tasks.pathfinder`, drawn in the browser, the same to the last pixel.

    Args:
        picture: Its number, 0 to 999.
        size: 32, 64 or 128 pixels a side.
        difficulty: ``easy``, ``intermediate`` or ``hard``.
        traced: Whether the lines and the answer are shown.
        cursor: Step of the sequence that is read last, 0 to size² − 1.
    Raises: UserError: for a value outside these bounds.

    >>> Pathfinder(size=64).cursor
    2047
    """

    name = "pathfinder"
    keys_shown = ("picture", "size", "difficulty", "traced", "cursor")

    picture = traitlets.Int(0).tag(sync=True)
    size = traitlets.Int(32).tag(sync=True)
    difficulty = traitlets.Unicode("hard").tag(sync=True)
    traced = traitlets.Bool(True).tag(sync=True)
    cursor = traitlets.Int(511).tag(sync=True)

    def __init__(self, *, picture=4, size=32, difficulty="hard", traced=True, cursor=None):
        require(size in (32, 64, 128), f"Pathfinder: size must be 32, 64 or 128; got {size}")
        choose("Pathfinder", "difficulty", difficulty, ["easy", "intermediate", "hard"])
        cursor = size * size // 2 - 1 if cursor is None else cursor
        for argument, given, high in [("picture", picture, 999), ("cursor", cursor, size * size - 1)]:
            require(0 <= given <= high, f"Pathfinder: {argument} must lie in 0 to {high}; got {given}")
        super().__init__(picture=picture, size=size, difficulty=difficulty, traced=bool(traced), cursor=cursor)
