"""The kernel K_l = Σ_n w_n Ā_n^l of a diagonal system, from two tables of about √L powers and one real matrix product.

The idea is that of `ssm_teach.kernels.vandermonde_kernel`, l = i·m + j and Ā^l = Ā^{im} Ā^j. Two things make it faster:

- A complex exponential is costly in double precision, and only the phase needs the digits: at 10⁴ radians, float32 has
  three left. So the phase alone is formed in float64, reduced to ±π, and cast; cosine and sine follow in the dtype of
  the result. The decay e^{l Re log Ā} needs no such care: where its exponent is large it vanishes.
- 2 Re(c f) = (2 Re c)(Re f) − (2 Im c)(Im f) is a product of real pairs, half the work of a complex one.
"""

import math

import torch

from ssm_teach.errors import require

__all__ = ["powers", "readout", "real_pairs", "require_modes", "vandermonde"]


def vandermonde(log_A_bar, weights, L):
    """K_l = Σ_n w_n Ā_n^l for l < L.

    Args:
        log_A_bar: log Ā (for ZOH, ΔA), (…, N), real or complex, with a real part of at most 0.
        weights: w = C B̄, shaped like log_A_bar, or with more dimensions in front.
        L: Number of taps.

    Returns K, real, (…, L). If log_A_bar is complex, each n stands for a conjugate pair of states and K = 2 Re Σ.
    Raises: UserError: what is not a tensor, shapes or dtypes that do not fit, complex weights of real modes, L < 1.

    >>> vandermonde(torch.tensor([0.5]).log(), torch.tensor([3.0]), L=4)
    tensor([3.0000, 1.5000, 0.7500, 0.3750])
    """
    require_modes("vandermonde", log_A_bar, weights)
    whole = isinstance(L, int) and not isinstance(L, bool)
    require(whole and L >= 1, f"vandermonde: L must be a whole number, at least 1; got {L!r}")
    m = math.isqrt(L - 1) + 1  # ⌈√L⌉
    fine = powers(log_A_bar, 1, m)  # (…, m, N)
    coarse = readout(weights, powers(log_A_bar, m, -(-L // m)))  # (…, ⌈L/m⌉, 2N)
    K = coarse @ real_pairs(fine).mT  # (…, ⌈L/m⌉, m): row i, column j
    return K.flatten(-2)[..., :L]


def powers(log_A_bar, step: int, count: int):
    """Ā^{step·k} for k < count, (…, N) → (…, count, N)."""
    return _Powers.apply(log_A_bar, step, count)


def readout(weights, states):
    """Real rows r with Σ_n w_n states_n (2 Re Σ if complex) = r · x for the real pairs of x = 1, and so on for any x.

    (…, N) and (…, k, N) → (…, k, 2N), or (…, k, N) if real: multiplied by the real pairs of a state x they give
    2 Re Σ_n w_n states_n x_n.
    """
    if not states.is_complex():
        return weights[..., None, :] * states
    return real_pairs((2 * weights[..., None, :] * states).conj_physical())  # a lazy conj would mark gradients too


def real_pairs(states):
    """A complex (…, N) as real and imaginary parts side by side, (…, 2N), without a copy; a real one as it is."""
    return torch.view_as_real(states).flatten(-2) if states.is_complex() else states


def require_modes(function: str, log_A_bar, weights) -> None:
    """Raise `UserError` unless these are one system's modes and weights."""
    for name, value in (("log_A_bar", log_A_bar), ("weights", weights)):
        require(
            isinstance(value, torch.Tensor),
            f"{function}: {name} must be a torch tensor; got {type(value).__name__}. Use torch.as_tensor({name})",
        )
    modes, given = tuple(log_A_bar.shape), tuple(weights.shape)
    require(
        len(modes) > 0 and given[-len(modes) :] == modes,
        f"{function}: weights must be shaped like log_A_bar, {modes}, or have more dimensions in front; got {given}",
    )
    real = log_A_bar.dtype.to_real()
    require(
        real in (torch.float32, torch.float64) and weights.dtype in (log_A_bar.dtype, real),
        f"{function}: log_A_bar and weights must have one precision, float32 or float64, and weights may be complex "
        f"only if log_A_bar is; got {log_A_bar.dtype} and {weights.dtype}",
    )
    require(
        log_A_bar.device == weights.device,
        f"{function}: weights is on {weights.device} but log_A_bar on {log_A_bar.device}; "
        "use weights.to(log_A_bar.device)",
    )


class _Powers(torch.autograd.Function):
    """e^{z·k} with k = 0, step, 2·step, …; its derivative k e^{z·k} costs no second table."""

    @staticmethod
    def forward(ctx, z, step, count):
        k = step * torch.arange(count, dtype=torch.float64, device=z.device)[:, None]
        size = torch.exp(z.real[..., None, :] * k.to(z.real.dtype))
        table = torch.polar(size, _phase(z.imag[..., None, :], k)) if z.is_complex() else size
        ctx.save_for_backward(table, k.to(size.dtype))
        return table

    @staticmethod
    def backward(ctx, g):
        table, k = ctx.saved_tensors
        return (table.conj() * g * k).sum(-2), None, None


def _phase(frequency, k):
    """frequency·k modulo 2π, within ±π, reduced in double precision."""
    turns = frequency.double() * (k / (2 * math.pi))
    return ((turns - turns.round()) * (2 * math.pi)).to(frequency.dtype)
