"""A dense linear system in every channel: what LSSL and S4 share once each has made its own Ā, B̄ and C.

A diagonal Ā has cheap powers, one exponential each. These have not, so whatever needs Ā^l, the state after L inputs and
what an earlier state adds to the outputs, goes by squaring: N³ log L work a channel, and (d, N, N) memory a square.
"""

import math

import torch
from torch.nn import functional as F

from ssm_teach.kernels import _krylov, _power_times, dense_kernel
from ssm_teach.layers.base import SequenceLayer
from ssm_teach.ops import fft_conv

__all__ = ["DenseBank"]


class DenseBank(SequenceLayer):
    """d independent systems with a dense Ā, trained as a convolution: kernel, streaming, both directions.

    Arithmetic is in the layer's own precision or better, under autocast too. A half-precision u is raised to it, and y
    is returned in the dtype of u.
    """

    @property
    def _state_dtype(self) -> torch.dtype:
        return self.D.dtype

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

    def forward(self, u, *, state=None, return_state=False):
        """y for all of u at once, a causal convolution with the kernel by FFT.

        Args:
            u: (b, L, d), real.
            state: (b, d, N), x_{−1}; zero if left out.
            return_state: Also return x_{L−1}, from which the next chunk, or `step`, continues.
        """
        self._check_input(u, self.D.dtype)
        if state is not None or return_state:
            self._check_causal("state")
        if state is not None:
            self._check_state(state, (len(u), self.d, self.N), self._state_dtype)
        dtype, u = u.dtype, u.to(self.D.dtype)
        with torch.autocast(u.device.type, enabled=False):
            y = self._convolve(u)
            if state is not None or return_state:
                added, last = self._continue(u, state)
                y = y + added
        return (y.to(dtype), last) if return_state else y.to(dtype)

    def initial_state(self, b: int) -> torch.Tensor:
        """x_{−1} = 0 for a batch of b, (b, d, N)."""
        return torch.zeros(b, self.d, self.N, dtype=self._state_dtype, device=self.D.device)

    def _convolve(self, u):
        L = u.shape[1]
        K, *mirror = self._kernels(L)
        y = fft_conv(u, K + F.pad(self.D[:, None], (0, L - 1)))  # Du is one more weight on the newest input
        return y + fft_conv(u.flip(1), mirror[0]).flip(1) if mirror else y

    def _continue(self, u, state):
        """What x_{−1} adds to y, the response C Ā^{k+1} x_{−1}, and x_{L−1}."""
        A_bar, B_bar, C = self._dense()
        x, added = _last_state(A_bar, B_bar, u.to(A_bar.dtype)), 0.0
        if state is not None:
            before = _times(A_bar, self._flat(state).to(A_bar.dtype))
            added = dense_kernel(A_bar, before, C, u.shape[1]).transpose(1, 2).to(u.dtype)
            x = x + _power_times(A_bar, before[..., None], u.shape[1] - 1)[..., 0]
        return added, self._unflat(x.to(u.dtype))


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
