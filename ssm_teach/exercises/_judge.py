"""Is an answer the solution? Type and shape first, then values or laws.

The reader's objects are never asked to compare themselves: every number is first copied into a plain NumPy array, and
every other type is refused by name. So an object with a lying ``__eq__``, a broadcastable shape, a NaN or a truth value
in the place of a number has no way to be taken for the solution.
"""

import copy
import dataclasses
import inspect
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import sympy as sp
import torch
from sympy.core.function import AppliedUndef

from ssm_teach.errors import require

__all__ = ["TRIALS", "Exercise", "Unsolved", "judge"]

TRIALS = 6


class Unsolved(Exception):
    """The answer is still a blank."""


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """One exercise, declared; `ssm_teach.exercises` says what each field means."""

    id: str = field(kw_only=False)
    solution: object
    wrong: Mapping[str, object]
    hints: Sequence[str]
    inputs: Callable[[np.random.Generator], tuple] | None = None
    options: Mapping[str, str] | None = None
    laws: Mapping[str, Callable[..., bool]] = field(default_factory=dict)
    rtol: float | None = None
    atol: float = 0.0

    def __post_init__(self):
        require(re.fullmatch(r"[a-z0-9-]+\.\d+", self.id) is not None, f"Exercise: id must be slug.n; got {self.id!r}")
        require(bool(self.wrong), f"Exercise {self.id}: wrong must hold at least one plausible wrong answer")
        require(
            not isinstance(self.hints, str)
            and all(isinstance(h, str) and h for h in self.hints)
            and len(self.hints) > 0,
            f"Exercise {self.id}: hints must be a list of at least one sentence",
        )
        require(
            self.is_function == (self.inputs is not None),
            f"Exercise {self.id}: inputs go with a function, and only there",
        )
        require(
            isinstance(self.solution, str) == (self.options is not None),
            f"Exercise {self.id}: options go with a solution that is a string, and only there",
        )

    @property
    def is_function(self) -> bool:
        return callable(self.solution) and not isinstance(self.solution, sp.Basic)

    def draw(self, trial: int) -> tuple:
        """Return the arguments of one trial: random, and the same in every process."""
        return tuple(self.inputs(np.random.default_rng([zlib.crc32(self.id.encode()), trial])))


def judge(exercise: Exercise, answer: object) -> str | None:
    """Return None for a right answer, else one sentence on what differs. Raises `Unsolved` for a blank."""
    if _is_blank(answer):
        raise Unsolved
    if exercise.is_function:
        complaint = _compare_functions(exercise, answer, exercise.solution)
    else:
        complaint = _compare_values(exercise, answer)
    if complaint is None:
        return None
    return f"{complaint} {_misconception(exercise, answer) or _almost(exercise, answer)}".strip()


# Values.


def _compare_values(exercise: Exercise, answer: object) -> str | None:
    if exercise.options is not None:
        return _compare_choices(answer, exercise.solution, exercise.options)
    complaint = _difference(answer, exercise.solution, exercise)
    return complaint or _broken_law(exercise, answer)


def _compare_choices(answer: object, solution: str, options: Mapping[str, str]) -> str | None:
    if type(answer) is not str or answer not in options:
        return f"Choose one of {', '.join(repr(option) for option in options)}; yours is {_describe(answer)}."
    return None if answer == solution else f"It is not {answer!r} ({options[answer]})."


def _difference(
    answer: object, reference: object, exercise: Exercise, *, reveal: bool = False, values: bool | None = None
):
    """Say how ``answer`` differs from ``reference``, or return None. ``values=False``: only type and shape count."""
    values = not exercise.laws if values is None else values
    if isinstance(reference, tuple):
        return _difference_of_tuples(answer, reference, exercise, reveal=reveal, values=values)
    if isinstance(reference, bool | np.bool_):
        if not isinstance(answer, bool | np.bool_):
            return f"Expected True or False; yours is {_describe(answer)}."
        return None if bool(answer) == bool(reference) or not values else f"It is not {bool(answer)}."
    if isinstance(reference, str):
        wrong = type(answer) is not str or (values and answer != reference)
        return (
            f"Expected {'another string' if type(answer) is str else 'a string'}; yours is {_describe(answer)}."
            if wrong
            else None
        )
    if isinstance(reference, sp.Basic | sp.MatrixBase):
        return _difference_of_formulas(answer, reference, values=values)
    return _difference_of_numbers(answer, reference, exercise, reveal=reveal, values=values)


def _difference_of_tuples(answer, reference, exercise, **options) -> str | None:
    if type(answer) is not tuple or len(answer) != len(reference):
        brackets = " Use round brackets." if type(answer) is list and len(answer) == len(reference) else ""
        return f"Expected {_describe(reference)}; yours is {_describe(answer)}.{brackets}"
    for position, (given, expected) in enumerate(zip(answer, reference, strict=True), start=1):
        complaint = _difference(given, expected, exercise, **options)
        if complaint:
            return f"Result {position} of {len(reference)}: {complaint}"
    return None


def _difference_of_numbers(answer, reference, exercise, *, reveal, values) -> str | None:
    expected, given = _plain(reference), _plain(answer)
    require(
        expected is not None, f"Exercise {exercise.id}: a solution of type {type(reference).__name__} cannot be checked"
    )
    if given is None or (expected.ndim > 0 and isinstance(answer, torch.Tensor) != isinstance(reference, torch.Tensor)):
        return f"Expected {_describe(reference)}; yours is {_describe(answer)}.{_way_to_an_array(answer, reference)}"
    if expected.ndim == 0 < given.ndim:
        return f"Expected a number; yours is {_describe(answer)}."
    if given.shape != expected.shape:
        return f"Expected shape {expected.shape}; yours has shape {given.shape}."
    if (given.dtype.kind == "b") != (expected.dtype.kind == "b"):
        return f"Expected {expected.dtype} entries; yours are {given.dtype}."
    if given.dtype.kind == "c" and expected.dtype.kind != "c":
        return "Expected real numbers; yours are complex."
    if not np.all(np.isfinite(given)):
        return "Yours has entries that are infinite or not a number (NaN)."
    if not values:
        return None
    off = ~_close(given, expected, exercise)
    return _first_difference(given, expected, off, reveal) if off.any() else None


def _close(given: np.ndarray, expected: np.ndarray, exercise: Exercise) -> np.ndarray:
    """Entrywise agreement, relative to the largest expected entry; exact for integers, by Python's exact comparison."""
    if expected.dtype.kind in "biu":
        same = [a == b for a, b in zip(given.ravel().tolist(), expected.ravel().tolist(), strict=True)]
        return np.array(same, dtype=bool).reshape(expected.shape)
    narrow = expected.dtype.itemsize <= (8 if expected.dtype.kind == "c" else 4)
    rtol = exercise.rtol if exercise.rtol is not None else (1e-5 if narrow else 1e-9)
    size = np.abs(expected).max(initial=0.0).astype(float)
    with np.errstate(over="ignore"):
        return np.abs(given - expected) <= rtol * size + exercise.atol


def _first_difference(given, expected, off, reveal) -> str:
    where = tuple(int(i) for i in np.argwhere(off)[0])
    entry = f" at index {list(where)}" if where else ""
    count = f" ({off.sum()} of {off.size} entries differ)" if off.size > 1 else ""
    dtype = (
        f" Yours is only {given.dtype}."
        if given.dtype.itemsize < expected.dtype.itemsize and given.dtype.kind == expected.dtype.kind == "f"
        else ""
    )
    expectation = f", expected {expected[where]:.10g}" if reveal else " is not it"
    return f"Yours{entry}: {given[where]:.10g}{expectation}{count}.{dtype}"


def _way_to_an_array(answer, reference) -> str:
    """Say how rows become an array, and a number of SymPy's a float: the reader need not know why they are refused."""
    if isinstance(answer, sp.Expr) and answer.is_number is True and _plain(reference).ndim == 0:
        return f" Write {'float' if answer.is_real else 'complex'}(…) around it."
    if not isinstance(reference, np.ndarray) or not isinstance(answer, list | tuple | sp.MatrixBase):
        return ""
    return f" Write np.array(…{', dtype=float' if isinstance(answer, sp.MatrixBase) else ''}) around it."


def _plain(value: object) -> np.ndarray | None:
    """Copy numbers into a plain array; None for anything that is not a number or a NumPy or torch array."""
    if type(value) in (torch.Tensor, torch.nn.Parameter):
        if value.layout is not torch.strided or value.is_quantized:
            return None
        value = value.detach().cpu().resolve_conj().resolve_neg()
        value = (value.float() if value.dtype is torch.bfloat16 else value).numpy()
    elif isinstance(value, Fraction):
        value = float(value)
    elif type(value) is not np.ndarray and not isinstance(value, int | float | complex | np.number):
        return None
    plain = np.array(value, subok=False)
    return plain if plain.dtype.kind in "biufc" and not isinstance(value, bool) else None


def _honest(value: object) -> object:
    """Strip a number of any class of the reader's own; other types have been compared by name already."""
    if isinstance(value, tuple):
        return tuple(
            _honest(entry) if type(entry) is not torch.Tensor or entry.ndim else entry.item() for entry in value
        )
    return _plain(value).item() if isinstance(value, int | float | complex) and not isinstance(value, bool) else value


# Formulas.


def _difference_of_formulas(answer, reference, *, values) -> str | None:
    matrix = isinstance(reference, sp.MatrixBase)
    if not matrix and type(answer) in (int, float, complex, Fraction):
        answer = sp.sympify(answer)
    if not isinstance(answer, sp.MatrixBase if matrix else sp.Expr) or not _is_made_of_sympy(answer):
        return f"Expected {_describe(reference)}; yours is {_describe(answer)}."
    if matrix and answer.shape != reference.shape:
        return f"Expected shape {reference.shape}; yours has shape {answer.shape}."
    if not values:
        return None
    answer, reference = sp.Matrix([answer]), sp.Matrix([reference])
    answer = answer.xreplace(_same_names(answer, reference))
    try:
        return _counterexample(answer, reference) or _unproved(answer - reference)
    except (
        Exception
    ) as error:  # an object that SymPy itself cannot subtract, such as a series with its remainder O(x**2)
        return f"Yours could not be compared with the solution ({type(error).__name__}: {error})."


def _is_made_of_sympy(answer) -> bool:
    """Refuse classes from outside SymPy, which could simplify themselves to anything."""
    entries = answer if isinstance(answer, sp.MatrixBase) else [answer]
    nodes = (node for entry in entries for node in sp.preorder_traversal(entry))
    return all(isinstance(n, AppliedUndef) or type(n).__module__.partition(".")[0] == "sympy" for n in nodes)


def _same_names(answer, reference) -> dict:
    """A symbol is its name: the reader's dt need not carry the assumptions of ours."""
    ours = {symbol.name: symbol for symbol in reference.free_symbols}
    return {symbol: ours[symbol.name] for symbol in answer.free_symbols if symbol.name in ours}


def _counterexample(answer, reference) -> str | None:
    """Look for a point at which the two formulas differ: it refuses most wrong answers, and tells the reader more."""
    free = answer.free_symbols | reference.free_symbols
    symbols = sorted((symbol for symbol in free if isinstance(symbol, sp.Symbol)), key=str)
    rng = np.random.default_rng(0)
    for _ in range(3):
        point = {symbol: _value_for(symbol, rng) for symbol in symbols}
        given, expected = (sp.N(side.subs(point), 30) for side in (answer, reference))
        for a, b in zip(given, expected, strict=True):
            if a.is_number and b.is_finite and not float(abs(a - b)) <= 1e-15 * (1 + float(abs(b))):
                at = ", ".join(f"{symbol} = {value}" for symbol, value in point.items())
                values = f"{sp.N(a, 6)}, expected {sp.N(b, 6)}"
                return f"Yours at {at}: {values}." if at else f"Yours is {values}."
    return None


def _value_for(symbol, rng):
    numerator = int(rng.integers(1, 9))
    if symbol.is_integer:
        return sp.Integer(numerator)
    sign = -1 if symbol.is_negative or (not symbol.is_positive and rng.random() < 0.5) else 1
    return sp.Rational(sign * numerator, 7)


def _unproved(difference) -> str | None:
    if all(sp.simplify(entry) == 0 or entry.equals(0) is True for entry in difference):
        return None
    if difference.has(sp.Float):
        return "Yours has rounded numbers in it. Write them exactly, say with sp.sqrt(…) or sp.Rational(…)."
    return "Yours could not be shown equal to the solution; bring it to a simpler form."


# Functions.


def _compare_functions(
    exercise: Exercise, answer: object, reference: Callable, *, values: bool | None = None
) -> str | None:
    if not callable(answer):
        return f"Expected a function; yours is {_describe(answer)}."
    for trial in range(TRIALS):
        inputs = exercise.draw(trial)
        # Copies, and ours first: a function that changes its arguments must not change what it is compared with.
        expected = reference(*copy.deepcopy(inputs))
        complaint, result = _call(answer, copy.deepcopy(inputs), blank_means_unsolved=trial == 0)
        if complaint is None:
            complaint = _difference(result, expected, exercise, reveal=True, values=values)
        if complaint is None and values is None:
            complaint = _broken_law(exercise, result, *inputs)
        if complaint:
            return f"For {_describe_inputs(exercise.solution, inputs)}: {complaint}"
    return None


def _call(function, inputs, *, blank_means_unsolved) -> tuple[str | None, object]:
    """Call the reader's function; whatever it raises is a wrong answer, unless it shows that a blank was left in it."""
    try:
        result = function(*inputs)
    except NotImplementedError:
        raise Unsolved from None
    except (Exception, SystemExit) as error:
        if "ellipsis" in str(error):
            raise Unsolved from None
        return f"your function raised {type(error).__name__}: {error}", None
    if _is_blank(result):
        if blank_means_unsolved:
            raise Unsolved
        return f"your function returned {_describe(result)}.", None
    return None, result


def _broken_law(exercise: Exercise, answer: object, *inputs) -> str | None:
    for sentence, law in exercise.laws.items():
        try:
            holds = law(copy.deepcopy(_honest(answer)), *copy.deepcopy(inputs))
        except Exception as error:
            return (
                f"This must hold, and could not be evaluated for yours: {sentence} ({type(error).__name__}: {error})."
            )
        if not isinstance(holds, bool | np.bool_):
            raise TypeError(f"Exercise {exercise.id}: the law {sentence!r} must return True or False; got {holds!r}")
        if not holds:
            return f"This must hold, and does not for yours: {sentence}."
    return None


def _misconception(exercise: Exercise, answer: object) -> str:
    """Return the sentence of the known wrong answer that this one equals, if any."""
    for sentence, known in exercise.wrong.items():
        try:
            if exercise.is_function:
                same = callable(known) and _compare_functions(exercise, answer, known, values=True) is None
            else:
                same = _difference(answer, known, exercise, values=True) is None
        except Exception:  # a known wrong answer may fail on inputs on which the solution does not
            same = False
        if same:
            return sentence
    return ""


def _almost(exercise: Exercise, answer: object) -> str:
    """Tell a rounded answer from a wrong one, where numbers are typed by hand."""
    if exercise.rtol is None or exercise.is_function or exercise.laws:
        return ""
    generous = dataclasses.replace(exercise, rtol=10 * exercise.rtol)
    if _difference(answer, exercise.solution, generous) is not None:
        return ""
    return "But it is close: give more digits, or find the small thing that is missing."


# Words.


def _is_blank(value: object) -> bool:
    if isinstance(value, tuple | list):
        return any(_is_blank(entry) for entry in value)
    if isinstance(value, dict):
        return any(_is_blank(entry) for entry in value.values())
    if type(value) is np.ndarray:
        return value.dtype.kind == "O" and any(_is_blank(entry) for entry in value.ravel().tolist())
    return (
        value is ... or value is None or value is NotImplemented or (type(value) is str and value in ("", "...", "…"))
    )


def _describe(value: object) -> str:
    """Name a value's kind in words; anything that is not plain is only named by its type, never printed."""
    if isinstance(value, torch.Tensor):
        return f"a torch tensor of shape {tuple(value.shape)}, {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, np.ndarray):
        return f"a NumPy array of shape {value.shape}, {value.dtype}"
    if type(value) in (str, bool, np.bool_):
        return f"the {'string' if type(value) is str else 'truth value'} {value!r}"
    if type(value) in (tuple, list):
        return f"a {type(value).__name__} of {len(value)} result{'' if len(value) == 1 else 's'}"
    if isinstance(value, sp.MatrixBase):
        return f"a SymPy matrix of shape {value.shape}"
    if isinstance(value, sp.Basic):
        return "a SymPy expression" if isinstance(value, sp.Expr) else f"a SymPy {type(value).__name__}"
    if inspect.isroutine(value):
        return "a function"
    if type(value) in (int, float, complex, Fraction) or isinstance(value, np.number):
        return "a number"
    return "None" if value is None else f"of type {type(value).__name__}"


def _describe_inputs(function: Callable, inputs: tuple) -> str:
    names = list(inspect.signature(function).parameters)
    names += [f"argument {n + 1}" for n in range(len(names), len(inputs))]
    return ", ".join(_describe_input(name, value) for name, value in zip(names, inputs, strict=False))


def _describe_input(name: str, value: object) -> str:
    plain = _plain(value)
    if plain is None and _is_short_text(value):
        return f"{name} = {value!r}"
    if plain is None:
        return f"{name} {_describe(value)}"
    return f"{name} = {plain.item():.6g}" if plain.ndim == 0 else f"{name} of shape {plain.shape}"


def _is_short_text(value: object) -> bool:
    """Words that the reader can copy from the message to try the function again."""
    words = value if isinstance(value, list) else [value]
    return 0 < len(words) <= 30 and all(isinstance(word, str) for word in words) and len(repr(value)) <= 250
