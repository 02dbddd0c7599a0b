"""A gate that opens for what matters, beside one that never moves (chapter 15)."""

from math import expm1

import traitlets

from ssm_teach.errors import choose, require

from .base import Explorable

__all__ = ["Gate"]


class Gate(Explorable):
    """Selective copying by gated states h ← Ā h + B̄ u, with Δ = softplus(z) and A = −1, and by one with a fixed gate.

    Sixteen tokens, three of them data, are followed by a hold of noise tokens. State i opens for data token i and stays
    shut for everything else: a layer below has counted the data tokens. Nothing is random.

    Args:
        data_logit: z of a state's own data token, −10 to 10.
        noise_logit: z of every other token, −20 to 10.
        hold: Noise tokens between the last data token and the recall, 1 to 4096.
        fixed_gate: g of the state that treats all tokens alike, 0.0001 to 0.99; None is the one that leaves the
            most of the last data token, to four digits.
        method: Input weight B̄, ``zoh`` (exact, σ(z): then Ā + B̄ = 1) or ``simplified`` (Mamba's ΔB, softplus(z)).
        step: Token read last, 0 to 16: 16 is the recall, after the hold.
    Raises: UserError: for a value outside these bounds.

    >>> Gate(hold=3, fixed_gate=None).fixed_gate
    0.25
    """

    name = "gate"
    keys_shown = ("data_logit", "noise_logit", "hold", "fixed_gate", "method", "step")

    data_logit = traitlets.Float(6.0).tag(sync=True)
    noise_logit = traitlets.Float(-10.0).tag(sync=True)
    hold = traitlets.Int(4095).tag(sync=True)
    fixed_gate = traitlets.Float(0.2).tag(sync=True)
    method = traitlets.Unicode("zoh").tag(sync=True)
    step = traitlets.Int(16).tag(sync=True)

    def __init__(self, *, data_logit=6.0, noise_logit=-10.0, hold=4095, fixed_gate=0.2, method="zoh", step=16):
        choose("Gate", "method", method, ["zoh", "simplified"])
        require(1 <= hold <= 4096, f"Gate: hold must lie in 1 to 4096; got {hold}")
        fixed_gate = _best_fixed_gate(hold, method) if fixed_gate is None else fixed_gate
        for argument, given, low, high in [
            ("data_logit", data_logit, -10, 10),
            ("noise_logit", noise_logit, -20, 10),
            ("fixed_gate", fixed_gate, 0.0001, 0.99),
            ("step", step, 0, 16),
        ]:
            require(low <= given <= high, f"Gate: {argument} must lie in {low} to {high}; got {given}")
        super().__init__(
            data_logit=data_logit,
            noise_logit=noise_logit,
            hold=hold,
            fixed_gate=fixed_gate,
            method=method,
            step=step,
        )


def _best_fixed_gate(hold: int, method: str) -> float:
    """Return the g with the largest weight B̄ Āʰ: g (1 − g)ʰ for zoh, Δ e^{−Δh} with g = 1 − e^{−Δ} otherwise."""
    g = 1 / (hold + 1) if method == "zoh" else -expm1(-1 / hold)
    return float(f"{g:.4g}")
