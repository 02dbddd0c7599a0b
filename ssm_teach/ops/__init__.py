"""The book's recurrences, fast: one public function each, with interchangeable backends behind it.

Backends: ``reference`` (the equation as a loop), ``torch`` (a few large tensor operations, any device) and ``numba``
(compiled loops, CPU). The fastest that is there is taken; the environment variable ``SSM_TEACH_BACKEND`` overrides it.
"""

from ssm_teach.ops._diagonal_conv import diagonal_conv
from ssm_teach.ops._fft_conv import fft_conv
from ssm_teach.ops._gated_attention import gated_attention, gated_attention_direct
from ssm_teach.ops._linear_scan import linear_scan, linear_scan_direct
from ssm_teach.ops._selective_scan import selective_scan, selective_scan_direct
from ssm_teach.ops._ssd import ssd, ssd_direct
from ssm_teach.ops._vandermonde import vandermonde

__all__ = [
    "diagonal_conv",
    "fft_conv",
    "gated_attention",
    "gated_attention_direct",
    "linear_scan",
    "linear_scan_direct",
    "selective_scan",
    "selective_scan_direct",
    "ssd",
    "ssd_direct",
    "vandermonde",
]
