"""A dense linear system in every channel: what LSSL and S4 share once each has made its own Ā, B̄ and C.

A diagonal Ā has cheap powers, one exponential each. These have not, so whatever needs Ā^l, the state after L inputs and
what an earlier state adds to the outputs, goes by squaring: N³ log L work a channel, and (d, N, N) memory a square.
"""

import math

import torch
from torch.nn import functional as F

from ssm_teach.kernels import _krylov, _power_times, dense_kernel
from ssm_teach.layers.bank import SystemBank
from ssm_teach.ops import fft_conv

__all__ = ["DenseBank"]


class DenseBank(SystemBank):
    """Base of the layers with d dense systems: their Ā has no cheap powers, so it is squared."""

    def _dense(self):
        """Ā (d, M, M), B̄ (d, M) and C (d, M), real, for the M real numbers that `_flat` makes of a state."""
        raise NotImplementedError

    def _flat(self, state):
        """A state (b, d, N) as real numbers, (b, d, M)."""
        return state

    def _unflat(self, x):
        return x

    def _kernels(self, L: int):
        """The kernel (d, L), and that of the mirror image if there is one."""
        raise NotImplementedError

    def kernel(self, L: int) -> torch.Tensor:
        """The first L taps K_l = C Ā^l B̄ of every channel, (d, L), without D."""
        return self._kernels(L)[0]

    def _convolve(self, u):
        L = u.shape[1]
        K, *mirror = self._kernels(L)
        y = fft_conv(u, K + F.pad(self.D[:, None], (0, L - 1)))  # Du is one more weight on the newest input
        return y + fft_conv(u.flip(1), mirror[0]).flip(1) if mirror else y

    def _free_response(self, state, L: int):
        """What x_{−1} adds to y: C Ā^{k+1} x_{−1}, a kernel with Ā x_{−1} for its input weights."""
        A_bar, _, C = self._dense()
        before = _times(A_bar, self._flat(state).to(A_bar.dtype))
        return dense_kernel(A_bar, before, C, L).transpose(1, 2).to(self.D.dtype)

    def _final_state(self, u, state):
        """x_{L−1} = Ā^L x_{−1} + Σ_l Ā^l B̄ u_{L−1−l}."""
        A_bar, B_bar, _ = self._dense()
        x = _last_state(A_bar, B_bar, u.to(A_bar.dtype))
        if state is not None:
            before = self._flat(state).to(A_bar.dtype)
            x = x + _power_times(A_bar, before[..., None], u.shape[1])[..., 0]
        return self._unflat(x.to(u.dtype))


def _last_state(A_bar, B_bar, u):
    """x_{L−1} = Σ_l Ā^l B̄ u_{L−1−l}, (b, d, M), from a state of zero.

    With l = i·m + j the sum over j comes first, then the one over i, in pairs: tables of √L, never (b, L, d, M).
    """
    b, L, d = u.shape
    m = math.isqrt(L - 1) + 1
    rows = -(-L // m)
    newest_first = F.pad(u.flip(1), (0, 0, 0, rows * m - L)).reshape(b, rows, m, d)
    x = torch.einsum("bijd,dnj->ibdn", newest_first, _krylov(A_bar, B_bar, m))
    A = _power_times(A_bar, torch.eye(A_bar.shape[-1], dtype=A_bar.dtype, device=A_bar.device), m)
    while len(x) > 1:
        x = F.pad(x, (0, 0, 0, 0, 0, 0, 0, len(x) % 2))
        x = x[::2] + _times(A, x[1::2])
        A = A @ A
    return x[0]


def _times(A, x):
    """A x for A (d, M, M) and x (…, d, M)."""
    return torch.einsum("dnm,...dm->...dn", A, x)
