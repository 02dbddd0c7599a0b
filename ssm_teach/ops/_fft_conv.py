"""The causal convolution by FFT, with a backward pass that transforms nothing twice.

Transformed, y = K ∗ u is ŷ = K̂ û, and so are its gradients: ∂û = conj(K̂) ĝ and ∂K̂ = Σ_b conj(û) ĝ. Three transforms
forward (û, K̂, ŷ back) and three backward (ĝ, and back ∂u and ∂K, this one without the batch). Autograd takes more: it
differentiates each transform by one of twice the size, complex where the signal is real, and pads and cuts in copies.

A block of channels is done at a time, small enough for its transforms to stay in the cache.
"""

import torch
from scipy.fft import next_fast_len

from ssm_teach.errors import require
from ssm_teach.kernels import causal_conv

__all__ = ["fft_conv"]

BLOCK = 1 << 18  # numbers that the padded signals of a block may have: 1 MiB in float32


def fft_conv(u, K):
    """y_k = Σ_{j≤k} K_j u_{k−j}, the `ssm_teach.kernels.causal_conv` of a batch.

    Args:
        u: Input, (b, L, d), float32 or float64.
        K: Kernel, one a channel, (d, L_K), of the dtype of u.

    Returns y, (b, L, d), contiguous. Rounding errors are a share of the largest output, wherever they fall.
    Raises: UserError: what is not a tensor; shapes, dtypes or devices that do not fit; nothing to convolve.

    >>> fft_conv(torch.tensor([[[1.0], [2.0], [0.0], [0.0]]]), torch.tensor([[1.0, 0.5]])).flatten().round(decimals=4)
    tensor([1.0000, 2.5000, 1.0000, 0.0000])
    """
    _check(u, K)
    return _Convolution.apply(u, K)


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx, u, K):
        n = next_fast_len(u.shape[1] + K.shape[1] - 1, real=True)  # room for the tail
        K_hat, u_hat, y = torch.fft.rfft(K, n), [], torch.empty_like(u, memory_format=torch.contiguous_format)
        for channels in _blocks(u, n):
            block = _transform(u, channels, n)
            y[..., channels] = _back(block * K_hat[channels], u.shape[1], n).mT
            if any(ctx.needs_input_grad):
                u_hat.append(block)
        ctx.save_for_backward(u, K, K_hat, *u_hat)
        ctx.n = n
        return y

    @staticmethod
    def backward(ctx, g):
        u, K, K_hat, *u_hat = ctx.saved_tensors
        if torch.is_grad_enabled():  # a second derivative is wanted
            return _differentiable_again(u, K, g)
        needs_u, needs_K = ctx.needs_input_grad
        grad_u = torch.empty_like(u, memory_format=torch.contiguous_format) if needs_u else None
        grad_K = torch.empty_like(K, memory_format=torch.contiguous_format) if needs_K else None
        for channels, u_block in zip(_blocks(u, ctx.n), u_hat, strict=True):
            g_hat = _transform(g, channels, ctx.n)
            if needs_K:
                grad_K[channels] = _back((u_block.conj() * g_hat).sum(0), K.shape[1], ctx.n)
            if needs_u:
                grad_u[..., channels] = _back(g_hat.mul_(K_hat[channels].conj()), u.shape[1], ctx.n).mT
        return grad_u, grad_K


def _differentiable_again(u, K, g):
    with torch.enable_grad():
        wanted = [value for value in (u, K) if value.requires_grad]
        found = iter(torch.autograd.grad(causal_conv(u, K), wanted, g, create_graph=True))
    return tuple(next(found) if value.requires_grad else None for value in (u, K))


def _blocks(u, n):
    b, _, d = u.shape
    width = min(d, max(1, BLOCK // (b * n)))
    return [slice(first, first + width) for first in range(0, d, width)]


def _transform(signal, channels, n):
    return torch.fft.rfft(signal[..., channels].mT, n)


def _back(spectrum, length, n):
    return torch.fft.irfft(spectrum, n)[..., :length]


def _check(u, K):
    for name, value in (("u", u), ("K", K)):
        require(
            isinstance(value, torch.Tensor),
            f"fft_conv: {name} must be a torch tensor; got {type(value).__name__}. Use torch.as_tensor({name})",
        )
        require(
            value.dtype in (torch.float32, torch.float64),
            f"fft_conv: {name} must be float32 or float64; got {value.dtype}",
        )
    shapes = f"got u {tuple(u.shape)} and K {tuple(K.shape)}"
    require(
        u.ndim == 3 and K.ndim == 2 and u.shape[2] == K.shape[0],
        f"fft_conv: u must have shape (b, L, d) and K (d, L_K) with the same d; {shapes}",
    )
    require(u.numel() > 0 and K.numel() > 0, f"fft_conv: empty signal; {shapes}")
    require(
        (u.dtype, u.device) == (K.dtype, K.device),
        f"fft_conv: K is {K.dtype} on {K.device} but u is {u.dtype} on {u.device}; use K.to(u)",
    )
