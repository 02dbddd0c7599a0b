"""S5: one diagonal state space model with d inputs and d outputs, run by a parallel scan.

x' = Ax + Bu with a diagonal A (N,) and a dense B (N, d), y = 2 Re(Cx) + D ⊙ u with a dense C (d, N). Every state has
its own step Δ; discretised, x_k = Ā x_{k−1} + B̄ u_k.

Counting states: N is the number of modes that are *stored*, as in `S4D`. Each stands for itself and its conjugate,
which makes a real system of 2N states. The S5 paper calls that 2N "P": its P = 64 is N = 32 here. And N counts the
states of the whole layer, where S4D's counts those of one channel.

Source: J. Smith, A. Warrington and S. Linderman 2023, "Simplified State Space Layers for Sequence Modeling" (S5).
"""

import math

import numpy as np
import torch
from scipy.linalg import block_diag

from ssm_teach.discretize import discretize_diagonal
from ssm_teach.errors import choose, require
from ssm_teach.hippo import nplr
from ssm_teach.layers.base import log_uniform_dt
from ssm_teach.layers.mimo import DiagonalMIMO

__all__ = ["METHODS", "S5"]

METHODS = ("zoh", "bilinear")


class S5(DiagonalMIMO):
    """One diagonal state space model with d inputs and d outputs, (b, L, d) → (b, L, d).

    Args:
        d: Channels, all of which drive every state and read every state.
        N: Modes stored for the whole layer; see the module's docstring for how papers count.
        blocks: J, the number of HiPPO-LegS matrices, 2N/J states each, of which A is made at the start. Divides N.
        method: How A and B become Ā and B̄, one of `METHODS`.
        dt_min, dt_max: Δ starts log-uniform between them, one for each state.
        bidirectional: Add the mirror image of the layer, with the same A, B and Δ and its own C. Every y_k then depends
            on the whole sequence, and there is neither `step` nor streaming.
        dtype, device: Of the parameters; float32 or float64.

    Real parameters: ``log_dt``, ``log_neg_real`` and ``imag``, (N,), with A = −exp(log_neg_real) + i imag; ``B``
    (N, d, 2) and ``C`` (d, N, 2), pairs of real and imaginary part; ``D`` (d,). The authors' code can clip Re A at
    −10⁻⁴ in place of the exponential. A clipped parameter has no gradient, so a mode that was pushed over the edge
    stays there; the exponential never reaches it.

    The start is the real system of J normal LegS blocks, with a normal B of variance 1/d and a normal C of variance
    1/(2N), written in the basis V of the eigenvectors (`ssm_teach.hippo.nplr`), B ← V*B and C ← CV, where each state
    then gets its own Δ. The phases of V do not matter, for they cancel in C Ā^k B̄. (The authors' code draws a complex
    C.) D is normal with variance 1.

    ``ssm_parameters`` has Δ, A and B, as in the authors' code: C is a weight matrix like that of any linear layer.

    >>> layer = S5(d=4, N=8, blocks=2)
    >>> layer(torch.zeros(2, 100, 4)).shape, layer.initial_state(2).shape
    (torch.Size([2, 100, 4]), torch.Size([2, 8]))
    """

    ssm_parameters = ("log_dt", "log_neg_real", "imag", "B")
    multiplicity = 2

    def __init__(
        self,
        d: int,
        N: int = 64,
        *,
        blocks: int = 1,
        method: str = "zoh",
        dt_min: float = 1e-3,
        dt_max: float = 1e-1,
        bidirectional: bool = False,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ):
        super().__init__(d, N)
        self.causal = not bidirectional
        _check_blocks(blocks, N)
        self.method = choose("S5", "method", method, METHODS)
        half = N // blocks  # the other half of the modes are the conjugates
        A, _, _, V = nplr("legs", 2 * half)
        A = torch.from_numpy(np.tile(A[:half], blocks))  # (N,)
        V = torch.from_numpy(block_diag(*[V[:, :half]] * blocks))  # (2N, N)

        def readout():
            return _normal(d, 2 * N).to(V.dtype) @ V / math.sqrt(2 * N)

        values = {
            "log_dt": log_uniform_dt("S5", N, dt_min, dt_max),
            "log_neg_real": torch.log(-A.real),
            "imag": A.imag,
            "B": V.mH @ _normal(2 * N, d).to(V.dtype) / math.sqrt(d),
            "C": readout(),
            "D": _normal(d),
        }
        if bidirectional:
            values["C_reverse"] = readout()
        self._set_parameters(values, dtype, device)

    @property
    def A(self) -> torch.Tensor:
        """Eigenvalues, (N,), complex; every real part is negative."""
        return torch.complex(-torch.exp(self.log_neg_real), self.imag)

    def discretize(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Ā (N,) and B̄ (N, d)."""
        A_bar, gain = discretize_diagonal(self.A, 1.0, torch.exp(self.log_dt), self.method)
        return A_bar, gain[:, None] * torch.view_as_complex(self.B)


def _normal(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def _check_blocks(blocks, N):
    whole = isinstance(blocks, int) and not isinstance(blocks, bool)
    divisors = ", ".join(str(n) for n in range(1, N + 1) if N % n == 0)
    require(
        whole and blocks >= 1 and N % blocks == 0,
        f"S5: blocks must be a whole number that divides N = {N}, one of {divisors}; got {blocks!r}",
    )
