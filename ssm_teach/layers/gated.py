"""Three gated linear recurrences: RG-LRU with a vector for its state, GLA and HGRN2 with a matrix in every head.

RG-LRU:  h_k = a_k ⊙ h_{k−1} + √(1 − a_k²) ⊙ (i_k ⊙ x_k),   a_k = σ(Λ)^{8 r_k},   r_k, i_k = σ(linear in x_k).
GLA:     X_k = diag(α_k) X_{k−1} + k_k v_kᵀ,   y_k = X_kᵀ q_k,   α_k = σ(linear in u_k)^{1/16}.
HGRN2:   the same with a forget gate f_k for α_k and 1 − f_k for k_k: what is let in is what was let go.

Sources: S. De et al. 2024, "Griffin: Mixing Gated Linear Recurrences with Local Attention for Efficient Language
Models" (RG-LRU); S. Yang et al. 2024, "Gated Linear Attention Transformers with Hardware-Efficient Training" (GLA);
Z. Qin et al. 2024, "HGRN2: Gated Linear RNNs with State Expansion".
"""

import math

import torch
from torch.nn import functional as F

from ssm_teach.errors import require
from ssm_teach.layers.lru import ring
from ssm_teach.layers.selective import SelectiveLayer, require_heads, uniform
from ssm_teach.ops import gated_attention, linear_scan

__all__ = ["GLA", "HGRN2", "RGLRU"]


class RGLRU(SelectiveLayer):
    """The real-gated linear recurrent unit of Griffin between two linear maps, (b, L, d) → (b, L, d).

    Args:
        d: Channels.
        N: Units of the recurrence, each with one real state.
        r_min, r_max: The decay of a unit whose gate is open, σ(Λ)⁸, starts between them, uniform in its square.
        dtype, device: Of the parameters; float32 or float64.

    Parameters: ``Lambda`` (N,), the only one of the ``ssm_parameters``; ``W_x`` (N, d) and ``W_y`` (d, N), into the
    units and out of them; ``W_r`` and ``W_i`` (N, N), ``b_r`` and ``b_i`` (N,), the gates. The factor √(1 − a²) keeps a
    state driven by white noise at the variance of its input.

    The state is (b, N). Arithmetic is in the layer's own precision, under autocast too.

    >>> layer = RGLRU(d=4, N=8)
    >>> layer(torch.zeros(2, 100, 4)).shape, layer.initial_state(2).shape
    (torch.Size([2, 100, 4]), torch.Size([2, 8]))
    """

    ssm_parameters = ("Lambda",)

    def __init__(
        self,
        d: int,
        N: int = 64,
        *,
        r_min: float = 0.9,
        r_max: float = 0.999,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ):
        super().__init__(d, N)
        require(
            0 < r_min <= r_max < 1,
            f"RGLRU: r_min and r_max must satisfy 0 < r_min ≤ r_max < 1; got r_min={r_min!r}, r_max={r_max!r}",
        )
        rate = ring(N, r_min, r_max, 0.0)[0] / 8  # −log σ(Λ)
        values = {
            "Lambda": -torch.log(torch.expm1(rate)),
            **{"W_x": uniform(N, d), "W_y": uniform(d, N), "W_r": uniform(N, N), "W_i": uniform(N, N)},
            **{name: torch.zeros(N, dtype=torch.float64) for name in ("b_r", "b_i")},
        }
        self._set_parameters(values, dtype, device)

    def gates(self, u):
        """a and what enters the states, √(1 − a²) ⊙ i ⊙ x, (…, N) each, for u of shape (…, d)."""
        x = u @ self.W_x.T
        r, i = torch.sigmoid(x @ self.W_r.T + self.b_r), torch.sigmoid(x @ self.W_i.T + self.b_i)
        log_a = -8 * r * F.softplus(-self.Lambda)
        # 1 − a² without cancellation. At a = 1 the root would have an infinite slope.
        rest = (-torch.expm1(2 * log_a)).clamp(min=torch.finfo(u.dtype).tiny)
        return torch.exp(log_a), torch.sqrt(rest) * i * x

    @property
    def _state_shape(self):
        return (self.N,)

    def _parallel(self, u, state):
        h = linear_scan(*self.gates(u), state)
        return h @ self.W_y.T, h[:, -1].clone()

    def _recurrent(self, u_k, state):
        a, entering = self.gates(u_k)
        state = a * state + entering
        return state @ self.W_y.T, state


class _GatedAttention(SelectiveLayer):
    """Base of GLA and HGRN2: what they do with q, k, v and log α once they have them. The state is (b, h, N, d/h)."""

    def project(self, u):
        """q, k and log α, (…, h, N), and v (…, h, d/h), for u of shape (…, d)."""
        raise NotImplementedError

    def _heads(self, u, W):
        return (u @ W.T).unflatten(-1, (self.heads, -1))

    @property
    def _state_shape(self):
        return self.heads, self.N, self.d // self.heads

    def _parallel(self, u, state):
        q, k, v, log_alpha = self.project(u)
        y, state = gated_attention(q, k, v, log_alpha, initial_state=state, return_state=True)
        return y.flatten(2) @ self.W_out.T, state

    def _recurrent(self, u_k, state):
        q, k, v, log_alpha = self.project(u_k)
        state = torch.exp(log_alpha)[..., None] * state + k[..., None] * v[..., None, :]
        return (state * q[..., None]).sum(-2).flatten(1) @ self.W_out.T, state


class GLA(_GatedAttention):
    """Gated linear attention, (b, L, d) → (b, L, d).

    Args:
        d: Channels, a multiple of ``heads``; each head has values of d/heads.
        N: Features of a query or a key of each head.
        heads: Number of heads.
        rank: Of the linear map from u to the gates; min(16, d) if left out.
        dtype, device: Of the parameters; float32 or float64.

    Parameters: ``W_q`` and ``W_k`` (heads·N, d), ``W_v`` and ``W_out`` (d, d), ``W_low`` (rank, d), ``W_alpha``
    (heads·N, rank) and ``b_alpha`` (heads·N,). ``ssm_parameters`` is empty. The power 1/16 keeps the decays near 1: a
    gate of ½ forgets 4% a step.

    The norm and the output gate that the paper puts behind the heads belong to the block around a layer here.

    >>> layer = GLA(d=6, N=8, heads=2)
    >>> layer(torch.zeros(2, 100, 6)).shape, layer.initial_state(2).shape
    (torch.Size([2, 100, 6]), torch.Size([2, 2, 8, 3]))
    """

    def __init__(
        self,
        d: int,
        N: int = 16,
        *,
        heads: int = 1,
        rank: int | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ):
        super().__init__(d, N)
        self.heads, rank = require_heads("GLA", d, heads), min(16, d) if rank is None else rank
        require(isinstance(rank, int) and rank >= 1, f"GLA: rank must be a whole number, at least 1; got {rank!r}")
        sizes = {"W_q": heads * N, "W_k": heads * N, "W_v": d, "W_out": d, "W_low": rank}
        values = {name: uniform(rows, d) for name, rows in sizes.items()}
        values |= {"W_alpha": uniform(heads * N, rank), "b_alpha": torch.zeros(heads * N, dtype=torch.float64)}
        self._set_parameters(values, dtype, device)

    def project(self, u):
        q, k, v = (self._heads(u, W) for W in (self.W_q, self.W_k, self.W_v))
        gate = F.logsigmoid(u @ self.W_low.T @ self.W_alpha.T + self.b_alpha)
        return q / math.sqrt(self.N), k, v, gate.unflatten(-1, (self.heads, -1)) / 16


class HGRN2(_GatedAttention):
    """The gated linear recurrence of HGRN2, whose key is what its forget gate leaves, (b, L, d) → (b, L, d).

    Args:
        d: Channels, a multiple of ``heads``; each head has values of d/heads.
        N: Features of a query or a forget gate of each head. In the paper N = d/heads.
        heads: Number of heads.
        lower_bound: β of f = β + (1 − β) σ(linear in u), 0 ≤ β < 1. The paper lets it rise with depth, so that upper
            layers must remember long; here every layer of a model has the one that is given.
        dtype, device: Of the parameters; float32 or float64.

    Parameters: ``W_q`` and ``W_f`` (heads·N, d), ``b_f`` (heads·N,), ``W_v`` and ``W_out`` (d, d). ``ssm_parameters``
    is empty.

    >>> layer = HGRN2(d=6, N=8, heads=2)
    >>> layer(torch.zeros(2, 100, 6)).shape, layer.initial_state(2).shape
    (torch.Size([2, 100, 6]), torch.Size([2, 2, 8, 3]))
    """

    def __init__(
        self,
        d: int,
        N: int = 16,
        *,
        heads: int = 1,
        lower_bound: float = 0.0,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ):
        super().__init__(d, N)
        require(0 <= lower_bound < 1, f"HGRN2: lower_bound must satisfy 0 ≤ lower_bound < 1; got {lower_bound!r}")
        self.heads, self.lower_bound = require_heads("HGRN2", d, heads), lower_bound
        sizes = {"W_q": heads * N, "W_f": heads * N, "W_v": d, "W_out": d}
        values = {name: uniform(rows, d) for name, rows in sizes.items()}
        self._set_parameters(values | {"b_f": torch.zeros(heads * N, dtype=torch.float64)}, dtype, device)

    def project(self, u):
        q, v = self._heads(u, self.W_q), self._heads(u, self.W_v)
        z = (u @ self.W_f.T + self.b_f).unflatten(-1, (self.heads, -1))
        low = torch.full_like(z, self.lower_bound).log()
        log_f = torch.logaddexp(low, math.log1p(-self.lower_bound) + F.logsigmoid(z))
        return F.silu(q), (1 - self.lower_bound) * torch.sigmoid(-z), v, log_f
