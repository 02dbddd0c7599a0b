"""Checkpoints: safetensors and JSON, written whole or not at all, and read back only if every byte is as it was.

A checkpoint is a folder ``step-00001200`` with ``weights.safetensors``, ``optimizer.safetensors`` and
``progress.json``, which holds the counters and the SHA-256 of the other two. The newest two are kept, so a damaged one
has a predecessor.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from safetensors.torch import save as save_tensors

from .errors import UserError, require
from .files import new_directory, read_json, sha256, write_atomically, write_json

__all__ = ["Checkpoint", "latest", "newest_step", "restore_optimizer", "save"]

KEPT = 2
TENSORS = ("weights", "optimizer")


@dataclass(frozen=True)
class Checkpoint:
    """What a run needs to go on as if it had never stopped."""

    weights: dict[str, torch.Tensor]
    optimizer: dict[str, torch.Tensor]  # "3.exp_avg": the state of parameter 3, counted through the groups
    progress: dict  # counters and running sums; ``progress["step"]`` names the checkpoint


def save(folder: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, progress: dict) -> None:
    """Write the checkpoint of ``progress["step"]`` into ``folder`` in one step, then drop all but the newest two."""
    state = optimizer.state_dict()["state"]
    tensors = {
        "weights": model.state_dict(),
        "optimizer": {f"{i}.{name}": value for i, entry in state.items() for name, value in entry.items()},
    }
    for stray in folder.glob(".*.part"):  # a kill in the middle of writing left it
        shutil.rmtree(stray)
    with new_directory(folder / f"step-{progress['step']:08d}") as new:
        for name in TENSORS:
            contiguous = {key: value.detach().cpu().contiguous() for key, value in tensors[name].items()}
            write_atomically(new / f"{name}.safetensors", save_tensors(contiguous))
        hashes = {name: sha256(new / f"{name}.safetensors") for name in TENSORS}
        write_json(new / "progress.json", {**progress, "sha256": hashes})
    for old in _newest_first(folder)[KEPT:]:
        shutil.rmtree(old)


def latest(folder: Path, say: Callable[[str], None] = lambda message: None) -> Checkpoint:
    """Read the newest undamaged checkpoint; ``say`` is told of every damaged one that was passed over.

    Raises: UserError: if there is none.
    """
    damages = []
    for path in _newest_first(folder):
        try:
            return _read(path)
        except (OSError, KeyError, UserError) as error:
            damages.append(f"{path.name}: {error}")
            say(f"{path.name} is damaged and is passed over ({error})")
    why = f"every checkpoint is damaged ({'; '.join(damages)})" if damages else "there is no checkpoint"
    raise UserError(f"resume: {why} in {folder}; start the run anew under another name")


def newest_step(folder: Path) -> int | None:
    """The step of the newest checkpoint, damaged or not; None if there is none."""
    return max((int(path.name.removeprefix("step-")) for path in folder.glob("step-*")), default=None)


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    """Give the optimiser back the state that `save` took from it."""
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"), reverse=True)


def _read(path: Path) -> Checkpoint:
    progress = read_json(path / "progress.json")
    for name, expected in progress.pop("sha256").items():
        actual = sha256(path / f"{name}.safetensors")
        require(actual == expected, f"{name}.safetensors has sha256 {actual[:12]}…, expected {expected[:12]}…")
    return Checkpoint(*(load_file(path / f"{name}.safetensors") for name in TENSORS), progress)
