"""The selective scan and its gradients as compiled loops for the CPU, in float32. Importing this needs Numba.

A task is one sequence and a block of neighbouring channels of one group. Sixteen channels are computed at once, as
`_lanes`; their states lie as (N, width), and B_kn and C_kn are the same number for all of them. What a position needs
of its channels stays in registers while n runs over the states.

Time is cut into chunks of EVERY positions, so small that all states of a chunk stay in the cache. The forward pass
keeps the first state of every chunk, and the backward pass starts from it again. What a chunk needs is copied into
blocks filled up with zeros to whole lanes: with a step of zero nothing happens.
"""

import numpy as np
import torch

from ssm_teach.ops._backends import run_tasks
from ssm_teach.ops._lanes import LANES, at_least, at_most, load, scaled, spread, store, total, where_above
from ssm_teach.ops._numba import _compiled
from ssm_teach.ops._selective_torch import EVERY

__all__ = ["adjoint", "computes", "scan"]

WIDEST = 64  # channels of a block, at most
CACHED = 1 << 16  # numbers that the states of a chunk may have: 256 KiB


def computes(delta, A):
    """Whether these are float32 with Δ ≥ 0 and A ≤ 0 (or NaN); beyond, e^{ΔA} overflows.

    NumPy looks, not torch: torch's threads would go on to wait for more work, on the very cores that ours need.
    """
    single = delta.dtype == torch.float32
    return single and not np.min(_numbers(delta), initial=0) < 0 and not np.max(_numbers(A), initial=0) > 0


def scan(u, delta, A, B, C, D, z, initial, zoh):
    """(y, last state, kept states) of `_selective_torch.scan`."""
    b, L = u.shape[:2]
    G, N, c = A.shape
    y, state, kept = torch.empty(b, L, G * c), torch.empty(b, G, N, c), torch.empty(b, -(-L // EVERY), G, N, c)
    _run(_scan, b, A, zoh, *_inputs(u, delta, A, B, C, D, z), *map(_array, (initial, y, state, kept)))
    return y, state, kept


def adjoint(u, delta, A, B, C, D, z, kept, g, g_state, zoh):
    """The gradients of `_selective_torch.adjoint`."""
    b, L = u.shape[:2]
    G, N, c = A.shape
    blocks = -(-c // _width(b, A))
    grad_u, grad_delta, grad_z = (torch.empty(b, L, G * c) for _ in range(3))
    grad_A, grad_D, grad_initial = torch.empty(b, G, N, c), torch.empty(b, G * c), torch.empty(b, G, N, c)
    grad_B, grad_C = torch.empty(b, blocks, L, G, N), torch.empty(b, blocks, L, G, N)
    grads = (grad_u, grad_delta, grad_A, grad_B, grad_C, grad_D, grad_z, grad_initial)
    inputs = _inputs(u, delta, A, B, C, D, z)
    _run(_adjoint, b, A, zoh, *inputs, *map(_array, (kept, g.reshape(b, L, G * c), g_state, *grads)))
    grad_A, grad_D = _sum(grad_A, 0), _sum(grad_D, 0)
    return grad_u, grad_delta, grad_A, _sum(grad_B, 1), _sum(grad_C, 1), grad_D, grad_z, grad_initial


def _inputs(u, delta, A, B, C, D, z):
    """Arrays u, Δ, z (b, L, d), A (G, N, c), B, C (b, L, G, N), D (d,); D zero and z empty if there is none."""
    flat = [value.flatten(2) for value in (u, delta)]
    D = u.new_zeros(flat[0].shape[2]) if D is None else D.flatten()
    z = u.new_zeros(0, 0, 0) if z is None else z.flatten(2)
    return [_array(value) for value in (*flat, A, B[..., 0], C[..., 0], D, z)]


def _numbers(tensor):
    return tensor.detach().resolve_neg().numpy()


def _array(tensor):
    return _numbers(tensor.contiguous())


def _sum(tensor, axis):
    """By NumPy, not torch, for the reason that `computes` gives."""
    return torch.from_numpy(_numbers(tensor).sum(axis))


def _width(b, A):
    """Channels of a block: many, but so few that there is work for every thread and the states fit the cache."""
    G, N, c = A.shape
    shares = -(-torch.get_num_threads() // max(1, b * G))
    most = min(WIDEST, CACHED // (EVERY * N), -(-c // shares))
    blocks = -(-c // max(LANES, most))
    return LANES * -(-c // (LANES * max(1, blocks)))


def _run(kernel, b, A, zoh, *arrays):
    G, _, c = A.shape
    width = max(LANES, _width(b, A))
    tasks = b * G * -(-c // width)
    run_tasks(kernel, tasks, max(1, min(torch.get_num_threads(), tasks)), width, zoh or None, *arrays)


# The exponential, e^{ΔA} = 2^x with x = Δ·A·log₂e ≤ 0. With n = round(x) and f = x − n it is 2ⁿ 2^f, and
# 2^f = 1 + f q(f), where q has the coefficients below and the smallest relative error in |f| ≤ ½, 2·10⁻⁹. The 1 is
# exact: an Ā close to 1 is what carries a long memory.

LOG2_E = np.float32(1 / np.log(2))
Q0, Q1, Q2, Q3, Q4, Q5 = map(
    np.float32, (0.693147203, 0.240226479, 0.0555033247, 0.00961843740, 0.00133988744, 0.000153533514)
)
ROUND = np.float32(1.5 * 2**23)  # x + ROUND holds the nearest whole number to x in its lowest bits
LOWEST, HIGHEST = np.float32(-127), np.float32(126)  # 2^x is zero from LOWEST on: its exponent and mantissa are
ZERO, ONE, HALF = np.float32(0), np.float32(1), np.float32(0.5)


@_compiled
def _exp2(x):
    """2^x for x ≤ 126, in lanes."""
    x = at_least(x, LOWEST)
    n = x + ROUND
    f = x - (n - ROUND)
    return scaled((((((Q5 * f + Q4) * f + Q3) * f + Q2) * f + Q1) * f + Q0) * f + ONE, n)


@_compiled
def _exp2_minus_one(x):
    """2^x − 1, with all its digits where it is small: 2ⁿ f q(f) + (2ⁿ − 1)."""
    x = at_least(x, LOWEST)
    n = x + ROUND
    f = x - (n - ROUND)
    power = scaled(spread(ONE), n)
    return power * ((((((Q5 * f + Q4) * f + Q3) * f + Q2) * f + Q1) * f + Q0) * f) + (power - ONE)


# φ₁′(z) = Σ z^k / (k! (k + 2)), for −½ < z ≤ 0

S0, S1, S2, S3, S4, S5, S6, S7 = map(np.float32, (1 / 2, 1 / 3, 1 / 8, 1 / 30, 1 / 144, 1 / 840, 1 / 5760, 1 / 45360))


@_compiled
def _phi1_derivative(z):
    return ((((((S7 * z + S6) * z + S5) * z + S4) * z + S3) * z + S2) * z + S1) * z + S0


@_compiled
def _sigmoid(z):
    return ONE / (ONE + _exp2(at_most(-LOG2_E * z, HIGHEST)))


@_compiled
def _advance(count, u, delta, log2, inverse, B, C, states, y, zoh):
    """states[k + 1] and Σ_n C_n x_n for the first positions of a chunk, from states[0]."""
    N, width, step = np.uint64(states.shape[1]), np.uint64(states.shape[2]), np.uint64(LANES)
    for k in range(np.uint64(count)):
        for c in range(np.uint64(0), width, step):
            u_k, delta_k, y_k = load(u, k * width + c), load(delta, k * width + c), spread(ZERO)
            step_u = delta_k * u_k
            for n in range(N):
                before, after, here = (k * N + n) * width + c, (k * N + N + n) * width + c, n * width + c
                if zoh is None:
                    x = _exp2(delta_k * load(log2, here)) * load(states, before) + B[k, n] * step_u
                else:
                    change = _exp2_minus_one(delta_k * load(log2, here))
                    x = load(states, before) * (change + ONE) + B[k, n] * (change * load(inverse, here) * u_k)
                store(states, after, x)
                y_k = y_k + C[k, n] * x
            store(y, k * width + c, y_k)


@_compiled
def _retreat(
    count, down, u, delta, A, log2, inverse, B, C, states, g, carry, grad_u, grad_delta, grad_A, grad_B, grad_C, zoh
):
    """The gradients of `_advance`, from that of y. carry is that of the state, first after and then before it.

    With λ = carry + C g for the whole gradient of x_k: ∂(ΔA) = λ Ā x_{k−1}, and λ B̄ goes on to u, λ u to B̄.
    """
    N, width, step = np.uint64(states.shape[1]), np.uint64(states.shape[2]), np.uint64(LANES)
    sums_B, sums_C = np.empty((N, step), np.float32), np.empty((N, step), np.float32)
    for j in range(np.uint64(count)):
        k = down[np.uint64(EVERY - count) + j]
        for c in range(np.uint64(0), width, step):
            u_k, delta_k, g_k = (load(u, k * width + c), load(delta, k * width + c), load(g, k * width + c))
            step_u, into_u, into_delta = delta_k * u_k, spread(ZERO), spread(ZERO)
            for n in range(N):
                before, after, here = (k * N + n) * width + c, (k * N + N + n) * width + c, n * width + c
                lam = load(carry, here) + C[k, n] * g_k
                if zoh is None:
                    passed = lam * _exp2(delta_k * load(log2, here))
                    into_u = into_u + B[k, n] * lam
                    into_B = lam * step_u
                    into_dtA = passed * load(states, before)
                    into_A = into_dtA * delta_k
                else:
                    change = _exp2_minus_one(delta_k * load(log2, here))
                    weight = change * load(inverse, here)  # Δ φ₁(ΔA)
                    passed = lam * (change + ONE)
                    into_u = into_u + B[k, n] * (lam * weight)
                    into_B = lam * weight * u_k
                    into_dtA = passed * load(states, before)
                    into_weight = B[k, n] * lam * u_k
                    into_delta = into_delta + into_weight * (change + ONE)
                    dtA = delta_k * load(A, here)
                    near = delta_k * delta_k * _phi1_derivative(dtA)
                    far = (delta_k * (change + ONE) - weight) * load(inverse, here)
                    into_A = into_dtA * delta_k + into_weight * where_above(dtA, -HALF, near, far)
                into_delta = into_delta + into_dtA * load(A, here)
                store(carry, here, passed)
                store(grad_A, here, load(grad_A, here) + into_A)
                into_C = load(states, after) * g_k
                if c > 0:
                    into_B = into_B + load(sums_B, n * step)
                    into_C = into_C + load(sums_C, n * step)
                store(sums_B, n * step, into_B)
                store(sums_C, n * step, into_C)
            if zoh is None:
                into_delta = into_delta + into_u * u_k
                into_u = into_u * delta_k
            store(grad_u, k * width + c, into_u)
            store(grad_delta, k * width + c, into_delta)
        for n in range(N):
            grad_B[k, n], grad_C[k, n] = total(load(sums_B, n * step)), total(load(sums_C, n * step))


# Around the recurrence: D, and the gate where there is one


@_compiled
def _finish(count, D, u, z, y):
    """y ← (y + D u) silu(z), or without the gate where z has no rows."""
    width, step = np.uint64(len(D)), np.uint64(LANES)
    for k in range(np.uint64(count)):
        for c in range(np.uint64(0), width, step):
            here = k * width + c
            value = load(y, here) + load(D, c) * load(u, here)
            if len(z):
                value = value * load(z, here) * _sigmoid(load(z, here))
            store(y, here, value)


@_compiled
def _through_gate(count, D, u, z, y, g, grad_z):
    """∂z, and g turned from the gradient of the gated into that of the ungated output."""
    width, step = np.uint64(len(D)), np.uint64(LANES)
    for k in range(np.uint64(count)):
        for c in range(np.uint64(0), width, step):
            here = k * width + c
            z_k, g_k, sigmoid = load(z, here), load(g, here), _sigmoid(load(z, here))
            ungated = load(y, here) + load(D, c) * load(u, here)
            store(grad_z, here, g_k * ungated * (sigmoid + z_k * sigmoid * (ONE - sigmoid)))
            store(g, here, g_k * z_k * sigmoid)


@_compiled
def _through_D(count, D, u, g, grad_u, grad_D):
    """Adds D g to ∂u, and Σ_k g u of these positions to ∂D."""
    width, step = np.uint64(len(D)), np.uint64(LANES)
    for c in range(np.uint64(0), width, step):
        chunk = spread(ZERO)
        for k in range(np.uint64(count)):
            here = k * width + c
            chunk = chunk + load(g, here) * load(u, here)
            store(grad_u, here, load(grad_u, here) + load(D, c) * load(g, here))
        store(grad_D, c, load(grad_D, c) + chunk)


# From the tensors to blocks of whole lanes, and back

SMALLEST = np.float32(-1e-30)  # stands for A = 0 where (e^{ΔA} − 1)/A would be 0/0, and gives Δ to the last digit


@_compiled
def _tables(A, width, zoh):
    """A and A·log₂e as (N, width), filled up with −1, and 1/A where the exact weight needs it."""
    N, channels = A.shape
    table, log2 = np.empty((N, width), np.float32), np.empty((N, width), np.float32)
    inverse = np.empty((N, 0 if zoh is None else width), np.float32)
    for n in range(N):
        for c in range(width):
            a = A[n, c] if c < channels else -ONE
            if a > SMALLEST and zoh is not None:
                a = SMALLEST
            table[n, c] = a
            log2[n, c] = a * LOG2_E if a == a else np.float32(np.nan)  # other NaNs have bits that `scaled` would use
            if zoh is not None:
                inverse[n, c] = ONE / a
    return table, log2, inverse


@_compiled
def _block(width):
    return np.zeros((EVERY, width), np.float32)


@_compiled
def _put(block, rows):
    """Rows into a block that is zero beyond them."""
    count, channels = rows.shape
    for k in range(count):
        for c in range(channels):
            block[k, c] = rows[k, c]


@_compiled
def _take(rows, block):
    count, channels = rows.shape
    for k in range(count):
        for c in range(channels):
            rows[k, c] = block[k, c]


@_compiled
def _scan(first, last, width, zoh, u, delta, A, B, C, D, z, initial, y, state, kept):
    L, (G, N, c) = u.shape[1], A.shape
    blocks = (c + width - 1) // width
    states = np.zeros((EVERY + 1, N, width), np.float32)
    u_block, delta_block = np.empty((EVERY, width), np.float32), np.empty((EVERY, width), np.float32)
    y_block = np.empty((EVERY, width), np.float32)
    z_block = np.zeros((EVERY if z.size else 0, width), np.float32)
    D_block = np.empty((1, width), np.float32)
    for task in range(first, last):
        i, group, block = task // (G * blocks), task // blocks % G, task % blocks
        inner = slice(block * width, min(c, (block + 1) * width))  # channels within the group
        outer = slice(group * c + inner.start, group * c + inner.stop)
        filled = inner.stop - inner.start
        u_block[:], delta_block[:], D_block[:] = 0, 0, 0
        _, log2, inverse = _tables(A[group, :, inner], width, zoh)
        _put(D_block, D[outer].reshape(1, filled))
        _put(states[0], initial[i, group, :, inner])
        for chunk in range(kept.shape[1]):
            now = slice(chunk * EVERY, min(L, (chunk + 1) * EVERY))
            count = now.stop - now.start
            _take(kept[i, chunk, group, :, inner], states[0])
            _put(u_block, u[i, now, outer])
            _put(delta_block, delta[i, now, outer])
            if z.size:
                _put(z_block, z[i, now, outer])
            _advance(
                count, u_block, delta_block, log2, inverse, B[i, now, group], C[i, now, group], states, y_block, zoh
            )
            _finish(count, D_block[0], u_block, z_block, y_block)
            _take(y[i, now, outer], y_block)
            states[0] = states[count]
        _take(state[i, group, :, inner], states[0])


DOWN = np.arange(EVERY)[::-1].astype(np.uint64)  # time from its end; a loop over it is faster than one that counts down


@_compiled
def _adjoint(
    first, last, width, zoh, u, delta, A, B, C, D, z, kept, g, g_state,
    grad_u, grad_delta, grad_A, grad_B, grad_C, grad_D, grad_z, grad_initial,
):  # fmt: skip
    L, (G, N, c) = u.shape[1], A.shape
    blocks = (c + width - 1) // width
    states, carry = np.zeros((EVERY + 1, N, width), np.float32), np.empty((N, width), np.float32)
    u_block, delta_block, g_block, y_block, z_block, grad_u_block, grad_delta_block, grad_z_block = (
        _block(width), _block(width), _block(width), _block(width),
        _block(width), _block(width), _block(width), _block(width),
    )  # fmt: skip
    D_block, grad_D_block = np.zeros((1, width), np.float32), np.zeros((1, width), np.float32)
    for task in range(first, last):
        i, group, block = task // (G * blocks), task // blocks % G, task % blocks
        inner = slice(block * width, min(c, (block + 1) * width))
        outer = slice(group * c + inner.start, group * c + inner.stop)
        u_block[:], delta_block[:], g_block[:], z_block[:], carry[:] = 0, 0, 0, 0, 0
        grad_D_block[:] = 0
        table, log2, inverse = _tables(A[group, :, inner], width, zoh)
        sums_A = np.zeros((N, width), np.float32)
        _put(D_block, D[outer].reshape(1, outer.stop - outer.start))
        _put(carry, g_state[i, group, :, inner])
        for chunk in range(kept.shape[1] - 1, -1, -1):
            now = slice(chunk * EVERY, min(L, (chunk + 1) * EVERY))
            count = now.stop - now.start
            B_now, C_now = B[i, now, group], C[i, now, group]
            _put(states[0], kept[i, chunk, group, :, inner])
            _put(u_block, u[i, now, outer])
            _put(delta_block, delta[i, now, outer])
            _put(g_block, g[i, now, outer])
            _advance(count, u_block, delta_block, log2, inverse, B_now, C_now, states, y_block, zoh)
            if z.size:
                _put(z_block, z[i, now, outer])
                _through_gate(count, D_block[0], u_block, z_block, y_block, g_block, grad_z_block)
                _take(grad_z[i, now, outer], grad_z_block)
            grad_A_chunk = np.zeros((N, width), np.float32)
            _retreat(
                count, DOWN, u_block, delta_block, table, log2, inverse, B_now, C_now, states, g_block, carry,
                grad_u_block, grad_delta_block, grad_A_chunk,
                grad_B[i, block, now, group], grad_C[i, block, now, group], zoh,
            )  # fmt: skip
            sums_A += grad_A_chunk
            _through_D(count, D_block[0], u_block, g_block, grad_u_block, grad_D_block[0])
            _take(grad_u[i, now, outer], grad_u_block)
            _take(grad_delta[i, now, outer], grad_delta_block)
        _take(grad_A[i, group, :, inner], sums_A)
        _take(grad_D[i, outer].reshape(1, outer.stop - outer.start), grad_D_block)
        _take(grad_initial[i, group, :, inner], carry)
