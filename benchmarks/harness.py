"""Time contestants fairly: results checked first, then interleaved runs, medians, and ratios to the first contestant.

Milliseconds on a shared machine mean little; the ratio of two contestants timed in turn means far more. So only ratios
are quoted, and the milliseconds are kept beside them for the record.
"""

import importlib.metadata
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

__all__ = ["FOLDER", "compare", "pin", "save", "show"]

FOLDER = Path(__file__).resolve().parent.parent / "results" / "bench"
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def pin(threads: int) -> None:
    """Give every library the same number of threads: PyTorch by its own setting, all others by that many cores."""
    torch.set_num_threads(threads)
    if CORES and os.path.isdir("/proc/self/task"):
        for thread in os.listdir("/proc/self/task"):
            os.sched_setaffinity(int(thread), CORES[:threads])


def compare(
    contestants: dict[str, Callable],
    tolerance: float,
    rounds: int = 7,
    read: Callable[[str, object], tuple] = lambda name, result: (result,),
    may_differ: Iterable[str] = (),
) -> dict[str, dict]:
    """Run every contestant in turn, ``rounds`` times, after checking that all agree with the first one.

    Args:
        contestants: Name to a function of no arguments that returns its result; the first is ours.
        tolerance: Largest allowed difference to ours, relative to the largest entry of ours.
        read: Name and result to a tuple of tensors in one common layout; outside the clock.
        may_differ: Names that are timed even if their result is wrong.
    Returns: Name to ``{"median_ms", "ratio", "difference"}``; ``ratio`` is its median over ours. One whose result is
        wrong says so: ``"wrong": True``.
    Raises: RuntimeError: if another contestant's result differs by more than ``tolerance``.
    """
    results = {name: [part.detach() for part in read(name, run())] for name, run in contestants.items()}  # the warm-up
    ours = next(iter(results.values()))
    difference = {name: max(map(_difference, result, ours)) for name, result in results.items()}
    wrong = [name for name, value in difference.items() if not value <= tolerance]
    for name in wrong:
        if name not in may_differ:
            raise RuntimeError(
                f"{name} differs from ours by {difference[name]:.1e}, more than {tolerance:.0e}: not timed"
            )
    seconds = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    base = next(iter(medians.values()))
    return {
        name: {"median_ms": 1e3 * median, "ratio": median / base, "difference": difference[name]}
        | ({"wrong": True} if name in wrong else {})
        for name, median in medians.items()
    }


def _difference(result, ours):
    return float((result - ours).abs().max() / ours.abs().max())


def show(title: str, rows: dict[str, dict[str, dict]]) -> None:
    """Print one table: a row a setting, a column a contestant, each cell the ratio of its time to ours."""
    names = list(dict.fromkeys(name for measured in rows.values() for name in measured))
    table = Table("setting", *names, title=f"{title}: time ÷ ours (! wrong result)")
    for setting, measured in rows.items():
        cells = [measured.get(name) for name in names]
        table.add_row(setting, *(f"{c['ratio']:.2f}{'!' * ('wrong' in c)}" if c else "–" for c in cells))
    Console().print(table)


def save(name: str, rows: dict[str, dict[str, dict]], peers: Iterable[str] = ()) -> None:
    """Write the measurements with their provenance to ``results/bench/<name>.json``; ``peers`` are packages."""
    record = {
        "benchmark": name,
        "rows": rows,
        "threads": torch.get_num_threads(),
        "device": f"{platform.machine()} CPU, {os.cpu_count()} cores",
        "versions": {"python": platform.python_version(), "torch": torch.__version__}
        | {package: importlib.metadata.version(package) for package in peers},
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    temporary = FOLDER / f".{name}.json"
    temporary.write_text(json.dumps(record, indent=1) + "\n")
    temporary.replace(FOLDER / f"{name}.json")
