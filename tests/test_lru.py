"""LRU: the ring it starts on, what its normalisation promises, and that it is S5 in other coordinates."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssm_teach.errors import UserError
from ssm_teach.layers import LRU, S5
from ssm_teach.layers.lru import ring

RINGS = [(0.0, 1.0), (0.9, 0.999), (0.5, 0.5)]


def build(d=3, N=4, **options):
    torch.manual_seed(0)
    return LRU(d, N, **({"dtype": torch.float64} | options))


def raw(layer):
    """λ, γ, B, C and D from the raw parameters, as the paper writes them."""
    p = {name: value.detach().numpy() for name, value in layer.named_parameters()}
    eigenvalues = np.exp(-np.exp(p["nu_log"]) + 1j * np.exp(p["theta_log"]))
    B, C = (p[name][..., 0] + 1j * p[name][..., 1] for name in ("B", "C"))
    return eigenvalues, np.exp(p["gamma_log"]), B, C, p["D"]


def test_output_is_the_papers_recurrence_without_conjugate_halves():
    layer, u = build(), torch.randn(1, 25, 3, dtype=torch.float64)
    eigenvalues, gamma, B, C, D = raw(layer)
    x, y = np.zeros(4, complex), layer(u)[0].detach().numpy()
    for k, u_k in enumerate(u[0].numpy()):
        x = np.diag(eigenvalues) @ x + gamma * (B @ u_k)
        np.testing.assert_allclose(y[k], (C @ x).real + D * u_k, rtol=0, atol=1e-12)


def test_kernel_is_that_of_a_dense_real_system_of_2N_states():
    layer, L = build(), 40
    eigenvalues, gamma, B, C, _ = raw(layer)
    A = np.block(
        [
            [np.diag(eigenvalues.real), -np.diag(eigenvalues.imag)],
            [np.diag(eigenvalues.imag), np.diag(eigenvalues.real)],
        ]
    )
    B_real, C_real = np.r_[(gamma[:, None] * B).real, (gamma[:, None] * B).imag], np.c_[C.real, -C.imag]
    expected = [C_real @ np.linalg.matrix_power(A, k) @ B_real for k in range(L)]
    np.testing.assert_allclose(layer.kernel(L).detach().numpy(), expected, rtol=0, atol=1e-12)


# The ring.


@pytest.mark.parametrize(("r_min", "r_max"), RINGS)
def test_eigenvalues_start_within_the_ring(r_min, r_max):
    modulus = np.abs(raw(build(2, 5000, r_min=r_min, r_max=r_max))[0])
    assert r_min - 1e-12 <= modulus.min()
    assert modulus.max() <= r_max + 1e-12


@pytest.mark.parametrize("max_phase", [2 * math.pi, math.pi / 10])
@pytest.mark.parametrize(("r_min", "r_max"), RINGS[:2])
def test_squared_modulus_and_phase_start_uniform(r_min, r_max, max_phase):
    torch.manual_seed(0)
    decay, phase = ring(20_000, r_min, r_max, max_phase)
    squared = (torch.exp(-2 * decay).numpy() - r_min**2) / (r_max**2 - r_min**2)
    share = phase.numpy() / max_phase
    for sample in (squared, share):
        assert sample.mean() == pytest.approx(1 / 2, abs=4 * math.sqrt(1 / 12 / 20_000))
        assert sample.var() == pytest.approx(1 / 12, abs=4 * math.sqrt(1 / 180 / 20_000))
        assert scipy.stats.kstest(sample, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(squared, share)[0, 1]) < 4 / math.sqrt(20_000)


@pytest.mark.parametrize("drawn", [0.0, 1 - 2**-53])
def test_the_edges_of_the_random_numbers_give_finite_layers(monkeypatch, drawn):
    monkeypatch.setattr(torch, "rand", lambda *shape, dtype: torch.full(shape, drawn, dtype=dtype))
    for r_min, r_max in RINGS:
        layer = build(r_min=r_min, r_max=r_max)
        assert layer.nu_log.isfinite().all()
        assert layer.gamma_log.isfinite().all()
        y = layer(torch.randn(1, 9, 3, dtype=torch.float64))
        y.sum().backward()
        assert all(parameter.grad.isfinite().all() for parameter in layer.parameters())


@settings(max_examples=20, deadline=None, derandomize=True)
@given(scale=st.floats(0, 8), seed=st.integers(0, 1000))
def test_no_parameter_values_make_the_recurrence_unstable(scale, seed):
    layer = build()
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(scale * torch.randn_like(parameter))
    assert (layer.eigenvalues.abs() <= 1).all()


# The normalisation.


@pytest.mark.parametrize(("r_min", "r_max"), [*RINGS, (0.999999, 0.999999)])
def test_gamma_starts_at_the_root_of_one_minus_the_squared_modulus(r_min, r_max):
    layer = build(N=50, r_min=r_min, r_max=r_max)
    modulus = np.exp(-np.exp(layer.nu_log.detach().numpy().astype(np.longdouble)))
    expected = np.sqrt((1 - modulus) * (1 + modulus))
    np.testing.assert_allclose(torch.exp(layer.gamma_log).detach().numpy(), expected.astype(float), rtol=1e-12)


def test_gamma_at_modulus_099():
    assert torch.exp(build(r_min=0.99, r_max=0.99).gamma_log)[0].item() == pytest.approx(0.1411, abs=5e-5)


def test_white_noise_gives_states_of_variance_one():
    """Exactly: the energy of each state's impulse response is the squared length of its row of B, 1 on average."""
    layer = build(d=50, N=400)
    A_bar, B_bar = layer.discretize()
    energy = B_bar.abs().square().sum(1) / (1 - A_bar.abs().square())
    rows = torch.view_as_complex(layer.B).abs().square().sum(1)
    np.testing.assert_allclose(energy.detach(), rows.detach(), rtol=1e-9)
    assert rows.mean().item() == pytest.approx(1, abs=0.02)


def test_white_noise_gives_states_and_outputs_of_variance_one_when_simulated():
    layer = build(d=20, N=100, r_min=0.5, r_max=0.98)
    with torch.no_grad():
        layer.D.zero_()
        _, late = layer(torch.randn(200, 400, 20, dtype=torch.float64), return_state=True)
        y = layer(torch.randn(20, 3000, 20, dtype=torch.float64))[:, 400:]
    assert late.abs().square().mean().item() == pytest.approx(1, abs=0.05)
    assert y.var().item() == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize(("modulus", "tied", "free"), [(0.9, 0.2491, 0.4508), (0.999, 0.2500, 0.4995)])
def test_sensitivity_to_nu_stays_bounded_and_tends_to_a_quarter_if_gamma_is_tied(modulus, tied, free):
    """Variance of ∂h/∂ν for white noise is the energy of the derivative of the kernel, here by automatic derivatives.

    With γ = √(1 − λ²) as a function of ν it tends to ¼; with γ a parameter by itself, as in the layer, to ½. Without γ
    the variance of ∂h/∂λ itself is (1 + λ²)/(1 − λ²)³.
    """
    k = torch.arange(40_000, dtype=torch.float64)
    nu = torch.tensor(math.log(-math.log(modulus)), dtype=torch.float64)

    def kernel(nu, gamma=None):
        gamma = torch.sqrt(-torch.expm1(-2 * torch.exp(nu))) if gamma is None else gamma
        return gamma * torch.exp(-torch.exp(nu) * k)

    gamma = math.sqrt(1 - modulus**2)
    for expected, function in ((tied, kernel), (free, lambda nu: kernel(nu, gamma))):
        derivative = torch.func.jacfwd(function)(nu)
        assert derivative.square().sum().item() == pytest.approx(expected, abs=5e-5)


# LRU and S5 are one family.


def test_every_S5_layer_is_an_LRU_layer_with_other_numbers():
    torch.manual_seed(0)
    s5, lru = S5(3, 4, dt_max=0.5, dtype=torch.float64), build()
    A_bar, B_bar = s5.discretize()
    decay, phase = -torch.log(A_bar.abs()), torch.exp(s5.log_dt) * s5.imag
    with torch.no_grad():
        lru.nu_log.copy_(torch.log(decay))
        lru.theta_log.copy_(torch.log(phase))
        lru.gamma_log.copy_(0.5 * torch.log(-torch.expm1(-2 * decay)))
        lru.B.copy_(torch.view_as_real(B_bar / torch.exp(lru.gamma_log)[:, None]))
        lru.C.copy_(2 * s5.C)  # no conjugate halves
        lru.D.copy_(s5.D)
    u = torch.randn(2, 60, 3, dtype=torch.float64)
    assert (lru(u) - s5(u)).abs().max() < 1e-13 * s5(u).abs().max()


# Mistakes.


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"r_min": -0.1}, "0 ≤ r_min ≤ r_max ≤ 1.*got r_min=-0.1, r_max=0.999"),
        ({"r_max": 1.1}, "got r_min=0.9, r_max=1.1"),
        ({"r_max": 0.5}, "got r_min=0.9, r_max=0.5"),
        ({"r_min": 1.0, "r_max": 1.0}, "with r_max > 0 and r_min < 1"),
        ({"r_min": 0.0, "r_max": 0.0}, "with r_max > 0 and r_min < 1"),
        ({"r_max": float("nan")}, "r_max=nan"),
        ({"max_phase": 0.0}, "LRU: max_phase must be an angle in radians, 0 < max_phase ≤ 2π; got 0.0"),
        ({"max_phase": 360}, "got 360"),
    ],
)
def test_wrong_options_are_one_clear_sentence(options, words):
    with pytest.raises(UserError, match=words):
        LRU(2, 4, **options)
