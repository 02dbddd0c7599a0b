"""The store of generated examples: made once, the same for any number of workers, complete or not there at all."""

import errno
import os
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import torch

from ssm_teach.errors import UserError
from ssm_teach.tasks import Split, _store


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SSM_TEACH_CACHE", str(tmp_path))
    return tmp_path


def pictures(start: int, stop: int, seed: int = 0) -> dict[str, np.ndarray]:
    rows = [np.random.RandomState([seed, i]).randint(0, 256, (3, 5)) for i in range(start, stop)]
    return {"raw": np.array(rows, np.uint8), "targets": np.arange(start, stop, dtype=np.int64)}


def refuse(start: int, stop: int) -> dict[str, np.ndarray]:
    raise AssertionError("nothing should be made")


def everything_in(folder) -> list:
    return sorted(path.relative_to(folder) for path in folder.rglob("*"))


def test_examples_are_the_same_for_any_number_of_workers_and_any_block(cache):
    wanted = pictures(0, 50)
    for k, (block, workers) in enumerate([(50, 1), (7, 1), (7, 2), (16, 2)]):
        arrays = _store.generated("p", {"k": k}, 50, pictures, block=block, workers=workers)
        for key in wanted:
            np.testing.assert_array_equal(arrays[key], wanted[key])
            assert arrays[key].dtype == wanted[key].dtype


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux's ps")
def test_workers_are_gone_when_the_work_is_done():
    _store.generated("p", {}, 40, pictures, block=10, workers=2)
    assert not [child for child in children_running() if "LokyProcess" in child]


def children_running() -> list[str]:
    """Command lines of the processes that this one has started and that still run."""
    listed = subprocess.run(["ps", "-o", "args=", "--ppid", str(os.getpid())], capture_output=True, text=True)
    return listed.stdout.splitlines()


def test_what_is_in_the_cache_is_opened_and_not_made_again():
    first = _store.generated("p", {"seed": 0}, 10, pictures)
    again = _store.generated("p", {"seed": 0}, 10, refuse)
    np.testing.assert_array_equal(first["raw"], again["raw"])
    assert isinstance(again["raw"], np.memmap)


def test_other_settings_or_another_number_are_other_files():
    _store.generated("p", {"seed": 0}, 10, pictures)
    other = _store.generated("p", {"seed": 1}, 10, partial(pictures, seed=1))
    np.testing.assert_array_equal(other["raw"], pictures(0, 10, seed=1)["raw"])
    assert len(_store.generated("p", {"seed": 0}, 11, pictures)["raw"]) == 11


def test_blocks_of_any_length_are_appended():
    text = [{"bytes": np.frombuffer(word, np.uint8)} for word in (b"state", b"", b"space")]
    assert _store.stored("text", {}, lambda: text)["bytes"].tobytes() == b"statespace"


def test_a_split_over_the_store_takes_batches_and_never_changes_the_file():
    arrays = _store.generated("p", {}, 10, pictures)
    split = Split(torch.from_numpy(arrays["raw"]), torch.from_numpy(arrays["targets"]), encode=lambda raw: raw / 255)
    inputs, targets, _ = split[torch.tensor([7, 2])]
    np.testing.assert_array_equal(inputs, pictures(0, 10)["raw"][[7, 2]] / np.float32(255))
    assert targets.tolist() == [7, 2]
    split.raw.zero_()
    np.testing.assert_array_equal(_store.generated("p", {}, 10, refuse)["raw"], pictures(0, 10)["raw"])


def test_a_failure_leaves_nothing_behind(cache):
    _store.generated("kept", {}, 3, pictures)
    before = everything_in(cache)

    def interrupted():
        yield pictures(0, 5)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _store.stored("p", {}, interrupted)
    assert everything_in(cache) == before
    assert len(_store.stored("p", {}, lambda: [pictures(0, 5)])["raw"]) == 5


def test_a_full_disk_is_one_sentence_and_leaves_nothing_behind(cache):
    def full():
        yield pictures(0, 5)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(UserError, match=r"could not be written \(No space left on device\); nothing was changed"):
        _store.stored("p", {}, full)
    assert [path.name for path in (cache / "tasks").iterdir()] == []


def test_a_job_that_cannot_fit_is_refused_before_it_starts(cache, monkeypatch):
    monkeypatch.setattr(_store.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 1000})())
    sentence = r"tasks: p needs 0\.00 GB in the cache .* are free; ask for fewer examples, or .* SSM_TEACH_CACHE"
    with pytest.raises(UserError, match=sentence):
        _store.generated("p", {}, 100, pictures, block=10)
    assert [path.name for path in (cache / "tasks").iterdir()] == []


def test_what_a_kill_left_is_removed_a_day_later(cache):
    folder = _store._folder("p", {"n": 3})
    old, new = (folder.parent / f".{folder.name}.{x}.part" for x in "ab")
    for part in (old, new):
        part.mkdir(parents=True)
    os.utime(old, (0, 0))
    _store.generated("p", {}, 3, pictures)
    assert (old.exists(), new.exists()) == (False, True)


@pytest.mark.parametrize("spoil", ["cut", "missing", "settings"])
def test_a_damaged_folder_is_one_sentence(spoil):
    _store.generated("p", {}, 10, pictures)
    folder = _store._folder("p", {"n": 10})
    if spoil == "cut":
        os.truncate(folder / "raw.npy", 150)
    elif spoil == "missing":
        (folder / "targets.npy").unlink()
    else:
        (folder / "settings.json").write_text("{")
    with pytest.raises(UserError, match=rf"tasks: {folder} is damaged; delete it, and it is made again"):
        _store.generated("p", {}, 10, pictures)
