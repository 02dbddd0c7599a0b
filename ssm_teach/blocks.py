"""Blocks: a sequence layer mixes positions; the block around it mixes channels and keeps the training stable.

The simple block is S4's (Gu, Goel and Ré 2022): layer → GELU → dropout → linear → GLU, inside a residual connection,
with a norm before or after. Everything but the layer works on each position by itself, so the block steps and streams
whenever its layer does, with the layer's state.

The Mamba block (Gu and Dao 2023) has the layer inside a gated linear unit, on twice the channels, behind a short
convolution. It remembers the layer's state and the last inputs of the convolution.
"""

from typing import NamedTuple

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ssm_teach.errors import choose, require

__all__ = ["EXPANSION", "NORMS", "BatchNorm", "FeatureDropout", "MambaBlock", "MambaState", "ShortConv", "SimpleBlock"]

EXPANSION = 2  # channels of the layer in a Mamba block, for each of the block's
WIDTH = 4  # positions that its short convolution sees


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


class MambaBlock(nn.Module):
    """Residual block around any sequence layer of 2d channels: x + W_out(dropout(layer(silu(conv(m))) ⊙ silu(g))).

    m and g, 2d channels each, are linear in the RMS norm of x; conv is a `ShortConv` of width 4. Dropout, of features
    over the whole sequence, comes right before the projection back to d channels. The linear maps have no bias.

    Args:
        layer: The sequence layer, (b, L, 2d) → (b, L, 2d).
        d: Channels of the block.
        dropout: Probability of dropping a feature.

    A bidirectional layer makes a bidirectional block, although the convolution looks backwards only.

    Streaming while training draws a new dropout mask for every chunk; in ``eval()`` chunks equal the whole.
    """

    prenorm = True

    def __init__(self, layer: nn.Module, d: int, *, dropout: float = 0.0):
        super().__init__()
        require(
            layer.d == EXPANSION * d,
            f"MambaBlock: the layer must have {EXPANSION}d = {EXPANSION * d} channels; got one with {layer.d}",
        )
        self.layer = layer
        self.norm = nn.RMSNorm(d)
        self.expand = nn.Linear(d, 2 * layer.d, bias=False)
        self.conv = ShortConv(layer.d, WIDTH)
        self.dropout = FeatureDropout(dropout)
        self.contract = nn.Linear(layer.d, d, bias=False)

    @property
    def causal(self) -> bool:
        return self.layer.causal

    def forward(self, x, *, state=None, return_state=False):
        """(b, L, d) → (b, L, d); with ``return_state`` also the `MambaState` after the last position."""
        main, gate = self.expand(self.norm(x)).chunk(2, -1)
        recent, layer_state = (None, None) if state is None else state
        main, recent = self.conv(main, recent)
        if not return_state:
            return self._finish(x, self.layer(F.silu(main), state=layer_state), gate)
        y, layer_state = self.layer(F.silu(main), state=layer_state, return_state=True)
        return self._finish(x, y, gate), MambaState(recent, layer_state)

    def initial_state(self, b: int) -> "MambaState":
        return MambaState(self.conv.initial_state(b), self.layer.initial_state(b))

    def step(self, x_k, state):
        """One position, (b, d) → (b, d), and the next state."""
        main, gate = self.expand(self.norm(x_k)).chunk(2, -1)
        main, recent = self.conv(main[:, None], state.recent)
        y, layer_state = self.layer.step(F.silu(main[:, 0]), state.layer)
        return self._finish(x_k, y, gate), MambaState(recent, layer_state)

    def _finish(self, x, y, gate):
        return x + self.contract(self.dropout(y * F.silu(gate)))


class MambaState(NamedTuple):
    """What a Mamba block remembers: the last inputs of its convolution, (b, 3, 2d), and its layer's state."""

    recent: torch.Tensor
    layer: object


class ShortConv(nn.Module):
    """A causal convolution in every channel: y_k = bias + Σ_j weight_j ⊙ u_{k−j}, j < width. (b, L, d) → (b, L, d).

    Four shifted products: on a CPU, `torch.nn.Conv1d` with one group a channel takes several times as long, and wants
    time last. ``weight`` is (width, d), newest first, and starts as that of a `Conv1d` would.
    """

    def __init__(self, d: int, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width, d).uniform_(-1, 1) / width**0.5)
        self.bias = nn.Parameter(torch.empty(d).uniform_(-1, 1) / width**0.5)

    def forward(self, u, recent=None):
        """y, and the last width − 1 inputs, (b, width − 1, d), which the next chunk takes as ``recent``."""
        b, L, d = u.shape
        recent = u.new_zeros(b, len(self.weight) - 1, d) if recent is None else recent.to(u.dtype)
        u = torch.cat([recent, u], 1)
        return _ShiftedProducts.apply(u, self.weight.to(u.dtype), self.bias.to(u.dtype)), u[:, L:]

    def initial_state(self, b: int) -> torch.Tensor:
        """Zeros before the first position, (b, width − 1, d)."""
        width, d = self.weight.shape
        return self.weight.new_zeros(b, width - 1, d)


class _ShiftedProducts(torch.autograd.Function):
    """y_k = bias + Σ_j weight_j ⊙ u_{k−j}, where u has width − 1 positions more than y, in front.

    Left to itself, autograd makes a zero-padded copy of the whole sequence for each of the shifts.
    """

    @staticmethod
    def forward(ctx, u, weight, bias):
        ctx.save_for_backward(u, weight)
        y = bias.repeat(u.shape[0], u.shape[1] - len(weight) + 1, 1)  # a copy even of one position: it is written to
        for j in range(len(weight)):
            y.addcmul_(_delayed(u, j, weight), weight[j])
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        u, weight = ctx.saved_tensors
        grad_u, product, grad_weight = torch.zeros_like(u), torch.empty_like(g), torch.empty_like(weight)
        for j in range(len(weight)):
            _delayed(grad_u, j, weight).addcmul_(g, weight[j])
            grad_weight[j] = torch.mul(g, _delayed(u, j, weight), out=product).sum((0, 1))
        return grad_u, grad_weight, g.sum((0, 1))


def _delayed(u, j: int, weight):
    """u_{k−j} for every k that has all its predecessors, a view."""
    first = len(weight) - 1 - j
    return u[:, first : u.shape[1] - j]
