"""What a training run shows while it runs: a live bar on a terminal, a line an epoch anywhere else."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

__all__ = ["show_progress"]


@contextmanager
def show_progress(epochs: int, steps: int, batch_size: int, metric: str, quiet: bool) -> Iterator["_Shown"]:
    """Show loss, metric, sequences per second and the time left; `_Shown.step` and `_Shown.epoch` bring the news."""
    console = Console(quiet=quiet, highlight=False, soft_wrap=True)
    columns = (
        TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
        BarColumn(),
        TextColumn(
            f"loss {{task.fields[loss]:.3f}}  {metric} {{task.fields[credit]:.1%}}"
            "  {task.fields[rate]:.0f} sequences/s"
        ),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal) as bar:
        fields = {"epoch": 1, "epochs": epochs, "loss": float("nan"), "credit": 0.0, "rate": 0.0}
        yield _Shown(bar, bar.add_task("train", total=steps, **fields), epochs, steps, batch_size, metric)


class _Shown:
    def __init__(self, bar: Progress, task, epochs: int, steps: int, batch_size: int, metric: str):
        self.bar, self.task, self.epochs, self.steps, self.batch_size = bar, task, epochs, steps, batch_size
        self.metric = metric
        self.first_step, self.first_time = None, time.monotonic()
        self.rate, self.left = 0.0, 0

    def step(self, epoch: int, step: int, sums: dict) -> None:
        """After each update; ``sums`` are those of the epoch so far."""
        if self.first_step is None:  # a resumed run starts at a later step, and its speed is that from there on
            self.first_step, self.first_time = step, time.monotonic()
        seen = {"loss": sums["loss"] / sums["count"], "credit": sums["credit"] / sums["count"]}
        elapsed = time.monotonic() - self.first_time
        self.rate = (step - self.first_step) * self.batch_size / elapsed if elapsed > 0 else 0.0
        self.left = (self.steps - step) * self.batch_size
        self.bar.update(self.task, completed=step, epoch=epoch + 1, rate=self.rate, **seen)

    def epoch(self, line: dict) -> None:
        """After each epoch, with its line of metrics."""
        seconds = f"{self.left / self.rate:.0f} s left" if self.rate else ""
        self.bar.console.print(
            f"epoch {line['epoch']}/{self.epochs}  loss {line['loss']:.4f}  {self.metric} {line[self.metric]:.2%}  "
            f"validation {line[f'validation_{self.metric}']:.2%}  {self.rate:.0f} sequences/s  {seconds}"
        )
