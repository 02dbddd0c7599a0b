"""Make a trained layer smaller: balance every system in it, keep k states, and say what that can cost at most.

    reduced = reduce(layer, k)
    y = reduced.layer(u)         # an S4D, or an S5 for a layer with one system behind all channels
    reduced.promised             # (d,): ‖y − y_full‖₂ ≤ promised ‖u‖₂ in each channel, whatever the input

A layer is linear in its input for weights that stay as they are, so `ssm_teach.hankel.balanced_truncation` applies to
it as to any discrete system, and with it the bound 2Σσ on the largest gain of the difference.

Counting states: k counts real states, 2N of an S4D with N complex modes. The k states that are kept are written in the
basis of the eigenvectors of their k×k matrix: a pair of complex eigenvalues is one stored mode, a real one is a stored
mode of half the weight, since a stored mode stands for itself and its conjugate. Where channels need different numbers
of modes, the new N is the largest, and the modes that a channel lacks have C = 0. So k/2 ≤ N ≤ k.
"""

import copy
from dataclasses import dataclass

import numpy as np
import torch

from ssm_teach.discretize import discretize_diagonal
from ssm_teach.errors import require
from ssm_teach.hankel import Truncation, balanced_truncation
from ssm_teach.layers.bank import SystemBank
from ssm_teach.layers.base import SequenceLayer
from ssm_teach.layers.hope import HOPE
from ssm_teach.layers.mimo import DiagonalMIMO
from ssm_teach.layers.s4d import S4D
from ssm_teach.layers.s5 import S5
from ssm_teach.lti import StateSpace

__all__ = ["Reduction", "channel_systems", "reduce"]

_SAME = 1e-10  # how closely the stored modes must do what the k×k matrix does, relative to the largest gain


@dataclass(frozen=True)
class Reduction:
    """A smaller layer, and what is known of the difference.

    Attributes:
        layer: The new layer, an `S4D` with ZOH, or an `S5`, in the dtype and on the device of the old one.
        truncations: What became of each system, one for every channel, or one for all: singular values, bounds, and the
            measured largest gain of the difference, ``truncation.error``.
        promised: The most that the output can change, (d,), or (1,) for one system: ‖y − y_full‖₂ ≤ promised ‖u‖₂, up
            to the rounding of the layer's dtype. It is the upper bound of the truncation; √2 times that if the layer
            looks both ways, because the two directions see one input.
    """

    layer: SequenceLayer
    truncations: list[Truncation]
    promised: np.ndarray


def reduce(layer: SequenceLayer, k: int) -> Reduction:
    """The layer with k states in every system of it, by balanced truncation.

    Args:
        layer: A bank of systems (S4D, S4, DSS, LSSL, HOPE) or one system for all channels (S5, LRU).
        k: Real states to keep, from 1 to the number there are. States with a Hankel singular value at the level of
            rounding are left out whatever k.

    Raises: UserError: a layer whose system depends on its input, or has a ``frequency_weight``; k out of range; an
        unstable channel; k states that cannot be written as modes, because two of their eigenvectors nearly agree.

    >>> layer = S4D(d=4, N=16, dtype=torch.float64)
    >>> reduced = reduce(layer, k=8)
    >>> reduced.layer.N <= 8, reduced.promised.shape
    (True, (4,))
    """
    truncations = [_truncated(sys, k, j) for j, sys in enumerate(channel_systems(layer))]
    read_before = isinstance(layer, HOPE)
    modes = [_modes(truncation.system, j, read_before) for j, truncation in enumerate(truncations)]
    promised = np.array([truncation.upper_bound for truncation in truncations])
    make = _bank if isinstance(layer, SystemBank) else _mimo
    return Reduction(make(layer, modes), truncations, promised * (np.sqrt(2) if _bidirectional(layer) else 1))


def channel_systems(layer: SequenceLayer) -> list[StateSpace]:
    """The real discrete systems of a layer, one for every channel, or one for all; computed in float64.

    Of a layer that looks both ways, the forward and the mirrored reading are two outputs of one system. D is left out,
    for it stays as it is. The output is read as everywhere in the book, after u_k has acted; only that of `HOPE` is
    read before, so its kernel is one sample early, and K_0 goes with D. That makes no difference to the Hankel singular
    values, nor to the gain of a difference.

    >>> [system.A.shape for system in channel_systems(S4D(d=2, N=3))]
    [(6, 6), (6, 6)]
    """
    name = type(layer).__name__
    require(
        isinstance(layer, SystemBank | DiagonalMIMO),
        f"reduce: layer must be one of S4D, S4, DSS, LSSL, HOPE, S5, LRU; {name} is not linear and time-invariant",
    )
    weight = getattr(layer, "frequency_weight", 0)
    require(
        not weight, f"reduce: a frequency_weight, here {weight:g}, has no recurrence, so there are no states to keep"
    )
    exact = copy.deepcopy(layer).double()
    with torch.no_grad():
        A, B, C = _real_systems(exact)
        if _bidirectional(layer):
            readout = "h" if isinstance(layer, HOPE) else "C"
            getattr(exact, readout).copy_(getattr(exact, f"{readout}_reverse"))
            C = np.concatenate([C, _real_systems(exact)[2]], 1)
    return [StateSpace(*matrices, dt=1.0) for matrices in zip(A, B, C, strict=True)]


def _real_systems(layer):
    """Ā (S, M, M), B̄ (S, M, m) and C (S, p, M) of the S systems of a layer, for the reading forwards."""
    if isinstance(layer, DiagonalMIMO):
        (A, B), C = layer.discretize(), torch.view_as_complex(layer.C)
        system = _pairs_as_real(A[None], B[None], C[None], layer.multiplicity)
    elif isinstance(layer, S4D):
        A, B = torch.broadcast_tensors(*layer.discretize())
        if layer.is_complex:
            system = _pairs_as_real(A, B[..., None], torch.view_as_complex(layer.C)[:, None], 2)
        else:
            system = torch.diag_embed(A), B[..., None], layer.C[:, None]
    else:
        A, B, C = layer._dense()
        system = A, B[..., None], C[:, None]
    return [matrix.numpy(force=True).copy() for matrix in system]


def _pairs_as_real(a, B, C, multiplicity):
    """Complex modes in the coordinates (Re x, Im x): the output is a multiple of Re(Cx)."""
    real, imag = torch.diag_embed(a.real), torch.diag_embed(a.imag)
    A = torch.cat([torch.cat([real, -imag], -1), torch.cat([imag, real], -1)], -2)
    return A, torch.cat([B.real, B.imag], -2), multiplicity * torch.cat([C.real, -C.imag], -1)


def _bidirectional(layer):
    return hasattr(layer, "C_reverse") or hasattr(layer, "h_reverse")


def _truncated(sys, k, j):
    N = len(sys.A)
    whole = isinstance(k, int | np.integer) and not isinstance(k, bool)
    require(whole and 1 <= k <= N, f"reduce: k must be a whole number from 1 to the layer's {N} states; got {k!r}")
    require(sys.is_stable, f"reduce: channel {j} has a pole of modulus {abs(sys.poles).max():.4g} and must be stable")
    truncation = balanced_truncation(sys, int(k))
    values = truncation.singular_values[[truncation.order - 1, min(truncation.order, N - 1)]]
    require(
        truncation.system.is_stable,
        f"reduce: channel {j} has nearly equal Hankel singular values on both sides of the cut, {values[0]:.6g} and "
        f"{values[1]:.6g}, and is no longer stable; take one state more or less than k = {k}",
    )
    return truncation


def _modes(sys, j, read_before):
    """The system as half of its eigenvectors see it: poles λ (n,), B (n, m), C (p, n) and D (p, m), y = 2 Re(Cx) + Du.

    An output read before u_k acts is C Λ^{-1}(x_k − B u_k).
    """
    # Of a real matrix: complex eigenvalues come in exact pairs, and real ones are exactly real.
    poles, V = (part.astype(complex) for part in np.linalg.eig(sys.A))
    condition = np.linalg.cond(V)
    require(condition < 1e15, _not_modes(j, poles, condition, "not at all"))
    B, C = np.linalg.solve(V, sys.B), sys.C @ V
    if read_before:  # A pole at 0 is a pure delay, which no mode is; if it is heard, the comparison below misses it.
        C = np.divide(C, poles, out=np.zeros_like(C), where=poles != 0)
    modal = StateSpace(np.diag(poles), B, C, -C @ B if read_before else 0, sys.dt)

    omega = np.concatenate([np.linspace(0, np.pi, 65), abs(np.angle(poles))])
    dense = sys.frequency_response(omega).T * np.exp(-1j * omega * read_before)
    off = abs(modal.frequency_response(omega).T - dense).max() / max(abs(dense).max(), np.finfo(float).tiny)
    require(off <= _SAME, _not_modes(j, poles, condition, f"only to {off:.0e}"))
    upper = poles.imag >= 0
    half = np.where(poles[upper].imag == 0, 0.5, 1.0)
    return poles[upper], B[upper], C[:, upper] * half, modal.D.real


def _not_modes(j, poles, condition, how):
    k, delay = len(poles), abs(poles).min() < 1e-12
    why = "a pole at 0 is a pure delay" if delay else f"the condition of their eigenvectors is {condition:.1e}"
    return (
        f"reduce: the {k} states of channel {j} can be written as modes {how}: {why}; take another k, "
        "or use balanced_truncation of channel_systems(layer)"
    )


def _bank(layer, modes):
    """An S4D with the step of each channel as it was."""
    dt = np.exp(_array(layer.log_dt))
    values, B, readouts = _stacked(modes, dt, layer)
    D = _array(layer.D) + [direct.sum() for *_, direct in modes]
    if isinstance(layer, HOPE):
        D = D + _array(sum(copy.deepcopy(layer).double()._kernels(1))[:, 0])
    values |= {"log_dt": np.log(dt), "B": B[..., 0], "D": D}
    return _built(S4D, layer, values | {name: C[..., 0] for name, C in readouts.items()})


def _mimo(layer, modes):
    """An S5 with a step of 1."""
    values, B, readouts = _stacked(modes, np.ones(1), layer)
    values = {name: value[0] for name, value in values.items()}
    values |= {"log_dt": np.zeros(B.shape[1]), "B": B[0], "D": _array(layer.D)}
    return _built(S5, layer, values | {name: C[0].T for name, C in readouts.items()})


def _stacked(modes, dt, layer):
    """A in its two parts, (S, N); B (S, N, m); and each C with its outputs last, (S, N, p): N modes a system."""
    N = max(len(poles) for poles, *_ in modes)
    # A mode that is not needed decays by e a step and is not read.
    poles = np.stack([_filled(poles, N, np.exp(-1.0)) for poles, *_ in modes])
    A = (np.log(np.maximum(abs(poles), np.finfo(float).tiny)) + 1j * np.angle(poles)) / dt[:, None]
    gain = discretize_diagonal(A, 1.0, dt[:, None], "zoh")[1]
    B = np.stack([_filled(B, N, 1.0) for _, B, *_ in modes]) / gain[..., None]
    C = np.stack([_filled(C.T, N, 0.0) for _, _, C, _ in modes])
    names = ("C", "C_reverse") if _bidirectional(layer) else ("C",)
    readouts = dict(zip(names, np.split(C, len(names), -1), strict=True))
    return {"log_neg_real": np.log(-A.real), "imag": A.imag}, B, readouts


def _filled(values, N, value):
    """Rows of the same value until there are N."""
    return np.concatenate([values, np.full((N - len(values), *values.shape[1:]), value)])


def _built(cls, layer, values):
    """A layer of the class, like the old one in dtype and device, with these values for parameters."""
    options = {"bidirectional": _bidirectional(layer), "dtype": layer.D.dtype, "device": layer.D.device}
    with torch.random.fork_rng(devices=[]):  # what the new layer draws for its start is not used
        new = cls(layer.d, values["imag"].shape[-1], **options)
    with torch.no_grad():
        for name, parameter in new.named_parameters():
            value = torch.from_numpy(np.ascontiguousarray(values[name]))
            parameter.copy_(torch.view_as_real(value) if value.is_complex() else value)
    return new


def _array(parameter):
    return parameter.detach().double().numpy(force=True)
