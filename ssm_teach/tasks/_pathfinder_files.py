"""The official Pathfinder of Long Range Arena: a folder of PNG pictures and of metadata, text in ``.npy`` files.

``metadata/17.npy`` has a line for each picture of ``imgs/17``: its folder, its file, a number that is not used, its
label, and more that is not used. Nothing is unpickled. The release has one empty picture, in ``curv_baseline``.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from ssm_teach.errors import UserError, require

from ._store import Arrays, stored

__all__ = ["read_folder"]

BLOCK = 1000  # pictures decoded before they are written
EMPTY = 1  # empty files that are left out without complaint


class _Entry(NamedTuple):
    picture: Path
    label: int


def read_folder(folder: str, size: int, most: tuple[int, int, int]) -> list[Arrays]:
    """Train, validation and test: 80/10/10 of the pictures by a seeded shuffle, at most ``most`` of each.

    The shuffled pictures are decoded into the cache once. Raises: UserError: for a file that is not what it should be;
    a line of metadata is named.
    """
    folder = Path(folder)
    files = sorted((folder / "metadata").glob("*.npy"))
    require(
        (folder / "imgs").is_dir() and bool(files),
        f"tasks.load: folder of pathfinder must hold imgs/ and metadata/*.npy, as pathfinder{size}/"
        f"curv_contour_length_14 does; {folder} does not",
    )
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    settings = {"folder": str(folder.resolve()), "metadata": digest, "size": size}
    arrays = stored(f"pathfinder{size}-official", settings, lambda: _blocks(folder, files, size))
    n = len(arrays["targets"])
    require(n >= 10, f"tasks.load: {folder} has {n} pictures; a split 80/10/10 needs at least 10")
    cuts = [0, n * 8 // 10, n * 9 // 10, n]
    ends = [min(stop, start + limit) for start, stop, limit in zip(cuts, cuts[1:], most, strict=False)]
    return [{key: a[start:end] for key, a in arrays.items()} for start, end in zip(cuts, ends, strict=False)]


def _blocks(folder: Path, files: list[Path], size: int) -> Iterator[Arrays]:
    entries = [entry for file in files for entry in _entries(folder, file)]
    # Frozen for ever, unlike default_rng's: the split must not depend on NumPy's version.
    order = np.random.RandomState(0).permutation(len(entries))
    for start in range(0, len(order), BLOCK):
        chosen = [entries[k] for k in order[start : start + BLOCK]]
        pictures = [_decode(entry.picture, size) for entry in chosen]
        yield {"raw": np.stack(pictures), "targets": np.array([entry.label for entry in chosen], np.uint8)}


def _entries(folder: Path, file: Path) -> list[_Entry]:
    try:
        lines = file.read_text(encoding="ascii").splitlines()
    except UnicodeDecodeError:
        raise UserError(f"tasks.load: {file} is not text, as the metadata of Pathfinder is") from None
    entries = [_entry(folder, f"{file}, line {k}", line) for k, line in enumerate(lines, 1)]
    empty = [entry.picture for entry in entries if entry.picture.stat().st_size == 0]
    require(len(empty) <= EMPTY, f"tasks.load: {len(empty)} pictures of {file} are empty; unpack the archive again")
    return [entry for entry in entries if entry.picture not in empty]


def _entry(folder: Path, where: str, line: str) -> _Entry:
    words = line.split()
    require(
        len(words) >= 4 and words[3] in ("0", "1"),
        f"tasks.load: {where}: expected 'folder file number label …' with a label 0 or 1; got {line[:60]!r}",
    )
    picture = folder / words[0] / words[1]
    # The metadata is somebody else's: what it names must lie among the pictures.
    inside = words[0].startswith("imgs/") and ".." not in picture.parts[len(folder.parts) :] and words[1][:1] != "/"
    require(
        inside and picture.is_file(),
        f"tasks.load: {where}: there is no picture {words[0]}/{words[1]} in {folder}",
    )
    return _Entry(picture, int(words[3]))


def _decode(path: Path, size: int) -> np.ndarray:
    try:
        with Image.open(path, formats=["PNG"]) as image:
            require(
                image.size == (size, size),
                f"tasks.load: {path} is {image.size[0]} × {image.size[1]} pixels, not {size} × {size}; "
                "give its size as the option size",
            )
            return np.asarray(image.convert("L")).ravel()
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise UserError(f"tasks.load: {path} is not a whole PNG picture ({error})") from None
