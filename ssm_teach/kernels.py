"""The kernel K_l = C Ā^l B̄ of a discrete linear system, and the causal convolution y = K ∗ u that it defines.

Convention: x_k = Ā x_{k−1} + B̄ u_k and x_{−1} = 0, so y_k = Σ_{j≤k} K_j u_{k−j}: the first tap K_0 = C B̄ meets the
newest input. Signals are u (L,) with K (L_K,), or u (b, L, d) with one kernel a channel, K (d, L_K); L_K need not equal
L. Everything takes NumPy or torch and returns what it was given; torch is differentiable.

Each fast function stands beside its plain form, named ``…_direct``, which is what it is tested against;
`powers_kernel` is the plain form of `dense_kernel`.

Sources: A. Gu, K. Goel and C. Ré 2022, S4 (kernel and convolution, Cauchy sums); A. Gu et al. 2022, S4D (Vandermonde).
"""

import math

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch.utils.checkpoint import checkpoint

from ssm_teach.discretize import _arrays, _library, _promoted, _shape
from ssm_teach.errors import UserError, require

__all__ = [
    "cauchy",
    "cauchy_direct",
    "causal_conv",
    "causal_conv_direct",
    "circular_conv",
    "dense_kernel",
    "dplr_dense",
    "dplr_kernel",
    "dplr_kernel_direct",
    "dplr_spectrum",
    "powers_kernel",
    "truncated_readout",
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


def dense_kernel(A_bar, B_bar, C, L):
    """The same kernel from two tables of about √L vectors, for any number of systems at once.

    With l = i·m + j, C Ā^l B̄ = (C Ā^{im})(Ā^j B̄): rows times columns, and each table is doubled with a squared matrix
    until it is long enough. Ā is (…, N, N), B̄ and C are (…, N); K is (…, L). Work N³ log L + N² √L + N L a system. The
    squares of Ā enter, so where Ā is not a contraction, rounding grows with the largest of them.

    >>> dense_kernel(np.array([[0.5]]), np.array([1.0]), np.array([3.0]), L=4)
    array([3.   , 1.5  , 0.75 , 0.375])
    """
    A_bar, B_bar, C = _systems("dense_kernel", A_bar, B_bar, C, L)
    m = math.isqrt(L - 1) + 1  # ⌈√L⌉
    columns = _krylov(A_bar, B_bar, m)  # (…, N, m)
    A_m = _power_times(A_bar, _identity(A_bar, A_bar.shape[-1]), m)
    rows = _krylov(A_m.swapaxes(-1, -2), C, -(-L // m))  # (…, N, ⌈L/m⌉)
    K = rows.swapaxes(-1, -2) @ columns
    return K.reshape(*K.shape[:-2], -1)[..., :L]


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


def dplr_dense(Lambda, P, B, C):
    """The 2N real states behind N conjugate pairs: dense (A, B, C) in the coordinates (Re x, Im x).

    A pair stands for x and its conjugate, so Λx − P P*x becomes Λx − P · 2 Re(P*x) and the output is 2 Re(Cx). Shapes
    as in `dplr_kernel`; A is (…, 2N, 2N), B and C are (…, 2N), real.
    """
    xp = _library(Lambda)
    real, imag = (part[..., None] * _identity(part, part.shape[-1]) for part in (Lambda.real, Lambda.imag))
    rotation = xp.concatenate([xp.concatenate([real, -imag], -1), xp.concatenate([imag, real], -1)], -2)
    p = xp.concatenate([P.real, P.imag], -2)  # (…, 2N, rank)
    A = rotation - 2 * p @ p.swapaxes(-1, -2)
    return A, xp.concatenate([B.real, B.imag], -1), 2 * xp.concatenate([C.real, -C.imag], -1)


def dplr_kernel_direct(Lambda, P, B, C, dt, L):
    """The kernel of `dplr_kernel` by powers of a dense matrix: L N² work, and no idea in it."""
    *system, dt = _dplr("dplr_kernel_direct", Lambda, P, B, C, dt)
    _require_length("dplr_kernel_direct", L)
    A, B, C = dplr_dense(*system)
    A_bar, x = _bilinear_systems(A, B, dt)
    K = []
    for _ in range(L):
        K.append((C * x).sum(-1))
        x = (A_bar @ x[..., None])[..., 0]
    return _library(A_bar).stack(K, -1)


def cauchy_direct(weights, poles, nodes, scale):
    """Σ_n w_n / (nodes_l − scale_l · poles_n), all N·M quotients in memory at once.

    With scale = 1 these are the sums of a Cauchy matrix. The second number of a node lets it lie at infinity, scale 0.

    Args:
        weights: (…, r, N): r sums that share their denominators.
        poles: (…, N).
        nodes, scale: (M,).

    Returns (…, r, M).
    """
    return weights @ (1 / (nodes - scale * poles[..., None]))


def cauchy(weights, poles, nodes, scale):
    """The same sums, a block of nodes at a time: at most some 2¹⁸ quotients exist at once, in the backward pass too.

    Backward, a block is computed again, so a gradient costs three forward passes of arithmetic instead of two.
    """
    xp, M = _library(poles), nodes.shape[0]
    block = max(1, (1 << 18) // max(1, math.prod(poles.shape)))
    sums = []
    for start in range(0, M, block):
        arguments = (weights, poles, nodes[start : start + block], scale[start : start + block])
        if xp is torch and torch.is_grad_enabled() and block < M:
            sums.append(checkpoint(cauchy_direct, *arguments, use_reentrant=False, preserve_rng_state=False))
        else:
            sums.append(cauchy_direct(*arguments))
    return xp.concatenate(sums, -1)


def dplr_spectrum(Lambda, P, B, C, dt, L):
    """C (I − Ā z)^{-1} B̄ at the roots of unity z_j = e^{−2πij/L}, j ≤ L/2, for the bilinear Ā and B̄ of `dplr_kernel`.

    Three steps. (1) The bilinear transform undone: (I − Āz)^{-1} B̄ = [(1−z) I − (1+z) ΔA/2]^{-1} ΔB. With the half
    angle φ = πj/L, 1+z = 2e^{−iφ} cos φ and 1−z = 2i e^{−iφ} sin φ, and the bracket is e^{−iφ} (2i sin φ I − cos φ ΔA).
    Divided by cos φ it is the usual resolvent at g = 2i tan φ, which is infinite at z = −1; undivided it is finite, and
    gives (Δ/2) C B there. (2) ΔA = ΔΛ − pp* with p = √Δ P: by Woodbury, the inverse of diagonal plus low rank is four
    products with the inverse of a diagonal. (3) These are `cauchy` sums.

    This is the transform of the *infinite* kernel wrapped around a circle of L samples, Σ_m K_{k+mL}. With
    `truncated_readout` for C it is that of the first L taps. Returns (…, L//2 + 1), complex, in double precision.
    """
    Lambda, P, B, C, dt = _dplr("dplr_spectrum", Lambda, P, B, C, dt)
    _require_length("dplr_spectrum", L)
    xp, rank = _library(Lambda), P.shape[-1]
    p = (dt[..., None, None] ** 0.5 * P).swapaxes(-1, -2)  # (…, rank, N)
    rows = xp.concatenate([C[..., None, :], p.conj()], -2)
    columns = xp.concatenate([(dt[..., None] * B)[..., None, :], p], -2)
    products = rows[..., :, None, :] * columns[..., None, :, :]  # (…, 1 + rank, 1 + rank, N): they share denominators
    weights = products.reshape(*products.shape[:-3], -1, products.shape[-1])
    both = [xp.concatenate([half, half.conj()], -1) for half in (weights, dt[..., None] * Lambda)]
    nodes, scale, turn = _half_angles(L, Lambda)
    sums = xp.moveaxis(cauchy(*both, nodes, scale).reshape(*products.shape[:-1], -1), -1, -3)
    CB, Cp, pB, pp = sums[..., :1, :1], sums[..., :1, 1:], sums[..., 1:, :1], sums[..., 1:, 1:]
    scale = scale[:, None, None]
    woodbury = CB - scale * Cp @ _solve_small(_identity(pp, rank) + scale * pp, pB)  # (…, L//2 + 1, 1, 1)
    return turn * woodbury[..., 0, 0]


def truncated_readout(Lambda, P, C, dt, L):
    """C̃ = C (I − Ā^L), for which C̃ (I − Āz)^{-1} B̄ = Σ_{k<L} K_k z^k at every z with z^L = 1.

    Ā^L is applied to the row C by squaring the dense 2N × 2N matrix: 8N³ log₂ L work and (…, 2N, 2N) memory a square,
    for Ā has no cheap powers in DPLR form. Shapes as in `dplr_kernel`; returns (…, N), complex, in double precision.
    """
    Lambda, P, _, C, dt = _dplr("truncated_readout", Lambda, P, Lambda, C, dt)
    _require_length("truncated_readout", L)
    A, B, row = dplr_dense(Lambda, P, Lambda, C)
    A_bar, _ = _bilinear_systems(A, B, dt)
    row = row - _power_times(A_bar.swapaxes(-1, -2), row[..., None], L)[..., 0]
    N = Lambda.shape[-1]
    return (row[..., :N] - 1j * row[..., N:]) / 2


def dplr_kernel(Lambda, P, B, C, dt, L):
    """K_l = C Ā^l B̄ for A = diag(Λ) − P P*, diagonal plus low rank, and its bilinear Ā and B̄: the kernel of S4.

    Args:
        Lambda: Λ, (…, N), complex, real parts below zero: as in `vandermonde_kernel`, each n stands for a conjugate
            pair of states, so this is a real system of 2N. Of the whole spectrum that `ssm_teach.hippo.nplr` returns,
            give the half with positive imaginary part.
        P: (…, N, rank). P* couples the two halves: P*x is 2 Re Σ_n P̄_n x_n.
        B, C: (…, N), in the basis in which A is given (V*B and CV).
        dt: Δ > 0, a number or (…,).
        L: Number of taps, even or odd.

    Returns K, real, (…, L), in the precision of Λ. Inside, arithmetic is in double precision: nodes close to a pole,
    and Ā^L, need the digits. Work N L for the sums and N³ log L for C̃; memory as `cauchy` and `truncated_readout` say.
    Limits: a pole on the imaginary axis meets a node, or comes as near as rounding; the sums then lose digits.
    Raises: UserError: shapes that do not fit, NumPy mixed with torch.
    Source: A. Gu, K. Goel and C. Ré 2022, S4, Algorithm 1.

    >>> pair = np.array([-0.5 + 2j])
    >>> K = dplr_kernel(pair, np.array([[0.7]]), np.ones(1), np.ones(1), dt=0.1, L=5)
    >>> bool(np.allclose(K, dplr_kernel_direct(pair, np.array([[0.7]]), np.ones(1), np.ones(1), 0.1, 5)))
    True
    """
    *system, C, dt = _dplr("dplr_kernel", Lambda, P, B, C, dt)
    C_tilde = truncated_readout(system[0], system[1], C, dt, L)
    K = _library(C_tilde).fft.irfft(dplr_spectrum(*system, C_tilde, dt, L), L)
    return K.to(Lambda.real.dtype) if isinstance(K, torch.Tensor) else K.astype(np.asarray(Lambda).real.dtype)


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


def _krylov(A, x, count):
    """x, Ax, A²x, … as ``count`` columns, (…, N, N) and (…, N) → (…, N, count): the table doubles as A is squared."""
    columns = x[..., None]
    while columns.shape[-1] < count:
        columns = _library(A).concatenate([columns, A @ columns], -1)
        A = A @ A
    return columns[..., :count]


def _power_times(A, x, n):
    """A^n x for x (…, N, k), by the binary digits of n."""
    while n:
        x = A @ x if n & 1 else x
        n >>= 1
        A = A @ A if n else A
    return x


def _half_angles(L, like):
    """2i sin φ, cos φ and e^{iφ} for φ = πj/L, j ≤ L/2; at j = L/2, z = −1, the cosine is zero and not 6·10⁻¹⁷."""
    j = np.arange(L // 2 + 1)
    scale = np.where(2 * j == L, 0.0, np.cos(np.pi * j / L))
    tables = (2j * np.sin(np.pi * j / L), scale.astype(complex), np.exp(1j * np.pi * j / L))
    return tuple(torch.from_numpy(t).to(like.device) for t in tables) if isinstance(like, torch.Tensor) else tables


def _solve_small(left, right):
    """left^{-1} right; for rank one a division, which LAPACK would make a hundred times as dear."""
    return right / left if left.shape[-1] == 1 else _library(left).linalg.solve(left, right)


def _bilinear_systems(A, B, dt):
    """Bilinear Ā and B̄ of many dense systems at once: A (…, N, N), B (…, N), dt (…,)."""
    xp, half = _library(A), dt[..., None, None] / 2 * A
    eye = _identity(A, A.shape[-1])
    right = xp.concatenate([eye + half, (dt[..., None] * B)[..., None]], -1)
    both = xp.linalg.solve(eye - half, right)
    return both[..., :-1], both[..., -1]


def _identity(like, N):
    if isinstance(like, torch.Tensor):
        return torch.eye(N, dtype=like.dtype, device=like.device)
    return np.eye(N, dtype=like.dtype)


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


def _systems(function, A_bar, B_bar, C, L):
    A_bar, B_bar, C = _promoted(*_arrays(function, A_bar=A_bar, B_bar=B_bar, C=C))
    _require_length(function, L)
    square = A_bar.ndim >= 2 and A_bar.shape[-1] == A_bar.shape[-2]
    require(square, f"{function}: A_bar must be square (…, N, N); got shape {_shape(A_bar)}")
    for name, vector in (("B_bar", B_bar), ("C", C)):
        require(
            vector.ndim >= 1 and vector.shape[-1] == A_bar.shape[-1],
            f"{function}: {name} must have shape (…, N) with N = {A_bar.shape[-1]} like A_bar; got {_shape(vector)}",
        )
    return A_bar, B_bar, C


def _dplr(function, Lambda, P, B, C, dt):
    """Everything in double precision and with the same leading dimensions, or `UserError`."""
    Lambda, P, B, C = _arrays(function, Lambda=Lambda, P=P, B=B, C=C)
    N = Lambda.shape[-1] if Lambda.ndim else 0
    require(N > 0, f"{function}: Lambda must have shape (…, N), N ≥ 1; got {_shape(Lambda)}")
    require(
        P.ndim >= 2 and P.shape[-2] == N,
        f"{function}: P must have shape (…, N, rank) with N = {N} like Lambda; got {_shape(P)}. "
        "Give a vector as P[..., None]",
    )
    for name, vector in (("B", B), ("C", C)):
        require(
            vector.ndim >= 1 and vector.shape[-1] == N,
            f"{function}: {name} must have shape (…, N) with N = {N} like Lambda; got {_shape(vector)}",
        )
    if isinstance(Lambda, torch.Tensor):
        arrays = [array.to(torch.complex128) for array in (Lambda, P, B, C)]
        dt = torch.as_tensor(dt, dtype=torch.float64, device=Lambda.device)
    else:
        arrays, dt = [array.astype(complex) for array in (Lambda, P, B, C)], np.asarray(dt, dtype=float)
    (Lambda, P, B, C), xp = arrays, _library(Lambda)
    try:
        leading = np.broadcast_shapes(Lambda.shape[:-1], P.shape[:-2], B.shape[:-1], C.shape[:-1], dt.shape)
    except ValueError:
        shapes = ", ".join(f"{name} {_shape(array)}" for name, array in zip("ΛPBC", arrays, strict=True))
        raise UserError(f"{function}: leading shapes must broadcast together; got {shapes}, dt {_shape(dt)}") from None
    vectors = (xp.broadcast_to(vector, (*leading, N)) for vector in (Lambda, B, C))
    Lambda, B, C = vectors
    return Lambda, xp.broadcast_to(P, (*leading, *P.shape[-2:])), B, C, xp.broadcast_to(dt, leading)


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
