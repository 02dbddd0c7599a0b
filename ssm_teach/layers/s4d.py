"""S4D: a diagonal state space model in every channel, trained as a convolution and run as a recurrence.

In each channel x' = Ax + Bu with a diagonal A and y = Cx + Du, discretised with the channel's own step Δ:
x_k = Ā x_{k−1} + B̄ u_k, so K_l = C Ā^l B̄ and y = K ∗ u + Du.

Counting states: N is the number of modes that are *stored*, so A is (d, N) and a state (b, d, N), as written. A complex
mode stands for itself and its conjugate, y = 2 Re Σ C_n x_n, which makes a real system of 2N states. The S4 papers call
that 2N "N": their N = 64 is N = 32 here. A real A is not doubled.

Two knobs say which frequencies such a layer finds, ``frequency_scale`` (α, where its modes start) and
``frequency_weight`` (β, how much a frequency of its output counts).

Sources: A. Gu, A. Gupta, K. Goel and C. Ré 2022, "On the Parameterization and Initialization of Diagonal State Space
Models" (S4D); A. Yu, D. Lyu, S. H. Lim, M. W. Mahoney and N. B. Erichson 2025, "Tuning Frequency Bias of State Space
Models" (α and β).
"""

import math

import numpy as np
import torch
from torch.nn import functional as F

from ssm_teach.discretize import discretize_diagonal
from ssm_teach.errors import choose, require
from ssm_teach.hippo import nplr
from ssm_teach.kernels import _exponentials
from ssm_teach.layers.bank import SystemBank
from ssm_teach.layers.base import log_uniform_dt
from ssm_teach.ops import diagonal_conv, fft_conv, vandermonde
from ssm_teach.ops._diagonal_conv import loops

__all__ = ["INITS", "METHODS", "S4D", "frequency_weights", "initial_A"]

INITS = ("lin", "inv", "legs", "real")
METHODS = ("zoh", "bilinear")


def initial_A(init: str, N: int) -> np.ndarray:
    """The N stored eigenvalues that a layer starts from, (N,), float64 or complex128, in 1/time.

    - ``"lin"``: −½ + iπn, n < N: evenly spaced frequencies. n = 0 is real, so its conjugate is itself and doubling it
      spends a state on nothing.
    - ``"inv"``: −½ + i(M/π)(M/(2n+1) − 1) with M = 2N: the top of the LegS spectrum, approximately.
    - ``"legs"``: the eigenvalues with positive imaginary part of the normal part A + PPᵀ of the 2N×2N HiPPO-LegS matrix
      (S4's sign), highest frequency first; see `ssm_teach.hippo.nplr`.
    - ``"real"``: −(n + 1): decay without oscillation.

    >>> initial_A("legs", 2).imag.round(4)
    array([4.6033, 0.5565])
    """
    choose("S4D", "init", init, INITS)
    n, M = np.arange(N), 2 * N
    if init == "real":
        return -(n + 1.0)
    if init == "legs":
        return nplr("legs", M)[0][:N]
    return -0.5 + 1j * (np.pi * n if init == "lin" else M / np.pi * (M / (2 * n + 1) - 1))


def frequency_weights(L: int, beta: float) -> torch.Tensor:
    """(1 + k/L)^β for the bins k = 0 … L of a real Fourier transform of 2L samples, (L + 1,), float64.

    Bin k is ω = πk/L radians a sample, so this is (1 + ω/π)^β whatever L and Δ: from 1 to 2^β at the Nyquist frequency.
    The paper's theory has (1 + |s|)^β at s = ω/Δ. That is the same law in another unit of time, but not the same
    weight: at Δ = 0.01 it reaches 315^β. Here it is as in the code of the paper's Long Range Arena experiments.

    >>> frequency_weights(4, 1.0)
    tensor([1.0000, 1.2500, 1.5000, 1.7500, 2.0000], dtype=torch.float64)
    """
    return (1 + torch.arange(L + 1, dtype=torch.float64) / L) ** beta


class S4D(SystemBank):
    """d independent diagonal state space models, (b, L, d) → (b, L, d).

    Args:
        d: Channels.
        N: Modes stored for each channel; see the module's docstring for how papers count.
        init: One of `INITS`, the spectrum of A at the start; see `initial_A`.
        method: How A and B become Ā and B̄, one of `METHODS`.
        dt_min, dt_max: Δ starts log-uniform between them, one for each channel.
        frequency_scale: α > 0. Im A starts α times as large, so that gradients, which fade with the square of the
            distance to the nearest mode, reach other frequencies. With ZOH a mode of Δ|Im a| ≥ π is *aliased*, at the
            samples the same as a slower one. So α > 1 ends, channel by channel, where the fastest mode would come
            within 1/2N of that limit; a channel that is beyond it at α = 1 stays as it is. `aliased` says which modes
            are; nothing holds them back in training. The bilinear method aliases nothing, and no α is cut.
        frequency_weight: β. The spectrum of K ∗ u is multiplied by `frequency_weights`: high frequencies count more
            with β > 0, less with β < 0. A weight without phase is a filter that looks both ways equally far. The layer
            then has no `step` and no streaming, and ``causal`` is False: to cut off the filter's future half would be
            another weight. It acts on 2L samples, so the convolution does not wrap around; the filter itself, which
            fades with the square of the distance, does.
        bidirectional: Add the mirror image of the layer, with the same A, B and Δ and its own C. Every y_k then depends
            on the whole sequence, and there is neither `step` nor streaming.
        dtype, device: Of the parameters; float32 or float64.

    Real parameters: ``log_dt`` (d,); ``log_neg_real`` and ``imag``, (d, N), with A = −exp(log_neg_real) + i imag,
    so that every eigenvalue stays in the left half plane whatever training does; ``B`` and ``C``, (d, N, 2), pairs of
    real and imaginary part, or (d, N) for a real A; ``D``, (d,). All but D are named in ``ssm_parameters``.

    B starts at 1 for every init, C normal with variance 1, D at 1. B and C enter the kernel as the product C_n B_n
    alone, so beside a random C a starting B only weighs the modes. For "legs" the weights V*B of the theory would make
    the state (nearly) Legendre coefficients, but beside a random C they favour a few high frequencies: for N = 32 the
    fastest mode starts some seventy times as heavy as the slowest, and of 64 Hankel singular values about 13 exceed a
    tenth of the largest (median), against 49 with B = 1. The phases of V*B are also the eigensolver's choice.

    Arithmetic is in the layer's own precision, under autocast too: the FFT and complex numbers have no bfloat16, and Δ
    needs the digits. A half-precision u is raised to it, and y is returned in the dtype of u.

    >>> layer = S4D(d=4, N=8)
    >>> layer(torch.zeros(2, 100, 4)).shape
    torch.Size([2, 100, 4])
    """

    def __init__(
        self,
        d: int,
        N: int = 64,
        *,
        init: str = "lin",
        method: str = "zoh",
        dt_min: float = 1e-3,
        dt_max: float = 1e-1,
        frequency_scale: float = 1.0,
        frequency_weight: float = 0.0,
        bidirectional: bool = False,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ):
        super().__init__(d, N)
        self.init, self.method = init, choose("S4D", "method", method, METHODS)
        _check_frequencies(init, frequency_scale, frequency_weight)
        self.frequency_weight, self.bidirectional = frequency_weight, bidirectional
        self.causal, self.is_complex = not (bidirectional or frequency_weight), init != "real"

        A = torch.from_numpy(initial_A(init, N)).expand(d, N)
        log_dt = log_uniform_dt(self._name, d, dt_min, dt_max)
        if frequency_scale != 1:
            A = _scaled(A, torch.exp(log_dt), frequency_scale, guarded=method == "zoh")
        parameters = {"log_dt": log_dt, "log_neg_real": torch.log(-A.real)}
        if A.is_complex():
            parameters["imag"] = A.imag
        parameters |= {"B": torch.ones_like(A), "C": torch.randn(d, N, dtype=A.dtype)}
        if bidirectional:
            parameters["C_reverse"] = torch.randn(d, N, dtype=A.dtype)
        self.ssm_parameters = tuple(parameters)
        self._set_parameters(parameters | {"D": torch.ones(d)}, dtype, device)

    @property
    def A(self) -> torch.Tensor:
        """Eigenvalues, (d, N), complex or real; every real part is negative."""
        real = -torch.exp(self.log_neg_real)
        return torch.complex(real, self.imag) if self.is_complex else real

    def discretize(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Ā and B̄, (d, N) each."""
        return discretize_diagonal(self.A, _joined(self.B), self._dt, self.method)

    def aliased(self) -> torch.Tensor:
        """Which modes ZOH takes for slower ones now, (d, N): those of Δ|Im a| ≥ π. None of a bilinear layer."""
        return (self._dt * self.A.imag.abs() >= math.pi) & (self.method == "zoh") if self.is_complex else self.A > 0

    def kernel(self, L: int) -> torch.Tensor:
        """The first L taps K_l = C Ā^l B̄ of every channel, (d, L), without D, and without ``frequency_weight``."""
        return self._response(_joined(self.C) * self.discretize()[1], L)

    def path(self, L: int) -> str:
        """How the convolution of L positions is computed, whichever was fastest where it was measured, on a CPU.

        - ``"recurrence"``: the recurrence in compiled loops, see `ssm_teach.ops.diagonal_conv`. Its work grows with N,
          that of an FFT with log L and with an ever worse use of the cache. It needs Numba, float32 and complex modes.
        - ``"chunks"``: the same in chunks of matrix products, without any of these.
        - ``"fft"``: the kernel, and an FFT.

        All three give the same numbers, up to rounding.
        """
        if loops(self._log_A_bar):
            widest = min(L // 8, 32 if L < 4096 else 64)
            return "recurrence" if widest >= self.N else "fft"
        return "chunks" if L >= 16384 and self.N <= 64 and self.D.device.type == "cpu" else "fft"

    def step(self, u_k, state):
        """One position, (b, d) → (b, d), and x_k: the recurrence as it is written."""
        self._check_step(u_k, self.D.dtype)
        self._check_state(state, (len(u_k), self.d, self.N), self._state_dtype)
        dtype, u_k = u_k.dtype, u_k.to(self.D.dtype)
        with torch.autocast(u_k.device.type, enabled=False):
            A_bar, B_bar = self.discretize()
            state = A_bar * state + B_bar * u_k[..., None]
            Cx = (_joined(self.C) * state).sum(-1)
            y_k = (2 * Cx.real if self.is_complex else Cx) + self.D * u_k
        return y_k.to(dtype), state

    def _check_causal(self, what):
        require(
            not self.frequency_weight,
            f"S4D: frequency_weight = {self.frequency_weight:g} weighs the spectrum of the whole sequence, so there is "
            f"no {what}; use layer(u), or frequency_weight=0",
        )
        super()._check_causal(what)

    @property
    def _dt(self):
        return torch.exp(self.log_dt)[:, None]

    @property
    def _state_dtype(self):
        return self.D.dtype.to_complex() if self.is_complex else self.D.dtype

    @property
    def _log_A_bar(self):
        """log Ā, so that Ā^l = exp(l log Ā). Bilinear: Ā = (1 + z/2)/(1 − z/2) = exp(2 artanh(z/2)) with z = ΔA.

        A real bilinear Ā is negative once Δ|A| > 2, and its logarithm complex.
        """
        z = self._dt * self.A
        if self.method == "zoh":
            return z
        z = torch.where(z == -2, z + torch.finfo(z.dtype).eps, z)  # Ā = 0 has no logarithm; its neighbour has
        return 2 * torch.atanh(z.to(z.dtype.to_complex()) / 2)

    def _powers(self, step: int, count: int):
        """Ā^{step·l} for l < count, (d, N, count)."""
        powers = _exponentials(self._log_A_bar, step, count)
        return powers if self.is_complex else powers.real

    def _as_modes(self, weights):
        """log Ā and w, for a kernel that is Σ_n w_n Ā_n^l with the conjugate modes added."""
        log_A_bar = self._log_A_bar
        if log_A_bar.is_complex() and not weights.is_complex():
            weights = weights / 2  # a conjugate is added, which a complex logarithm of a real Ā has not
        return log_A_bar, weights

    def _response(self, weights, L: int):
        """Σ_n w_n Ā_n^l for l < L with the conjugate modes added: (…, d, N) → (…, d, L), real."""
        return vandermonde(*self._as_modes(weights), L)

    def _convolve(self, u):
        B_bar = self.discretize()[1]
        if self.frequency_weight:
            return self._weighted(u, B_bar)
        y = self._convolve_with(u, _joined(self.C) * B_bar, self.D)
        if not self.bidirectional:
            return y
        return y + self._convolve_with(u.flip(1), _joined(self.C_reverse) * B_bar, torch.zeros_like(self.D)).flip(1)

    def _convolve_with(self, u, weights, D):
        L = u.shape[1]
        if self.path(L) != "fft":
            return diagonal_conv(u, *self._as_modes(weights), D)
        K = self._response(weights, L)
        return fft_conv(u, K + F.pad(D[:, None], (0, L - 1)))  # Du is one more weight on the newest input

    def _weighted(self, u, B_bar):
        """K ∗ u in both directions with its spectrum weighted, and Du, on a circle of 2L samples."""
        L = u.shape[1]
        K_hat = torch.fft.rfft(self._response(_joined(self.C) * B_bar, L), 2 * L)
        if self.bidirectional:  # a mirrored kernel has the conjugate spectrum
            K_hat = K_hat + torch.fft.rfft(self._response(_joined(self.C_reverse) * B_bar, L), 2 * L).conj()
        K_hat = K_hat * frequency_weights(L, self.frequency_weight).to(self.D)
        y = torch.fft.irfft(torch.fft.rfft(u.mT, 2 * L) * K_hat, 2 * L)[..., :L]
        return torch.addcmul(y.mT, self.D, u).contiguous()

    def _free_response(self, state, L: int):
        """What x_{−1} adds to y: C Ā^{k+1} x_{−1}, a kernel with C Ā x_{−1} for its weights. (b, d, N) → (b, L, d)."""
        return self._response(_joined(self.C) * self.discretize()[0] * state, L).transpose(1, 2)

    def _final_state(self, u, state):
        """x_{L−1} = Ā^L x_{−1} + Σ_l Ā^l B̄ u_{L−1−l}, (b, d, N).

        With l = i·m + j the sum over j comes first, then the one over i: tables of √L, never (b, L, d, N).
        """
        b, L, d = u.shape
        m = math.isqrt(L - 1) + 1
        rows = -(-L // m)
        newest_first = F.pad(u.flip(1), (0, 0, 0, rows * m - L)).reshape(b, rows, m, d)
        fine, coarse = self._powers(1, m), self._powers(m, rows)
        inner = torch.einsum("bijd,dnj->bdni", newest_first.to(fine.dtype), fine)
        x = self.discretize()[1] * (inner * coarse).sum(-1)
        return x if state is None else x + self._powers(L, 2)[..., 1] * state


def _scaled(A, dt, alpha, guarded):
    """A with its imaginary parts α times as large, (d, N); ``guarded``, an α > 1 ends in time for Nyquist."""
    scale = torch.full_like(dt, alpha)
    if guarded and alpha > 1:
        fastest = dt * A.imag.abs().amax(-1)
        limit = (1 - 1 / (2 * A.shape[-1])) * math.pi / fastest  # at π itself a mode and its conjugate are one
        scale = torch.minimum(scale, limit.clamp(min=1))
    return torch.complex(A.real, scale[:, None] * A.imag)


def _check_frequencies(init, scale, weight):
    finite = isinstance(weight, int | float) and math.isfinite(weight)
    require(finite, f"S4D: frequency_weight must be a finite number, 0 for none; got {weight!r}")
    positive = isinstance(scale, int | float) and 0 < scale < math.inf
    require(positive, f"S4D: frequency_scale must be a positive number, 1 for none; got {scale!r}")
    require(
        init != "real" or scale == 1,
        f"S4D: frequency_scale = {scale:g} scales the frequencies of the modes, and init='real' has none; "
        "choose init='lin', 'inv' or 'legs'",
    )


def _joined(pair: torch.Tensor) -> torch.Tensor:
    """A complex parameter from its (real, imaginary) pairs; a real one as it is."""
    return torch.view_as_complex(pair) if pair.ndim == 3 else pair
