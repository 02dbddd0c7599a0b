"""The linear scan and its adjoint in about 3√L large tensor operations, on any device.

Time is cut into chunks of about √L positions. An affine map composed with an affine map is one again, so each chunk as
a whole is x ↦ product·x + local, and the scan has three phases:

1. product and local of every chunk, all chunks side by side, one position after the other;
2. the states in which the chunks start, one chunk after the other;
3. the recurrence itself inside the chunks, again side by side, from these states.

Nothing is divided by, so a may be zero, and nothing of size L is kept but the result. Where a product overflows, or an
infinite state meets one that has vanished, 0·∞ would make a NaN that the recurrence does not; then all of time is one
chunk, whose product nobody needs.
"""

import math

import torch

__all__ = ["adjoint", "scan"]


def scan(a, b, x0):
    """x of `linear_scan`."""
    x = torch.empty(b.shape, dtype=b.dtype, device=b.device)
    _fill(x, a, b, x0)
    return x


def adjoint(a, x, x0, g, needs_a):
    """(∂a, ∂b, ∂x0) of `linear_scan`; ∂a is empty unless it is needed."""
    constant = a.ndim < x.ndim
    a_conj = a.conj_physical()  # not conj(): a custom operator may be run where its lazy mark is not heeded
    delta = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    delta[:, -1] = g[:, -1]
    if x.shape[1] > 1:  # δ_k = g_k + conj(a_{k+1}) δ_{k+1}: the same recurrence, downwards
        _fill(delta[:, :-1], a_conj if constant else a_conj[:, 1:], g[:, :-1], g[:, -1], order=-1)
    grad_x0 = (a_conj if constant else a_conj[:, 0]) * delta[:, 0]
    if not needs_a:
        return x.new_empty(0), delta, grad_x0
    grad_a = torch.empty_like(delta)
    grad_a[:, 0], grad_a[:, 1:] = x0, x[:, :-1]
    grad_a.conj_physical_().mul_(delta)
    return grad_a.sum((0, 1)) if constant else grad_a, delta, grad_x0


def _fill(x, a, b, x0, order=1, size=None):
    """Write x_k = a_k x_{k−1} + b_k into x. With order = −1 time runs down: x_k = a_k x_{k+1} + b_k, from x_L = x0."""
    L, constant = b.shape[1], a.ndim < b.ndim
    size = size or math.isqrt(L)  # of a chunk
    count = L // size
    cut = count * size if order == 1 else L - count * size  # what does not fill a chunk comes last
    whole, rest = (slice(0, cut), slice(cut, L))[::order]

    def positions(M):  # (batch, L, …) → for each position in a chunk, that position of every chunk: (batch, count, …)
        return M[:, whole].unflatten(1, (count, size)).unbind(2)[::order]

    a_steps, b_steps, x_steps = [a] * size if constant else positions(a), positions(b), positions(x)
    state = x0[:, None]
    if count > 1:
        product, local = _composed(a_steps, b_steps)
        state = _starts([product] * count if constant else product.unbind(1), local.unbind(1), x0, order)
        if not state.isfinite().all():
            return _fill(x, a, b, x0, order, size=L)
    for a_j, b_j, x_j in zip(a_steps, b_steps, x_steps, strict=True):
        state = torch.addcmul(b_j, a_j, state, out=x_j)
    if L % size:
        last = state[:, -1 if order == 1 else 0]
        _fill(x[:, rest], a if constant else a[:, rest], b[:, rest], last, order)
    return None


def _composed(a_steps, b_steps):
    """The map of every chunk as one: (a, b) then (a_j, b_j) is (a_j a, a_j b + b_j)."""
    product, local = a_steps[0].clone(), b_steps[0].clone()
    for a_j, b_j in zip(a_steps[1:], b_steps[1:], strict=True):
        product.mul_(a_j)
        torch.addcmul(b_j, a_j, local, out=local)
    return product, local


def _starts(products, locals_, x0, order):
    """The state in which each chunk starts, (batch, count, …)."""
    states = [x0]
    for product, local in list(zip(products, locals_, strict=True))[::order][:-1]:
        states.append(torch.addcmul(local, product, states[-1]))
    return torch.stack(states[::order], 1)
