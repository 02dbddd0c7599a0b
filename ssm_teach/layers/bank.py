"""A bank of d single-input systems, one for each channel: what S4, S4D, DSS and LSSL share.

Each is trained as a causal convolution, steps as a recurrence, and continues from a state: by linearity, y is the
response to u from rest, plus what the earlier state adds on its own.
"""

import torch

from ssm_teach.layers.base import SequenceLayer

__all__ = ["SystemBank"]


class SystemBank(SequenceLayer):
    """Base of the layers with one system a channel: all positions at once, streaming, both directions.

    Arithmetic is in the layer's own precision or better, under autocast too: the FFT and complex numbers have no
    bfloat16, and Δ needs the digits. A half-precision u is raised to it, and y is returned in the dtype of u.
    """

    @property
    def _state_dtype(self) -> torch.dtype:
        return self.D.dtype

    def kernel(self, L: int) -> torch.Tensor:
        """The first L taps K_l = C Ā^l B̄ of every channel, (d, L), without D."""
        raise NotImplementedError

    def forward(self, u, *, state=None, return_state=False):
        """y for all of u at once, a causal convolution with the kernel.

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
            if state is not None:
                y = y + self._free_response(state, u.shape[1])
            if return_state:
                state = self._final_state(u, state)
        return (y.to(dtype), state) if return_state else y.to(dtype)

    def initial_state(self, b: int) -> torch.Tensor:
        """x_{−1} = 0 for a batch of b, (b, d, N)."""
        return torch.zeros(b, self.d, self.N, dtype=self._state_dtype, device=self.D.device)

    def _convolve(self, u):
        """The response to u from rest, (b, L, d), of both directions if there are two."""
        raise NotImplementedError

    def _free_response(self, state, L: int):
        """What x_{−1} adds to y, (b, L, d)."""
        raise NotImplementedError

    def _final_state(self, u, state):
        """x_{L−1}, (b, d, N), from x_{−1}, or from rest if that is None."""
        raise NotImplementedError
