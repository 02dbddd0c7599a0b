"""The linear recurrence x_k = a_k x_{k−1} + b_k, elementwise, and its adjoint."""

import math

import torch

from ssm_teach.errors import require

__all__ = ["linear_scan", "linear_scan_direct"]

DTYPES = (torch.float32, torch.float64, torch.complex64, torch.complex128)


def linear_scan(a, b, x0=None):
    """x_k = a_k x_{k−1} + b_k for k = 0, …, L−1, elementwise, from x_{−1} = x0.

    Args:
        a: Multipliers: shaped like b, or b.shape[2:] if they are the same for every sequence and at every time.
        b: Inputs, (batch, L, …channels).
        x0: State before the first input, (batch, …channels); zero if left out.

    Returns: x, shaped like b.
    Raises: UserError: shapes, dtypes or devices that do not fit; L = 0.

    >>> linear_scan(torch.tensor([0.5]), torch.tensor([[[1.0], [0.0], [4.0]]]))
    tensor([[[1.0000], [0.5000], [4.2500]]])
    """
    _check(a, b, x0)
    return _Scan.apply(a, b, b.new_zeros(b.shape[0], *b.shape[2:]) if x0 is None else x0)


def linear_scan_direct(a, b, x0=None):
    """The same, one position after the other: the equation as it is written, and the oracle of every faster form.

    Any dtype and device; differentiable as often as wanted.
    """
    _check(a, b, x0)
    multipliers = [a] * b.shape[1] if _is_constant(a, b) else a.unbind(1)
    state = torch.zeros_like(b[:, 0]) if x0 is None else x0
    x = []
    for a_k, b_k in zip(multipliers, b.unbind(1), strict=True):
        state = a_k * state + b_k
        x.append(state)
    return torch.stack(x, 1)


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, b, x0):
        x = torch.empty(b.shape, dtype=b.dtype, device=b.device)
        _two_level(a, b, x0, out=x)
        ctx.save_for_backward(a, x, x0)
        return x

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g):
        a, x, x0 = ctx.saved_tensors
        return _adjoint(a, x, x0, g)


def _adjoint(a, x, x0, g):
    """δ_k = g_k + conj(a_{k+1}) δ_{k+1}; ∂a_k = δ_k conj(x_{k−1}), ∂b_k = δ_k, ∂x0 = conj(a_0) δ_0."""
    constant = _is_constant(a, x)
    delta = torch.empty_like(x)
    delta[:, -1] = g[:, -1]
    a_conj = a.conj()
    if x.shape[1] > 1:
        later = a_conj if constant else a_conj[:, 1:]
        _two_level(later, g[:, :-1], g[:, -1], out=delta[:, :-1], reverse=True)
    previous = torch.cat([x0[:, None], x[:, :-1]], 1)
    grad_a = delta * previous.conj()
    return grad_a.sum((0, 1)) if constant else grad_a, delta, (a_conj if constant else a_conj[:, 0]) * delta[:, 0]


def _two_level(a, b, x0, out, reverse=False, chunk=None):
    L = b.shape[1]
    T = chunk or math.isqrt(L)
    chunks, order = L // T, -1 if reverse else 1
    inside = slice(L - chunks * T, L) if reverse else slice(0, chunks * T)

    def by_step(M):  # T views (batch, chunks, …): the j-th position of every chunk
        return M[:, inside].unflatten(1, (chunks, T)).unbind(2)[::order]

    constant = _is_constant(a, b)
    a_steps, b_steps, x_steps = [a] * T if constant else by_step(a), by_step(b), by_step(out)
    starts = [x0]
    if chunks > 1:
        product, local = a_steps[0].clone(), b_steps[0].clone()
        for a_j, b_j in zip(a_steps[1:], b_steps[1:], strict=True):
            product.mul_(a_j)
            torch.addcmul(b_j, a_j, local, out=local)
        if not (product.isfinite().all() and local.isfinite().all()):
            return _two_level(a, b, x0, out, reverse, chunk=L)
        products = [product] * chunks if constant else product.unbind(1)[::order]
        for product_c, local_c in zip(products[:-1], local.unbind(1)[::order][:-1], strict=True):
            starts.append(torch.addcmul(local_c, product_c, starts[-1]))
    state = torch.stack(starts[::order], 1)
    for a_j, b_j, x_j in zip(a_steps, b_steps, x_steps, strict=True):
        state = torch.addcmul(b_j, a_j, state, out=x_j)
    state = state[:, 0 if reverse else -1]
    rest = range(L - chunks * T - 1, -1, -1) if reverse else range(chunks * T, L)
    for k in rest:
        state = torch.addcmul(b[:, k], a if constant else a[:, k], state, out=out[:, k])


def _is_constant(a, b):
    return a.ndim < b.ndim


def _check(a, b, x0):
    arguments = {"a": a, "b": b} if x0 is None else {"a": a, "b": b, "x0": x0}
    for name, value in arguments.items():
        require(
            isinstance(value, torch.Tensor),
            f"linear_scan: {name} must be a torch tensor; got {type(value).__name__}. Use torch.as_tensor({name})",
        )
    shapes = {name: tuple(value.shape) for name, value in arguments.items()}
    require(
        b.ndim >= 2 and b.shape[1] > 0,
        f"linear_scan: b must have shape (batch, L, …channels) with L ≥ 1; got {shapes['b']}",
    )
    channels, state = shapes["b"][2:], (shapes["b"][0], *shapes["b"][2:])
    require(
        shapes["a"] in (shapes["b"], channels),
        f"linear_scan: a must be shaped like b, {shapes['b']}, or {channels} if constant; got {shapes['a']}",
    )
    require(x0 is None or shapes["x0"] == state, f"linear_scan: x0 must have shape {state}; got {shapes.get('x0')}")
    for name, value in arguments.items():
        require(
            value.dtype == b.dtype and value.device == b.device,
            f"linear_scan: {name} is {value.dtype} on {value.device} but b is {b.dtype} on {b.device}; "
            f"use {name}.to(b)",
        )
    require(
        b.dtype in DTYPES,
        f"linear_scan: b must be float32, float64, complex64 or complex128; got {b.dtype}. Use .float()",
    )
