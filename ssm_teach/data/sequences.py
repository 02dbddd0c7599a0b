"""Data sets that are sequences to begin with: genomes, time series, and the release of Long Range Arena."""

import re

import numpy as np

from ssm_teach.errors import require

from . import archives
from .sources import Arrays, Files, Pieces

__all__ = ["GENOMES", "STRAINS", "genomes_from_deb", "lra_files", "series_from_wheel"]

GENOMES = ("text", "ends", "species")
# One strain a species: strains of one species share almost all of their sequence, so a second one would give the
# answers away. Each is a finished genome.
STRAINS = {
    "Escherichia coli": "E.Coli/references/MG1655-K12.fasta.gz",
    "Helicobacter pylori": "H.Pylori/references/SJM180.fasta.gz",
    "Staphylococcus aureus": "S.Aureus/references/N315.fasta.gz",
    "Vibrio cholerae": "V.Cholerae/references/O395.fasta.gz",
}
LRA_LIMITS = archives.Limits(file=16 << 30, total=128 << 30, members=10_000_000)  # it holds millions of small pictures


def genomes_from_deb(files: Files) -> Arrays:
    """Debian's ragout-examples: ``text`` (total,) letters, ``ends`` (n,) of its sequences, their ``species`` (n,)."""
    (deb,) = files.values()
    folder = "usr/share/doc/ragout/examples"
    packed = archives.read(deb, [f"{folder}/{name}" for name in STRAINS.values()])
    sequences, species = [], []
    for number, (data, name) in enumerate(zip(packed, STRAINS.values(), strict=True)):
        found = _fasta(archives.unzip(data, name), name)
        sequences += found
        species += [number] * len(found)
    return {
        "text": np.frombuffer(b"".join(sequences), np.uint8),
        "ends": np.cumsum([len(sequence) for sequence in sequences], dtype=np.int64),
        "species": np.array(species, np.uint8),
    }


def _fasta(data: bytes, name: str) -> list[bytes]:
    """The sequences of a FASTA file: a line starting with ``>`` begins one, letters follow on any number of lines."""
    require(data.startswith(b">"), f"data: line 1 of {name} must start with '>'")
    sequences = []
    for number, line in enumerate(data.splitlines(), 1):
        if line.startswith(b">"):
            sequences.append([])
        else:
            letters = line.strip().upper()
            require(letters.isalpha() or not letters, f"data: line {number} of {name} is not letters: {line[:20]!r}")
            sequences[-1].append(letters)
    return [b"".join(lines) for lines in sequences]


def series_from_wheel(files: Files) -> Pieces:
    """aeon's time series: every ``.ts`` file of the wheel, as ``NAME/NAME_TRAIN.ts``; no line of its code is read."""
    (wheel,) = files.values()
    folder = "aeon/datasets/data/"
    for name, stream in archives.members(wheel, lambda name: name.startswith(folder) and name.endswith(".ts")):
        yield name.removeprefix(folder), stream.read()


def lra_files(*folders: str):
    """A reader of ``lra_release.gz`` that keeps the files of these folders, with their paths from there on."""

    def decode(files: Files) -> Pieces:
        (archive,) = files.values()
        inside = re.compile(rf"(?:.*/)?((?:{'|'.join(map(re.escape, folders))})/.+)")
        for name, stream in archives.members(archive, lambda name: bool(inside.fullmatch(name)), LRA_LIMITS):
            yield inside.fullmatch(name).group(1), stream.read()

    return decode
