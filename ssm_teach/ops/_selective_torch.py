"""The selective scan and its gradients in large tensor operations, on any device, a stretch of time after the other.

A stretch is so long that its states, b × stretch × d × N numbers, are about `NUMBERS`: enough to keep an operation
busy, few enough to stay in a processor's cache. Longer sequences take more stretches and no more memory. What is kept
of each is the state at every `EVERY`-th position, from which the backward pass computes the others again.

Shapes inside: u, Δ, z (b, L, G, 1, c) with G groups of c channels; B, C (b, L, G, N, 1); A, states (…, G, N, c).
"""

import math

import torch

from ssm_teach.discretize import phi1
from ssm_teach.ops import _two_level

__all__ = ["EVERY", "adjoint", "computes", "scan"]

EVERY = 32  # positions from one kept state to the next
NUMBERS = 1 << 19
BUSY = 1 << 14  # numbers that make an operation worth its call, and that PyTorch still leaves to one thread


def computes(delta, A):
    """Whether this is the place for these numbers: always."""
    return True


def scan(u, delta, A, B, C, D, z, initial, zoh):
    """(y, last state, kept states): the state before position 0, EVERY, 2·EVERY, …"""
    y = torch.empty_like(u)
    kept = u.new_empty(len(u), -(-u.shape[1] // EVERY), *initial.shape[1:])
    state = initial
    for now in _stretches(u, A):
        states = _states(*_coefficients(u[:, now], delta[:, now], A, B[:, now], zoh), state)
        first = now.start // EVERY
        kept[:, first] = state
        inner = states[:, EVERY - 1 : -1 : EVERY]
        kept[:, first + 1 : first + 1 + inner.shape[1]] = inner
        y[:, now] = _read(states, C[:, now])
        state = states[:, -1]
    if D is not None:
        y.addcmul_(D, u)
    return y if z is None else y.mul_(torch.nn.functional.silu(z)), state.clone(), kept


def adjoint(u, delta, A, B, C, D, z, kept, g, g_state, zoh):
    """Gradients of u, delta, A, B, C, D, z and the initial state; None for a D or z that is not there."""
    grads = [None if value is None else torch.empty_like(value) for value in (u, delta, B, C, z)]
    grad_u, grad_delta, grad_B, grad_C, grad_z = grads
    grad_A, grad_D = torch.zeros_like(A), None if D is None else torch.zeros_like(D)
    later = g_state  # gradient of the state after this stretch
    for now in reversed(_stretches(u, A)):
        u_now, delta_now, B_now, C_now, g_now = (value[:, now] for value in (u, delta, B, C, g))
        before = kept[:, now.start // EVERY]
        a, b = _coefficients(u_now, delta_now, A, B_now, zoh)
        x = _states(a, b, before)
        if z is not None:
            z_now = z[:, now]
            y = _read(x, C_now) if D is None else _read(x, C_now).addcmul_(D, u_now)
            sigmoid = torch.sigmoid(z_now)
            grad_z[:, now] = g_now * y * sigmoid * (1 + z_now * (1 - sigmoid))
            g_now = g_now * z_now * sigmoid
        grad_C[:, now] = x @ g_now.mT
        g_x = C_now * g_now
        g_x[:, -1] += later
        grad_a, delta_x, later = _adjoint(a, x, before, g_x)
        grads_now = _through_coefficients(u_now, delta_now, A, B_now, zoh, a, grad_a, delta_x)
        grad_u[:, now], grad_delta[:, now], grad_A_now, grad_B[:, now] = grads_now
        grad_A += grad_A_now
        if D is not None:
            grad_u[:, now].addcmul_(D, g_now)
            grad_D += (g_now * u_now).sum((0, 1))
    return grad_u, grad_delta, grad_A, grad_B, grad_C, grad_D, grad_z, later


def _stretches(u, A):
    """Slices of time, each a multiple of EVERY long but the last."""
    L, a_position = u.shape[1], len(u) * A.numel()
    length = EVERY * max(1, NUMBERS // max(1, EVERY * a_position))
    return [slice(start, min(start + length, L)) for start in range(0, L, length)]


def _coefficients(u, delta, A, B, zoh):
    """a and b of x_k = a_k x_{k−1} + b_k."""
    dtA = delta * A
    if zoh:
        return torch.exp(dtA), phi1(dtA).mul_(delta * u).mul_(B)
    return dtA.exp_(), delta * u * B


def _through_coefficients(u, delta, A, B, zoh, a, grad_a, grad_b):
    """Gradients of u, delta, A and B from those of a and b. Overwrites the latter."""
    grad_dtA = grad_a.mul_(a)
    if not zoh:
        into = (B.mT @ grad_b).squeeze_(-2)[..., None, :]  # Σ_n B_n ∂b_n, what Δu receives
        grad_B = grad_b @ (delta * u).mT
        grad_u, grad_delta = into * delta, into * u
    else:
        dtA = delta * A
        phi = phi1(dtA)
        grad_B = (grad_b * phi) @ (delta * u).mT
        grad_b.mul_(B)  # what φ₁(ΔA) Δ u receives
        grad_u = (grad_b * phi).sum(-2, keepdim=True)
        grad_delta, grad_u = grad_u * u, grad_u * delta
        grad_dtA.addcmul_(grad_b.mul_(delta * u), _phi1_derivative(dtA, a, phi))
    grad_delta += (grad_dtA * A).sum(-2, keepdim=True)
    return grad_u, grad_delta, grad_dtA.mul_(delta).sum((0, 1)), grad_B


def _phi1_derivative(z, exp, phi):
    """φ₁′(z) = (e^z − φ₁(z))/z, by its series Σ z^k / (k! (k + 2)) where the quotient loses digits."""
    near = z.abs() < 0.5
    z_near, series = torch.where(near, z, 0), torch.zeros_like(z)
    for k in reversed(range(15)):
        series = series.mul_(z_near).add_(1 / (math.factorial(k) * (k + 2)))
    return torch.where(near, series, (exp - phi) / torch.where(near, 1, z))


def _states(a, b, before):
    """x_k = a_k x_{k−1} + b_k from the state before, written over b."""
    _two_level._fill(b, a, b, before, size=_chunk(a))
    return b


def _adjoint(a, x, before, g):
    """∂a, ∂b and the gradient of the state before, from the gradient g of x, which is overwritten."""
    if a.shape[1] > 1:  # δ_k = g_k + a_{k+1} δ_{k+1}: the same recurrence, downwards
        _two_level._fill(g[:, :-1], a[:, 1:], g[:, :-1], g[:, -1], order=-1, size=_chunk(a[:, 1:]))
    grad_a = torch.empty_like(g)
    torch.mul(g[:, 0], before, out=grad_a[:, 0])
    torch.mul(g[:, 1:], x[:, :-1], out=grad_a[:, 1:])
    return grad_a, g, a[:, 0] * g[:, 0]


def _chunk(a):
    """Positions in a chunk: about √L, but more where BUSY numbers need fewer chunks side by side."""
    L, side_by_side = a.shape[1], max(1, BUSY // max(1, a[:, 0].numel()))
    return max(math.isqrt(L), -(-L // side_by_side))


def _read(x, C):
    """Σ_n C_n x_n."""
    return C.mT @ x
