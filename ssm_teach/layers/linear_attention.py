"""Linear attention: attention without its exponential, which is a recurrence with a matrix for its state.

In each of h heads, with queries, keys and values q, k, v linear in u and a feature map φ > 0,

    S_k = S_{k−1} + v_k φ(k_k)ᵀ,    z_k = z_{k−1} + φ(k_k),    y_k = S_k φ(q_k) / (z_k·φ(q_k)).

Nothing is forgotten: the decay is 1 at every position. That makes it the state-space duality (`ssm_teach.ops.ssd`) with
A = 0 and Δ = 1, keys for B and queries for C. The sum z is one more row of S, whose value is always 1.

Source: A. Katharopoulos, A. Vyas, N. Pappas and F. Fleuret 2020, "Transformers are RNNs: Fast Autoregressive
Transformers with Linear Attention".
"""

import torch
from torch.nn import functional as F

from ssm_teach.layers.selective import SelectiveLayer, require_heads, uniform
from ssm_teach.ops import ssd

__all__ = ["LinearAttention"]


class LinearAttention(SelectiveLayer):
    """Causal linear attention with φ(x) = elu(x) + 1, (b, L, d) → (b, L, d).

    Args:
        d: Channels, a multiple of ``heads``; each head has values of d/heads.
        N: Features of a query or a key of each head.
        heads: Number of heads.
        dtype, device: Of the parameters; float32 or float64.

    Parameters: ``W_q`` and ``W_k`` (heads·N, d), ``W_v`` and ``W_out`` (d, d). None of them is on the state's own
    scale, so ``ssm_parameters`` is empty.

    The state is (b, heads, d/heads + 1, N): S, and z in its last row. It grows with the number of positions, as nothing
    leaves it, but y is a weighted mean of values and does not. Arithmetic is in the layer's own precision, under
    autocast too.

    >>> layer = LinearAttention(d=6, N=8, heads=2)
    >>> layer(torch.zeros(2, 100, 6)).shape, layer.initial_state(2).shape
    (torch.Size([2, 100, 6]), torch.Size([2, 2, 4, 8]))
    """

    def __init__(
        self,
        d: int,
        N: int = 16,
        *,
        heads: int = 1,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ):
        super().__init__(d, N)
        self.heads = require_heads("LinearAttention", d, heads)
        sizes = {"W_q": heads * N, "W_k": heads * N, "W_v": d, "W_out": d}
        self._set_parameters({name: uniform(rows, d) for name, rows in sizes.items()}, dtype, device)

    def project(self, u):
        """φ(q), φ(k), (…, heads, N), and v with a 1 at its end, (…, heads, d/heads + 1), for u of shape (…, d)."""
        q, k, v = ((u @ W.T).unflatten(-1, (self.heads, -1)) for W in (self.W_q, self.W_k, self.W_v))
        return 1 + F.elu(q), 1 + F.elu(k), F.pad(v, (0, 1), value=1.0)

    @property
    def _state_shape(self):
        return self.heads, self.d // self.heads + 1, self.N

    def _parallel(self, u, state):
        q, k, v = self.project(u)
        never = u.new_zeros(self.heads)
        sums, state = ssd(v, u.new_ones(v.shape[:-1]), never, k, q, initial_state=state, return_state=True)
        return self._normalised(sums), state

    def _recurrent(self, u_k, state):
        q, k, v = self.project(u_k)
        state = state + v[..., None] * k[..., None, :]
        return self._normalised((state * q[..., None, :]).sum(-1)), state

    def _normalised(self, sums):
        return (sums[..., :-1] / sums[..., -1:]).flatten(-2) @ self.W_out.T
