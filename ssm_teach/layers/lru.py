"""LRU: a diagonal linear recurrence with d inputs and d outputs that was never an ODE.

x_k = λ ⊙ x_{k−1} + γ ⊙ (B u_k) and y_k = Re(C x_k) + D ⊙ u_k, with λ = exp(−exp ν + i exp θ) and dense complex B (N, d)
and C (d, N). There is no step Δ, hence no discretisation: λ plays the part of Ā and γB that of B̄.

Counting states: N complex states for the whole layer, and, as in the paper, **no conjugate halves**: y is Re(Cx), not
2 Re(Cx). Since Re(Cx) = ½(Cx + C̄x̄), it is still a real system of 2N states. The factor 2 is a matter of scale.

Source: A. Orvieto, S. Smith, A. Gu, A. Fernando, C. Gulcehre, R. Pascanu and S. De 2023, "Resurrecting Recurrent Neural
Networks for Long Sequences" (LRU).
"""

import math

import torch

from ssm_teach.errors import require
from ssm_teach.layers.mimo import DiagonalMIMO

__all__ = ["LRU", "ring"]


def ring(N: int, r_min: float, r_max: float, max_phase: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw N eigenvalues with uniform density on the ring r_min ≤ |λ| ≤ r_max: decay and phase, (N,), float64.

    λ = exp(−decay + i phase). Uniform in area means that |λ|² is uniform between r_min² and r_max²; the phase is
    uniform between 0 and ``max_phase``.

    >>> decay, _ = ring(1000, 0.5, 0.9, math.pi)
    >>> bool((torch.exp(-decay) >= 0.5).all() and (torch.exp(-decay) <= 0.9).all())
    True
    """
    modulus_squared = r_min**2 + (r_max**2 - r_min**2) * torch.rand(N, dtype=torch.float64)
    # Modulus 0 or 1 has no finite ν. They have probability zero, but a random number may round to them.
    modulus_squared = modulus_squared.clamp(torch.finfo(torch.float64).tiny, 1 - torch.finfo(torch.float64).eps)
    return -0.5 * torch.log(modulus_squared), max_phase * torch.rand(N, dtype=torch.float64)


class LRU(DiagonalMIMO):
    """A linear recurrence with d inputs and d outputs, its eigenvalues on a ring, (b, L, d) → (b, L, d).

    Args:
        d: Channels, all of which drive every state and read every state.
        N: Complex states of the whole layer; see the module's docstring.
        r_min, r_max: The ring of the eigenvalues at the start, 0 ≤ r_min ≤ r_max ≤ 1; see `ring`. A state remembers for
            about −1/ln|λ| steps, some 10 at 0.9 and 1000 at 0.999.
        max_phase: Largest phase of an eigenvalue at the start, in radians, at most 2π. The paper lowers it for
            the longest sequences, which favours slow oscillations.
        bidirectional: Add the mirror image of the layer, with the same λ, γ and B and its own C. Every y_k then depends
            on the whole sequence, and there is neither `step` nor streaming.
        dtype, device: Of the parameters; float32 or float64.

    Real parameters: ``nu_log``, ``theta_log`` and ``gamma_log``, (N,): ν, θ and log γ as above; ``B`` (N, d, 2) and
    ``C`` (d, N, 2), pairs of real and imaginary part; ``D`` (d,). Real and imaginary part of B start normal with
    variance 1/(2d), of C with 1/N, D with 1, and γ at √(1 − |λ|²). White noise of variance 1 then gives states of
    variance 1 on average over B, and outputs of variance 1 beside D. γ is trained by itself and not tied to λ.

    ``ssm_parameters`` has ν, θ, γ and B, as for S5: C is a weight matrix like that of any linear layer.

    >>> layer = LRU(d=4, N=8)
    >>> layer(torch.zeros(2, 100, 4)).shape, layer.initial_state(2).shape
    (torch.Size([2, 100, 4]), torch.Size([2, 8]))
    """

    ssm_parameters = ("nu_log", "theta_log", "gamma_log", "B")
    multiplicity = 1

    def __init__(
        self,
        d: int,
        N: int = 64,
        *,
        r_min: float = 0.9,
        r_max: float = 0.999,
        max_phase: float = 2 * math.pi,
        bidirectional: bool = False,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ):
        super().__init__(d, N)
        self.causal = not bidirectional
        require(
            0 <= r_min <= r_max <= 1 and r_max > 0 and r_min < 1,
            "LRU: r_min and r_max must satisfy 0 ≤ r_min ≤ r_max ≤ 1, with r_max > 0 and r_min < 1; "
            f"got r_min={r_min!r}, r_max={r_max!r}",
        )
        require(
            0 < max_phase <= 2 * math.pi + 1e-9,
            f"LRU: max_phase must be an angle in radians, 0 < max_phase ≤ 2π; got {max_phase!r}",
        )
        decay, phase = ring(N, r_min, r_max, max_phase)
        values = {
            "nu_log": torch.log(decay),
            "theta_log": torch.log(phase),
            "gamma_log": 0.5 * torch.log(-torch.expm1(-2 * decay)),  # √(1 − |λ|²) without the cancellation at |λ| ≈ 1
            "B": _complex_normal(N, d, variance=1 / d),
            "C": _complex_normal(d, N, variance=2 / N),
            "D": torch.randn(d, dtype=torch.float64),
        }
        if bidirectional:
            values["C_reverse"] = _complex_normal(d, N, variance=2 / N)
        self._set_parameters(values, dtype, device)

    @property
    def eigenvalues(self) -> torch.Tensor:
        """λ, (N,), complex; no modulus exceeds 1."""
        return torch.exp(torch.complex(-torch.exp(self.nu_log), torch.exp(self.theta_log)))

    def discretize(self) -> tuple[torch.Tensor, torch.Tensor]:
        """λ (N,) and γB (N, d), in the places of Ā and B̄."""
        return self.eigenvalues, torch.exp(self.gamma_log)[:, None] * torch.view_as_complex(self.B)


def _complex_normal(*shape, variance):
    """E|z|² = variance, half of it in each part: torch's own convention."""
    return math.sqrt(variance) * torch.randn(*shape, dtype=torch.complex128)
