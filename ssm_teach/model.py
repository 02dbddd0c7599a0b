"""A deep sequence model: encoder → n blocks → decoder. The same for every layer and every task.

Shapes: u is (b, L, d_input) real, or (b, L) whole numbers below ``vocab``; the answer is (b, d_output), or
(b, L, d_output) with ``pool="none"``. Two documents are (b, 2, L, …).
"""

from typing import NamedTuple

import torch
from torch import nn

from ssm_teach.blocks import EXPANSION, MambaBlock, SimpleBlock
from ssm_teach.errors import UserError, choose, require
from ssm_teach.layers import make
from ssm_teach.layers.base import require_tensor

__all__ = ["BLOCKS", "POOLS", "ModelState", "SequenceModel", "parameter_groups"]

BLOCKS = {"simple": SimpleBlock, "mamba": MambaBlock}
POOLS = ("mean", "last", "none")


class ModelState(NamedTuple):
    """What a model remembers between chunks: its blocks' states, and for the mean over positions a sum and a count."""

    blocks: list
    total: torch.Tensor  # (b, d_model)
    count: int


class SequenceModel(nn.Module):
    """Encoder, ``n_layers`` blocks around the named layer, pooling over positions, linear decoder.

    Args:
        d_input: Features of a real input; the encoder is linear. Give this or ``vocab``.
        vocab: Number of symbols; the encoder is an embedding.
        d_output: Classes, or outputs at each position.
        layer: A name in `ssm_teach.layers.LAYERS`; ``layer_options`` go to it, ``N`` is its state size.
        block: ``"simple"`` or ``"mamba"``, see `SimpleBlock` and `MambaBlock`.
        d_model: Channels of the blocks. Inside a Mamba block the layer has twice as many.
        n_layers: Number of blocks.
        dropout: Probability of dropping a feature.
        norm, prenorm: As in `SimpleBlock`. A Mamba block is always prenorm, and its norm is RMS. With a norm before the
            layers, one more comes before the pooling.
        pool: ``"mean"`` over positions, the ``"last"`` position, or ``"none"``: an output at every position.
        documents: 2 for an answer about a pair: u is (b, 2, L) or (b, 2, L, d_input), the same weights read both, and a
            small network decides on what they became, a and b, by [a, b, a − b, a ⊙ b]. Such a model does not stream.

    >>> model = SequenceModel(d_input=3, d_output=10, d_model=8, n_layers=2, N=4)
    >>> model(torch.zeros(2, 100, 3)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        *,
        d_input: int | None = None,
        vocab: int | None = None,
        d_output: int,
        layer: str = "s4d",
        block: str = "simple",
        d_model: int = 128,
        n_layers: int = 4,
        N: int = 64,
        dropout: float = 0.0,
        norm: str = "layer",
        prenorm: bool = False,
        pool: str = "mean",
        documents: int = 1,
        **layer_options,
    ):
        super().__init__()
        require(
            (d_input is None) != (vocab is None),
            "SequenceModel: give either d_input (real inputs) or vocab (symbols), not "
            + ("neither" if d_input is None else "both"),
        )
        given = {"d_input": d_input, "vocab": vocab, "d_output": d_output, "d_model": d_model, "n_layers": n_layers}
        for name, size in given.items():
            whole = isinstance(size, int) and not isinstance(size, bool)
            require(
                size is None or (whole and size >= 1),
                f"SequenceModel: {name} must be a whole number, at least 1; got {size!r}",
            )
        self.d_input, self.vocab, self.d_model = d_input, vocab, d_model
        self.pool = choose("SequenceModel", "pool", pool, POOLS)
        self.encoder = nn.Linear(d_input, d_model) if vocab is None else nn.Embedding(vocab, d_model)
        choose("SequenceModel", "block", block, BLOCKS)

        def new_block():
            if block == "mamba":
                return MambaBlock(make(layer, EXPANSION * d_model, N, **layer_options), d_model, dropout=dropout)
            inner = make(layer, d_model, N, **layer_options)
            return SimpleBlock(inner, d_model, dropout=dropout, norm=norm, prenorm=prenorm)

        self.blocks = nn.ModuleList(new_block() for _ in range(n_layers))
        first = self.blocks[0]
        self.norm = type(first.norm)(d_model) if first.prenorm else nn.Identity()
        require(
            documents == 1 or (documents == 2 and pool != "none"),
            f"SequenceModel: documents must be 1, or 2 with a pool; got {documents!r} with pool {pool!r}",
        )
        self.documents = documents
        self.decoder = nn.Linear(d_model, d_output) if documents == 1 else _Compare(d_model, d_output)

    @property
    def causal(self) -> bool:
        return all(block.causal for block in self.blocks)

    def forward(self, u, mask=None, *, state=None, return_state=False):
        """Map a sequence to its answer.

        Args:
            u: (b, L, d_input) real, or (b, L) whole numbers.
            mask: (b, L), true where u is data and false where it is padding. Pooling looks at the data alone. Put the
                padding at the end: what comes before data enters the state of a causal layer, and a bidirectional
                layer sees padding on either side.
            state: Continue after an earlier chunk; with ``pool="mean"`` the mean is over all chunks so far.
            return_state: Also return the state after the last position.
        """
        self._check_stream(return_state or state is not None)
        if self.documents == 2:
            u, mask = self._one_after_another(u, mask)
        x = self._encode(u, ndim=2)
        self._check_mask(mask, x, streaming=return_state or state is not None)
        if not return_state and state is None:
            for block in self.blocks:
                x = block(x)
            return self.decoder(self._pool(self.norm(x), mask))
        x, state = self._through_blocks(x, state, lambda block, x, s: block(x, state=s, return_state=True))
        y, state = self._stream_pool(self.norm(x), state)
        return (self.decoder(y), state) if return_state else self.decoder(y)

    def initial_state(self, b: int) -> ModelState:
        """The state before the first position, for a batch of b."""
        self._check_stream(True)
        blocks = [block.initial_state(b) for block in self.blocks]
        return ModelState(blocks, self.decoder.weight.new_zeros(b, self.d_model), 0)

    def step(self, u_k, state: ModelState):
        """One position, (b, d_input) or (b,), to the answer after it, (b, d_output), and the next state."""
        x, state = self._through_blocks(self._encode(u_k, ndim=1), state, lambda block, x, s: block.step(x, s))
        y, state = self._stream_pool(self.norm(x)[:, None], state)
        return self.decoder(y[:, 0] if self.pool == "none" else y), state

    def _one_after_another(self, u, mask):
        """(b, 2, …) → (2b, …), the two documents of an example one after the other; the mask too."""
        require_tensor("SequenceModel", "u", u)
        ndim = 3 if self.vocab is not None else 4
        require(
            u.ndim == ndim and u.shape[1] == 2,
            f"SequenceModel: u must be (b, 2, L{', d_input' * (ndim == 4)}) for two documents; got {tuple(u.shape)}",
        )
        if mask is not None:
            require_tensor("SequenceModel", "mask", mask)
            shape, got = tuple(u.shape[:3]), tuple(mask.shape)
            require(got == shape, f"SequenceModel: mask must have shape (b, 2, L) = {shape}; got {got}")
            mask = mask.flatten(0, 1)
        return u.flatten(0, 1), mask

    def _check_stream(self, streaming):
        require(
            not streaming or self.documents == 1,
            "SequenceModel: a model of two documents does not stream; give it both, whole",
        )

    def _through_blocks(self, x, state, apply):
        state = self.initial_state(len(x)) if state is None else state
        require(
            isinstance(state, ModelState) and len(state.blocks) == len(self.blocks),
            f"SequenceModel: state must come from this model; start from initial_state({len(x)})",
        )
        after = []
        for block, block_state in zip(self.blocks, state.blocks, strict=True):
            x, block_state = apply(block, x, block_state)
            after.append(block_state)
        return x, state._replace(blocks=after)

    def _pool(self, x, mask):
        if self.pool == "none":
            return x
        if self.pool == "last":
            if mask is None:
                return x[:, -1]
            last = x.shape[1] - 1 - mask.long().flip(1).argmax(1)
            return x[torch.arange(len(x), device=x.device), last]
        if mask is None:
            return x.mean(1)
        weight = mask.to(x.dtype)[..., None]
        return (x * weight).sum(1) / weight.sum(1).clamp(min=1)  # an empty sequence pools to zero, not to NaN

    def _stream_pool(self, x, state):
        if self.pool != "mean":
            return self._pool(x, None), state
        state = state._replace(total=state.total + x.sum(1), count=state.count + x.shape[1])
        return state.total / state.count, state

    def _encode(self, u, ndim):
        """Check u, which has ``ndim`` axes without its features, (b, L) or (b,), and embed it."""
        require_tensor("SequenceModel", "u", u)
        b_L, shape = "b, L" if ndim == 2 else "b,", tuple(u.shape)
        got = f"got {u.dtype} of shape {shape}"
        if self.vocab is None:
            require(
                u.ndim == ndim + 1 and shape[-1] == self.d_input and u.is_floating_point(),
                f"SequenceModel: u must be real, ({b_L.rstrip(',')}, d_input) with d_input = {self.d_input}; {got}",
            )
            dtype = self.encoder.weight.dtype
            require(
                (u.dtype == torch.float64) == (dtype == torch.float64),  # autocast sees to the smaller ones
                f"SequenceModel: u is {u.dtype} but the model is {dtype}; use u.to({dtype})",
            )
            return self.encoder(u)
        whole = not (u.is_floating_point() or u.is_complex() or u.dtype == torch.bool)
        require(
            u.ndim == ndim and whole,
            f"SequenceModel: u must be whole numbers below vocab = {self.vocab}, ({b_L}); {got}",
        )
        try:
            return self.encoder(u.long())
        except IndexError:  # from the lookup itself, so a right input pays nothing for the check
            low, high = int(u.min()), int(u.max())
            raise UserError(
                f"SequenceModel: symbols must be 0 to {self.vocab - 1} (vocab = {self.vocab}); got {low} to {high}"
            ) from None

    def _check_mask(self, mask, x, streaming):
        if mask is None:
            return
        require_tensor("SequenceModel", "mask", mask)
        b, L, _ = x.shape
        require(
            tuple(mask.shape) == (b, L),
            f"SequenceModel: mask must have shape (b, L) = ({b}, {L}); got {tuple(mask.shape)}",
        )
        require(not streaming, "SequenceModel: a stream has no padding; leave mask out when state is passed on")


class _Compare(nn.Module):
    """Decoder of two documents: (2b, d), the documents of an example one after the other, → (b, d_output)."""

    def __init__(self, d: int, d_output: int):
        super().__init__()
        self.hidden, self.out = nn.Linear(4 * d, d), nn.Linear(d, d_output)

    def forward(self, x):
        a, b = x[0::2], x[1::2]
        return self.out(nn.functional.gelu(self.hidden(torch.cat([a, b, a - b, a * b], -1))))


def parameter_groups(model: nn.Module, *, lr: float, weight_decay: float, ssm_lr: float) -> list[dict]:
    """Two groups for a torch optimiser: the layers' own `ssm_parameters` at ``ssm_lr`` without decay, and the rest.

    Δ, A, B and C set timescales. A step that suits a weight matrix would change them by orders of magnitude, and decay
    would pull every timescale towards the same value.
    """
    ssm = {
        f"{path}.{name}" if path else name
        for path, module in model.named_modules()
        for name in getattr(module, "ssm_parameters", ())
    }
    named = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    return [
        {"params": [p for name, p in named if name not in ssm], "lr": lr, "weight_decay": weight_decay},
        {"params": [p for name, p in named if name in ssm], "lr": ssm_lr, "weight_decay": 0.0},
    ]
