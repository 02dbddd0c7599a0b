"""DSS: both forms against the paper's formulas, written out, and the softmax of complex numbers against sums."""

import math

import numpy as np
import pytest
import torch

from ssm_teach.errors import UserError
from ssm_teach.layers import DSS, S4D
from ssm_teach.layers.dss import complex_softmax


def build(form, d=2, N=4, **options):
    torch.manual_seed(0)
    return DSS(d, N, form=form, **({"dt_min": 0.02, "dt_max": 0.5, "dtype": torch.float64} | options))


def test_exp_form_is_s4d_with_zero_order_hold_and_B_one():
    layer = build("exp", init="lin")
    torch.manual_seed(0)
    s4d = S4D(2, 4, init="lin", method="zoh", dt_min=0.02, dt_max=0.5, dtype=torch.float64)
    assert set(dict(s4d.named_parameters())) - set(dict(layer.named_parameters())) == {"B"}
    assert torch.equal(layer.kernel(100), s4d.kernel(100))


def test_softmax_form_is_the_papers_formula_at_its_own_length():
    layer, M = build("softmax", length=60), 60
    A, w, dt = layer.A, torch.view_as_complex(layer.C), torch.exp(layer.log_dt)
    rows = complex_softmax(A[..., None] * dt[:, None, None] * torch.arange(M), eps=0.0)
    expected = 2 * ((w / A)[..., None] * rows).sum(1).real
    torch.testing.assert_close(layer.kernel(M), expected, rtol=0, atol=1e-11)


def test_each_mode_of_the_softmax_form_sums_to_one_over_its_length():
    layer, M = build("softmax", N=1, length=33), 33
    with torch.no_grad():
        layer.C.copy_(torch.view_as_real(layer.A / 2))  # so that w/λ is one half, and the kernel Re f
    torch.testing.assert_close(layer.kernel(M).sum(-1), torch.ones(2, dtype=torch.float64), rtol=0, atol=1e-12)


def test_length_of_the_softmax_is_part_of_the_model_and_not_of_the_input():
    layer = build("softmax", length=40)
    torch.testing.assert_close(layer.kernel(90)[:, :25], layer.kernel(25), rtol=0, atol=1e-12)
    other = build("softmax", length=41)
    assert (other.kernel(25) - layer.kernel(25)).abs().max() > 1e-3


def test_both_forms_stay_finite_for_slow_and_for_fast_modes_in_float32():
    for form in ("exp", "softmax"):
        for scale in (1e-6, 1e3):
            layer = build(form, dtype=torch.float32)
            with torch.no_grad():
                layer.log_neg_real.add_(math.log(scale))
            K = layer.kernel(2000)
            K.square().sum().backward()
            assert K.isfinite().all()
            assert all(
                parameter.grad.isfinite().all() for parameter in layer.parameters() if parameter.grad is not None
            )


# The softmax


def test_complex_softmax_is_the_quotient_and_sums_to_one():
    z = torch.randn(3, 9, dtype=torch.complex128, generator=torch.Generator().manual_seed(0))
    expected = torch.exp(z) / torch.exp(z).sum(-1, keepdim=True)
    torch.testing.assert_close(complex_softmax(z, eps=0.0), expected, rtol=1e-12, atol=1e-12)


def test_complex_softmax_of_growing_modes_does_not_overflow():
    z = (3.0 + 0.7j) * torch.arange(4000)
    rows = complex_softmax(z.to(torch.complex64))
    assert rows.isfinite().all()
    torch.testing.assert_close(rows.sum(), torch.tensor(1.0 + 0j), rtol=0, atol=1e-3)
    assert rows[:3900].abs().max() == 0  # a growing mode looks at the far end alone


def test_complex_softmax_tends_to_zero_where_the_sum_vanishes():
    z = 2j * math.pi * torch.arange(8, dtype=torch.float64) / 8  # the eighth roots of unity
    assert complex_softmax(z).abs().max() < 1e-6
    with np.errstate(all="ignore"):
        assert complex_softmax(z, eps=0.0).abs().max() > 1e10


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"form": "sofmax"}, r"DSS: unknown form 'sofmax'; choose one of exp, softmax \(did you mean softmax\?\)"),
        ({"length": 0}, "DSS: length must be a whole number, at least 1; got 0"),
        ({"length": 10.0}, "DSS: length must be a whole number, at least 1; got 10.0"),
    ],
)
def test_a_wrong_option_is_one_clear_sentence(options, sentence):
    with pytest.raises(UserError, match=sentence):
        DSS(2, 4, **options)
