"""The linear recurrence x_k = a_k x_{k−1} + b_k, elementwise, and its adjoint.

Let g_k be the gradient of a loss that reaches x_k directly, and δ_k the whole of it: x_k also acts through x_{k+1}. So

    δ_k = g_k + conj(a_{k+1}) δ_{k+1},    δ_{L−1} = g_{L−1},

the same recurrence, run from the end. All that the loss is to know about the arguments follows from δ:

    ∂a_k = δ_k conj(x_{k−1}),    ∂b_k = δ_k,    ∂x0 = conj(a_0) δ_0,

summed over time and batch for a constant a. PyTorch's convention for complex numbers asks for the conjugates: without
them the real part is still right, and so is every test with real numbers.
"""

import torch

from ssm_teach.errors import require
from ssm_teach.ops._backends import implementation, wants_reference

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
    _check("linear_scan", a, b, x0)
    require(
        b.dtype in DTYPES,
        f"linear_scan: b must be float32, float64, complex64 or complex128; got {b.dtype}. Use .float() on all of them",
    )
    if wants_reference():
        return linear_scan_direct(a, b, x0)
    return _scan(a, b, b.new_zeros(b.shape[0], *b.shape[2:]) if x0 is None else x0)


def linear_scan_direct(a, b, x0=None):
    """The same, one position after the other: the equation as it is written, and the oracle of every faster form.

    Any dtype and device; differentiable as often as wanted.
    """
    _check("linear_scan_direct", a, b, x0)
    multipliers = [a] * b.shape[1] if _is_constant(a, b) else a.unbind(1)
    state = torch.zeros_like(b[:, 0]) if x0 is None else x0
    x = []
    for a_k, b_k in zip(multipliers, b.unbind(1), strict=True):
        state = a_k * state + b_k
        x.append(state)
    return torch.stack(x, 1)


@torch.library.custom_op("ssm_teach::linear_scan", mutates_args=())
def _scan(a: torch.Tensor, b: torch.Tensor, x0: torch.Tensor) -> torch.Tensor:
    return implementation("linear_scan", b.device).scan(a, b, x0)


@torch.library.custom_op("ssm_teach::linear_scan_adjoint", mutates_args=())
def _adjoint(
    a: torch.Tensor, x: torch.Tensor, x0: torch.Tensor, g: torch.Tensor, needs_a: bool
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return implementation("linear_scan", x.device).adjoint(a, x, x0, g, needs_a)


@_scan.register_fake
def _(a, b, x0):
    return b.new_empty(b.shape)


@_adjoint.register_fake
def _(a, x, x0, g, needs_a):
    return x.new_empty(a.shape if needs_a else 0), x.new_empty(x.shape), x.new_empty(x0.shape)


def _remember(ctx, inputs, output):
    a, _, x0 = inputs
    ctx.save_for_backward(a, x0, output)


def _backward(ctx, g):
    a, x0, x = ctx.saved_tensors
    needs_a, needs_b, needs_x0 = ctx.needs_input_grad
    if torch.is_grad_enabled():  # a second derivative is wanted
        grad_a, delta, grad_x0 = _adjoint_as_a_scan(a, x, x0, g)
    else:
        grad_a, delta, grad_x0 = _adjoint(a, x, x0, g, needs_a)
    return grad_a if needs_a else None, delta if needs_b else None, grad_x0 if needs_x0 else None


_scan.register_autograd(_backward, setup_context=_remember)


def _adjoint_as_a_scan(a, x, x0, g):
    """The three equations in the head of this file, literally, from operations that can be differentiated again."""
    constant = _is_constant(a, x)
    a_later = a if constant else torch.cat([a[:, 1:], torch.zeros_like(a[:, :1])], 1)  # a_{k+1}; nothing after the end
    delta = linear_scan(a_later.conj() if constant else a_later.conj().flip(1), g.flip(1)).flip(1)
    x_earlier = torch.cat([x0[:, None], x[:, :-1]], 1)
    grad_a = delta * x_earlier.conj()
    grad_x0 = (a if constant else a[:, 0]).conj() * delta[:, 0]
    return grad_a.sum((0, 1)) if constant else grad_a, delta, grad_x0


def _is_constant(a, b):
    return a.ndim < b.ndim


def _check(function, a, b, x0):
    arguments = {"a": a, "b": b} if x0 is None else {"a": a, "b": b, "x0": x0}
    for name, value in arguments.items():
        require(
            isinstance(value, torch.Tensor),
            f"{function}: {name} must be a torch tensor; got {type(value).__name__}. Use torch.as_tensor({name})",
        )
    shapes = {name: tuple(value.shape) for name, value in arguments.items()}
    require(
        b.ndim >= 2 and b.shape[1] > 0,
        f"{function}: b must have shape (batch, L, …channels) with L ≥ 1; got {shapes['b']}",
    )
    channels, state = shapes["b"][2:], (shapes["b"][0], *shapes["b"][2:])
    require(
        shapes["a"] in (shapes["b"], channels),
        f"{function}: a must be shaped like b, {shapes['b']}, or {channels} if constant; got {shapes['a']}",
    )
    require(x0 is None or shapes["x0"] == state, f"{function}: x0 must have shape {state}; got {shapes.get('x0')}")
    for name, value in arguments.items():
        require(
            value.device == b.device,
            f"{function}: {name} is on {value.device} but b on {b.device}; use {name}.to(b.device)",
        )
        require(
            value.dtype == b.dtype,
            f"{function}: {name} is {value.dtype} but b is {b.dtype}; give both as "
            f"{torch.promote_types(value.dtype, b.dtype)}",
        )
