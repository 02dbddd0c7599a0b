"""A ListOps tree that is grown by hand, as a tree, as a row of symbols, and on a stack (chapter 20)."""

import numpy as np
import traitlets

from ssm_teach.errors import choose, require

from .base import Explorable

__all__ = ["ListOps"]

_FIRST = "[MAX 4 [MED 2 [SM 5 8 6 ] 7 ] 1 [MIN 6 [MAX 3 9 ] 8 ] ]"


class ListOps(Explorable):
    """A ListOps expression at a place: the list it belongs to, a stack that has read so far, and readers who skip.

    Args:
        expression: Symbols with spaces between: lists of 2 to 10 arguments, up to 5 levels, at most 20 digits.
        place: Symbol read last, 1 to the number of symbols; None is the one in the middle.
        levels: Levels that the lazy reader reads, 1 to 5; lists below them are left out.
        seed: Of whatever is drawn next, 0 to 4294967295.
    Raises: UserError: for an expression that is none or too large, and for a value outside these bounds.

    >>> ListOps(expression="[SM 7 [MIN 8 6 ] ]").place
    3
    """

    name = "list-ops"
    keys_shown = ("expression", "place", "levels", "seed")

    expression = traitlets.Unicode(_FIRST).tag(sync=True)
    place = traitlets.Int(10).tag(sync=True)
    levels = traitlets.Int(2).tag(sync=True)
    seed = traitlets.Int(1).tag(sync=True)

    def __init__(self, *, expression=_FIRST, place=None, levels=2, seed=1):
        words = expression.split()
        if words != _FIRST.split():
            _check(words)
        place = max(len(words) // 2, 1) if place is None else place
        for argument, given, low, high in [
            ("place", place, 1, len(words)),
            ("levels", levels, 1, 5),
            ("seed", seed, 0, 2**32 - 1),
        ]:
            require(low <= given <= high, f"ListOps: {argument} must lie in {low} to {high}; got {given}")
        super().__init__(expression=" ".join(words), place=place, levels=levels, seed=seed)


def _check(words: list[str]) -> None:
    """Raise UserError unless the words are an expression that fits into the picture."""
    # The tasks take a second to import; only who brings an expression waits for it.
    from ssm_teach.tasks.listops import SYMBOLS, evaluate

    for word in words:
        choose("ListOps", "symbol", word, SYMBOLS[3:])
    evaluate(np.array([SYMBOLS.index(word) for word in words], np.uint8))
    arguments, digits = [0], 0  # of every list that is open, and of all of them
    for word in words:
        if word == "]":
            count = arguments.pop()
            require(2 <= count <= 10, f"ListOps: a list must have 2 to 10 arguments; got {count}")
            continue
        arguments[-1] += 1
        if word.startswith("["):
            arguments.append(0)
            require(len(arguments) <= 6, "ListOps: at most 5 levels of lists fit; got more")
        else:
            digits += 1
    require(digits <= 20, f"ListOps: at most 20 digits fit; got {digits}")
