"""Examples kept in the cache as plain ``.npy`` files: made once, then opened as memory maps, so that indexing a batch
reads its pages and nothing else, and a task larger than the memory still trains.

A set of arrays is one folder, named after the task and a hash of everything that decides what is in it. It appears
under that name complete or not at all: it is filled under a hidden name and renamed at the end.

>>> import tempfile; folder = tempfile.TemporaryDirectory(); os.environ["SSM_TEACH_CACHE"] = folder.name
>>> def squares(start, stop):
...     return {"square": np.arange(start, stop) ** 2}
>>> generated("squares", {"of": "naturals"}, n=6, make=squares, block=4)["square"]
memmap([ 0,  1,  4,  9, 16, 25])
>>> folder.cleanup(); del os.environ["SSM_TEACH_CACHE"]
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import joblib
import numpy as np
from joblib.externals.loky import get_reusable_executor
from rich.console import Console
from rich.progress import track

from ssm_teach.data import cache_folder
from ssm_teach.errors import UserError, require
from ssm_teach.files import new_directory, read_json, write_json

__all__ = ["Arrays", "generated", "stored"]

Arrays = dict[str, np.ndarray]  # each with one row for each example, (n, …)

HEADER = 128  # bytes before the data; NumPy itself leaves this much for an array that may still grow
ABANDONED = 24 * 3600  # seconds after which a hidden folder is taken for one that a kill left behind


def generated(
    name: str,
    settings: dict,
    n: int,
    make: Callable[[int, int], Arrays],
    block: int = 1000,
    workers: int | None = None,
) -> Arrays:
    """Open n examples, which ``make`` generates block by block in worker processes if the cache does not have them.

    Args:
        name: The task's name and, if it helps a reader of the cache, its split.
        settings: Everything the examples depend on, JSON: seed, sizes, and a version to raise when ``make`` changes.
        n: How many examples.
        make: ``make(start, stop)`` returns the arrays of those examples, (stop − start, …) each. A function of a module
            or a `functools.partial` of one. However the range is cut, example i must come out the same.
        block: Examples a worker makes at once.
        workers: Processes; None is one for each core. A job of one or two blocks runs in this process.
    Returns: the arrays, (n, …) each, memory maps: writing to one changes this process's copy alone.
    Raises: UserError: if the disk is full or may not be written; the cache is then as it was.
    """
    ranges = [(start, min(start + block, n)) for start in range(0, n, block)]

    def blocks() -> Iterator[Arrays]:
        if len(ranges) <= 2 or workers == 1:
            yield from (make(*cut) for cut in ranges)
            return
        first = make(*ranges[0])
        _require_room(name, n * sum(array[0].nbytes for array in first.values()))
        yield first
        # loky's workers do not import the user's script, so that it needs no `if __name__ == "__main__"`.
        parallel = joblib.Parallel(n_jobs=workers or joblib.cpu_count(), return_as="generator")
        try:
            yield from parallel(joblib.delayed(make)(*cut) for cut in ranges[1:])
        finally:
            # They would wait five minutes for more to do, each with PyTorch in its memory.
            get_reusable_executor().shutdown()

    return stored(name, {**settings, "n": n}, lambda: _watched(blocks(), name, len(ranges)))


def stored(name: str, settings: dict, blocks: Callable[[], Iterable[Arrays]]) -> Arrays:
    """Open the arrays called ``name`` that were made with ``settings``, or write what ``blocks`` yields and open that.

    Blocks may have different lengths; they are appended along their first axis. Returns and raises as `generated`.
    """
    folder = _folder(name, settings)
    if not folder.exists():
        _remove_abandoned(folder)
        with new_directory(folder) as temporary:
            lengths = _write(temporary, blocks())
            write_json(temporary / "settings.json", {"settings": settings, "lengths": lengths})
    return _open(folder)


def _folder(name: str, settings: dict) -> Path:
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
    return cache_folder() / "tasks" / f"{name}-{digest}"


def _watched(blocks: Iterable[Arrays], name: str, total: int) -> Iterable[Arrays]:
    """Show on a terminal how far it is, and nothing anywhere else."""
    console = Console(stderr=True)
    hidden = total <= 2 or not console.is_terminal
    return track(blocks, f"making {name}, once", total, console=console, transient=True, disable=hidden)


def _require_room(name: str, needed: int) -> None:
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    require(
        needed < free,
        f"tasks: {name} needs {needed / 1e9:.2f} GB in the cache {folder}, where {free / 1e9:.2f} GB are free; ask for "
        "fewer examples, or put the cache elsewhere with the environment variable SSM_TEACH_CACHE",
    )


def _remove_abandoned(folder: Path) -> None:
    for part in folder.parent.glob(f".{folder.name}.*.part"):
        if time.time() - part.stat().st_mtime > ABANDONED:
            shutil.rmtree(part, ignore_errors=True)


def _write(folder: Path, blocks: Iterable[Arrays]) -> dict[str, int]:
    """Append the blocks to one file an array; return how many rows each array has."""
    files, kinds, lengths = {}, {}, {}
    with ExitStack() as opened:
        for key, array in ((key, array) for arrays in blocks for key, array in arrays.items()):
            if key not in files:
                files[key] = opened.enter_context(open(folder / f"{key}.npy", "wb"))
                files[key].write(b"\0" * HEADER)
                kinds[key], lengths[key] = array[:0], 0
            same = (array.dtype, array.shape[1:]) == (kinds[key].dtype, kinds[key].shape[1:])
            assert same, f"blocks of {key} differ in more than their length"
            # Not through a memory map: there a full disk is a signal that ends the process, here it is an OSError.
            files[key].write(np.ascontiguousarray(array).data)
            lengths[key] += len(array)
        for key, file in files.items():
            _finish(file, kinds[key], lengths[key])
    return lengths


def _finish(file, kind: np.ndarray, length: int) -> None:
    """Write the header, now that the number of rows is known, and flush everything to the disk."""
    file.seek(0)
    shape = (length, *kind.shape[1:])
    description = {"descr": np.lib.format.dtype_to_descr(kind.dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, description)
    assert file.tell() == HEADER, f"NumPy wrote a header of {file.tell()} bytes"
    file.flush()
    os.fsync(file.fileno())


def _open(folder: Path) -> Arrays:
    damaged = f"tasks: {folder} is damaged; delete it, and it is made again"
    try:
        lengths = read_json(folder / "settings.json")["lengths"]
        # Copy on write: PyTorch wants memory it may write to, and the file must not change if somebody does.
        arrays = {key: np.load(folder / f"{key}.npy", mmap_mode="c") for key in lengths}
    except (OSError, ValueError, KeyError):
        raise UserError(damaged) from None
    require(all(len(arrays[key]) == length for key, length in lengths.items()), damaged)
    return arrays
