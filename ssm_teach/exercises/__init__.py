r"""Exercises that check themselves: ``check("discretization.1", answer)`` as the last line of a cell.

An unsolved stub is met kindly, a wrong answer raises `WrongAnswer` with one more hint at every attempt, and only a
right answer turns green. Type and shape are compared before values, and nothing is ever broadcast.

How to write a chapter's exercises
----------------------------------
Chapter ``NN-some-slug`` has the file ``ssm_teach/exercises/some_slug.py`` with one list, ``EXERCISES``. It is found by
its name, nothing else has to be edited, and the tests run every entry: the solution must pass, the blank must not, each
wrong answer must be refused. The kind of exercise follows from the type of its ``solution``::

    import numpy as np
    import sympy as sp

    from ssm_teach.exercises import Exercise

    a, dt = sp.symbols("a dt")


    def _decay(rng):                       # draws the arguments of one trial; let shapes vary too
        N = rng.integers(1, 6)
        return -rng.uniform(0.1, 2, N), rng.uniform(0.01, 0.5)


    EXERCISES = [
        Exercise(                          # a number; typed by hand, hence the loose tolerance
            "discretization.1",
            solution=0.1353,
            rtol=1e-3,
            wrong={"The sign of the exponent is reversed.": 7.389},
            hints=["Zero input leaves dx/dt = a x.", "Its solution after one second is exp(a), and a = -2."],
        ),
        Exercise(                          # a formula, proved equal with SymPy; symbols are matched by their names
            "discretization.2",
            solution=1 / (1 - dt * a),
            wrong={"This is forward Euler.": 1 + dt * a},
            hints=["Evaluate the right-hand side at the end of the step."],
        ),
        Exercise(                          # a function, compared with yours on six random inputs
            "discretization.3",
            solution=lambda A, dt: np.exp(A * dt),
            inputs=_decay,
            wrong={"This is the first-order series.": lambda A, dt: 1 + A * dt},
            hints=["The equation of each entry is scalar."],
        ),
        Exercise(                          # a choice
            "discretization.4",
            solution="b",
            options={"a": "forward Euler", "b": "bilinear", "c": "backward Euler"},
            wrong={"It maps part of the left half plane outside the unit circle.": "a"},
            hints=["Look at where the imaginary axis goes."],
        ),
        Exercise(                          # anything that obeys laws: shape as in the solution, values free
            "discretization.5",
            solution=np.array([[0.0, 1.0], [-1.0, 0.0]]),
            laws={"both eigenvalues must be imaginary": lambda A: bool(abs(np.linalg.eigvals(A).real).max() < 1e-12),
                  "A must not be zero": lambda A: bool(abs(A).max() > 0)},
            wrong={"": np.array([[1.0, 0.0], [0.0, 1.0]])},
            hints=["Think of a rotation."],
        ),
    ]

``solution``
    int (compared exactly), float, complex, bool, str (then ``options`` is needed), NumPy array, torch tensor, SymPy
    expression or matrix, a tuple of these, or a function that returns any of these (then ``inputs`` is needed).
``wrong``
    At least one plausible wrong answer under the sentence that says what went wrong in it ("" for none). A reader whose
    answer equals it is shown that sentence. It must be wrong on the checked inputs.
``hints``
    At least one. The first wrong attempt is told what differs; each later one also gets one hint more.
``rtol``, ``atol``
    An entry is right within ``rtol`` times the largest entry of the solution, plus ``atol``. Unless given, ``rtol`` is
    1e-9 for float64 and 1e-5 for float32. A solution of exactly 0.0 needs ``atol``. Integers, truth values: exact.
``laws``
    Sentence → predicate; compares properties in place of values. For functions: ``predicate(result, *inputs)``.

In the chapter, the stub is a cell tagged ``exercise`` that ends in ``check("some-slug.1", answer)`` with a blank
answer, and the solution is a folded cell (tag ``hide-cell``) that ends the same way with a right one.
"""

import importlib
import pkgutil

from ssm_teach.errors import choose
from ssm_teach.exercises._judge import Exercise, Unsolved, judge
from ssm_teach.exercises._verdict import Verdict, WrongAnswer

__all__ = ["Exercise", "Verdict", "WrongAnswer", "check", "registered"]

_wrong_attempts: dict[str, int] = {}


def registered() -> dict[str, Exercise]:
    """Return every exercise of every chapter, by id, in the order of the files."""
    exercises: dict[str, Exercise] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.name.startswith("_"):
            continue
        for exercise in importlib.import_module(f"{__name__}.{module.name}").EXERCISES:
            slug = exercise.id.rpartition(".")[0]
            if slug.replace("-", "_") != module.name or exercise.id in exercises:
                raise AssertionError(
                    f"{module.name}.py: exercise id {exercise.id!r} is a duplicate or not {module.name}.n"
                )
            exercises[exercise.id] = exercise
    return exercises


def check(id: str, answer: object) -> Verdict:
    """Judge ``answer`` to the exercise ``id``.

    Args:
        id: Chapter and number, such as ``"discretization.1"``.
        answer: A value or a function, whatever the exercise asks for; ``...`` or None while it is unsolved.
    Returns: A `Verdict`, which a notebook shows as a badge: ``unsolved`` or ``right``. It is true only when right.
    Raises:
        WrongAnswer: With the verdict, which says what differs and gives one more hint at every attempt.
        UserError: If there is no exercise of that id.
    """
    exercises = registered()
    exercise = exercises[choose("check", "exercise", id, exercises)]
    try:
        complaint = judge(exercise, answer)
    except Unsolved:
        return Verdict(id, "unsolved", "Not solved yet. Replace the blank, then run this cell again.")
    if complaint is None:
        _wrong_attempts.pop(id, None)
        return Verdict(id, "right", "Right.")
    attempt = _wrong_attempts[id] = _wrong_attempts.get(id, 0) + 1
    raise WrongAnswer(Verdict(id, "wrong", complaint, _staged(exercise.hints, attempt)))


def _staged(hints, attempt: int) -> str:
    """Nothing more than what differs at first, then one hint more at every attempt, then the way to the solution."""
    shown = [f"Hint {n}: {hint}" for n, hint in enumerate(hints[: attempt - 1], start=1)]
    if attempt - 1 > len(hints):
        shown.append("A worked solution is folded below the exercise.")
    return "\n".join(shown)
