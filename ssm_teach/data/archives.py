"""Read archives in pure Python and trust none of them: tar (plain, gz, bz2, xz, zst), zip, and Debian packages.

Only regular files are ever read: links and devices are passed over, so nothing can point outside. A name that would
leave the folder refuses the whole archive. Sizes are limited for each file and in total, as they are unpacked, so a
bomb is not even held in memory. Nothing here writes to the disk.

Sources: the tar format of POSIX.1-1988; ar(5) and deb(5) for Debian packages, an ar archive of 60-byte headers at even
offsets with the files in its member ``data.tar.*``.
"""

import bz2
import errno
import gzip
import io
import lzma
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from rich import progress
from rich.console import Console

from ssm_teach.errors import UserError, require

__all__ = ["Limits", "members", "read", "unzip"]

BLOCK = 1 << 20
LARGE = 1 << 27  # an archive that takes more than a second or two


@dataclass(frozen=True)
class Limits:
    """What an archive may unpack to: bytes of one file, bytes in all, and number of members."""

    file: int = 1 << 30
    total: int = 4 << 30
    members: int = 1_000_000


LIMITS = Limits()
BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    lzma.LZMAError,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    NotImplementedError,  # zipfile's word for a compression it does not know
    ValueError,
)


def members(archive: Path, wanted: Callable[[str], bool], limits: Limits = LIMITS) -> Iterator[tuple[str, BinaryIO]]:
    """Yield the name and the content, as a stream, of each regular file of an archive that is wanted, in its order.

    A stream must be read before the next member is asked for. Only when the iteration has ended was the whole archive
    read and its check sums found right, so keep nothing before that.

    Args:
        archive: A tar file, a zip file or a Debian package; recognised by its first bytes.
        wanted: Called with a name (without a leading ``./``).
        limits: Exceeding one of them is an error, also by a member that is not wanted.

    Raises: UserError: not such an archive, damaged or cut short, too large, or with a name that leaves the folder.
    """
    with _damage_in_words(archive.name), _opened(archive) as file:
        start = file.read(8)
        file.seek(0)
        if start.startswith(b"PK"):
            found = _zip_members(file, archive.name, wanted, limits)
        else:
            tar = _data_of_deb(file, archive.name, limits) if start == b"!<arch>\n" else file
            found = _tar_members(_Limited(_unpacked(tar), archive.name, limits), archive.name, wanted, limits)
        for name, stream in found:
            yield name, io.BufferedReader(_Checked(stream, archive.name), BLOCK)


def read(archive: Path, names: list[str], limits: Limits = LIMITS) -> list[bytes]:
    """Read the named regular files of an archive into memory.

    Raises: UserError: as `members`; also if one is missing or is a link.
    """
    found = {}
    for name, stream in members(archive, set(names).__contains__, limits):
        require(name not in found, f"data: {archive.name} holds {name} twice")
        found[name] = stream.read()
    missing = [name for name in names if name not in found]
    require(not missing, f"data: {archive.name} has no regular file {', '.join(missing)}")
    return [found[name] for name in names]


def unzip(packed: bytes, name: str, limits: Limits = LIMITS) -> bytes:
    """Unpack one gzip file in memory, within the limit of one file.

    >>> unzip(gzip.compress(b"four"), "a.gz")
    b'four'
    """
    with _damage_in_words(name):
        content = gzip.GzipFile(fileobj=io.BytesIO(packed)).read(limits.file + 1)
    require(len(content) <= limits.file, _too_large(name, name, limits.file))
    return content


def _opened(archive: Path) -> BinaryIO:
    """The file; how much of a large one was read is shown on a terminal."""
    console = Console(stderr=True)
    if console.is_terminal and archive.stat().st_size > LARGE:
        return progress.open(archive, "rb", description=archive.name, console=console, transient=True)
    return open(archive, "rb")


# ---- the three formats ----------------------------------------------------------------------------------------------


def _tar_members(stream: "_Limited", archive: str, wanted, limits: Limits) -> Iterator[tuple[str, BinaryIO]]:
    with tarfile.open(fileobj=stream, mode="r|") as tar:
        count = 0
        while (member := tar.next()) is not None:
            count += 1
            tar.members = []  # tarfile remembers every member, which for a million pictures is a gigabyte
            _check_member(member.name, member.size, count, archive, limits)
            name = member.name.removeprefix("./")
            if member.isreg() and wanted(name):
                yield name, tar.extractfile(member)
    while stream.read(BLOCK):  # the check sum of a compressed file is at its very end
        pass


def _zip_members(file: BinaryIO, archive: str, wanted, limits: Limits) -> Iterator[tuple[str, BinaryIO]]:
    with zipfile.ZipFile(file) as packed:
        total = 0
        for count, info in enumerate(packed.infolist(), 1):
            total += info.file_size  # zipfile reads no more than this of a member
            _check_member(info.filename, info.file_size, count, archive, limits)
            require(total <= limits.total, _too_large(archive, "it", limits.total))
            kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where the archive was not packed on Unix
            if kind in (0, stat.S_IFREG) and not info.is_dir() and wanted(info.filename):
                require(not info.flag_bits & 1, f"data: {info.filename} of {archive} is encrypted")
                with packed.open(info) as stream:
                    yield info.filename, stream


def _data_of_deb(deb: BinaryIO, archive: str, limits: Limits) -> BinaryIO:
    """The still packed ``data.tar.*`` of a Debian package."""
    deb.seek(8)
    while len(header := deb.read(60)) == 60:
        name, size = header[:16].decode("ascii", "replace").strip(" /"), header[48:58].strip()
        require(size.isdigit(), f"data: the Debian package {archive} is damaged")
        if name.startswith("data.tar"):
            require(int(size) <= limits.file, _too_large(archive, name, limits.file))
            data = deb.read(int(size))
            require(len(data) == int(size), f"data: the Debian package {archive} is cut short")
            return io.BytesIO(data)
        deb.seek(int(size) + int(size) % 2, io.SEEK_CUR)
    raise UserError(f"data: the Debian package {archive} has no data.tar")


def _check_member(name: str, size: int, count: int, archive: str, limits: Limits) -> None:
    parts = re.split(r"[/\\]", name)  # a backslash separates folders on Windows
    inside = ".." not in parts and not name.startswith(("/", "\\")) and not re.match("[A-Za-z]:", name)
    require(inside and "\0" not in name, f"data: {archive} is refused: its member {name!r} would leave the folder")
    require(size <= limits.file, _too_large(archive, name, limits.file))
    require(count <= limits.members, f"data: {archive} is refused: it has more than {limits.members:,} members")


def _too_large(archive: str, what: str, limit: int) -> str:
    return f"data: {archive} is refused: {what} would unpack to more than the {limit / 1e6:,.0f} MB that are allowed"


# ---- streams --------------------------------------------------------------------------------------------------------


def _unpacked(file: BinaryIO) -> BinaryIO:
    """The stream inside a compressed one, which is recognised by its first bytes."""
    start = file.read(6)
    file.seek(0)
    if start.startswith(b"\x28\xb5\x2f\xfd"):
        return _zstd(file)
    openers = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
    return next((opener(file) for magic, opener in openers.items() if start.startswith(magic)), file)


def _zstd(file: BinaryIO) -> BinaryIO:
    try:
        from compression import zstd
    except ImportError:
        raise UserError("data: an archive packed with zstd needs Python 3.14 or later to be read") from None
    return zstd.open(file)


@contextmanager
def _damage_in_words(name: str) -> Iterator[None]:
    """Turn the many errors of the standard library's readers into one sentence."""
    try:
        yield
    except UserError:  # a ValueError too
        raise
    except (*BROKEN, OSError) as error:
        # For bz2 damage is an OSError without a number, and zipfile seeks to where a damaged directory points.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        reason = str(error) or type(error).__name__
        raise UserError(f"data: {name} is not an archive, or is damaged or cut short ({reason})") from None


class _Checked(io.RawIOBase):
    """A member's stream, whose damage shows only when it is read."""

    def __init__(self, stream: BinaryIO, archive: str):
        self.stream, self.archive = stream, archive

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        with _damage_in_words(self.archive):
            data = self.stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _Limited:
    """A stream of which no more than ``limits.total`` bytes can be read."""

    def __init__(self, stream: BinaryIO, archive: str, limits: Limits):
        self.stream, self.archive, self.limits, self.seen = stream, archive, limits, 0

    def read(self, size: int) -> bytes:
        data = self.stream.read(size)
        self.seen += len(data)
        require(self.seen <= self.limits.total, _too_large(self.archive, "it", self.limits.total))
        return data
