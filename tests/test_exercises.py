"""Exercises: solutions pass, blanks wait, wrong answers are refused, and nobody talks the checker into green."""

import re
from fractions import Fraction
from pathlib import Path

import jupytext
import numpy as np
import pytest
import sympy as sp
import torch

from ssm_teach import exercises
from ssm_teach.errors import UserError
from ssm_teach.exercises import Exercise, WrongAnswer, check, registered
from ssm_teach.exercises._judge import TRIALS, Unsolved, judge

ROOT = Path(__file__).parents[1]
EVERY = registered()


def refused(exercise, answer):
    """Wrong or unsolved: anything but right."""
    try:
        return judge(exercise, answer) is not None
    except Unsolved:
        return True


def define(solution, wrong=None, **options):
    return Exercise("test.1", solution=solution, wrong={"Known slip.": wrong}, hints=["First.", "Second."], **options)


# Every exercise of every chapter; later chapters join by being there.


@pytest.mark.parametrize("id", EVERY)
def test_solution_passes(id):
    assert judge(EVERY[id], EVERY[id].solution) is None


@pytest.mark.parametrize("id", EVERY)
@pytest.mark.parametrize(
    "blank", [..., None, lambda *_: ..., lambda *_: None], ids=["dots", "None", "f→dots", "f→None"]
)
def test_blank_does_not_pass(id, blank):
    assert refused(EVERY[id], blank)


@pytest.mark.parametrize("id", EVERY)
def test_dots_are_met_kindly(id):
    assert check(id, ...).status == "unsolved"


@pytest.mark.parametrize(("id", "slip"), [(id, slip) for id, exercise in EVERY.items() for slip in exercise.wrong])
def test_known_wrong_answer_is_refused_and_explained(id, slip):
    complaint = judge(EVERY[id], EVERY[id].wrong[slip])
    assert complaint
    # A slip whose answer also breaks the type or the shape is explained by that.
    assert slip in complaint or "xpected" in complaint or "raised" in complaint or "This must hold" in complaint


@pytest.mark.parametrize("id", [id for id, exercise in EVERY.items() if exercise.is_function])
def test_functions_are_tried_on_inputs_of_several_shapes(id):
    trials = [EVERY[id].draw(trial) for trial in range(TRIALS)]
    shapes = [
        [np.shape(value) for value in inputs if isinstance(value, np.ndarray | torch.Tensor)] for inputs in trials
    ]
    assert len({repr(inputs) for inputs in trials}) > 1
    assert not any(shapes[0]) or len({str(shape) for shape in shapes}) > 1


def slug(stem):
    """The name of a page without its number, if it has one."""
    return re.sub(r"^\d+-", "", stem)


def cells_that_check(tag):
    """Exercise ids by chapter, as found in code cells of a tag."""
    found = {}
    for path in sorted((ROOT / "book").glob("*.md")):
        for cell in jupytext.read(path, fmt="md:myst").cells:
            if cell.cell_type == "code" and tag in cell.metadata.get("tags", []):
                for id in re.findall(r"\bcheck\(\s*[\"']([^\"']+)[\"']", cell.source):
                    found.setdefault(path.stem, []).append(id)
    return found


@pytest.mark.parametrize(("tag", "role"), [("exercise", "stub"), ("hide-cell", "solution")])
def test_every_exercise_has_one_stub_and_one_solution_in_its_chapter(tag, role):
    found = cells_that_check(tag)
    for stem, ids in found.items():
        assert [id for id in ids if id.rpartition(".")[0] != slug(stem)] == [], f"{stem}: foreign ids"
    assert sorted(id for ids in found.values() for id in ids) == sorted(EVERY), (
        f"a {role} is missing, double or unknown"
    )


@pytest.mark.book
@pytest.mark.parametrize("id", EVERY)
def test_built_page_shows_the_stub_unsolved_and_the_solution_right(id):
    built = (ROOT / "_build" / "html" / "book").glob("*.html")
    pages = [path for path in built if slug(path.stem) == id.rpartition(".")[0]]
    if not pages:
        pytest.skip("the book is not built; run `make book`")
    statuses = re.findall(rf'ssm-verdict--(\w+)" role="status" data-exercise="{re.escape(id)}"', pages[0].read_text())
    assert sorted(statuses) == ["right", "unsolved"]


# The checker itself.


def _yes(*_):
    return True


class Agrees:
    """Claims to equal, be close to and be below everything."""

    __hash__ = None
    shape = ()
    dtype = np.dtype(float)
    ndim = 0

    __eq__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = _yes

    def _self(self, *_):
        return self

    __sub__ = __rsub__ = __abs__ = __add__ = __radd__ = __mul__ = __rmul__ = _self


class AgreeingFloat(float):
    __eq__ = __lt__ = __le__ = __ge__ = _yes
    __hash__ = float.__hash__
    __sub__ = __rsub__ = lambda *_: 0.0


class AgreeingArray(np.ndarray):
    __eq__ = _yes
    __hash__ = None
    __sub__ = __rsub__ = lambda self, *_: np.zeros(self.shape)

    def __array_ufunc__(self, *_, **__):
        return np.zeros(3)


class AgreeingSymbol(sp.Symbol):
    __eq__ = _yes
    __hash__ = sp.Symbol.__hash__
    __sub__ = __rsub__ = __add__ = __radd__ = lambda *_: sp.S.Zero


class VanishingSymbol(sp.Symbol):
    """Cannot be evaluated anywhere, and is nothing as soon as something is subtracted from it."""

    __eq__ = sp.Symbol.__eq__
    __hash__ = sp.Symbol.__hash__
    __sub__ = __rsub__ = __add__ = __radd__ = lambda *_: sp.S.Zero

    def subs(self, *_, **__):
        return self

    xreplace = subs


class AgreeingString(str):
    __eq__ = _yes
    __hash__ = str.__hash__


CHEATS_AT_A_NUMBER = [
    np.nan, np.inf, "0.25", True, [0.25], (0.25,), {0.25}, np.array([0.25]), np.full((1, 1), 0.25),
    torch.tensor([0.25]), 0.25 + 0j, 0.25 + 1e-300j, 0.25 * (1 + 1e-8), -0.25, Agrees(), AgreeingFloat(3.0),
    sp.Rational(1, 4), lambda: 0.25, np.bool_(True), np.ma.masked, np.array(0.25, dtype=object), range(1),
    object(), np.datetime64("2020"), b"0.25",
]  # fmt: skip


@pytest.mark.parametrize("cheat", CHEATS_AT_A_NUMBER, ids=lambda cheat: type(cheat).__name__)
def test_no_cheat_passes_for_a_number(cheat):
    assert refused(define(0.25, wrong=0.5), cheat)


@pytest.mark.parametrize(
    "same", [0.25, np.float64(0.25), np.array(0.25), torch.tensor(0.25), Fraction(1, 4), np.float32(0.25)]
)
def test_a_number_is_right_in_every_plain_form(same):
    assert judge(define(0.25, wrong=0.5), same) is None


@pytest.mark.parametrize("cheat", [7.000000000000001, 6.999999, 7.5, True, "7", 8, np.nan, 7 + 1e-12j])
def test_an_integer_is_exact(cheat):
    assert refused(define(7, wrong=8), cheat)
    assert judge(define(7, wrong=8), 7.0) is None


def test_one_is_not_true_and_true_is_not_one():
    assert refused(define(1, wrong=2), True)
    assert refused(define(True, wrong=False), 1)
    assert judge(define(True, wrong=False), np.bool_(True)) is None


def test_large_integers_are_not_compared_as_floats():
    assert refused(define(2**53 + 1, wrong=0), float(2**53))
    assert refused(define(np.array([2**53 + 1]), wrong=0), np.array([float(2**53)]))


def test_a_number_typed_by_hand_needs_only_the_digits_asked_for():
    exercise = define(float(np.exp(-2)), wrong=7.39, rtol=1e-3)
    assert judge(exercise, 0.1353) is None
    assert refused(exercise, 0.136)


def test_a_solution_of_zero_is_exact_unless_told_otherwise():
    assert refused(define(0.0, wrong=1.0), 1e-300)
    assert judge(define(0.0, wrong=1.0, atol=1e-12), 1e-13) is None


VALUES = np.array([1.0, 2.0, 3.0])
CHEATS_AT_AN_ARRAY = [
    [1.0, 2.0, 3.0], (1.0, 2.0, 3.0), 1.0, VALUES[None], VALUES[:, None], VALUES[:2], np.empty((0,)),
    VALUES + 0j, VALUES > 0, VALUES.astype(object), VALUES.astype(str), torch.tensor(VALUES),
    np.array([1.0, 2.0, np.nan]), np.array([1.0, np.inf, 3.0]), VALUES + 1e-6,
    np.ma.array(VALUES, mask=True), VALUES.view(AgreeingArray) + 1, Agrees(), VALUES[::-1],
    np.zeros(3).view(AgreeingArray), np.array([Agrees()] * 3, dtype=object), (1.1 * VALUES).astype(np.float16),
    np.ones((3, 3)), np.array([1.0, ..., 3.0], dtype=object), iter(VALUES), {0: 1.0}, sp.Matrix([1, 2, 3]),
]  # fmt: skip


@pytest.mark.parametrize("cheat", CHEATS_AT_AN_ARRAY, ids=lambda cheat: type(cheat).__name__)
def test_no_cheat_passes_for_an_array(cheat):
    assert refused(define(VALUES, wrong=-VALUES), cheat)


def test_nothing_is_broadcast_even_when_every_entry_agrees():
    ones = define(np.ones((3, 3)), wrong=np.zeros((3, 3)))
    for answer in [1.0, np.ones(3), np.ones((1, 3)), np.ones((3, 1)), np.ones((1, 3, 3)), np.ones((0, 3))]:
        assert "shape" in judge(ones, answer)


def test_a_tensor_is_not_an_array():
    exercise = define(torch.tensor(VALUES), wrong=torch.zeros(3))
    assert judge(exercise, torch.tensor(VALUES, requires_grad=True)) is None
    assert judge(exercise, torch.nn.Parameter(torch.tensor(VALUES))) is None
    assert refused(exercise, VALUES)
    assert refused(exercise, torch.tensor(VALUES, dtype=torch.bfloat16) + 0.01)
    assert refused(exercise, torch.tensor(VALUES).to_sparse())


def test_tolerance_follows_the_precision_of_the_solution():
    single = VALUES.astype(np.float32)
    assert judge(define(single, wrong=-single), single * np.float32(1 + 1e-6)) is None
    assert "only float32" in judge(define(VALUES / 3, wrong=-VALUES), (VALUES / 3).astype(np.float32))


def test_a_tuple_is_compared_piece_by_piece():
    exercise = define((VALUES, 1.0), wrong=(VALUES, 2.0))
    assert judge(exercise, (VALUES, 1.0)) is None
    for answer in [(VALUES, 1.5), (1.0, VALUES), [VALUES, 1.0], (VALUES,), (VALUES, 1.0, 1.0), VALUES]:
        assert refused(exercise, answer)
    with pytest.raises(Unsolved):
        judge(exercise, (VALUES, ...))


@pytest.mark.parametrize(
    "blank", [..., None, [...], (..., 1), np.array([..., 1.0], dtype=object), {"a": None}, "", "..."]
)
def test_blanks_are_recognised_everywhere(blank):
    for exercise in [
        define(1.0, wrong=2.0),
        define(VALUES, wrong=-VALUES),
        define("a", wrong="b", options={"a": "", "b": ""}),
    ]:
        with pytest.raises(Unsolved):
            judge(exercise, blank)


# Formulas.

a, dt = sp.symbols("a dt", positive=True)


@pytest.mark.parametrize(
    "same",
    [(1 + a * dt / 2) / (1 - a * dt / 2), (2 + a * dt) / (2 - a * dt), -1 - 4 / (a * dt - 2)],
)
def test_a_formula_is_right_in_every_form(same):
    exercise = define((1 + a * dt / 2) / (1 - a * dt / 2), wrong=1 + a * dt)
    assert judge(exercise, same) is None
    assert judge(exercise, same.subs({a: sp.Symbol("a"), dt: sp.Symbol("dt")})) is None


CHEATS_AT_A_FORMULA = [
    1 + a * dt, sp.nan, sp.zoo, sp.oo, sp.Eq(a, a), sp.true, "exp(a*dt)",
    VanishingSymbol("q"), AgreeingSymbol("a"), Agrees(), 1.0,
    [sp.exp(a * dt)], sp.Matrix([sp.exp(a * dt)]), sp.exp(a * sp.Symbol("Delta")),
    sp.exp(a * dt) + sp.Rational(1, 10**20), sp.Symbol("q"), AgreeingSymbol("a") + sp.exp(a * dt), sp.exp,
    sp.Function("f")(a), lambda: sp.exp(a * dt), sp.exp(a * dt).series(a, 0, 9),
]  # fmt: skip


@pytest.mark.parametrize("cheat", CHEATS_AT_A_FORMULA, ids=lambda cheat: type(cheat).__name__)
def test_no_cheat_passes_for_a_formula(cheat):
    assert refused(define(sp.exp(a * dt), wrong=1 + a * dt), cheat)


def test_a_matrix_of_formulas_is_compared_by_shape_first():
    rotation = sp.Matrix([[sp.cos(a), -sp.sin(a)], [sp.sin(a), sp.cos(a)]])
    exercise = define(rotation, wrong=rotation.T)
    assert judge(exercise, sp.ImmutableMatrix(rotation)) is None
    assert "shape" in judge(exercise, sp.Matrix(4, 1, list(rotation)))
    assert refused(exercise, rotation.T)
    assert refused(exercise, np.array(rotation))


# Choices.


@pytest.mark.parametrize(
    "cheat", ["a", "c", "B", "b ", 1, AgreeingString("a"), AgreeingString("b"), ["b"], Agrees(), b"b"]
)
def test_no_cheat_passes_for_a_choice(cheat):
    exercise = define("b", wrong="a", options={"a": "Euler", "b": "bilinear"})
    assert judge(exercise, "b") is None
    assert refused(exercise, cheat)


# Functions and laws.


def _inputs(rng):
    N = rng.integers(1, 5)
    return rng.standard_normal((N, N)), rng.standard_normal(N)


product = define(lambda A, x: A @ x, wrong=lambda A, x: A.T @ x, inputs=_inputs)


def mutating(A, x):
    result = A @ x
    A[:], x[:] = 0, 0
    return result


def test_a_function_is_compared_on_random_inputs():
    assert judge(product, lambda A, x: (A * x).sum(axis=1)) is None
    assert judge(product, mutating) is None


def raising(A, x):
    raise ZeroDivisionError("by nought")


def exiting(A, x):
    raise SystemExit(0)


def zeroing(A, x):
    A[:], x[:] = 0, 0
    return A @ x


def forgetful():
    """Right once, then nothing."""
    calls = iter(range(1000))
    return lambda A, x: A @ x if next(calls) == 0 else None


WRONG_FUNCTIONS = [
    lambda A, x: x @ A, lambda A, x: A * x, lambda A, x: (A @ x)[:, None], lambda A, x: list(A @ x),
    lambda A, x: Agrees(), lambda A, x: np.nan * x, lambda A, x: A @ x + 0j,
    lambda A, x: (A @ x).astype(np.float32), lambda A: A, lambda A, x: A @ x @ x,
    lambda A, x: (A @ x).view(AgreeingArray), forgetful(), lambda A, x: lambda: A @ x, lambda A, x: (A @ x,),
    raising, exiting, zeroing, Agrees(), 3.0, type, "A @ x",
]  # fmt: skip


@pytest.mark.parametrize("cheat", WRONG_FUNCTIONS)
def test_no_cheat_passes_for_a_function(cheat):
    complaint = judge(product, cheat)
    assert isinstance(complaint, str)


def test_an_error_in_the_readers_function_is_told_with_the_inputs_that_caused_it():
    assert re.search(
        r"For A of shape \(\d, \d\), x of shape .* raised ZeroDivisionError: by nought", judge(product, raising)
    )


def _not_written(A, x):
    raise NotImplementedError


def _half_written(A, x):
    y = ...
    return y + A @ x


@pytest.mark.parametrize(
    "stub", [_not_written, _half_written, lambda A, x: (A, ...), lambda A, x: None, lambda A, x: ...]
)
def test_a_stub_of_a_function_is_unsolved(stub):
    with pytest.raises(Unsolved):
        judge(product, stub)


def test_laws_accept_every_answer_that_obeys_them_and_no_other():
    laws = {"A must be stable": lambda A: bool(np.linalg.eigvals(A).real.max() < 0)}
    stable = define(-np.eye(2), wrong=np.eye(2), laws=laws)
    assert judge(stable, np.array([[-1.0, 5.0], [0.0, -2.0]])) is None
    assert "A must be stable" in judge(stable, np.eye(2))
    for cheat in [-np.eye(3), np.full((2, 2), np.nan), -1.0, Agrees(), -np.eye(2) + 0j, [[-1, 0], [0, -1]]]:
        assert refused(stable, cheat)


def test_laws_see_a_plain_number_only():
    negative = define(-1.0, wrong=1.0, laws={"x < 0": lambda x: bool(x < 0)})
    assert refused(negative, AgreeingFloat(1.0))


def test_laws_see_plain_numbers_in_place_of_a_tuple_of_tensors():
    below = define((-1.0, 1.0), wrong=(1.0, -1.0), laws={"the first is less": lambda pair: pair[0] < pair[1]})
    assert judge(below, (torch.tensor(0.0), torch.tensor(2.0))) is None
    assert "the first is less" in judge(below, (torch.tensor(2.0), torch.tensor(0.0)))


def test_nothing_that_is_not_a_number_obeys_a_law():
    bounded = define(-1.0, wrong=1.0, laws={"x must not be positive": lambda x: not x > 0})
    assert judge(bounded, -5.0) is None
    assert "not a number" in judge(bounded, np.nan)
    assert "infinite" in judge(bounded, -np.inf)


def test_a_law_of_a_function_sees_its_inputs():
    def halves(x, y):
        return bool(np.allclose(2 * y, x))

    exercise = define(
        lambda x: x / 2, wrong=lambda x: 2 * x, inputs=lambda rng: (rng.standard_normal(rng.integers(1, 5)),),
        laws={"twice the result is x": lambda y, x: halves(x, y)},
    )  # fmt: skip
    assert judge(exercise, lambda x: 0.5 * x) is None
    assert "twice the result is x" in judge(exercise, lambda x: x)


# What the reader sees.


@pytest.fixture
def one(monkeypatch):
    exercise = define(0.25, wrong=0.5)
    monkeypatch.setattr(exercises, "registered", lambda: {"test.1": exercise})
    monkeypatch.setattr(exercises, "_wrong_attempts", {})
    return exercise


def hint_after(answer):
    with pytest.raises(WrongAnswer) as caught:
        check("test.1", answer)
    return caught.value.verdict


def test_each_wrong_attempt_brings_one_hint_more(one):
    assert hint_after(0.3).hint == ""
    assert hint_after(0.3).hint == "Hint 1: First."
    check("test.1", ...)
    assert hint_after(0.3).hint == "Hint 1: First.\nHint 2: Second."
    assert "solution is folded" in hint_after(0.3).hint
    assert check("test.1", 0.25)
    assert hint_after(0.3).hint == ""


def test_a_wrong_answer_never_shows_the_right_one(one):
    for _ in range(5):
        assert "0.25" not in repr(hint_after(0.3))


def test_a_known_slip_is_named(one):
    assert "Known slip." in hint_after(0.5).message


@pytest.mark.parametrize(("answer", "close"), [(0.2510, True), (0.2490, True), (0.26, False), (-0.25, False)])
def test_a_rounded_number_is_told_from_a_wrong_one(answer, close):
    complaint = judge(define(0.25, wrong=0.5, rtol=1e-3), answer)
    assert ("close" in complaint) is close


@pytest.mark.parametrize("rtol", [None, 1e-3])
def test_only_numbers_typed_by_hand_are_close(rtol):
    assert "close" not in judge(define(25, wrong=1, rtol=rtol), 25.01)
    assert "close" not in judge(define(0.25, wrong=0.5), 0.25 + 1e-9)


@pytest.mark.parametrize("rows", [[[1, 0], [0, 1]], ((1, 0), (0, 1)), sp.eye(2)], ids=["list", "tuple", "sympy"])
def test_rows_of_numbers_are_told_how_to_become_an_array(rows):
    assert "Write np.array(…" in judge(define(np.eye(2), wrong=np.zeros((2, 2))), rows)
    assert "np.array" not in judge(define(0.25, wrong=0.5), rows)


def test_what_has_the_right_value_in_a_wrong_form_is_told_the_form():
    assert "Write float(…)" in judge(define(0.25, wrong=0.5), sp.Rational(1, 4))
    assert "Write complex(…)" in judge(define(1j, wrong=0.5j), sp.I)
    assert "float" not in judge(define(0.25, wrong=0.5), sp.Symbol("x"))
    assert "round brackets" in judge(define((1.0, 2.0), wrong=(2.0, 1.0)), [1.0, 2.0])
    assert "Write them exactly" in judge(define(sp.sqrt(99) * a, wrong=a), 99**0.5 * a)


def test_only_right_is_true(one):
    assert check("test.1", 0.25)
    assert not check("test.1", ...)
    assert not hint_after(0.3)


def test_the_badge_escapes_what_the_reader_wrote(one):
    verdict = hint_after("<b>0.25</b>")
    assert "<b>" not in verdict._repr_html_()
    assert 'class="ssm-verdict ssm-verdict--wrong" role="status"' in verdict._repr_html_()


def test_a_notebook_shows_the_sentence_without_the_checkers_frames(one, capsys):
    with pytest.raises(WrongAnswer) as caught:
        check("test.1", 0.3)
    for _ in range(2):  # as IPython does, for the page and for its history
        assert caught.value._render_traceback_() == ["WrongAnswer: test.1"]
    assert capsys.readouterr().out.count("Not yet") == 1


def test_an_unknown_exercise_is_one_sentence(one):
    with pytest.raises(
        UserError, match=r"check: unknown exercise 'test.2'; choose one of test.1 \(did you mean test.1\?\)"
    ):
        check("test.2", 1)
    with pytest.raises(UserError, match="unknown exercise 3"):
        check(3, 1)


@pytest.mark.parametrize(
    "fault",
    [
        {"wrong": {}},
        {"hints": []},
        {"hints": "one"},
        {"inputs": lambda rng: ()},
        {"solution": "a"},
        {"solution": abs},
        {"id": "x"},
    ],
)
def test_a_faulty_definition_is_refused(fault):
    fields = {"id": "test.1", "solution": 1.0, "wrong": {"": 2.0}, "hints": ["Look."]} | fault
    with pytest.raises(UserError, match="Exercise"):
        Exercise(**fields)


def test_the_examples_of_the_documentation_are_sound():
    listing = re.search(r"EXERCISES = \[.*?\n    \]\n", exercises.__doc__, re.DOTALL)
    source = exercises.__doc__.split("its ``solution``::\n")[1][: listing.end()].split("\n``solution``\n")[0]
    names = {}
    exec("\n".join(line[4:] for line in source.splitlines()), names)
    for exercise in names["EXERCISES"]:
        assert judge(exercise, exercise.solution) is None
        assert all(judge(exercise, wrong) for wrong in exercise.wrong.values())


def test_exact_sympy_number_is_told_how_to_become_a_number():
    exercise = Exercise("t.1", solution=0.25, wrong={"": 1.0}, hints=["h"])
    assert judge(exercise, sp.Rational(1, 4)).endswith("yours is a SymPy expression. Write float(…) around it.")
    assert not judge(exercise, sp.Symbol("q")).endswith("around it.")


def test_short_lists_of_words_are_shown_so_that_the_reader_can_try_them():
    def asked(words):
        exercise = Exercise("t.1", solution=len, inputs=lambda rng: (words,), wrong={"": 0}, hints=["h"])
        return judge(exercise, lambda words: -1)

    assert asked(["[MAX", "4", "]"]).startswith("For obj = ['[MAX', '4', ']']: Yours: -1, expected 3.")
    assert asked(["4"] * 99).startswith("For obj a list of 99 results: ")


ARENA_SLIPS = {
    "the median is not rounded": lambda values: (
        sum(sorted(values)[(len(values) - 1) // 2 : len(values) // 2 + 1]) / (2 - len(values) % 2)
    ),
    "the median is rounded up": lambda values: int(np.ceil(np.median(values))),
    "the median is rounded to even": lambda values: round(float(np.median(values))),
    "the mean": lambda values: int(np.mean(values)),
}


@pytest.mark.parametrize("slip", ARENA_SLIPS)
def test_reader_of_listops_with_another_median_is_refused(slip):
    def evaluate(words):
        stack = [[]]
        for word in words:
            if word[0] == "[":
                stack.append([word])
            elif word != "]":
                stack[-1].append(int(word))
            else:
                operator, *values = stack.pop()
                apply = {"[MIN": min, "[MAX": max, "[MED": ARENA_SLIPS[slip], "[SM": lambda v: sum(v) % 10}
                stack[-1].append(apply[operator](values))
        return stack[0][0]

    assert judge(EVERY["arena.5"], evaluate)
