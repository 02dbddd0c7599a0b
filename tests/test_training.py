"""Training: what the settings promise happens, and what is recorded is what happened."""

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from ssm_teach import checkpoints, records, tasks, training
from ssm_teach.errors import UserError
from ssm_teach.files import append_line, new_directory, read_json, write_atomically
from ssm_teach.training import Settings, schedule

TINY = Settings(
    task_options={"dataset": "digits", "limit": 64},
    d_model=4,
    N=2,
    n_layers=1,
    epochs=2,
    batch_size=16,
    checkpoint_every=3,
    device="cpu",
)


def changed(**settings) -> Settings:
    return Settings(**{**training.asdict(TINY), **settings})


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch, request):
    if "pictures" not in request.fixturenames:
        monkeypatch.setattr(records, "_picture", lambda record, kind: b"")


@pytest.fixture
def pictures():
    """Ask for this to have the learning curve really drawn."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder and the record of one finished run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "_picture", lambda record, kind: b"")
        runs = tmp_path_factory.mktemp("runs")
        return runs / "tiny", training.train(TINY, "tiny", runs=runs, quiet=True)


def weights(run: Path) -> dict[str, torch.Tensor]:
    return checkpoints.latest(run / "checkpoints").weights


# ---- optimisation ---------------------------------------------------------------------------------------------------


def test_training_fits_what_it_is_shown(tmp_path):
    """A hundred updates on 64 digits: most are learnt by heart, and the loss, log 10 at first, is less than half."""
    settings = changed(
        layer_options={"dt_min": 0.02, "dt_max": 0.5}, d_model=32, N=8, epochs=25, lr=2e-2, ssm_lr=4e-3, dropout=0.0
    )
    training.train(settings, "fit", runs=tmp_path, quiet=True)
    fitted = training.evaluate("fit", "train", runs=tmp_path)
    assert fitted["accuracy"] > 0.6
    assert fitted["loss"] < 0.5 * math.log(10)


@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5])
def test_schedule_rises_linearly_to_one_and_falls_to_almost_nothing(warmup):
    factors = np.array([schedule(step, 100, warmup) for step in range(100)])
    rising = int(100 * warmup)
    np.testing.assert_allclose(factors[:rising], np.arange(1, rising + 1) / max(rising, 1))
    assert factors[rising] == factors.max() == 1.0
    assert (np.diff(factors[rising:]) < 0).all()
    assert 0 < factors[-1] < 0.01


def test_ssm_parameters_have_their_own_learning_rate_and_no_decay(tmp_path, monkeypatch):
    groups = []
    adamw = torch.optim.AdamW
    monkeypatch.setattr(torch.optim, "AdamW", lambda given: groups.extend(given) or adamw(given))
    training.train(changed(lr=0.02, ssm_lr=0.003, weight_decay=0.07, epochs=1), runs=tmp_path, quiet=True)
    model = training.build_model(TINY, tasks.load("image", limit=64))
    ssm = sum(getattr(model.blocks[0].layer, name).numel() for name in model.blocks[0].layer.ssm_parameters)
    sizes = [sum(p.numel() for p in group["params"]) for group in groups]
    assert sizes == [sum(p.numel() for p in model.parameters()) - ssm, ssm]
    assert [group["weight_decay"] for group in groups] == [0.07, 0.0]


def test_learning_rate_of_each_update_is_the_scheduled_share_of_its_group(tmp_path, monkeypatch):
    seen = []
    step = torch.optim.AdamW.step
    monkeypatch.setattr(
        torch.optim.AdamW, "step", lambda self, *a: seen.append([g["lr"] for g in self.param_groups]) or step(self, *a)
    )
    training.train(changed(lr=0.02, ssm_lr=0.003, warmup=0.5), runs=tmp_path, quiet=True)
    expected = [[0.02 * schedule(k, 8, 0.5), 0.003 * schedule(k, 8, 0.5)] for k in range(8)]
    np.testing.assert_allclose(seen, expected, rtol=1e-12)


def test_gradient_is_clipped_to_the_norm_asked_for(tmp_path, monkeypatch):
    norms = []
    step = torch.optim.AdamW.step

    def measured(self, *arguments):
        gradients = [p.grad for group in self.param_groups for p in group["params"]]
        norms.append(float(torch.linalg.vector_norm(torch.stack([g.norm() for g in gradients]))))
        return step(self, *arguments)

    monkeypatch.setattr(torch.optim.AdamW, "step", measured)
    training.train(changed(clip=0.01), runs=tmp_path, quiet=True)
    np.testing.assert_allclose(norms, 0.01, rtol=1e-3)


def test_every_example_is_used_once_an_epoch_in_a_new_order(tmp_path, monkeypatch):
    batches = []
    one_step = training._Run.one_step
    monkeypatch.setattr(training._Run, "one_step", lambda run, batch: batches.append(batch) or one_step(run, batch))
    training.train(TINY, runs=tmp_path, quiet=True)
    first, second = torch.cat(batches[:4]), torch.cat(batches[4:])
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(64))
    assert not torch.equal(first, second)


# ---- what a run depends on ------------------------------------------------------------------------------------------


def test_same_seed_gives_the_same_weights_and_another_seed_others(finished, tmp_path):
    training.train(TINY, "again", runs=tmp_path, quiet=True)
    training.train(changed(seed=1), "other", runs=tmp_path, quiet=True)
    first, again, other = weights(finished[0]), weights(tmp_path / "again"), weights(tmp_path / "other")
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first if "norm" not in name)


def test_frequency_of_checkpoints_does_not_change_the_weights(finished, tmp_path):
    training.train(changed(checkpoint_every=1), "often", runs=tmp_path, quiet=True)
    first, often = weights(finished[0]), weights(tmp_path / "often")
    assert all(torch.equal(first[name], often[name]) for name in first)


def test_mixed_precision_keeps_the_weights_in_float32_and_changes_them(finished, tmp_path):
    record = training.train(changed(precision="bf16"), "bf16", runs=tmp_path, quiet=True)
    mixed = weights(tmp_path / "bf16")
    assert {tensor.dtype for tensor in mixed.values()} == {torch.float32}
    assert any(not torch.equal(mixed[name], tensor) for name, tensor in weights(finished[0]).items())
    assert math.isfinite(record["test"]["loss"])


def test_symbols_are_trained_on_through_an_embedding(tmp_path):
    settings = changed(task_options={"limit": 64, "reading": "categorical"}, epochs=1)
    training.train(settings, "symbols", runs=tmp_path, quiet=True)
    assert weights(tmp_path / "symbols")["encoder.weight"].shape == (17, 4)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="starts two processes that talk over gloo")
def test_two_processes_train_the_model_that_one_trains(tmp_path):
    """Each takes half of every batch, and the gradients are averaged: the same weights but for rounding."""
    settings = changed(dropout=0.0, N=2, lr=1e-3)
    training.train(settings, "one", runs=tmp_path / "runs", quiet=True)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m"]
    command = [*launch, *settings.command().replace("ssm-teach", "ssm_teach").split(), "--name", "two"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(training.__file__).parents[1])}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["one", "two"]
    one, two = weights(tmp_path / "runs" / "one"), weights(tmp_path / "runs" / "two")
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=1e-3, atol=1e-4)
    lines = [read_json(tmp_path / "runs" / name / "record.json") for name in ("one", "two")]
    assert [m["step"] for m in lines[0]["curve"]] == [m["step"] for m in lines[1]["curve"]]
    assert lines[1]["metrics"][0]["loss"] == pytest.approx(lines[0]["metrics"][0]["loss"], rel=1e-5)
    assert lines[1]["device"].startswith("2 × CPU")


# ---- what a run leaves ----------------------------------------------------------------------------------------------


def test_record_holds_what_design_asks_of_a_result(finished):
    folder, record = finished
    assert record == read_json(folder / "record.json")
    assert record["settings"] == training.asdict(TINY)
    assert record["task"]["train_examples"] == 64
    assert record["model"]["parameters"] == sum(tensor.numel() for tensor in weights(folder).values())
    assert record["small_budget"] is True
    assert record["baseline"]["train_examples"] == 64
    assert 0 < record["chance"] < 0.2
    assert len(record["metrics"]) == 2
    assert record["wall_seconds"] > 0
    assert 1e7 < record["peak_memory_bytes"] < 1e12
    assert record["device"].startswith("CPU, 1 thread of ")
    assert record["versions"]["torch"] == torch.__version__
    assert len(record["commit"].split()[0]) == 40 or record["commit"].startswith("unknown")
    assert record["command"].startswith("ssm-teach train image --task-option dataset=digits")


def test_full_budget_means_all_examples_and_the_epochs_of_a_full_run(tmp_path, monkeypatch):
    whole = {"dataset": "digits"}
    load = tasks.load
    for epochs, full_epochs, options, small in ((1, 1, whole, False), (1, 2, whole, True), (1, 1, {"limit": 64}, True)):
        monkeypatch.setattr(tasks, "load", lambda name, n=full_epochs, **o: replace(load(name, **o), full_epochs=n))
        settings = changed(task_options=options, epochs=epochs, batch_size=64)
        assert training.train(settings, runs=tmp_path, quiet=True)["small_budget"] is small


def test_recorded_metrics_are_those_of_the_weights_that_were_kept(finished):
    folder, record = finished
    model, task = training.load_model(folder)
    inputs, targets, _ = task.test[:]
    with torch.no_grad():
        logits = model(inputs)
    assert record["test"]["accuracy"] == float((logits.argmax(1) == targets).double().mean())
    assert record["test"]["loss"] == pytest.approx(float(torch.nn.functional.cross_entropy(logits, targets)), rel=1e-5)
    assert training.evaluate(folder) == {"step": 8, **record["test"]}
    validation = training.evaluate(folder, "validation")
    assert validation["accuracy"] == record["metrics"][-1]["validation_accuracy"]


def test_evaluation_changes_nothing_in_the_run(finished):
    folder, _ = finished
    (folder / "metrics.jsonl").open("a").write('{"step": 99}\n')
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    training.evaluate(folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_runs_without_a_name_are_numbered(tmp_path):
    for _ in range(3):
        training.train(changed(epochs=1), runs=tmp_path, quiet=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["digits-s4d", "digits-s4d-2", "digits-s4d-3"]


def test_record_goes_to_results_only_when_asked(finished, tmp_path, monkeypatch, pictures):
    monkeypatch.setattr(records, "RESULTS", tmp_path / "results")
    assert records.load_records() == {}
    record = training.train(changed(epochs=1), runs=tmp_path, record="mine", quiet=True)
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["mine.json", "mine.png", "mine.svg"]
    assert training.load_record("mine") == record == records.load_records()["mine"]
    assert (tmp_path / "results" / "mine.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UserError, match="there is no record 'yours' in results/; there are: mine"):
        training.load_record("yours")


def test_learning_curve_shows_the_record(finished):
    _, record = finished
    ax = records.plot_learning_curve(record, ax=Figure().add_subplot())
    lines = {line.get_label(): line for line in ax.lines}
    assert lines["validation"].get_ydata().tolist() == [m["validation_accuracy"] for m in record["metrics"]]
    assert lines["training"].get_xdata().tolist() == [3, 4, 6, 8]
    assert lines["simple baseline"].get_ydata()[0] == record["baseline"]["accuracy"]
    assert "small budget" in ax.get_title()


def test_committed_records_are_complete():
    """What the book quotes: every record in results/ has its provenance, and none was typed."""
    found = records.load_records()
    assert {"cifar10-grey-s4d", "digits-s4d"} <= set(found)
    for name, record in found.items():
        assert record["name"] == name
        assert {"command", "commit", "versions", "device", "small_budget", "seed"} <= {*record, *record["settings"]}
        assert record["metrics"][-1]["step"] == record["settings"]["epochs"] * (
            record["task"]["train_examples"] // record["settings"]["batch_size"]
        )


# ---- files ----------------------------------------------------------------------------------------------------------


def test_a_folder_that_could_not_be_filled_leaves_no_trace(tmp_path):
    write_atomically(tmp_path / "kept" / "a", b"old")
    with pytest.raises(FileExistsError), new_directory(tmp_path / "kept") as new:
        (new / "b").mkdir(exist_ok=False) or (new / "b").mkdir(exist_ok=False)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (tmp_path / "kept" / "a").read_bytes() == b"old"


def test_lines_are_appended_whole_and_numbers_must_be_numbers(tmp_path):
    append_line(tmp_path / "log", {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        append_line(tmp_path / "log", {"a": math.nan})
    append_line(tmp_path / "log", {"a": 2})
    assert [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()] == [{"a": 1}, {"a": 2}]
