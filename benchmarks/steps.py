"""S4D's convolution by its paths; whole training steps beside other people's; and how time grows with the length.

Everything is forward and backward. Results come with one thread in CPU time, which a busy machine leaves alone, and
with two threads in wall time.
"""

import importlib.util
import math
import os
import time
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.harness import compare, pin
from benchmarks.selective import _slope
from benchmarks.streaming import CachedAttention
from ssm_teach.blocks import MambaBlock, SimpleBlock
from ssm_teach.kernels import vandermonde_kernel_direct
from ssm_teach.layers import S4D, S6
from ssm_teach.ops import diagonal_conv, fft_conv, vandermonde

CLOCKS = {1: time.process_time, 2: time.perf_counter}
TOLERANCE = 2e-4


# The convolution


def s4d_convolution() -> dict[str, dict]:
    """y = K ∗ u and the gradients of u, log Ā and w: four ways, and the plain one that most public code takes."""
    rows = {}
    for threads, clock in CLOCKS.items():
        pin(min(threads, os.cpu_count()))
        for shape in ((8, 1024, 128, 16), (16, 1024, 128, 32), (4, 4096, 128, 32), (1, 16384, 64, 32)):
            u, log_A_bar, weights, g = _modes(*shape)

            def run(function, inputs=(u, log_A_bar, weights), g=g):
                inputs = [value.detach().requires_grad_() for value in inputs]
                y = function(*inputs)
                y.backward(g)
                return y, *(value.grad for value in inputs)

            contestants = {
                "recurrence": diagonal_conv,
                "chunks": lambda u, a, w: diagonal_conv(u, a, w, chunk=64),
                "fft": lambda u, a, w: fft_conv(u, vandermonde(a, w, u.shape[1])),
                "plain": _plain_convolution,
            }
            runs = {name: lambda function=function, run=run: run(function) for name, function in contestants.items()}

            def timed(*names, runs=runs, clock=clock):
                chosen = {name: runs[name] for name in names}
                return compare(chosen, TOLERANCE, rounds=5, read=lambda _, result: _real(result), clock=clock)

            # The plain one gives back so much memory that whoever comes next waits for new pages.
            row = timed("recurrence", "chunks", "fft")
            rows[f"{'x'.join(map(str, shape))} {threads}T"] = row | {"plain": timed("recurrence", "plain")["plain"]}
    return rows


def _modes(b, L, d, N):
    torch.manual_seed(0)
    dt = torch.rand(d, 1) * 0.1 + 1e-3
    log_A_bar = dt * torch.complex(torch.full((d, N), -0.5), torch.pi * torch.arange(N).expand(d, N).float())
    return torch.randn(b, L, d), log_A_bar, torch.randn(d, N, dtype=torch.complex64), torch.randn(b, L, d)


def _real(values):
    return tuple(torch.view_as_real(value) if value.is_complex() else value for value in values)


def _plain_convolution(u, log_A_bar, weights):
    return _plain_fft(u.mT, vandermonde_kernel_direct(log_A_bar, weights, u.shape[1])).mT


def _plain_fft(u, K):
    """u (b, d, L), K (d, L); autograd has its own way back."""
    L = u.shape[-1]
    return torch.fft.irfft(torch.fft.rfft(u, 2 * L) * torch.fft.rfft(K, 2 * L), 2 * L)[..., :L]


# Training steps


class PlainS4DBlock(nn.Module):
    """S4D's block as it is usually written: channels before time, all N·L exponentials, a convolution of width 1."""

    def __init__(self, like: SimpleBlock):
        super().__init__()
        layer = like.layer
        for name in ("log_dt", "log_neg_real", "imag", "C", "D"):
            self.register_parameter(name, nn.Parameter(getattr(layer, name).detach().clone()))
        self.mix = nn.Conv1d(layer.d, 2 * layer.d, 1)
        self.mix.weight.data.copy_(like.mix.weight[..., None])
        self.mix.bias.data.copy_(like.mix.bias)
        self.norm = nn.LayerNorm(layer.d)

    def forward(self, x):
        A = torch.complex(-torch.exp(self.log_neg_real), self.imag)
        dtA = torch.exp(self.log_dt)[:, None] * A
        weights = torch.view_as_complex(self.C) * (torch.exp(dtA) - 1) / A
        K = 2 * torch.einsum("dn,dnl->dl", weights, torch.exp(dtA[..., None] * torch.arange(x.shape[-1]))).real
        y = F.gelu(_plain_fft(x, K) + self.D[:, None] * x)
        x = x + F.glu(self.mix(y), dim=-2)
        return self.norm(x.mT).mT


class PlainS4D(nn.Sequential):
    def forward(self, x):
        return super().forward(x.mT).mT


def training_steps() -> dict[str, dict]:
    """Forward, backward and AdamW of four blocks; the results are ∂x of the first step, through everything."""
    rows = {}
    for threads, clock in CLOCKS.items():
        pin(min(threads, os.cpu_count()))
        for L, b in ((1024, 16), (4096, 4)):
            torch.manual_seed(0)
            ours = nn.Sequential(*(SimpleBlock(S4D(128, 32), 128) for _ in range(4)))
            plain = PlainS4D(*map(PlainS4DBlock, ours))
            row = _compare_steps({"ours": ours, "plain": plain}, torch.randn(b, L, 128), clock)
            rows[f"s4d L={L} b={b} {threads}T"] = row
        if importlib.util.find_spec("mambapy"):
            torch.manual_seed(0)
            ours = nn.Sequential(*(MambaBlock(S6(128, 16, dt_rank=4), 64) for _ in range(4)))
            row = _compare_steps({"ours": ours, "mambapy": _mambapy(ours)}, torch.randn(8, 1024, 64), clock)
            rows[f"mamba L=1024 b=8 {threads}T"] = row
    return rows


def _mambapy(ours):
    """mambapy's model with our parameters."""
    from mambapy.mamba import Mamba, MambaConfig

    model = Mamba(MambaConfig(d_model=64, n_layers=len(ours), d_state=16))
    with torch.no_grad():
        for theirs, block in zip(model.layers, ours, strict=True):
            mixer, layer = theirs.mixer, block.layer
            pairs = (
                (mixer.in_proj.weight, block.expand.weight),
                (mixer.conv1d.weight, block.conv.weight.flip(0).T[:, None]),  # theirs has the oldest weight first
                (mixer.conv1d.bias, block.conv.bias),
                (mixer.x_proj.weight, layer.W_in),
                (mixer.dt_proj.weight, layer.W_dt),
                (mixer.dt_proj.bias, layer.b_dt),
                (mixer.A_log, layer.A_log),
                (mixer.D, layer.D),
                (mixer.out_proj.weight, block.contract.weight),
                (theirs.norm.weight, block.norm.weight),
            )
            for parameter, value in pairs:
                parameter.copy_(value)
    return model


def _compare_steps(models, x, clock):
    g = torch.randn_like(x)
    steps = {name: _step(model, x, g) for name, model in models.items()}
    return compare(steps, TOLERANCE, rounds=3, clock=clock)


def _step(model, x, g) -> Callable[[], torch.Tensor]:
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def step():
        optimiser.zero_grad()
        inputs = x.detach().requires_grad_()
        model(inputs).backward(g)
        optimiser.step()
        return inputs.grad

    return step


# Against attention


def against_attention() -> dict[str, dict]:
    """One S6 layer and one of causal attention with 64 channels; they compute different things, so each is checked.

    No more channels: an array above 32 MiB gets fresh memory from the C library at every call, which costs S6
    a quarter more. With 128 channels that happens at L = 65,536 and not before, and bends the slope.

    ``exponent`` is the slope of log time against log length, over all lengths a layer was timed at.
    """
    rows = {}
    for threads, clock in CLOCKS.items():
        pin(min(threads, os.cpu_count()))
        torch.manual_seed(0)
        layers = {"s6": S6(64, 16), "attention": CachedAttention(64, heads=2, room=64)}
        for name, layer in layers.items():
            _check_steps(name, layer)
        times = {name: {} for name in layers}
        for L in (4096, 8192, 16384, 32768, 65536):
            chosen = layers if L in (4096, 16384) else {"s6": layers["s6"]}
            u, g = torch.randn(1, L, 64), torch.randn(1, L, 64)
            runs = {name: lambda layer=layer, u=u, g=g: _both(layer, u, g) for name, layer in chosen.items()}
            row = compare(runs, math.inf, rounds=3 if len(chosen) > 1 else 7, clock=clock)
            for name, measured in row.items():
                del measured["difference"]
                times[name][L] = measured["median_ms"]
            rows[f"L={L} {threads}T"] = row
        for name, last in (("s6", 65536), ("attention", 16384)):
            rows[f"L={last} {threads}T"][name]["exponent"] = _slope(times[name])
    return rows


def _both(layer, u, g):
    u = u.detach().requires_grad_()
    layer.zero_grad()
    layer(u).backward(g)
    return u.grad


def _check_steps(name, layer, L=50):
    """A layer one position after the other is the layer as a whole."""
    u, state, y = torch.randn(1, L, layer.d), layer.initial_state(1), []
    with torch.no_grad():
        for u_k in u.unbind(1):
            y_k, state = layer.step(u_k, state)
            y.append(y_k)
        whole = layer(u)
    difference = float((torch.stack(y, 1) - whole).abs().max() / whole.abs().max())
    if not difference <= TOLERANCE:
        raise RuntimeError(f"{name}: its steps differ from its parallel form by {difference:.1e}: not timed")
