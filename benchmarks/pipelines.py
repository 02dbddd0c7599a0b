"""Can a task's pipeline keep up? Sequences it delivers for each that a small S4D consumes in training.

Two ways of delivering are timed, each on one thread: examples *made* anew by the task's generator, as happens once, and
batches of them *read* in random order, as training does. The consumer is four blocks of 64 channels around S4D:
forward, backward and update, always of the same batch, so that its time holds no pipeline. CPU time is measured, which
does not count what other programs take.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from ssm_teach import tasks, training
from ssm_teach.errors import UserError
from ssm_teach.model import parameter_groups
from ssm_teach.settings import Settings
from ssm_teach.tasks import adding, associative_recall, delay, induction, listops, pathfinder, selective_copying

CONSUMER = "S4D 4 × 64"
ROUNDS, BATCH = 3, 8
POSITIONS = 1 << 16  # of the batch that is consumed, at most, so that its update fits in memory
SECONDS = 0.2  # a round of reading lasts about so long


@dataclass(frozen=True)
class Pipeline:
    """A task at one size. ``make(n)`` makes n examples anew; None if they are read from fetched data."""

    task: str
    options: dict = field(default_factory=dict)
    make: Callable[[int], object] | None = None
    n: int = 200


def _full_listops(n):
    grammar = {key: value for key, value in listops.SIZES["full"].items() if key != "examples"}
    return listops.generate(n, seed=1, **grammar)


# A row a task; rows of tasks whose data is not in the cache are left out.
PIPELINES = {
    "listops small": Pipeline("listops", {"examples": 2000}, lambda n: listops.generate(n, 1)),
    "listops full": Pipeline("listops", {"size": "full", "examples": 500}, _full_listops),
    "selective_copying": Pipeline("selective_copying", {"examples": 2000}, lambda n: selective_copying.generate(n, 1)),
    "selective_copying full": Pipeline(
        "selective_copying",
        {"length": 4096, "tokens": 16, "examples": 500},
        lambda n: selective_copying.generate(n, 1, 4096, 16),
    ),
    "induction full": Pipeline("induction", {"length": 256, "examples": 2000}, lambda n: induction.generate(n, 1, 256)),
    "associative_recall": Pipeline(
        "associative_recall", {"examples": 2000}, lambda n: associative_recall.generate(n, 1)
    ),
    "associative_recall full": Pipeline(
        "associative_recall",
        {"length": 256, "pairs": 16, "examples": 2000},
        lambda n: associative_recall.generate(n, 1, 256, 16),
    ),
    "delay": Pipeline("delay", {"examples": 500}, lambda n: delay.generate(n, 1)),
    "delay full": Pipeline(
        "delay",
        {"length": 4000, "delay": 1000, "band": 1000, "examples": 100},
        lambda n: delay.generate(n, 1, 4000, 1000, 1000),
    ),
    "adding": Pipeline("adding", {"examples": 2000}, lambda n: adding.generate(n, 1)),
    "dna": Pipeline("dna", {"examples": 2000}),
    "dna full": Pipeline("dna", {"length": 1024, "examples": 2000}),
    "timeseries": Pipeline("timeseries"),
    "pathfinder": Pipeline("pathfinder", {"examples": 200, "held_out": 20}, lambda n: pathfinder.generate(n, 1)),
    "pathfinder path-x": Pipeline(
        "pathfinder",
        {"size": 128, "examples": 50, "held_out": 5},
        lambda n: pathfinder.generate(n, 1, size=128),
        n=50,
    ),
    "image digits": Pipeline("image"),
    "image cifar10": Pipeline("image", {"dataset": "cifar10"}),
    "text": Pipeline("text"),
    "retrieval": Pipeline("retrieval"),
}


def pipelines() -> dict[str, dict]:
    rows = {}
    for name, pipeline in PIPELINES.items():
        try:
            task = tasks.load(pipeline.task, **pipeline.options)
        except UserError as error:
            print(f"pipelines: {name} is left out ({error})")
            continue
        for way, seconds in _seconds(task, pipeline).items():
            rows[f"{name}, L={task.length}, {way}"] = seconds
    return rows


def _seconds(task: tasks.Task, pipeline: Pipeline) -> dict[str, dict]:
    """For each way of delivering: the time for one sequence, and beside it that of the model's update.

    The ratio is the update's time over the pipeline's: the sequences delivered while one is consumed.
    """
    ways = {"read": lambda: _read(task.train)}
    if pipeline.make:
        ways["made"] = lambda: _per_sequence(lambda: pipeline.make(pipeline.n), pipeline.n)
    n = max(1, min(BATCH, POSITIONS // (task.length * task.documents)))
    update = _update(task, n)
    contestants = {**ways, CONSUMER: lambda: _per_sequence(update, n)}
    seconds = {name: [] for name in contestants}
    for _ in range(ROUNDS + 1):
        for name, run in contestants.items():
            seconds[name].append(run())
    median = {name: statistics.median(values[1:]) for name, values in seconds.items()}  # the first is the warm-up
    return {
        way: {
            name: {"median_ms": 1e3 * each, "ratio": each / median[way]}
            for name, each in (("pipeline", median[way]), (CONSUMER, median[CONSUMER]))
        }
        for way in ways
    }


def _per_sequence(run: Callable, n: int) -> float:
    start = time.process_time()
    run()
    return (time.process_time() - start) / n


def _read(split: tasks.Split) -> float:
    """CPU seconds for one sequence of batches in random order."""
    order, start, n = torch.randperm(len(split)), time.process_time(), 0
    while time.process_time() - start < SECONDS:
        for batch in order.split(BATCH):
            split[batch]
            n += len(batch)
    return (time.process_time() - start) / n


def _update(task: tasks.Task, n: int) -> Callable:
    """One update of the model, always on the same n examples."""
    settings = Settings(d_model=64, n_layers=4, N=64, bidirectional=False)
    model = training.build_model(settings, task)
    groups = parameter_groups(model, lr=settings.lr, weight_decay=settings.weight_decay, ssm_lr=settings.ssm_lr)
    optimizer = torch.optim.AdamW(groups)
    inputs, targets, mask = task.train[torch.arange(n)]

    def update():
        sums = training.score(model(inputs, mask), targets, task.train.variance)
        optimizer.zero_grad()
        (sums["loss"] / sums["count"]).backward()
        optimizer.step()

    return update
