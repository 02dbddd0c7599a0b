"""Exercises of chapter 20, "The arena"."""

from ssm_teach.exercises import Exercise

OPERATORS = ("[MIN", "[MAX", "[MED", "[SM")


def _grow(rng, depth):
    if depth == 0 or rng.uniform() > 0.7:
        return [str(rng.integers(10))]
    words = [OPERATORS[rng.integers(4)]]
    for _ in range(rng.integers(2, 5)):
        words += _grow(rng, depth - 1)
    return [*words, "]"]


def _expression(rng):
    """Lists in a list that tell every mistake from the truth, short enough to be shown to the reader."""
    while True:
        words = _grow(rng, 3)
        if 12 <= len(words) <= 26 and all(mistake(words) != _evaluate(words) for mistake in MISTAKES):
            return (words,)


def _median(values):
    return sum(_middle(values)) // 2


def _middle(values):
    values = sorted(values)
    return values[(len(values) - 1) // 2], values[len(values) // 2]


def _last_digit(values):
    return sum(values) % 10


def _evaluate(words, median=_median, total=_last_digit):
    apply = {"[MIN": min, "[MAX": max, "[MED": median, "[SM": total}
    stack = []
    for word in words:
        if word != "]":
            stack.append(word if word[0] == "[" else int(word))
            continue
        values = []
        while not isinstance(stack[-1], str):
            values.insert(0, stack.pop())
        stack.append(apply[stack.pop()](values))
    return stack[0]


def _upper_median(words):
    return _evaluate(words, median=lambda values: _middle(values)[1])


def _lower_median(words):
    return _evaluate(words, median=lambda values: _middle(values)[0])


def _median_with_half(words):
    return _evaluate(words, median=lambda values: sum(_middle(values)) / 2)


def _middle_unsorted(words):
    return _evaluate(words, median=lambda values: values[len(values) // 2])


def _whole_sum(words):
    return _evaluate(words, total=sum)


def _last_digit_at_the_end(words):
    return _whole_sum(words) % 10


MISTAKES = (
    _upper_median,
    _lower_median,
    _median_with_half,
    _middle_unsorted,
    _whole_sum,
    _last_digit_at_the_end,
    lambda words: int(_median_with_half(words)),
)


def _steps_down(W, y, x):
    return 2 * (W - 1 - x if y % 2 == 0 else x) + 1


EXERCISES = [
    Exercise(
        "arena.1",
        solution=9,
        wrong={
            "Of a sum, only the last digit counts.": 19,
            "The median of an even number of values is the mean of the middle two: of 1, 3, 7, 8 it is 5.": 1,
            "The median of 1, 3, 7, 8 lies in the middle between 3 and 7.": 7,
            "MED is the median, not the mean.": 8,
            "MIN takes the smaller of 6 and 5.": 0,
        },
        hints=["Work from the inside out: MIN, then MAX and MED, then SM.", "9 + 5 + 5, and its last digit."],
    ),
    Exercise(
        "arena.2",
        solution=4.7244,
        rtol=2e-4,
        wrong={
            "With two to ten arguments, this is what depth 5 gives.": 15.2188,
            "Four levels have lists, the fifth has digits only.": 5.3838,
            "A list has two symbols of its own: the operator and the bracket that closes.": 3.0691,
            "The bracket that closes is a symbol, too.": 3.8967,
            "From depth 5 up to depth 1 there are four steps, not three.": 3.9707,
            "A place is a list once in four, and a digit three times in four.": 97.5369,
            "The first place, too, may be a digit, and a list there has lists only once in four.": 15.8975,
        },
        hints=[
            "A list has 3.5 arguments on average, and a place is a list once in four.",
            "E n = ¾ + ¼(2 + 3.5 E n'), from 1 at the deepest level, four times.",
        ],
    ),
    Exercise(
        "arena.3",
        solution=_steps_down,
        inputs=lambda rng: (W := int(rng.integers(8, 100)), int(rng.integers(0, 30)), int(rng.integers(1, W - 1))),
        wrong={
            "That is row order, in which every row is read from left to right.": lambda W, y, x: W,
            "In an odd row, the pixels that are still to come are those to the left.": lambda W, y, x: (
                2 * (W - 1 - x) + 1
            ),
            "In an even row, the pixels that are still to come are those to the right.": lambda W, y, x: 2 * x + 1,
            "Row 0, and with it every even row, is read from left to right.": lambda W, y, x: _steps_down(W, y + 1, x),
            "These are the pixels read in between; the step to the pixel itself counts, too.": lambda W, y, x: (
                _steps_down(W, y, x) - 1
            ),
            "Columns are counted from 0: after column x, W − 1 − x are left.": lambda W, y, x: (
                2 * (W - x) + 1 if y % 2 == 0 else 2 * x + 1
            ),
        },
        hints=[
            "Draw two rows of four pixels, and number them in the order in which they are read.",
            "If r pixels of the row are still to come, the next row begins with r others; then comes the one below.",
        ],
    ),
    Exercise(
        "arena.4",
        solution=0.9735,  # 0.97376; with this middle 1.5 / 1.55 is right to two digits, too, and 0.98 is not
        rtol=6e-3,
        wrong={
            "This is the difference in standard errors of one of the two scores.": 1.376,
            "Standard errors of independent numbers add in squares.": 0.689,
            "A is above B, so the number is positive.": -0.9738,
            "The standard error of a difference is larger than that of one score, by about the root of two.": 1.947,
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
            "Of a sum, only the last digit counts.": _whole_sum,
            "Take the last digit of each SM at once, not only of the answer.": _last_digit_at_the_end,
            "Of an even number of values, the median is the mean of the middle two, rounded down.": _upper_median,
            "The median lies between the middle two values, it is not the lower of them.": _lower_median,
            "Round the median down at once, before it is an argument of the next list.": _median_with_half,
            "The median is in the middle once the values are sorted.": _middle_unsorted,
        },
        hints=[
            "Push operators and digits. At a closing bracket, pop until an operator comes out.",
            "`while not isinstance(stack[-1], str): arguments.append(stack.pop())`, then push the result.",
        ],
    ),
]
