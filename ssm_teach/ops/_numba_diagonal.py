"""The convolution of a diagonal system and its gradients as compiled loops for the CPU. Importing this needs Numba.

In float32 and for complex modes the recurrence itself, x ← Ā x + u and y = 2 Re Σ_n w_n x_n, is faster than any detour:
no kernel, no transform, no transposed copy. Sixteen neighbouring channels are computed at once, as `_lanes`; their
states stay in the innermost cache. A task is one sequence and sixteen channels.

Time is cut into chunks of T positions. The forward pass keeps the first state of every chunk, and the backward pass
computes the others again. So beside y it keeps 2N/T numbers for every number of u.
"""

import numpy as np
import torch

from ssm_teach.ops._backends import run_tasks
from ssm_teach.ops._lanes import LANES, load, store
from ssm_teach.ops._numba import _compiled

__all__ = ["T", "adjoint", "convolve"]

T = 128  # positions of a chunk; the states of one chunk fill half a MiB at N = 32
R = 32  # positions after which the rounding of Ā is made up for


def convolve(u, log_A_bar, weights, D):
    """(y, kept): y of `diagonal_conv`, and the states before every chunk."""
    b, L, d = u.shape
    y, kept = torch.empty(b, L, d), torch.empty(b, -(-L // T), 2, log_A_bar.shape[1], d)
    _run(_forward, u, _tables(log_A_bar, weights, D), u, y, kept)
    return y, kept


def adjoint(u, log_A_bar, weights, D, kept, g):
    """(∂u, ∂log Ā, ∂w, ∂D)."""
    b, L, d = u.shape
    N = log_A_bar.shape[1]
    grad_u, sums, grad_D = torch.empty(b, L, d), torch.empty(b, 4, N, d), torch.empty(b, 1, d)
    _run(_backward, u, _tables(log_A_bar, weights, D), u, kept, g, grad_u, sums, grad_D)
    # By NumPy: torch's threads would go on to wait for more work, on the very cores that ours need next.
    sums = torch.from_numpy(sums.numpy().sum(0))
    into_A_bar, into_w = (torch.complex(*pair).T for pair in sums.unflatten(0, (2, 2)))
    grad_log = torch.exp(log_A_bar).conj() * into_A_bar
    into_w = 2 * (into_w if weights.is_complex() else into_w.real)
    return grad_u, grad_log.contiguous(), into_w.contiguous(), grad_D.sum((0, 1))


def _tables(log_A_bar, weights, D):
    """Ā, 2w and the excess, each as real and imaginary part, (6, N, d), and D, (1, d).

    Ā is rounded, and its R-th power is off by R times as much. The excess is what is missing, to be added after every
    R positions: otherwise a slow mode would be off by its whole memory times the rounding error.
    """
    wide = log_A_bar.to(torch.complex128)
    rounded = torch.exp(wide).to(torch.complex64)
    excess = torch.exp(wide * R) - rounded.to(torch.complex128) ** R
    parts = [part.T for value in (rounded, 2 * weights, excess) for part in (value.real, _imag(value))]
    return torch.stack([part.float() for part in parts]), D[None]


def _imag(value):
    return value.imag if value.is_complex() else torch.zeros_like(value)


def _run(kernel, u, tables, *tensors):
    tasks = len(u) * -(-u.shape[2] // LANES)
    arrays = [tensor.detach().resolve_neg().contiguous().numpy() for tensor in (*tables, *tensors)]
    run_tasks(kernel, tasks, max(1, min(torch.get_num_threads(), tasks)), *arrays)


# Arrays of a task: u, y, g (T, 16); tables and states (parts, N, 16), where a part is a real or an imaginary one.

A_RE, A_IM, W_RE, W_IM, EXCESS_RE, EXCESS_IM = map(np.uint64, range(6))
SUM_A_RE, SUM_A_IM, SUM_W_RE, SUM_W_IM = map(np.uint64, range(4))
ZERO, ONE = np.float32(0), np.float32(1)
DOWN = np.arange(R // 4)[::-1].astype(np.uint64)  # groups of four from the end; a loop that counts down is slower


@_compiled
def _step(a_re, a_im, x_re, x_im, u):
    """Ā x + u."""
    return u + a_re * x_re - a_im * x_im, a_re * x_im + a_im * x_re


# Four positions are done for one mode before the next: Ā, w, the state and the sums are fetched once for them. A last
# chunk that is not full is filled up with zeros, which change nothing before them.


@_compiled
def _advance(count, tables, D, u, x, y):
    """y of up to R positions, and the state after them in place of that before them."""
    N, lanes = np.uint64(x.shape[1]), np.uint64(LANES)
    part = N * lanes
    for k in range(np.uint64(0), np.uint64(count), np.uint64(4)):
        k0 = k * lanes
        k1, k2, k3 = k0 + lanes, k0 + lanes + lanes, k0 + lanes + lanes + lanes
        u0, u1, u2, u3, d = load(u, k0), load(u, k1), load(u, k2), load(u, k3), load(D, np.uint64(0))
        y0, y1, y2, y3 = d * u0, d * u1, d * u2, d * u3
        for n in range(N):
            here = n * lanes
            a_re, a_im = load(tables, A_RE * part + here), load(tables, A_IM * part + here)
            w_re, w_im = load(tables, W_RE * part + here), load(tables, W_IM * part + here)
            re, im = _step(a_re, a_im, load(x, here), load(x, part + here), u0)
            y0 = y0 + w_re * re - w_im * im
            re, im = _step(a_re, a_im, re, im, u1)
            y1 = y1 + w_re * re - w_im * im
            re, im = _step(a_re, a_im, re, im, u2)
            y2 = y2 + w_re * re - w_im * im
            re, im = _step(a_re, a_im, re, im, u3)
            y3 = y3 + w_re * re - w_im * im
            store(x, here, re)
            store(x, part + here, im)
        store(y, k0, y0)
        store(y, k1, y1)
        store(y, k2, y2)
        store(y, k3, y3)


@_compiled
def _recall(count, tables, u, g, states, sums):
    """states[k + 1] for up to R positions k, from states[0], and Σ_k g_k conj(x_k) added to the sums."""
    N, lanes = np.uint64(states.shape[2]), np.uint64(LANES)
    part = N * lanes
    both = part + part
    for k in range(np.uint64(0), np.uint64(count), np.uint64(4)):
        k0, before = k * lanes, k * both
        k1, k2, k3 = k0 + lanes, k0 + lanes + lanes, k0 + lanes + lanes + lanes
        u0, u1, u2, u3 = load(u, k0), load(u, k1), load(u, k2), load(u, k3)
        g0, g1, g2, g3 = load(g, k0), load(g, k1), load(g, k2), load(g, k3)
        for n in range(N):
            here = n * lanes
            a_re, a_im = load(tables, A_RE * part + here), load(tables, A_IM * part + here)
            sum_re, sum_im = load(sums, SUM_W_RE * part + here), load(sums, SUM_W_IM * part + here)
            at = before + here
            re, im = _step(a_re, a_im, load(states, at), load(states, at + part), u0)
            at, sum_re, sum_im = at + both, sum_re + g0 * re, sum_im - g0 * im
            store(states, at, re)
            store(states, at + part, im)
            re, im = _step(a_re, a_im, re, im, u1)
            at, sum_re, sum_im = at + both, sum_re + g1 * re, sum_im - g1 * im
            store(states, at, re)
            store(states, at + part, im)
            re, im = _step(a_re, a_im, re, im, u2)
            at, sum_re, sum_im = at + both, sum_re + g2 * re, sum_im - g2 * im
            store(states, at, re)
            store(states, at + part, im)
            re, im = _step(a_re, a_im, re, im, u3)
            at, sum_re, sum_im = at + both, sum_re + g3 * re, sum_im - g3 * im
            store(states, at, re)
            store(states, at + part, im)
            store(sums, SUM_W_RE * part + here, sum_re)
            store(sums, SUM_W_IM * part + here, sum_im)


@_compiled
def _back(a_re, a_im, w_re, w_im, re, im, g, x_re, x_im, sum_re, sum_im):
    """From the carried gradient, with λ = carry + conj(w) g: Re λ, conj(Ā) λ, and sum + λ conj(x)."""
    lam_re, lam_im = re + w_re * g, im - w_im * g
    sum_re, sum_im = sum_re + lam_re * x_re + lam_im * x_im, sum_im + lam_im * x_re - lam_re * x_im
    return lam_re, a_re * lam_re + a_im * lam_im, a_re * lam_im - a_im * lam_re, sum_re, sum_im


@_compiled
def _retreat(count, down, tables, D, g, states, carry, sums, grad_u):
    """∂u of up to R positions, and Σ_k λ_k conj(x_{k−1}) added to the sums; carry, ∂x after them, becomes that before.

    λ_k is the whole gradient of x_k, ∂u_k = Re Σ_n λ_k, and conj(Ā) λ_k is carried on.
    """
    N, lanes = np.uint64(carry.shape[1]), np.uint64(LANES)
    part = N * lanes
    both = part + part
    fours = np.uint64((count + 3) // 4)
    for j in range(fours):
        k0 = down[np.uint64(len(down)) - fours + j] * np.uint64(4) * lanes
        k1, k2, k3 = k0 + lanes, k0 + lanes + lanes, k0 + lanes + lanes + lanes
        g0, g1, g2, g3, d = load(g, k0), load(g, k1), load(g, k2), load(g, k3), load(D, np.uint64(0))
        u0, u1, u2, u3 = d * g0, d * g1, d * g2, d * g3
        for n in range(N):
            here = n * lanes
            a_re, a_im = load(tables, A_RE * part + here), load(tables, A_IM * part + here)
            w_re, w_im = load(tables, W_RE * part + here), load(tables, W_IM * part + here)
            s_re, s_im = load(sums, SUM_A_RE * part + here), load(sums, SUM_A_IM * part + here)
            re, im = load(carry, here), load(carry, part + here)
            x0 = k0 * (N + N) + here
            x1, x2, x3 = x0 + both, x0 + both + both, x0 + both + both + both
            x_re, x_im = load(states, x3), load(states, x3 + part)
            lam, re, im, s_re, s_im = _back(a_re, a_im, w_re, w_im, re, im, g3, x_re, x_im, s_re, s_im)
            u3 = u3 + lam
            x_re, x_im = load(states, x2), load(states, x2 + part)
            lam, re, im, s_re, s_im = _back(a_re, a_im, w_re, w_im, re, im, g2, x_re, x_im, s_re, s_im)
            u2 = u2 + lam
            x_re, x_im = load(states, x1), load(states, x1 + part)
            lam, re, im, s_re, s_im = _back(a_re, a_im, w_re, w_im, re, im, g1, x_re, x_im, s_re, s_im)
            u1 = u1 + lam
            x_re, x_im = load(states, x0), load(states, x0 + part)
            lam, re, im, s_re, s_im = _back(a_re, a_im, w_re, w_im, re, im, g0, x_re, x_im, s_re, s_im)
            u0 = u0 + lam
            store(carry, here, re)
            store(carry, part + here, im)
            store(sums, SUM_A_RE * part + here, s_re)
            store(sums, SUM_A_IM * part + here, s_im)
        store(grad_u, k0, u0)
        store(grad_u, k1, u1)
        store(grad_u, k2, u2)
        store(grad_u, k3, u3)


@_compiled
def _add_excess(tables, start, end, sign):
    """end += excess · start, or its conjugate · start with sign = −1: what a rounded Ā missed in R positions."""
    N, lanes = np.uint64(start.shape[1]), np.uint64(LANES)
    part = N * lanes
    for n in range(N):
        here = n * lanes
        re, im = load(tables, EXCESS_RE * part + here), sign * load(tables, EXCESS_IM * part + here)
        x_re, x_im = load(start, here), load(start, part + here)
        store(end, here, load(end, here) + re * x_re - im * x_im)
        store(end, part + here, load(end, part + here) + re * x_im + im * x_re)


@_compiled
def _add_products(u, g, into_D):
    """Σ_k u_k g_k of a chunk; the rest of one that is not full is zero."""
    sums, lanes = load(u, np.uint64(0)) * load(g, np.uint64(0)), np.uint64(LANES)
    for k in range(np.uint64(1), np.uint64(len(u))):
        sums = sums + load(u, k * lanes) * load(g, k * lanes)
    store(into_D, np.uint64(0), load(into_D, np.uint64(0)) + sums)


@_compiled
def _aligned(shape):
    """Zeros from a 64-byte boundary on: sixteen numbers then lie in one line of the cache, and cost half as much."""
    size = 1
    for length in shape:
        size *= length
    memory = np.zeros(size + LANES, np.float32)
    first = -(memory.ctypes.data // 4) % LANES
    return memory[first : first + size].reshape(shape)


@_compiled
def _gather(block, rows, first, channels):
    """Into a block (count, 16): rows of sixteen channels out of an array whose last axis is d, from this row on."""
    count, d, lanes = np.uint64(len(block)), np.uint64(rows.shape[-1]), np.uint64(LANES)
    offset, filled = np.uint64(first) * d + np.uint64(channels.start), channels.stop - channels.start
    for k in range(count):
        if filled == LANES:
            store(block, k * lanes, load(rows, offset + k * d))
        else:
            flat = rows.reshape(-1)
            for c in range(LANES):
                block[k, c] = flat[offset + k * d + np.uint64(c)] if c < filled else ZERO


@_compiled
def _scatter(rows, first, channels, block):
    """The way back."""
    count, d, lanes = np.uint64(len(block)), np.uint64(rows.shape[-1]), np.uint64(LANES)
    offset, filled = np.uint64(first) * d + np.uint64(channels.start), channels.stop - channels.start
    for k in range(count):
        if filled == LANES:
            store(rows, offset + k * d, load(block, k * lanes))
        else:
            flat = rows.reshape(-1)
            for c in range(filled):
                flat[offset + k * d + np.uint64(c)] = block[k, c]


@_compiled
def _block(d, task):
    """Which sequence, and which channels."""
    blocks = (d + LANES - 1) // LANES
    first = task % blocks * LANES
    return task // blocks, slice(first, min(d, first + LANES))


@_compiled
def _forward(first, last, tables, D, u, y, kept):
    L, N, d = u.shape[1], tables.shape[1], u.shape[2]
    table, D_block = _aligned((6, N, LANES)), _aligned((1, LANES))
    x, start = _aligned((2, N, LANES)), _aligned((2, N, LANES))
    u_block, y_block = _aligned((T, LANES)), _aligned((T, LANES))
    for task in range(first, last):
        i, channels = _block(d, task)
        _gather(table.reshape(6 * N, LANES), tables, 0, channels)
        _gather(D_block, D, 0, channels)
        u_block[:], x[:] = 0, 0
        for chunk in range(kept.shape[1]):
            now, count = i * L + chunk * T, min(T, L - chunk * T)
            _scatter(kept, (i * kept.shape[1] + chunk) * 2 * N, channels, x.reshape(2 * N, LANES))
            u_block[count:] = 0
            _gather(u_block[:count], u, now, channels)
            for k in range(0, count, R):
                start[:] = x
                _advance(min(R, count - k), table, D_block, u_block[k:], x, y_block[k:])
                _add_excess(table, start, x, ONE)
            _scatter(y, now, channels, y_block[:count])


@_compiled
def _backward(first, last, tables, D, u, kept, g, grad_u, sums, grad_D):
    L, N, d = u.shape[1], tables.shape[1], u.shape[2]
    table, D_block = _aligned((6, N, LANES)), _aligned((1, LANES))
    states, carry, end = _aligned((T + 1, 2, N, LANES)), _aligned((2, N, LANES)), _aligned((2, N, LANES))
    part, total = _aligned((4, N, LANES)), _aligned((4, N, LANES))
    u_block, g_block, grad_block, into_D = (
        _aligned((T, LANES)), _aligned((T, LANES)), _aligned((T, LANES)), _aligned((1, LANES))
    )  # fmt: skip
    for task in range(first, last):
        i, channels = _block(d, task)
        _gather(table.reshape(6 * N, LANES), tables, 0, channels)
        _gather(D_block, D, 0, channels)
        u_block[:], g_block[:], into_D[:], carry[:], total[:] = 0, 0, 0, 0, 0
        for chunk in range(kept.shape[1] - 1, -1, -1):
            now, count = i * L + chunk * T, min(T, L - chunk * T)
            _gather(u_block[:count], u, now, channels)
            _gather(g_block[:count], g, now, channels)
            _gather(states[0].reshape(2 * N, LANES), kept, (i * kept.shape[1] + chunk) * 2 * N, channels)
            part[:] = 0  # terms of one chunk are added up before they join the total
            for k in range(0, count, R):
                _recall(min(R, count - k), table, u_block[k:], g_block[k:], states[k:], part)
                _add_excess(table, states[k], states[min(k + R, T)], ONE)
            for k in range((count - 1) // R * R, -1, -R):
                end[:] = carry
                _retreat(min(R, count - k), DOWN, table, D_block, g_block[k:], states[k:], carry, part, grad_block[k:])
                _add_excess(table, end, carry, -ONE)
            total += part
            _add_products(u_block, g_block, into_D)
            _scatter(grad_u, now, channels, grad_block[:count])
            u_block[:], g_block[:] = 0, 0  # only the last chunk, which came first, may not fill them
        _scatter(sums, i * 4 * N, channels, total.reshape(4 * N, LANES))
        _scatter(grad_D, i, channels, into_D)
