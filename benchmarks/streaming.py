"""One token after a long context: two state space models, and causal attention with a cache of keys and values.

Time for one more token, and bytes kept between two tokens, at four lengths of what came before. The models compute
different functions, so there is no common result to compare; each one's step is compared with its own parallel form.
"""

import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F

from ssm_teach.blocks import MambaBlock, SimpleBlock
from ssm_teach.layers import S4D, S6

D, LAYERS, N = 128, 4, 16
CONTEXTS = (1024, 4096, 16384, 65536)
ROUNDS, TOKENS = 7, 8  # the median is over rounds; a round is so many tokens in a row


class CachedAttention(nn.Module):
    """Causal attention with a cache: what a model that generates keeps of its past is all keys and all values.

    The state is (keys, values, count), with room for ``room`` positions from the start, so that a step writes one row
    and copies nothing: the cheapest cache there is.
    """

    causal = True

    def __init__(self, d: int, heads: int = 4, room: int = 0):
        super().__init__()
        self.d, self.heads, self.room = d, heads, room
        self.project, self.out = nn.Linear(d, 3 * d, bias=False), nn.Linear(d, d, bias=False)

    def forward(self, u, *, state=None):
        """All of u at once, from an empty cache: a block offers its state to every layer, and here it is None."""
        b, L, d = u.shape
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.project(u).chunk(3, -1))
        return self.out(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, L, d))

    def initial_state(self, b: int):
        empty = self.out.weight.new_zeros(b, self.heads, self.room, self.d // self.heads)
        return empty, empty.clone(), 0

    def step(self, u_k, state):
        keys, values, count = state
        q, k, v = self.project(u_k).unflatten(-1, (3, self.heads, -1)).unbind(1)
        keys[:, :, count], values[:, :, count] = k, v
        past = slice(count + 1)
        y_k = F.scaled_dot_product_attention(q[:, :, None], keys[:, :, past], values[:, :, past])
        return self.out(y_k.flatten(1)), (keys, values, count + 1)


def streaming() -> dict[str, dict]:
    rows = {}
    for L in CONTEXTS:
        torch.manual_seed(0)
        models = {
            "mamba": [MambaBlock(S6(2 * D, N), D) for _ in range(LAYERS)],
            "s4d": [SimpleBlock(S4D(D, N), D, prenorm=True) for _ in range(LAYERS)],
            "attention": [SimpleBlock(CachedAttention(D, room=L + TOKENS), D, prenorm=True) for _ in range(LAYERS)],
        }
        with torch.inference_mode():
            rows[f"context={L}"] = _compare(models, L)
    return rows


def _compare(models, L):
    """Contestants in turn, each from its own state after L tokens."""
    for name, blocks in models.items():
        _check_steps(name, blocks)
    states = {name: [_after(block, L) for block in blocks] for name, blocks in models.items()}
    seconds = {name: [] for name in models}
    for _ in range(ROUNDS + 1):
        for name, blocks in models.items():
            x, now = torch.randn(1, D), states[name]
            start = time.perf_counter()
            for _ in range(TOKENS):
                x, now = _step(blocks, x, now)
            seconds[name].append((time.perf_counter() - start) / TOKENS)
    medians = {name: statistics.median(values[1:]) for name, values in seconds.items()}  # the first is the warm-up
    base = next(iter(medians.values()))
    return {
        name: {"median_ms": 1e3 * median, "ratio": median / base, "state_bytes": _bytes(states[name], L)}
        for name, median in medians.items()
    }


def _step(blocks, x, states):
    after = []
    for block, state in zip(blocks, states, strict=True):
        x, state = block.step(x, state)
        after.append(state)
    return x, after


def _after(block, L):
    """The state after L random tokens. A cache is filled with random rows: its content costs nothing, its size does."""
    if isinstance(block.layer, CachedAttention):
        keys, values, _ = block.initial_state(1)
        return keys.normal_(), values.normal_(), L
    state = None
    for _ in range(0, L, 1024):
        _, state = block(torch.randn(1, min(L, 1024), D), state=state, return_state=True)
    return state


def _check_steps(name, blocks, L=5):
    x = torch.randn(1, L, D)
    whole, states = x, [block.initial_state(1) for block in blocks]
    for block in blocks:
        whole = block(whole)
    stepped = []
    for k in range(L):
        y_k, states = _step(blocks, x[:, k], states)
        stepped.append(y_k)
    difference = float((torch.stack(stepped, 1) - whole).abs().max() / whole.abs().max())
    if not difference <= 1e-4:
        raise RuntimeError(f"{name}: its steps differ from its parallel form by {difference:.1e}: not timed")


def _bytes(state, L):
    """Bytes of all tensors in a state; of a cache, the rows in use."""
    if isinstance(state, torch.Tensor):
        return state.nbytes
    if isinstance(state[-1], int):
        return sum(cache[:, :, :L].numel() * cache.element_size() for cache in state[:-1])
    return sum(_bytes(part, L) for part in state)
