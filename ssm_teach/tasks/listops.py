"""ListOps: the value of a nested expression over digits, read as a sequence of symbols.

    [MAX 4 [MIN 7 2 9 ] [SM 8 5 ] 0 ]   →   4        MIN, MAX, MED: the median, cut to a whole number; SM: sum mod 10

What an operator applies to may be a thousand symbols apart, so a model must keep a stack, or find a shortcut: a MAX of
many things is 9 more often than not, and the baselines here know that.

`generate` follows the published grammar (N. Nangia and S. Bowman 2018; lengths of Y. Tay et al. 2021, "Long Range
Arena"), in two sizes. `load("official")` reads the files released with Long Range Arena instead: ``basic_train.tsv``,
``basic_val.tsv`` and ``basic_test.tsv``.

Grammar: an expression is a digit, or with probability 1/4 an operator with 2 to ``arguments`` expressions one level
deeper; at level ``depth`` it is always a digit. Its length counts operators, digits and closing brackets. Kept are
those whose length lies strictly between ``above`` and ``below``; doubles go.
"""

import hashlib
from functools import partial
from pathlib import Path

import numba
import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingClassifier

from ssm_teach import data
from ssm_teach.errors import UserError, choose, require
from ssm_teach.files import sha256

from . import Split, Task
from ._store import generated, stored
from ._tokens import require_whole

__all__ = ["OPERATORS", "SIZES", "SYMBOLS", "evaluate", "generate", "load", "read_tsv", "text"]

SYMBOLS = ("pad", "unk", "eos", *"0123456789", "[MIN", "[MAX", "[MED", "[SM", "]")
PAD, EOS, ZERO, MIN, CLOSE = 0, 2, 3, 13, 17
OPERATORS = SYMBOLS[MIN:CLOSE]
SIZES = {
    "small": {"depth": 5, "arguments": 5, "above": 20, "below": 100, "examples": 24_000},
    "full": {"depth": 10, "arguments": 10, "above": 500, "below": 2000, "examples": 96_000},
}
HELD_OUT = 2000  # expressions for validation, and as many for the test
OFFICIAL = {part: f"basic_{part}.tsv" for part in ("train", "val", "test")}
TRIES = 20_000  # draws for one expression before giving up
VERSION = 1  # of the generator: raised when the same seed gives other expressions


def load(
    size: str = "small",
    examples: int | None = None,
    depth: int | None = None,
    arguments: int | None = None,
    above: int | None = None,
    below: int | None = None,
    folder: str | None = None,
) -> Task:
    """ListOps as a task with ten classes: generated once, in worker processes, into the cache; or from official files.

    Args:
        size: One of `SIZES`, or ``"official"`` for the released files.
        examples: Expressions to train on; of the released ones, the first so many. None for what the size says.
        depth, arguments: Of the grammar: levels, and the most arguments an operator has. None for what the size says.
        above, below: The length lies strictly between them. None for what the size says.
        folder: Where the released files lie; None for the cache, see ``ssm-teach data get lra-listops``.

    An expression that came up before is left out, and the first ones are the test, then validation: a larger training
    set leaves them as they were. (The released split depended on the random order of a Python set.)
    """
    choose("tasks.load", "size", size, (*SIZES, "official"))
    grammar = {"depth": depth, "arguments": arguments, "above": above, "below": below}
    given = {name: value for name, value in {**grammar, "examples": examples}.items() if value is not None}
    require_whole("listops", {"examples": 10}, examples=given.get("examples", 10))
    if size == "official":
        given.pop("examples", None)
        require(not given, f"tasks.load: the released files of listops have no {', '.join(given)} to choose")
        splits = _official(folder, examples)
    else:
        require(folder is None, "tasks.load: folder is for size 'official' of listops")
        splits = _generated(SIZES[size] | given)
    return Task(
        "listops",
        {"size": size, "examples": examples, **grammar, "folder": folder},
        *splits,
        length=splits[0].raw.shape[1],
        n_classes=10,
        full_epochs=40,
        measure_weak=_by_operator,
        measure_strong=_boosted,
        vocab=len(SYMBOLS),
        limited=examples is not None if size == "official" else SIZES[size] | given != SIZES["full"],
    )


def generate(
    n: int, seed: int, depth: int = 5, arguments: int = 5, above: int = 20, below: int = 100, start: int = 0
) -> dict[str, np.ndarray]:
    """n expressions with a length strictly between ``above`` and ``below``: example i depends on (seed, i) alone.

    Args:
        start: Number of the first example.
    Returns: ``symbols`` (n, below) uint8, an expression and `eos`, then padding; ``length`` (n,) int16 without eos;
        ``value`` (n,) uint8; ``draws`` (n,) int32, how many expressions were drawn until this one had a right length.
    Raises: UserError: if expressions of such a length do not come up.

    >>> made = generate(1, seed=0, above=8, below=14)
    >>> text(made["symbols"][0]), made["value"]
    ('[MED 7 1 [MAX 6 4 4 ] 9 ]', array([6], dtype=uint8))
    """
    settings = {"depth": depth, "arguments": arguments, "above": above, "below": below}
    _check_grammar(**settings)
    symbols, length = np.zeros((n, below), np.uint8), np.zeros(n, np.int16)
    value, draws = np.zeros(n, np.uint8), np.zeros(n, np.int32)
    for i in range(n):
        rng = np.random.RandomState([seed, start + i])  # its streams are frozen for ever, default_rng's are not
        while length[i] == 0:
            # One row of uniform numbers decides one node; an expression cannot have more nodes than symbols.
            length[i] = _grow(rng.random_sample((below, 3)), depth, arguments, below, symbols[i])
            draws[i] += 1
            if length[i] <= above:
                length[i] = 0
            if draws[i] == TRIES:
                raise UserError(
                    f"listops: {TRIES} draws in a row had no expression of {_in_words(**settings)}; allow other lengths"
                )
        symbols[i, length[i]] = EOS
        symbols[i, length[i] + 1 :] = PAD
        value[i] = evaluate(symbols[i, : length[i]])
    return {"symbols": symbols, "length": length, "value": value, "draws": draws}


@numba.njit(cache=True)
def _grow(uniform, depth, arguments, below, symbols):
    """Write one random expression, in reading order, into symbols; return its length, or 0 where it gets too long."""
    missing = np.zeros(depth + 1, np.int64)  # arguments that the open operator of each level still lacks
    level, length, node = 0, 0, 0
    missing[0] = 1
    while True:
        if missing[level] == 0:
            if level == 0:
                return length
            level -= 1
            symbol = CLOSE
        else:
            missing[level] -= 1
            r, m, o = uniform[node]
            node += 1
            if level < depth - 1 and r <= 0.25:
                level += 1
                missing[level] = 2 + int(m * (arguments - 1))
                symbol = MIN + int(o * 4)
            else:
                symbol = ZERO + int(o * 10)
        if length == below - 1:
            return 0
        symbols[length] = symbol
        length += 1


@numba.njit(cache=True)
def _value(symbols, values, opened):
    """Run symbols through a stack machine; return the value, or minus the place, from 1, where it got stuck."""
    top, depth = 0, 0  # values on the stack, operators open
    for k in range(len(symbols)):
        symbol = symbols[k]
        if k > 0 and depth == 0:
            return -(k + 1)  # the expression was complete already
        if ZERO <= symbol < MIN:
            values[top] = symbol - ZERO
            top += 1
        elif MIN <= symbol < CLOSE:
            opened[depth, 0], opened[depth, 1] = symbol, top
            depth += 1
        elif symbol == CLOSE and depth > 0 and top > opened[depth - 1, 1]:
            depth -= 1
            bottom = opened[depth, 1]
            values[bottom] = _apply(opened[depth, 0] - MIN, values[bottom:top])
            top = bottom + 1
        else:
            return -(k + 1)
    return values[0] if depth == 0 and top == 1 else -(len(symbols) + 1)


@numba.njit(cache=True)
def _apply(operator, values):
    if operator == 0:
        return values.min()
    if operator == 1:
        return values.max()
    if operator == 2:
        return np.int64(np.median(values))
    return values.sum() % 10


def evaluate(symbols: np.ndarray) -> int:
    """The value of an expression, (length,) without eos and padding, by a stack machine.

    Raises: UserError: where the symbols are no expression; the place is named.

    >>> evaluate(np.array([SYMBOLS.index(word) for word in "[MED 9 2 [SM 8 5 ] 4 ]".split()]))
    3
    """
    result = _value(symbols, np.zeros(len(symbols) + 1, np.int64), np.zeros((len(symbols) + 1, 2), np.int64))
    if result < 0:
        place = -result - 1
        what = repr(SYMBOLS[symbols[place]]) if place < len(symbols) else "the end"
        raise UserError(f"listops: no expression may have {what} at symbol {place + 1}")
    return int(result)


def text(symbols: np.ndarray) -> str:
    """An expression as it is written: symbols with spaces between, without eos and padding."""
    return " ".join(SYMBOLS[symbol] for symbol in symbols if symbol > EOS)


# ---- from expressions to splits -------------------------------------------------------------------------------------


def _generated(settings: dict) -> list[Split]:
    """Draw until there are enough distinct expressions."""
    grammar = {name: value for name, value in settings.items() if name != "examples"}
    _check_grammar(**grammar)
    needed = settings["examples"] + 2 * HELD_OUT
    for n in (needed, 2 * needed, 4 * needed):
        pool = generated("listops", {**grammar, "version": VERSION}, n, partial(_make, grammar), block=500)
        kept = _distinct(pool["symbols"])
        if len(kept) >= needed:
            test, validation, train = np.split(kept[:needed], [HELD_OUT, 2 * HELD_OUT])
            return [_rows(pool, rows) for rows in (train, validation, test)]
    raise UserError(
        f"tasks.load: {n} draws of listops had {len(kept)} different expressions of {_in_words(**grammar)}, "
        f"and {needed} are needed; allow greater lengths or ask for fewer examples"
    )


def _make(grammar: dict, start: int, stop: int) -> dict[str, np.ndarray]:
    return generate(stop - start, seed=0, start=start, **grammar)


def _distinct(symbols: np.ndarray) -> np.ndarray:
    """Numbers of the rows that no earlier row equals."""
    first = {}
    for i, row in enumerate(symbols):
        first.setdefault(hashlib.blake2b(row, digest_size=16).digest(), i)
    return np.fromiter(first.values(), np.int64, len(first))


def _rows(arrays: dict[str, np.ndarray], rows: np.ndarray | slice) -> Split:
    """The rows of arrays in the cache as a split. Rows in one piece stay memory-mapped."""
    if not isinstance(rows, slice) and len(rows) == rows[-1] - rows[0] + 1:
        rows = slice(rows[0], rows[-1] + 1)
    symbols, length, value = (torch.from_numpy(arrays[name][rows]) for name in ("symbols", "length", "value"))
    return Split(symbols, value, encode=lambda raw: raw.long(), lengths=length.long() + 1)  # with eos


def _check_grammar(depth: int, arguments: int, above: int, below: int) -> None:
    low = {"depth": 2, "arguments": 2, "above": 0, "below": 2}
    require_whole("listops", low, depth=depth, arguments=arguments, above=above, below=below)
    require(below <= 32_767, f"tasks.load: below of listops must be at most 32767; got {below}")
    longest = 1
    for _ in range(depth - 1):
        longest = min(2 + arguments * longest, below)  # no more than that matters, and powers grow fast
    possible = {1, *range(4, longest + 1)} & set(range(above + 1, below))
    require(
        bool(possible),
        f"tasks.load: no expression of listops has {_in_words(depth, arguments, above, below)}; "
        + (f"the longest has {longest} symbols" if longest <= above else "raise below"),
    )


def _in_words(depth: int, arguments: int, above: int, below: int) -> str:
    return f"a length between {above} and {below} at depth {depth} with up to {arguments} arguments"


# ---- the released files ---------------------------------------------------------------------------------------------


def _official(folder: str | None, examples: int | None) -> list[Split]:
    where = Path(str(folder)) if folder is not None else data.folder("lra-listops") / "listops-1000"
    files = {part: where / name for part, name in OFFICIAL.items()}
    for path in files.values():
        require(path.is_file(), f"tasks.load: listops needs the file {path}, which does not exist")
    parts = {
        part: stored("listops-official", {"sha256": sha256(path)}, partial(_one_block, path))
        for part, path in files.items()
    }
    n = len(parts["train"]["value"])
    require(
        examples is None or examples <= n,
        f"tasks.load: examples must be at most {n}, all of {files['train']}; got {examples}",
    )
    rows = {"train": slice(0, examples), "val": slice(None), "test": slice(None)}
    return [_rows(arrays, rows[part]) for part, arrays in parts.items()]


def _one_block(path: Path):
    yield read_tsv(path)


def read_tsv(path: Path) -> dict[str, np.ndarray]:
    """Read a file in the released format: a line ``Source<TAB>Target``, then an expression and its value on each line.

    Round brackets mean nothing and are dropped. Returns the arrays of `generate`, without ``draws``.

    Raises: UserError: with the number of the first line that is wrong, if only by its value.
    """
    code = {word: symbol for symbol, word in enumerate(SYMBOLS) if symbol > EOS}
    expressions, values = [], []
    with open(path, encoding="utf-8", errors="replace") as lines:
        header = next(lines, "").rstrip("\r\n")
        require(header == "Source\tTarget", f"{path}: line 1 must be Source<TAB>Target; got {header[:40]!r}")
        for number, line in enumerate(lines, start=2):
            source, _, target = line.rstrip("\r\n").partition("\t")
            where = f"{path}: line {number}"
            words = source.replace("(", " ").replace(")", " ").split()
            unknown = next((word for word in words if word not in code), None)
            require(unknown is None, f"{where} has the unknown symbol {str(unknown)[:40]!r}")
            symbols = np.array([code[word] for word in words], np.uint8)
            try:
                value = evaluate(symbols)
            except UserError as error:
                raise UserError(f"{where}: {error}") from None
            require(target == str(value), f"{where} has the value {target[:40]!r}, but the expression has {value}")
            expressions.append(symbols)
            values.append(value)
    require(bool(values), f"{path}: there is no expression after line 1")
    return _padded(expressions, values)


def _padded(expressions: list[np.ndarray], values: list[int]) -> dict[str, np.ndarray]:
    length = np.array([len(symbols) for symbols in expressions], np.int16)
    padded = np.full((len(values), max(2000, length.max() + 1)), PAD, np.uint8)  # one width for the three files
    for row, symbols in zip(padded, expressions, strict=True):
        row[: len(symbols)] = symbols
        row[len(symbols)] = EOS
    return {"symbols": padded, "length": length, "value": np.array(values, np.uint8)}


# ---- baselines ------------------------------------------------------------------------------------------------------


def _by_operator(task: Task) -> dict:
    """The weak baseline: for each operator at the root, the value it has most often in training."""
    root, value = task.train.raw[:, 0].long(), task.train.targets.long()
    most = torch.stack([value[root == symbol].bincount(minlength=10).argmax() for symbol in range(len(SYMBOLS))])
    right = most[task.test.raw[:, 0].long()] == task.test.targets
    return {
        "kind": "the most frequent value of the operator at the root",
        "accuracy": float(right.double().mean()),
        "train_examples": len(value),
    }


def _boosted(task: Task) -> dict:
    """The strong baseline: boosted trees on what one sees without nesting, see `_features`."""
    n = min(len(task.train), 20_000)
    x, y = _features(task.train.raw[:n].numpy()), task.train.targets[:n].numpy()
    fit = HistGradientBoostingClassifier(max_iter=60, random_state=0).fit(x, y)
    return {
        "kind": "boosted trees on the operator at the root, the digits and operators directly under it, and all counts",
        "accuracy": float(fit.score(_features(task.test.raw.numpy()), task.test.targets.numpy())),
        "train_examples": n,
    }


def _features(symbols: np.ndarray) -> np.ndarray:
    """(n, 30): the first symbol, how often each symbol comes directly under the root, and how often at all."""
    opens, closes = (symbols >= MIN) & (symbols < CLOSE), symbols == CLOSE
    level = np.cumsum(opens, 1, dtype=np.int16) - np.cumsum(closes, 1, dtype=np.int16)  # after the symbol
    under_root = level == np.where(opens, 2, 1)
    counts = [(symbols == symbol).sum(1) for symbol in range(ZERO, len(SYMBOLS))]
    direct = [((symbols == symbol) & under_root).sum(1) for symbol in range(ZERO, CLOSE)]
    return np.stack([symbols[:, 0], *direct, *counts], 1).astype(np.float32)
