"""DSS: the diagonal state space layer that came between S4 and S4D, in both of its forms.

K_k = Σ_n (w_n/λ_n) f_n(k) with, for z = λΔ,

- ``"exp"``: f(k) = (e^z − 1) e^{zk}. This is S4D with zero-order hold, B = 1 and C = w, to the last bit.
- ``"softmax"``: f(k) = e^{zk} / Σ_{r<M} e^{zr}, every mode's share of its own sum over M positions. It is the same
  recurrence with an input weight divided by e^{zM} − 1, so M is part of the model and not the length of an input.

Counting states: as in `S4D`, a stored mode stands for itself and its conjugate, y = 2 Re Σ. (The authors' code takes
Re; that is a matter of scale.)

Source: A. Gupta, A. Gu and J. Berant 2022, "Diagonal State Spaces are as Effective as Structured State Spaces" (DSS).
"""

import torch

from ssm_teach.discretize import discretize_diagonal, phi1
from ssm_teach.errors import choose, require
from ssm_teach.layers.s4d import S4D

__all__ = ["DSS", "FORMS", "complex_softmax"]

FORMS = ("exp", "softmax")


def complex_softmax(z: torch.Tensor, eps: float = 1e-7) -> torch.Tensor:
    """e^z / Σ e^z over the last axis, for complex z.

    The largest real part is subtracted first, so nothing overflows, whatever the sign of Re z. A complex sum can still
    vanish where a real one cannot: for z = 2πik/n it is that of the n-th roots of unity. Its reciprocal is therefore
    taken as s̄/(|s|² + ε), which tends to zero there.

    >>> complex_softmax(torch.tensor([1000.0, 1000.0]) + 0j).real
    tensor([0.5000, 0.5000])
    """
    terms = torch.exp(z - z.real.amax(-1, keepdim=True))
    total = terms.sum(-1, keepdim=True)
    return terms * total.conj() / (total.abs().square() + eps)


class DSS(S4D):
    """d independent diagonal systems whose input weight is fixed by the form, (b, L, d) → (b, L, d).

    Args:
        d: Channels.
        N: Modes stored for each channel; see the module's docstring.
        form: One of `FORMS`.
        length: M, the positions over which ``"softmax"`` normalises. Inputs may be shorter or longer.
        init, dt_min, dt_max, bidirectional, dtype, device: As for `S4D`.

    Real parameters: those of `S4D` without B; w is called ``C``. The real part of λ is negative in both forms. The
    paper leaves it free for the softmax, whose kernel then looks from the far end, at position M − 1; as a recurrence
    such a mode grows, so no number of digits runs it for long.

    The closed form M φ₁(zM)/φ₁(z) of the sum needs no table of M exponentials, and no ε: it vanishes for no Re z < 0.

    >>> layer = DSS(d=4, N=8, form="softmax", length=100)
    >>> layer(torch.zeros(2, 100, 4)).shape
    torch.Size([2, 100, 4])
    """

    def __init__(
        self,
        d: int,
        N: int = 64,
        *,
        form: str = "exp",
        length: int = 1024,
        init: str = "legs",
        dt_min: float = 1e-3,
        dt_max: float = 1e-1,
        bidirectional: bool = False,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ):
        options = {"dt_min": dt_min, "dt_max": dt_max, "bidirectional": bidirectional, "dtype": dtype, "device": device}
        super().__init__(d, N, init=init, **options)
        whole = isinstance(length, int) and not isinstance(length, bool)
        require(whole and length >= 1, f"DSS: length must be a whole number, at least 1; got {length!r}")
        self.form, self.length = choose("DSS", "form", form, FORMS), length
        del self.B
        self.ssm_parameters = tuple(name for name in self.ssm_parameters if name != "B")

    def discretize(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Ā = e^z and B̄, (d, N) each: (e^z − 1)/λ, or 1/(λ Σ_{r<M} e^{zr})."""
        if self.form == "exp":
            return discretize_diagonal(self.A, 1.0, self._dt, "zoh")
        z = self._dt * self.A
        return torch.exp(z), phi1(z) / (self.A * self.length * phi1(z * self.length))
