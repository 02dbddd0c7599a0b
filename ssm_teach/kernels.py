"""The kernel K_l = C Ā^l B̄ of a discrete linear system, and the causal convolution y = K ∗ u that it defines.

Convention: x_k = Ā x_{k−1} + B̄ u_k and x_{−1} = 0, so y_k = Σ_{j≤k} K_j u_{k−j}: the first tap K_0 = C B̄ meets the
newest input. Signals are u (L,) with K (L_K,), or u (b, L, d) with one kernel a channel, K (d, L_K); L_K need not equal
L. Everything takes NumPy or torch and returns what it was given; torch is differentiable.

Each fast function stands beside its plain form, named ``…_direct``, which is what it is tested against.

Sources: A. Gu, K. Goel and C. Ré 2022, S4 (kernel and convolution); A. Gu et al. 2022, S4D (Vandermonde).
"""

import math

import numpy as np
import torch
from scipy.fft import next_fast_len

from ssm_teach.discretize import _arrays, _library, _promoted, _shape
from ssm_teach.errors import require

__all__ = [
    "causal_conv",
    "causal_conv_direct",
    "circular_conv",
    "powers_kernel",
    "vandermonde_kernel",
    "vandermonde_kernel_direct",
]


def powers_kernel(A_bar, B_bar, C, L):
    """K_l = C Ā^l B̄ for l < L, one power after the other: L N² work, and the oracle of every faster kernel.

    Ā is (N, N), or (N,) if diagonal. B̄ (N,) and C (N,) give K (L,); B̄ (N, m) and C (p, N) give K (L, p, m).

    >>> powers_kernel(np.array([0.5]), np.array([1.0]), np.array([3.0]), L=4)
    array([3.   , 1.5  , 0.75 , 0.375])
    """
    A_bar, x, C = _state_space("powers_kernel", A_bar, B_bar, C, L)
    K = []
    for _ in range(L):
        K.append(C @ x)
        x = A_bar @ x
    return _library(x).stack(K)


def vandermonde_kernel_direct(dtA, weights, L):
    """K_l = Σ_n w_n e^{l (ΔA)_n} for a diagonal A, with all N·L exponentials in memory at once.

    Args:
        dtA: Δ times the diagonal of A, (…, N): the N states of one channel, or (d, N).
        weights: w = C B̄, elementwise, (…, N).
        L: Number of taps.

    Returns K, real, (…, L). If dtA or w is complex, each n stands for a conjugate pair of states and K = 2 Re Σ; if
    both are real, K = Σ. (For a complete spectrum, both members of every pair, give w/2.)
    """
    dtA, weights = _modes("vandermonde_kernel_direct", dtA, weights, L)
    powers = _exponentials(dtA, step=1, count=L)  # (…, N, L)
    return _real_kernel((weights[..., None] * powers).sum(-2))


def vandermonde_kernel(dtA, weights, L):
    """The same kernel from two tables of about √L exponentials and one matrix product a channel.

    With l = i·m + j, e^{lz} = e^{imz} e^{jz}: a coarse table over i, which carries the weights, a fine one over j < m.

    >>> vandermonde_kernel(np.log([0.5]), np.array([3.0]), L=4)
    array([3.   , 1.5  , 0.75 , 0.375])
    """
    dtA, weights = _modes("vandermonde_kernel", dtA, weights, L)
    m = math.isqrt(L - 1) + 1  # ⌈√L⌉
    fine = _exponentials(dtA, step=1, count=m)  # (…, N, m)
    coarse = weights[..., None] * _exponentials(dtA, step=m, count=-(-L // m))  # (…, N, ⌈L/m⌉)
    K = coarse.swapaxes(-1, -2) @ fine  # (…, ⌈L/m⌉, m): row i, column j
    return _real_kernel(K.reshape(*K.shape[:-2], -1)[..., :L])


def causal_conv_direct(u, K):
    """y_k = Σ_{j≤k} K_j u_{k−j}, tap by tap: L² work, and the oracle of the fast form."""
    u, K = _signals("causal_conv_direct", u, K)
    library, y = _library(u), []
    for k in range(u.shape[-1]):
        taps = min(k + 1, K.shape[-1])
        recent = library.flip(u[..., k + 1 - taps : k + 1], (-1,))  # u_k, u_{k−1}, …
        y.append((K[..., :taps] * recent).sum(-1))
    return _swap_time(library.stack(y, -1))


def circular_conv(u, K, n_fft=None):
    """The convolution that a plain FFT computes: on a circle of ``n_fft`` samples, by default the longer of u and K.

    Wrong as a causal convolution whenever n_fft < L + L_K − 1: what runs over the end comes back in at the start.

    >>> last_sample, decay = np.eye(64)[63], 0.9 ** np.arange(64)
    >>> circular_conv(last_sample, decay)[0].round(12), causal_conv(last_sample, decay)[0].round(12)
    (np.float64(0.9), np.float64(0.0))
    """
    u, K = _signals("circular_conv", u, K)
    L, L_K = u.shape[-1], K.shape[-1]
    n_fft = _circle("circular_conv", n_fft, max(L, L_K))
    fft = _library(u).fft
    y = fft.irfft(fft.rfft(u, n_fft) * fft.rfft(K, n_fft), n_fft)
    return _swap_time(y[..., :L])


def causal_conv(u, K):
    """y = K ∗ u, causal, by FFT: the circular convolution on a circle with room for the tail.

    Args:
        u: Input, (L,) or (b, L, d), real.
        K: Kernel, (L_K,) or (d, L_K), real.

    Returns y, shaped like u: y_k = Σ_{j≤k} K_j u_{k−j}. Its rounding error is absolute, a share of the largest output
    wherever it falls: a large early input blurs small late outputs (test_fft_error_is_absolute).
    Raises: UserError: shapes that do not fit, complex input, NumPy mixed with torch.

    >>> causal_conv(np.array([1.0, 2.0, 0.0, 0.0]), np.array([1.0, 0.5])).round(12) + 0.0
    array([1. , 2.5, 1. , 0. ])
    """
    time_last, taps = _signals("causal_conv", u, K)
    room = time_last.shape[-1] + taps.shape[-1] - 1  # L + L_K − 1 samples hold the whole product
    return circular_conv(u, K, n_fft=next_fast_len(room, real=True))


def _exponentials(z, step, count):
    """e^{kz} for k = 0, step, 2·step, … (``count`` of them) along a new last axis, in the dtype of z.

    The products kz are formed in double precision: at 10⁴ radians a float32 phase has three digits left.
    """
    if isinstance(z, torch.Tensor):
        k = step * torch.arange(count, dtype=torch.float64, device=z.device)
        return torch.exp(z[..., None].to(torch.promote_types(z.dtype, k.dtype)) * k).to(z.dtype)
    k = step * np.arange(count, dtype=np.float64)
    return np.exp(z[..., None] * k).astype(z.dtype)


def _real_kernel(K):
    """Σ over n, completed by the other member of each conjugate pair: Σ_n (K_n + K̄_n) = 2 Re Σ_n K_n."""
    return 2 * K.real if _is_complex(K) else K


def _is_complex(array):
    return array.is_complex() if isinstance(array, torch.Tensor) else np.iscomplexobj(array)


def _swap_time(y):
    return y.swapaxes(-1, -2) if y.ndim == 3 else y


# What the user gave, checked once at the public edge.


def _state_space(function, A_bar, B_bar, C, L):
    A_bar, B_bar, C = _promoted(*_arrays(function, A_bar=A_bar, B_bar=B_bar, C=C))
    _require_length(function, L)
    if A_bar.ndim == 1:
        A_bar = _library(A_bar).diag(A_bar)
    N = len(A_bar)
    require(
        A_bar.ndim == 2 and A_bar.shape[1] == N,
        f"{function}: A_bar must be square (N, N), or (N,) if diagonal; got shape {_shape(A_bar)}",
    )
    require(
        B_bar.ndim in (1, 2) and len(B_bar) == N,
        f"{function}: B_bar must have shape (N,) or (N, m) with N = {N} like A_bar; got shape {_shape(B_bar)}",
    )
    require(
        C.ndim in (1, 2) and C.shape[-1] == N,
        f"{function}: C must have shape (N,) or (p, N) with N = {N} like A_bar; got shape {_shape(C)}",
    )
    return A_bar, B_bar, C


def _modes(function, dtA, weights, L):
    dtA, weights = _promoted(*_arrays(function, dtA=dtA, weights=weights))
    _require_length(function, L)
    require(
        dtA.ndim > 0 and dtA.shape == weights.shape,
        f"{function}: dtA and weights must have one shape (…, N); got {_shape(dtA)} and {_shape(weights)}",
    )
    return dtA, weights


def _require_length(function, L):
    require(isinstance(L, int | np.integer) and L >= 1, f"{function}: L must be a whole number ≥ 1; got {L!r}")


def _signals(function, u, K):
    """u and K as arrays of one library with time along the last axis."""
    u, K = _arrays(function, u=u, K=K)
    require(
        (u.ndim, K.ndim) in ((1, 1), (3, 2)),
        f"{function}: u (L,) goes with K (L,), u (b, L, d) with K (d, L); got u {_shape(u)} and K {_shape(K)}",
    )
    require(
        u.ndim == 1 or u.shape[-1] == K.shape[0],
        f"{function}: u (b, L, d) and K (d, L) must have the same d; got u {_shape(u)} and K {_shape(K)}",
    )
    require(K.shape[-1] > 0 and 0 not in u.shape, f"{function}: empty signal; got u {_shape(u)} and K {_shape(K)}")
    for name, array in (("u", u), ("K", K)):
        require(not _is_complex(array), f"{function}: {name} must be real; take its real part")
    return _swap_time(u), K


def _circle(function, n_fft, longest):
    if n_fft is None:
        return longest
    require(
        isinstance(n_fft, int | np.integer) and n_fft >= longest,
        f"{function}: n_fft must be a whole number ≥ {longest}, the longer of u and K; got {n_fft!r}",
    )
    return int(n_fft)
