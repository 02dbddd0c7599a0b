"""The selective state space recurrence (S6), from the input to the gated output in one operation.

Every position has a step Δ_k, an input weight B_k and an output weight C_k of its own. For each channel,

    x_k = Ā_k x_{k−1} + B̄_k u_k,    y_k = (C_k · x_k + D u_k) · silu(z_k),

with Ā_k = e^{Δ_k A}, A diagonal, and one of two input weights: B̄_k = Δ_k B_k ("simplified", what Mamba's released code
computes) or B̄_k = Δ_k φ₁(Δ_k A) B_k ("zoh", exact for an input that is constant during the step).

The states are N times as large as the input, so all of them are never held at once. Every 32nd is kept; the backward
pass computes those between them again. With g_k for the gradient that reaches y_k, the adjoint of x is

    λ_k = g_k C_k + Ā_{k+1} λ_{k+1},

and ∂Ā_k = λ_k x_{k−1}, ∂B̄_k = λ_k u_k, ∂C_k = g_k x_k, summed over what shares a number: channels for B and C,
sequences and positions for A.

Source: A. Gu and T. Dao 2023, Mamba, algorithm 2 and section 3.3.
"""

import torch

from ssm_teach.discretize import phi1
from ssm_teach.errors import choose, require
from ssm_teach.ops import _selective_torch
from ssm_teach.ops._backends import implementation, wants_reference

__all__ = ["METHODS", "selective_scan", "selective_scan_direct"]

METHODS = ("simplified", "zoh")
DTYPES = (torch.float32, torch.float64)


def selective_scan(
    u, delta, A, B, C, D=None, z=None, initial_state=None, return_state=False, method="simplified"
):  # fmt: skip
    """x_k = e^{Δ_k A} x_{k−1} + B̄_k u_k, y_k = (C_k · x_k + D u_k) · silu(z_k), channel by channel.

    Args:
        u: Input, (b, L, d), float32 or float64, as all others are.
        delta: Steps Δ > 0, (b, L, d).
        A: Diagonal of the state matrix, (d, N), negative.
        B, C: Input and output weights, (b, L, N) for all channels, or (b, L, G, N) for G groups of d/G neighbours.
        D: Weight of the input in the output, (d,); none if left out.
        z: Gate, (b, L, d); none if left out.
        initial_state: State before the first input, (b, d, N); zero if left out.
        return_state: Whether the state after the last input comes back too.
        method: Input weight B̄: "simplified" is ΔB, "zoh" the exact Δ φ₁(ΔA) B.

    Returns: y (b, L, d), or (y, state) with state (b, d, N).
    Raises: UserError: shapes, dtypes or devices that do not fit; L = 0; an unknown method.

    The compiled loops are for float32 on a CPU and for Δ·A ≤ 0, where Ā cannot overflow. Everything else, and second
    derivatives, take the torch path, whatever backend is asked for. Second derivatives hold all states at once.

    >>> one = torch.ones(1, 3, 1)
    >>> selective_scan(one, one, -one[0, :1], one, one).round(decimals=4).flatten()
    tensor([1.0000, 1.3679, 1.5032])
    """
    _check("selective_scan", u, delta, A, B, C, D, z, initial_state, method)
    require(
        u.dtype in DTYPES,
        f"selective_scan: u must be float32 or float64; got {u.dtype}. Use .float() on every argument",
    )
    if wants_reference():
        return selective_scan_direct(u, delta, A, B, C, D, z, initial_state, return_state, method)
    if initial_state is None:
        initial_state = u.new_zeros(u.shape[0], *A.shape)
    B, C = (value.unsqueeze(2) if value.ndim == 3 else value for value in (B, C))
    y, state, _ = _scan(u, delta, A, B, C, D, z, initial_state, method == "zoh")
    return (y, state) if return_state else y


def selective_scan_direct(
    u, delta, A, B, C, D=None, z=None, initial_state=None, return_state=False, method="simplified"
):  # fmt: skip
    """The same, one position after the other: the equation as it is written, and the oracle of every faster form.

    Any dtype and device; differentiable as often as wanted.
    """
    _check("selective_scan_direct", u, delta, A, B, C, D, z, initial_state, method)
    channels = u.shape[2]
    B, C = (_per_channel(value, channels) for value in (B, C))  # (b, L, d, N)
    state = u.new_zeros(u.shape[0], *A.shape) if initial_state is None else initial_state
    y = []
    for u_k, delta_k, B_k, C_k in zip(*(value.unbind(1) for value in (u, delta, B, C)), strict=True):
        dtA = delta_k[..., None] * A
        B_bar = delta_k[..., None] * B_k * (phi1(dtA) if method == "zoh" else 1)
        state = torch.exp(dtA) * state + B_bar * u_k[..., None]
        y.append((C_k * state).sum(-1))
    y = torch.stack(y, 1)
    y = y if D is None else y + D * u
    y = y if z is None else y * torch.nn.functional.silu(z)
    return (y, state) if return_state else y


def _per_channel(weights, channels):
    """(b, L, N) or (b, L, G, N) as (b, L, d, N)."""
    if weights.ndim == 3:
        return weights.unsqueeze(2).expand(-1, -1, channels, -1)
    return weights.repeat_interleave(channels // weights.shape[2], 2)


# The operator as PyTorch sees it. B and C have their group dimension here.

Optional = torch.Tensor | None


@torch.library.custom_op("ssm_teach::selective_scan", mutates_args=())
def _scan(
    u: torch.Tensor,
    delta: torch.Tensor,
    A: torch.Tensor,
    B: torch.Tensor,
    C: torch.Tensor,
    D: torch.Tensor | None,
    z: torch.Tensor | None,
    initial_state: torch.Tensor,
    zoh: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    groups = B.shape[2]
    arguments = _inside(groups, u, delta, A, B, C, D, z)
    initial = _grouped_state(initial_state, groups)
    y, state, kept = _backend(u, delta, A).scan(*arguments, initial, zoh)
    return y.view(u.shape), _outside_state(state), kept


@torch.library.custom_op("ssm_teach::selective_scan_adjoint", mutates_args=())
def _adjoint(
    u: torch.Tensor,
    delta: torch.Tensor,
    A: torch.Tensor,
    B: torch.Tensor,
    C: torch.Tensor,
    D: torch.Tensor | None,
    z: torch.Tensor | None,
    kept: torch.Tensor,
    g: torch.Tensor,
    g_state: torch.Tensor,
    zoh: bool,
) -> list[torch.Tensor]:
    groups = B.shape[2]
    arguments = _inside(groups, u, delta, A, B, C, D, z)
    g, g_state = _grouped(g, groups), _grouped_state(g_state, groups)
    grads = _backend(u, delta, A).adjoint(*arguments, kept, g, g_state, zoh)
    grad_u, grad_delta, grad_A, grad_B, grad_C, grad_D, grad_z, grad_initial = grads
    grad_D = u.new_empty(0) if D is None else grad_D.reshape(D.shape)
    grad_z = u.new_empty(0) if z is None else grad_z.reshape(z.shape)
    return [
        grad_u.reshape(u.shape),
        grad_delta.reshape(u.shape),
        _outside_state(grad_A[None])[0],
        grad_B.reshape(B.shape),
        grad_C.reshape(C.shape),
        grad_D,
        grad_z,
        _outside_state(grad_initial),
    ]


def _backend(u, delta, A):
    module = implementation("selective_scan", u.device, _selective_torch, "_numba_selective")
    return module if module.computes(delta, A) else _selective_torch


def _inside(groups, u, delta, A, B, C, D, z):
    """The arguments shaped for the backends: channels last and by group, so that they are neighbours in memory."""
    u, delta, z = (None if value is None else _grouped(value, groups) for value in (u, delta, z))
    D = None if D is None else D.reshape(groups, 1, -1)
    return u, delta, _grouped_state(A[None], groups)[0], B[..., None], C[..., None], D, z


def _grouped(value, groups):
    """(b, L, d) as (b, L, G, 1, d/G)."""
    return value.unflatten(2, (groups, 1, value.shape[2] // groups))


def _grouped_state(state, groups):
    """(b, d, N) as (b, G, N, d/G)."""
    return state.unflatten(1, (groups, state.shape[1] // groups)).mT


def _outside_state(state):
    """(b, G, N, d/G) as (b, d, N)."""
    return state.mT.flatten(1, 2).contiguous()


@_scan.register_fake
def _(u, delta, A, B, C, D, z, initial_state, zoh):
    b, L, d = u.shape
    groups, N = B.shape[2:]
    kept = u.new_empty(b, -(-L // _selective_torch.EVERY), groups, N, d // groups)
    return u.new_empty(u.shape), u.new_empty(b, d, N), kept


@_adjoint.register_fake
def _(u, delta, A, B, C, D, z, kept, g, g_state, zoh):
    initial = u.new_empty(u.shape[0], *A.shape)
    shapes = [0 if value is None else value.shape for value in (u, delta, A, B, C, D, z, initial)]
    return [u.new_empty(shape) for shape in shapes]


def _remember(ctx, inputs, output):
    *tensors, ctx.zoh = inputs
    ctx.save_for_backward(*tensors, output[2])
    ctx.mark_non_differentiable(output[2])
    ctx.set_materialize_grads(False)  # else the gradient of the kept states is made, and filled with zeros


def _backward(ctx, g, g_state, _):
    *tensors, initial_state, kept = ctx.saved_tensors
    g = torch.zeros_like(tensors[0]) if g is None else g
    g_state = torch.zeros_like(initial_state) if g_state is None else g_state
    if torch.is_grad_enabled():  # a second derivative is wanted
        grads = _adjoint_of_the_loop((*tensors, initial_state), g, g_state, ctx.zoh)
    else:
        grads = _adjoint(*tensors, kept, g, g_state, ctx.zoh)
    grads = [grad if needed else None for grad, needed in zip(grads, ctx.needs_input_grad[:-1], strict=True)]
    return *grads, None


_scan.register_autograd(_backward, setup_context=_remember)


def _adjoint_of_the_loop(tensors, g, g_state, zoh):
    """The gradients, from operations that can be differentiated again: those of the plain loop."""
    with torch.enable_grad():
        method = METHODS[zoh]
        wanted = [value for value in tensors if value is not None and value.requires_grad]
        y, state = selective_scan_direct(*tensors, return_state=True, method=method)
        found = iter(torch.autograd.grad((y, state), wanted, (g, g_state), create_graph=True, allow_unused=True))
    return [next(found) if value is not None and value.requires_grad else None for value in tensors]


# What the user gave, checked once at the public edge.


def _check(function, u, delta, A, B, C, D, z, initial_state, method):
    choose(function, "method", method, METHODS)
    arguments = {"u": u, "delta": delta, "A": A, "B": B, "C": C, "D": D, "z": z, "initial_state": initial_state}
    optional = ("D", "z", "initial_state")
    arguments = {name: value for name, value in arguments.items() if not (value is None and name in optional)}
    for name, value in arguments.items():
        require(
            isinstance(value, torch.Tensor),
            f"{function}: {name} must be a torch tensor; got {type(value).__name__}. Use torch.as_tensor({name})",
        )
    require(u.ndim == 3 and u.shape[1] > 0, f"{function}: u must have shape (b, L, d) with L ≥ 1; got {tuple(u.shape)}")
    b, L, d = u.shape
    require(
        A.ndim == 2 and A.shape[0] == d and A.shape[1] > 0,
        f"{function}: A must have shape (d, N) with d = {d} like u and N ≥ 1; got {tuple(A.shape)}",
    )
    N = A.shape[1]
    _check_weights(function, arguments, b, L, d, N)
    shapes = {"delta": (b, L, d), "D": (d,), "z": (b, L, d), "initial_state": (b, d, N)}
    for name in shapes.keys() & arguments.keys():
        given = tuple(arguments[name].shape)
        require(given == shapes[name], f"{function}: {name} must have shape {shapes[name]}; got {given}")
    for name, value in arguments.items():
        require(
            value.device == u.device,
            f"{function}: {name} is on {value.device} but u on {u.device}; use {name}.to(u.device)",
        )
        require(
            value.dtype == u.dtype,
            f"{function}: {name} is {value.dtype} but u is {u.dtype}; give all as "
            f"{torch.promote_types(value.dtype, u.dtype)}",
        )


def _check_weights(function, arguments, b, L, d, N):
    """B and C: one shape, and a number of groups that divides the channels."""
    for name in ("B", "C"):
        given = tuple(arguments[name].shape)
        grouped = len(given) == 4 and given[2] > 0 and d % given[2] == 0
        require(
            given == (b, L, N) or (grouped and given == (b, L, given[2], N)),
            f"{function}: {name} must have shape {(b, L, N)}, or (b, L, G, N) with a number of groups G that divides "
            f"d = {d}; got {given}",
        )
    B, C = (tuple(arguments[name].shape) for name in ("B", "C"))
    require(B == C, f"{function}: B and C must have one shape; got {B} and {C}")
