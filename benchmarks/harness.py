"""Time contestants fairly: results checked first, then interleaved runs, medians, and ratios to the first contestant.

Milliseconds on a shared machine mean little; the ratio of two contestants timed in turn means far more. So only ratios
are quoted, and the milliseconds are kept beside them for the record.
"""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

__all__ = ["compare", "save", "show"]

FOLDER = Path(__file__).resolve().parent.parent / "results" / "bench"


def compare(contestants: dict[str, Callable[[], torch.Tensor]], tolerance: float, rounds: int = 7) -> dict[str, dict]:
    """Run every contestant in turn, ``rounds`` times, after checking that all agree with the first one.

    Args:
        contestants: Name to a function of no arguments that returns its result; the first is ours.
        tolerance: Largest allowed difference to ours, relative to the largest entry of ours.
    Returns: Name to ``{"median_ms", "ratio", "difference"}``; ``ratio`` is its median over ours.
    Raises: RuntimeError: if a contestant's result differs by more than ``tolerance``.
    """
    results = {name: run().detach() for name, run in contestants.items()}  # also the warm-up
    ours = next(iter(results.values()))
    difference = {name: float((result - ours).abs().max() / ours.abs().max()) for name, result in results.items()}
    for name, value in difference.items():
        if not value <= tolerance:
            raise RuntimeError(f"{name} differs from ours by {value:.1e}, more than {tolerance:.0e}: not timed")
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
        for name, median in medians.items()
    }


def show(title: str, rows: dict[str, dict[str, dict]]) -> None:
    """Print one table: a row a setting, a column a contestant, each cell the ratio of its time to ours."""
    names = list(next(iter(rows.values())))
    table = Table("setting", *names, title=f"{title}: time ÷ ours")
    for setting, measured in rows.items():
        table.add_row(setting, *(f"{measured[name]['ratio']:.2f}" for name in names))
    Console().print(table)


def save(name: str, rows: dict[str, dict[str, dict]]) -> None:
    """Write the measurements with their provenance to ``results/bench/<name>.json``."""
    record = {
        "benchmark": name,
        "rows": rows,
        "threads": torch.get_num_threads(),
        "device": f"{platform.machine()} CPU, {os.cpu_count()} cores",
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    temporary = FOLDER / f".{name}.json"
    temporary.write_text(json.dumps(record, indent=1) + "\n")
    temporary.replace(FOLDER / f"{name}.json")
