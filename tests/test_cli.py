"""The command line does what its help says."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ssm_teach import checkpoints, cli, data, records
from ssm_teach.layers import LAYERS
from ssm_teach.layers.selective import SelectiveLayer
from ssm_teach.settings import Settings
from ssm_teach.tasks import TASKS

TINY = "--limit 64 --d-model 4 -N 2 --n-layers 1 --epochs 1 --batch-size 16 --device cpu"


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Run a command line in an empty folder: (exit status, what it printed, what it complained about)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(records, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(records, "_picture", lambda record, kind: b"")
    monkeypatch.setenv("SSM_TEACH_CACHE", str(tmp_path / "cache"))

    def command(line: str):
        monkeypatch.setattr(sys, "argv", ["ssm-teach", *shlex.split(line)])
        with pytest.raises(SystemExit) as leaving:
            cli.main()
        out, err = capsys.readouterr()
        return leaving.value.code, out, err

    return command


def test_list_names_tasks_data_sets_readings_layers_and_blocks(run):
    status, out, _ = run("list")
    assert status == 0
    for name in ("image", "digits", "cifar10", "fashion-mnist", "categorical", "s4d", "data get cifar10"):
        assert name in out
    for name in (*(f"task {task}: " for task in TASKS), *(f"layer {layer}: " for layer in LAYERS), "block mamba: "):
        assert name in out


def test_training_evaluating_and_reporting_in_turn(run, tmp_path):
    status, out, _ = run(f"train image --dataset digits --layer s4d {TINY} --name one --record mine")
    assert status == 0
    record = json.loads((tmp_path / "results" / "mine.json").read_text())
    accuracy = f"{record['test']['accuracy']:.2%}"
    assert re.search(rf"epoch 1/1 .*\n.*test accuracy {accuracy} with a small budget; simple baseline", out)

    status, out, _ = run("evaluate one")
    assert (status, out) == (0, f"test accuracy {accuracy}, loss {record['test']['loss']:.4f}, after step 4\n")
    assert run("evaluate runs/one")[1] == out
    assert run("evaluate one --split validation")[1].startswith("validation accuracy")

    status, out, _ = run("report")
    assert status == 0
    for word in ("mine", "image digits numerical", "s4d", "small", f"{100 * record['chance']:.1f}"):
        assert word in out


FORWARDS_ONLY = [name for name, layer in LAYERS.items() if issubclass(layer, SelectiveLayer)]


@pytest.mark.parametrize(
    ("layer", "direction"),
    [(n, "--causal") for n in LAYERS] + [(n, "--bidirectional") for n in LAYERS if n not in FORWARDS_ONLY],
)
def test_every_layer_trains_by_its_name(run, tmp_path, layer, direction):
    status, _, _ = run(f"train image --dataset digits --layer {layer} {direction} {TINY} --name one")
    assert status == 0
    record = json.loads((tmp_path / "runs" / "one" / "record.json").read_text())
    assert record["model"]["layer"] == layer
    weights = checkpoints.latest(tmp_path / "runs" / "one" / "checkpoints").weights
    mirrored = {name for name in weights if name in ("blocks.0.layer.C_reverse", "blocks.0.layer.h_reverse")}
    assert len(mirrored) == (direction == "--bidirectional")


@pytest.mark.parametrize("layer", FORWARDS_ONLY)
def test_a_layer_that_only_reads_forwards_asks_for_causal(run, tmp_path, layer):
    status, _, complaint = run(f"train image --dataset digits --layer {layer} {TINY} --name one")
    assert status == 2
    assert complaint == f"train: layer '{layer}' reads forwards only; give --causal (bidirectional=False)\n"
    assert not (tmp_path / "runs").exists()


def test_every_block_is_one_word(run, tmp_path):
    status, _, _ = run(f"train image --dataset digits --block mamba {TINY} --name one")
    assert status == 0
    record = json.loads((tmp_path / "runs" / "one" / "record.json").read_text())
    assert record["settings"]["block"] == "mamba"
    assert "--block mamba" in record["command"]
    status, _, complaint = run(f"train image --dataset digits --block mambo {TINY}")
    assert status == 2
    assert "unknown block 'mambo'; choose one of simple, mamba (did you mean mamba?)" in complaint


def test_report_puts_reported_numbers_in_their_own_column_with_their_source(run, tmp_path, monkeypatch):
    run(f"train {TINY} --record mine")
    path = tmp_path / "results" / "mine.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "task": {**record["task"], "dataset": "cifar10"}}))
    reported = {
        "task": "image",
        "options": {"dataset": "cifar10"},
        "layer": "s4d",
        "model": "S4D-Lin",
        "accuracy": 0.8793,
    }
    others = [{**reported, "source": "Gu 2022"}, {**reported, "layer": "s5", "source": "not this"}]
    (tmp_path / "results" / "reported.json").write_text(json.dumps({"reported": others}))
    _, out, _ = run("report")
    assert "87.9 S4D-Lin (Gu 2022)" in out
    assert "not this" not in out
    path.write_text(json.dumps({**record, "task": {**record["task"], "dataset": "cifar10", "noise": 3}}))
    _, out, _ = run("report")
    assert "noise=3" in out
    assert "Gu 2022" not in out, "others had no noise"


def test_reported_numbers_have_sources_and_are_fractions():
    reported = records.load_reported()
    assert reported
    assert all(0 < other["accuracy"] < 1 and other["source"] and other["model"] for other in reported)


def test_recorded_command_makes_the_same_run_again(run, tmp_path):
    options = f"{TINY} --reading categorical --layer-option init=inv --causal --lr 0.02 --prenorm --dropout 0 --seed 5"
    run(f"train image {options} --name one")
    command = json.loads((tmp_path / "runs" / "one" / "record.json").read_text())["command"]
    status, _, _ = run(command.removeprefix("ssm-teach ") + " --name two")
    assert status == 0
    one, two = (checkpoints.latest(tmp_path / "runs" / name / "checkpoints").weights for name in ("one", "two"))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not any("_reverse" in name for name in one)


def test_command_of_settings_says_all_that_differs_from_the_defaults():
    settings = Settings(task_options={"limit": 50}, bidirectional=False, N=8, prenorm=True, ssm_lr=2e-3)
    assert settings.command() == "ssm-teach train image --task-option limit=50 --causal -N 8 --prenorm --ssm-lr 0.002"
    assert Settings().command() == "ssm-teach train image"


def test_data_get_uses_the_file_it_is_given(run, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(data, "get", lambda name, file, say: asked.append((name, file)) or say("done"))
    assert run("data get cifar10 --from archive.tgz")[:2] == (0, "done\n")
    assert run("data get fashion-mnist")[:2] == (0, "done\n")
    assert asked == [("cifar10", Path("archive.tgz")), ("fashion-mnist", None)]


@pytest.mark.parametrize("command", ["", "data", "data get", "train", "resume", "evaluate", "report", "list"])
def test_every_command_explains_itself(run, command):
    status, out, err = run(f"{command} --help")
    assert (status, err) == (0, "")
    assert "Usage: ssm-teach" in out
    assert len(out.splitlines()) > 5


def test_help_of_train_names_every_setting(run):
    out = run("train --help")[1]
    options = {f.replace("_", "-") for f in Settings.__dataclass_fields__} - {
        "task",
        "task-options",
        "layer-options",
        "N",
    }
    missing = [option for option in options if f"--{option[:12]}" not in out]
    assert missing == []


def test_python_m_ssm_teach_is_the_same_command():
    root = Path(cli.__file__).parents[1]
    done = subprocess.run([sys.executable, "-m", "ssm_teach", "--help"], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0
    for command in ("list", "data", "train", "resume", "evaluate", "report"):
        assert command in done.stdout


def test_help_does_not_import_pytorch():
    root = Path(cli.__file__).parents[1]
    code = "import sys; import ssm_teach.cli; print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=root, text=True).strip() == "False"
