"""Train a sequence model on a task, in a way that can be killed at any moment and goes on as if nothing had happened.

A run is a folder, ``runs/NAME/``:

- ``settings.json``: everything that was chosen, and where the run comes from
- ``metrics.jsonl``: one JSON object a line, by step
- ``checkpoints/``: see `ssm_teach.checkpoints`
- ``record.json``, ``record.png``, ``record.svg``: when it is done, see `ssm_teach.records`

Resuming is exact because nothing depends on history that is not in the checkpoint: the order of the examples is a
function of (seed, epoch), random numbers of (seed, step), the learning rate of the step. On a CPU with the same number
of threads the weights of a killed and resumed run are those of an uninterrupted one, bit for bit.

Optimisation is the usual one for these models: AdamW, linear warm-up then a cosine to zero, clipped gradients, and for
the layers' own parameters (A, B, C, Δ) a smaller learning rate without weight decay (Gu, Goel and Ré 2022).
"""

import hashlib
import inspect
import json
import math
import time
from dataclasses import asdict
from pathlib import Path

import torch
from torch.nn import functional as F

from . import checkpoints, records, tasks
from .errors import UserError, choose, require
from .files import append_line, read_json, write_atomically, write_json
from .layers import LAYERS
from .model import SequenceModel, parameter_groups
from .progress import show_progress
from .records import load_record
from .settings import Settings
from .tasks import NOT_SCORED

SUMS = ("loss", "credit", "count")  # what is added up over answers, see `score`
POSITIONS = 1 << 18  # measured at once: bounds the memory that long sequences take

__all__ = [
    "Settings",
    "build_model",
    "evaluate",
    "find_run",
    "load_model",
    "load_record",
    "resume",
    "schedule",
    "score",
    "train",
]


def train(
    settings: Settings,
    name: str | None = None,
    *,
    runs: Path = Path("runs"),
    record: str | None = None,
    quiet: bool = False,
) -> dict:
    """Train a model and return the record of the run.

    Args:
        settings: What to train, and how.
        name: The run's folder in ``runs``; by default the data set and the layer, numbered if that is taken.
        record: Also keep the record in ``results/`` under this name.
        quiet: Print nothing.

    Raises: UserError: a wrong setting (before anything is written), a loss that is not finite, a full disk.
    KeyboardInterrupt: with a sentence on how to go on.
    """
    require(
        record is None or (record == Path(record).name and record not in ("", ".", "..", records.REPORTED)),
        f"train: record must be a plain file name and not {records.REPORTED!r}; got {record!r}",
    )
    task = tasks.load(settings.task, **settings.task_options)
    build_model(settings, task)  # a wrong option of the model shall leave no folder behind
    require(
        settings.batch_size <= len(task.train),
        f"train: batch_size must be at most the {len(task.train)} training examples; got {settings.batch_size}",
    )
    accelerator = _accelerator(settings)
    folder = None
    if accelerator.is_main_process:
        default = f"{settings.task_options.get('dataset', settings.task)}-{settings.layer}"
        folder = _new_folder(Path(runs), name, default)
        start = {"record": record, "command": settings.command(), **records.provenance()}
        write_json(folder / "settings.json", {"settings": asdict(settings), **start})
    folder = _agreed(folder, accelerator)
    return _Run(folder, settings, task, accelerator, quiet).to_the_end()


def resume(run: str | Path, *, runs: Path = Path("runs"), quiet: bool = False) -> dict:
    """Go on with a run that was stopped, from its newest undamaged checkpoint, and return its record."""
    folder = find_run(run, runs)
    settings = _read_settings(folder)
    task = tasks.load(settings.task, **settings.task_options)
    return _Run(folder, settings, task, _accelerator(settings), quiet).to_the_end()


def evaluate(run: str | Path, split: str = "test", *, runs: Path = Path("runs")) -> dict:
    """Loss and metric of a run's newest checkpoint on a split: ``{"step", "loss", "accuracy"}``, or "r2"."""
    choose("evaluate", "split", split, ("train", "validation", "test"))
    folder = find_run(run, runs)
    settings = _read_settings(folder)
    task = tasks.load(settings.task, **settings.task_options)
    this = _Run(folder, settings, task, _accelerator(settings), quiet=True)
    this.load_checkpoint()
    return {"step": this.progress["step"], **this.measure(getattr(task, split))}


def load_model(run: str | Path, *, runs: Path = Path("runs")) -> tuple[SequenceModel, tasks.Task]:
    """The model of a run with the weights of its newest checkpoint, in evaluation mode, and its task."""
    folder = find_run(run, runs)
    settings = _read_settings(folder)
    task = tasks.load(settings.task, **settings.task_options)
    model = build_model(settings, task)
    model.load_state_dict(checkpoints.latest(folder / "checkpoints").weights)
    return model.eval(), task


def build_model(settings: Settings, task: tasks.Task) -> SequenceModel:
    """The untrained model that the settings describe; a function of the seed."""
    torch.manual_seed(_stream(settings.seed, "weights", 0))
    layer = LAYERS[choose("train", "layer", settings.layer, LAYERS)]
    require(
        not settings.bidirectional or "bidirectional" in inspect.signature(layer).parameters,
        f"train: layer {settings.layer!r} reads forwards only; give --causal (bidirectional=False)",
    )
    options = {"bidirectional": True, **settings.layer_options} if settings.bidirectional else settings.layer_options
    try:
        return SequenceModel(
            d_input=task.d_input,
            vocab=task.vocab,
            d_output=task.d_output,
            documents=task.documents,
            layer=settings.layer,
            d_model=settings.d_model,
            n_layers=settings.n_layers,
            N=settings.N,
            dropout=settings.dropout,
            prenorm=settings.prenorm,
            block=settings.block,
            pool="none" if task.every_position else "mean",
            **options,
        )
    except TypeError as error:
        if not settings.layer_options:
            raise
        # The layer checks the values of its options; of what kind they are only Python does.
        raise UserError(f"train: an option of layer {settings.layer!r} is of the wrong kind ({error})") from error


def schedule(step: int, steps: int, warmup: float) -> float:
    """Factor on the learning rate of update ``step`` of ``steps``: up linearly, then down a half cosine towards zero.

    >>> [round(schedule(step, steps=10, warmup=0.2), 3) for step in range(10)]
    [0.5, 1.0, 1.0, 0.962, 0.854, 0.691, 0.5, 0.309, 0.146, 0.038]
    """
    rising = int(steps * warmup)
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / (steps - rising)))


def find_run(run: str | Path, runs: Path = Path("runs")) -> Path:
    """The folder of a run given by its name in ``runs`` or by its path."""
    for folder in (Path(runs) / run, Path(run)):
        if (folder / "settings.json").is_file():
            return folder
    there = ", ".join(sorted(path.parent.name for path in Path(runs).glob("*/settings.json"))) or "none"
    raise UserError(f"find_run: there is no run {str(run)!r} in {runs}/; there are: {there}")


class _Run:
    """One run in this process: model, optimiser, and the counters and sums that a checkpoint keeps."""

    def __init__(self, folder: Path, settings: Settings, task: tasks.Task, accelerator, quiet: bool):
        self.folder, self.settings, self.task, self.accelerator = folder, settings, task, accelerator
        self.quiet = quiet or not accelerator.is_main_process
        # An incomplete last batch is left out; the next epoch's order is another, so nothing is left out for ever.
        self.steps_per_epoch = len(task.train) // settings.batch_size
        self.steps = self.steps_per_epoch * settings.epochs
        model = build_model(settings, self.task)
        self.parameters = sum(p.numel() for p in model.parameters())
        groups = parameter_groups(model, lr=settings.lr, weight_decay=settings.weight_decay, ssm_lr=settings.ssm_lr)
        self.peak_lrs = [group["lr"] for group in groups]
        self.model, self.optimizer = self.accelerator.prepare(model, torch.optim.AdamW(groups))
        self.train_split = self.task.train.to(self.accelerator.device)
        self.progress = {"step": 0, "seconds": 0.0, "peak_memory": 0, "window": _no_sums(), "epoch": _no_sums()}
        self.started = time.monotonic()

    # ---- the loop ---------------------------------------------------------------------------------------------------

    def to_the_end(self) -> dict:
        """Train from wherever the checkpoints are to the last step, then measure and record."""
        if (self.folder / "record.json").exists():
            raise UserError(
                f"resume: run {self.folder.name} is finished; see it with: ssm-teach evaluate {self.folder.name}"
            )
        try:
            self.start()
            sizes = (self.settings.epochs, self.steps, self.settings.batch_size)
            with show_progress(*sizes, self.task.metric, self.quiet) as shown:
                for epoch in range(self.progress["step"] // self.steps_per_epoch, self.settings.epochs):
                    self.one_epoch(epoch, shown)
            return self.finish()
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"train: interrupted at step {self.progress['step']}; {self._way_on()}") from None

    def start(self) -> None:
        """From the newest checkpoint, forgetting the metrics written after it; or from the beginning."""
        if checkpoints.newest_step(self.folder / "checkpoints") is None:
            self.save()
            return
        self.load_checkpoint()
        if self.accelerator.is_main_process:
            _keep_metrics_up_to(self.progress["step"], self.folder / "metrics.jsonl")

    def one_epoch(self, epoch: int, shown) -> None:
        """The rest of an epoch, which is all of it unless the run was resumed in its middle."""
        settings, n = self.settings, len(self.task.train)
        generator = torch.Generator().manual_seed(_stream(settings.seed, "order", epoch))
        order = torch.randperm(n, generator=generator)
        for i in range(self.progress["step"] % self.steps_per_epoch, self.steps_per_epoch):
            batch = order[i * settings.batch_size : (i + 1) * settings.batch_size]
            self.one_step(batch)
            shown.step(epoch, self.progress["step"], self.progress["epoch"])
            due = self.progress["step"] % settings.checkpoint_every == 0
            if due or i == self.steps_per_epoch - 1:
                self.log({"kind": "train", "epoch": epoch + 1, **self._means(self.progress["window"])})
                self.progress["window"] = _no_sums()
            if due and i < self.steps_per_epoch - 1:
                self.save()
        self.end_epoch(epoch, shown)

    def one_step(self, batch: torch.Tensor) -> None:
        """One update. The weights change only if loss and gradient are finite, so a checkpoint's always are."""
        step, settings, accelerator = self.progress["step"], self.settings, self.accelerator
        torch.manual_seed(_stream(settings.seed, f"step of process {accelerator.process_index}", step))
        factor = schedule(step, self.steps, settings.warmup)
        for group, lr in zip(self.optimizer.param_groups, self.peak_lrs, strict=True):
            group["lr"] = lr * factor
        self.model.train()
        mine = batch[accelerator.process_index :: accelerator.num_processes].to(accelerator.device)
        inputs, targets, mask = self.train_split[mine]
        with accelerator.autocast():
            answers = self.model(inputs, mask)
        sums = score(answers, targets, self.train_split.variance)
        accelerator.backward(sums["loss"] / sums["count"])
        norm = accelerator.clip_grad_norm_(self.model.parameters(), settings.clip)
        sums = self._over_processes({key: value.detach() for key, value in sums.items()})
        self._check_finite(sums["loss"] / sums["count"], float(norm))
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.progress["step"] = step + 1
        for kept in ("window", "epoch"):
            self.progress[kept] = _add(self.progress[kept], sums)

    def end_epoch(self, epoch: int, shown) -> None:
        validation = self.measure(self.task.validation)
        line = {
            "kind": "epoch",
            "epoch": epoch + 1,
            **self._means(self.progress["epoch"]),
            **{f"validation_{key}": value for key, value in validation.items()},
            "lr": self.optimizer.param_groups[0]["lr"],
            "seconds": round(self._seconds(), 3),
        }
        self.log(line)
        self.progress["epoch"] = _no_sums()
        self.save()
        shown.epoch(line)

    @torch.no_grad()
    def measure(self, split: tasks.Split) -> dict:
        """Mean loss and the task's metric on a split, each process measuring its share."""
        accelerator = self.accelerator
        model = accelerator.unwrap_model(self.model).eval()  # the wrapper for several devices waits for the others
        sums = _no_sums()
        positions = math.prod(split[:1][0].shape[1:])  # a further test may be longer than the task
        at_once = max(1, min(256, POSITIONS // positions))
        for indices in torch.arange(accelerator.process_index, len(split), accelerator.num_processes).split(at_once):
            inputs, targets, mask = (None if x is None else x.to(accelerator.device) for x in split[indices])
            with accelerator.autocast():
                answers = model(inputs, mask)
            sums = _add(sums, {key: float(value) for key, value in score(answers, targets, split.variance).items()})
        return self._means(self._over_processes(sums))

    def finish(self) -> dict:
        """Measure on the test split, and write the record and its picture."""
        test = self.measure(self.task.test)
        more_tests = {name: self.measure(split) for name, split in self.task.more_tests.items()}
        if not self.accelerator.is_main_process:
            return {}
        record = self.record(test, more_tests)
        if name := _read_start(self.folder)["record"]:
            records.save_record(record, records.RESULTS, name)
        records.save_record(record, self.folder, "record")
        return record

    def record(self, test: dict, more_tests: dict) -> dict:
        """What was run, how, by what, and what came out."""
        settings, task, started = self.settings, self.task, _read_start(self.folder)
        lines = [json.loads(line) for line in (self.folder / "metrics.jsonl").read_text().splitlines()]
        return {
            "kind": "training run",
            "name": started["record"] or self.folder.name,
            "task": {
                "name": task.name,
                **task.options,
                "length": task.length,
                "train_examples": len(task.train),
                "validation_examples": len(task.validation),
                "test_examples": len(task.test),
            },
            "model": {"layer": settings.layer, "parameters": self.parameters},
            "settings": asdict(settings),
            "small_budget": task.limited or settings.epochs < task.full_epochs,
            "metric": task.metric,
            "test": test,
            **({"more_tests": more_tests} if more_tests else {}),
            "chance": task.chance,
            "weak_baseline": task.weak_baseline(),
            "baseline": task.baseline(),
            "metrics": [line for line in lines if line["kind"] == "epoch"],
            "curve": [line for line in lines if line["kind"] == "train"],
            "wall_seconds": round(self._seconds(), 1),
            "peak_memory_bytes": max(self.progress["peak_memory"], records.peak_memory(self.accelerator.device)),
            "device": records.device_in_words(self.accelerator.device, self.accelerator.num_processes),
            **{key: started[key] for key in ("command", "commit", "versions", "system")},
        }

    # ---- what outlives the process ----------------------------------------------------------------------------------

    def save(self) -> None:
        if self.accelerator.is_main_process:
            model = self.accelerator.unwrap_model(self.model)
            memory = max(self.progress["peak_memory"], records.peak_memory(self.accelerator.device))
            kept = {**self.progress, "seconds": self._seconds(), "peak_memory": memory}
            checkpoints.save(self.folder / "checkpoints", model, self.optimizer, kept)
        self.accelerator.wait_for_everyone()

    def load_checkpoint(self) -> None:
        checkpoint = checkpoints.latest(self.folder / "checkpoints", say=lambda text: self.quiet or print(text))
        self.accelerator.unwrap_model(self.model).load_state_dict(checkpoint.weights)
        checkpoints.restore_optimizer(self.optimizer, checkpoint.optimizer)
        self.progress, self.started = checkpoint.progress, time.monotonic()

    def log(self, line: dict) -> None:
        if self.accelerator.is_main_process:
            append_line(self.folder / "metrics.jsonl", {"step": self.progress["step"], **line})

    def _seconds(self) -> float:
        return self.progress["seconds"] + time.monotonic() - self.started

    # ---- small helpers ----------------------------------------------------------------------------------------------

    def _over_processes(self, sums: dict) -> dict:
        sums = torch.tensor([float(sums[key]) for key in SUMS], dtype=torch.float64)
        if self.accelerator.num_processes > 1:
            sums = self.accelerator.reduce(sums.to(self.accelerator.device), "sum")
        return dict(zip(SUMS, sums.tolist(), strict=True))

    def _means(self, sums: dict) -> dict:
        return {"loss": sums["loss"] / sums["count"], self.task.metric: sums["credit"] / sums["count"]}

    def _check_finite(self, loss: float, norm: float) -> None:
        what = "loss" if not math.isfinite(loss) else "gradient" if not math.isfinite(norm) else None
        if what:
            raise UserError(
                f"train: the {what} became {loss if what == 'loss' else norm} at step {self.progress['step']}; "
                f"try a smaller lr or ssm_lr, or a longer warmup ({self._way_on()})"
            )

    def _way_on(self) -> str:
        step = checkpoints.newest_step(self.folder / "checkpoints")
        if step is None:
            return "no checkpoint was written yet"
        return f"the checkpoint of step {step} is kept; continue with: ssm-teach resume {self.folder.name}"


def _accelerator(settings: Settings):
    # Imported here because it takes a second, which `ssm-teach list` should not.
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState, PartialState

    has_gpu = torch.cuda.is_available() or torch.backends.mps.is_available()
    require(
        settings.device != "gpu" or has_gpu,
        "train: there is no GPU that PyTorch can use here; choose device cpu or auto",
    )
    if AcceleratorState._shared_state and PartialState().num_processes == 1:
        # A second run in one process (a notebook) may choose another device or precision than the first.
        AcceleratorState._reset_state(reset_partial_state=True)
    accelerator = Accelerator(
        cpu=settings.device == "cpu", mixed_precision="no" if settings.precision == "full" else settings.precision
    )
    require(
        settings.batch_size % accelerator.num_processes == 0,
        f"train: batch_size {settings.batch_size} must be a multiple of the {accelerator.num_processes} processes",
    )
    return accelerator


def _new_folder(runs: Path, name: str | None, default: str) -> Path:
    """Make the run's folder: the name asked for, which must be free, or the default with the first free number."""
    if name is not None:
        require(
            name == Path(name).name and name not in ("", ".", ".."),
            f"train: name must be a plain folder name; got {name!r}",
        )
        require(
            not (runs / name).exists(),
            f"train: run {name!r} exists; continue it with: ssm-teach resume {name}, or choose another name",
        )
    number = 1
    while True:
        folder = runs / (name or (default if number == 1 else f"{default}-{number}"))
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            number += 1


def _agreed(folder: Path | None, accelerator) -> Path:
    """The folder that the first process made, in every process."""
    from accelerate.utils import broadcast_object_list

    return broadcast_object_list([folder])[0] if accelerator.num_processes > 1 else folder


def _read_start(folder: Path) -> dict:
    """What was written down when the run began: its settings, and where it comes from."""
    start = read_json(folder / "settings.json")
    require(isinstance(start, dict) and "settings" in start, f"resume: {folder / 'settings.json'} holds no settings")
    return start


def _read_settings(folder: Path) -> Settings:
    return Settings.from_dict(_read_start(folder)["settings"])


def _keep_metrics_up_to(step: int, path: Path) -> None:
    """Drop the lines of steps that will be done again, and a last line that was cut short."""
    whole = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    try:
        kept = [line for line in whole if line.endswith(b"\n") and json.loads(line)["step"] <= step]
    except (ValueError, KeyError) as error:
        raise UserError(f"resume: {path} is damaged ({error}); start the run anew under another name") from None
    if kept != whole:
        write_atomically(path, b"".join(kept))


def _stream(seed: int, what: str, number: int) -> int:
    """A seed for one purpose at one moment, so that no random number depends on how many were drawn before."""
    return int.from_bytes(hashlib.sha256(f"{seed} {what} {number}".encode()).digest()[:7])


def score(answers, targets, variance: float | None = None) -> dict:
    """Sum of the losses, sum of the credits and number of answers, over whatever is scored.

    Classes: the loss is the cross entropy, a right answer's credit is 1, and the mean credit the accuracy. Real
    targets: the loss is the squared error, the credit 1 − that ÷ the ``variance`` of the split's targets, its mean R².
    """
    if variance is not None:
        errors = (answers.float()[..., 0] - targets).square()
        credit = errors.numel() - errors.detach().sum() / variance
        return {"loss": errors.sum(), "credit": credit, "count": torch.tensor(errors.numel())}
    loss = F.cross_entropy(answers.float().flatten(0, -2), targets.flatten(), ignore_index=NOT_SCORED, reduction="sum")
    scored = targets != NOT_SCORED
    return {"loss": loss, "credit": (answers.argmax(-1) == targets)[scored].sum(), "count": scored.sum()}


def _no_sums() -> dict:
    return dict.fromkeys(SUMS, 0.0)


def _add(sums: dict, more: dict) -> dict:
    return {key: sums[key] + more[key] for key in sums}
