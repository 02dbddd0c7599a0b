"""S4D: a diagonal state space model in every channel, trained as a convolution and run as a recurrence.

In each channel x' = Ax + Bu with a diagonal A and y = Cx + Du, discretised with the channel's own step Δ:
x_k = Ā x_{k−1} + B̄ u_k, so K_l = C Ā^l B̄ and y = K ∗ u + Du.

Counting states: N is the number of modes that are *stored*, so A is (d, N) and a state (b, d, N), as written. A complex
mode stands for itself and its conjugate, y = 2 Re Σ C_n x_n, which makes a real system of 2N states. The S4 papers call
that 2N "N": their N = 64 is N = 32 here. A real A is not doubled.

Source: A. Gu, A. Gupta, K. Goel and C. Ré 2022, "On the Parameterization and Initialization of Diagonal State Space
Models" (S4D).
"""

import math

import numpy as np
import torch
from torch.nn import functional as F

from ssm_teach.discretize import discretize_diagonal
from ssm_teach.errors import choose
from ssm_teach.hippo import nplr
from ssm_teach.kernels import _exponentials
from ssm_teach.layers.bank import SystemBank
from ssm_teach.layers.base import log_uniform_dt
from ssm_teach.ops import diagonal_conv, fft_conv, vandermonde
from ssm_teach.ops._diagonal_conv import loops

__all__ = ["INITS", "METHODS", "S4D", "initial_A"]

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


class S4D(SystemBank):
    """d independent diagonal state space models, (b, L, d) → (b, L, d).

    Args:
        d: Channels.
        N: Modes stored for each channel; see the module's docstring for how papers count.
        init: One of `INITS`, the spectrum of A at the start; see `initial_A`.
        method: How A and B become Ā and B̄, one of `METHODS`.
        dt_min, dt_max: Δ starts log-uniform between them, one for each channel.
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
        bidirectional: bool = False,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ):
        super().__init__(d, N)
        self.init, self.method = init, choose("S4D", "method", method, METHODS)
        self.causal, self.is_complex = not bidirectional, init != "real"

        A = torch.from_numpy(initial_A(init, N)).expand(d, N)
        log_dt = log_uniform_dt(self._name, d, dt_min, dt_max)
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

    def kernel(self, L: int) -> torch.Tensor:
        """The first L taps K_l = C Ā^l B̄ of every channel, (d, L), without D."""
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
        y = self._convolve_with(u, _joined(self.C) * B_bar, self.D)
        if self.causal:
            return y
        return y + self._convolve_with(u.flip(1), _joined(self.C_reverse) * B_bar, torch.zeros_like(self.D)).flip(1)

    def _convolve_with(self, u, weights, D):
        L = u.shape[1]
        if self.path(L) != "fft":
            return diagonal_conv(u, *self._as_modes(weights), D)
        K = self._response(weights, L)
        return fft_conv(u, K + F.pad(D[:, None], (0, L - 1)))  # Du is one more weight on the newest input

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


def _joined(pair: torch.Tensor) -> torch.Tensor:
    """A complex parameter from its (real, imaginary) pairs; a real one as it is."""
    return torch.view_as_complex(pair) if pair.ndim == 3 else pair
