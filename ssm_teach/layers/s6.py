"""S6: a diagonal state space model whose step Δ, input weights B and readout C are functions of the input.

In each channel x_k = Ā_k x_{k−1} + B̄_k u_k and y_k = C_k x_k + D u_k with Ā_k = exp(Δ_k A), where

    B_k = W_B u_k,    C_k = W_C u_k    (N numbers, the same for all d channels),
    Δ_k = softplus(W_Δ (W_low u_k) + b_Δ)    (one for each channel, by way of only R = dt_rank numbers).

A large Δ_k forgets the past and takes in u_k, a small one keeps the state and passes u_k over.

Source: A. Gu and T. Dao 2023, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces", section 3.
"""

import torch
from torch.nn import functional as F

from ssm_teach.errors import choose, require
from ssm_teach.layers.selective import SelectiveLayer, initial_step_bias, uniform
from ssm_teach.ops import selective_scan

__all__ = ["METHODS", "S6"]

METHODS = ("simplified", "zoh")


class S6(SelectiveLayer):
    """The selective state space model of Mamba, (b, L, d) → (b, L, d).

    Args:
        d: Channels.
        N: States of each channel, all real.
        method: ``"simplified"``, B̄ = ΔB, as in Mamba's released code, or ``"zoh"``, B̄ = (exp(ΔA) − 1)A⁻¹B, as in its
            paper. Ā = exp(ΔA) in both.
        dt_rank: R, the rank of the map from u to Δ; ⌈d/16⌉ if left out.
        dt_min, dt_max: Δ starts log-uniform between them for u = 0, one for each channel.
        dtype, device: Of the parameters; float32 or float64.

    Parameters: ``A_log`` (d, N) with A = −exp(A_log), at the start −1, −2, …, −N in every channel; ``W_in``
    (R + 2N, d), the rows of W_low, W_B and W_C; ``W_dt`` (d, R) and ``b_dt`` (d,); ``D`` (d,), at the start 1. Only
    A_log is among the ``ssm_parameters``: Δ, B and C are no parameters here but outputs of weight matrices.

    The state is (b, d, N). Arithmetic is in the layer's own precision, under autocast too.

    >>> layer = S6(d=4, N=8)
    >>> layer(torch.zeros(2, 100, 4)).shape, layer.initial_state(2).shape
    (torch.Size([2, 100, 4]), torch.Size([2, 4, 8]))
    """

    ssm_parameters = ("A_log",)

    def __init__(
        self,
        d: int,
        N: int = 16,
        *,
        method: str = "simplified",
        dt_rank: int | None = None,
        dt_min: float = 1e-3,
        dt_max: float = 1e-1,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ):
        super().__init__(d, N)
        self.method = choose("S6", "method", method, METHODS)
        self.dt_rank = R = -(-d // 16) if dt_rank is None else dt_rank
        require(isinstance(R, int) and R >= 1, f"S6: dt_rank must be a whole number, at least 1; got {R!r}")
        values = {
            "A_log": torch.log(torch.arange(1, N + 1, dtype=torch.float64)).expand(d, N),
            "W_in": uniform(R + 2 * N, d),
            "W_dt": uniform(d, R),
            "b_dt": initial_step_bias(d, dt_min, dt_max, "S6"),
            "D": torch.ones(d, dtype=torch.float64),
        }
        self._set_parameters(values, dtype, device)

    @property
    def A(self) -> torch.Tensor:
        """Eigenvalues, (d, N), all negative."""
        return -torch.exp(self.A_log)

    def select(self, u):
        """What the input chooses: Δ (…, d), B (…, N) and C (…, N), for u of shape (…, d)."""
        low, B, C = (u @ self.W_in.T).split([self.dt_rank, self.N, self.N], -1)
        return F.softplus(low @ self.W_dt.T + self.b_dt), B, C

    @property
    def _state_shape(self):
        return self.d, self.N

    def _parallel(self, u, state):
        delta, B, C = self.select(u)
        return selective_scan(
            u, delta, self.A, B, C, self.D, initial_state=state, return_state=True, method=self.method
        )

    def _recurrent(self, u_k, state):
        delta, B, C = self.select(u_k)
        z = delta[..., None] * self.A  # (b, d, N)
        weight = delta[..., None] if self.method == "simplified" else torch.expm1(z) / self.A
        state = torch.exp(z) * state + weight * B[:, None] * u_k[..., None]
        return (state * C[:, None]).sum(-1) + self.D * u_k, state
