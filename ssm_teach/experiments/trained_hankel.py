"""What training does to the Hankel singular values of a layer: every channel of S4D and HOPE, before and after.

The runs are the recorded ones on noisy digits (`results/noisy-digits-….json`): the same settings and seeds, trained
again, because a record holds no weights. Each layer reads both ways, with one readout a direction, so that a channel is
two systems of one input and one output. All are taken in discrete time, as the layer runs them, with 32 real states.

An ε-rank is the number of σ_i > ε σ_1. Every quantile is over the systems of one trained model.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ssm_teach import training
from ssm_teach.hankel import epsilon_rank, hankel_singular_values
from ssm_teach.layers.reduce import channel_systems
from ssm_teach.lti import StateSpace
from ssm_teach.records import load_record
from ssm_teach.settings import Settings

__all__ = ["RECORDS", "run", "singular_values", "summary"]

RECORDS = ("noisy-digits-s4d-0", "noisy-digits-s4d-1", "noisy-digits-hope-0", "noisy-digits-hope-1")


def run(runs: Sequence[str] = RECORDS, epsilons: Sequence[float] = (1e-1, 1e-2, 1e-4), epochs: int | None = None):
    """Train the recorded runs again, for fewer ``epochs`` if they are given: ``{"runs": [{"record", "layer", …}]}``.

    Each run has the test accuracy, and ``before`` and ``after`` as `summary` gives them.
    """
    results = []
    for name in runs:
        settings = Settings.from_dict(load_record(name)["settings"])
        settings = settings if epochs is None else replace(settings, epochs=epochs)
        with tempfile.TemporaryDirectory() as folder:
            record = training.train(settings, name, runs=Path(folder), quiet=True)
            trained, task = training.load_model(name, runs=Path(folder))
        before, after = (
            summary(singular_values(model), epsilons) for model in (training.build_model(settings, task), trained)
        )
        results.append(
            {
                "record": name,
                "layer": settings.layer,
                "seed": settings.seed,
                "test_accuracy": record["test"]["accuracy"],
                "before": before,
                "after": after,
            }
        )
    return {"runs": results}


def singular_values(model) -> np.ndarray:
    """σ_1 ≥ … ≥ σ_n of every system in the model, (systems, n): block by block, channel by channel, each direction."""
    systems = (sys for block in model.blocks for sys in channel_systems(block.layer))
    single = (StateSpace(sys.A, sys.B, C[None], dt=sys.dt) for sys in systems for C in sys.C)
    return np.array([hankel_singular_values(sys) for sys in single])


def summary(sigma: np.ndarray, epsilons: Sequence[float]) -> dict:
    """What is kept of the singular values (systems, n) of one model.

    - ``ranks``: for each ε, the ε-ranks of all systems, in order;
    - ``ratios``: σ_k/σ_1 for k = 1 … n: the lower quartile, the median and the upper quartile, each (n,);
    - ``largest``: the same quantiles of σ_1.
    """
    quartiles = (0.25, 0.5, 0.75)
    ratios = np.quantile(sigma / sigma[:, :1], quartiles, axis=0)
    return {
        "ranks": {str(eps): [epsilon_rank(s, eps) for s in sigma] for eps in epsilons},
        "ratios": [[float(f"{ratio:.4g}") for ratio in row] for row in ratios],
        "largest": np.quantile(sigma[:, 0], quartiles).round(4).tolist(),
    }
