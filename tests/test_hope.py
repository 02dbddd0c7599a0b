"""HOPE against the formula that defines it, by routes that share nothing with the layer, and its Hankel matrix."""

import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssm_teach.errors import UserError
from ssm_teach.layers import HOPE
from ssm_teach.layers.hope import spectrum


def build(d=3, N=6, seed=0, **options):
    torch.manual_seed(seed)
    return HOPE(d, N, **({"dt_min": 0.1, "dt_max": 2.0, "dtype": torch.float64} | options))


def with_steps(layer, *steps):
    with torch.no_grad():
        layer.log_dt.copy_(torch.tensor(steps, dtype=torch.float64).log())
    return layer


def circle(n):
    return torch.exp(2j * math.pi * torch.arange(n, dtype=torch.float64) / n)


def taylor(h, dt, L):
    """The power series of Σ h_i ((1 − as)/(s − a))^i in w = 1/s, in exact fractions: section = (w − a)/(1 − aw)."""
    a = (1 - dt) / (1 + dt)
    signal, K = [Fraction(int(k == 0)) for k in range(L)], [Fraction(0)] * L
    for h_i in h:
        out = []
        for k in range(L):  # (1 − aw) out = (w − a) in
            before = signal[k - 1] if k else 0
            out.append(before - a * signal[k] + (a * out[k - 1] if k else 0))
        signal = out
        K = [K_k + h_i * v_k for K_k, v_k in zip(K, signal, strict=True)]
    return K


# The definition.


@pytest.mark.parametrize("dt", [Fraction(1, 8), Fraction(1), Fraction(3, 2), Fraction(4)])
@pytest.mark.parametrize("L", [1, 2, 3, 5, 17, 40])
def test_kernel_is_the_power_series_of_the_transfer_function_in_exact_fractions(dt, L):
    h = [Fraction(3, 4), Fraction(-1, 2), Fraction(2), Fraction(1, 8), Fraction(-5, 4)]
    layer = with_steps(build(d=1, N=5), float(dt))
    with torch.no_grad():
        layer.h.copy_(torch.tensor([[float(h_i) for h_i in h]]))
    exact = [float(K_k) for K_k in taylor(h, dt, L)]
    np.testing.assert_allclose(layer.kernel(L)[0].detach(), exact, rtol=0, atol=1e-13)


def test_transform_of_the_kernel_is_the_printed_formula_on_the_unit_circle():
    layer = build()
    s = torch.exp(1j * torch.linspace(0, math.pi, 57, dtype=torch.float64))
    K = layer.kernel(3000)  # a ≤ 0.82: nothing is left after 3000 samples
    transform = K.to(s.dtype) @ s[None] ** -torch.arange(3000.0)[:, None]
    expected = spectrum(layer.h, torch.exp(layer.log_dt), s)
    assert (transform - expected).abs().max() < 1e-11


def test_the_formula_is_the_horner_sum_of_its_terms_and_a_section_keeps_every_amplitude():
    h, dt, s = (
        torch.tensor([[1.0, -2.0, 0.5]], dtype=torch.float64),
        torch.tensor([0.3], dtype=torch.float64),
        circle(9),
    )
    z = (1.3 * s - 0.7) / (-0.7 * s + 1.3)
    assert (spectrum(h, dt, s)[0] - (1 / z - 2 / z**2 + 0.5 / z**3)).abs().max() < 1e-14
    assert (z.abs() - 1).abs().max() < 1e-14


def test_convolution_with_the_kernel_is_the_cascade_also_at_memories_beyond_the_signal():
    """Zero padding and an exact finite kernel: a kernel that is far from decayed after L samples leaks nowhere."""
    layer = with_steps(build(N=32), 1e-3, 1e-2, 0.3)
    u = torch.randn(2, 100, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    state, y = layer.initial_state(2), []
    for u_k in u.unbind(1):
        y_k, state = layer.step(u_k, state)
        y.append(y_k)
    assert (layer(u) - torch.stack(y, 1)).abs().max() < 1e-12


@pytest.mark.parametrize("points", [64, 128])
def test_samples_on_the_circle_give_the_kernel_wrapped_around_it_zero_padded_or_not(points):
    layer = with_steps(build(d=1, N=8), 0.02)  # it remembers some 400 samples
    wrapped = torch.fft.ifft(spectrum(layer.h, torch.exp(layer.log_dt), circle(points)))[0]
    K = layer.kernel(points * 200)[0].detach()
    assert (wrapped - K.reshape(200, points).sum(0)).abs().max() < 1e-11
    assert (wrapped.real[:64] - K[:64]).abs().max() > 0.05 * K[1:].abs().max()


def test_imaginary_parts_of_h_never_reach_a_real_output():
    layer, n = build(d=1), 4096
    h = torch.complex(layer.h, torch.randn_like(layer.h))
    K = torch.fft.ifft(spectrum(h, torch.exp(layer.log_dt), circle(n)))[0]
    assert (K.real[:200] - layer.kernel(200)[0]).abs().max() < 1e-12


def test_at_step_one_it_is_a_finite_impulse_response_one_sample_later():
    layer = with_steps(build(), 1.0, 1.0, 1.0)
    K = layer.kernel(12)
    assert torch.equal(K[:, 1:7], layer.h)
    assert not K[:, 0].any()
    assert not K[:, 7:].any()


def test_a_section_delays_slow_signals_by_one_over_dt_samples():
    layer = with_steps(build(d=1, N=7), 0.02)
    with torch.no_grad():
        layer.h.copy_(torch.eye(7)[-1:])  # the output of the last section alone
    s = torch.exp(1j * torch.tensor([1e-4], dtype=torch.float64))
    phase = spectrum(layer.h, torch.exp(layer.log_dt), s).angle().item()
    assert -phase / 1e-4 == pytest.approx(7 / 0.02, rel=1e-3)


# States.


@settings(max_examples=20, deadline=None, derandomize=True)
@given(log_dt=st.floats(-7, 3), N=st.integers(1, 20))
def test_the_cascade_is_lossless_so_its_states_are_white_for_a_white_input(log_dt, N):
    layer = build(d=1, N=N)
    with torch.no_grad():
        layer.log_dt.fill_(log_dt)
    A_bar, B_bar, _, _ = (value[0].detach().numpy() for value in layer.system())
    np.testing.assert_allclose(A_bar @ A_bar.T + np.outer(B_bar, B_bar), np.eye(N), rtol=0, atol=1e-12)
    assert np.linalg.norm(A_bar, 2) <= 1 + 1e-12


def test_system_has_the_layers_kernel_one_power_later_than_the_s4_convention():
    layer = build()
    A_bar, B_bar, C, K_0 = (value.detach() for value in layer.system())
    powers = [torch.linalg.matrix_power(A_bar, k) for k in range(30)]
    later = [torch.einsum("dn,dnm,dm->d", C, power, B_bar) for power in powers]
    assert (layer.kernel(31) - torch.stack([K_0, *later], -1)).abs().max() < 1e-13


@pytest.mark.parametrize("dt", [0.01, 0.5, 1.0, 3.0])
def test_hankel_singular_values_are_those_of_the_matrix_of_parameters_for_every_step(dt):
    layer = with_steps(build(d=1, N=9), dt)
    A_bar, B_bar, C, _ = (value[0].detach().numpy() for value in layer.system())
    P = scipy.linalg.solve_discrete_lyapunov(A_bar, np.outer(B_bar, B_bar))
    Q = scipy.linalg.solve_discrete_lyapunov(A_bar.T, np.outer(C, C))
    from_gramians = np.sqrt(np.sort(np.linalg.eigvals(P @ Q).real)[::-1])
    H = layer.hankel()[0].detach().numpy()
    assert H[2, 3] == layer.h[0, 5]
    assert not H[5:, 4:].any()
    sigma = np.linalg.svd(H, compute_uv=False)
    np.testing.assert_allclose(from_gramians, sigma, rtol=0, atol=1e-8 * sigma[0])


def test_a_change_of_h_moves_the_transfer_function_by_at_most_root_N_times_its_norm():
    s, dt = circle(2048), torch.tensor([0.3], dtype=torch.float64)

    def largest(change):
        return spectrum(change, dt, s).abs().max().item()

    for seed in range(20):
        change = torch.randn(1, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        assert largest(change) <= 4 * change.norm().item()
    assert largest(torch.full((1, 16), 0.2, dtype=torch.float64)) == pytest.approx(4 * 0.2 * 4)  # attained


# The start, and numbers.


def test_white_noise_gives_an_output_of_variance_one_for_every_step():
    for dt in (0.03, 0.3, 1.0):
        layer = build(d=400, N=8, dt_min=dt, dt_max=dt)
        assert layer.kernel(4000).square().sum(-1).mean().item() == pytest.approx(1, abs=0.1)


def test_steps_start_within_the_given_bounds_and_are_the_only_parameters_on_the_states_scale():
    layer = HOPE(1000, 1, dt_min=0.01, dt_max=0.5)
    dt = torch.exp(layer.log_dt)
    assert 0.01 <= dt.min() < 0.012
    assert 0.4 < dt.max() <= 0.5 * (1 + 1e-6)
    assert layer.ssm_parameters == ("log_dt",)
    assert {name: tuple(p.shape) for name, p in HOPE(3, 5).named_parameters()} == {
        "log_dt": (3,),
        "h": (3, 5),
        "D": (3,),
    }


def test_float32_kernel_keeps_its_accuracy_over_16384_positions():
    layer = build(d=8, N=64, dt_min=1e-3, dt_max=1.0).float()
    single, double = layer.kernel(16384), layer.double().kernel(16384)
    assert (single - double).abs().max() < 1e-5 * double.abs().max()


@pytest.mark.parametrize("dt", [1e-9, 1e9])
def test_extreme_steps_are_finite_with_finite_gradients(dt):
    layer = build(d=1, dt_min=dt, dt_max=dt).float()
    layer(torch.ones(1, 50, 1)).sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in layer.parameters())


# Two directions, and mistakes.


def test_bidirectional_layer_is_a_forward_and_a_reversed_one():
    both, forward, reverse = build(bidirectional=True), build(), build()
    weights = both.state_dict()
    h_reverse = weights.pop("h_reverse")
    forward.load_state_dict(weights)
    reverse.load_state_dict(weights | {"h": h_reverse, "D": torch.zeros(3)})
    u = torch.randn(2, 29, 3, dtype=torch.float64)
    assert (both(u) - forward(u) - reverse(u.flip(1)).flip(1)).abs().max() < 1e-12
    with pytest.raises(UserError, match=r"HOPE: a bidirectional layer needs the whole sequence"):
        both.step(u[:, 0], both.initial_state(2))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dt_min": 0.2}, r"HOPE: dt_min and dt_max must satisfy 0 < dt_min ≤ dt_max; got dt_min=0.2, dt_max=0.1"),
        ({"dtype": torch.bfloat16}, "HOPE: dtype must be float32 or float64"),
    ],
)
def test_a_wrong_option_is_one_clear_sentence(options, words):
    with pytest.raises(UserError, match=words):
        HOPE(2, 4, **options)


@pytest.mark.parametrize("L", [0, -3, 2.0])
def test_a_wrong_length_of_the_kernel_is_one_clear_sentence(L):
    with pytest.raises(UserError, match=r"HOPE: L must be a whole number, at least 1; got"):
        HOPE(2, 4).kernel(L)
