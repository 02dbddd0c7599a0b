"""Records: what a run did, with everything needed to judge it and to do it again.

A record is one JSON file. Every run leaves one in its folder; ``ssm-teach train … --record NAME`` also puts it into
``results/NAME.json``, which the book's tables and plots read. Numbers that others reported are in
``results/reported.json`` with their source, and never mix with ours.
"""

import importlib.metadata
import io
import os
import platform
import subprocess
import sys
from pathlib import Path

import matplotlib
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .errors import require
from .files import read_json, write_atomically, write_json

__all__ = ["device_in_words", "load_record", "load_records", "peak_memory", "plot_learning_curve", "provenance"]
__all__ += ["load_reported", "save_record"]

ROOT = Path(__file__).resolve().parent.parent
# Beside the package in a checkout; an installed package has no checkout, so its results stay where the user works.
RESULTS = ROOT / "results" if (ROOT / "pyproject.toml").exists() else Path("results")
REPORTED = "reported"


def load_record(name: str) -> dict:
    """Read ``results/<name>.json``.

    Raises: UserError: if there is no such record, with the names there are.
    """
    path = RESULTS / f"{name}.json"
    there = ", ".join(sorted(p.stem for p in RESULTS.glob("*.json") if p.stem != REPORTED)) or "none"
    require(path.is_file(), f"load_record: there is no record {name!r} in {RESULTS.name}/; there are: {there}")
    return read_json(path)


def load_records() -> dict[str, dict]:
    """All records in ``results/`` that the trainer made, by name."""
    names = sorted(path.stem for path in RESULTS.glob("*.json"))
    records = {name: read_json(RESULTS / f"{name}.json") for name in names if name != REPORTED}
    return {name: record for name, record in records.items() if record.get("kind") == "training run"}


def load_reported() -> list[dict]:
    """Accuracies that others reported, as fractions: task and its options, layer, the model's own name, source."""
    path = RESULTS / f"{REPORTED}.json"
    return read_json(path)["reported"] if path.exists() else []


def save_record(record: dict, folder: Path, name: str) -> None:
    """Write a record as ``<folder>/<name>.json`` and its learning curve as PNG and SVG beside it."""
    for kind in ("png", "svg"):
        write_atomically(folder / f"{name}.{kind}", _picture(record, kind))
    write_json(folder / f"{name}.json", record)


def plot_learning_curve(record: dict, *, ax: Axes | None = None) -> Axes:
    """Training and validation accuracy by step, with the simple baseline, chance and the final test accuracy."""
    ax = Figure(figsize=(7, 4), layout="constrained").add_subplot() if ax is None else ax
    curve, epochs = record["curve"], record["metrics"]
    ax.plot([m["step"] for m in curve], [m["accuracy"] for m in curve], color="0.6", lw=1, label="training")
    steps = [m["step"] for m in epochs]
    ax.plot(steps, [m["validation_accuracy"] for m in epochs], "o-", color="#0072b2", ms=4, label="validation")
    ax.plot(steps[-1:], [record["test"]["accuracy"]], "*", color="#d55e00", ms=12, label="test")
    ax.axhline(record["baseline"]["accuracy"], color="#009e73", ls="--", lw=1, label="simple baseline")
    ax.axhline(record["chance"], color="0.3", ls=":", lw=1, label="chance")
    budget = " (small budget)" if record["small_budget"] else ""
    ax.set(xlabel="step", ylabel="accuracy", ylim=(0, 1), title=f"{record['name']}{budget}")
    ax.legend(loc="lower right")
    return ax


def provenance() -> dict:
    """Where numbers come from: the commit, and the versions of what computed them."""
    packages = ("ssm-teach", "torch", "numpy", "scipy", "scikit-learn", "accelerate", "safetensors")
    return {
        "commit": _commit(),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in packages}},
        "system": f"{platform.system()} {platform.machine()}",
    }


def device_in_words(device: torch.device, processes: int = 1) -> str:
    """
    >>> device_in_words(torch.device("cpu"))  # doctest: +SKIP
    'CPU, 2 threads of 2 cores, AVX2'
    """
    several = f"{processes} × " if processes > 1 else ""
    if device.type != "cpu":
        return several + (torch.cuda.get_device_name(device) if device.type == "cuda" else device.type)
    threads, instructions = torch.get_num_threads(), torch.backends.cpu.get_cpu_capability()
    return f"{several}CPU, {threads} thread{'s' * (threads > 1)} of {os.cpu_count()} cores, {instructions}"


def peak_memory(device: torch.device) -> int:
    """The most memory in use so far, in bytes: the GPU's for a GPU, else the whole process's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset
    import resource

    # Linux counts in KiB, macOS in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _picture(record: dict, kind: str) -> bytes:
    out = io.BytesIO()
    # A fixed salt and no date: the same record always gives the same bytes.
    with matplotlib.rc_context({"svg.hashsalt": "ssm-teach"}):
        plot_learning_curve(record).figure.savefig(
            out, format=kind, dpi=120, metadata={"Date": None} if kind == "svg" else None
        )
    return out.getvalue()


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "from a checkout" if package == "ssm-teach" else "not installed"


def _commit() -> str:
    """The commit of the checkout, with a mark if the package's own files differ from it."""
    if not (ROOT / ".git").exists():
        return "unknown (not a git checkout)"
    try:
        commit = _git("rev-parse", "HEAD")
        return commit + (" with local changes" if _git("status", "--porcelain", "--", "ssm_teach") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown (git did not answer)"


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def print_report() -> None:
    """Print `results/` as a table."""
    from rich.console import Console
    from rich.table import Table

    records = load_records()
    require(
        bool(records), "report: there are no records in results/ yet; make one with: ssm-teach train … --record NAME"
    )
    table = Table(title="Measured here, beside what others reported", title_justify="left")
    for column in ("record", "task", "layer", "parameters", "epochs", "examples"):
        table.add_column(column)
    for column in ("test %", "baseline %", "chance %"):
        table.add_column(column, justify="right")
    table.add_column("budget")
    table.add_column("reported elsewhere, %")
    for name, record in records.items():
        table.add_row(*_row(name, record))
    # In a file or a pipe there is no width to fit into, and a wrapped table is of no use to anyone.
    Console(width=None if sys.stdout.isatty() else 240).print(table)


def _row(name: str, record: dict) -> list[str]:
    task, settings = record["task"], record["settings"]
    what = [str(task[key]) for key in ("dataset", "reading") if key in task]
    noise = task.get("noise", 0)  # makes another task of it, to which the numbers of others do not belong
    shares = (record["test"]["accuracy"], record["baseline"]["accuracy"], record["chance"])
    return [
        name,
        " ".join([task["name"], *what, *([f"noise={noise}"] if noise else [])]),
        " ".join([settings["layer"], *(f"{key}={value}" for key, value in settings["layer_options"].items())]),
        f"{record['model']['parameters']:,}",
        str(settings["epochs"]),
        f"{task['train_examples']:,}",
        *(f"{100 * share:.1f}" for share in shares),
        "small" if record["small_budget"] else "full",
        "; ".join(
            f"{100 * other['accuracy']:.1f} {other['model']} ({other['source']})"
            for other in load_reported()
            if (other["task"], other["layer"]) == (task["name"], settings["layer"])
            and {"noise": 0, **other["options"]}.items() <= {"noise": 0, **task}.items()
        ),
    ]
