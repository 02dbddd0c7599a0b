"""Gated attention and the layers RG-LRU, GLA and HGRN2: their equations, and what strong decay must not break."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from ssm_teach.errors import UserError
from ssm_teach.layers import GLA, HGRN2, RGLRU
from ssm_teach.ops import gated_attention, gated_attention_direct, ssd

NAMES = ("q", "k", "v", "log_alpha", "initial_state")


def arguments(L, *, b=2, h=2, N=5, p=3, rate=1.0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    q, k, z, v = (normal(b, L, h, size) for size in (N, N, N, p))
    values = (q, k, v, rate * F.logsigmoid(z), normal(b, h, N, p))
    return [value.to(dtype).requires_grad_() for value in values]


def run(function, values, **options):
    y, state = function(*values[:4], initial_state=values[4], return_state=True, **options)
    gradients = torch.autograd.grad(y.square().sum() + state.square().sum(), values)
    return {"y": y, "state": state, **dict(zip(NAMES, gradients, strict=True))}


def assert_same(first, second, tolerance):
    for name in first:
        scale = second[name].abs().max().clamp(min=1e-30)  # a gradient through e^−500 is 0 in single precision
        error = (first[name] - second[name]).abs().max() / scale
        assert error < tolerance, f"{name} differs by {error:.1e}"


@settings(max_examples=30, deadline=None, derandomize=True)
@given(L=st.integers(1, 70), chunk=st.sampled_from([1, 2, 4, 32, 128]), N=st.integers(1, 6), p=st.integers(1, 4))
def test_any_chunk_gives_the_recurrence_in_outputs_and_gradients(L, chunk, N, p):
    values = arguments(L, N=N, p=p)
    assert_same(run(gated_attention, values, chunk=chunk), run(gated_attention_direct, values), 1e-10)


def test_with_one_decay_a_head_it_is_the_state_space_duality():
    q, k, v, log_alpha, state = arguments(50)
    decay = log_alpha[..., 0]
    y, last = gated_attention(q, k, v, decay[..., None].expand_as(k), 16, state, return_state=True)
    # A = −1 and Δ = −log α, with the input divided by the Δ that it is multiplied by.
    delta, minus_one = -decay, -torch.ones(2, dtype=torch.float64)
    same, same_last = ssd(v / delta[..., None], delta, minus_one, k, q, None, 16, state.mT, return_state=True)
    assert (y - same).abs().max() < 1e-10
    assert (last - same_last.mT).abs().max() < 1e-10


def test_gradients_agree_with_finite_differences():
    values = arguments(7, b=1, N=2, p=1)
    assert torch.autograd.gradcheck(lambda *v: gated_attention(*v[:4], 4, v[4], True), values)
    assert torch.autograd.gradgradcheck(lambda *v: gated_attention(*v[:4], 4, v[4], True), values)


def test_single_precision_stays_close_to_a_loop_in_double():
    values = arguments(301, dtype=torch.float32)
    exact = [value.detach().double().requires_grad_() for value in values]
    assert_same(run(gated_attention, values), run(gated_attention_direct, exact), 2e-4)


@pytest.mark.parametrize("rate", [0.0, 1.0, 100.0, 1e4])
def test_every_strength_of_decay_is_exact_in_single_precision(rate):
    """Where q e^S and k e^{−S} would overflow, and with decays that differ wildly between the rows of a state."""
    values = arguments(200, rate=rate, dtype=torch.float32)
    exact = [value.detach().double().requires_grad_() for value in values]
    if rate >= 1:
        assert torch.exp(-values[3].cumsum(1)).isinf().any()
    assert_same(run(gated_attention, values, chunk=128), run(gated_attention_direct, exact), 2e-4)


def test_nothing_of_size_N_p_for_every_position_is_kept():
    values = arguments(1024, b=1, h=1, N=64, p=64, dtype=torch.float32)
    largest = 0

    def remember(tensor):
        nonlocal largest
        largest = max(largest, tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(remember, lambda tensor: tensor):
        gated_attention(*values[:4]).sum().backward()
    assert largest <= 1024 * 64 * 64 / 8


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"q": torch.zeros(2, 9, 5)}, r"q must have shape \(b, L, h, N\) with L ≥ 1; got \(2, 9, 5\)"),
        ({"q": [0.0]}, r"q must be a torch tensor; got list. Use torch.as_tensor\(q\)"),
        ({"k": torch.zeros(2, 9, 2, 4)}, r"k must have shape \(2, 9, 2, 5\); got \(2, 9, 2, 4\)"),
        ({"v": torch.zeros(2, 8, 2, 3)}, r"v must have shape .* with b, L, h = \(2, 9, 2\); got \(2, 8, 2, 3\)"),
        ({"log_alpha": torch.zeros(2, 9, 2)}, r"log_alpha must have shape \(2, 9, 2, 5\); got \(2, 9, 2\)"),
        ({"initial_state": torch.zeros(2, 2, 3, 5)}, r"initial_state must have shape \(2, 2, 5, 3\); got"),
        ({"v": torch.zeros(2, 9, 2, 3).double()}, r"v is torch.float64 on cpu but q is torch.float32 on cpu; give all"),
        ({"chunk": 48}, "gated_attention: chunk must be a power of two; got 48"),
        ({"chunk": 0}, "got 0"),
        ({"chunk": 2.0}, "got 2.0"),
    ],
)
def test_wrong_arguments_are_one_clear_sentence(change, words):
    values = dict(zip(NAMES, (value.detach() for value in arguments(9, dtype=torch.float32)), strict=True))
    with pytest.raises(UserError, match=words):
        gated_attention(**(values | change))


# The layers.


def signal(L=40, d=6):
    return torch.randn(2, L, d, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_rglru_is_its_equations_written_as_a_loop():
    torch.manual_seed(0)
    layer, u = RGLRU(6, 4, dtype=torch.float64), signal()
    h, y = torch.zeros(2, 4, dtype=torch.float64), []
    for u_k in u.unbind(1):
        x = u_k @ layer.W_x.T
        r = 1 / (1 + torch.exp(-(x @ layer.W_r.T + layer.b_r)))
        i = 1 / (1 + torch.exp(-(x @ layer.W_i.T + layer.b_i)))
        a = (1 / (1 + torch.exp(-layer.Lambda))) ** (8 * r)
        h = a * h + torch.sqrt(1 - a**2) * (i * x)
        y.append(h @ layer.W_y.T)
    assert (layer(u) - torch.stack(y, 1)).abs().max() < 1e-12


def test_rglru_starts_with_open_decays_uniform_in_their_square():
    torch.manual_seed(0)
    decay = torch.sigmoid(RGLRU(1, 2000, r_min=0.5, r_max=0.9, dtype=torch.float64).Lambda) ** 8
    assert decay.min() > 0.5
    assert decay.max() < 0.9
    assert decay.square().mean().item() == pytest.approx((0.5**2 + 0.9**2) / 2, abs=0.01)


def test_rglru_has_finite_gradients_where_its_gate_is_shut():
    layer, u = RGLRU(6, 4), signal().float().requires_grad_()
    with torch.no_grad():
        layer.b_r.fill_(-200.0)  # r = 0 and a = 1 in float32
    layer(u).square().sum().backward()
    assert u.grad.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in layer.parameters())


@pytest.mark.parametrize("heads", [1, 2, 3])
def test_gla_is_its_equations_written_as_a_loop(heads):
    torch.manual_seed(0)
    layer, u = GLA(6, 4, heads=heads, rank=2, dtype=torch.float64), signal()
    state, y = torch.zeros(2, heads, 4, 6 // heads, dtype=torch.float64), []
    for u_k in u.unbind(1):
        q, k, v = ((u_k @ W.T).reshape(2, heads, -1) for W in (layer.W_q, layer.W_k, layer.W_v))
        alpha = torch.sigmoid(u_k @ layer.W_low.T @ layer.W_alpha.T + layer.b_alpha).reshape(2, heads, 4) ** (1 / 16)
        state = alpha[..., None] * state + torch.einsum("bhn,bhp->bhnp", k, v)
        y.append(torch.einsum("bhnp,bhn->bhp", state, q / math.sqrt(4)).reshape(2, 6) @ layer.W_out.T)
    assert (layer(u) - torch.stack(y, 1)).abs().max() < 1e-10


@pytest.mark.parametrize("lower_bound", [0.0, 0.4])
def test_hgrn2_is_its_equations_written_as_a_loop(lower_bound):
    torch.manual_seed(0)
    layer, u = HGRN2(6, 4, heads=2, lower_bound=lower_bound, dtype=torch.float64), signal()
    state, y = torch.zeros(2, 2, 4, 3, dtype=torch.float64), []
    for u_k in u.unbind(1):
        q, v = F.silu((u_k @ layer.W_q.T).reshape(2, 2, 4)), (u_k @ layer.W_v.T).reshape(2, 2, 3)
        f = lower_bound + (1 - lower_bound) * torch.sigmoid(u_k @ layer.W_f.T + layer.b_f).reshape(2, 2, 4)
        state = f[..., None] * state + torch.einsum("bhn,bhp->bhnp", 1 - f, v)
        y.append(torch.einsum("bhnp,bhn->bhp", state, q).reshape(2, 6) @ layer.W_out.T)
    assert (layer(u) - torch.stack(y, 1)).abs().max() < 1e-10


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: RGLRU(6, 4, r_min=0.0), "RGLRU: r_min and r_max must satisfy 0 < r_min ≤ r_max < 1; got r_min=0.0"),
        (lambda: RGLRU(6, 4, r_max=1.0), "got r_min=0.9, r_max=1.0"),
        (lambda: GLA(6, 4, heads=4), "GLA: heads must be a whole number that divides d = 6; got 4"),
        (lambda: GLA(6, 4, rank=0), "GLA: rank must be a whole number, at least 1; got 0"),
        (lambda: HGRN2(6, 4, heads=0), "HGRN2: heads must be a whole number that divides d = 6; got 0"),
        (lambda: HGRN2(6, 4, lower_bound=1.0), "HGRN2: lower_bound must satisfy 0 ≤ lower_bound < 1; got 1.0"),
    ],
)
def test_wrong_options_are_one_clear_sentence(build, words):
    with pytest.raises(UserError, match=words):
        build()
