"""The cache: one folder a data set, with its files and a manifest of their hashes. It appears whole or not at all.

Arrays are plain ``.npy`` files and are opened as memory maps, so that a batch of examples reads its pages only.
"""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pooch

from ssm_teach.errors import UserError, require
from ssm_teach.files import new_directory, read_json, sha256, write_json

from .sources import Arrays, Dataset, Pieces

__all__ = ["cache_folder", "content_hash", "damage", "folder_of", "keep", "open_arrays", "open_files"]

MANIFEST = "manifest.json"
BLOCK = 1 << 24


def cache_folder() -> Path:
    """Where fetched data lives: ``$SSM_TEACH_CACHE``, or the platform's cache folder."""
    return Path(os.environ.get("SSM_TEACH_CACHE") or pooch.os_cache("ssm-teach"))


def folder_of(name: str) -> Path:
    """The folder that holds a data set, if it was fetched."""
    return cache_folder() / name


def content_hash(arrays: Iterable[np.ndarray]) -> str:
    """SHA-256 over the bytes of arrays, one after the other, whatever archive they came in.

    >>> content_hash([np.zeros(2, np.uint8), np.zeros(6, np.uint8)])[:12]
    'af5570f5a181'
    """
    digest = hashlib.sha256()
    for array in arrays:
        flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        for start in range(0, len(flat), BLOCK):  # of a memory map, no more than this is in memory at once
            digest.update(flat[start : start + BLOCK])
    return digest.hexdigest()


def keep(dataset: Dataset, content: Arrays | Pieces, source: str, expected: str | None) -> Path:
    """Write a data set into the cache. If its content is not the expected one, nothing changes."""
    folder = folder_of(dataset.name)
    with new_directory(folder) as temporary:
        if dataset.parts:
            _write_arrays(dataset, content, temporary)
            actual = content_hash(content[part] for part in dataset.parts)
        else:
            for name, data in content:
                _write_file(temporary / name, data)
            actual = None
        names = sorted(path.relative_to(temporary).as_posix() for path in temporary.rglob("*") if path.is_file())
        require(bool(names), f"data: the archive holds nothing of {dataset.name}")
        hashes = {name: sha256(temporary / name) for name in names}
        actual = actual or _hash_of_files(hashes)
        require(
            expected in (None, actual),
            f"data: what was decoded is not {dataset.name}: its content hashes to {actual}, expected {expected}",
        )
        write_json(temporary / MANIFEST, {"source": source, "content": actual, "files": hashes})
    return folder


def open_arrays(dataset: Dataset) -> Arrays:
    """The arrays of a data set as memory maps, after a check of their content. They may be written to: the file is not.

    Raises: UserError: never fetched, or damaged.
    """
    manifest = _manifest(dataset)
    folder = folder_of(dataset.name)
    try:
        # Copy on write: PyTorch wants memory it may write to.
        arrays = {part: np.load(folder / f"{part}.npy", mmap_mode="c") for part in dataset.parts}
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"data: {folder} is damaged ({error}){_fix(dataset)}") from None
    actual = content_hash(arrays.values())
    require(
        actual == manifest["content"] and _is_known(dataset, actual),
        f"data: {folder} is damaged: its content hashes to {actual}, expected {manifest['content']}{_fix(dataset)}",
    )
    return arrays


def open_files(dataset: Dataset) -> Path:
    """The folder with the files of a data set, none of them missing. What is in them is checked by `damage`."""
    files, folder = _manifest(dataset)["files"], folder_of(dataset.name)
    missing = [name for name in files if not (folder / name).is_file()]
    require(not missing, f"data: {folder} lacks {', '.join(missing[:3])}{_fix(dataset)}")
    return folder


def damage(dataset: Dataset) -> list[str]:
    """Hash every file of a data set in the cache again, and say what is missing or is not what was stored.

    Raises: UserError: never fetched, or the manifest itself is damaged.
    """
    manifest, folder = _manifest(dataset), folder_of(dataset.name)
    found = [] if _is_known(dataset, manifest["content"]) else [f"{MANIFEST} speaks of another content"]
    for name, digest in manifest["files"].items():
        if not (folder / name).is_file():
            found.append(f"{name} is missing")
        elif sha256(folder / name) != digest:
            found.append(f"{name} is damaged")
    return found


def _manifest(dataset: Dataset) -> dict:
    folder, name = folder_of(dataset.name), dataset.name
    yours = "" if any(source.pinned for source in dataset.sources) else " --from YOUR_FILE"
    require(
        folder.exists(),
        f"data: {name} is not in the cache {folder.parent}; fetch it with: ssm-teach data get {name}{yours}",
    )
    try:
        manifest = read_json(folder / MANIFEST)
        if isinstance(manifest["content"], str) and isinstance(manifest["files"], dict):
            return manifest
    except (OSError, UserError, KeyError, TypeError):
        pass
    raise UserError(f"data: {folder} is damaged ({MANIFEST} is missing or broken){_fix(dataset)}")


def _is_known(dataset: Dataset, content: str) -> bool:
    contents = {source.content for source in dataset.sources}
    return content in contents or None in contents


def _hash_of_files(hashes: dict[str, str]) -> str:
    return hashlib.sha256("".join(f"{digest} {name}\n" for name, digest in sorted(hashes.items())).encode()).hexdigest()


def _fix(dataset: Dataset) -> str:
    return f"; delete it and run: ssm-teach data get {dataset.name}"


def _write_arrays(dataset: Dataset, arrays: Arrays, folder: Path) -> None:
    missing = [part for part in dataset.parts if part not in arrays]
    require(not missing, f"data: what was decoded lacks {', '.join(missing)} of {dataset.name}")
    for part, rows in dataset.counts.items():
        found = len(arrays[part])
        require(found == rows, f"data: this is not the whole of {dataset.name}: {found:,} {part}, expected {rows:,}")
    for part in dataset.parts:
        array = np.ascontiguousarray(arrays[part])
        with open(folder / f"{part}.npy", "xb") as file:
            np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
            file.write(array.data)  # np.save would not say why it failed, where a full disk must be told apart
            file.flush()
            os.fsync(file.fileno())


def _write_file(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "xb") as file:
        file.write(data)
