"""LSSL: the same state space layer with a dense A, before anybody knew how to make it cheap.

x' = Ax + Bu in every channel, y = Cx + Du, discretised by the bilinear transform (the generalised one with α = ½). One
A and one B serve all channels, as the measure of HiPPO is one idea; Δ, C and D belong to each. Since Δ differs, so does
Ā: (d, N, N) numbers, and a solve with N × N matrices a channel to make them. That is what S4 set out to avoid.

Counting states: N real states, none of them doubled. (S4D with the same real dimension has half its N.)

Source: A. Gu, I. Johnson, K. Goel, K. Saab, T. Dao, A. Rudra and C. Ré 2021, "Combining Recurrent, Convolutional, and
Continuous-time Models with Linear State-Space Layers" (LSSL).
"""

import torch

from ssm_teach import hippo
from ssm_teach.kernels import _bilinear_systems, dense_kernel
from ssm_teach.layers.base import log_uniform_dt
from ssm_teach.layers.dense import DenseBank, _times

__all__ = ["LSSL"]


class LSSL(DenseBank):
    """d state space models that share one dense A, (b, L, d) → (b, L, d).

    Args:
        d: Channels.
        N: Real states of each channel.
        measure: A and B start as ``ssm_teach.hippo.transition(measure, N)``.
        dt_min, dt_max: Δ starts log-uniform between them, one for each channel.
        bidirectional: Add the mirror image of the layer, with the same A, B and Δ and its own C. Every y_k then depends
            on the whole sequence, and there is neither `step` nor streaming.
        dtype, device: Of the parameters; float32 or float64.

    Parameters: ``log_dt`` (d,), ``A`` (N, N), ``B`` (N,), ``C`` (d, N), ``D`` (d,). C starts normal with variance 1, D
    at 1. All but D are named in ``ssm_parameters``.

    The kernel is made of powers of Ā, by `ssm_teach.kernels.dense_kernel`. Nothing keeps a trained A in the left half
    plane: where it leaves it, the kernel grows with L. S4 and S4D cannot.

    >>> layer = LSSL(d=4, N=8)
    >>> layer(torch.zeros(2, 100, 4)).shape
    torch.Size([2, 100, 4])
    """

    def __init__(
        self,
        d: int,
        N: int = 64,
        *,
        measure: str = "legs",
        dt_min: float = 1e-3,
        dt_max: float = 1e-1,
        bidirectional: bool = False,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ):
        super().__init__(d, N)
        A, B = hippo.transition(measure, N)
        self.causal = not bidirectional

        values = {
            "log_dt": log_uniform_dt("LSSL", d, dt_min, dt_max),
            "A": torch.from_numpy(A),
            "B": torch.from_numpy(B),
            "C": torch.randn(d, N, dtype=torch.float64),
        }
        if bidirectional:
            values["C_reverse"] = torch.randn(d, N, dtype=torch.float64)
        self.ssm_parameters = tuple(values)
        self._set_parameters(values | {"D": torch.ones(d)}, dtype, device)

    def discretize(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Ā (d, N, N) and B̄ (d, N)."""
        return _bilinear_systems(self.A, self.B, torch.exp(self.log_dt))

    def step(self, u_k, state):
        """One position, (b, d) → (b, d), and x_k: N² work a channel, and N³ for Ā, which is made anew."""
        self._check_step(u_k, self.D.dtype)
        self._check_state(state, (len(u_k), self.d, self.N), self._state_dtype)
        dtype, u_k = u_k.dtype, u_k.to(self.D.dtype)
        with torch.autocast(u_k.device.type, enabled=False):
            A_bar, B_bar = self.discretize()
            state = _times(A_bar, state) + B_bar * u_k[..., None]
            y_k = (self.C * state).sum(-1) + self.D * u_k
        return y_k.to(dtype), state

    def _dense(self):
        return *self.discretize(), self.C

    def _kernels(self, L):
        A_bar, B_bar = self.discretize()
        readouts = [self.C] if self.causal else [self.C, self.C_reverse]
        return [dense_kernel(A_bar, B_bar, C, L) for C in readouts]
