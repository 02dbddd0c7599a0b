"""S4: the HiPPO matrix itself in every channel, as diagonal plus low rank, trained as a convolution.

In each channel x' = Ax + Bu with A = diag(Λ) − P P*, y = Cx + Du, discretised by the bilinear transform with the
channel's own Δ. The kernel comes from Cauchy sums (`ssm_teach.kernels.dplr_kernel`), a step from solving with a
diagonal plus rank one, which takes O(N).

Counting states: as in `S4D`, N is the number of modes that are *stored*, and each stands for itself and its conjugate:
a real system of 2N states. The S4 papers call that 2N "N".

Source: A. Gu, K. Goel and C. Ré 2022, "Efficiently Modeling Long Sequences with Structured State Spaces" (S4).
"""

import torch

from ssm_teach import hippo
from ssm_teach.kernels import _bilinear_systems, dplr_dense, dplr_kernel
from ssm_teach.layers.base import log_uniform_dt
from ssm_teach.layers.dense import DenseBank

__all__ = ["S4"]


class S4(DenseBank):
    """d independent state space models with A = diag(Λ) − P P*, (b, L, d) → (b, L, d).

    Args:
        d: Channels.
        N: Modes stored for each channel; see the module's docstring for how papers count.
        dt_min, dt_max: Δ starts log-uniform between them, one for each channel.
        bidirectional: Add the mirror image of the layer, with the same A, B and Δ and its own C. Every y_k then depends
            on the whole sequence, and there is neither `step` nor streaming.
        dtype, device: Of the parameters; float32 or float64.

    Real parameters: ``log_dt`` (d,); ``log_neg_real`` and ``imag``, (d, N), with Λ = −exp(log_neg_real) + i imag;
    ``P``, ``B`` and ``C``, (d, N, 2), pairs of real and imaginary part; ``D``, (d,). All but D are named in
    ``ssm_parameters``.

    Λ, P and B start as ``ssm_teach.hippo.nplr("legs", 2N)``, so A *is* the HiPPO-LegS matrix in another basis; C is
    normal with variance 1, D is 1. A keeps that form in training, which also keeps it stable: with one and the same P
    on both sides the low-rank term only takes energy away. (With a P and a Q of their own, as S4 had them first, a
    trained A could become unstable; see the paper on SaShiMi, Goel et al. 2022.)

    Kernels and states are computed in double precision whatever the dtype, because nodes near a pole need the digits.

    >>> layer = S4(d=4, N=8)
    >>> layer(torch.zeros(2, 100, 4)).shape
    torch.Size([2, 100, 4])
    """

    def __init__(
        self,
        d: int,
        N: int = 64,
        *,
        dt_min: float = 1e-3,
        dt_max: float = 1e-1,
        bidirectional: bool = False,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ):
        super().__init__(d, N)
        self.causal = not bidirectional

        log_dt = log_uniform_dt("S4", d, dt_min, dt_max)
        Lambda, P, B, _ = hippo.nplr("legs", 2 * N)
        Lambda, P, B = (torch.as_tensor(M[:N]).expand(d, N) for M in (Lambda, P[:, 0], B.astype(complex)))
        values = {"log_dt": log_dt, "log_neg_real": torch.log(-Lambda.real), "imag": Lambda.imag, "P": P, "B": B}
        values["C"] = torch.randn(d, N, dtype=torch.complex128)
        if bidirectional:
            values["C_reverse"] = torch.randn(d, N, dtype=torch.complex128)
        self.ssm_parameters = tuple(values)
        self._set_parameters(values | {"D": torch.ones(d)}, dtype, device)

    @property
    def Lambda(self) -> torch.Tensor:
        """The diagonal, (d, N), complex; every real part is negative."""
        return torch.complex(-torch.exp(self.log_neg_real), self.imag)

    def step(self, u_k, state):
        """One position, (b, d) → (b, d), and x_k, in O(N): (I − ΔA/2) x_k = (I + ΔA/2) x_{k−1} + ΔB u_k.

        The left side is diagonal plus rank one, so by Woodbury its inverse is too.
        """
        self._check_step(u_k, self.D.dtype)
        self._check_state(state, (len(u_k), self.d, self.N), self._state_dtype)
        dtype, u_k = u_k.dtype, u_k.to(self.D.dtype)
        with torch.autocast(u_k.device.type, enabled=False):
            dt, Lambda = torch.exp(self.log_dt)[:, None], self.Lambda
            P, B, C = (torch.view_as_complex(pairs) for pairs in (self.P, self.B, self.C))
            right = state + dt / 2 * (Lambda * state - P * _pair_sum(P.conj(), state)) + dt * B * u_k[..., None]
            inverse = 1 / (1 - dt / 2 * Lambda)
            v, w = inverse * right, inverse * P
            state = v - w * (dt / 2 * _pair_sum(P.conj(), v) / (1 + dt / 2 * _pair_sum(P.conj(), w)))
            y_k = _pair_sum(C, state)[..., 0] + self.D * u_k
        return y_k.to(dtype), state

    @property
    def _state_dtype(self):
        return self.D.dtype.to_complex()

    def _system(self):
        """Λ, P, B and C in double precision: (d, N), (d, N, 1), (d, N), (d, N), and Δ, (d,)."""
        P, B, C = (torch.view_as_complex(pairs.double()) for pairs in (self.P, self.B, self.C))
        Lambda = torch.complex(-torch.exp(self.log_neg_real.double()), self.imag.double())
        return Lambda, P[..., None], B, C, torch.exp(self.log_dt.double())

    def _kernels(self, L):
        Lambda, P, B, C, dt = self._system()
        readouts = [C] if self.causal else [C, torch.view_as_complex(self.C_reverse.double())]
        return [dplr_kernel(Lambda, P, B, C, dt, L).to(self.D.dtype) for C in readouts]

    def _dense(self):
        *system, dt = self._system()
        A, B, C = dplr_dense(*system)
        return *_bilinear_systems(A, B, dt), C

    def _flat(self, state):
        return torch.cat([state.real, state.imag], -1)

    def _unflat(self, x):
        return torch.complex(*x.chunk(2, -1))


def _pair_sum(row, x):
    """Σ over the N stored modes and their conjugates, 2 Re Σ_n row_n x_n, (…, N) → (…, 1)."""
    return 2 * (row * x).sum(-1, keepdim=True).real
