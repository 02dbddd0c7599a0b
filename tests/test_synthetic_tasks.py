"""Selective copying and induction: the examples are what they say, and only what is asked for is scored."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ssm_teach import checkpoints, records, tasks, training
from ssm_teach.errors import UserError
from ssm_teach.settings import Settings
from ssm_teach.tasks import NOT_SCORED, induction, selective_copying
from ssm_teach.tasks._tokens import MARKER, NOISE

SMALL = {
    "selective_copying": {"length": 20, "tokens": 3, "examples": 64},
    "induction": {"length": 16, "longest": 64, "examples": 64},
}
every_task = pytest.mark.parametrize("name", SMALL)


def test_copying_asks_for_the_data_in_their_order_and_for_nothing_else():
    symbols, targets = selective_copying.generate(200, seed=3, length=20, tokens=5)
    assert symbols.shape == targets.shape == (200, 25)
    assert (targets[:, :20] == NOT_SCORED).all()
    assert (symbols[:, 20:] == MARKER).all()
    for row, target in zip(symbols, targets, strict=True):
        assert [s for s in row[:20] if s != NOISE] == target[20:].tolist()
    assert targets[:, 20:].min() == 2
    assert targets[:, 20:].max() == 15


def test_copying_puts_the_data_anywhere_with_equal_probability():
    symbols, targets = selective_copying.generate(20_000, seed=0, length=10, tokens=3, vocab=6)
    np.testing.assert_allclose((symbols[:, :10] != NOISE).mean(0), 0.3, atol=0.015)
    np.testing.assert_allclose(np.bincount(targets[:, 10:].ravel())[2:] / 60_000, 0.25, atol=0.01)


def test_copying_fills_every_position_if_there_are_as_many_data():
    symbols, targets = selective_copying.generate(5, seed=0, length=4, tokens=4)
    np.testing.assert_array_equal(symbols[:, :4], targets[:, 4:])


def test_copying_drawn_a_thousand_at_a_time_is_the_stream_drawn_at_once():
    """So that recorded runs can be made again."""
    symbols, targets = selective_copying.generate(2100, seed=4, length=12, tokens=3)
    rng = np.random.RandomState(4)
    data = rng.randint(2, 16, size=(2100, 3))
    places = np.sort(rng.rand(2100, 12).argpartition(2, axis=1)[:, :3], axis=1)
    np.testing.assert_array_equal(np.take_along_axis(symbols, places, 1), data)
    np.testing.assert_array_equal(targets[:, 12:], data)


def test_induction_asks_what_followed_the_trigger():
    symbols, targets = induction.generate(500, seed=3, length=16)
    assert (targets[:, :-1] == NOT_SCORED).all()
    places = set()
    for row, target in zip(symbols, targets[:, -1], strict=True):
        first, last = np.flatnonzero(row == MARKER)
        assert last == 15
        assert row[first + 1] == target != MARKER
        places.add(int(first))
    assert places == set(range(14))
    assert symbols.min() == 1
    assert symbols.max() == 15


@every_task
def test_a_seed_gives_the_same_examples_and_splits_differ(name):
    first, second = (tasks.load(name, **SMALL[name]) for _ in range(2))
    assert torch.equal(first.train.raw, second.train.raw)
    longer = tasks.load(name, **(SMALL[name] | {"examples": 80}))
    assert torch.equal(longer.test.raw, first.test.raw)
    assert not torch.equal(first.validation.raw, first.test.raw)
    assert not torch.equal(first.train.raw[:64], first.test.raw[:64])


@every_task
def test_a_batch_is_symbols_and_targets_for_every_position(name):
    task = tasks.load(name, **SMALL[name])
    inputs, targets, mask = task.train[torch.arange(5)]
    assert inputs.shape == targets.shape == (5, task.length)
    assert (inputs.dtype, targets.dtype, mask) == (torch.int64, torch.int64, None)
    assert task.every_position
    assert (task.vocab, task.n_classes, task.d_input) == (16, 16, None)


def test_chance_is_the_share_of_the_most_frequent_answer_among_those_that_are_asked_for():
    task = tasks.load("selective_copying", **SMALL["selective_copying"])
    scored = task.train.targets[task.train.targets != NOT_SCORED]
    answers = task.test.targets[task.test.targets != NOT_SCORED]
    assert task.chance == (answers == scored.mode().values).double().mean()
    assert task.chance == pytest.approx(1 / 14, abs=0.02)


def test_baseline_counts_and_ignores_order():
    """The most frequent of two symbols is one of them, and right half the time or always."""
    task = tasks.load("selective_copying", length=20, tokens=2, examples=10)
    assert task.baseline()["accuracy"] == pytest.approx(0.5 + 0.5 / 14, abs=0.03)
    assert "most often" in task.baseline()["kind"]


def test_induction_is_tested_at_its_doubles():
    task = tasks.load("induction", length=16, longest=100, examples=10)
    assert {name: split.raw.shape[1] for name, split in task.more_tests.items()} == {"length 32": 32, "length 64": 64}


def test_the_small_setting_is_marked_as_one():
    assert tasks.load("selective_copying", **SMALL["selective_copying"]).limited
    assert not tasks.load("selective_copying", length=4096, tokens=16, examples=1).limited
    assert tasks.load("induction", **SMALL["induction"]).limited
    assert not tasks.load("induction", length=256, examples=1).limited


# Training on them.


def settings(name, **options) -> Settings:
    small = {"layer": "s6", "block": "mamba", "bidirectional": False, "d_model": 4, "N": 2, "n_layers": 1, "epochs": 1}
    return Settings(task=name, task_options=SMALL[name], device="cpu", **(small | options))


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch):
    monkeypatch.setattr(records, "_picture", lambda record, kind: b"")


@every_task
def test_accuracy_and_loss_are_means_over_what_is_asked_for(name, tmp_path):
    record = training.train(settings(name), "one", runs=tmp_path, quiet=True)
    model, task = training.load_model("one", runs=tmp_path)
    symbols, targets = task.test.raw.long(), task.test.targets.long()
    with torch.no_grad():
        logits = model(symbols)
    scored = targets != NOT_SCORED
    right = logits.argmax(-1)[scored] == targets[scored]
    assert record["test"]["accuracy"] == pytest.approx(right.double().mean().item(), abs=1e-6)
    assert record["test"]["loss"] == pytest.approx(F.cross_entropy(logits[scored], targets[scored]).item(), rel=1e-4)
    assert record["small_budget"]
    assert set(checkpoints.latest(tmp_path / "one" / "checkpoints").weights) == set(model.state_dict())


def test_record_has_the_longer_tests_by_name(tmp_path):
    record = training.train(settings("induction"), "one", runs=tmp_path, quiet=True)
    assert set(record["more_tests"]) == {"length 32", "length 64"}
    assert all(0 <= test["accuracy"] <= 1 for test in record["more_tests"].values())
    assert "more_tests" not in training.train(settings("selective_copying"), runs=tmp_path, quiet=True)


def test_what_is_not_asked_for_has_no_influence(tmp_path):
    """Other outputs at positions that are not scored: the same loss, and no gradient."""
    logits, targets = torch.randn(2, 5, 4, requires_grad=True), torch.full((2, 5), NOT_SCORED)
    targets[0, 3], targets[1, 1] = 2, 0
    score = training.score(logits, targets)
    score["loss"].backward()
    assert int(score["count"]) == 2
    assert logits.grad.abs().sum(-1).nonzero().tolist() == [[0, 3], [1, 1]]


def test_three_symbols_among_ten_are_learnt():
    """A selective model learns in seconds what needs a choice at every position."""
    torch.manual_seed(0)
    task = tasks.load("selective_copying", length=10, tokens=3, vocab=5, examples=6400)
    model = training.build_model(settings("selective_copying", d_model=16, N=8, n_layers=2), task)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for batch in torch.arange(6400).split(32):
        symbols, targets, _ = task.train[batch]
        score = training.score(model(symbols), targets)
        optimiser.zero_grad()
        (score["loss"] / score["count"]).backward()
        optimiser.step()
    symbols, targets, _ = task.test[torch.arange(500)]
    score = training.score(model(symbols), targets)
    assert score["credit"] / score["count"] > 0.8


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("selective_copying", {"tokens": 21}, "tokens must fit into length = 20; got 21"),
        ("selective_copying", {"tokens": 0}, "tokens of selective_copying must be a whole number, at least 1; got 0"),
        ("selective_copying", {"vocab": 2}, "vocab of selective_copying must be a whole number, at least 3; got 2"),
        ("selective_copying", {"vocab": 300}, "vocab of selective_copying must be at most 256; got 300"),
        ("selective_copying", {"examples": 10**8}, "100000000 examples of selective_copying of this size need 6.4 GiB"),
        ("induction", {"examples": 10**8}, "100000000 examples of induction of this size need 4.5 GiB of memory"),
        ("induction", {"longest": 1 << 21}, "longest of induction must be at most .* = 1048576; got 2097152"),
        ("selective_copying", {"length": 8.0}, "length of selective_copying must be a whole number, .* got 8.0"),
        ("selective_copying", {"examples": "many"}, "examples of selective_copying must be a whole number"),
        ("selective_copying", {"token": 3}, r"option of task 'selective_copying' 'token'; .*did you mean tokens"),
        ("induction", {"length": 2}, "length of induction must be a whole number, at least 3; got 2"),
        ("induction", {"vocab": 300}, "vocab of induction must be at most 256; got 300"),
    ],
)
def test_wrong_options_are_one_clear_sentence(name, options, words):
    with pytest.raises(UserError, match=words):
        tasks.load(name, **(SMALL[name] | options))
