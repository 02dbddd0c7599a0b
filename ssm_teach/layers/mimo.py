"""One diagonal system behind all d channels: what S5 and LRU share once they have made their Ā and B̄.

x_k = Ā x_{k−1} + B̄ u_k and y_k = κ Re(C x_k) + D ⊙ u_k, with a diagonal Ā (N,), a dense B̄ (N, d), a dense C (d, N), all
complex, and a real D (d,). κ says what a stored state counts for: 2 if it stands for its conjugate too, 1 if it does
not. The state is (b, N): one for the whole layer, where a bank of single-input systems has one for each channel.

All positions at once come from a scan, `ssm_teach.ops.linear_scan`. A kernel exists, but it has d × d numbers a lag.
"""

import torch

from ssm_teach.layers.base import SequenceLayer
from ssm_teach.ops import linear_scan

__all__ = ["DiagonalMIMO"]


class DiagonalMIMO(SequenceLayer):
    """Base of S5 and LRU: scan, step, streaming and both directions, from `discretize` and the parameters C and D.

    Arithmetic is in the layer's own precision, under autocast too: there are no complex numbers in bfloat16, and a
    decay near 1 needs the digits. A half-precision u is raised to it, and y is returned in the dtype of u.
    """

    multiplicity: int  # κ, the number of modes that a stored state stands for

    def discretize(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Ā (N,) and B̄ (N, d), complex."""
        raise NotImplementedError

    def kernel(self, L: int) -> torch.Tensor:
        """The first L taps K_l = κ Re C Ā^l B̄, (L, d, d) with outputs before inputs, without D.

        For looking at, not for computing y: d² numbers a lag, d² N multiplications for each.
        """
        A_bar, B_bar = self.discretize()
        powers = A_bar ** torch.arange(L, device=A_bar.device)[:, None]  # (L, N)
        return self.multiplicity * torch.einsum("in,ln,nj->lij", torch.view_as_complex(self.C), powers, B_bar).real

    def forward(self, u, *, state=None, return_state=False):
        """y for all of u at once, by a scan.

        Args:
            u: (b, L, d), real.
            state: (b, N) complex, x_{−1}; zero if left out.
            return_state: Also return x_{L−1}, from which the next chunk, or `step`, continues.
        """
        self._check_input(u, self.D.dtype)
        if state is not None or return_state:
            self._check_causal("state")
        if state is not None:
            self._check_state(state, (len(u), self.N), self._state_dtype)
        dtype, u = u.dtype, u.to(self.D.dtype)
        with torch.autocast(u.device.type, enabled=False):
            y, x = self._scan(u, state)
        # A copy of the last state, so that keeping it does not keep all of them alive.
        return (y.to(dtype), x[:, -1].clone()) if return_state else y.to(dtype)

    def initial_state(self, b: int) -> torch.Tensor:
        """x_{−1} = 0 for a batch of b, (b, N), complex."""
        return torch.zeros(b, self.N, dtype=self._state_dtype, device=self.D.device)

    def step(self, u_k, state):
        """One position, (b, d) → (b, d), and x_k: the recurrence as it is written."""
        self._check_step(u_k, self.D.dtype)
        self._check_state(state, (len(u_k), self.N), self._state_dtype)
        dtype, u_k = u_k.dtype, u_k.to(self.D.dtype)
        with torch.autocast(u_k.device.type, enabled=False):
            A_bar, B_bar = self.discretize()
            state = A_bar * state + _drive(B_bar, u_k)
            y_k = self._read(self.C, state) + self.D * u_k
        return y_k.to(dtype), state

    @property
    def _state_dtype(self):
        return self.D.dtype.to_complex()

    def _scan(self, u, state):
        """y (b, L, d) and x (b, L, N) at all positions: a product, a scan, a product."""
        A_bar, B_bar = self.discretize()
        driven = _drive(B_bar, u)
        x = linear_scan(A_bar, driven, state)
        y = self._read(self.C, x) + self.D * u
        if not self.causal:
            y = y + self._read(self.C_reverse, linear_scan(A_bar, driven.flip(1)).flip(1))
        return y, x

    def _read(self, C, x):
        """κ Re(C x), (…, N) → (…, d): Re C Re x − Im C Im x is one real product of twice the width."""
        pairs = C * torch.tensor([self.multiplicity, -self.multiplicity], dtype=C.dtype, device=C.device)
        return torch.view_as_real(x).flatten(-2) @ pairs.flatten(-2).T


def _drive(B_bar, u):
    """B̄u, (…, d) real → (…, N) complex: real and imaginary part in one real product."""
    pairs = torch.view_as_real(B_bar).transpose(-1, -2).flatten(0, 1)  # (2N, d): Re and Im of each row in turn
    return torch.view_as_complex((u @ pairs.T).unflatten(-1, (-1, 2)))
