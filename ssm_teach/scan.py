"""Prefix scans: out_k = e_0 ∘ e_1 ∘ … ∘ e_k for every k, by five algorithms and for any associative ∘ with an identity.

Convention: an operator is ``op(earlier, later)``, as strings are joined from left to right. The recurrence
x_k = a_k x_{k−1} + b_k is the scan of the pairs (a_k, b_k) under `AFFINE`; its second components are the states.

Every algorithm takes ``op``, a non-empty sequence of ``elements`` (anything that op takes), the ``identity`` of op and,
if wanted, an empty `Trace`; it returns the list of all out_k. An empty sequence is a `UserError`.

Every algorithm is a list of steps on a row of cells (`Machine`). All actions of a step happen at once: each reads the
cells as they were before it. A trace keeps what was done, so work, depth and bytes are counted and not asserted. This
is the form for reading, in plain Python; `ssm_teach.ops.linear_scan` is the same recurrence for speed.

Sources: D. Hillis and G. Steele 1986 (doubling; before them P. Kogge and H. Stone 1973, for recurrences);
G. Blelloch 1990 (two sweeps over a tree); R. Ladner and M. Fischer 1980, R. Brent and H. Kung 1982 (odd–even).
"""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ssm_teach.errors import UserError, require

__all__ = [
    "AFFINE",
    "CONCATENATE",
    "MAX",
    "SUM",
    "Action",
    "Machine",
    "Monoid",
    "Step",
    "Trace",
    "blelloch",
    "check_associative",
    "chunked",
    "compose",
    "hillis_steele",
    "matrix_product",
    "odd_even",
    "sequential",
]


class Monoid(NamedTuple):
    """An associative operator with its identity: all that a scan needs to know about what it adds up."""

    name: str
    op: Callable
    identity: object


def compose(earlier, later):
    """(a, b) then (a′, b′), as maps x ↦ a x + b: first the earlier, then the later. Numbers or arrays, elementwise."""
    (a, b), (a_later, b_later) = earlier, later
    return a_later * a, a_later * b + b_later


SUM = Monoid("sum", lambda earlier, later: earlier + later, 0)
MAX = Monoid("maximum", max, -math.inf)
CONCATENATE = Monoid("concatenation", lambda earlier, later: earlier + later, "")
AFFINE = Monoid("affine map", compose, (1, 0))


def matrix_product(size: int) -> Monoid:
    """Square matrices as linear maps: the earlier acts first, so it stands on the right of the product."""
    return Monoid("matrix product", lambda earlier, later: later @ earlier, np.eye(size, dtype=int))


# What happens, and the record of it.


class Action(NamedTuple):
    """One cell is written: with op(cells[s0], cells[s1]) for two sources, a copy for one, the identity for none."""

    target: int
    sources: tuple[int, ...]


class Step(NamedTuple):
    """Actions that happen at once, and the contents of all cells after them."""

    phase: str
    actions: tuple[Action, ...]
    cells: tuple


class Trace:
    """What a scan did. Give an empty one to an algorithm, and read it afterwards.

    algorithm: its name. length: number n of elements; the results end in cells 0 … n − 1.
    width: number of working cells, more than n where an algorithm pads; cells from ``width`` on keep the input.
    initial: contents of all cells before the first step. steps: a list of `Step`.

    >>> trace = Trace()
    >>> hillis_steele(CONCATENATE.op, "scan", CONCATENATE.identity, trace)
    ['s', 'sc', 'sca', 'scan']
    >>> trace
    Trace of hillis_steele, 4 elements: work 5, depth 2, 10 reads, 5 writes
    >>> [step.phase for step in trace.steps]
    ['distance 1', 'distance 2']
    >>> trace.steps[0].actions[0], trace.steps[0].cells
    (Action(target=1, sources=(0, 1)), ('s', 'sc', 'ca', 'an'))
    """

    def __init__(self):
        self.algorithm, self.length, self.width = "", 0, 0
        self.initial: tuple = ()
        self.steps: list[Step] = []

    @property
    def actions(self) -> list[Action]:
        return [action for step in self.steps for action in step.actions]

    @property
    def work(self) -> int:
        """Applications of the operator."""
        return sum(_applies_operator(action) for action in self.actions)

    @property
    def depth(self) -> int:
        """Steps that apply the operator: the time with as many processors as one wants."""
        return sum(any(map(_applies_operator, step.actions)) for step in self.steps)

    @property
    def reads(self) -> int:
        return sum(len(action.sources) for action in self.actions)

    @property
    def writes(self) -> int:
        return len(self.actions)

    def bytes(self, size: int) -> int:
        """Memory traffic with cells of ``size`` bytes, if every action reads its sources and writes its target."""
        return size * (self.reads + self.writes)

    def __repr__(self) -> str:
        return (
            f"Trace of {self.algorithm}, {self.length} elements: work {self.work}, depth {self.depth}, "
            f"{self.reads} reads, {self.writes} writes"
        )


def _applies_operator(action: Action) -> bool:
    return len(action.sources) == 2


class Machine:
    """A row of cells on which steps are carried out, and recorded as they are.

    Args:
        algorithm: Name, for the trace and for errors.
        op, elements, identity, trace: As the algorithms below.
        width: Number of working cells; those behind the elements hold the identity.
        keep: Whether further cells, behind the working ones, keep the elements.
    """

    def __init__(self, algorithm, op, elements, identity, trace=None, width=None, keep=False):
        self.op, self.identity, self.trace, self.length = op, identity, trace, len(elements)
        width = self.length if width is None else width
        padding = [identity] * (width - self.length)
        self.cells = [*elements, *padding, *(elements if keep else [])]
        if trace is not None:
            require(not trace.initial, f"{algorithm}: trace already holds a scan; give a new Trace()")
            trace.algorithm, trace.length, trace.width = algorithm, self.length, width
            trace.initial = tuple(self.cells)

    def step(self, phase: str, actions: list[Action]) -> None:
        """Carry out all actions at once: everything is read before anything is written."""
        values = [self._value(*action.sources) for action in actions]
        for action, value in zip(actions, values, strict=True):
            self.cells[action.target] = value
        if self.trace is not None:
            self.trace.steps.append(Step(phase, tuple(actions), tuple(self.cells)))

    def _value(self, *sources):
        if not sources:
            return self.identity
        operands = [self.cells[source] for source in sources]
        return operands[0] if len(operands) == 1 else self.op(*operands)

    @property
    def result(self) -> list:
        return self.cells[: self.length]


# The algorithms.


def sequential(op, elements, identity, trace=None):
    """The loop: n − 1 applications of op, each of which waits for the one before.

    >>> sequential(SUM.op, [3, 1, 4, 1], SUM.identity)
    [3, 4, 8, 9]
    """
    elements = _elements("sequential", op, elements)
    machine = Machine("sequential", op, elements, identity, trace)
    for k in range(1, len(elements)):
        machine.step(f"position {k}", [Action(k, (k - 1, k))])
    return machine.result


def hillis_steele(op, elements, identity, trace=None):
    """Doubling: a cell takes in the one at distance 1, then 2, then 4, …

    ⌈log₂ n⌉ steps, and n⌈log₂ n⌉ − (2^⌈log₂ n⌉ − 1) applications of op.

    >>> hillis_steele(CONCATENATE.op, "abcde", CONCATENATE.identity)
    ['a', 'ab', 'abc', 'abcd', 'abcde']
    """
    elements = _elements("hillis_steele", op, elements)
    machine, n = Machine("hillis_steele", op, elements, identity, trace), len(elements)
    for distance in _distances(n):
        actions = [Action(k, (k - distance, k)) for k in range(distance, n)]
        machine.step(f"distance {distance}", actions)
    return machine.result


def blelloch(op, elements, identity, trace=None, inclusive=True):
    """Two sweeps over a tree: totals on the way up, what came before on the way down.

    The row is padded with the identity to a power of two, m. The sweeps take 2 log₂ m
    steps and 2(m − 1) applications of op, and leave the *exclusive* scan. One step more
    makes it inclusive, with n more applications.

    >>> blelloch(CONCATENATE.op, "abcde", CONCATENATE.identity, inclusive=False)
    ['', 'a', 'ab', 'abc', 'abcd']
    >>> blelloch(AFFINE.op, [(0.5, 1), (0.5, 2), (0.5, 3)], AFFINE.identity)
    [(0.5, 1.0), (0.25, 2.5), (0.125, 4.25)]
    """
    elements = _elements("blelloch", op, elements)
    n = len(elements)
    m = 1 << (n - 1).bit_length()
    machine = Machine("blelloch", op, elements, identity, trace, width=m, keep=inclusive)
    for distance in _distances(m):
        halves = _halves(distance, m)
        machine.step("up-sweep", [Action(right, (left, right)) for left, right in halves])
    machine.step("clear", [Action(m - 1, ())])
    for distance in reversed(_distances(m)):
        actions = []
        for left, right in _halves(distance, m):
            actions.append(Action(left, (right,)))  # the parent's value as it is
            actions.append(Action(right, (right, left)))  # followed by the left total
        machine.step("down-sweep", actions)
    if inclusive:
        machine.step("combine with the input", [Action(k, (k, m + k)) for k in range(n)])
    return machine.result


def odd_even(op, elements, identity, trace=None):
    """Recursion: merge neighbours, scan half as many pairs, fill in the positions between.

    2n − popcount(n) − ⌊log₂ n⌋ − 1 applications of op, in place and without padding.

    >>> odd_even(CONCATENATE.op, "abcde", CONCATENATE.identity)
    ['a', 'ab', 'abc', 'abcd', 'abcde']
    """
    elements = _elements("odd_even", op, elements)
    machine = Machine("odd_even", op, elements, identity, trace)

    def scan(cells):
        if len(cells) == 1:
            return
        evens, odds = cells[::2], cells[1::2]
        pairs = zip(evens, odds, strict=False)  # the last of an odd number has no partner
        machine.step("combine pairs", [Action(odd, (even, odd)) for even, odd in pairs])
        scan(odds)
        between = list(zip(odds, evens[1:], strict=False))
        if between:
            machine.step("fill in", [Action(even, (odd, even)) for odd, even in between])

    scan(range(len(elements)))
    return machine.result


def chunked(op, elements, identity, chunk, trace=None):
    """A loop in every chunk, a loop over their totals, a step to hand the totals out.

    With n = chunk · C these are chunk + C − 1 steps and 2n − chunk − C applications of op.

    >>> chunked(CONCATENATE.op, "abcde", CONCATENATE.identity, chunk=2)
    ['a', 'ab', 'abc', 'abcd', 'abcde']
    """
    elements = _elements("chunked", op, elements)
    _require_chunk(chunk)
    machine, n = Machine("chunked", op, elements, identity, trace), len(elements)
    for i in range(1, min(chunk, n)):
        machine.step("chunks", [Action(k, (k - 1, k)) for k in range(i, n, chunk)])
    last = [min(start + chunk, n) - 1 for start in range(0, n, chunk)]
    for before, total in itertools.pairwise(last):
        machine.step("totals", [Action(total, (before, total))])
    inner = sorted(set(range(chunk, n)) - set(last))
    if inner:
        machine.step("offsets", [Action(k, (k // chunk * chunk - 1, k)) for k in inner])
    return machine.result


def _distances(n: int) -> list[int]:
    """1, 2, 4, … below n."""
    return [1 << level for level in range((n - 1).bit_length())]


def _halves(distance: int, n: int) -> list[tuple[int, int]]:
    """The last cells of the left and of the right half of every block of 2 · distance cells."""
    return [(right - distance, right) for right in range(2 * distance - 1, n, 2 * distance)]


def check_associative(op: Callable, elements: Sequence, tolerance: float = 1e-9) -> None:
    """Try op((x ∘ y) ∘ z) = x ∘ (y ∘ z) on every ordered triple of the given elements; a handful will do.

    Floating-point numbers may differ by ``tolerance``, relative to the largest number in either result.
    Raises: UserError: with the triple on which the two differ. Silence is no proof: only these triples were tried.

    >>> check_associative(AFFINE.op, [(0.5, 1), (2, -1), (0, 3)])
    >>> check_associative(lambda earlier, later: earlier - later, [3, 2, 1])
    Traceback (most recent call last):
        ...
    ssm_teach.errors.UserError: check_associative: op is not associative: with x, y, z = 3, 3, 3,
        (x ∘ y) ∘ z = -3 but x ∘ (y ∘ z) = 3
    """
    for x, y, z in itertools.product(_elements("check_associative", op, elements), repeat=3):
        left, right = op(op(x, y), z), op(x, op(y, z))
        if not _same(left, right, tolerance):
            raise UserError(
                f"check_associative: op is not associative: with x, y, z = {x!r}, {y!r}, {z!r}, "
                f"(x ∘ y) ∘ z = {left!r} but x ∘ (y ∘ z) = {right!r}"
            )


def _same(left, right, tolerance: float) -> bool:
    if isinstance(left, tuple | list) and isinstance(right, tuple | list):
        return len(left) == len(right) and all(_same(a, b, tolerance) for a, b in zip(left, right, strict=True))
    if isinstance(left, float | complex | np.inexact | np.ndarray):
        left, right = np.asarray(left), np.asarray(right)
        scale = max(np.abs(array[np.isfinite(array)]).max(initial=0.0) for array in (left, right))
        return left.shape == right.shape and np.allclose(left, right, rtol=0, atol=tolerance * scale, equal_nan=True)
    return bool(left == right)


def _require_chunk(chunk) -> None:
    whole = isinstance(chunk, int | np.integer) and not isinstance(chunk, bool)
    require(whole and chunk >= 1, f"chunked: chunk must be a whole number ≥ 1; got {chunk!r}")


def _elements(function: str, op: Callable, elements: Sequence) -> list:
    require(callable(op), f"{function}: op must be a function op(earlier, later); got {op!r}. Use a monoid's .op")
    elements = list(elements)
    require(bool(elements), f"{function}: elements must hold at least one element; got none")
    return elements
