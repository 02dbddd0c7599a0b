"""How chapters are executed: with the package on the path, in step with the package, and timed."""

import hashlib
import os
import shutil
import sys
from pathlib import Path

from sphinx.util import logging

ROOT = Path(__file__).resolve().parents[2]
INPUTS = ("ssm_teach/**/*", "results/**/*")
SOURCES = {".py", ".js", ".mjs", ".css", ".svg", ".mplstyle", ".json", ".jsonl", ".csv", ".npz"}
logger = logging.getLogger(__name__)


def prepare_kernels() -> None:
    """Let kernels, which start in book/, import this checkout's package and draw still pictures of live controls."""
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    os.environ["SSM_TEACH_STATIC"] = "1"
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))


def inputs_hash(root: Path = ROOT) -> str:
    """One hash of what a chapter's outputs depend on beside its own text: the package and the recorded results."""
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted(path for pattern in INPUTS for path in root.glob(pattern)):
        if path.suffix in SOURCES and path.is_file():
            digest.update(f"{path.relative_to(root).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def refresh_cache(build: Path, current: str) -> bool:
    """Drop the cached executions in `build` unless the current inputs made them; say whether they were dropped."""
    stamp = build / "executed-with.sha256"
    if stamp.is_file() and stamp.read_text().strip() == current:
        return False
    shutil.rmtree(build / ".jupyter_cache", ignore_errors=True)
    build.mkdir(parents=True, exist_ok=True)
    stamp.write_text(current + "\n")
    return True


def execution_times(env) -> dict[str, float]:
    """Seconds that each chapter's execution took, from the cache when it was not executed now."""
    found = {name: data.get("exec_data") for name, data in getattr(env, "nb_metadata", {}).items()}
    return {name: data["runtime"] for name, data in found.items() if data and data["runtime"] is not None}


def time_table(times: dict[str, float]) -> str:
    """One line a chapter, slowest first, and their sum.

    >>> print(time_table({"book/a": 1.25, "book/bc": 30.0}))
    book/bc   30.0 s
    book/a     1.2 s
    total     31.2 s
    """
    rows = [*sorted(times.items(), key=lambda row: -row[1]), ("total", sum(times.values()))]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}} {seconds:>6.1f} s" for name, seconds in rows)


def start(app):
    app.executed_with = inputs_hash()
    if refresh_cache(Path(app.outdir).parent, app.executed_with):
        logger.info("the package or the results changed: every chapter is executed again")


def outdated(app, env, added, changed, removed):
    """Read every page again when it was last read with other inputs; the cache then decides what is executed."""
    return [] if getattr(env, "executed_with", None) == app.executed_with else sorted(env.found_docs)


def remember(app, env):
    env.executed_with = app.executed_with
    return []


def report(app, exception):
    times = execution_times(app.env) if app.env else {}
    if exception is None and times:
        logger.info("\nexecution time of each chapter\n%s", time_table(times))


def setup(app):
    prepare_kernels()
    # `jupyter-book build .` has no setting for "fail on warnings"; this is what -W --keep-going sets.
    app.keep_going = True
    app.connect("builder-inited", start)
    app.connect("env-get-outdated", outdated)
    app.connect("env-updated", remember)
    app.connect("build-finished", report)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
