"""The selective scan, forward and backward, against other people's: time, peak memory, and how time grows with L.

`python -m benchmarks selective-scan` times; peers that are not installed (mambapy, jax) are left out. Before anything
is timed, the outputs and all gradients of all contestants are compared.
"""

import ctypes
import functools
import gc
import importlib.util
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch.nn.functional import softplus

from benchmarks.harness import FOLDER, compare, pin
from ssm_teach.ops import selective_scan as our_scan
from ssm_teach.ops._backends import VARIABLE

SHAPES = ((1, 256, 64, 16), (8, 1024, 128, 16), (1, 16384, 64, 16))  # (b, L, d, N)
SHORT = 256  # the plain loop, whose backward is quadratic in L, and the scan over a tree take part up to here
LENGTHS = [2**k for k in range(12, 17)]
TOLERANCE = 2e-4
MIB = 2**20


class Contestant(NamedTuple):
    """From u, Δ, A, B, C, D and ∂y to y and the gradients of the six; what `both` does is timed."""

    both: Callable
    prepare: Callable = lambda tensor: tensor
    read: Callable = lambda tensor: tensor


def selective_scan() -> dict[str, dict]:
    """Three shapes with one thread and with two, peak memory with two; then time against L, with one thread.

    One thread is timed by its CPU time, two by the clock on the wall.
    """
    rows = {}
    for threads in sorted({1, min(2, os.cpu_count())}):
        pin(threads)
        for shape in SHAPES:
            rows[f"{'x'.join(map(str, shape))} {threads}T"] = row = _timed(_contestants(shape[1]), shape)
            for name in row if threads > 1 and shape[1] > SHORT else ():
                row[name]["memory_mib"] = _memory_of_a_process(name, shape)
    pin(1)
    ours = {name: _contestants(LENGTHS[0])[name] for name in ("numba", "torch")}
    sweep = {L: _timed(ours, (1, L, 64, 16)) for L in LENGTHS}
    for name in ours:
        sweep[LENGTHS[-1]][name]["exponent"] = _slope({L: row[name]["median_ms"] for L, row in sweep.items()})
    pin(min(2, os.cpu_count()))  # what the record says
    return rows | {f"sweep L={L} 1T": row for L, row in sweep.items()}


def _contestants(L):
    """Everybody who can be imported, ours first."""
    found = {"numba": _ours("numba"), "torch": _ours("torch")}
    if L <= SHORT:
        found["loop"] = _ours("reference")
    if importlib.util.find_spec("mambapy"):
        found["mambapy"] = _mambapy()
    if importlib.util.find_spec("jax"):
        found["jax scan"] = _jax("scan")
        if L <= SHORT:
            found["jax associative"] = _jax("associative")
    return found


def installed() -> list[str]:
    """Packages whose versions belong into the record."""
    return ["numba", *(peer for peer in ("mambapy", "jax") if importlib.util.find_spec(peer))]


def _timed(contestants, shape):
    inputs = _inputs(*shape)
    runs = {name: functools.partial(one.both, *map(one.prepare, inputs)) for name, one in contestants.items()}
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    return compare(runs, TOLERANCE, 7, read=lambda name, parts: map(contestants[name].read, parts), clock=clock)


def _inputs(b, L, d, N):
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(shape, generator=generator)

    A = -torch.arange(1.0, N + 1).repeat(d, 1)  # Mamba's own start
    return draw(b, L, d), softplus(draw(b, L, d) - 4), A, draw(b, L, N), draw(b, L, N), draw(d), draw(b, L, d)


def _slope(times):
    """Of log time against log L, by least squares."""
    x, y = ([math.log(value) for value in values] for values in (times.keys(), times.values()))
    x_mean, y_mean = sum(x) / len(x), sum(y) / len(y)
    moments = [((a - x_mean) * (b - y_mean), (a - x_mean) ** 2) for a, b in zip(x, y, strict=True)]
    return sum(xy for xy, _ in moments) / sum(xx for _, xx in moments)


# The contestants


def _pytorch(function):
    def both(*inputs):
        *arguments, g = inputs
        arguments = [value.detach().requires_grad_() for value in arguments]
        y = function(*arguments)
        return y.detach(), *torch.autograd.grad(y, arguments, g)

    return Contestant(both)


def _ours(backend):
    def scan(*arguments):
        os.environ[VARIABLE] = backend
        return our_scan(*arguments)

    return _pytorch(scan)


def _mambapy():
    """As its MambaBlock.selective_scan computes it, line by line."""
    from mambapy.pscan import pscan

    def scan(u, delta, A, B, C, D):
        a = torch.exp(delta.unsqueeze(-1) * A)
        b = delta.unsqueeze(-1) * B.unsqueeze(2) * u.unsqueeze(-1)
        return (pscan(a, b) @ C.unsqueeze(-1)).squeeze(3) + D * u

    return _pytorch(scan)


def _jax(kind):
    import jax
    import jax.numpy as jnp

    def loop(u, delta, A, B, C, D):
        def step(x, now):
            u_k, delta_k, B_k, C_k = now
            x = jnp.exp(delta_k[..., None] * A) * x + (delta_k * u_k)[..., None] * B_k[:, None]
            return x, (x * C_k[:, None]).sum(-1)

        in_time = [value.swapaxes(0, 1) for value in (u, delta, B, C)]
        start = jnp.zeros((u.shape[0], *A.shape), u.dtype)
        return jax.lax.scan(step, start, tuple(in_time))[1].swapaxes(0, 1) + D * u

    def tree(u, delta, A, B, C, D):
        a = jnp.exp(delta[..., None] * A)
        b = (delta * u)[..., None] * B[:, :, None]
        x = jax.lax.associative_scan(lambda one, two: (two[0] * one[0], two[0] * one[1] + two[1]), (a, b), axis=1)[1]
        return (x * C[:, :, None]).sum(-1) + D * u

    def both(*inputs):
        *arguments, g = inputs
        y, pull_back = jax.vjp(loop if kind == "scan" else tree, *arguments)
        return y, *pull_back(g)

    compiled = jax.jit(both)
    return Contestant(
        lambda *inputs: jax.block_until_ready(compiled(*inputs)),
        prepare=lambda tensor: jnp.asarray(tensor.numpy()),
        read=lambda array: torch.tensor(array.__array__()),
    )


# Memory, in a process of its own


def _memory_of_a_process(name, shape):
    """Most memory beyond the inputs during one forward and backward, in MiB; Linux only."""
    if not Path("/proc/self/clear_refs").exists():
        return None
    command = [sys.executable, "-m", "benchmarks.selective", name, *map(str, shape)]
    done = subprocess.run(command, cwd=FOLDER.parent.parent, check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def _measure_memory(name, *shape):
    pin(2)
    one = _contestants(shape[1])[name]
    one.both(*map(one.prepare, _inputs(shape[0], 64, *shape[2:])))  # what is compiled or imported now is not counted
    inputs = [one.prepare(tensor) for tensor in _inputs(*shape)]
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    before = _kilobytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew from here
    one.both(*inputs)
    return (_kilobytes("VmHWM") - before) * 1024 / MIB


def _kilobytes(field):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    raise RuntimeError(f"no {field} in /proc/self/status")


if __name__ == "__main__":
    print(_measure_memory(sys.argv[1], *map(int, sys.argv[2:])))
