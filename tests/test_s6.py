"""S6: what it computes, what it starts from, and which of its two B̄ is which. The common promises: test_layers.py."""

import math

import pytest
import torch
from torch.nn import functional as F

from ssm_teach.discretize import discretize
from ssm_teach.errors import UserError
from ssm_teach.layers.s6 import METHODS, S6

every_method = pytest.mark.parametrize("method", METHODS)


def build(**options):
    torch.manual_seed(0)
    return S6(**({"d": 5, "N": 4, "dtype": torch.float64} | options))


def signal(L=12, b=2, d=5):
    return torch.randn(b, L, d, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@every_method
def test_layer_is_its_equations_written_as_loops(method):
    layer, u = build(method=method, dt_rank=2), signal()
    W_low, W_B, W_C = layer.W_in.split([2, 4, 4])
    y = torch.zeros_like(u)
    for i in range(2):
        x = torch.zeros(5, 4, dtype=torch.float64)
        for k in range(12):
            u_k = u[i, k]
            delta = torch.log1p(torch.exp(layer.W_dt @ (W_low @ u_k) + layer.b_dt))
            B, C = W_B @ u_k, W_C @ u_k
            for c in range(5):
                A = layer.A[c]
                A_bar, B_bar = torch.exp(delta[c] * A), delta[c] * B
                if method == "zoh":
                    A_bar, B_bar = discretize(A, B, delta[c], "zoh")
                x[c] = A_bar * x[c] + B_bar * u_k[c]
                y[i, k, c] = C @ x[c] + layer.D[c] * u_k[c]
    assert (layer(u) - y).abs().max() < 1e-12


def test_the_two_methods_agree_to_first_order_in_the_step():
    """B̄ = ΔB is the start of the series of the exact one, so the outputs differ by O(Δ) of themselves."""
    errors = []
    for dt in (1e-2, 5e-3):
        first, second = (build(method=method, dt_min=dt, dt_max=dt) for method in METHODS)
        with torch.no_grad():
            first.D.zero_(), second.D.zero_(), first.W_dt.zero_(), second.W_dt.zero_()
        errors.append(((first(signal()) - second(signal())).norm() / second(signal()).norm()).item())
    assert 1.8 < errors[0] / errors[1] < 2.2


def test_it_starts_from_minus_one_to_minus_N_in_every_channel():
    A = build(N=7).A
    torch.testing.assert_close(A, -torch.arange(1.0, 8, dtype=torch.float64).expand(5, 7))


def test_steps_start_log_uniform_between_their_bounds():
    torch.manual_seed(0)
    layer = S6(20_000, 1, dt_rank=1, dt_min=1e-3, dt_max=1e-1, dtype=torch.float64)
    delta, _, _ = layer.select(torch.zeros(1, 20_000, dtype=torch.float64))
    share = (torch.log10(delta) + 3) / 2
    assert share.min() > -1e-9
    assert share.max() < 1 + 1e-9
    assert share.mean().item() == pytest.approx(0.5, abs=0.01)
    assert share.var().item() == pytest.approx(1 / 12, abs=0.005)


@pytest.mark.parametrize(("d", "rank"), [(1, 1), (16, 1), (17, 2), (128, 8)])
def test_rank_of_the_step_is_a_sixteenth_of_the_channels_rounded_up(d, rank):
    assert S6(d, 2).dt_rank == rank == math.ceil(d / 16)


def test_only_A_is_on_the_state_s_own_scale():
    assert build().ssm_parameters == ("A_log",)


def test_one_seed_gives_one_layer_whatever_its_dtype():
    wide, narrow = build(), build(dtype=torch.float32)
    for name, value in wide.named_parameters():
        assert torch.equal(value.float(), dict(narrow.named_parameters())[name])


def test_a_large_step_forgets_and_a_small_one_keeps():
    layer, state = build(N=1), torch.ones(1, 5, 1, dtype=torch.float64)
    u_k = torch.zeros(1, 5, dtype=torch.float64)
    with torch.no_grad():
        layer.b_dt.fill_(20.0)
        assert layer.step(u_k, state)[1].abs().max() < 1e-8
        layer.b_dt.fill_(-20.0)
        assert (layer.step(u_k, state)[1] - 1).abs().max() < 1e-8


def test_with_A_and_B_of_one_the_step_is_a_gate():
    """Theorem 1 of Mamba: exact ZOH with Δ = softplus(z) is x_k = (1 − g) x_{k−1} + g u_k with g = σ(z)."""
    z, u_k, x = torch.randn(3, 5, dtype=torch.float64)
    delta, minus_one = F.softplus(z), -torch.ones(1, dtype=torch.float64)
    for i in range(5):
        A_bar, B_bar = discretize(minus_one, -minus_one, delta[i], "zoh")
        g = torch.sigmoid(z[i])
        assert (A_bar * x[i] + B_bar * u_k[i] - ((1 - g) * x[i] + g * u_k[i])).abs() < 1e-14


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "exact"}, "S6: unknown method 'exact'; choose one of simplified, zoh"),
        ({"dt_rank": 0}, "S6: dt_rank must be a whole number, at least 1; got 0"),
        ({"dt_rank": 1.5}, "dt_rank must be a whole number, at least 1; got 1.5"),
        ({"dt_min": 0.0}, "S6: dt_min and dt_max must satisfy 0 < dt_min ≤ dt_max; got dt_min=0.0"),
        ({"dt_min": 1.0}, "got dt_min=1.0, dt_max=0.1"),
        ({"dtype": torch.float16}, "S6: dtype must be float32 or float64; got torch.float16"),
    ],
)
def test_wrong_options_are_one_clear_sentence(options, words):
    with pytest.raises(UserError, match=words):
        build(**options)
