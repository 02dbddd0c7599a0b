"""Two documents, byte by byte: does one cite the other? The retrieval task of Long Range Arena.

Two sources. ``aan``: papers of the ACL Anthology Network, the arena's own pairs, which come with its release only.
``man-pages``: manual pages of Linux and FreeBSD, where a citation is a line under SEE ALSO. They are a real stand-in of
a laptop's size: the same question, some thousand pairs.

How the pairs of manual pages are made, so that nothing but the two texts tells the answer:

- The section SEE ALSO is deleted from every page, and so are comments and title lines.
- Pages are divided first, then pairs are formed within a part: no page of the test was ever seen in training. Pages
  that cite each other are kept together as far as possible, because pairs across the parts are lost.
- The other pairs, which do not cite each other in either direction, are of the same system, and they are made by
  exchanging the second pages among the citing pairs. So each page stands as often in a pair of one kind as of the
  other, and a page that is cited often gives nothing away.

What a page says of others in its running text stays, as it does in a paper: to answer yes when one of the two names the
other is right for 73% of the test pairs.

Source: D. Radev et al. 2013, "The ACL Anthology Network corpus"; Y. Tay et al. 2021, "Long Range Arena".
"""

import numpy as np
import torch
from sklearn.feature_extraction.text import TfidfVectorizer

from ssm_teach import data
from ssm_teach.errors import choose

from . import Split, Task
from ._documents import VOCAB, Documents, require_size

__all__ = ["SOURCES", "load"]

LENGTH = 4000
SOURCES = ("man-pages", "aan")
SHARES = np.array([0.6, 0.2, 0.2])  # of the pages, for training, validation and test
BLOCK = 40  # pages that are kept together

Pairs = tuple[np.ndarray, np.ndarray]  # (n, 2) numbers of documents, (n,) labels


def load(source: str = "man-pages", length: int = LENGTH, limit: int | None = None) -> Task:
    """Pairs of documents as a task. The data set must be in the cache: ``ssm-teach data get man-pages``.

    Args:
        source: One of `SOURCES`.
        length: Bytes read of each document, 4000 in Long Range Arena. A shorter one makes a smaller task.
        limit: Train on this many pairs only, for small budgets. Validation and test stay whole.
    """
    choose("tasks.load", "source", source, SOURCES)
    require_size("retrieval", "length", length, 1, 1 << 20, "")
    arrays = data.load(source)
    documents = Documents(arrays["text"], arrays["ends"], length)
    parts = _aan_pairs(arrays) if source == "aan" else man_page_pairs(arrays["cites"], arrays["system"])
    n = len(parts[0][1])
    if limit is not None:
        require_size("retrieval", "limit", limit, min(10, n), n, f", the training pairs of {source}")
        parts[0] = tuple(array[:limit] for array in parts[0])
    numbers = [torch.from_numpy(pairs.astype(np.int64)) for pairs, _ in parts]
    return Task(
        "retrieval",
        {"source": source, "length": length, "limit": limit},
        *(
            Split(pair, torch.from_numpy(labels), documents, documents.lengths(pair))
            for pair, (_, labels) in zip(numbers, parts, strict=True)
        ),
        length=length,
        n_classes=2,
        full_epochs=20,
        measure_weak=_length_overlap,
        measure_strong=_tf_idf,
        vocab=VOCAB,
        documents=2,
        limited=source != "aan" or length < LENGTH or (limit is not None and limit < n),
    )


def _aan_pairs(arrays: data.Arrays) -> list[Pairs]:
    return [(arrays[f"{part}_pairs"], arrays[f"{part}_labels"]) for part in ("train", "eval", "test")]


def man_page_pairs(cites: np.ndarray, system: np.ndarray) -> list[Pairs]:
    """Training, validation and test pairs of manual pages, half of them citing, in a fixed random order.

    Args:
        cites: (m, 2), each pair in which the first page cites the second.
        system: (n,), the system that a page belongs to.
    """
    rng = np.random.RandomState(0)
    edges = np.unique(np.sort(cites, axis=1), axis=0)  # who cites whom does not matter
    part = _divide(edges, len(system), rng)
    parts = []
    for number in range(len(SHARES)):
        inside = edges[(part[edges] == number).all(1)]
        inside = np.where(rng.rand(len(inside), 1) < 0.5, inside, inside[:, ::-1])
        yes, no = _exchange_seconds(inside, edges, system, rng)
        pairs, labels = np.concatenate([yes, no]), np.repeat(np.array([1, 0], np.uint8), [len(yes), len(no)])
        order = rng.permutation(len(labels))
        parts.append((pairs[order], labels[order]))
    return parts


def _divide(edges: np.ndarray, n: int, rng: np.random.RandomState) -> np.ndarray:
    """The part (n,) of each page: blocks of pages that grow along the citations, dealt to the part that lacks most."""
    neighbours = [[] for _ in range(n)]
    for a, b in edges.tolist():
        neighbours[a].append(b)
        neighbours[b].append(a)
    part, sizes = np.full(n, -1), np.zeros(len(SHARES))
    for start in rng.permutation(n).tolist():
        if part[start] < 0:
            number = int(np.argmax(SHARES - sizes / n))
            block = _block(start, neighbours, part, number)
            sizes[number] += block
    return part


def _block(start: int, neighbours: list[list[int]], part: np.ndarray, number: int) -> int:
    """Give a page and those around it that are still free to a part; return how many they are."""
    queue, part[start] = [start], number
    for page in queue:  # grows while it is read
        for other in neighbours[page]:
            if part[other] < 0 and len(queue) < BLOCK:
                part[other] = number
                queue.append(other)
    return len(queue)


def _exchange_seconds(pairs: np.ndarray, edges: np.ndarray, system: np.ndarray, rng) -> tuple[np.ndarray, np.ndarray]:
    """Citing pairs (n, 2) → (pairs, others): second pages exchanged so that in none of the others one cites the other.

    A pair for which no exchange is found is left out of both, with the pairs that took part in its exchange.
    """
    known = {frozenset(edge) for edge in edges.tolist()}
    seconds = np.arange(len(pairs))  # the pair from which each takes its second page

    def bad(i: int, j: int) -> bool:
        a, b = int(pairs[i, 0]), int(pairs[j, 1])
        return a == b or system[a] != system[b] or frozenset((a, b)) in known

    for _ in range(100):
        wrong = [i for i in range(len(pairs)) if bad(i, seconds[i])]
        for i in wrong:
            j = rng.randint(len(pairs))
            if not bad(i, seconds[j]) and (not bad(j, seconds[i]) or bad(j, seconds[j])):
                seconds[[i, j]] = seconds[[j, i]]
    keep = _closed(seconds, [i for i in range(len(pairs)) if bad(i, seconds[i])])
    return pairs[keep], np.stack([pairs[keep, 0], pairs[seconds[keep], 1]], 1)


def _closed(seconds: np.ndarray, left_out: list[int]) -> np.ndarray:
    """The pairs that remain when those left out take the whole round of exchanges they are in with them."""
    keep = np.ones(len(seconds), bool)
    for i in left_out:
        while keep[i]:
            keep[i] = False
            i = int(seconds[i])
    return np.flatnonzero(keep)


# ---- baselines ------------------------------------------------------------------------------------------------------


def _length_overlap(task: Task) -> dict:
    """Are the two about equally long? The lengths are those of the whole documents, which a model may not even see."""

    def closeness(split):
        ends = split.encode.ends
        whole = np.diff(ends, prepend=0)[split.raw.numpy()]
        return -np.abs(np.diff(np.log1p(whole), axis=1)[:, 0])

    threshold, accuracy = _best_threshold(closeness, task)
    return {
        "kind": f"citing, if the longer document has at most {np.exp(-threshold):.2f} times the bytes of the shorter",
        "accuracy": accuracy,
        "train_examples": len(task.train),
    }


def _tf_idf(task: Task) -> dict:
    """Cosine of the documents' word counts, weighted by how rare each word is among the training documents."""
    documents, seen = task.train.encode, torch.unique(task.train.raw)
    words = TfidfVectorizer(sublinear_tf=True, min_df=2, token_pattern=r"\w+", decode_error="replace")
    words.fit(documents.strings(seen))

    def cosine(split):
        numbers = torch.unique(split.raw)
        vectors = words.transform(documents.strings(numbers))
        a, b = (vectors[torch.searchsorted(numbers, split.raw[:, i].contiguous()).numpy()] for i in (0, 1))
        return np.asarray(a.multiply(b).sum(1))[:, 0]

    threshold, accuracy = _best_threshold(cosine, task)
    return {
        "kind": f"citing, if the TF-IDF vectors of the words have a cosine above {threshold:.3f}",
        "accuracy": accuracy,
        "train_examples": len(task.train),
    }


def _best_threshold(score, task: Task) -> tuple[float, float]:
    """The threshold on a score that is best in training, and its accuracy on the test split."""
    scores, yes = score(task.train), task.train.targets.numpy() == 1
    values = np.unique(scores)
    thresholds = np.concatenate([[-np.inf], (values[:-1] + values[1:]) / 2, [np.inf]])
    at_most_no, at_most_yes = (np.searchsorted(np.sort(scores[kind]), thresholds, side="right") for kind in (~yes, yes))
    threshold = float(thresholds[np.argmax(at_most_no + yes.sum() - at_most_yes)])
    return threshold, float(((score(task.test) > threshold) == task.test.targets.numpy()).mean())
