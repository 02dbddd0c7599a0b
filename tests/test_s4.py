"""S4 against the dense HiPPO matrix that it stands for, and against what its two papers promise."""

import math

import numpy as np
import pytest
import torch

from ssm_teach import hippo
from ssm_teach.discretize import discretize
from ssm_teach.errors import UserError
from ssm_teach.kernels import causal_conv, powers_kernel
from ssm_teach.layers import S4


def build(N=4, d=2, **options):
    torch.manual_seed(0)
    return S4(d, N, **({"dt_min": 0.01, "dt_max": 0.5, "dtype": torch.float64} | options))


def test_a_new_layer_has_the_kernel_of_the_dense_hippo_matrix():
    layer, L = build(N=16), 300
    A, B = hippo.transition("legs", 32)
    V = hippo.nplr("legs", 32)[3][:, :16]
    C = torch.view_as_complex(layer.C).detach().numpy()
    for channel, dt in enumerate(torch.exp(layer.log_dt).tolist()):
        readout = 2 * (C[channel] @ V.conj().T).real  # the real row whose coordinates in V are C
        expected = powers_kernel(*discretize(A, B, dt, "bilinear"), readout, L)
        K = layer.kernel(L)[channel].detach().numpy()
        np.testing.assert_allclose(K, expected, rtol=0, atol=1e-10 * np.abs(expected).max())


def test_its_state_is_the_dense_state_in_the_eigenbasis():
    layer, u = build(N=8, d=1), torch.randn(1, 50, 1, dtype=torch.float64)
    A, B = hippo.transition("legs", 16)
    V = hippo.nplr("legs", 16)[3][:, :8]
    A_bar, B_bar = discretize(A, B, math.exp(layer.log_dt.item()), "bilinear")
    x = np.zeros(16)
    for u_k in u[0, :, 0].tolist():
        x = A_bar @ x + B_bar * u_k
    _, state = layer(u, return_state=True)
    np.testing.assert_allclose(state[0, 0].detach().numpy(), V.conj().T @ x, rtol=0, atol=1e-12)


def test_a_step_makes_no_matrix():
    layer = build(N=64, d=3)
    sizes = []

    class Sizes(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            sizes.extend(leaf.numel() for leaf in torch.utils._pytree.tree_leaves(result) if torch.is_tensor(leaf))
            return result

    with Sizes():
        layer.step(torch.zeros(2, 3, dtype=torch.float64), layer.initial_state(2))
    assert max(sizes) <= 2 * 2 * 3 * 64  # real and imaginary parts of (b, d, N)


def test_no_parameters_make_it_unstable():
    """A + A* = 2 Re Λ − 2PP* is negative definite for any P, and the bilinear transform keeps that: ‖Ā‖ < 1."""
    layer = build(N=8, d=4)
    with torch.no_grad():
        for parameter in (layer.log_neg_real, layer.imag, layer.P):
            parameter.add_(3 * torch.randn_like(parameter))
    A_bar = layer._dense()[0]
    assert torch.linalg.matrix_norm(A_bar, 2).max() < 1


@pytest.mark.parametrize("L", [1, 2, 7, 64])
def test_bidirectional_output_is_the_sum_of_both_directions(L):
    layer, u = build(bidirectional=True), torch.randn(2, L, 2, dtype=torch.float64)
    forwards = build()
    forwards.load_state_dict({k: v for k, v in layer.state_dict().items() if k != "C_reverse"})
    backwards = build()
    backwards.load_state_dict({**forwards.state_dict(), "C": layer.C_reverse, "D": torch.zeros(2)})
    torch.testing.assert_close(layer(u), forwards(u) + backwards(u.flip(1)).flip(1), rtol=0, atol=1e-12)


def test_float32_layer_is_as_exact_as_its_parameters():
    """Fed the float32 parameters, float64 arithmetic gives the same kernel to float32 rounding."""
    single = build(N=32, dtype=torch.float32, dt_min=1e-3, dt_max=1e-1)
    double = build(N=32)
    double.load_state_dict(single.state_dict())
    K = double.kernel(4096)
    assert (single.kernel(4096) - K).abs().max() < 1e-6 * K.abs().max()


def test_output_is_the_convolution_with_the_kernel_plus_D_times_the_input():
    layer, u = build(), torch.randn(2, 33, 2, dtype=torch.float64)
    with torch.no_grad():
        layer.D.add_(0.5)
    torch.testing.assert_close(layer(u), causal_conv(u, layer.kernel(33)) + layer.D * u, rtol=0, atol=1e-12)


def test_one_seed_gives_one_layer_in_every_dtype():
    single, double = build(dtype=torch.float32), build()
    for (_, one), (_, other) in zip(single.named_parameters(), double.named_parameters(), strict=True):
        torch.testing.assert_close(one, other.float(), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"dt_min": 0.0}, r"0 < dt_min ≤ dt_max; got dt_min=0.0"),
        ({"dt_min": 0.2, "dt_max": 0.1}, r"got dt_min=0.2, dt_max=0.1"),
        ({"dtype": torch.float16}, r"dtype must be float32 or float64; got torch.float16"),
    ],
)
def test_a_wrong_option_is_one_clear_sentence(options, sentence):
    with pytest.raises(UserError, match=sentence):
        S4(2, 4, **options)


def test_a_layer_that_looks_both_ways_has_no_step():
    layer = build(bidirectional=True)
    for use in (
        lambda: layer.step(torch.zeros(2, 2, dtype=torch.float64), layer.initial_state(2)),
        lambda: layer(torch.zeros(2, 5, 2, dtype=torch.float64), return_state=True),
    ):
        with pytest.raises(UserError, match="a bidirectional layer needs the whole sequence"):
            use()
