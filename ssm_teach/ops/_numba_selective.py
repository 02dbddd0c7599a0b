"""The selective scan and its gradients as compiled loops for the CPU, in float32. Importing this needs Numba.

A task is one sequence and a block of neighbouring channels of one group. Its states lie as (N, width), so that the
inner loop runs over channels and becomes vector instructions; B_kn and C_kn are then the same number for all of them.
Time is cut into chunks of EVERY positions, so small that all states of a chunk stay in the cache. The forward pass
keeps the first state of every chunk, and the backward pass starts from it again. What a chunk needs is copied into
blocks filled up with zeros to a whole number of vectors: with a step of zero nothing happens.

The habits of `_numba` hold here too, and one more: a loop becomes vector instructions only if all it calls is compiled
here, so the exponential is our own.
"""

import functools

import numpy as np
import torch
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ssm_teach.ops._backends import run_tasks
from ssm_teach.ops._numba import _compiled
from ssm_teach.ops._selective_torch import EVERY

__all__ = ["adjoint", "scan"]

LANES = 16  # numbers in the widest vector; blocks are a multiple of it
WIDEST = 128  # channels of a block, at most
CACHED = 1 << 16  # numbers that the states of a chunk may have: 256 KiB


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
    return grad_u, grad_delta, grad_A.sum(0), grad_B.sum(1), grad_C.sum(1), grad_D.sum(0), grad_z, grad_initial


def _inputs(u, delta, A, B, C, D, z):
    """Arrays u, Δ, z (b, L, d), A (G, N, c), B, C (b, L, G, N), D (d,); D zero and z empty if there is none."""
    flat = [value.flatten(2) for value in (u, delta)]
    D = u.new_zeros(flat[0].shape[2]) if D is None else D.flatten()
    z = u.new_zeros(0, 0, 0) if z is None else z.flatten(2)
    return [_array(value) for value in (*flat, A, B[..., 0], C[..., 0], D, z)]


def _array(tensor):
    return tensor.detach().contiguous().numpy()


def _width(b, A):
    """Channels of a block: many make long loops, few leave work for every thread and states that fit the cache."""
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
LOWEST = np.float32(-127)  # 2^x is zero from here on: its exponent and mantissa are
MANTISSA = np.int32(23)  # bits of one
ONE, HALF = np.float32(1), np.float32(0.5)


def _reinterpreted(origin, target, llvm_type):
    """A function that reads the same 32 bits as another type."""

    @intrinsic
    def function(typing_context, value):
        def generate(context, builder, signature, arguments):
            return builder.bitcast(arguments[0], llvm_type)

        return target(origin), generate

    return function


_bits = _reinterpreted(types.float32, types.int32, ir.IntType(32))
_number = _reinterpreted(types.int32, types.float32, ir.FloatType())


@_compiled
def _exp2(x):
    """2^x for x ≤ 0. NaN stays NaN: the comparison is false for it, and n = 0 then."""
    x = LOWEST if x < LOWEST else x
    n = x + ROUND
    f = x - (n - ROUND)
    mantissa = ((((((Q5 * f + Q4) * f + Q3) * f + Q2) * f + Q1) * f) + Q0) * f + ONE
    return _number(_bits(mantissa) + (_bits(n) << MANTISSA))


@_compiled
def _exp2_minus_one(x):
    """2^x − 1 for x ≤ 0, with all its digits where it is small: 2ⁿ f q(f) + (2ⁿ − 1)."""
    x = LOWEST if x < LOWEST else x
    n = x + ROUND
    f = x - (n - ROUND)
    power = _number(_bits(ONE) + (_bits(n) << MANTISSA))
    return power * (((((((Q5 * f + Q4) * f + Q3) * f + Q2) * f + Q1) * f) + Q0) * f) + (power - ONE)


# φ₁′(z) = Σ z^k / (k! (k + 2)), for −½ < z ≤ 0

S0, S1, S2, S3, S4, S5, S6, S7 = map(np.float32, (1 / 2, 1 / 3, 1 / 8, 1 / 30, 1 / 144, 1 / 840, 1 / 5760, 1 / 45360))


@_compiled
def _phi1_derivative(z):
    return ((((((S7 * z + S6) * z + S5) * z + S4) * z + S3) * z + S2) * z + S1) * z + S0


@_compiled
def _sigmoid(z):
    small = _exp2(-abs(z) * LOG2_E)
    return (ONE if z >= 0 else small) / (ONE + small)


# Zero steps of A would make 0/0 of (e^{ΔA} − 1)/A. With this A instead it is Δ to the last digit.
SMALLEST = np.float32(-1e-30)


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
            log2[n, c] = a * LOG2_E if a == a else np.float32(np.nan)  # _exp2 takes no other NaN
            if zoh is not None:
                inverse[n, c] = ONE / a
    return table, log2, inverse


@_compiled
def _block(width):
    return np.zeros((EVERY, width), np.float32)


@_compiled
def _load(block, rows):
    """Rows into a block that is zero beyond them."""
    count, channels = rows.shape
    for k in range(count):
        for c in range(channels):
            block[k, c] = rows[k, c]


@_compiled
def _store(rows, block):
    count, channels = rows.shape
    for k in range(count):
        for c in range(channels):
            rows[k, c] = block[k, c]


@_compiled
def _advance(count, u, delta, log2, inverse, B, C, states, y, zoh):
    """states[k + 1] and Σ_n C_n x_n for the first positions of a chunk, from states[0]."""
    N, width = np.uint64(states.shape[1]), np.uint64(states.shape[2])
    step_u = np.empty(width, np.float32)
    for k in range(np.uint64(count)):
        after = k + np.uint64(1)
        for c in range(width):
            step_u[c] = delta[k, c] * u[k, c]
            y[k, c] = 0
        for n in range(N):
            B_n, C_n = B[k, n], C[k, n]
            if zoh is None:
                for c in range(width):
                    x = _exp2(delta[k, c] * log2[n, c]) * states[k, n, c] + B_n * step_u[c]
                    states[after, n, c] = x
                    y[k, c] += C_n * x
            else:
                for c in range(width):
                    change = _exp2_minus_one(delta[k, c] * log2[n, c])
                    x = (change + ONE) * states[k, n, c] + B_n * (change * inverse[n, c] * u[k, c])
                    states[after, n, c] = x
                    y[k, c] += C_n * x


@_compiled
def _gate(count, D, u, z, y):
    """y ← (y + D u) silu(z), or without the gate where z has no rows."""
    for k in range(count):
        for c in range(y.shape[1]):
            y[k, c] += D[c] * u[k, c]
        if len(z):
            for c in range(y.shape[1]):
                y[k, c] *= z[k, c] * _sigmoid(z[k, c])


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
        _load(D_block, D[outer].reshape(1, filled))
        _load(states[0], initial[i, group, :, inner])
        for chunk in range(kept.shape[1]):
            now = slice(chunk * EVERY, min(L, (chunk + 1) * EVERY))
            count = now.stop - now.start
            _store(kept[i, chunk, group, :, inner], states[0])
            _load(u_block, u[i, now, outer])
            _load(delta_block, delta[i, now, outer])
            if z.size:
                _load(z_block, z[i, now, outer])
            _advance(
                count, u_block, delta_block, log2, inverse, B[i, now, group], C[i, now, group], states, y_block, zoh
            )
            _gate(count, D_block[0], u_block, z_block, y_block)
            _store(y[i, now, outer], y_block)
            states[0] = states[count]
        _store(state[i, group, :, inner], states[0])


@functools.partial(_compiled, fastmath={"contract", "reassoc"})
def _dot(first, second):
    """Σ_c, in whatever order suits vectors; nothing else here may be reordered."""
    total = np.float32(0)
    for c in range(np.uint64(len(first))):
        total += first[c] * second[c]
    return total


DOWN = np.arange(EVERY)[::-1].astype(np.uint64)


@_compiled
def _retreat(
    count, down, u, delta, A, log2, inverse, B, C, states, g, carry, grad_u, grad_delta, grad_A, grad_B, grad_C, zoh
):
    """The gradients of `_advance`, from that of y. carry is that of the state, first after and then before it.

    With λ = carry + C g for the whole gradient of x_k: ∂(ΔA) = λ Ā x_{k−1}, and λ B̄ goes on to u, λ u to B̄.
    """
    N, width = np.uint64(states.shape[1]), np.uint64(states.shape[2])
    weighted, step_u = np.empty(width, np.float32), np.empty(width, np.float32)
    for j in range(np.uint64(count)):
        k = down[np.uint64(EVERY - count) + j]
        after = k + np.uint64(1)
        for c in range(width):
            step_u[c] = delta[k, c] * u[k, c]
            grad_u[k, c] = grad_delta[k, c] = 0
        for n in range(N):
            B_n, C_n = B[k, n], C[k, n]
            if zoh is None:
                for c in range(width):
                    lam = carry[n, c] + C_n * g[k, c]
                    weighted[c] = lam
                    carry[n, c] = lam * _exp2(delta[k, c] * log2[n, c])
                    exponent = carry[n, c] * states[k, n, c]
                    grad_u[k, c] += B_n * lam
                    grad_delta[k, c] += exponent * A[n, c]
                    grad_A[n, c] += exponent * delta[k, c]
                grad_B[k, n] = _dot(weighted, step_u)
            else:
                for c in range(width):
                    change = _exp2_minus_one(delta[k, c] * log2[n, c])
                    weight = change * inverse[n, c]  # Δ φ₁(ΔA)
                    lam = carry[n, c] + C_n * g[k, c]
                    weighted[c] = lam * weight
                    carry[n, c] = lam * (change + ONE)
                    exponent = carry[n, c] * states[k, n, c]
                    grad_u[k, c] += B_n * weighted[c]
                    source = B_n * lam * u[k, c]
                    grad_delta[k, c] += exponent * A[n, c] + source * (change + ONE)
                    z = delta[k, c] * A[n, c]
                    near = delta[k, c] * delta[k, c] * _phi1_derivative(z)
                    far = (delta[k, c] * (change + ONE) - weight) * inverse[n, c]
                    grad_A[n, c] += exponent * delta[k, c] + source * (near if z > -HALF else far)
                grad_B[k, n] = _dot(weighted, u[k])
            grad_C[k, n] = _dot(states[after, n], g[k])
        if zoh is None:
            for c in range(width):
                grad_delta[k, c] += grad_u[k, c] * u[k, c]
                grad_u[k, c] *= delta[k, c]


@_compiled
def _through_gate(count, D, u, z, y, g, grad_z):
    """∂z, and g turned from the gradient of the gated into that of the ungated output."""
    for k in range(count):
        for c in range(y.shape[1]):
            sigmoid = _sigmoid(z[k, c])
            grad_z[k, c] = g[k, c] * (y[k, c] + D[c] * u[k, c]) * (sigmoid + z[k, c] * sigmoid * (ONE - sigmoid))
            g[k, c] *= z[k, c] * sigmoid


@_compiled
def _through_D(count, D, u, g, grad_u, grad_D):
    """Adds D g to ∂u, and Σ_k g u of these positions to ∂D."""
    chunk = np.zeros(len(D), np.float32)
    for k in range(count):
        for c in range(len(D)):
            chunk[c] += g[k, c] * u[k, c]
            grad_u[k, c] += D[c] * g[k, c]
    for c in range(len(D)):
        grad_D[c] += chunk[c]


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
        total = np.zeros((N, width), np.float32)
        _load(D_block, D[outer].reshape(1, outer.stop - outer.start))
        _load(carry, g_state[i, group, :, inner])
        for chunk in range(kept.shape[1] - 1, -1, -1):
            now = slice(chunk * EVERY, min(L, (chunk + 1) * EVERY))
            count = now.stop - now.start
            B_now, C_now = B[i, now, group], C[i, now, group]
            _load(states[0], kept[i, chunk, group, :, inner])
            _load(u_block, u[i, now, outer])
            _load(delta_block, delta[i, now, outer])
            _load(g_block, g[i, now, outer])
            _advance(count, u_block, delta_block, log2, inverse, B_now, C_now, states, y_block, zoh)
            if z.size:
                _load(z_block, z[i, now, outer])
                _through_gate(count, D_block[0], u_block, z_block, y_block, g_block, grad_z_block)
                _store(grad_z[i, now, outer], grad_z_block)
            grad_A_chunk = np.zeros((N, width), np.float32)
            _retreat(
                count, DOWN, u_block, delta_block, table, log2, inverse, B_now, C_now, states, g_block, carry,
                grad_u_block, grad_delta_block, grad_A_chunk,
                grad_B[i, block, now, group], grad_C[i, block, now, group], zoh,
            )  # fmt: skip
            total += grad_A_chunk
            _through_D(count, D_block[0], u_block, g_block, grad_u_block, grad_D_block[0])
            _store(grad_u[i, now, outer], grad_u_block)
            _store(grad_delta[i, now, outer], grad_delta_block)
        _store(grad_A[i, group, :, inner], total)
        _store(grad_D[i, outer].reshape(1, outer.stop - outer.start), grad_D_block)
        _store(grad_initial[i, group, :, inner], carry)
