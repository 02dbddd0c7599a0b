"""Whatever goes wrong from outside: one sentence, exit status 2, nothing half-written, earlier results intact."""

import errno
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from ssm_teach import cli, data, files, records, training

TINY = "--limit 64 --d-model 4 -N 2 --n-layers 1 --epochs 2 --batch-size 16 --device cpu --checkpoint-every 2"


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Run a command line in an empty folder: (exit status, what it complained about)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(records, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(records, "_picture", lambda record, kind: b"picture")
    monkeypatch.setenv("SSM_TEACH_CACHE", str(tmp_path / "cache"))

    def command(line: str):
        monkeypatch.setattr(sys, "argv", ["ssm-teach", *shlex.split(line)])
        with pytest.raises(SystemExit) as leaving:
            cli.main()
        return leaving.value.code, capsys.readouterr().err

    return command


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_one_sentence(outcome: tuple[int, str], *words: str) -> None:
    status, complaint = outcome
    assert status == 2
    assert len(complaint.splitlines()) == 1, complaint
    assert "Traceback" not in complaint
    for word in words:
        assert word in complaint


MISTAKES = [
    ("trian", ["No such command 'trian'"]),
    ("train image --layr s4d", ["No such option: --layr"]),
    ("train imagee", ["unknown task 'imagee'", "did you mean image?"]),
    ("train image --layer s4dd", ["unknown layer 's4dd'", "did you mean s4d?"]),
    ("train image --layer s6", ["layer 's6' reads forwards only", "give --causal"]),
    ("train image --block mambo", ["unknown block 'mambo'", "did you mean mamba?"]),
    ("train induction --causal --task-option length=2", ["length of induction must be", "at least 3", "got 2"]),
    ("train selective_copying --causal --task-option tokens=300", ["tokens must fit into length = 256", "got 300"]),
    ("train image --dataset mnst", ["unknown dataset 'mnst'", "fashion-mnist, cifar10", "did you mean mnist?"]),
    ("train image --reading colour", ["unknown reading 'colour'", "numerical, categorical, rgb"]),
    ("train image --reading rgb", ["digits has no colours"]),
    ("train image --limit 3", ["limit must be a whole number from 10 to 1257", "got 3"]),
    ("train image --task-option size=9", ["unknown option of task 'image' 'size'"]),
    ("train image --task-option size", ["must read KEY=VALUE", "'size'"]),
    ("train image --layer-option initt=lin", ["unknown option of s4d 'initt'", "did you mean init?"]),
    ("train image --layer-option init=linn", ["unknown init 'linn'", "did you mean lin?"]),
    ("train image --layer-option dt_min=-1", ["dt_min"]),
    ("train image --layer-option dt_min=small", ["option of layer 's4d' is of the wrong kind"]),
    ("train image --layer s5 -N 16 --layer-option blocks=3", ["blocks must be a whole number that divides N = 16"]),
    ("train image --layer s5 --layer-option init=lin", ["unknown option of s5 'init'", "choose one of blocks, method"]),
    ("train image --layer lru --layer-option r_max=2", ["0 ≤ r_min ≤ r_max ≤ 1", "r_max=2"]),
    ("train image --layer lru --layer-option r_min=small", ["option of layer 'lru' is of the wrong kind"]),
    ("train image --epochs 0", ["epochs must be a whole number, at least 1; got 0"]),
    ("train image --epochs many", ["Invalid value for '--epochs'"]),
    ("train image --batch-size 2000", ["batch_size must be at most the 1257 training examples; got 2000"]),
    ("train image --lr -1", ["lr must be a positive number; got -1.0"]),
    ("train image --lr nan", ["lr must be a positive number; got nan"]),
    ("train image --weight-decay -0.1", ["weight_decay must be at least 0"]),
    ("train image --warmup 1", ["0 ≤ warmup < 1"]),
    ("train image --clip 0", ["clip must be a positive number"]),
    ("train image --seed -1", ["seed must be a whole number"]),
    ("train image --d-model 0", ["d_model must be a whole number, at least 1; got 0"]),
    ("train image --n-layers 0", ["n_layers must be a whole number, at least 1; got 0"]),
    ("train image -N 0", ["N must be a whole number, at least 1; got 0"]),
    ("train image --dropout 1.5", ["dropout must be a probability"]),
    ("train image --device tpu", ["unknown device 'tpu'", "auto, cpu, gpu"]),
    ("train image --precision fp8", ["unknown precision 'fp8'", "full, bf16"]),
    ("train image --name ../elsewhere", ["name must be a plain folder name"]),
    ("train image --record ../elsewhere", ["record must be a plain file name"]),
    ("train image --record reported", ["record must be"]),
    ("train image --dataset cifar10", ["cifar10 is not in the cache", "ssm-teach data get cifar10"]),
    ("data get cifar", ["unknown data set 'cifar'", "did you mean cifar10?"]),
    ("data get cifar10 --from missing.tgz", ["there is no file missing.tgz"]),
    ("data get aan", ["hash of what it has is not known", "fetch lra_release.gz yourself"]),
    ("train text", ["imdb is not in the cache", "ssm-teach data get imdb"]),
    ("train text --task-option length=0", ["length of text must be a whole number from 1 to", "got 0"]),
    ("train retrieval", ["man-pages is not in the cache", "ssm-teach data get man-pages"]),
    ("train retrieval --task-option source=papers", ["unknown source 'papers'", "man-pages, aan"]),
    ("evaluate nothing", ["there is no run 'nothing' in runs/"]),
    ("resume nothing", ["there is no run 'nothing' in runs/"]),
    ("report", ["there are no records in results/ yet"]),
]


@pytest.mark.parametrize(("line", "words"), MISTAKES, ids=[line for line, _ in MISTAKES])
def test_a_mistake_on_the_command_line_is_one_sentence_and_writes_nothing(run, tmp_path, line, words):
    assert_one_sentence(run(line), *words)
    assert contents(tmp_path) == {}
    assert not (tmp_path / "runs").exists()


@pytest.mark.skipif(torch.cuda.is_available() or torch.backends.mps.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_one_sentence(run, tmp_path):
    assert_one_sentence(run(f"train image {TINY} --device gpu"), "no GPU")
    assert not (tmp_path / "runs").exists()


def test_a_name_that_is_taken_is_not_written_over(run, tmp_path):
    assert run(f"train image {TINY} --name one")[0] == 0
    before = contents(tmp_path)
    assert_one_sentence(run(f"train image {TINY} --name one --seed 1"), "run 'one' exists", "ssm-teach resume one")
    assert_one_sentence(run("resume one"), "run one is finished")
    assert contents(tmp_path) == before


def test_damaged_data_in_the_cache_is_one_sentence(run, tmp_path):
    (tmp_path / "cache" / "cifar10").mkdir(parents=True)
    (tmp_path / "cache" / "cifar10" / "manifest.json").write_bytes(b"damaged")
    before = contents(tmp_path)
    for line in ("train image --dataset cifar10", "data get cifar10"):
        assert_one_sentence(run(line), "cifar10 is damaged", "delete it and run: ssm-teach data get cifar10")
    assert_one_sentence(run("data verify"), "data verify: cifar10 in", "must be deleted and fetched again")
    assert contents(tmp_path) == before


def test_a_damaged_archive_is_one_sentence_with_both_hashes(run, tmp_path):
    (tmp_path / "archive.tgz").write_bytes(b"damaged")
    hashes = [digest for source in data.DATASETS["cifar10"].sources for digest in source.hashes.values()]
    assert_one_sentence(run("data get cifar10 --from archive.tgz"), files.sha256(tmp_path / "archive.tgz"), *hashes)
    assert list(contents(tmp_path)) == ["archive.tgz"]


@pytest.mark.parametrize("broken", ["settings.json", "metrics.jsonl", "checkpoints"])
def test_a_damaged_run_is_one_sentence(run, tmp_path, broken):
    run(f"train image {TINY} --name one")
    folder = tmp_path / "runs" / "one"
    (folder / "record.json").unlink()
    for path in [folder / broken] if (folder / broken).is_file() else (folder / broken).rglob("*.safetensors"):
        path.write_bytes(b"{]\n" + path.read_bytes()[:50])
    before = contents(tmp_path)
    assert_one_sentence(run("resume one"), "damaged")
    assert contents(tmp_path) == before


def test_settings_that_were_edited_by_hand_are_checked_like_any_others(run, tmp_path):
    run(f"train image {TINY} --name one")
    path = tmp_path / "runs" / "one" / "settings.json"
    path.write_text(path.read_text().replace('"dropout"', '"droput"'))
    assert_one_sentence(run("evaluate one"), "unknown setting 'droput'", "did you mean dropout?")
    path.write_text("[]")
    assert_one_sentence(run("evaluate one"), "holds no settings")


def fill_the_disk(monkeypatch, after: int) -> None:
    """Let ``after`` files be written, then fail in the middle of the next."""
    write, left = files._write_through, [after]

    def full(path, content):
        left[0] -= 1
        if left[0] < 0:
            Path(path).write_bytes(content[: len(content) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(path, content)

    monkeypatch.setattr(files, "_write_through", full)


# The files of a run in turn: settings; weights, optimiser and counters of each checkpoint; pictures and records.
@pytest.mark.parametrize("after", [0, 1, 2, 3, 5, 9, 16, 17, 18, 19, 20])
def test_a_full_disk_is_one_sentence_and_the_run_goes_on_when_there_is_room(run, tmp_path, monkeypatch, after):
    run(f"train image {TINY} --name earlier --record earlier")
    earlier = contents(tmp_path)
    with monkeypatch.context() as patch:
        fill_the_disk(patch, after)
        outcome = run(f"train image {TINY} --name one --record earlier")
    assert_one_sentence(outcome, "could not be written (No space left on device); nothing was changed")
    now = contents(tmp_path)
    assert {name: now[name] for name in earlier if not name.startswith("results")} == {
        name: content for name, content in earlier.items() if not name.startswith("results")
    }
    assert not [name for name in now if ".part" in name]
    if after:
        assert run("resume one")[0] == 0
        ours, theirs = (training.load_model(tmp_path / "runs" / name)[0].state_dict() for name in ("one", "earlier"))
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_disk_that_fills_up_in_the_log_leaves_only_whole_lines(run, tmp_path, monkeypatch):
    fsync = os.fsync

    def full(descriptor):
        if os.fstat(descriptor).st_size and b"metrics" in os.readlink(f"/proc/self/fd/{descriptor}").encode():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc to know which file is being written")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert_one_sentence(run(f"train image {TINY} --name one"), "metrics.jsonl: could not be written")
    assert (tmp_path / "runs" / "one" / "metrics.jsonl").read_bytes() == b""
    assert run("resume one")[0] == 0


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_a_loss_or_gradient_that_is_not_finite_stops_the_run_and_keeps_finite_weights(run, tmp_path, monkeypatch, what):
    over = training._Run._over_processes
    clip = training.torch.nn.utils.clip_grad_norm_
    updates = []

    def poisoned(self, sums):
        updates.append(sums)
        return over(self, {**sums, "loss": sums["loss"] * float("nan" if len(updates) == 4 else 1)})

    def exploded(*arguments, **options):
        updates.append(0)
        return clip(*arguments, **options) * (float("inf") if len(updates) == 4 else 1)

    with monkeypatch.context() as patch:
        if what == "loss":
            patch.setattr(training._Run, "_over_processes", poisoned)
        else:
            patch.setattr(torch.nn.utils, "clip_grad_norm_", exploded)
        outcome = run(f"train image {TINY} --name one")
    value = "nan" if what == "loss" else "inf"
    assert_one_sentence(
        outcome, f"the {what} became {value} at step 3", "smaller lr", "the checkpoint of step 2 is kept"
    )
    model, _ = training.load_model(tmp_path / "runs" / "one")
    assert all(tensor.isfinite().all() for tensor in model.state_dict().values())


def test_a_learning_rate_that_is_far_too_large_never_ends_in_a_traceback(run):
    status, complaint = run(f"train image {TINY} --lr 1e30 --ssm-lr 1e30 --warmup 0 --name one")
    assert status == 2
    assert "became" in complaint


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process alone")
def test_ctrl_c_is_one_sentence_that_says_how_to_go_on(tmp_path):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(cli.__file__).parents[1])}
    command = [sys.executable, "-m", "ssm_teach", *shlex.split(f"train image {TINY} --epochs 100000 --name one")]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    log = tmp_path / "runs" / "one" / "metrics.jsonl"
    while not log.exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=120)
    outcome = process.returncode, complaint.decode()
    assert_one_sentence(outcome, "interrupted at step", "continue with: ssm-teach resume one")
    assert not [name for name in contents(tmp_path) if ".part" in name]
    training.load_model(tmp_path / "runs" / "one")


def test_our_own_mistakes_keep_their_traceback(run, monkeypatch):
    monkeypatch.setattr(training, "train", lambda *arguments, **options: 1 / 0)
    monkeypatch.setattr(sys, "argv", ["ssm-teach", "train"])
    with pytest.raises(ZeroDivisionError):
        cli.main()
