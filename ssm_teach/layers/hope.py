"""HOPE: a state space layer that is parameterised by its Hankel matrix, one all-pass section after the other.

In each channel the transfer function is a polynomial in z^{−1} whose N coefficients h are the parameters,

    G = Σ_{i=1}^{N} h_i z^{−i},    z = ((1 + Δ)s + Δ − 1) / ((Δ − 1)s + Δ + 1),    s = e^{iω},

and y = G u + D u. Solved for z^{−1}, with the delay w = s^{−1} and a = (1 − Δ)/(1 + Δ), it is p(w) = (w − a)/(1 − aw).
For |w| = 1 the numerator is w times the conjugate of the denominator, so |p| = 1: an *all-pass section*, which delays
slow signals by 1/Δ samples and changes no amplitude. So G is a tapped delay line, of about N/Δ samples, made of N equal
sections in a row. Section i turns v_{i−1} into v_i, with v_0 = u, and remembers one number x_i:

    v_i[k] = c x_i[k−1] − a v_{i−1}[k],    x_i[k] = a x_i[k−1] + c v_{i−1}[k],    c = √(1 − a²) = 2√Δ/(1 + Δ).

(Eliminate x_i: v_i = (cw · c/(1 − aw) − a) v_{i−1}, and c²w − a + a²w = w − a.) The output is y = Σ_i h_i v_i + D u,
so the formula and the cascade are one system, and `HOPE.step` runs the cascade. [a c; c −a] is orthogonal: the states
and the outgoing signal have together the energy of the states and the signal before. Hence nothing that training does
to h or Δ makes the layer unstable. The states are the coefficients of the past input in the orthonormal (discrete)
Laguerre functions: white noise of variance 1 makes states of variance 1, without correlation.

**A finite kernel, exactly.** G at the L-th roots of unity, which is what the paper computes, is the transform of the
infinite kernel wrapped around a circle of L samples. It decays like a^l, so after L samples much of it may be left, and
zero-padding u does not help. Here the taps themselves are computed. Put the states into a series X(ζ) = Σ_i x_i ζ^{i−1}
and the signals into V(ζ) = Σ_i v_i ζ^i; the cascade then reads V = (u + cζ X⁻)/(1 + aζ) and

    X = φ X⁻ + c/(1 + aζ) u,    φ(ζ) = (a + ζ)/(1 + aζ),    modulo ζ^N.

So Ā is the lower triangular Toeplitz matrix of the coefficients of φ, and its powers are those of φ^l: a product of two
is one of N², not N³, work. With l = i·m + j the kernel is a product of two tables of about √L vectors, 2NL work a
channel and nothing of size N·L. ‖Ā‖ ≤ 1, a block of an orthogonal matrix, so that no power grows.

Counting states: N real coefficients are N real states. A complex h, as the authors store it, has an imaginary part that
no real input meets: the sections are real, and y is real. The Hankel singular values of G are those of the N×N matrix
h_{i+j−1}, zero below its antidiagonal, for every Δ: a map of the circle to itself preserves them.

Source: A. Yu, M. W. Mahoney and N. B. Erichson 2025, "HOPE for a Robust Parameterization of Long-memory State Space
Models". The recurrence and the finite kernel are derived here.
"""

import math

import torch
from torch.nn import functional as F

from ssm_teach.errors import require
from ssm_teach.layers.base import log_uniform_dt
from ssm_teach.layers.dense import DenseBank

__all__ = ["HOPE", "spectrum"]


def spectrum(h, dt, s):
    """G(s) = Σ_i h_i z^{−i} as the paper prints it: the definition, and the oracle of the layer.

    Args:
        h: (…, N), real or complex.
        dt: Δ > 0, (…,).
        s: Points of the complex plane, (M,), complex; s = e^{iω} for frequency ω in radians a sample.

    Returns (…, M), complex.

    >>> spectrum(torch.tensor([0.0, 2.0]), torch.tensor(1.0), torch.tensor([2.0 + 0j]))  # Δ = 1: z is s
    tensor([0.5000+0.j])
    """
    dt = dt[..., None]
    z = ((1 + dt) * s + dt - 1) / ((dt - 1) * s + dt + 1)
    total = 0 * z
    for i in range(h.shape[-1] - 1, -1, -1):  # Horner, in 1/z
        total = (total + h[..., i, None]) / z
    return total


class HOPE(DenseBank):
    """d systems, each given by the N entries of its Hankel matrix and a step, (b, L, d) → (b, L, d).

    Args:
        d: Channels.
        N: Entries of h, and states, of each channel; see the module's docstring.
        dt_min, dt_max: Δ starts log-uniform between them, one for each channel. A channel remembers some N/Δ samples,
            without decay on the way, and tells frequencies apart up to about Δ radians a sample.
        bidirectional: Add the mirror image of the layer, with the same Δ and its own h. Every y_k then depends on the
            whole sequence, and there is neither `step` nor streaming.
        dtype, device: Of the parameters; float32 or float64.

    Real parameters: ``log_dt`` (d,), ``h`` (d, N), ``D`` (d,). h starts normal with variance 1/N, so that white noise
    of variance 1 gives an output of variance 1 beside D, on average over h and for every Δ; D starts at 1. Only Δ is
    named in ``ssm_parameters``: a change δh moves the transfer function by at most √N ‖δh‖₂ at any frequency, so h is a
    weight like any other.

    >>> layer = HOPE(d=4, N=8)
    >>> layer(torch.zeros(2, 100, 4)).shape
    torch.Size([2, 100, 4])
    """

    ssm_parameters = ("log_dt",)

    def __init__(
        self,
        d: int,
        N: int = 64,
        *,
        dt_min: float = 1e-3,
        dt_max: float = 1e-1,
        bidirectional: bool = False,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ):
        super().__init__(d, N)
        self.causal = not bidirectional

        values = {"log_dt": log_uniform_dt("HOPE", d, dt_min, dt_max), "D": torch.ones(d)}
        for name in ("h", "h_reverse") if bidirectional else ("h",):
            values[name] = torch.randn(d, N, dtype=torch.float64) / math.sqrt(N)
        self._set_parameters(values, dtype, device)

    def system(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Ā (d, N, N), B̄ (d, N), C (d, N) and K_0 (d,) of x_k = Ā x_{k−1} + B̄ u_k, y_k = C x_{k−1} + K_0 u_k; float64.

        The output looks at the state *before* the input, as in control theory: K_l = C Ā^{l−1} B̄ for l ≥ 1. (At Δ = 1
        the sections are plain delays and Ā is nilpotent; no C reads y_k off x_k.) D comes on top of K_0.
        """
        phi, B_bar = self._transition()
        return _toeplitz(phi), B_bar, *self._readout(self.h)

    def hankel(self) -> torch.Tensor:
        """The Hankel matrix h_{i+j−1}, zero below its antidiagonal, (d, N, N). Its singular values are those of G."""
        return F.pad(self.h, (0, self.N - 1)).unfold(-1, self.N, 1)

    def step(self, u_k, state):
        """One position, (b, d) → (b, d), and the N states: the cascade as it is written, N work a channel."""
        self._check_step(u_k, self.D.dtype)
        self._check_state(state, (len(u_k), self.d, self.N), self._state_dtype)
        dtype, v = u_k.dtype, u_k.to(self.D.dtype)
        a, c = _section(self.log_dt)
        y_k, after = self.D * v, []
        for h_i, x_i in zip(self.h.unbind(-1), state.unbind(-1), strict=True):
            after.append(a * x_i + c * v)
            v = c * x_i - a * v
            y_k = y_k + h_i * v
        return y_k.to(dtype), torch.stack(after, -1)

    def _series(self):
        """a, c and the coefficients of 1/(1 + aζ) below ζ^N, (d, 1), (d, 1) and (d, N), in float64.

        Squaring a power of φ doubles its relative error, and a long kernel needs φ^L.
        """
        a, c = (value[:, None] for value in _section(self.log_dt.double()))
        return a, c, (-a) ** torch.arange(self.N, device=a.device)

    def _transition(self):
        """φ = (a + ζ)/(1 + aζ) = a + c²ζ/(1 + aζ) and B̄ = c/(1 + aζ) as series, (d, N) each."""
        a, c, geometric = self._series()
        return torch.cat([a, c**2 * geometric[:, :-1]], -1), c * geometric

    def _readout(self, h):
        """C and K_0 with Σ_i h_i v_i[k] = C x[k−1] + K_0 u[k], for h (…, d, N): V is read from ζ¹ on."""
        a, c, geometric = self._series()
        r = (_toeplitz(geometric).mT @ h.double()[..., None])[..., 0]
        return c * r, -a[:, 0] * r[..., 0]

    def _dense(self):
        return self.system()[:3]

    def _kernels(self, L):
        require(isinstance(L, int) and L >= 1, f"HOPE: L must be a whole number, at least 1; got {L!r}")
        phi, B_bar = self._transition()
        C, K_0 = self._readout(torch.stack([self.h] if self.causal else [self.h, self.h_reverse]))
        later = _taps(phi, B_bar, C, L - 1, self.D.dtype)
        return torch.cat([K_0[..., None].to(self.D.dtype), later], -1).unbind()

    def _free_response(self, state, L):
        """What x_{−1} adds to y: C Ā^k x_{−1}."""
        C, _ = self._readout(self.h)
        return _taps(self._transition()[0], state.double(), C, L, self.D.dtype).mT


def _section(log_dt):
    """a = (1 − Δ)/(1 + Δ) and c = √(1 − a²) of a section; as hyperbolic functions nothing cancels for a small Δ."""
    return -torch.tanh(log_dt / 2), 1 / torch.cosh(log_dt / 2)


def _toeplitz(series):
    """Multiplication by a power series modulo ζ^N as a lower triangular matrix, (…, N) → (…, N, N)."""
    N = series.shape[-1]
    return F.pad(series, (N - 1, 0)).unfold(-1, N, 1).flip(-1)


def _orbit(phi, x, count: int):
    """x, φx, φ²x, … as at least ``count`` columns, (…, N, m), and φ^m: the table doubles as φ is squared."""
    columns = x[..., None]
    while columns.shape[-1] < count:
        times_phi = _toeplitz(phi)
        columns = torch.cat([columns, times_phi @ columns], -1)
        phi = (times_phi @ phi[..., None])[..., 0]
    return columns, phi


def _taps(phi, x, C, L: int, dtype):
    """C φ^l x for l < L, x (…, d, N) → (…, d, L): rows C φ^{im} times columns φ^j x, the large product in ``dtype``."""
    columns, phi_m = _orbit(phi, x, math.isqrt(max(L - 1, 0)) + 1)
    m = columns.shape[-1]
    # A triangular Toeplitz matrix is transposed by reading its indices backwards.
    rows, _ = _orbit(phi_m, C.flip(-1), -(-L // m))
    K = rows.flip(-2).to(dtype).mT @ columns.to(dtype)
    return K.flatten(-2)[..., :L]
