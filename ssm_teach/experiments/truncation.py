"""How many states does a trained S4D need? Reduce it to k states a channel, for every k, and test it again.

A small causal model learns the digits, read a pixel at a time. Then all of its layers are reduced by
`ssm_teach.layers.reduce`, without any training afterwards, and for comparison k states a channel are kept in three ways
that do not balance: the modes with the largest weight |C B̄|, the slowest ones (the largest |Ā|), and those with the
largest gain |C B̄| / (1 − |Ā|).
"""

import copy
import tempfile
from pathlib import Path

import numpy as np
import torch

from ssm_teach.hankel import epsilon_rank, hankel_singular_values
from ssm_teach.layers.reduce import channel_systems, reduce
from ssm_teach.settings import Settings
from ssm_teach.training import build_model, load_model, train

__all__ = ["IMPORTANCE", "gains", "keep_modes", "reduced_model", "run"]


def run(
    seeds=(0, 1),
    init: str = "lin",
    d_model: int = 32,
    N: int = 16,
    n_layers: int = 2,
    epochs: int = 16,
    states=None,
    task_options=None,
) -> dict:
    """Train, reduce, test.

    Args:
        seeds: One model each.
        init, d_model, N, n_layers, epochs: Of the model; the rest is as in `Settings`, forwards only.
        states: The k to try; all there are if left out: 2N, or N for the init "real".
        task_options: Of the task "image"; the digits if left out.

    Returns ``{"seeds": {seed: …}}``, and for each seed

    - "accuracy": of the full model on the test split, "states": all there are in a channel;
    - "layers": for each layer, before training and after it, medians over channels of σ_i/σ_1 and of the ε-rank at
      0.01; and "gain", the largest gain of a channel of the full layer, to compare the promises with;
    - "reduced": for each k, "accuracy"; "changed", the share of test answers that are not those of the full model;
      "promised" and "measured", for each layer the largest bound and the largest gain of the difference, over channels;
      "tightest", the largest measured/promised; "used", the largest ‖Δy‖ / (promised ‖u‖) over the test examples, u
      being what the layer receives in the full model;
    - "kept": the accuracy for each k and each of `IMPORTANCE`.
    """
    runs = {}
    for seed in seeds:
        settings = Settings(
            seed=seed,
            task_options=dict(task_options or {}),
            layer_options={"init": init},
            d_model=d_model,
            N=N,
            n_layers=n_layers,
            epochs=epochs,
            bidirectional=False,
            device="cpu",
        )
        runs[str(seed)] = _one_seed(settings, states)
    return {"seeds": runs}


def _one_seed(settings, states):
    with tempfile.TemporaryDirectory() as folder:
        train(settings, "model", runs=Path(folder), quiet=True)
        model, task = load_model("model", runs=Path(folder))
    inputs, targets, _ = task.test[torch.arange(len(task.test))]
    full, total = _answers(model, inputs), len(channel_systems(model.blocks[0].layer)[0].A)
    states = range(1, total + 1) if states is None else states
    seen = _layer_inputs(model, inputs)
    accuracy = {
        importance: {str(k): _share(_answers(keep_modes(model, k, importance), inputs) == targets) for k in states}
        for importance in IMPORTANCE
    }
    return {
        "accuracy": _share(full == targets),
        "states": total,
        "layers": [
            {"before": _spectrum(before.layer), "after": _spectrum(after.layer), "gain": _gain(after.layer)}
            for before, after in zip(build_model(settings, task).blocks, model.blocks, strict=True)
        ],
        "reduced": {str(k): _reduced(model, k, inputs, targets, full, seen) for k in states},
        "kept": accuracy,
    }


def reduced_model(model, k):
    """A copy of the model with k states in every channel of every layer, and the `Reduction` of each layer, in float64.

    In the model the new layers have its dtype. In float32 their weights are rounded, and a promise can be smaller than
    what that alone changes.
    """
    reductions = [reduce(copy.deepcopy(block.layer).double(), k) for block in model.blocks]
    smaller = copy.deepcopy(model)
    for block, reduction in zip(smaller.blocks, reductions, strict=True):
        block.layer = copy.deepcopy(reduction.layer).to(block.layer.D.dtype)
    return smaller, reductions


IMPORTANCE = {
    "weight": lambda pole, weight: abs(weight),
    "slowness": lambda pole, weight: abs(pole),
    "gain": lambda pole, weight: abs(weight) / (1 - abs(pole)),
}


def keep_modes(model, k: int, importance: str):
    """A copy of the model in which every channel keeps its most important modes, of k states, and C = 0 for the others.

    A conjugate pair is two states, so of an odd k one is not used.
    """
    smaller = copy.deepcopy(model)
    with torch.no_grad():
        for block in smaller.blocks:
            layer = block.layer
            A_bar, B_bar = layer.discretize()
            C = torch.view_as_complex(layer.C) if layer.is_complex else layer.C
            rank = IMPORTANCE[importance](A_bar, B_bar * C).argsort(-1, descending=True).argsort(-1)  # (d, N)
            kept = rank < (k // 2 if layer.is_complex else k)
            layer.C.mul_(kept[..., None] if layer.is_complex else kept)
    return smaller


def gains(truncation, points: int = 256) -> np.ndarray:
    """|G − G_k| on a grid of frequencies and at the angles of the poles of G, (points + N,): the largest, nearly.

    `Truncation.error` is exact, and takes a hundred times as long; this is never above it.
    """
    full = truncation.original
    omega = np.concatenate([np.linspace(0, np.pi, points), abs(np.angle(full.poles))])
    difference = full.frequency_response(omega) - truncation.system.frequency_response(omega)
    return abs(difference)


def _reduced(model, k, inputs, targets, full, seen):
    smaller, reductions = reduced_model(model, k)
    answers = _answers(smaller, inputs)
    measured = [np.array([gains(cut).max() for cut in reduction.truncations]) for reduction in reductions]
    promised = [reduction.promised for reduction in reductions]
    used = [
        _used(block.layer, reduction, u) for block, reduction, u in zip(model.blocks, reductions, seen, strict=True)
    ]
    return {
        "accuracy": _share(answers == targets),
        "changed": _share(answers != full),
        "modes": [reduction.layer.N for reduction in reductions],
        "promised": [float(p.max()) for p in promised],
        "measured": [float(m.max()) for m in measured],
        "tightest": [_largest_ratio(m, p) for m, p in zip(measured, promised, strict=True)],
        "used": used,
    }


def _used(layer, reduction, u):
    """The largest ‖Δy‖ / (promised ‖u‖) over examples and channels, in float64."""
    with torch.no_grad():
        change = copy.deepcopy(layer).double()(u) - reduction.layer(u)
    ratio = change.norm(dim=1) / u.norm(dim=1)  # (b, d)
    return _largest_ratio(ratio.amax(0).numpy(), reduction.promised)


def _largest_ratio(measured, promised):
    """None where nothing was left out that is more than rounding."""
    counts = promised > 1e-9 * max(promised.max(), 1)
    return float((measured[counts] / promised[counts]).max()) if counts.any() else None


def _spectrum(layer):
    values = [hankel_singular_values(system) for system in channel_systems(layer)]
    ranks = [epsilon_rank(sigma, 0.01) for sigma in values]
    ratios = np.median([sigma / sigma[0] for sigma in values], 0)
    return {"ratios": [float(f"{ratio:.4g}") for ratio in ratios], "median_rank": float(np.median(ranks))}


def _gain(layer):
    omega = np.linspace(0, np.pi, 1024)
    return float(max(abs(system.frequency_response(omega)).max() for system in channel_systems(layer)))


def _answers(model, inputs):
    with torch.no_grad():
        return model(inputs).argmax(-1)


def _layer_inputs(model, inputs):
    """What each layer receives, (b, L, d), float64."""
    seen, hooks = [], []
    for block in model.blocks:
        hooks.append(block.layer.register_forward_pre_hook(lambda layer, u: seen.append(u[0].double())))
    _answers(model, inputs)
    for hook in hooks:
        hook.remove()
    return seen


def _share(which):
    return float(which.double().mean())
