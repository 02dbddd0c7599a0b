"""Pathfinder: are the two white discs the ends of the same dashed line? Read one pixel at a time; at 128 × 128, Path-X.

`load` generates its pictures, or reads those of Long Range Arena from ``folder``. The generator follows the published
description (`_snakes`) and departs from it in three ways. Paddles keep their distance exactly, where the original
compares masks of pixels. A snake that is shut in takes a few paddles back, where the original begins again with both.
A distractor gets 15 more tries for a place instead of 4; where all fail it is left out, at 32 × 32 about every second.

Sources: D. Linsley et al. 2018, "Learning long-range spatial dependencies with horizontal gated recurrent units" (the
challenge); Y. Tay et al. 2021, "Long Range Arena" (as a sequence, 32 × 32 and 128 × 128, 14 paddles a snake).
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from ssm_teach import data
from ssm_teach.errors import UserError, choose, require

from . import Split, Task
from ._pathfinder_baselines import distance_of_discs, surroundings_of_discs
from ._pathfinder_files import read_folder
from ._snakes import Shape, grow_scene, render
from ._store import generated
from ._tokens import require_whole

__all__ = ["DIFFICULTIES", "SHAPES", "Scene", "draw_scene", "generate", "load"]

READINGS = ("numerical", "categorical")
DIFFICULTIES = {"easy": 6, "intermediate": 9, "hard": 14}  # paddles of a long snake
OFFICIAL_EXAMPLES = 160_000  # for training
# Size → the data set of `ssm_teach.data` that holds the released pictures, and their folder in it.
OFFICIAL = {
    32: ("lra-pathfinder", "pathfinder32/curv_contour_length_14"),
    128: ("lra-pathx", "pathfinder128/curv_contour_length_14"),
}
VERSION = 1  # of the generator: raise it when the same seed gives other pictures
MOST_SEED = 2**30  # RandomState takes 32 bits, and each split has a seed of its own
MOST_DRAWS = 1 << 15  # for one picture; no setting of the table comes near


@dataclass(frozen=True)
class _Size:
    shape: Shape  # its numbers of paddles and distractors are filled in by `_shape`
    margins: tuple[float, ...]  # of which one is drawn for a picture
    distractor_paddles: int  # of all distractors together
    full_epochs: int


# At 32 the contrast is that of a snake, 2, times that of its paddles, 0.75.
SHAPES = {
    32: _Size(Shape(32, 7.0, 1.5, 2.0, 0.5, 1.0, 2 * 0.75), (1.0,), 22, 200),
    64: _Size(Shape(64, 12.0, 2.5, 5.0, 1.0, 1.8, 0.8), (1.0,), 22, 200),
    128: _Size(Shape(128, 20.0, 3.0, 5.0, 1.5, 1.8, 0.9), (2.0, 3.0), 35, 50),
}


@dataclass(frozen=True)
class Scene:
    """One picture and what it is a picture of; points are (y, x) in pixels."""

    picture: np.ndarray  # (size, size) uint8
    label: int  # 1: the discs are the two ends of one snake
    snakes: list[np.ndarray]  # (paddles, 4) each: y0, x0, y1, x1; the two long ones first
    markers: np.ndarray  # (2, 2), the middles of the discs
    margin: float  # empty pixels at either end of a paddle, so that the gap in a snake is two


def load(
    size: int = 32,
    difficulty: str | int = "hard",
    reading: str = "numerical",
    examples: int = 16_000,
    held_out: int = 2_000,
    seed: int = 0,
    folder: str | None = None,
) -> Task:
    """Pathfinder as a task. Pictures are made once, in worker processes, and stay in the cache.

    Args:
        size: 32, 64 or 128 pixels: a sequence of 1024, 4096 or 16384. 128 is Path-X.
        difficulty: easy, intermediate or hard (6, 9 or 14 paddles a long snake), or that number itself.
        reading: ``numerical``, one number from −1 to 1 a pixel, or ``categorical``, one of 256 symbols.
        examples: Training pictures; the official task has 160,000.
        held_out: Pictures for validation, and as many for the test; the official task has 20,000.
        seed: Of the generator.
        folder: Read the official pictures from here instead: the folder that holds ``imgs`` and ``metadata``, or
            ``"official"`` for what ``ssm-teach data get`` fetched. They are shuffled once and split 80/10/10;
            ``examples`` and ``held_out`` are then the most that are used of them.
    Raises: UserError: for an option outside these bounds, a setting in which no picture can be drawn, a file that is
    not what it should be.
    """
    choose("tasks.load", "reading", reading, READINGS)
    require_whole(
        "pathfinder", {"examples": 1, "held_out": 1, "seed": 0}, examples=examples, held_out=held_out, seed=seed
    )
    require(seed <= MOST_SEED, f"tasks.load: seed of pathfinder must be at most {MOST_SEED}; got {seed}")
    shape, _ = _shape(size, difficulty)
    if folder is None:
        parts = [_part(k, n, seed, size, difficulty) for k, n in enumerate((examples, held_out, held_out))]
    else:
        parts = read_folder(_released(size) if folder == "official" else folder, size, (examples, held_out, held_out))
    encode = _symbols if reading == "categorical" else _centred
    splits = [Split(torch.from_numpy(part["raw"]), torch.from_numpy(part["targets"]), encode) for part in parts]
    return Task(
        "pathfinder",
        {
            "size": size,
            "difficulty": difficulty,
            "reading": reading,
            "examples": examples,
            "held_out": held_out,
            "seed": seed,
            "folder": folder,
        },
        *splits,
        length=size * size,
        n_classes=2,
        full_epochs=SHAPES[size].full_epochs,
        measure_weak=distance_of_discs,
        measure_strong=surroundings_of_discs,
        d_input=None if reading == "categorical" else 1,
        vocab=256 if reading == "categorical" else None,
        limited=len(splits[0]) < OFFICIAL_EXAMPLES or shape.paddles < DIFFICULTIES["hard"],
    )


def generate(
    n: int, seed: int, size: int = 32, difficulty: str | int = "hard", first: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Pictures ``first`` to ``first + n`` of a seed and their labels: (n, size²) and (n,), uint8.

    >>> pictures, labels = generate(2, seed=0)
    >>> pictures.shape, pictures.max(), labels
    ((2, 1024), np.uint8(255), array([0, 0], dtype=uint8))
    """
    scenes = [draw_scene(seed, k, size, difficulty) for k in range(first, first + n)]
    pictures = np.stack([scene.picture.ravel() for scene in scenes])
    return pictures, np.array([scene.label for scene in scenes], np.uint8)


def draw_scene(seed: int, index: int, size: int = 32, difficulty: str | int = "hard") -> Scene:
    """Draw picture ``index`` of a seed. It depends on nothing else, so pictures can be made in any order.

    >>> scene = draw_scene(seed=0, index=0)
    >>> scene.picture.shape, [len(snake) for snake in scene.snakes[:2]]
    ((32, 32), [14, 14])
    """
    shape, margins = _shape(size, difficulty)
    n = 4096
    while True:
        # More draws of the same stream begin with the same numbers. RandomState's streams are frozen for ever.
        draws = np.random.RandomState([seed, index]).random_sample(n)
        label, paddles, counts, markers, margin = grow_scene(shape, margins, shape.weights, draws)
        if label >= 0:
            break
        n *= 2
        if n > MOST_DRAWS:
            raise UserError(
                f"tasks.load: two snakes of {shape.paddles} paddles hardly ever fit into a Pathfinder picture of "
                f"{size} × {size}; choose a smaller difficulty ({', '.join(DIFFICULTIES)}) or a larger size"
            )
    snakes = [snake[:count] for snake, count in zip(paddles, counts, strict=True) if count]
    return Scene(render(paddles, counts, markers, shape), label, snakes, markers, margin)


def _shape(size: int, difficulty: str | int) -> tuple[Shape, np.ndarray]:
    require(
        isinstance(size, int) and size in SHAPES,
        f"tasks.load: size of pathfinder must be one of {', '.join(map(str, SHAPES))}; got {size!r}",
    )
    if isinstance(difficulty, str):
        paddles = DIFFICULTIES[choose("tasks.load", "difficulty", difficulty, DIFFICULTIES)]
    else:
        require_whole("pathfinder", {"difficulty": 3}, difficulty=difficulty)
        paddles = difficulty
    short = paddles // 3
    found = SHAPES[size]
    shape = found.shape._replace(
        paddles=paddles, distractors=found.distractor_paddles // short, distractor_paddles=short
    )
    return shape, np.array(found.margins)


def _released(size: int) -> str:
    require(size in OFFICIAL, f"tasks.load: no official Pathfinder pictures are {size} × {size}; choose 32 or 128")
    name, inside = OFFICIAL[size]
    return str(data.folder(name) / inside)


def _part(k: int, n: int, seed: int, size: int, difficulty: str | int) -> dict[str, np.ndarray]:
    """Split k: train, validation, test. Each has a seed of its own, so more training leaves the others as they are."""
    make = partial(_block, seed=3 * seed + k, size=size, difficulty=difficulty)
    settings = {"seed": seed, "split": k, "size": size, "difficulty": difficulty, "version": VERSION}
    return generated(f"pathfinder{size}", settings, n, make)


def _block(start: int, stop: int, seed: int, size: int, difficulty: str | int) -> dict[str, np.ndarray]:
    pictures, labels = generate(stop - start, seed, size, difficulty, first=start)
    return {"raw": pictures, "targets": labels}


def _symbols(raw: torch.Tensor) -> torch.Tensor:
    return raw.long()


def _centred(raw: torch.Tensor) -> torch.Tensor:
    return (raw[..., None] / 255 - 0.5) / 0.5
