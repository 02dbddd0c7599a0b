"""State-space duality: a selective recurrence with one decay a head, as a recurrence and as masked attention in chunks.

In each of h heads the state is a matrix X (p, N), driven by a vector u_k (p,) through B_k (N,):

    X_k = e^{Δ_k A} X_{k−1} + Δ_k u_k B_kᵀ,    y_k = X_k C_k + D u_k,

with scalars Δ_k and A. Written out, y_i = Σ_{j≤i} M_ij Δ_j u_j with M_ij = e^{S_i − S_j} C_i·B_j, S_k = Σ_{j≤k} Δ_j A:
attention with keys B and queries C whose mask is a decay. `ssd` cuts time into chunks. Inside a chunk it multiplies
by M, across chunks it hands on the state:

1. the part of y that comes from inputs of the same chunk, (C Bᵀ ⊙ decay) Δu;
2. what each chunk adds to the state, Σ_j e^{S_last − S_j} Δ_j u_j B_jᵀ;
3. the states in which the chunks start, a recurrence over chunks;
4. the part of y that comes from those, e^{S_i} X_start C_i.

A decay is the exponential of a *difference* of S, never the ratio of two cumulative products: those underflow, and 0/0
is no decay. Above the diagonal S_i − S_j is positive and may overflow, so it becomes −∞ before the exponential, not
after: ∞ · 0 would be NaN in the gradient.

Source: T. Dao and A. Gu 2024, "Transformers are SSMs" (Mamba-2), section 6.
"""

import torch
from torch.nn import functional as F

from ssm_teach.errors import require
from ssm_teach.ops._linear_scan import linear_scan

__all__ = ["ssd", "ssd_direct"]

DTYPES = (torch.float32, torch.float64)


def ssd(u, delta, A, B, C, D=None, chunk=64, initial_state=None, return_state=False):
    """The recurrence in the head of this file for all positions, by matrix products of ``chunk`` positions.

    Args:
        u: Inputs, (b, L, h, p), real: h heads of p channels.
        delta: Steps, (b, L, h).
        A: Decay rates, (h,), at most 0 for a state that forgets.
        B, C: (b, L, N), the same for all heads, or (b, L, G, N) with G groups of h/G heads each.
        D: Skip, (h,); zero if left out.
        chunk: Positions of a chunk. Work inside chunks grows with it, the number of states that are stored shrinks.
        initial_state: X_{−1}, (b, h, p, N); zero if left out.
        return_state: Also return X_{L−1}.

    Returns: y, (b, L, h, p), and with ``return_state`` the state, (b, h, p, N).
    Raises: UserError: shapes, dtypes or devices that do not fit; L = 0; chunk < 1.

    >>> u, delta = torch.ones(1, 3, 1, 1), torch.ones(1, 3, 1)
    >>> B = C = torch.ones(1, 3, 1)
    >>> ssd(u, delta, torch.tensor([-0.6931472]), B, C).flatten()
    tensor([1.0000, 1.5000, 1.7500])
    """
    B, C = _check("ssd", u, delta, A, B, C, D, initial_state)
    whole = isinstance(chunk, int) and not isinstance(chunk, bool)
    require(whole and chunk >= 1, f"ssd: chunk must be a whole number, at least 1; got {chunk!r}")
    (b, L, h, p), (G, N) = u.shape, B.shape[2:]
    Q = min(chunk, L)

    def cut(x):  # (b, L, …) → (b, chunks, Q, …); padded positions have Δ = 0, so they change no state
        return F.pad(x, (0, 0) * (x.ndim - 2) + (0, -L % Q)).unflatten(1, (-1, Q))

    S = cut(delta * A).cumsum(2)  # (b, c, Q, h)
    driven = cut(delta[..., None] * u).unflatten(3, (G, -1))  # (b, c, Q, G, h/G, p)
    B, C, decay = cut(B), cut(C), S.unflatten(3, (G, -1))

    scores = torch.einsum("bcign,bcjgn->bcgij", C, B)[:, :, :, None]  # (b, c, G, 1, Q, Q)
    y = torch.einsum("bcgrij,bcjgrp->bcigrp", scores * _mask(decay.movedim(2, -1)), driven)

    to_end = torch.exp(decay[:, :, -1:] - decay)[..., None]
    added = torch.einsum("bcjgrp,bcjgn->bcgrpn", to_end * driven, B).reshape(b, -1, h, p, N)
    last = torch.exp(S[:, :, -1])[..., None, None]  # (b, c, h, 1, 1): what a chunk leaves of the state before it
    state = u.new_zeros(b, h, p, N) if initial_state is None else initial_state
    ends = linear_scan(last.expand_as(added).contiguous(), added, state)
    starts = torch.cat([state[:, None], ends[:, :-1]], 1).unflatten(2, (G, -1))

    y = y + torch.exp(decay)[..., None] * torch.einsum("bcgrpn,bcign->bcigrp", starts, C)
    y = y.reshape(b, -1, h, p)[:, :L]
    y = y if D is None else y + D[:, None] * u
    return (y, ends[:, -1].clone()) if return_state else y


def ssd_direct(u, delta, A, B, C, D=None, initial_state=None, return_state=False):
    """The same, one position after the other: the equation as it is written, and the oracle of `ssd`."""
    B, C = _check("ssd_direct", u, delta, A, B, C, D, initial_state)
    (b, L, h, p), (G, N) = u.shape, B.shape[2:]
    B, C = (x.repeat_interleave(h // G, 2) for x in (B, C))
    state, y = u.new_zeros(b, h, p, N) if initial_state is None else initial_state, []
    for k in range(L):
        decay = torch.exp(delta[:, k] * A)[..., None, None]
        driven = delta[:, k, :, None] * u[:, k]
        state = decay * state + driven[..., None] * B[:, k, :, None]
        y.append((state * C[:, k, :, None]).sum(-1))
    y = torch.stack(y, 1) if D is None else torch.stack(y, 1) + D[:, None] * u
    return (y, state) if return_state else y


def _mask(S):
    """e^{S_i − S_j} on and below the diagonal, 0 above it: (…, Q) → (…, Q, Q)."""
    Q = S.shape[-1]
    above = torch.ones(Q, Q, dtype=torch.bool, device=S.device).triu(1)
    return torch.exp((S[..., :, None] - S[..., None, :]).masked_fill(above, -torch.inf))


def _check(function, u, delta, A, B, C, D, state):
    """Raise a `UserError` for what does not fit; B and C as (b, L, G, N)."""
    given = {"u": u, "delta": delta, "A": A, "B": B, "C": C, "D": D, "initial_state": state}
    given = {name: value for name, value in given.items() if value is not None}
    for name, value in given.items():
        require(
            isinstance(value, torch.Tensor),
            f"{function}: {name} must be a torch tensor; got {type(value).__name__}. Use torch.as_tensor({name})",
        )
    require(
        u.ndim == 4 and u.shape[1] > 0, f"{function}: u must have shape (b, L, h, p) with L ≥ 1; got {tuple(u.shape)}"
    )
    require(u.dtype in DTYPES, f"{function}: u must be float32 or float64; got {u.dtype}. Use .float() on all of them")
    b, L, h, p = u.shape
    require(
        B.ndim in (3, 4) and B.shape[:2] == (b, L) and (B.ndim == 3 or (B.shape[2] > 0 and h % B.shape[2] == 0)),
        f"{function}: B must have shape (b, L, N) or (b, L, G, N) with b, L = {b}, {L} and G dividing the {h} heads; "
        f"got {tuple(B.shape)}",
    )
    shapes = {"delta": (b, L, h), "A": (h,), "C": tuple(B.shape), "D": (h,), "initial_state": (b, h, p, B.shape[-1])}
    for name, shape in shapes.items():
        require(
            name not in given or tuple(given[name].shape) == shape,
            f"{function}: {name} must have shape {shape}; got {tuple(given[name].shape) if name in given else None}",
        )
    for name, value in given.items():
        require(
            (value.dtype, value.device) == (u.dtype, u.device),
            f"{function}: {name} is {value.dtype} on {value.device} but u is {u.dtype} on {u.device}; use {name}.to(u)",
        )
    return (B, C) if B.ndim == 4 else (B[:, :, None], C[:, :, None])
