"""The pitches at which S4 asks for its kernel, and what forgetting the correction does (chapter 09)."""

import traitlets

from ssm_teach.errors import require

from .base import Explorable

__all__ = ["Nodes"]


class Nodes(Explorable):
    """Roots of unity, their images under the bilinear transform, the answers there, and the kernel these make.

    The system is HiPPO-LegS, read so that an impulse comes back as an echo after ``delay``; with one state it is plain
    decay.

    Args:
        length: L, the number of nodes and of samples, 4 to 64.
        delta: Step Δ, 0.005 to 0.5.
        states: N, 1, 2, 4, 8 or 16.
        delay: Age of the echo, 0.05 to 3, in units of the time of A.
        corrected: Whether the readout is C̃ = C(I − Ā^L), in place of C.
        node: The node that is shown in full, 0 to L − 1.
    Raises: UserError: for a value outside these bounds.

    >>> Nodes(states=1, length=10, delta=2 / 19).corrected
    False
    """

    name = "nodes"
    keys_shown = ("length", "delta", "states", "delay", "corrected", "node")

    length = traitlets.Int(32).tag(sync=True)
    delta = traitlets.Float(0.03).tag(sync=True)
    states = traitlets.Int(16).tag(sync=True)
    delay = traitlets.Float(1.3).tag(sync=True)
    corrected = traitlets.Bool(False).tag(sync=True)
    node = traitlets.Int(4).tag(sync=True)

    def __init__(self, *, length=32, delta=0.03, states=16, delay=1.3, corrected=False, node=4):
        require(4 <= length <= 64, f"Nodes: length must lie in 4 to 64; got {length}")
        for argument, given, low, high in [
            ("delta", delta, 0.005, 0.5),
            ("delay", delay, 0.05, 3),
            ("node", node, 0, length - 1),
        ]:
            require(low <= given <= high, f"Nodes: {argument} must lie in {low} to {high}; got {given}")
        require(states in (1, 2, 4, 8, 16), f"Nodes: states must be 1, 2, 4, 8 or 16; got {states}")
        super().__init__(length=length, delta=delta, states=states, delay=delay, corrected=bool(corrected), node=node)
