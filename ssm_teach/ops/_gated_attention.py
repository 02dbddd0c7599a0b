"""Gated linear attention: a matrix for a state, each of whose rows has its own decay at every position.

    X_k = diag(α_k) X_{k−1} + k_k v_kᵀ,    y_k = X_kᵀ q_k,    X (N, p), α_k ∈ (0, 1]ᴺ.

Written out, y_i = Σ_{j≤i} (Σ_n q_in k_jn e^{S_in − S_jn}) v_j with S the cumulative sum of log α. Here the decay
depends on n, so there is no one mask to multiply scores by, and splitting it into q e^S and k e^{−S} overflows: e^{−S}
grows without bound. But for any m between j and i

    e^{S_i − S_j} = e^{S_i − S_m} · e^{S_m − S_j}    with two factors that are at most 1,

so pairs are taken in groups that share an m. Inside a chunk: first each position with itself, then every odd one with
the one before it, then the later half of every four with the earlier half, and so on, each time around their middle.
Across chunks the state is handed on, as in `ssd`. No array of size b·L·N·p exists, and nothing is divided by.

Source: S. Yang, B. Wang, Y. Shen, R. Panda and Y. Kim 2024, "Gated Linear Attention Transformers with Hardware-
Efficient Training", section 4, which has two levels of chunks where there are log₂(chunk) levels here.
"""

import torch
from torch.nn import functional as F

from ssm_teach.errors import require
from ssm_teach.ops._linear_scan import linear_scan

__all__ = ["gated_attention", "gated_attention_direct"]


def gated_attention(q, k, v, log_alpha, chunk=64, initial_state=None, return_state=False):
    """The recurrence in the head of this file for all positions, by matrix products.

    Args:
        q, k: Queries and keys, (b, L, h, N), real.
        v: Values, (b, L, h, p).
        log_alpha: Logarithms of the decays, (b, L, h, N), at most 0.
        chunk: Positions of a chunk, a power of two.
        initial_state: X_{−1}, (b, h, N, p); zero if left out.
        return_state: Also return X_{L−1}.

    Returns: y, (b, L, h, p), and with ``return_state`` the state, (b, h, N, p).
    Raises: UserError: shapes or dtypes that do not fit; L = 0; a chunk that is no power of two.

    >>> ones = torch.ones(1, 3, 1, 1)
    >>> gated_attention(ones, ones, ones, -0.6931472 * ones).flatten()
    tensor([1.0000, 1.5000, 1.7500])
    """
    _check("gated_attention", q, k, v, log_alpha, initial_state)
    power = isinstance(chunk, int) and chunk >= 1 and chunk & (chunk - 1) == 0
    require(power, f"gated_attention: chunk must be a power of two; got {chunk!r}")
    (b, L, h, N), p = q.shape, v.shape[3]
    Q = min(chunk, 1 << (L - 1).bit_length())
    # (b, L, h, ·) → (b, chunks, h, Q, ·); padded positions have α = 1 and k = 0, so they change no state
    q, k, v, log_alpha = (
        F.pad(x, (0, 0, 0, 0, 0, -L % Q)).unflatten(1, (-1, Q)).transpose(2, 3) for x in (q, k, v, log_alpha)
    )
    S = log_alpha.cumsum(3)
    y = _within_chunks(q, k, v, S)
    added = (k * torch.exp(S[..., -1:, :] - S)).mT @ v  # (b, c, h, N, p)
    state = v.new_zeros(b, h, N, p) if initial_state is None else initial_state
    ends = linear_scan(torch.exp(S[..., -1, :])[..., None].expand_as(added).contiguous(), added, state)
    starts = torch.cat([state[:, None], ends[:, :-1]], 1)
    y = y + (q * torch.exp(S)) @ starts
    y = y.transpose(2, 3).flatten(1, 2)[:, :L].contiguous()
    return (y, ends[:, -1].clone()) if return_state else y


def gated_attention_direct(q, k, v, log_alpha, initial_state=None, return_state=False):
    """The same, one position after the other: the equation as it is written, and the oracle of `gated_attention`."""
    _check("gated_attention_direct", q, k, v, log_alpha, initial_state)
    state = v.new_zeros(len(q), *q.shape[2:], v.shape[3]) if initial_state is None else initial_state
    y = []
    for q_k, k_k, v_k, log_alpha_k in zip(*(x.unbind(1) for x in (q, k, v, log_alpha)), strict=True):
        state = torch.exp(log_alpha_k)[..., None] * state + k_k[..., None] * v_k[..., None, :]
        y.append((state * q_k[..., None]).sum(-2))
    return (torch.stack(y, 1), state) if return_state else torch.stack(y, 1)


def _within_chunks(q, k, v, S):
    """What each position takes from the earlier ones of its chunk and from itself, (…, Q, p)."""
    y, half = (q * k).sum(-1, keepdim=True) * v, 1
    while half < q.shape[-2]:
        (_, q_late), (k_early, _), (v_early, _), (S_early, S_late) = (
            x.unflatten(-2, (-1, 2, half)).unbind(-3) for x in (q, k, v, S)
        )
        middle = S_early[..., -1:, :]
        scores = (q_late * torch.exp(S_late - middle)) @ (k_early * torch.exp(middle - S_early)).mT
        late = (scores @ v_early)[..., None, :, :]
        y = y + F.pad(late, (0, 0, 0, 0, 1, 0)).flatten(-4, -2)  # zeros for the earlier halves
        half *= 2
    return y


def _check(function, q, k, v, log_alpha, state):
    given = {"q": q, "k": k, "v": v, "log_alpha": log_alpha, "initial_state": state}
    given = {name: value for name, value in given.items() if value is not None}
    for name, value in given.items():
        require(
            isinstance(value, torch.Tensor),
            f"{function}: {name} must be a torch tensor; got {type(value).__name__}. Use torch.as_tensor({name})",
        )
    require(
        q.ndim == 4 and q.shape[1] > 0, f"{function}: q must have shape (b, L, h, N) with L ≥ 1; got {tuple(q.shape)}"
    )
    require(
        v.ndim == 4 and v.shape[:3] == q.shape[:3],
        f"{function}: v must have shape (b, L, h, p) with b, L, h = {tuple(q.shape[:3])}; got {tuple(v.shape)}",
    )
    b, _, h, N = shape = tuple(q.shape)
    for name, wanted in {"k": shape, "log_alpha": shape, "initial_state": (b, h, N, v.shape[3])}.items():
        require(
            name not in given or tuple(given[name].shape) == wanted,
            f"{function}: {name} must have shape {wanted}; got {tuple(given[name].shape) if name in given else None}",
        )
    for name, value in given.items():
        require(
            value.dtype == q.dtype and value.dtype in (torch.float32, torch.float64) and value.device == q.device,
            f"{function}: {name} is {value.dtype} on {value.device} but q is {q.dtype} on {q.device}; "
            "give all as float32 or all as float64, on one device",
        )
