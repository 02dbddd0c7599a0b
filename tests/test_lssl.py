"""LSSL against the definition, C Ā^k B̄ with a dense matrix, and against S4, which is the same system sooner."""

import math

import numpy as np
import pytest
import torch

from ssm_teach import hippo
from ssm_teach.discretize import discretize
from ssm_teach.errors import UserError
from ssm_teach.kernels import powers_kernel
from ssm_teach.layers import LSSL, S4


def build(d=2, N=6, **options):
    torch.manual_seed(0)
    return LSSL(d, N, **({"dt_min": 0.01, "dt_max": 0.5, "dtype": torch.float64} | options))


@pytest.mark.parametrize("measure", ["legs", "legt", "lagt", "fout"])
def test_kernel_is_C_times_powers_times_B_for_every_measure(measure):
    layer = build(N=7, measure=measure)
    A, B = hippo.transition(measure, 7)
    for channel, K in enumerate(layer.kernel(50).detach().numpy()):
        dt = math.exp(layer.log_dt[channel].item())
        expected = powers_kernel(*discretize(A, B, dt, "bilinear"), layer.C[channel].detach().numpy(), 50)
        np.testing.assert_allclose(K, expected, rtol=0, atol=1e-11 * np.abs(expected).max())


def test_it_is_s4_in_other_coordinates():
    lssl, s4 = build(N=16), S4(2, 8, dtype=torch.float64)
    V = torch.as_tensor(hippo.nplr("legs", 16)[3][:, :8])
    with torch.no_grad():
        s4.log_dt.copy_(lssl.log_dt)
        s4.C.copy_(torch.view_as_real(lssl.C.to(V.dtype) @ V))
    K = lssl.kernel(500)
    torch.testing.assert_close(s4.kernel(500), K, rtol=0, atol=1e-10 * K.abs().max().item())


def test_an_unstable_A_makes_the_kernel_grow_and_nothing_prevents_it():
    layer = build()
    with torch.no_grad():
        layer.A.copy_(0.1 * torch.eye(6))
    K = layer.kernel(4000).abs()
    assert K[:, -1].min() > 100 * K[:, 0].max()


def test_bidirectional_output_is_the_sum_of_both_directions():
    layer, u = build(bidirectional=True), torch.randn(2, 31, 2, dtype=torch.float64)
    forwards, backwards = build(), build()
    forwards.load_state_dict({k: v for k, v in layer.state_dict().items() if k != "C_reverse"})
    backwards.load_state_dict({**forwards.state_dict(), "C": layer.C_reverse, "D": torch.zeros(2)})
    torch.testing.assert_close(layer(u), forwards(u) + backwards(u.flip(1)).flip(1), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"measure": "leg"}, r"unknown measure 'leg'; choose one of .*did you mean"),
        ({"dt_min": 0.2, "dt_max": 0.1}, r"LSSL: dt_min and dt_max must .* got dt_min=0.2, dt_max=0.1"),
        ({"dtype": torch.int32}, r"LSSL: dtype must be float32 or float64; got torch.int32"),
    ],
)
def test_a_wrong_option_is_one_clear_sentence(options, sentence):
    with pytest.raises(UserError, match=sentence):
        LSSL(2, 4, **options)
