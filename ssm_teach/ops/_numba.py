"""The linear scan and its adjoint as compiled loops for the CPU. Importing this needs Numba.

Time runs outside and channels inside: channels are neighbours in memory and do not wait for each other, so the inner
loop becomes vector instructions. Four habits keep it fast, each worth a factor of two to five where it was measured:
the state has an array of its own; indices are unsigned (a signed one might count from the end, as in Python);
descending time is read from a table; and where time descends the channels do so too, because a processor fetches ahead
of a walk that goes one way, not of one that turns back in every row.

Threads share out the batch. Sharing out the channels of one sequence, 32 to 2048, was no faster than one thread.
"""

import math

import numpy as np
import torch
from numba import njit

from ssm_teach.ops._backends import run_tasks

__all__ = ["adjoint", "scan"]

SERIAL = 1 << 15  # entries up to which waking another thread costs more than it saves
ROWS = 64  # terms added up before they join a total, so that rounding grows with ROWS + L/ROWS instead of L


def scan(a, b, x0):
    """x of `linear_scan`."""
    x = torch.empty(b.shape, dtype=b.dtype)
    _run(_scan, _shared(a, b), _flat(b), _flat(x0[:, None]), _flat(x))
    return x


def adjoint(a, x, x0, g, needs_a):
    """(∂a, ∂b, ∂x0) of `linear_scan`; ∂a is empty unless it is needed."""
    batch, constant = len(x), a.ndim < x.ndim
    rows = (1 if constant else x.shape[1]) if needs_a else 0
    grad_a = torch.empty((batch, rows, *x.shape[2:]), dtype=x.dtype)
    grad_b, grad_x0 = torch.empty(x.shape, dtype=x.dtype), torch.empty((batch, 1, *x.shape[2:]), dtype=x.dtype)
    _run(_adjoint, _shared(a, x), _flat(x), *map(_flat, (x0[:, None], g, grad_a, grad_b, grad_x0)))
    if constant or not needs_a:
        grad_a = grad_a.sum((0, 1)) if needs_a else grad_a.new_empty(0)
    return grad_a, grad_b, grad_x0[:, 0]


def _shared(a, b):
    """A constant a as a single row that every sequence and every position read."""
    return _flat(a.reshape(1, 1, *a.shape) if a.ndim < b.ndim else a)


def _flat(tensor):
    """A tensor (batch, L, …channels) as a C-contiguous array (batch, L, channels), without a copy where it is one."""
    batch, L, *channels = tensor.shape
    return tensor.detach().contiguous().view(batch, L, math.prod(channels)).numpy()


def _run(kernel, a, b, *arrays):
    threads = min(torch.get_num_threads(), len(b)) if b.size > SERIAL else 1
    run_tasks(kernel, len(b), threads, a, b, *arrays)


def _compiled(function, fastmath=frozenset({"contract"})):
    """Compile it so that Python threads run side by side, and keep the result on disk for the next process.

    "contract" makes one instruction of a·x + b, and leaves NaN and infinity what they are.
    """
    options = {"nogil": True, "fastmath": set(fastmath), "error_model": "numpy"}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # nowhere to write the cache: compile again in every process
        return njit(**options)(function)


@_compiled
def _scan(first, last, a, b, x0, x):
    """x_k = a_k x_{k−1} + b_k in the sequences first ≤ i < last."""
    L, N = np.uint64(b.shape[1]), np.uint64(b.shape[2])
    each_i, each_k = np.uint64(a.shape[0] > 1), np.uint64(a.shape[1] > 1)  # 0 where a has one row for all
    state = np.empty(N, b.dtype)
    for i in range(np.uint64(first), np.uint64(last)):
        for n in range(N):
            state[n] = x0[i, 0, n]
        for k in range(L):
            for n in range(N):
                state[n] = a[i * each_i, k * each_k, n] * state[n] + b[i, k, n]
                x[i, k, n] = state[n]


@_compiled
def _adjoint(first, last, a, x, x0, g, grad_a, delta, grad_x0):
    """δ_k = g_k + carry, carry = conj(a_k) δ_k, ∂a_k = δ_k conj(x_{k−1}); what is carried past k = 0 is ∂x0."""
    L, N, one = x.shape[1], np.uint64(x.shape[2]), np.uint64(1)
    each_i, each_k = np.uint64(a.shape[0] > 1), np.uint64(a.shape[1] > 1)
    rows = grad_a.shape[1]  # L, or 1 for the sum over time, or 0 if ∂a is not wanted
    down = np.arange(L - 1, -1, -1).astype(np.uint64)
    carry, total = np.empty(N, x.dtype), np.empty(N, x.dtype)
    for i in range(np.uint64(first), np.uint64(last)):
        for n in range(N):
            carry[n] = total[n] = 0
        for j in range(L):
            k = down[j]
            for m in range(N):
                n = N - one - m
                d = g[i, k, n] + carry[n]
                carry[n] = np.conj(a[i * each_i, k * each_k, n]) * d
                delta[i, k, n] = d
            earlier, k_earlier = (x, down[j + 1]) if j < L - 1 else (x0, np.uint64(0))
            if rows == L:
                for m in range(N):
                    n = N - one - m
                    grad_a[i, k, n] = delta[i, k, n] * np.conj(earlier[i, k_earlier, n])
            elif rows == 1:
                for m in range(N):
                    n = N - one - m
                    total[n] += delta[i, k, n] * np.conj(earlier[i, k_earlier, n])
                if j % ROWS == 0 or j == L - 1:  # at j = 0 it also starts the sum
                    for n in range(N):
                        grad_a[i, 0, n] = (grad_a[i, 0, n] if j else 0) + total[n]
                        total[n] = 0
        for n in range(N):
            grad_x0[i, 0, n] = carry[n]
