"""A user's mistake gets one sentence: which function and argument, what was given, what is allowed, the nearest fix."""

import difflib
from collections.abc import Iterable

__all__ = ["UserError", "choose", "require"]


class UserError(ValueError):
    """A mistake in what the user gave. The command line prints its one sentence and exits with status 2."""


def choose(function: str, argument: str, given: object, allowed: Iterable[str]) -> str:
    """Return ``given`` if it is one of ``allowed``, else raise the sentence that names the nearest choice.

    >>> choose("discretize", "method", "zoh", ["zoh", "bilinear"])
    'zoh'
    >>> choose("discretize", "method", "bilinaer", ["bilinear"])
    Traceback (most recent call last):
        ...
    ssm_teach.errors.UserError: discretize: unknown method 'bilinaer'; choose one of bilinear (did you mean bilinear?)
    """
    allowed = list(allowed)
    if isinstance(given, str) and given in allowed:
        return given
    near = difflib.get_close_matches(str(given), allowed, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    raise UserError(f"{function}: unknown {argument} {given!r}; choose one of {', '.join(allowed)}{hint}")


def require(condition: bool, message: str) -> None:
    """Raise `UserError` with ``message`` unless ``condition`` holds."""
    if not condition:
        raise UserError(message)
