"""Time contestants fairly: results checked first, then interleaved runs, medians, and ratios to the first contestant.

Milliseconds on a shared machine mean little; the ratio of two contestants timed in turn means far more. So only ratios
are quoted, and the milliseconds are kept beside them for the record. Where one thread works, its CPU time can be taken
(``clock=time.process_time``), which does not count the time that other programs had the core.
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
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, dict]:
    """Run every contestant in turn, ``rounds`` times, after checking that all agree with the first one.

    Args:
        contestants: Name to a function of no arguments that returns its result; the first is ours.
        tolerance: Largest allowed difference to ours, relative to the largest entry of ours.
        read: Name and result to a tuple of tensors in one common layout; outside the clock.
        may_differ: Names that are timed even if their result is wrong.
        clock: Wall time, or ``time.process_time`` for the CPU time of one thread.
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
            start = clock()
            run()
            seconds[name].append(clock() - start)
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
    table = Table(title=f"{title}: time ÷ ours (! wrong result)")
    table.add_column("setting", no_wrap=True)
    for name in names:
        table.add_column(name, justify="right")
    for setting, measured in rows.items():
        cells = [measured.get(name) for name in names]
        table.add_row(setting, *(f"{c['ratio']:.2f}{'!' * ('wrong' in c)}" if c else "–" for c in cells))
    console = Console()
    console.width = max(console.width, 150)  # a line that a narrow terminal breaks is better than numbers cut short
    console.print(table)


def save(name: str, rows: dict[str, dict[str, dict]], peers: Iterable[str] = ()) -> None:
    """Write the measurements with their provenance to ``results/bench/<name>.json``; ``peers`` are packages."""
    record = {
        "benchmark": name,
        "rows": rows,
        "threads": torch.get_num_threads(),
        "device": f"{platform.machine()} CPU, {os.cpu_count()} cores",
        "load_average": os.getloadavg() if hasattr(os, "getloadavg") else None,  # ours is one or two of it
        "versions": {"python": platform.python_version(), "torch": torch.__version__}
        | {package: importlib.metadata.version(package) for package in peers},
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    temporary = FOLDER / f".{name}.json"
    temporary.write_text(json.dumps(record, indent=1) + "\n")
    temporary.replace(FOLDER / f"{name}.json")
