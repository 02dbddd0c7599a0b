"""Blocks: a sequence layer mixes positions; the block around it mixes channels and keeps the training stable.

The simple block is S4's (Gu, Goel and Ré 2022): layer → GELU → dropout → linear → GLU, inside a residual connection,
with a norm before or after. Everything but the layer works on each position by itself, so the block steps and streams
whenever its layer does, with the layer's state.
"""

from torch import nn
from torch.nn import functional as F

from ssm_teach.errors import choose, require

__all__ = ["NORMS", "BatchNorm", "FeatureDropout", "SimpleBlock"]


class BatchNorm(nn.BatchNorm1d):
    """Batch norm over every axis but the last: each of the d features by its mean and variance over b and L."""

    def forward(self, x):
        return super().forward(x.reshape(-1, x.shape[-1])).reshape(x.shape)


NORMS = {"layer": nn.LayerNorm, "batch": BatchNorm}


class FeatureDropout(nn.Module):
    """Dropout that drops a feature for the whole sequence: one draw for each (b, d), the same at all L positions.

    A long sequence gives back what ordinary dropout hides at one position through its neighbours.
    """

    def __init__(self, p: float):
        super().__init__()
        require(0 <= p < 1, f"FeatureDropout: dropout must be a probability, 0 ≤ p < 1; got {p!r}")
        self.p = p

    def forward(self, x):
        if not self.training or self.p == 0:
            return x
        return x * F.dropout(x.new_ones(x.shape[0], *[1] * (x.ndim - 2), x.shape[-1]), self.p)


class SimpleBlock(nn.Module):
    """Residual block around any sequence layer: norm, layer, GELU, dropout over features, linear, GLU.

    Args:
        layer: The sequence layer, (b, L, d) → (b, L, d).
        d: Channels.
        dropout: Probability of dropping a feature.
        norm: One of `NORMS`; both act on the features of one position.
        prenorm: Normalise the input of the layer, x + f(norm(x)), instead of the block's output, norm(x + f(x)).

    Streaming while training draws a new dropout mask for every chunk; in ``eval()`` chunks equal the whole.
    """

    def __init__(self, layer: nn.Module, d: int, *, dropout: float = 0.0, norm: str = "layer", prenorm: bool = False):
        super().__init__()
        choose("SimpleBlock", "norm", norm, NORMS)
        require(layer.d == d, f"SimpleBlock: d must equal the layer's {layer.d}; got {d}")
        self.layer, self.prenorm = layer, prenorm
        self.norm = NORMS[norm](d)
        self.dropout = FeatureDropout(dropout)
        self.mix = nn.Linear(d, 2 * d)

    @property
    def causal(self) -> bool:
        return self.layer.causal

    def forward(self, x, *, state=None, return_state=False):
        """(b, L, d) → (b, L, d); with ``return_state`` also the layer's state after the last position."""
        z = self.norm(x) if self.prenorm else x
        if return_state:
            z, state = self.layer(z, state=state, return_state=True)
            return self._finish(x, z), state
        return self._finish(x, self.layer(z, state=state))

    def initial_state(self, b: int):
        return self.layer.initial_state(b)

    def step(self, x_k, state):
        """One position, (b, d) → (b, d), and the next state."""
        z_k, state = self.layer.step(self.norm(x_k) if self.prenorm else x_k, state)
        return self._finish(x_k, z_k), state

    def _finish(self, x, z):
        # Linear then GLU: the second half of the linear map gates the first by a sigmoid.
        x = x + F.glu(self.mix(self.dropout(F.gelu(z))))
        return x if self.prenorm else self.norm(x)
