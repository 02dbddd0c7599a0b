"""Deep state space models, derived step by step in the book *Executable State Spaces*.

The names below are the ones a first session needs; everything else is in the module of its chapter. Letters throughout:
u input, x state, y output; A, B, C, D and their discrete Ā, B̄; Δ (``dt``) step; K kernel; N state size, d channels,
L length, b batch. Tensors are (b, L, d), states (b, d, N), and x_k = Ā x_{k−1} + B̄ u_k with x_{−1} = 0.
"""

import os
from importlib import import_module

# PyTorch's threads (GNU OpenMP, on Linux) keep their cores busy for milliseconds while they wait for more work, and the
# compiled scans want the same cores. Ten thousand turns are long enough to catch the next of many small operations. It
# can only be said before PyTorch is loaded, and whoever has said how threads shall wait keeps his word.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")

_HOME = {
    "LAYERS": "layers",
    "S4D": "layers",
    "SequenceModel": "model",
    "SimpleBlock": "blocks",
    "StateSpace": "lti",
    "UserError": "errors",
    "causal_conv": "kernels",
    "check": "exercises",
    "claim": "claims",
    "parameter_groups": "model",
    "powers_kernel": "kernels",
    "vandermonde_kernel": "kernels",
}

__all__ = sorted(_HOME)


def __getattr__(name):
    """Import a name's module when the name is first used, so that ``import ssm_teach`` itself costs nothing."""
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
