"""The convolution of a diagonal system in chunks: no kernel of length L, and no FFT.

With w = C B̄ the output is y_k = Σ_{j≤k} K_{k−j} u_j, K_l = Σ_n w_n Ā_n^l. Cut time into chunks of T positions. What u_j
contributes inside its own chunk needs the first T taps of K alone. What it contributes later passes through the states
x_n at the chunk's end, which is all that the future needs of the past:

    drive   x ← Ā^T x + Σ_j Ā^{T−1−j} u_j        over the T inputs of a chunk,
    read    y_i += Σ_n w_n Ā_n^{i+1} x_n         from the states before the chunk,
    inside  y_i += Σ_{j≤i} K_{i−j} u_j           a triangular Toeplitz matrix T × T.

In each channel all three are matrix products with the b·L/T chunks for rows, at the speed of a matrix product: about
2T + 8N operations an entry for N complex modes. Only the recurrence over chunks is sequential. In memory there are
(b, L, d) and the states (b, L/T, d, N).

The gradients are the same three products transposed, and a recurrence over chunks from the end: let λ be the gradient
of the states at a chunk's end, then λ ← conj(Ā^T) λ + (what the next chunk reads), and ∂u = (inside)ᵀ ∂y + (drive)ᵀ λ.

Where Numba is installed there is something faster still, see `_numba_diagonal`.

Errors do not spread as those of an FFT do: an output is off by a share of the terms it is made of.
"""

import torch
from torch.nn import functional as F

from ssm_teach.errors import require
from ssm_teach.kernels import causal_conv
from ssm_teach.ops._backends import implementation
from ssm_teach.ops._vandermonde import powers, readout, real_pairs, require_modes, vandermonde

__all__ = ["diagonal_conv"]

SHORTEST, LONGEST = 32, 128  # chunks, by default


def diagonal_conv(u, log_A_bar, weights, D=None, chunk=None):
    """y = K ∗ u + D u for the kernel K = `vandermonde(log_A_bar, weights, L)`, which is never formed.

    Args:
        u: Input, (b, L, d), float32 or float64.
        log_A_bar: log Ā (for ZOH, ΔA), (d, N), real or complex, with a real part of at most 0.
        weights: w = C B̄, (d, N). If log_A_bar is complex, a mode stands for itself and its conjugate: K = 2 Re Σ.
        D: Skip, (d,); zero if left out.
        chunk: T. If left out, complex modes in single precision on a CPU run as the recurrence itself, in compiled
            loops, where Numba is installed; otherwise T is about the number of real states.

    Returns y, (b, L, d), contiguous.
    Raises: UserError: what is not a tensor; shapes, dtypes or devices that do not fit; an empty u; chunk < 1.

    >>> half = torch.tensor([[0.5]]).log()
    >>> diagonal_conv(torch.tensor([[[1.0], [0.0], [4.0]]]), half, torch.tensor([[1.0]]), chunk=2).flatten()
    tensor([1.0000, 0.5000, 4.2500])
    """
    _check(u, log_A_bar, weights, D, chunk)
    D = u.new_zeros(u.shape[2]) if D is None else D
    if chunk is None and loops(log_A_bar):
        return _convolve(u, log_A_bar, weights, D)[0]
    return _Chunked.apply(u, log_A_bar, weights, D, min(chunk or _suitable(log_A_bar), u.shape[1]))


def loops(log_A_bar):
    """The module of compiled loops if it is there, wanted and made for these modes: complex, in single precision."""
    if log_A_bar.dtype != torch.complex64:
        return None
    return implementation("diagonal_conv", log_A_bar.device, plain=None, compiled="_numba_diagonal")


def _suitable(log_A_bar) -> int:
    """Chunks as long as the state is wide cost as much inside as outside; a power of two keeps the products aligned."""
    states = log_A_bar.shape[1] * (2 if log_A_bar.is_complex() else 1)
    return min(max(SHORTEST, 1 << (states - 1).bit_length()), LONGEST)


class _Chunked(torch.autograd.Function):
    """The backward pass keeps u, the states between the chunks, and the tables, which autograd differentiates."""

    @staticmethod
    def forward(ctx, u, log_A_bar, weights, D, T):
        modes = [value.detach().requires_grad_() for value in (log_A_bar, weights, D)]
        with torch.enable_grad():
            inside, drive, step, read = tables = _tables(*modes, T)
        chunks = _cut(u, T, spare=0)
        earlier, now = chunks[:, :-1].flatten(1, 2), chunks[:, 1:].flatten(1, 2)
        states = _accumulate(step, torch.bmm(earlier, drive), len(u))
        y = torch.bmm(now, inside).baddbmm_(states, read.mT)
        ctx.save_for_backward(u, log_A_bar, weights, D, states)
        ctx.modes, ctx.tables = modes, tables
        return _join(y, u)

    @staticmethod
    def backward(ctx, g):
        u, *modes, states = ctx.saved_tensors
        if torch.is_grad_enabled():  # a second derivative is wanted
            return *_differentiable_again(u, *modes, g), None
        inside, drive, step, read = (table.detach() for table in ctx.tables)
        T = inside.shape[-1]
        chunks = _cut(g, T, spare=-1)
        now, later = chunks[:, :-1].flatten(1, 2), chunks[:, 1:].flatten(1, 2)
        at_ends = _accumulate(step.conj_physical(), torch.bmm(later, read), len(u), order=-1)
        grad_u = _join(torch.bmm(now, inside.mT).baddbmm_(at_ends, drive.mT), u) if ctx.needs_input_grad[0] else None
        inputs = _cut(u, T, spare=0)[:, 1:].flatten(1, 2)
        gradients = (
            torch.bmm(inputs.mT, now),
            torch.bmm(inputs.mT, at_ends),
            _products(states, at_ends, step),
            torch.bmm(now.mT, states),
        )
        grad_modes = torch.autograd.grad(ctx.tables, ctx.modes, gradients, retain_graph=True)
        return grad_u, *grad_modes, None


def _tables(log_A_bar, weights, D, T):
    """inside (d, T, T), drive and read (d, T, 2N), all real, and step = Ā^T (d, N) in double precision."""
    table = powers(log_A_bar, 1, T + 1)  # (d, T + 1, N)
    wide = torch.promote_types(log_A_bar.dtype, torch.float64)
    step = powers(log_A_bar.to(wide), T, 2)[:, 1]
    read = readout(weights, table)
    taps = read[:, :-1].sum(-1) if not table.is_complex() else read[:, :-1, ::2].sum(-1)
    taps = torch.cat([taps[:, :1] + D[:, None], taps[:, 1:]], 1)  # Du is one more weight on the newest input
    drive = real_pairs(table[:, :-1].flip(1))
    return _toeplitz(taps), drive, step, read[:, 1:]


def _toeplitz(taps):
    """(d, T) → (d, T, T): row j holds the taps from column j on, so that (row of inputs) @ matrix is causal.

    Rows of 2T numbers, read as rows of 2T − 1: each starts one place further to the right than the one above.
    """
    d, T = taps.shape
    rows = F.pad(taps, (0, T))[:, None].expand(d, T, 2 * T).reshape(d, -1)
    return rows[:, : T * (2 * T - 1)].view(d, T, 2 * T - 1)[:, :, :T].contiguous()


def _cut(signal, T, spare):
    """(b, L, d) → (d, M + 1, b, T): M chunks, the last one filled up with zeros, and one of zeros before or after."""
    b, L, d = signal.shape
    whole, rest = divmod(L, T)
    chunks = signal.new_empty(d, whole + (rest > 0) + 1, b, T)
    chunks[:, spare] = 0
    body = chunks[:, 1:] if spare == 0 else chunks[:, :-1]
    body[:, :whole] = signal[:, : whole * T].unflatten(1, (whole, T)).permute(3, 1, 0, 2)
    if rest:
        body[:, whole, :, :rest] = signal[:, whole * T :].permute(2, 0, 1)
        body[:, whole, :, rest:] = 0
    return chunks


def _join(rows, like):
    """(d, M·b, T) → (b, L, d)."""
    b, L, d = like.shape
    T = rows.shape[-1]
    whole, rest = divmod(L, T)
    chunks, signal = rows.unflatten(1, (-1, b)), like.new_empty(b, L, d)
    signal[:, : whole * T].unflatten(1, (whole, T)).copy_(chunks[:, :whole].permute(2, 1, 3, 0))
    if rest:
        signal[:, whole * T :] = chunks[:, whole, :, :rest].permute(1, 2, 0)
    return signal


def _accumulate(step, rows, b, order=1):
    """x_c += Ā^T x_{c−1} over the chunks in place, or x_{c+1} with order = −1; rows are (d, M·b, 2N).

    Ā^T is multiplied by itself L/T times, and a rounding error in it grows as often. So what rounding takes off it is
    a second multiplier.
    """
    states = _as_states(rows, step).unflatten(1, (-1, b))
    rounded = step.to(states.dtype)
    parts = [part[:, None] for part in (rounded, (step - rounded).to(states.dtype))]
    count = states.shape[1]
    for c in range(1, count) if order == 1 else range(count - 2, -1, -1):
        for part in parts:
            states[:, c].addcmul_(part, states[:, c - order])
    return rows


def _products(states, at_ends, step):
    """∂Ā^T = Σ conj(x) λ over all chunks, (d, N)."""
    return (_as_states(states, step).conj() * _as_states(at_ends, step)).sum(1).to(step.dtype)


def _as_states(rows, step):
    return torch.view_as_complex(rows.unflatten(-1, (-1, 2))) if step.is_complex() else rows


# The compiled loops, as an operator that PyTorch knows


@torch.library.custom_op("ssm_teach::diagonal_conv", mutates_args=())
def _convolve(
    u: torch.Tensor, log_A_bar: torch.Tensor, weights: torch.Tensor, D: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    return loops(log_A_bar).convolve(u, log_A_bar, weights, D)


@torch.library.custom_op("ssm_teach::diagonal_conv_adjoint", mutates_args=())
def _adjoint(
    u: torch.Tensor,
    log_A_bar: torch.Tensor,
    weights: torch.Tensor,
    D: torch.Tensor,
    kept: torch.Tensor,
    g: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    return loops(log_A_bar).adjoint(u, log_A_bar, weights, D, kept, g)


@_convolve.register_fake
def _(u, log_A_bar, weights, D):
    b, L, d = u.shape
    return u.new_empty(u.shape), u.new_empty(b, -(-L // loops(log_A_bar).T), 2, log_A_bar.shape[1], d)


@_adjoint.register_fake
def _(u, log_A_bar, weights, D, kept, g):
    return tuple(value.new_empty(value.shape) for value in (u, log_A_bar, weights, D))


def _remember(ctx, inputs, output):
    ctx.save_for_backward(*inputs, output[1])
    ctx.mark_non_differentiable(output[1])
    ctx.set_materialize_grads(False)  # else the gradient of the kept states is made, and filled with zeros


def _backward(ctx, g, _):
    *inputs, kept = ctx.saved_tensors
    if torch.is_grad_enabled():  # a second derivative is wanted
        return _differentiable_again(*inputs, g)
    return _adjoint(*inputs, kept, g)


_convolve.register_autograd(_backward, setup_context=_remember)


def _differentiable_again(u, log_A_bar, weights, D, g):
    inputs = (u, log_A_bar, weights, D)
    with torch.enable_grad():
        y = causal_conv(u, vandermonde(log_A_bar, weights, u.shape[1])) + D * u
        wanted = [value for value in inputs if value.requires_grad]
        found = iter(torch.autograd.grad(y, wanted, g, create_graph=True))
    return tuple(next(found) if value.requires_grad else None for value in inputs)


def _check(u, log_A_bar, weights, D, chunk):
    require_modes("diagonal_conv", log_A_bar, weights)
    given = {"u": u} if D is None else {"u": u, "D": D}
    for name, value in given.items():
        require(
            isinstance(value, torch.Tensor),
            f"diagonal_conv: {name} must be a torch tensor; got {type(value).__name__}. Use torch.as_tensor({name})",
        )
        require(
            (value.dtype, value.device) == (log_A_bar.dtype.to_real(), log_A_bar.device),
            f"diagonal_conv: {name} must be {log_A_bar.dtype.to_real()} on {log_A_bar.device} like log_A_bar; "
            f"got {value.dtype} on {value.device}",
        )
    require(
        u.ndim == 3 and u.numel() > 0,
        f"diagonal_conv: u must have shape (b, L, d), none of them 0; got {tuple(u.shape)}",
    )
    d, modes = u.shape[2], tuple(log_A_bar.shape)
    require(
        len(modes) == 2 and modes[0] == d and tuple(weights.shape) == modes,
        f"diagonal_conv: log_A_bar and weights must have shape (d, N) with d = {d} like u; "
        f"got {modes} and {tuple(weights.shape)}",
    )
    require(D is None or D.shape == (d,), f"diagonal_conv: D must have shape ({d},); got {D if D is None else D.shape}")
    whole = chunk is None or (isinstance(chunk, int) and not isinstance(chunk, bool) and chunk >= 1)
    require(whole, f"diagonal_conv: chunk must be a whole number, at least 1; got {chunk!r}")
