"""Which frequencies of a target a diagonal model finds by gradient descent, against where its modes start.

The target has two resonances, a slow and a fast one, F(is) = Σ_t 1/(1 + i(s − t)). The model is a sum of modes,
G(is) = Σ_n c_n/(is − a_n), with a_n = −exp(r_n) + i y_n, and Adam moves c, r and y. At the start y_n = α π n, the
frequencies of S4D-Lin scaled by α, Re a = −½, and c is normal. The weight w, (1 + s)^β over its mean, enters in one of
three ways:

- ``"loss"``: the mean of |w (G − F)|², a Sobolev norm of the error; the model itself is G;
- ``"layer"``: the mean of |w G − F|²: the model is w G, as a layer that weighs its own output;
- ``"raw layer"``: the same with w = (1 + s)^β, not divided by its mean, which also makes the model louder or softer.

An error is relative, ‖model − F‖/‖F‖ over the grid within ``WINDOW`` of a resonance: 1 is what silence would get.
Source of α and β: A. Yu et al. 2025, "Tuning Frequency Bias of State Space Models". The experiment is our own.
"""

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import torch

from ssm_teach.errors import choose

__all__ = ["PLACES", "WINDOW", "errors", "fit", "response", "run", "target", "weight"]

PLACES = ("loss", "layer", "raw layer")
WINDOW = 4.0  # half-width, in the unit of s, of where the error at a resonance is taken
_TOGETHER = 25  # fits in one batch: their arrays then stay in a core's cache


def target(s: np.ndarray, targets: Sequence[float] = (6.0, 70.0)) -> np.ndarray:
    """F(is) at the real frequencies s: a resonance of height 1 and half-width 1 at each of ``targets``."""
    return sum(1 / (1 + 1j * (s - t)) for t in targets)


def weight(s: np.ndarray, beta: float) -> np.ndarray:
    """(1 + |s|)^β.

    >>> weight(np.array([0.0, 3.0]), 0.5)
    array([1., 2.])
    """
    return (1 + np.abs(s)) ** beta


def response(a: np.ndarray, c: np.ndarray, s: np.ndarray) -> np.ndarray:
    """G(is) = Σ_n c_n/(is − a_n); a and c are (N,), complex."""
    return (c / (1j * np.asarray(s)[..., None] - a)).sum(-1)


def errors(model: np.ndarray, s: np.ndarray, targets: Sequence[float] = (6.0, 70.0)) -> list[float]:
    """The relative error of ``model`` around each of ``targets``."""
    wanted = target(s, targets)
    near = [np.abs(s - t) <= WINDOW for t in targets]
    return [float(np.linalg.norm((model - wanted)[w]) / np.linalg.norm(wanted[w])) for w in near]


def fit(
    alpha: float = 1.0,
    beta: float = 0.0,
    place: str = "loss",
    seed: int = 0,
    *,
    modes: int = 16,
    targets: Sequence[float] = (6.0, 70.0),
    top: float = 100.0,
    points: int = 301,
    steps: int = 2000,
    lr: float = 0.05,
    watch: Callable[[int, np.ndarray], None] | None = None,
) -> dict:
    """One fit, in a second or two: where its modes end, their weights, and the errors at the resonances.

    Args:
        alpha, beta, place: As above; ``place`` is one of `PLACES`.
        seed: Of the starting c.
        modes, targets: N, and the frequencies of the resonances.
        top, points: The grid, ``points`` frequencies from 0 to ``top``.
        steps, lr: Of Adam. Nothing moves much further than ``steps · lr``.
        watch: Is called before every step with its number and the eigenvalues (N,).
    Returns ``{"alpha", "beta", "place", "seed", "errors", "a", "c"}``, with a and c complex, (N,).
    Raises: UserError: an unknown place.

    >>> fit(alpha=1.0, steps=5)["a"].shape
    (16,)
    """
    grid = np.linspace(0, top, points)
    heard = None if watch is None else lambda step, a: watch(step, a[0])
    return _fits([(alpha, beta, place, seed)], grid, modes, targets, steps, lr, heard)[0]


def run(
    alphas: Sequence[float] = (0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0),
    betas: Sequence[float] = (-1.0, -0.5, 0.0, 0.5, 1.0),
    places: Sequence[str] = PLACES,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    modes: int = 16,
    targets: Sequence[float] = (6.0, 70.0),
    top: float = 100.0,
    points: int = 301,
    steps: int = 2000,
    lr: float = 0.05,
    slow_lr: float = 0.01,
) -> dict:
    """All fits, and once more at ``slow_lr`` with the weight in the loss and the smallest of ``alphas``.

    Returns ``{"fits": [...], "slow_fits": [...]}``, each entry with alpha, beta, place, seed and errors, and for the
    first seed the modes too: "a" and "c" as pairs of real and imaginary part, to five digits.
    """
    grid = np.linspace(0, top, points)
    cases = list(itertools.product(alphas, betas, places, seeds))
    slow = list(itertools.product(alphas[:1], betas, places[:1], seeds))
    every, slower = (
        [
            _plain(one, keep_modes=one["seed"] == seeds[0])
            for first in range(0, len(chosen), _TOGETHER)
            for one in _fits(chosen[first : first + _TOGETHER], grid, modes, targets, steps, rate)
        ]
        for chosen, rate in ((cases, lr), (slow, slow_lr))
    )
    return {"fits": every, "slow_fits": slower}


def _fits(cases, grid, modes, targets, steps, lr, watch=None) -> list[dict]:
    """Many fits at once. The loss is the sum of theirs and Adam works entry by entry, so none notices the others."""
    for _, _, place, _ in cases:
        choose("frequency_fits", "place", place, PLACES)
    y, r, c = _start(cases, modes)
    s, wanted = torch.from_numpy(grid), torch.from_numpy(target(grid, targets))
    weights = torch.stack([torch.from_numpy(_scaled(grid, beta, place)) for _, beta, place, _ in cases])
    in_loss = torch.tensor([place == "loss" for _, _, place, _ in cases])[:, None]
    on_model, on_error = torch.where(in_loss, 1.0, weights), torch.where(in_loss, weights, 1.0)
    optimizer = torch.optim.Adam([y, r, c], lr=lr)
    for step in range(steps):
        a = torch.complex(-torch.exp(r), y)
        if watch is not None:
            watch(step, a.detach().numpy())
        terms = torch.view_as_complex(c)[..., None] / (1j * s - a[..., None])  # (fits, N, points)
        error = on_error * (on_model * terms.sum(-2) - wanted)
        optimizer.zero_grad()
        (error.real**2 + error.imag**2).mean(-1).sum().backward()
        optimizer.step()
    a, c = torch.complex(-torch.exp(r), y).detach().numpy(), torch.view_as_complex(c).detach().numpy()
    return [
        {
            **dict(zip(("alpha", "beta", "place", "seed"), case, strict=True)),
            "errors": errors(scale * response(a_one, c_one, grid), grid, targets),
            "a": a_one,
            "c": c_one,
        }
        for case, scale, a_one, c_one in zip(cases, on_model.numpy(), a, c, strict=True)
    ]


def _scaled(grid, beta, place):
    """The weight as ``place`` uses it, (points,)."""
    w = weight(grid, beta)
    return w if place == "raw layer" else w / w.mean()


def _start(cases, modes):
    """y, r and c before the first step, as leaves, (fits, N), (fits, N) and (fits, N, 2)."""
    alphas = torch.tensor([alpha for alpha, _, _, _ in cases], dtype=torch.float64)
    y = alphas[:, None] * math.pi * torch.arange(modes, dtype=torch.float64)
    draws = [torch.Generator().manual_seed(seed) for _, _, _, seed in cases]
    c = torch.stack([torch.randn(modes, 2, dtype=torch.float64, generator=draw) for draw in draws]) / math.sqrt(modes)
    return [leaf.requires_grad_() for leaf in (y, torch.full_like(y, math.log(0.5)), c)]


def _plain(one: dict, keep_modes: bool) -> dict:
    """A fit as JSON holds it."""
    kept = {key: one[key] for key in ("alpha", "beta", "place", "seed")}
    kept["errors"] = [float(f"{error:.4g}") for error in one["errors"]]
    if keep_modes:
        for key in ("a", "c"):
            kept[key] = [[float(f"{part:.5g}") for part in (z.real, z.imag)] for z in one[key]]
    return kept
