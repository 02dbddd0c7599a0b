"""ListOps: the grammar's statistics, values by an independent evaluator, and the released files, right and wrong."""

import statistics

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssm_teach import tasks
from ssm_teach.errors import UserError
from ssm_teach.tasks import listops
from ssm_teach.tasks.listops import SIZES, SYMBOLS, evaluate, generate, text

TINY = {"depth": 4, "arguments": 4, "above": 6, "below": 40, "examples": 200}
GRAMMAR = {name: value for name, value in SIZES["full"].items() if name != "examples"}
MEANING = {"MIN": min, "MAX": max, "MED": lambda x: int(statistics.median(x)), "SM": lambda x: sum(x) % 10}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SSM_TEACH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(listops, "HELD_OUT", 100)


def meaning(expression: str) -> int:
    """The value of an expression, by rewriting it as nested Python calls and running those."""
    calls = "".join(
        f"{word[1:]}([" if word.startswith("[") else "])," if word == "]" else f"{word}," for word in expression.split()
    )
    return eval(calls, MEANING.copy())[0]


def coded(expression: str) -> np.ndarray:
    return np.array([SYMBOLS.index(word) for word in expression.split()], np.uint8)


def depth_and_arguments(expression: str) -> tuple[int, int, int]:
    """Levels, and the fewest and most arguments of an operator."""
    words, counts, closed, deepest = expression.split(), [0], [], 1
    for word in words:
        if word == "]":
            closed.append(counts.pop())
            continue
        counts[-1] += 1
        if word.startswith("["):
            counts.append(0)
        deepest = max(deepest, len(counts))
    return deepest, min(closed), max(closed)


@pytest.fixture(scope="module")
def many():
    """Some 50,000 draws of the full-size grammar."""
    return generate(4200, seed=1, **GRAMMAR)


def test_acceptance_and_lengths_are_those_of_the_published_grammar(many):
    draws, length = many["draws"].sum(), many["length"]
    assert draws > 50_000
    assert len(length) / draws == pytest.approx(0.083, abs=0.003)
    assert length.mean() == pytest.approx(1040, abs=20)
    assert np.median(length) == pytest.approx(960, abs=25)
    assert 500 < length.min() < length.max() < 2000


def branching(n: int) -> np.ndarray:
    """Lengths of n draws of the full-size grammar without drawing an expression: only how many nodes a level has."""
    rng, nodes, length = np.random.RandomState(7), np.ones(n, np.int64), np.zeros(n, np.int64)
    for level in range(1, 11):
        operators = rng.binomial(nodes, 0.25 if level < 10 else 0.0)
        length += nodes + operators
        nodes, left = np.zeros(n, np.int64), operators
        for k, arguments in enumerate(range(2, 11)):
            these = rng.binomial(left, 1 / (9 - k))
            nodes, left = nodes + arguments * these, left - these
    return length


def test_lengths_are_those_of_a_branching_process(many):
    """The same statistics by a route that knows of no symbols, and more exactly: over 400,000 draws."""
    length = branching(400_000)
    kept = length[(length > 500) & (length < 2000)]
    error = kept.std() / np.sqrt(len(many["length"]))
    assert many["length"].mean() == pytest.approx(kept.mean(), abs=4 * error)
    assert np.median(many["length"]) == pytest.approx(np.median(kept), abs=6 * error)
    assert len(many["length"]) / many["draws"].sum() == pytest.approx(len(kept) / 400_000, abs=0.005)
    quantiles = [0.05, 0.25, 0.75, 0.95]
    np.testing.assert_allclose(np.quantile(many["length"], quantiles), np.quantile(kept, quantiles), rtol=0.06)
    assert len(kept) / 400_000 == pytest.approx(0.083, abs=0.001)
    assert kept.mean() == pytest.approx(1036, abs=6)
    assert np.median(kept) == pytest.approx(955, abs=6)


def test_every_expression_obeys_the_grammar(many):
    found = [depth_and_arguments(text(symbols)) for symbols in many["symbols"][:300]]
    deepest, fewest, most = (np.array(column) for column in zip(*found, strict=True))
    assert deepest.max() == 10
    assert fewest.min() == 2
    assert most.max() == 10
    roots = np.bincount(many["symbols"][:, 0], minlength=len(SYMBOLS))
    assert roots[13:17].sum() == len(many["length"])
    np.testing.assert_allclose(roots[13:17] / roots.sum(), 0.25, atol=0.03)


def test_a_quarter_of_the_expressions_are_operators_and_digits_are_uniform():
    made = generate(3000, seed=5, depth=2, arguments=6, above=0, below=9)
    is_digit = made["length"] == 1
    np.testing.assert_allclose(is_digit.sum() / made["draws"].sum(), 0.75, atol=0.02)
    digits = made["symbols"][(made["symbols"] >= 3) & (made["symbols"] < 13)] - 3
    np.testing.assert_allclose(np.bincount(digits) / len(digits), 0.1, atol=0.017)  # four standard deviations
    arguments = np.bincount(made["length"][~is_digit] - 2)[2:]
    np.testing.assert_allclose(arguments / arguments.sum(), 1 / 5, atol=0.06)


def test_values_are_those_of_an_independent_evaluator(many):
    for made in (many, generate(500, seed=2)):
        for symbols, value in zip(made["symbols"][:400], made["value"], strict=False):
            assert meaning(text(symbols)) == value


expressions = st.recursive(
    st.integers(0, 9).map(str),
    lambda inner: st.tuples(st.sampled_from(listops.OPERATORS), st.lists(inner, min_size=1, max_size=6)).map(
        lambda parts: f"{parts[0]} {' '.join(parts[1])} ]"
    ),
    max_leaves=30,
)


@settings(deadline=None)
@given(expressions)
def test_the_stack_machine_agrees_on_any_expression(expression):
    assert evaluate(coded(expression)) == meaning(expression)


@settings(deadline=None)
@given(expressions.filter(lambda expression: expression.endswith("]")), st.data())
def test_no_part_of_an_expression_from_its_beginning_is_one(expression, data):
    whole = coded(expression)
    with pytest.raises(UserError, match="no expression may have the end"):
        evaluate(whole[: data.draw(st.integers(0, len(whole) - 1))])


@pytest.mark.parametrize(
    ("expression", "value"),
    [("7", 7), ("[MED 1 2 ]", 1), ("[MED 9 2 [SM 8 5 ] 4 ]", 3), ("[SM 9 9 9 ]", 7), ("[MIN [MAX 3 8 ] 9 ]", 8)],
)
def test_median_is_cut_and_sum_is_modulo_ten(expression, value):
    assert evaluate(coded(expression)) == meaning(expression) == value


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("[MIN 1 2", "the end at symbol 4"),
        ("[MIN ]", r"'\]' at symbol 2"),
        ("1 2", "'2' at symbol 2"),
        ("[MIN 1 ] ]", r"'\]' at symbol 4"),
        ("eos", "'eos' at symbol 1"),
        ("", "the end at symbol 1"),
    ],
)
def test_what_is_no_expression_is_refused_with_its_place(expression, words):
    with pytest.raises(UserError, match=f"no expression may have {words}"):
        evaluate(coded(expression))


def test_an_example_depends_on_seed_and_number_alone():
    whole, part = generate(30, seed=3), generate(10, seed=3, start=20)
    for name in whole:
        np.testing.assert_array_equal(whole[name][20:], part[name])
    assert not np.array_equal(generate(10, seed=4)["symbols"], whole["symbols"][:10])
    # Typed in on purpose: the examples must be these on every machine and with every version.
    assert text(generate(1, seed=0, above=8, below=14)["symbols"][0]) == "[MED 7 1 [MAX 6 4 4 ] 9 ]"


def test_splits_share_no_expression_and_a_larger_training_set_changes_neither_test_nor_validation():
    task, larger = (tasks.load("listops", **TINY | {"examples": n}) for n in (200, 300))
    rows = [row.numpy().tobytes() for split in (task.train, task.validation, task.test) for row in split.raw]
    assert len(set(rows)) == len(rows) == 200 + 2 * listops.HELD_OUT
    assert torch.equal(task.test.raw, larger.test.raw)
    assert torch.equal(task.validation.raw, larger.validation.raw)
    assert torch.equal(task.train.raw, larger.train.raw[:200])


def test_a_batch_is_symbols_with_eos_and_a_mask():
    task = tasks.load("listops", **TINY)
    inputs, targets, mask = task.train[torch.arange(50)]
    assert (task.vocab, task.n_classes, task.length, task.limited) == (18, 10, 40, True)
    for symbols, target, real in zip(inputs, targets, mask, strict=True):
        expression = symbols[real].tolist()
        assert expression[-1] == SYMBOLS.index("eos")
        assert meaning(text(expression)) == target
        assert (symbols[~real] == 0).all()


def test_small_setting_has_what_it_says_and_full_is_not_limited(monkeypatch):
    monkeypatch.setattr(listops, "HELD_OUT", 10)
    small, full = tasks.load("listops", examples=40), tasks.load("listops", size="full", examples=40)
    assert (small.length, full.length) == (100, 2000)
    assert full.limited  # 40 examples are not 96,000
    monkeypatch.setitem(SIZES, "full", SIZES["full"] | {"examples": 40})
    assert not tasks.load("listops", size="full").limited


def test_baselines_are_better_than_chance_and_the_strong_one_is_better():
    task = tasks.load("listops", **TINY | {"examples": 3000})
    weak, strong = task.weak_baseline(), task.baseline()
    assert task.chance < weak["accuracy"] < strong["accuracy"]
    right = [
        int(task.train.targets[task.train.raw[:, 0] == symbols[0]].mode().values) == int(target)
        for symbols, target in zip(task.test.raw, task.test.targets, strict=True)
    ]
    assert weak["accuracy"] == pytest.approx(np.mean(right), abs=0.01)  # up to values that are equally frequent


# The released files.

LINES = ["Source\tTarget", "( ( ( [MAX 2 ) 9 ) ] )\t9", "( ( ( [SM 8 ) [MED 1 4 ] ) ] )\t0", "[MIN 3 7 ]\t3"]


@pytest.fixture
def released(tmp_path):
    """A folder with three small files in the released format."""
    for name in listops.OFFICIAL.values():
        (tmp_path / name).write_text("\n".join(LINES) + "\n")
    return tmp_path


def test_released_files_are_read(released):
    task = tasks.load("listops", size="official", folder=str(released))
    assert [len(split) for split in (task.train, task.validation, task.test)] == [3, 3, 3]
    assert [text(row) for row in task.train.raw] == ["[MAX 2 9 ]", "[SM 8 [MED 1 4 ] ]", "[MIN 3 7 ]"]
    assert task.train[:][1].tolist() == [9, 0, 3]
    assert task.train[:][2].sum(1).tolist() == [5, 8, 5]
    assert task.length == 2000
    assert not task.limited
    with pytest.raises(UserError, match=r"examples must be at most 3, all of .*basic_train.tsv; got 20"):
        tasks.load("listops", size="official", folder=str(released), examples=20)


def test_what_is_written_in_the_released_format_is_read_as_it_was(tmp_path):
    """The format puts each symbol after the first into a pair of round brackets with all that came before it."""
    made = generate(40, seed=6)

    def bracketed(expression):
        first, *others = expression.split()
        return f"{'( ' * len(others)}{first} {' '.join(f'{word} )' for word in others)}"

    lines = [f"{bracketed(text(row))}\t{value}" for row, value in zip(made["symbols"], made["value"], strict=True)]
    (tmp_path / "some.tsv").write_text("\n".join(["Source\tTarget", *lines]) + "\n")
    read = listops.read_tsv(tmp_path / "some.tsv")
    np.testing.assert_array_equal(read["symbols"][:, :100], made["symbols"])
    assert (read["symbols"][:, 100:] == 0).all()
    np.testing.assert_array_equal(read["length"], made["length"])
    np.testing.assert_array_equal(read["value"], made["value"])


@pytest.mark.parametrize(
    ("number", "line", "words"),
    [
        (1, "Source Target", r"line 1 must be Source<TAB>Target; got 'Source Target'"),
        (2, "[MAX 2 9 ]", "line 2 has the value '', but the expression has 9"),
        (3, "[MAX 2 9 ]\t8", "line 3 has the value '8', but the expression has 9"),
        (3, "[MAX 2 11 ]\t9", "line 3 has the unknown symbol '11'"),
        (4, "[MAX 2 9\t9", "line 4: listops: no expression may have the end at symbol 4"),
        (4, "", "line 4: listops: no expression may have the end at symbol 1"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_kept(released, tmp_path, number, line, words):
    lines = [*LINES[: number - 1], line, *LINES[number:]]
    (released / "basic_val.tsv").write_text("\n".join(lines) + "\n")
    with pytest.raises(UserError, match=rf"basic_val.tsv: {words}"):
        tasks.load("listops", size="official", folder=str(released))
    assert len(list((tmp_path / "cache" / "tasks").iterdir())) == 1  # the training file, which is whole


@settings(deadline=None)
@given(st.binary(max_size=60), st.integers(0, 120), st.integers(0, 120))
def test_a_damaged_file_is_read_or_refused_in_one_sentence(tmp_path_factory, garbage, start, stop):
    whole = "\n".join(LINES).encode()
    path = tmp_path_factory.getbasetemp() / "damaged.tsv"
    path.write_bytes(whole[:start] + garbage + whole[stop:])
    try:
        read = listops.read_tsv(path)
    except UserError as refused:
        sentence = str(refused)
    else:
        sentence = ""
    assert len(sentence) < 400
    if sentence:
        return
    for row, length, value in zip(read["symbols"], read["length"], read["value"], strict=True):
        assert evaluate(row[:length]) == value


def test_a_missing_or_empty_released_file_is_one_sentence(released):
    (released / "basic_test.tsv").write_text("Source\tTarget\n")
    with pytest.raises(UserError, match=r"basic_test.tsv: there is no expression after line 1"):
        tasks.load("listops", size="official", folder=str(released))
    (released / "basic_test.tsv").unlink()
    with pytest.raises(UserError, match=r"listops needs the file .*basic_test.tsv, which does not exist"):
        tasks.load("listops", size="official", folder=str(released))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": "smal"}, r"unknown size 'smal'; choose one of small, full, official \(did you mean small\?\)"),
        ({"size": "official", "depth": 5, "below": 9}, "the released files of listops have no depth, below to choose"),
        ({"size": "official"}, "ssm-teach data get lra-listops"),
        ({"folder": "here"}, "folder is for size 'official' of listops"),
        ({"depth": 1}, "depth of listops must be a whole number, at least 2; got 1"),
        ({"examples": 9}, "examples of listops must be a whole number, at least 10; got 9"),
        ({"below": 40_000}, "below of listops must be at most 32767; got 40000"),
        ({"depth": 2, "arguments": 2}, "no expression of listops has a length between 20 and 100 .*the longest has 4 "),
        ({"above": 1, "below": 4}, "a length between 1 and 4 at depth 5 with up to 5 arguments; raise below"),
        (
            {"depth": 2, "arguments": 2, "above": 3, "below": 5, "examples": 300},
            "2000 draws of listops had [0-9]+ different expressions of a length between 3 and 5.*500 are needed",
        ),
        (
            {"depth": 3, "arguments": 10, "above": 100, "below": 103},
            "20000 draws in a row had no expression of a length between",
        ),
    ],
)
def test_impossible_settings_are_one_sentence(options, words):
    with pytest.raises(UserError, match=words):
        tasks.load("listops", **{"examples": 10} | options)
