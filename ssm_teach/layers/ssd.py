"""SSD, the layer of Mamba-2: S6 with one decay a head in place of one for every state.

d = h·p channels are h heads of p. In each head the state is a matrix X (p, N), and

    X_k = e^{Δ_k A} X_{k−1} + Δ_k u_k B_kᵀ,    y_k = X_k C_k + D u_k,

with one A < 0 and one Δ_k = softplus(w·u_k + b_Δ) for the head, B_k = W_B u_k and C_k = W_C u_k for all heads. S6 has
its own A_n for each state and its own Δ for each channel; giving that up makes the recurrence a masked attention of
large matrix products, see `ssm_teach.ops.ssd`.

Source: T. Dao and A. Gu 2024, "Transformers are SSMs: Generalized Models and Efficient Algorithms Through Structured
State Space Duality" (Mamba-2). There B, C and Δ come out of the block's first linear map; here, as in S6, out of u.
"""

import torch
from torch.nn import functional as F

from ssm_teach.errors import require
from ssm_teach.layers.selective import SelectiveLayer, initial_step_bias, uniform
from ssm_teach.ops import ssd

__all__ = ["SSD"]


class SSD(SelectiveLayer):
    """The selective state space model of Mamba-2, one decay a head, (b, L, d) → (b, L, d).

    Args:
        d: Channels, a multiple of ``headdim``.
        N: States of each channel.
        headdim: p, the channels that share a decay; 64, or d if that is smaller or no multiple of 64.
        chunk: Positions that `ssm_teach.ops.ssd` takes at once; it changes the speed only.
        A_max: A starts uniform in (−A_max, −1), one for each head.
        dt_min, dt_max: Δ starts log-uniform between them for u = 0, one for each head.
        dtype, device: Of the parameters; float32 or float64.

    Parameters: ``A_log`` (h,) with A = −exp(A_log); ``W_in`` (h + 2N, d), the rows of w, W_B and W_C; ``b_dt`` (h,);
    ``D`` (h,), at the start 1. A_log is the only one of the ``ssm_parameters``, as in S6.

    The state is (b, h, p, N). Arithmetic is in the layer's own precision, under autocast too.

    >>> layer = SSD(d=6, N=8, headdim=3)
    >>> layer(torch.zeros(2, 100, 6)).shape, layer.initial_state(2).shape
    (torch.Size([2, 100, 6]), torch.Size([2, 2, 3, 8]))
    """

    ssm_parameters = ("A_log",)

    def __init__(
        self,
        d: int,
        N: int = 64,
        *,
        headdim: int | None = None,
        chunk: int = 64,
        A_max: float = 16.0,
        dt_min: float = 1e-3,
        dt_max: float = 1e-1,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ):
        super().__init__(d, N)
        headdim = (64 if d % 64 == 0 else d) if headdim is None else headdim
        require(
            isinstance(headdim, int) and headdim >= 1 and d % headdim == 0,
            f"SSD: headdim must be a whole number that divides d = {d}; got {headdim!r}",
        )
        require(isinstance(chunk, int) and chunk >= 1, f"SSD: chunk must be a whole number, at least 1; got {chunk!r}")
        require(1 <= A_max < float("inf"), f"SSD: A_max must be at least 1; got {A_max!r}")
        self.headdim, self.chunk, self.heads = headdim, chunk, d // headdim
        values = {
            "A_log": torch.log(1 + (A_max - 1) * torch.rand(self.heads, dtype=torch.float64)),
            "W_in": uniform(self.heads + 2 * N, d),
            "b_dt": initial_step_bias(self.heads, dt_min, dt_max, "SSD"),
            "D": torch.ones(self.heads, dtype=torch.float64),
        }
        self._set_parameters(values, dtype, device)

    @property
    def A(self) -> torch.Tensor:
        """Decay rates, (h,), all negative."""
        return -torch.exp(self.A_log)

    def select(self, u):
        """What the input chooses: Δ (…, h), B (…, N) and C (…, N), for u of shape (…, d)."""
        delta, B, C = (u @ self.W_in.T).split([self.heads, self.N, self.N], -1)
        return F.softplus(delta + self.b_dt), B, C

    @property
    def _state_shape(self):
        return self.heads, self.headdim, self.N

    def _parallel(self, u, state):
        delta, B, C = self.select(u)
        heads = u.unflatten(-1, (self.heads, -1))
        y, state = ssd(heads, delta, self.A, B, C, self.D, self.chunk, state, return_state=True)
        return y.flatten(2), state

    def _recurrent(self, u_k, state):
        delta, B, C = self.select(u_k)
        heads = u_k.unflatten(-1, (self.heads, -1))  # (b, h, p)
        decay = torch.exp(delta * self.A)[..., None, None]
        state = decay * state + (delta[..., None] * heads)[..., None] * B[:, None, None]
        y = (state * C[:, None, None]).sum(-1) + self.D[:, None] * heads
        return y.flatten(1), state
