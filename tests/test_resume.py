"""A run that is killed, wherever it is killed, goes on to the weights and metrics of a run that never stopped."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ssm_teach import checkpoints, records, training
from ssm_teach.errors import UserError
from ssm_teach.training import Settings

# Three epochs of twelve steps, with dropout, a checkpoint every five steps and a shuffled order to get wrong.
SETTINGS = Settings(
    task_options={"dataset": "digits", "limit": 96},
    d_model=4,
    N=2,
    n_layers=1,
    epochs=3,
    batch_size=8,
    dropout=0.3,
    checkpoint_every=5,
    device="cpu",
)
STEPS = 36

# Resumes a run in a process that really is killed, so that nothing of it gets to clean up. Importing takes longer than
# all the rest, so on Linux one process imports, and a fork of it is killed for each line "where count" that it reads.
KILLED = """
import os, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
import accelerate, sklearn.linear_model
from ssm_teach import files, training
from ssm_teach.tasks import image

def die():
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

def resume_and_die(where, count):
    calls = 0
    def now():
        nonlocal calls
        calls += 1
        return calls == count
    if where == "step":  # inside an update, once `count` of them are done
        finite = training._Run._check_finite
        training._Run._check_finite = lambda run, *a: die() if run.progress["step"] == count else finite(run, *a)
    elif where == "write":  # half of the bytes of the `count`-th file are on the disk
        write = files._write_through
        def half(path, data):
            if now():
                Path(path).write_bytes(data[: len(data) // 2])
                die()
            write(path, data)
        files._write_through = half
    elif where == "append":  # the `count`-th line of metrics is cut short
        append = training.append_line
        def cut(path, content):
            append(path, content)
            if now():
                os.truncate(path, os.path.getsize(path) - 7)
                die()
        training.append_line = cut
    training.resume("run", quiet=True)

if sys.platform != "linux":
    resume_and_die(sys.argv[1], int(sys.argv[2]))
for line in sys.stdin:
    where, count = line.split()
    child = os.fork()
    if child == 0:
        resume_and_die(where, int(count))
        os._exit(0)
    print(where, count, os.WTERMSIG(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch):
    monkeypatch.setattr(records, "_picture", lambda record, kind: b"")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "_picture", lambda record, kind: b"")
        runs = tmp_path_factory.mktemp("uninterrupted")
        training.train(SETTINGS, "run", runs=runs, quiet=True)
    return runs / "run"


def begin(folder: Path) -> None:
    """A run that is at its very beginning: settings, and nothing else."""
    folder.mkdir(parents=True)
    settings = {"settings": training.asdict(SETTINGS), "record": None, "command": "", **records.provenance()}
    (folder / "settings.json").write_text(json.dumps(settings))


def weights(run: Path) -> dict[str, torch.Tensor]:
    return checkpoints.latest(run / "checkpoints").weights


def optimizer(run: Path) -> dict[str, torch.Tensor]:
    return checkpoints.latest(run / "checkpoints").optimizer


def metrics(run: Path) -> list[dict]:
    """The lines of metrics without the clock."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def assert_same_run(run: Path, other: Path) -> None:
    for tensors in (weights, optimizer):
        ours, theirs = tensors(run), tensors(other)
        assert ours.keys() == theirs.keys()
        for name in ours:
            assert torch.equal(ours[name], theirs[name]), f"{name} differs"
    assert metrics(run) == metrics(other)


def kill_at(places: list[tuple[str, int]], cwd: Path) -> None:
    """Resume the run in ``cwd`` once for each place, and be killed there."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(training.__file__).parents[1])}
    command = [sys.executable, "-c", KILLED]
    if sys.platform == "linux":
        lines = "".join(f"{where} {count}\n" for where, count in places)
        done = subprocess.run(command, input=lines, cwd=cwd, env=environment, capture_output=True, text=True)
        killed = "".join(f"{where} {count} {int(signal.SIGKILL)}\n" for where, count in places)
        assert done.stdout == killed, done.stderr
    else:
        for where, count in places:
            done = subprocess.run([*command, where, str(count)], cwd=cwd, env=environment, capture_output=True)
            assert done.returncode != 0, "the run came to its end"
            assert b"Traceback" not in done.stderr


def test_a_run_killed_again_and_again_ends_with_the_weights_of_an_uninterrupted_one(uninterrupted, tmp_path):
    """Seven real kills in a row: three at random updates, three in the middle of writing a file, one in a log line."""
    begin(tmp_path / "runs" / "run")
    first, second, third = sorted(random.sample(range(6, STEPS), 3))
    print(f"killed at steps {first}, {second}, {third}")  # shown when the test fails
    places = [
        ("write", 2),
        ("write", 5),
        ("step", first),
        ("append", 1),
        ("step", second),
        ("write", 3),
        ("step", third),
    ]
    kill_at(places, tmp_path)
    training.resume("run", runs=tmp_path / "runs", quiet=True)
    assert_same_run(tmp_path / "runs" / "run", uninterrupted)
    assert not list((tmp_path / "runs" / "run" / "checkpoints").glob(".*"))


class Crash(BaseException):
    """Ends a run in this process, quicker than a kill, so that every step can be tried."""


def crash_at(step: int, monkeypatch) -> None:
    finite = training._Run._check_finite

    def check(run, *arguments):
        if run.progress["step"] == step:
            raise Crash
        finite(run, *arguments)

    monkeypatch.setattr(training._Run, "_check_finite", check)


@pytest.mark.parametrize("step", [0, 1, 4, 5, 11, 12, 13, 24, 35])
def test_a_run_stopped_at_the_ends_of_epochs_and_checkpoints_is_the_same_run(
    step, uninterrupted, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        crash_at(step, patch)
        with pytest.raises(Crash):
            training.train(SETTINGS, "run", runs=tmp_path, quiet=True)
    training.resume("run", runs=tmp_path, quiet=True)
    assert_same_run(tmp_path / "run", uninterrupted)


def test_a_run_stopped_after_its_last_step_only_writes_its_record(uninterrupted, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(training._Run, "finish", lambda run: (_ for _ in ()).throw(Crash))
        with pytest.raises(Crash):
            training.train(SETTINGS, "run", runs=tmp_path, quiet=True)
    record = training.resume("run", runs=tmp_path, quiet=True)
    assert_same_run(tmp_path / "run", uninterrupted)
    expected = json.loads((uninterrupted / "record.json").read_text())
    assert record["test"] == expected["test"]
    assert record["metrics"][-1]["step"] == STEPS


def test_time_before_and_after_a_stop_is_added_up(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        crash_at(20, patch)
        with pytest.raises(Crash):
            training.train(SETTINGS, "run", runs=tmp_path, quiet=True)
    progress = tmp_path / "run" / "checkpoints" / "step-00000020" / "progress.json"
    progress.write_text(json.dumps({**json.loads(progress.read_text()), "seconds": 1000.0}))
    assert training.resume("run", runs=tmp_path, quiet=True)["wall_seconds"] > 1000


@pytest.mark.parametrize("damage", ["cut weights", "cut optimizer", "cut progress", "missing weights", "flipped bit"])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before_it(
    damage, uninterrupted, tmp_path, capsys, monkeypatch
):
    with monkeypatch.context() as patch:
        crash_at(22, patch)
        with pytest.raises(Crash):
            training.train(SETTINGS, "run", runs=tmp_path, quiet=True)
    newest = tmp_path / "run" / "checkpoints" / "step-00000020"
    how, _, what = damage.partition(" ")
    path = newest / {"weights": "weights.safetensors", "optimizer": "optimizer.safetensors"}.get(what, "progress.json")
    if how == "cut":
        path.write_bytes(path.read_bytes()[:-20])
    elif how == "missing":
        path.unlink()
    else:
        path = newest / "weights.safetensors"
        path.write_bytes(path.read_bytes()[:-1] + bytes([path.read_bytes()[-1] ^ 1]))
    training.resume("run", runs=tmp_path)
    assert "step-00000020 is damaged and is passed over" in capsys.readouterr().out
    assert_same_run(tmp_path / "run", uninterrupted)


def test_when_every_checkpoint_is_damaged_one_sentence_says_so_and_nothing_changes(uninterrupted, tmp_path):
    shutil.copytree(uninterrupted, tmp_path / "run")
    (tmp_path / "run" / "record.json").unlink()
    for path in (tmp_path / "run").glob("checkpoints/*/weights.safetensors"):
        path.write_bytes(b"")
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    with pytest.raises(UserError, match="every checkpoint is damaged") as error:
        training.resume("run", runs=tmp_path, quiet=True)
    assert "\n" not in str(error.value)
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before


def test_a_finished_run_is_left_alone(uninterrupted):
    with pytest.raises(UserError, match="run is finished; see it with: ssm-teach evaluate run"):
        training.resume("run", runs=uninterrupted.parent, quiet=True)


def test_two_checkpoints_are_kept_and_no_half_written_one(uninterrupted):
    assert [path.name for path in sorted((uninterrupted / "checkpoints").iterdir())] == [
        "step-00000035",
        "step-00000036",
    ]


def test_metrics_have_a_line_for_every_checkpoint_and_every_epoch(uninterrupted):
    lines = metrics(uninterrupted)
    assert [line["step"] for line in lines if line["kind"] == "epoch"] == [12, 24, 36]
    assert [line["step"] for line in lines if line["kind"] == "train"] == [5, 10, 12, 15, 20, 24, 25, 30, 35, 36]
