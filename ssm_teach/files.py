"""Write files so that a kill, a full disk or a crash leaves either the old content or the new one, never half of it."""

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import UserError

__all__ = ["DISK_TROUBLE", "append_line", "new_directory", "read_json", "sha256", "write_atomically", "write_json"]

# Faults of the disk or of its permissions, not of this program: the user gets a sentence instead of a traceback.
DISK_TROUBLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG}


def write_atomically(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``: into a temporary file beside it first, which then takes its place in one step.

    Raises: UserError: if the disk is full or may not be written; whatever ``path`` held before is still there.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomically(Path(folder) / "a.txt", b"whole")
    ...     [(p.name, p.read_bytes()) for p in Path(folder).iterdir()]
    [('a.txt', b'whole')]
    """
    path = Path(path)
    with _clear_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.part")
        try:
            _write_through(temporary, data)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def new_directory(path: Path) -> Iterator[Path]:
    """Fill a hidden folder inside the ``with`` block; when the block ends well, it becomes ``path`` in one step.

    A folder already called ``path`` is replaced. If the block fails, nothing of it remains.
    """
    path = Path(path)
    with _clear_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
        try:
            yield temporary
            if path.exists():
                shutil.rmtree(path)
            os.replace(temporary, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def write_json(path: Path, content: object) -> None:
    """Write ``content`` as indented JSON, atomically. NaN and infinity are refused: JSON has no such numbers."""
    write_atomically(path, (json.dumps(content, indent=2, allow_nan=False) + "\n").encode())


def append_line(path: Path, content: object) -> None:
    """Append one line of JSON, flushed to the disk. If the disk fills up, the file is cut back to what it was."""
    with _clear_disk_errors(path), open(path, "ab") as file:
        size = file.tell()
        try:
            file.write((json.dumps(content, allow_nan=False) + "\n").encode())
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            os.truncate(path, size)
            raise


def read_json(path: Path) -> dict:
    """Read a JSON file that one of these functions wrote; a damaged one gets a `UserError` that names it."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: is not the JSON file it should be ({error}); it is damaged or was edited") from None


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_through(path: Path, data: bytes) -> None:
    """Write and flush to the disk itself, so that the rename that follows can never overtake the data."""
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _clear_disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_TROUBLE:
            raise
        raise UserError(f"{path}: could not be written ({os.strerror(error.errno)}); nothing was changed") from error
