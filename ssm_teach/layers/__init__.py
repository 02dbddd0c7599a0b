"""Sequence primitives, one file each, all with the interface of `ssm_teach.layers.base`.

Swapping one for another is one word: ``make("s4d", d, N)``.
"""

import inspect

from ssm_teach.errors import choose
from ssm_teach.layers.base import SequenceLayer
from ssm_teach.layers.dss import DSS
from ssm_teach.layers.gated import GLA, HGRN2, RGLRU
from ssm_teach.layers.hope import HOPE
from ssm_teach.layers.linear_attention import LinearAttention
from ssm_teach.layers.lru import LRU
from ssm_teach.layers.lssl import LSSL
from ssm_teach.layers.s4 import S4
from ssm_teach.layers.s4d import S4D
from ssm_teach.layers.s5 import S5
from ssm_teach.layers.s6 import S6
from ssm_teach.layers.ssd import SSD

__all__ = [
    "DSS",
    "GLA",
    "HGRN2",
    "HOPE",
    "LAYERS",
    "LRU",
    "LSSL",
    "RGLRU",
    "S4",
    "S4D",
    "S5",
    "S6",
    "SSD",
    "LinearAttention",
    "SequenceLayer",
    "make",
]

LAYERS: dict[str, type[SequenceLayer]] = {
    "lssl": LSSL,
    "s4": S4,
    "dss": DSS,
    "s4d": S4D,
    "s5": S5,
    "lru": LRU,
    "s6": S6,
    "ssd": SSD,
    "hope": HOPE,
    "linear_attention": LinearAttention,
    "rglru": RGLRU,
    "gla": GLA,
    "hgrn2": HGRN2,
}


def make(name: str, d: int, N: int, **options) -> SequenceLayer:
    """Build the layer called ``name`` with d channels and state size N; ``options`` are the layer's own.

    >>> make("s4d", d=4, N=8, init="real").kernel(16).shape
    torch.Size([4, 16])
    """
    cls = LAYERS[choose("make", "layer", name, LAYERS)]
    for option in options:
        choose("make", f"option of {name}", option, list(inspect.signature(cls).parameters)[2:])
    return cls(d, N, **options)
