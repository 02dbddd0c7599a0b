"""Exercises of chapter 20, "The arena"."""

import math

from ssm_teach.exercises import Exercise

OPERATORS = ("[MIN", "[MAX", "[MED", "[SM")


def _grow(rng, depth):
    if depth == 0 or rng.uniform() > 0.6:
        return [str(rng.integers(10))]
    words = [OPERATORS[rng.integers(4)]]
    for _ in range(rng.integers(2, 5)):
        words += _grow(rng, depth - 1)
    return [*words, "]"]


def _expression(rng):
    """A list, never a single digit, up to four levels deep."""
    while len(words := _grow(rng, 4)) == 1:
        pass
    return (words,)


def _evaluate(words, cut=True, last_digit=True, until=None):
    stack = []
    for word in words[:until]:
        if word != "]":
            stack.append(word if word[0] == "[" else int(word))
            continue
        values = []
        while not isinstance(stack[-1], str):
            values.append(stack.pop())
        stack.append(_apply(stack.pop(), sorted(values), cut, last_digit))
    return stack[0]


def _apply(operator, values, cut, last_digit):
    if operator in ("[MIN", "[MAX"):
        return values[0] if operator == "[MIN" else values[-1]
    if operator == "[SM":
        return sum(values) % 10 if last_digit else sum(values)
    low, high = values[(len(values) - 1) // 2], values[len(values) // 2]
    return (low + high) // 2 if cut else high


EXERCISES = [
    Exercise(
        "arena.1",
        solution=9,
        wrong={
            "Of a sum, only the last digit counts.": 19,
            "The median of an even number of values is the mean of the middle two: of 1, 3, 7, 8 it is 5.": 1,
        },
        hints=["Work from the inside out: MIN, then MAX and MED, then SM.", "9 + 5 + 5, and its last digit."],
    ),
    Exercise(
        "arena.2",
        solution=4.7244,
        rtol=1e-3,
        wrong={
            "With two to ten arguments, this is what depth 5 gives.": 15.2188,
            "Four levels have lists, the fifth has digits only.": 5.3838,
            "A list has two symbols of its own: the operator and the bracket that closes.": 3.0691,
        },
        hints=[
            "A list has 3.5 arguments on average, and a place is a list once in four.",
            "E n = ¾ + ¼(2 + 3.5 E n'), from 1 at the deepest level, four times.",
        ],
    ),
    Exercise(
        "arena.3",
        solution=lambda W, dy, dx: W * dy + dx,
        inputs=lambda rng: (int(rng.integers(8, 200)), int(rng.integers(0, 30)), int(rng.integers(-7, 8))),
        wrong={
            "Rows are as long as the picture is wide: a row down is W steps, not one.": lambda W, dy, dx: dy + W * dx,
            "Along the sequence there is no Pythagoras.": lambda W, dy, dx: math.hypot(dy, dx),
        },
        hints=["From a pixel to the one under it, a whole row is read.", "W steps for each row, 1 for each column."],
    ),
    Exercise(
        "arena.4",
        solution=0.9738,
        rtol=1e-2,
        wrong={
            "This is the difference in standard errors of one of the two scores.": 1.38,
            "Standard errors of independent numbers add in squares.": 0.689,
        },
        hints=[
            "The standard error of one score is the root of p(1 − p)/n, here about 1.09 points.",
            "That of the difference is the root of the sum of both squares.",
        ],
    ),
    Exercise(
        "arena.5",
        solution=_evaluate,
        inputs=_expression,
        wrong={
            "Of a sum, only the last digit counts.": lambda words: _evaluate(words, last_digit=False),
            "Of an even number of values, the median is the mean of the middle two, rounded down.": lambda words: (
                _evaluate(words, cut=False)
            ),
        },
        hints=[
            "Push operators and digits. At a closing bracket, pop until an operator comes out.",
            "`while not isinstance(stack[-1], str): arguments.append(stack.pop())`, then push the result.",
        ],
    ),
]
