"""DNA: pieces of held-out regions, in which nothing of training is seen. On small made-up genomes."""

import numpy as np
import pytest
import torch

from ssm_teach import data, tasks
from ssm_teach.errors import UserError
from ssm_teach.tasks import dna


@pytest.fixture(autouse=True)
def genomes(monkeypatch, tmp_path):
    """Three species of two chromosomes and one, whose letters follow one another with different probabilities."""
    monkeypatch.setenv("SSM_TEACH_CACHE", str(tmp_path / "cache"))
    rng = np.random.RandomState(0)
    sizes, species = (300_000, 50_000, 300_000, 250_000, 1000), (0, 0, 1, 2, 2)
    texts = []
    for size, kind in zip(sizes, species, strict=True):
        step = rng.choice(4, p=np.roll([0.4, 0.3, 0.2, 0.1], kind), size=size)
        texts.append(np.frombuffer(b"ACGT", np.uint8)[np.cumsum(step) % 4])
    texts[0] = texts[0].copy()
    texts[0][100:110] = ord("N")
    arrays = {"text": np.concatenate(texts), "ends": np.cumsum(sizes), "species": np.array(species, np.uint8)}
    monkeypatch.setattr(data, "load", lambda name: arrays)
    return arrays


def covered(split: tasks.Split, length: int, total: int) -> np.ndarray:
    """Which letters of all genomes are in a piece of the split."""
    seen = np.zeros(total, bool)
    for start in split.raw.tolist():
        seen[start : start + length] = True
    return seen


def test_no_letter_of_training_is_in_validation_or_test(genomes):
    task = tasks.load("dna", length=500, examples=4000)
    seen = [covered(part, 500, len(genomes["text"])) for part in (task.train, task.validation, task.test)]
    assert not (seen[0] & seen[1]).any()
    assert not (seen[0] & seen[2]).any()
    assert not (seen[1] & seen[2]).any()
    assert seen[0].mean() > 0.5


def test_the_regions_of_the_test_do_not_depend_on_the_length_of_a_piece(genomes):
    short, long = (tasks.load("dna", length=length, examples=8) for length in (100, 1000))
    train = covered(tasks.load("dna", length=100, examples=20_000).train, 100, len(genomes["text"]))
    for task, length in ((short, 100), (long, 1000)):
        assert not (covered(task.test, length, len(genomes["text"])) & train).any()


def test_a_piece_is_of_the_species_it_is_said_to_be_and_within_one_chromosome(genomes):
    task = tasks.load("dna", length=700, examples=300)
    for split in (task.train, task.validation, task.test):
        inputs, targets, mask = split[torch.arange(60)]
        assert mask is None
        for start, symbols, target in zip(split.raw.tolist(), inputs, targets, strict=False):
            chromosome = np.searchsorted(genomes["ends"], start, side="right")
            assert start + 700 <= genomes["ends"][chromosome]
            assert genomes["species"][chromosome] == target
            letters = bytes(genomes["text"][start : start + 700]).decode()
            assert "".join("ACGTN"[symbol] for symbol in symbols) == letters


def test_every_split_has_equally_many_of_each_species():
    task = tasks.load("dna", length=300, examples=90)
    assert (task.n_classes, task.vocab, task.limited) == (3, 5, True)
    assert task.train.targets.bincount().tolist() == [30, 30, 30]
    assert task.chance == pytest.approx(1 / 3, abs=1e-3)


def test_a_seed_gives_the_same_pieces():
    first, second = (tasks.load("dna", length=300, examples=n) for n in (90, 120))
    assert torch.equal(first.train.raw, second.train.raw[:90])
    assert torch.equal(first.test.raw, second.test.raw)


def test_words_are_counted_as_they_are_counted_by_hand():
    task = tasks.load("dna", length=50, examples=30)
    counts = dna._word_counts(task.train, 3, 30)
    assert counts.shape == (30, 125)
    text = "".join(map(str, task.train[torch.tensor([7])][0][0].tolist()))
    for word in range(125):
        a, b, c = word % 5, word // 5 % 5, word // 25
        assert counts[7, word] == sum(text[i : i + 3] == f"{a}{b}{c}" for i in range(48))


def test_words_tell_species_apart_that_letters_do_not():
    """Every genome here has equally many of each letter; only what follows what differs."""
    task = tasks.load("dna", length=200, examples=1500)
    assert task.weak_baseline()["accuracy"] < 0.5
    assert task.baseline()["accuracy"] > 0.95


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"length": 2}, "length of dna must be a whole number, at least 3; got 2"),
        ({"length": 10_001}, "length of dna must be at most 10000, half a region that is held out; got 10001"),
        ({"examples": 3}, "examples of dna must be a whole number, at least 4; got 3"),
    ],
)
def test_impossible_settings_are_one_sentence(options, words):
    with pytest.raises(UserError, match=words):
        tasks.load("dna", **options)


def test_without_the_genomes_the_command_to_fetch_them_is_named(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("SSM_TEACH_CACHE", "/nonexistent/cache")
    with pytest.raises(UserError, match="ssm-teach data get genomes"):
        tasks.load("dna")
