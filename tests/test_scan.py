"""Five scans: equal to the plain fold for any operator and length; and a trace that says exactly what was done."""

import itertools
import math
import random
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssm_teach.errors import UserError
from ssm_teach.scan import (
    AFFINE,
    CONCATENATE,
    MAX,
    SUM,
    Action,
    Machine,
    Monoid,
    Trace,
    blelloch,
    check_associative,
    chunked,
    hillis_steele,
    matrix_product,
    odd_even,
    sequential,
)

CHUNKS = (1, 2, 3, 7, 8, 16, 100)
ALGORITHMS = {
    "sequential": sequential,
    "hillis_steele": hillis_steele,
    "blelloch": blelloch,
    "blelloch exclusive": partial(blelloch, inclusive=False),
    "odd_even": odd_even,
    **{f"chunked {chunk}": partial(chunked, chunk=chunk) for chunk in CHUNKS},
}
LENGTHS = [1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 31, 64, 67]


def fold(op, elements):
    """The definition, by Python's own fold."""
    return list(itertools.accumulate(elements, op))


def expected(name, monoid, elements):
    inclusive = fold(monoid.op, elements)
    return [monoid.identity, *inclusive[:-1]] if name.endswith("exclusive") else inclusive


# Operators over elements of every kind: a monoid, how one element is drawn, and the tolerance (0: exact).

P = 101


def affine_modulo_p(earlier, later):
    a, b = AFFINE.op(earlier, later)
    return a % P, b % P


def fraction(draw):
    return Fraction(draw.randint(-4, 4), draw.randint(1, 3))


def matrix(draw):
    """Small integers. A long product overflows int64, but arithmetic modulo 2⁶⁴ is associative too: exact equality."""
    return np.array([[draw.randint(-3, 3) for _ in range(2)] for _ in range(2)])


def array(dtype):
    def draw_array(draw):
        values = np.array([draw.gauss(0, 1) + 1j * draw.gauss(0, 1) for _ in range(3)])
        return (10 * values.real).astype(dtype) if dtype.kind != "c" else values.astype(dtype)

    return draw_array


def decay_and_input(dtype):
    """|a| ≤ 1, zero and one among them, so that neither states nor products overflow."""

    def draw_pair(draw):
        a = np.array([draw.choice([0, 1, draw.uniform(-1, 1)]), draw.uniform(0, 1)])
        phase = np.exp(1j * draw.uniform(0, 7)) if dtype.kind == "c" else 1
        return (a * phase).astype(dtype), array(dtype)(draw)[:2]

    return draw_pair


TOLERANCE = {"float32": 1e-5, "complex64": 1e-5, "float64": 1e-13, "complex128": 1e-13, "int64": 0}
OPERATORS = {
    "sum": (SUM, lambda draw: draw.randint(-99, 99), 0),
    "maximum": (MAX, lambda draw: draw.choice([-math.inf, draw.uniform(-1, 1), 0.0]), 0),
    "concatenation": (CONCATENATE, lambda draw: draw.choice(["", "a", "b", "xyz"]), 0),
    "affine, fractions": (AFFINE, lambda draw: (fraction(draw), fraction(draw)), 0),
    "affine modulo p": (Monoid("", affine_modulo_p, (1, 0)), lambda draw: (draw.randrange(P), draw.randrange(P)), 0),
    "matrices": (matrix_product(2), matrix, 0),
    **{f"sum, {name}": (SUM, array(np.dtype(name)), tol) for name, tol in TOLERANCE.items()},
    **{f"affine, {name}": (AFFINE, decay_and_input(np.dtype(name)), tol) for name, tol in TOLERANCE.items() if tol},
}  # fmt: skip


def assert_equal(ours, theirs, tolerance):
    assert len(ours) == len(theirs)
    for mine, reference in zip(ours, theirs, strict=True):
        if tolerance == 0 and not isinstance(reference, np.ndarray):
            assert mine == reference
        elif isinstance(reference, tuple):
            assert_equal(mine, reference, tolerance)
        else:
            difference = np.abs(np.asarray(mine) - reference)
            assert np.all(difference <= tolerance * max(1, np.abs(reference).max()) * len(ours))


def check_against_the_fold(name, operator, length, seed):
    monoid, element, tolerance = OPERATORS[operator]
    draw = random.Random(seed)
    elements = [element(draw) for _ in range(length)]
    result = ALGORITHMS[name](monoid.op, elements, monoid.identity)
    assert_equal(result, expected(name, monoid, elements), tolerance)


def thousands(**strategies):
    """2,000 examples: more lengths and operators than anybody would write down."""
    return lambda test: settings(max_examples=2000, deadline=None, derandomize=True)(given(**strategies)(test))


@pytest.mark.parametrize("name", [name for name in ALGORITHMS if not name.startswith("chunked")])
@thousands(operator=st.sampled_from(sorted(OPERATORS)), length=st.integers(1, 70), seed=st.integers(0, 2**32))
def test_scan_equals_the_fold_for_any_operator_and_length(name, operator, length, seed):
    check_against_the_fold(name, operator, length, seed)


@thousands(
    chunk=st.sampled_from(CHUNKS),
    operator=st.sampled_from(sorted(OPERATORS)),
    length=st.integers(1, 70),
    seed=st.integers(0, 2**32),
)
def test_chunked_scan_equals_the_fold_for_any_operator_length_and_chunk(chunk, operator, length, seed):
    check_against_the_fold(f"chunked {chunk}", operator, length, seed)


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_operator_meets_every_algorithm_at_awkward_lengths(name, operator):
    for length in LENGTHS:
        check_against_the_fold(name, operator, length, seed=length)


# The operators


@settings(deadline=None, derandomize=True)
@given(operator=st.sampled_from(sorted(OPERATORS)), seed=st.integers(0, 2**32))
def test_every_operator_is_associative_and_its_identity_neutral(operator, seed):
    monoid, element, tolerance = OPERATORS[operator]
    draw = random.Random(seed)
    x, y, z = (element(draw) for _ in range(3))
    pairs = [
        (monoid.op(monoid.op(x, y), z), monoid.op(x, monoid.op(y, z))),
        (monoid.op(monoid.identity, x), x),
        (monoid.op(x, monoid.identity), x),
    ]
    assert_equal([left for left, _ in pairs], [right for _, right in pairs], tolerance)


def test_affine_scan_runs_the_recurrence():
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-1, 1, 37), rng.standard_normal(37)
    x, states = 0.0, []
    for a_k, b_k in zip(a, b, strict=True):
        x = a_k * x + b_k
        states.append(x)
    for scan in (sequential, hillis_steele, blelloch, odd_even, partial(chunked, chunk=5)):
        pairs = scan(AFFINE.op, list(zip(a, b, strict=True)), AFFINE.identity)
        np.testing.assert_allclose([state for _, state in pairs], states, rtol=0, atol=1e-14)
        np.testing.assert_allclose([product for product, _ in pairs], np.cumprod(a), rtol=0, atol=1e-15)


def test_affine_maps_compose_as_matrices_multiply_in_reverse_order():
    draw = random.Random(3)
    (a, b), (a_later, b_later) = [(fraction(draw), fraction(draw)) for _ in range(2)]

    def as_matrix(a, b):
        return np.array([[a, b], [Fraction(0), Fraction(1)]])

    composed = as_matrix(*AFFINE.op((a, b), (a_later, b_later)))
    assert (composed == as_matrix(a_later, b_later) @ as_matrix(a, b)).all()
    assert (composed == matrix_product(2).op(as_matrix(a, b), as_matrix(a_later, b_later))).all()


def test_tensors_are_elements_like_any_other_and_keep_their_gradient():
    a, b = torch.rand(2, 11, 3, dtype=torch.float64).requires_grad_()
    for scan in (hillis_steele, blelloch, odd_even):
        states = torch.stack([x for _, x in scan(AFFINE.op, list(zip(a, b, strict=True)), AFFINE.identity)])
        (by_scan,) = torch.autograd.grad(states.square().sum(), a)
        states = torch.stack([x for _, x in sequential(AFFINE.op, list(zip(a, b, strict=True)), AFFINE.identity)])
        (by_loop,) = torch.autograd.grad(states.square().sum(), a)
        torch.testing.assert_close(by_scan, by_loop)


def test_what_was_given_is_left_alone():
    elements = [np.ones(2) * k for k in range(9)]
    for name, scan in ALGORITHMS.items():
        scan(SUM.op, elements, SUM.identity)
        assert [element.tolist() for element in elements] == [[k, k] for k in range(9)], name


# Counts, read off the trace


def traced(name, n, op=CONCATENATE.op, identity=CONCATENATE.identity):
    trace = Trace()
    elements = [chr(ord("a") + k % 26) for k in range(n)]
    result = ALGORITHMS[name](op, elements, identity, trace=trace)
    assert result == expected(name, CONCATENATE, elements)
    return trace


@pytest.mark.parametrize(
    ("n", "both_sweeps", "doubling", "recursion"),
    [(16, 30, 49, 26), (1024, 2046, 9217, 2036), (1000, 2046, 8977, 1984)],
)
def test_work_is_what_theory_says(n, both_sweeps, doubling, recursion):
    assert traced("blelloch exclusive", n).work == both_sweeps
    assert traced("blelloch", n).work == both_sweeps + n
    assert traced("hillis_steele", n).work == doubling
    assert traced("odd_even", n).work == recursion
    assert traced("sequential", n).work == n - 1


@settings(deadline=None, derandomize=True, max_examples=60)
@given(n=st.integers(2, 300))
def test_work_and_depth_follow_the_formulas_for_any_length(n):
    up, down = math.ceil(math.log2(n)), math.floor(math.log2(n))
    tree = traced("blelloch exclusive", n)
    assert (tree.work, tree.depth, len(tree.steps)) == (2 * (2**up - 1), 2 * up, 2 * up + 1)
    doubling = traced("hillis_steele", n)
    assert (doubling.work, doubling.depth) == (n * up - (2**up - 1), up)
    recursion = traced("odd_even", n)
    assert recursion.work == 2 * n - n.bit_count() - down - 1
    assert recursion.depth == down + math.floor(math.log2(2 * n / 3))
    loop = traced("sequential", n)
    assert loop.work == loop.depth == n - 1


@pytest.mark.parametrize(("chunk", "chunks"), [(1, 12), (12, 1), (3, 4), (8, 8), (5, 20)])
def test_chunked_work_and_depth_follow_the_formulas(chunk, chunks):
    trace, n = Trace(), chunk * chunks
    chunked(SUM.op, list(range(n)), SUM.identity, chunk, trace)
    assert trace.work == 2 * n - chunk - chunks
    # With one element a chunk the totals are the results; with one chunk its loop leaves nothing to add.
    assert trace.depth == (chunk + chunks - 1 if min(chunk, chunks) > 1 else n - 1)


def test_reads_writes_and_bytes_of_both_sweeps():
    trace = traced("blelloch exclusive", 16)
    up, clear, down = 15, 1, 15  # nodes; a down-sweep node copies one cell and combines two
    assert trace.reads == 2 * up + 3 * down
    assert trace.writes == up + clear + 2 * down
    assert trace.bytes(8) == 8 * (trace.reads + trace.writes)


def test_phases_come_in_the_published_order():
    phases = [phase for phase, _ in itertools.groupby(step.phase for step in traced("blelloch", 8).steps)]
    assert phases == ["up-sweep", "clear", "down-sweep", "combine with the input"]
    assert [step.phase for step in traced("hillis_steele", 9).steps] == [f"distance {d}" for d in (1, 2, 4, 8)]
    phases = [phase for phase, _ in itertools.groupby(step.phase for step in traced("chunked 3", 9).steps)]
    assert phases == ["chunks", "totals", "offsets"]


# The trace is what happened


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("name", ALGORITHMS)
def test_replaying_the_actions_gives_every_recorded_state_and_the_result(name, n):
    trace = traced(name, n)
    before = trace.initial
    for step in trace.steps:
        after = list(before)
        for target, sources in step.actions:
            after[target] = "".join(before[source] for source in sources)  # joining two, copying one, or empty
        assert tuple(after) == step.cells
        before = step.cells
    assert list(before[:n]) == expected(name, CONCATENATE, list(trace.initial[:n]))
    assert (trace.length, len(trace.initial)) == (n, trace.width + (n if name == "blelloch" else 0))


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("name", ALGORITHMS)
def test_no_two_actions_of_a_step_write_one_cell(name, n):
    for step in traced(name, n).steps:
        assert step.actions
        assert len({action.target for action in step.actions}) == len(step.actions)


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("name", ["sequential", "odd_even", *(f"chunked {chunk}" for chunk in CHUNKS)])
def test_in_place_scans_never_read_what_another_action_of_the_step_writes(name, n):
    for step in traced(name, n).steps:
        for action in step.actions:
            assert not {other.target for other in step.actions if other is not action} & set(action.sources)


@pytest.mark.parametrize("n", LENGTHS)
def test_blelloch_shares_cells_only_within_the_pair_that_swaps(n):
    for step in traced("blelloch", n).steps:
        size = 2 if step.phase == "down-sweep" else 1
        nodes = [step.actions[i : i + size] for i in range(0, len(step.actions), size)]
        touched = [{cell for action in node for cell in (action.target, *action.sources)} for node in nodes]
        assert sum(map(len, touched)) == len(set().union(*touched))


def test_doubling_needs_the_cells_as_they_were_before_the_step():
    machine = Machine("by hand", CONCATENATE.op, list("abcd"), CONCATENATE.identity)
    for k in range(1, 4):  # one action after the other instead of all at once
        machine.step("distance 1", [Action(k, (k - 1, k))])
    assert machine.result == ["a", "ab", "abc", "abcd"]
    assert traced("hillis_steele", 4).steps[0].cells == ("a", "ab", "bc", "cd")


def test_padding_is_the_identity_and_the_input_is_kept_behind_it():
    trace = traced("blelloch", 5)
    assert trace.initial == (*"abcde", "", "", "", *"abcde")
    assert all(step.cells[8:] == tuple("abcde") for step in trace.steps)


def test_a_trace_speaks():
    assert repr(traced("blelloch", 4)) == "Trace of blelloch, 4 elements: work 10, depth 5, 23 reads, 14 writes"


# What the user gets told

SENTENCES = {
    "no elements": (lambda: blelloch(SUM.op, [], 0), "blelloch: elements must hold at least one element; got none"),
    "no elements, chunked": (lambda: chunked(SUM.op, (), 0, 4), "chunked: elements must hold at least one"),
    "monoid for op": (lambda: sequential(SUM, [1], 0), "sequential: op must be a function .* Use a monoid's .op"),
    "chunk zero": (lambda: chunked(SUM.op, [1, 2], 0, chunk=0), "chunked: chunk must be a whole number ≥ 1; got 0"),
    "chunk a fraction": (lambda: chunked(SUM.op, [1, 2], 0, chunk=1.5), "whole number ≥ 1; got 1.5"),
    "trace used": (lambda: odd_even(SUM.op, [1, 2], 0, traced("odd_even", 3)), "odd_even: trace already holds a scan"),
    "not associative": (
        lambda: check_associative(lambda earlier, later: (earlier + later) / 2, [0.0, 1.0]),
        r"op is not associative: with x, y, z = 0\.0, 0\.0, 1\.0, \(x ∘ y\) ∘ z = 0\.5 but x ∘ \(y ∘ z\) = 0\.25",
    ),
    "nothing to try": (lambda: check_associative(SUM.op, []), "check_associative: elements must hold at least one"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", SENTENCES)
def test_a_mistake_is_answered_in_one_sentence(mistake):
    call, sentence = SENTENCES[mistake]
    with pytest.raises(UserError, match=sentence) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("operator", OPERATORS)
def test_associative_operators_pass_the_check(operator):
    monoid, element, tolerance = OPERATORS[operator]
    draw = random.Random(1)
    check_associative(monoid.op, [element(draw) for _ in range(4)], tolerance=max(tolerance, 1e-9))


@pytest.mark.parametrize(
    ("op", "elements"),
    [
        (lambda earlier, later: (earlier[0] * later[0], earlier[1] * later[0] - later[1]), [(1, 2), (3, 1)]),
        (lambda earlier, later: np.tanh(earlier + later), [np.array([0.1, 0.2]), np.array([0.3, 0.1])]),
        (lambda earlier, later: earlier + "," + later[::-1], ["ab", "c"]),
        (lambda earlier, later: np.concatenate([earlier, later + len(earlier) % 2]), [np.zeros(1), np.zeros(2)]),
    ],
)
def test_a_counterexample_is_found(op, elements):
    with pytest.raises(UserError, match="not associative"):
        check_associative(op, elements)
