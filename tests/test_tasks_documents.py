"""Text and retrieval: bytes as they are in the documents, splits without a leak, baselines that are what they say."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssm_teach import data, tasks
from ssm_teach.data.texts import ragged
from ssm_teach.errors import UserError
from ssm_teach.settings import Settings
from ssm_teach.tasks import retrieval
from ssm_teach.tasks._documents import Documents
from ssm_teach.training import train


@pytest.fixture
def reviews(monkeypatch, tmp_path):
    """A stand-in for IMDB: 100 + 60 reviews; one in four has no word of the lexicon, all have a word of their class."""
    rng = np.random.RandomState(0)

    def part(n):
        labels = np.arange(n) // (n // 2)
        lexicon = [("great" if label else "boring") if i % 4 else "" for i, label in enumerate(labels)]
        texts = [
            f"number {rng.randint(10**6)} {word} it was {'up' if label else 'down'}. ".encode() * rng.randint(1, 4)
            for word, label in zip(lexicon, labels, strict=True)
        ]
        return *ragged(texts), labels.astype(np.uint8)

    arrays = dict(zip(data.DATASETS["imdb"].parts, (*part(100), *part(60)), strict=True))
    monkeypatch.setattr(data, "load", lambda name: {"imdb": arrays}[name])
    monkeypatch.setenv("SSM_TEACH_CACHE", str(tmp_path / "cache"))
    return arrays


# Each topic has four of eight words, so that a topic which training never saw is still made of words that it did.
TOPICS = [
    " ".join(words)
    for words in list(combinations(("red", "green", "blue", "black", "white", "long", "wide", "high"), 4))[:72:3]
]


@pytest.fixture
def pages(monkeypatch, tmp_path):
    """A stand-in for the manual pages: 24 topics of 10 pages, each citing all later ones; 2 systems of 12 topics."""
    rng = np.random.RandomState(1)
    texts = [f"page {i:03} {TOPICS[i // 10]} {'. ' * rng.randint(1, 200)}".encode() for i in range(240)]
    cites = [(i, j) for i in range(240) for j in range(i + 1, i // 10 * 10 + 10)]
    text, ends = ragged(texts)
    arrays = {"text": text, "ends": ends, "cites": np.array(cites, np.int32), "system": np.arange(240) // 120}
    arrays |= {f"{part}_pairs": np.array([[0, 1], [0, 200]] * 20, np.int32) for part in ("train", "eval", "test")}
    arrays |= {f"{part}_labels": np.array([1, 0] * 20, np.uint8) for part in ("train", "eval", "test")}
    monkeypatch.setattr(data, "load", lambda name: {"man-pages": arrays, "aan": arrays}[name])
    monkeypatch.setenv("SSM_TEACH_CACHE", str(tmp_path / "cache"))
    return arrays


def splits(task: tasks.Task) -> tuple[tasks.Split, ...]:
    return task.train, task.validation, task.test


# ---- documents ------------------------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.binary(max_size=9).map(lambda text: text.replace(b"\0", b"")), min_size=1),
    st.integers(1, 12),
    st.data(),
)
def test_symbols_lengths_and_strings_are_the_documents_cut(texts, length, draw):
    documents = Documents(*ragged(texts), length)
    numbers = torch.tensor(draw.draw(st.lists(st.integers(0, len(texts) - 1), min_size=1, max_size=5)))
    symbols, lengths = documents(numbers), documents.lengths(numbers)
    assert symbols.shape == (len(numbers), length)
    assert documents.strings(numbers) == [texts[i][:length] for i in numbers.tolist()]
    for row, n, text in zip(symbols, lengths, documents.strings(numbers), strict=True):
        assert bytes(row[:n].tolist()) == text
        assert (row[n:] == 0).all()
    assert torch.equal(documents(numbers[:, None]), symbols[:, None])


# ---- text -----------------------------------------------------------------------------------------------------------


def test_reviews_of_training_are_divided_into_training_and_validation_and_the_test_is_the_official_one(reviews):
    task = tasks.load("text", length=64)
    assert [len(split) for split in splits(task)] == [90, 10, 60]
    assert sorted(torch.cat([task.train.raw, task.validation.raw]).tolist()) == list(range(100))
    assert task.train.encode is task.validation.encode
    assert task.test.encode.text is reviews["test_text"]
    assert torch.equal(task.test.targets, torch.from_numpy(reviews["test_labels"]))
    assert task.test.raw.tolist() == list(range(60))
    labels = torch.from_numpy(reviews["train_labels"])
    assert all(torch.equal(split.targets, labels[split.raw]) for split in (task.train, task.validation))


def test_there_is_no_validation_on_the_test(reviews):
    task = tasks.load("text")
    assert not set(task.validation.encode.strings(task.validation.raw)) & set(task.test.encode.strings(task.test.raw))
    with pytest.raises(UserError, match="unknown option of task 'text' 'validation'"):
        tasks.load("text", validation="test")


def test_a_batch_of_reviews_is_their_bytes_and_a_mask(reviews):
    task = tasks.load("text", length=40)
    inputs, targets, mask = task.test[torch.tensor([0, 59])]
    assert inputs.shape == mask.shape == (2, 40)
    assert task.vocab == 256
    texts = [
        reviews["test_text"].tobytes()[: reviews["test_ends"][0]],
        reviews["test_text"].tobytes()[reviews["test_ends"][58] :],
    ]
    for row, seen, text in zip(inputs, mask, texts, strict=True):
        assert bytes(row[seen].tolist()) == text[:40]
        assert (row[~seen] == 0).all()
    assert targets.tolist() == [0, 1]
    assert targets.dtype == torch.int64


def test_lexicon_is_right_where_it_knows_a_word_and_guesses_elsewhere(reviews):
    """Three reviews of four have one; without any the answer is against, which half of the rest are."""
    found = tasks.load("text").weak_baseline()
    assert found["accuracy"] == pytest.approx(3 / 4 + 1 / 8, abs=0.02)


def test_bag_of_words_finds_the_word_that_decides_and_sees_no_further_than_the_cut(reviews):
    task = tasks.load("text")
    assert task.baseline()["accuracy"] == 1.0
    assert task.baseline()["train_examples"] == 90
    assert tasks.load("text", length=8).baseline()["accuracy"] < 0.7  # "number 1"


def test_only_the_whole_of_the_arenas_text_task_is_not_a_small_one(reviews):
    assert not tasks.load("text").limited
    assert not tasks.load("text", limit=90).limited
    assert tasks.load("text", length=4095).limited
    assert tasks.load("text", limit=50).limited
    assert torch.equal(tasks.load("text", limit=50).train.raw, tasks.load("text").train.raw[:50])


# ---- retrieval ------------------------------------------------------------------------------------------------------


def cited(arrays) -> set[frozenset]:
    return {frozenset(pair) for pair in arrays["cites"].tolist()}


def test_pairs_with_answer_yes_cite_and_the_others_do_not_in_either_direction(pages):
    for split in splits(tasks.load("retrieval")):
        for pair, label in zip(split.raw.tolist(), split.targets.tolist(), strict=True):
            assert (frozenset(pair) in cited(pages)) == bool(label)
            assert pair[0] != pair[1]


def test_both_pages_of_a_pair_are_of_one_system(pages):
    for split in splits(tasks.load("retrieval")):
        systems = pages["system"][split.raw.numpy()]
        assert (systems[:, 0] == systems[:, 1]).all()


def test_no_page_is_in_two_splits(pages):
    seen = [set(split.raw.flatten().tolist()) for split in splits(tasks.load("retrieval"))]
    assert all(seen)
    assert not seen[0] & seen[1]
    assert not seen[0] & seen[2]
    assert not seen[1] & seen[2]


def test_a_page_alone_tells_nothing_about_the_answer(pages):
    """First and second pages are the same multisets under both answers, so no rule on one page beats one half."""
    for split in splits(tasks.load("retrieval")):
        yes = split.targets.bool()
        for place in (0, 1):
            assert Counter(split.raw[yes, place].tolist()) == Counter(split.raw[~yes, place].tolist())
        assert yes.double().mean() == 0.5


def test_pairs_are_the_same_every_time(pages):
    one, two = tasks.load("retrieval"), tasks.load("retrieval")
    assert all(torch.equal(a.raw, b.raw) for a, b in zip(splits(one), splits(two), strict=True))


def test_pages_that_cite_one_another_stay_together(pages):
    """Fewer than half of the citations would survive a split of the pages at random."""
    kept = sum(int(split.targets.sum()) for split in splits(tasks.load("retrieval")))
    assert kept > 0.8 * len(cited(pages))


def test_pairs_that_cannot_be_exchanged_are_left_out_with_their_round():
    """Of four pages that all cite one another no two make a pair with the answer no."""
    edges = np.array([[a, b] for a in range(4) for b in range(a)])
    yes, no = retrieval._exchange_seconds(edges, edges, np.zeros(4), np.random.RandomState(0))
    assert len(yes) == len(no) == 0
    assert retrieval._closed(np.array([1, 2, 0, 4, 3, 5]), [0]).tolist() == [3, 4, 5]


def test_a_batch_of_pairs_is_two_documents_and_their_masks(pages):
    task = tasks.load("retrieval", length=30)
    inputs, targets, mask = task.train[torch.tensor([4, 2])]
    assert inputs.shape == mask.shape == (2, 2, 30)
    assert (task.documents, task.vocab, targets.shape) == (2, 256, (2,))
    starts = [0, *pages["ends"]]
    for i, row in enumerate((4, 2)):
        for j, number in enumerate(task.train.raw[row].tolist()):
            text = pages["text"][starts[number] : starts[number + 1]].tobytes()
            assert bytes(inputs[i, j][mask[i, j]].tolist()) == text[:30]


def test_baselines_of_retrieval_use_lengths_and_words(pages):
    task = tasks.load("retrieval")
    weak, strong = task.weak_baseline(), task.baseline()
    assert 0.35 < weak["accuracy"] < 0.65  # lengths were drawn without regard to topics
    assert strong["accuracy"] > 0.95  # pages of one topic share its name
    assert tasks.load("retrieval", length=5).baseline()["accuracy"] < 0.6  # "page " is all the same


@pytest.mark.parametrize("seed", range(20))
def test_best_threshold_is_the_best_of_all_thresholds(seed):
    rng = np.random.RandomState(seed)
    scores, labels = rng.randint(0, 9, 30).astype(float), rng.randint(0, 2, 30)
    split = tasks.Split(torch.from_numpy(scores), torch.from_numpy(labels), lambda raw: raw)

    class One:
        train = test = split

    threshold, accuracy = retrieval._best_threshold(lambda split: split.raw.numpy(), One)
    every = [((scores > t) == labels).mean() for t in np.arange(-0.5, 9)]
    assert accuracy == ((scores > threshold) == labels).mean()
    assert accuracy == max(every)


def test_pairs_of_papers_are_those_of_their_files(pages):
    task = tasks.load("retrieval", source="aan", limit=30)
    assert [len(split) for split in splits(task)] == [30, 40, 40]
    assert task.train.raw[:2].tolist() == [[0, 1], [0, 200]]
    assert task.train.targets[:2].tolist() == [1, 0]
    assert task.limited
    assert not tasks.load("retrieval", source="aan").limited
    assert tasks.load("retrieval").limited  # a stand-in is never the whole task


# ---- both -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["text", "retrieval"])
def test_a_tiny_model_trains_from_end_to_end(name, reviews, pages, monkeypatch, tmp_path):
    monkeypatch.setattr(data, "load", lambda name: reviews if name == "imdb" else pages)
    tiny = {"d_model": 4, "n_layers": 1, "N": 2, "epochs": 1, "batch_size": 16, "device": "cpu"}
    settings = Settings(task=name, task_options={"length": 32, "limit": 48}, **tiny)
    record = train(settings, "one", runs=tmp_path / "runs", quiet=True)
    assert 0 <= record["test"]["accuracy"] <= 1
    assert record["task"]["length"] == 32
    assert record["baseline"]["train_examples"] == record["weak_baseline"]["train_examples"] == 48


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"name": "text", "length": 0}, "length of text must be a whole number from 1 to 1,048,576; got 0"),
        ({"name": "text", "length": True}, "got True"),
        (
            {"name": "text", "limit": 91},
            "limit of text must be a whole number from 10 to 90, the training reviews; got 91",
        ),
        ({"name": "retrieval", "limit": 3}, "limit of retrieval must be .*, the training pairs of man-pages; got 3"),
        ({"name": "retrieval", "length": 2.5}, "length of retrieval must be a whole number"),
        ({"name": "retrieval", "source": "ann"}, r"unknown source 'ann'; .*did you mean aan\?"),
    ],
)
def test_wrong_options_get_one_sentence(arguments, sentence, reviews, pages, monkeypatch):
    monkeypatch.setattr(data, "load", lambda name: reviews if name == "imdb" else pages)
    with pytest.raises(UserError, match=sentence):
        tasks.load(**arguments)
