"""Everything that determines a training run, in one value that can be written down and read back."""

import math
import shlex
from dataclasses import dataclass, field, fields

from .errors import choose, require

__all__ = ["DEVICES", "PRECISIONS", "Settings"]

DEVICES = ("auto", "cpu", "gpu")
PRECISIONS = ("full", "bf16")


@dataclass(frozen=True)
class Settings:
    """The settings of a run. The defaults suit a laptop and the digits.

    >>> Settings(epochs=3, layer_options={"init": "inv"}).command()
    'ssm-teach train image --layer-option init=inv --epochs 3'
    """

    task: str = "image"
    task_options: dict = field(default_factory=dict)  # see the task's `load`
    layer: str = "s4d"
    layer_options: dict = field(default_factory=dict)  # see the layer
    block: str = "simple"  # see `ssm_teach.model.BLOCKS`
    bidirectional: bool = True
    d_model: int = 64
    n_layers: int = 2
    N: int = 16
    dropout: float = 0.1
    prenorm: bool = False
    epochs: int = 20
    batch_size: int = 32
    lr: float = 1e-2
    ssm_lr: float = 1e-3
    weight_decay: float = 0.01
    warmup: float = 0.1  # share of all steps
    clip: float = 1.0  # largest norm of the gradient
    seed: int = 0
    device: str = "auto"
    precision: str = "full"
    checkpoint_every: int = 200  # steps; also the end of each epoch

    def __post_init__(self):
        choose("train", "device", self.device, DEVICES)
        choose("train", "precision", self.precision, PRECISIONS)
        for name in ("epochs", "batch_size", "checkpoint_every"):
            n = getattr(self, name)
            require(isinstance(n, int) and n >= 1, f"train: {name} must be a whole number, at least 1; got {n!r}")
        for name in ("lr", "ssm_lr", "clip"):
            x = getattr(self, name)
            require(0 < x < math.inf, f"train: {name} must be a positive number; got {x!r}")
        require(0 <= self.weight_decay < math.inf, f"train: weight_decay must be at least 0; got {self.weight_decay!r}")
        require(0 <= self.warmup < 1, f"train: warmup is a share of all steps, 0 ≤ warmup < 1; got {self.warmup!r}")
        require(
            isinstance(self.seed, int) and self.seed >= 0,
            f"train: seed must be a whole number, at least 0; got {self.seed!r}",
        )

    @classmethod
    def from_dict(cls, given: dict) -> "Settings":
        """The inverse of `dataclasses.asdict`; an unknown name is a `UserError`."""
        for name in given:
            choose("train", "setting", name, [f.name for f in fields(cls)])
        return cls(**given)

    def command(self) -> str:
        """The command line that makes this run again: the task, and every setting that is not the default."""
        words = ["ssm-teach", "train", self.task]
        for f in fields(self)[1:]:
            value = getattr(self, f.name)
            if isinstance(value, dict):
                options = {key: item for key, item in value.items() if item is not None}
                for key, item in options.items():
                    flag = f"--{f.name.removesuffix('s').replace('_', '-')}"
                    words += [flag, f"{key}={item}"]
            elif f.name == "bidirectional":
                words += [] if value else ["--causal"]
            elif value != f.default:
                flag = "-N" if f.name == "N" else f"--{f.name.replace('_', '-')}"
                words += [flag] if value is True else [flag, str(value)]
        return shlex.join(words)
