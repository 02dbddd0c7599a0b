"""The linear scan, forward and backward, against other people's: time, gradients and memory.

`python -m benchmarks linear-scan` times; peers that are not installed are named and left out
(`pip install -r benchmarks/requirements.txt`). Each gets its input in the layout it likes best, outside the clock.
"""

import ctypes
import functools
import gc
import importlib.util
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from benchmarks.harness import FOLDER, compare, pin
from ssm_teach.ops import linear_scan as our_scan
from ssm_teach.ops._backends import VARIABLE

SHAPES = ((8, 1024, 128), (1, 16384, 64))  # (batch, L, channels)
LENGTHS = [2**k for k in range(4, 17)]
# What the numbers are, and whether a is the same everywhere, as in the layers S5 and LRU.
KINDS = {
    "complex64": (torch.complex64, False),
    "complex64 constant": (torch.complex64, True),
    "float32": (torch.float32, False),
}
SWEPT = ("numba", "torch", "loop", "s5-pytorch", "mambapy", "jax scan")  # the contestants of the sweep over L
PACKAGES = {"s5-pytorch": "s5", "mambapy": "mambapy", "accelerated-scan": "accelerated_scan", "jax": "jax"}
MIB = 2**20


class Contestant(NamedTuple):
    """How to give somebody (a, b, g) and read (x, ∂a, ∂b); what lies between is timed."""

    forward: Callable  # (a, b) → x
    both: Callable  # (a, b, g) → (x, ∂a, ∂b)
    prepare: Callable = lambda tensor: tensor
    read: Callable = lambda tensor: tensor


def contestants() -> dict[str, Contestant]:
    """Everybody who can be imported, ours first."""
    makers = {
        "numba": functools.partial(_ours, "numba"),
        "torch": functools.partial(_ours, "torch"),
        "loop": functools.partial(_ours, "reference"),
        "s5-pytorch": _s5_pytorch,
        "mambapy": _mambapy,
        "accelerated-scan": _accelerated_scan,
        "jax scan": functools.partial(_jax, "scan"),
        "jax associative": functools.partial(_jax, "associative"),
        "torch associative": _torch_associative,
    }
    absent = missing()
    return {name: make() for name, make in makers.items() if not any(name.startswith(peer) for peer in absent)}


def missing() -> list[str]:
    return [package for package, module in PACKAGES.items() if importlib.util.find_spec(module) is None]


def installed() -> list[str]:
    return ["numba", *(package for package in PACKAGES if package not in missing())]


# What is measured


def linear_scan() -> dict[str, dict]:
    """Two shapes, real and complex, forward alone and with the backward, one thread and two; then time against L.

    One thread is timed by its CPU time, two by the clock on the wall.
    """
    if missing():
        print(f"linear-scan: left out, not installed: {', '.join(missing())} (benchmarks/requirements.txt)")
    rows, everybody = {}, contestants()
    for threads in sorted({1, min(2, os.cpu_count())}):
        pin(threads)
        rows[f"copy 256 MiB {threads}T"] = _copy()
        for shape in SHAPES:
            chosen = {name: one for name, one in everybody.items() if name != "loop" or shape[1] <= 1024}
            for what, kind in itertools.product(("both", "forward"), KINDS):
                key = f"{what} {kind} {'x'.join(map(str, shape))} {threads}T"
                rows[key] = _timed(chosen, what, _inputs(shape, *KINDS[kind]), rounds=15)
    pin(1)
    swept = {name: one for name, one in everybody.items() if name in SWEPT}
    for L in LENGTHS:
        rows[f"sweep L={L}"] = row = _timed(swept, "both", _inputs((1, L, 64)), rounds=15 if L <= 4096 else 5)
        for name in row:
            if L >= 1024 and L in LENGTHS[::2]:
                row[name]["memory_mib"] = _memory_of_a_process(name, L)
    return rows


def _copy():
    """What memory allows: bytes read and written a second by a plain copy that no cache can hold."""
    source = torch.ones(256 * MIB, dtype=torch.uint8)
    target = source.clone()
    row = compare({"copy": lambda: target.copy_(source)}, tolerance=0)["copy"]
    return {"copy": row | {"gb_per_s": 2 * source.nbytes / row["median_ms"] / 1e6}}


def _timed(chosen, what, inputs, rounds):
    taken = inputs if what == "both" else inputs[:2]
    runs = {name: functools.partial(getattr(one, what), *map(one.prepare, taken)) for name, one in chosen.items()}

    def read(name, result):
        return [chosen[name].read(part).flatten() for part in (result if what == "both" else (result,))]

    # mambapy's backward leaves out the conjugate, so its complex gradients are wrong; its speed is still of interest.
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    return compare(runs, tolerance=2e-4, rounds=rounds, read=read, may_differ=["mambapy"], clock=clock)


def _inputs(shape, dtype=torch.complex64, constant=False):
    """a of modulus 0.9 to 1 and any phase or sign, (1, 1, channels) if constant, b, and the gradient g of x."""
    generator = torch.Generator().manual_seed(0)
    a, b, g = (torch.randn(shape, dtype=dtype, generator=generator) for _ in range(3))
    a = torch.sgn(a) * (0.9 + 0.1 * torch.rand(shape, generator=generator))
    return a[:1, :1].clone() if constant else a, b, g


def _memory_of_a_process(name, L):
    """Most memory beyond the inputs during one forward and backward, in MiB, in a process of its own; Linux only."""
    if not Path("/proc/self/clear_refs").exists():
        return None
    command = [sys.executable, "-m", "benchmarks.scans", name, str(L)]
    done = subprocess.run(command, cwd=FOLDER.parent.parent, check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def measure_memory(name: str, L: int) -> float:
    pin(1)
    one = contestants()[name]
    inputs = [one.prepare(tensor) for tensor in _inputs((1, L, 64))]
    one.both(*inputs)  # whatever is compiled or imported now is not counted
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    before = _kilobytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew from here
    result = one.both(*inputs)
    del result
    return (_kilobytes("VmHWM") - before) * 1024 / MIB


def _kilobytes(field):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    raise RuntimeError(f"no {field} in /proc/self/status")


# The contestants


def _pytorch(forward, prepare=lambda tensor: tensor, read=lambda tensor: tensor, takes_constant=False):
    """Who does not know a constant a gets a view that looks like b; PyTorch sums its gradient."""

    def whole(a, b):
        return forward(a if takes_constant else a.expand_as(b), b)

    def both(a, b, g):
        a, b = a.detach().requires_grad_(), b.detach().requires_grad_()
        x = whole(a, b)
        return x, *torch.autograd.grad(x, (a, b), g)

    return Contestant(whole, both, prepare, read)


def _ours(backend):
    def forward(a, b):
        os.environ[VARIABLE] = backend
        return our_scan(a if a.shape == b.shape else a[0, 0], b)

    return _pytorch(forward, takes_constant=True)


def _compose(earlier, later):
    (a, b), (a2, b2) = earlier, later
    return a2 * a, a2 * b + b2


def _s5_pytorch():
    from s5.jax_compat import associative_scan

    return _pytorch(lambda a, b: associative_scan(_compose, (a, b), axis=1)[1])


def _mambapy():
    from mambapy.pscan import pscan

    return _pytorch(pscan, prepare=lambda tensor: tensor.unflatten(-1, (-1, 16)))  # (batch, L, channels/16, 16 states)


def _accelerated_scan():
    from accelerated_scan.ref import scan

    return _pytorch(scan, lambda tensor: tensor.transpose(1, 2).contiguous(), lambda tensor: tensor.transpose(1, 2))


def _torch_associative():
    from torch._higher_order_ops.associative_scan import associative_scan

    return _pytorch(lambda a, b: associative_scan(_compose, (a, b), 1, combine_mode="generic")[1])


def _jax(kind):
    """Time comes first, as lax.scan wants it. JAX's cotangents are the conjugates of PyTorch's, which costs nothing."""
    import jax
    import jax.numpy as jnp

    def loop(a, b):
        def step(x, ab):
            x = ab[0] * x + ab[1]
            return x, x

        return jax.lax.scan(step, jnp.zeros_like(b[0]), (a, b))[1]

    def tree(a, b):
        return jax.lax.associative_scan(_compose, (a, b))[1]

    def scan(a, b):
        return (loop if kind == "scan" else tree)(jnp.broadcast_to(a, b.shape), b)

    def both(a, b, g):
        x, pull_back = jax.vjp(scan, a, b)
        return x, *(gradient.conj() for gradient in pull_back(g.conj()))

    def wait_for(function):
        compiled = jax.jit(function)
        return lambda *inputs: jax.block_until_ready(compiled(*inputs))

    return Contestant(
        wait_for(scan),
        wait_for(both),
        prepare=lambda tensor: jnp.asarray(tensor.transpose(0, 1).numpy()),
        read=lambda array: torch.tensor(array.__array__()).transpose(0, 1),
    )


# The picture


def draw(rows: dict[str, dict]) -> None:
    """Time and memory of the sweep against L, both axes logarithmic, into results/bench/linear-scan.svg."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from ssm_teach.viz import use_style

    use_style()
    sweep = {int(key.split("=")[1]): row for key, row in rows.items() if key.startswith("sweep")}
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6))
    panels = (("median_ms", "time, forward + backward (ms)"), ("memory_mib", "memory beyond the inputs (MiB)"))
    for ax, (value, label) in zip(axes, panels, strict=True):
        for name in next(iter(sweep.values())):
            points = {L: row[name][value] for L, row in sweep.items() if row[name].get(value) is not None}
            ax.plot(points.keys(), points.values(), marker="o", markersize=3, label=name)
        ax.set(xscale="log", yscale="log", xlabel="length L", title=label)
        ax.set_xscale("log", base=2)
    axes[0].legend(fontsize="small")
    figure.savefig(FOLDER / "linear-scan.svg", metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    print(measure_memory(sys.argv[1], int(sys.argv[2])))
