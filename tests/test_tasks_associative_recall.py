"""Associative recall: pairs first, then queries at power-law gaps, each answered by the value of its pair."""

import numpy as np
import pytest
import torch

from ssm_teach import tasks
from ssm_teach.errors import UserError
from ssm_teach.tasks import NOT_SCORED, associative_recall

SMALL = {"length": 16, "pairs": 3, "vocab": 32, "examples": 200}


@pytest.fixture(autouse=True)
def _no_traces(monkeypatch, tmp_path):
    monkeypatch.setenv("SSM_TEACH_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(("length", "pairs", "vocab"), [(16, 3, 32), (64, 4, 8192), (8, 2, 6), (12, 3, 8)])
def test_each_key_is_asked_for_once_and_its_value_is_the_target(length, pairs, vocab):
    symbols, targets = associative_recall.generate(300, 1, length, pairs, vocab)
    assert symbols.min() >= 1
    assert symbols.max() < vocab
    for row, target in zip(symbols, targets, strict=True):
        keys, values = row[: 2 * pairs : 2], row[1 : 2 * pairs : 2]
        assert len(set(keys)) == pairs
        assert keys.max() < vocab // 2 <= values.min()
        asked = np.flatnonzero(target != NOT_SCORED)
        assert sorted(row[asked]) == sorted(keys)
        assert (asked >= 2 * pairs).all()
        assert (asked % 2 == 0).all()
        recall = dict(zip(keys, values, strict=True))
        assert [recall[key] for key in row[asked]] == target[asked].tolist()


def test_gaps_follow_the_power_law():
    """With one pair the first gap is the only one, and has probability proportional to x^(−0.99)."""
    _, targets = associative_recall.generate(40_000, seed=0, length=64, pairs=1, vocab=8)
    gaps = (targets != NOT_SCORED).argmax(1) // 2
    probability = np.arange(1, 32) ** (associative_recall.POWER - 1)
    np.testing.assert_allclose(np.bincount(gaps)[1:] / 40_000, probability / probability.sum(), atol=0.008)


def test_several_gaps_are_drawn_one_after_the_other():
    """Of two gaps among three, the chance of a pair is that of drawing by weight without putting back."""
    w = np.arange(1, 4) ** (associative_recall.POWER - 1)
    w = w / w.sum()
    _, targets = associative_recall.generate(40_000, seed=3, length=10, pairs=2, vocab=12)
    free = (targets[:, 4::2] == NOT_SCORED).argmax(1)  # the place that neither query took
    for left in range(3):
        a, b = (i for i in range(3) if i != left)
        expected = w[a] * w[b] / (1 - w[a]) + w[b] * w[a] / (1 - w[b])
        assert (free == left).mean() == pytest.approx(expected, abs=0.01)


def test_splits_differ_and_a_seed_repeats():
    first, longer = (tasks.load("associative_recall", **SMALL | {"examples": n}) for n in (200, 300))
    assert torch.equal(first.test.raw, longer.test.raw)
    assert not torch.equal(first.test.raw, first.validation.raw)
    inputs, targets, mask = first.train[torch.arange(4)]
    assert (inputs.dtype, targets.dtype, mask) == (torch.int64, torch.int64, None)
    assert (first.vocab, first.n_classes, first.every_position) == (32, 32, True)


def test_any_value_is_right_one_time_in_so_many_pairs_and_the_likely_one_more_often():
    task = tasks.load("associative_recall", length=64, pairs=4, examples=4000)
    assert task.weak_baseline()["accuracy"] == pytest.approx(1 / 4, abs=0.01)
    assert task.weak_baseline()["accuracy"] < task.baseline()["accuracy"] < 0.5
    assert task.limited
    assert task.chance < 0.01


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"length": 15}, "length of associative_recall must be even and at least 4 · pairs = 12; got 15"),
        ({"pairs": 5}, "at least 4 · pairs = 20; got 16"),
        ({"vocab": 7}, "vocab .* must be from 8, for 3 different keys, to 32767; got 7"),
        ({"vocab": 65_536}, "got 65536"),
        ({"examples": 10**8}, "100000000 examples of associative_recall of this size need 6.0 GiB of memory"),
        ({"pairs": 0}, "pairs of associative_recall must be a whole number, at least 1; got 0"),
    ],
)
def test_impossible_settings_are_one_sentence(options, words):
    with pytest.raises(UserError, match=words):
        tasks.load("associative_recall", **SMALL | options)
