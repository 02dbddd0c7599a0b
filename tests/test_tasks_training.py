"""Every task trains a tiny model end to end from one command; slow baselines are remembered, but not for other data."""

import json
import shlex
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from ssm_teach import cli, data, records, tasks, training
from ssm_teach.settings import Settings
from ssm_teach.tasks import Split, Task, _remember, listops

TINY = "--d-model 4 -N 2 --n-layers 1 --epochs 1 --batch-size 16 --device cpu --name one"
# Options that make each task that needs no data small enough for seconds.
GENERATED = {
    "listops": "examples=32",
    "selective_copying": "length=20 tokens=3 examples=32",
    "induction": "length=16 longest=32 examples=32",
    "associative_recall": "length=16 pairs=2 vocab=16 examples=32",
    "delay": "length=24 delay=6 band=6 examples=32",
    "adding": "length=10 examples=32",
}


@pytest.fixture
def train(monkeypatch, tmp_path, capsys):
    """Train with a command line in an empty folder; return the record."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(records, "_picture", lambda record, kind: b"")
    monkeypatch.setenv("SSM_TEACH_CACHE", str(tmp_path / "cache"))

    def command(task: str, options: str):
        words = [word for option in options.split() for word in ("--task-option", option)]
        monkeypatch.setattr(sys, "argv", ["ssm-teach", "train", task, *words, *shlex.split(TINY)])
        with pytest.raises(SystemExit) as leaving:
            cli.main()
        out, err = capsys.readouterr()
        assert leaving.value.code == 0, err
        record = json.loads((tmp_path / "runs" / "one" / "record.json").read_text())
        assert f"test {record['metric']} {record['test'][record['metric']]:.2%}" in out
        return record

    return command


@pytest.mark.parametrize("name", GENERATED)
def test_every_generated_task_trains_from_one_command(train, monkeypatch, name):
    monkeypatch.setattr(listops, "HELD_OUT", 50)
    record = train(name, GENERATED[name])
    assert record["task"]["name"] == name
    assert record["small_budget"]
    assert record["task"]["train_examples"] == 32
    metric = record["metric"]
    assert metric == ("r2" if name in ("delay", "adding") else "accuracy")
    for measured in (record["test"], record["baseline"], record["weak_baseline"]):
        assert measured[metric] <= 1


def test_dna_trains_from_one_command(train, monkeypatch):
    rng = np.random.RandomState(0)
    text = np.frombuffer(b"ACGT", np.uint8)[rng.randint(0, 4, 900_000)]
    genomes = {"text": text, "ends": np.array([450_000, 900_000]), "species": np.array([0, 1], np.uint8)}
    monkeypatch.setattr(data, "load", lambda name: genomes)
    assert train("dna", "length=50 examples=32")["task"]["test_examples"] == 2000


def test_time_series_train_from_one_command(train, tmp_path):
    rng = np.random.RandomState(0)
    for part in ("TRAIN", "TEST"):
        lines = [f"{','.join(map(str, rng.randn(12).round(3)))}:{name}" for name in ("a", "b") * 20]
        (tmp_path / f"Mine_{part}.ts").write_text("\n".join(["@classLabel true a b", "@data", *lines]) + "\n")
    record = train("timeseries", f"dataset=Mine folder={tmp_path}")
    assert (record["task"]["length"], record["task"]["train_examples"]) == (12, 32)


def test_a_task_of_two_documents_trains(monkeypatch, tmp_path):
    """Are two words of up to eight letters the same word? One look at both is enough for a tiny model to do well."""
    rng = torch.Generator().manual_seed(0)

    def split(n):
        lengths = torch.randint(4, 9, (n, 1), generator=rng).expand(n, 2).contiguous()
        words = torch.randint(1, 5, (n, 2, 8), generator=rng) * (torch.arange(8) < lengths[..., None])
        same = torch.randint(0, 2, (n,), generator=rng)
        words[same == 1, 1] = words[same == 1, 0]
        return Split(words, same, lambda raw: raw, lengths)

    def known(task):
        return {"kind": "none", "accuracy": 0.5}

    task = Task(
        "same", {}, split(2000), split(200), split(400), 8, 2, 1, known, known, vocab=5, documents=2, limited=True
    )
    monkeypatch.setattr(tasks, "load", lambda name: task)
    monkeypatch.setattr(records, "_picture", lambda record, kind: b"")
    settings = Settings(task="same", d_model=16, N=4, n_layers=1, epochs=8, dropout=0.0, device="cpu")
    assert training.train(settings, "one", runs=tmp_path, quiet=True)["test"]["accuracy"] > 0.8


# Baselines.

CALLS = []


def counted(task):
    CALLS.append(task)
    return {"kind": "counted", "accuracy": 0.25}


@pytest.fixture
def task(monkeypatch, tmp_path):
    monkeypatch.setenv("SSM_TEACH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(_remember, "SLOW", -1)  # as if it took long
    CALLS.clear()
    made = tasks.load("selective_copying", length=20, tokens=3, examples=64)
    return replace(made, measure_strong=counted)


def test_a_slow_baseline_is_measured_once(task):
    assert task.baseline() == task.baseline() == {"kind": "counted", "accuracy": 0.25}
    assert len(CALLS) == 1


def test_a_quick_baseline_leaves_nothing_behind(task, monkeypatch, tmp_path):
    monkeypatch.setattr(_remember, "SLOW", 1000)
    task.baseline(), task.baseline()
    assert len(CALLS) == 2
    assert not (tmp_path / "cache").exists()


def test_other_examples_answers_options_or_source_are_measured_anew(task, monkeypatch):
    task.baseline()
    other = replace(task.test, targets=task.test.targets.clone())
    other.targets[5, 20] += 1
    rows = replace(task.train, raw=task.train.raw.flip(0))
    for changed in ({"test": other}, {"train": rows}, {"options": {**task.options, "tokens": 4}}):
        replace(task, **changed).baseline()
    assert len(CALLS) == 4
    monkeypatch.setattr(_remember.Path, "read_bytes", lambda path: b"another source")
    task.baseline()
    assert len(CALLS) == 5


def test_a_damaged_memory_is_measured_anew_and_an_unwritable_one_costs_nothing_but_time(task, tmp_path, monkeypatch):
    task.baseline()
    (file,) = (tmp_path / "cache" / "baselines").iterdir()
    file.write_text("{")
    assert task.baseline()["accuracy"] == 0.25
    assert len(CALLS) == 2
    monkeypatch.setenv("SSM_TEACH_CACHE", str(file))  # a file is no folder
    assert task.baseline()["accuracy"] == 0.25
