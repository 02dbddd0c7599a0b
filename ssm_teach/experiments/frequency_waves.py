"""What α and β do to a trained S4D that has to tell how loud a slow, a medium and a fast wave are.

Each sequence is the sum of three cosines of fixed frequencies, with random amplitudes A in (0, 1), random phases, and
white noise of random strength, so that the total power gives nothing away. The model, one S4D block of the package
(`SequenceModel`), answers with the three amplitudes. Every channel has the same Δ, so that with α = 1 its modes reach
the first two waves and not the third.

The error of a wave is the mean square error on new sequences over the variance of A: 1 is what the best constant gets.
The task is that of A. Yu et al. 2025, "Tuning Frequency Bias of State Space Models", with settings of our own.
"""

import itertools
import math
from collections.abc import Sequence

import torch
from torch.nn import functional as F

from ssm_teach.model import SequenceModel, parameter_groups
from ssm_teach.training import schedule

__all__ = ["run", "train", "waves"]


def waves(
    count: int, length: int, frequencies: Sequence[float], noise: float, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Sequences u (count, length, 1) and the amplitudes in them (count, waves); frequencies in radians a sample."""
    shape = (count, len(frequencies))
    amplitudes = torch.rand(shape, generator=generator)
    phases = 2 * math.pi * torch.rand(shape, generator=generator)
    turns = torch.tensor(frequencies)[:, None] * torch.arange(length)
    u = (amplitudes[..., None] * torch.cos(turns + phases[..., None])).sum(1)
    strength = noise * torch.rand(count, 1, generator=generator)
    return (u + strength * torch.randn(count, length, generator=generator))[..., None], amplitudes


def run(
    alphas: Sequence[float] = (0.1, 0.3, 1.0, 3.0),
    betas: Sequence[float] = (0.0, 1.0, 4.0),
    seeds: Sequence[int] = (0, 1),
    frequencies: Sequence[float] = (0.1, 0.6, 2.4),
    length: int = 256,
    noise: float = 0.7,
    d_model: int = 16,
    N: int = 16,
    dt: float = 0.02,
    steps: int = 500,
    batch_size: int = 32,
) -> dict:
    """Train one model for every α, β and seed: ``{"runs": [{"alpha", "beta", "seed", "errors"}, ...], ...}``."""
    sizes = {"frequencies": frequencies, "length": length, "noise": noise, "d_model": d_model, "N": N, "dt": dt}
    runs = []
    for alpha, beta, seed in itertools.product(alphas, betas, seeds):
        model = train(alpha, beta, seed, **sizes, steps=steps, batch_size=batch_size)
        u, amplitudes = waves(1000, length, frequencies, noise, torch.Generator().manual_seed(2**31))
        with torch.no_grad():
            errors = (model(u) - amplitudes).square().mean(0) / amplitudes.var(0)
        runs.append({"alpha": alpha, "beta": beta, "seed": seed, "errors": [round(e, 4) for e in errors.tolist()]})
    return {
        "runs": runs,
        "fastest_mode": math.pi * (N - 1) * dt,
        "parameters": sum(p.numel() for p in model.parameters()),
    }


def train(
    alpha: float,
    beta: float,
    seed: int,
    *,
    frequencies: Sequence[float],
    length: int,
    noise: float,
    d_model: int,
    N: int,
    dt: float,
    steps: int,
    batch_size: int,
) -> SequenceModel:
    """The trained model, in evaluation mode. Sequences are made as they are needed, so none is seen twice."""
    torch.manual_seed(seed)
    options = {"frequency_scale": alpha, "frequency_weight": beta, "dt_min": dt, "dt_max": dt}
    model = SequenceModel(d_input=1, d_output=len(frequencies), d_model=d_model, n_layers=1, N=N, **options)
    optimizer = torch.optim.AdamW(parameter_groups(model, lr=1e-2, weight_decay=0.0, ssm_lr=1e-3))
    peaks = [group["lr"] for group in optimizer.param_groups]
    generator = torch.Generator().manual_seed(seed)
    for step in range(steps):
        u, amplitudes = waves(batch_size, length, frequencies, noise, generator)
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * schedule(step, steps, warmup=0.1)
        optimizer.zero_grad()
        F.mse_loss(model(u), amplitudes).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model.eval()
