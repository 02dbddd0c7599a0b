"""The S4D kernel and the causal convolution, forward and backward, against the plain forms most tutorials use."""

import time

import torch

from benchmarks.harness import compare
from ssm_teach.kernels import causal_conv, vandermonde_kernel, vandermonde_kernel_direct
from ssm_teach.ops import vandermonde

D, N = 128, 32  # channels; stored modes, each a conjugate pair, so 64 real states as in S4D's own experiments


def s4d_kernel() -> dict[str, dict]:
    """Kernel of one layer and the gradients of its parameters: two forms with tables of √L exponentials, one with L."""
    rows = {}
    for L in (1024, 4096, 16384):
        torch.manual_seed(0)
        dt = torch.rand(D, 1) * 0.1 + 1e-3
        dtA = (dt * torch.complex(torch.full((D, N), -0.5), torch.pi * torch.arange(N).expand(D, N).float())).detach()
        weights = torch.randn(D, N, dtype=torch.complex64)
        upstream = torch.randn(D, L)
        rows[f"L={L}"] = compare(
            {
                "ops": lambda inputs=(dtA, weights, L), g=upstream: _gradient(vandermonde, inputs, g),
                "two-level": lambda inputs=(dtA, weights, L), g=upstream: _gradient(vandermonde_kernel, inputs, g),
                "plain": lambda inputs=(dtA, weights, L), g=upstream: _gradient(vandermonde_kernel_direct, inputs, g),
            },
            tolerance=1e-4,
            rounds=3,
            clock=time.process_time,
        )
    return rows


def _gradient(kernel, inputs, upstream):
    dtA, weights, L = inputs
    dtA, weights = dtA.clone().requires_grad_(), weights.clone().requires_grad_()
    (kernel(dtA, weights, L) * upstream).sum().backward()
    return torch.view_as_real(weights.grad)


def causal_convolution() -> dict[str, dict]:
    """The FFT against a depthwise torch convolution of full length, as a layer without an FFT would compute it."""
    rows = {}
    for L in (64, 256, 1024, 4096):
        torch.manual_seed(0)
        u, K = torch.randn(4, L, 32), torch.randn(32, L) * 0.99 ** torch.arange(L)
        rows[f"L={L}"] = compare(
            {
                "fft": lambda u=u, K=K: causal_conv(u, K),
                "conv1d": lambda u=u, K=K: _conv1d(u, K),
            },
            tolerance=1e-4,
        )
    return rows


def _conv1d(u, K):
    L = u.shape[1]
    padded = torch.nn.functional.pad(u.transpose(1, 2), (L - 1, 0))
    return torch.nn.functional.conv1d(padded, K.flip(-1)[:, None, :], groups=K.shape[0]).transpose(1, 2)
