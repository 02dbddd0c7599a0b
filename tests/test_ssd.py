"""State-space duality: recurrence = masked attention = chunks, and what the chunks must survive."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from ssm_teach.errors import UserError
from ssm_teach.layers import SSD, LinearAttention
from ssm_teach.ops import selective_scan, ssd, ssd_direct

NAMES = ("u", "delta", "A", "B", "C", "D", "initial_state")


def arguments(L, G=None, *, b=2, h=4, p=3, N=5, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    of_time = (b, L, N) if G is None else (b, L, G, N)
    values = (
        normal(b, L, h, p),
        F.softplus(normal(b, L, h)),
        -torch.exp(normal(h)),
        normal(*of_time),
        normal(*of_time),
        normal(h),
        normal(b, h, p, N),
    )
    return [value.to(dtype).requires_grad_() for value in values]


def run(function, values, **options):
    y, state = function(*values[:6], initial_state=values[6], return_state=True, **options)
    gradients = torch.autograd.grad(y.square().sum() + state.square().sum(), values)
    return {"y": y, "state": state, **dict(zip(NAMES, gradients, strict=True))}


def assert_same(first, second, tolerance):
    for name in first:
        error = (first[name] - second[name]).abs().max() / second[name].abs().max()
        assert error < tolerance, f"{name} differs by {error:.1e}"


@settings(max_examples=30, deadline=None, derandomize=True)
@given(L=st.integers(1, 70), chunk=st.integers(1, 80), G=st.sampled_from([None, 1, 2, 4]), N=st.integers(1, 6))
def test_any_chunk_gives_the_recurrence_in_outputs_and_gradients(L, chunk, G, N):
    values = arguments(L, G, N=N)
    assert_same(run(ssd, values, chunk=chunk), run(ssd_direct, values), 1e-10)


def test_written_out_it_is_attention_with_a_decay_for_its_mask():
    u, delta, A, B, C, *_ = (value.detach() for value in arguments(20))
    S = (delta * A).cumsum(1)
    y = torch.zeros_like(u)
    for i in range(20):
        for j in range(i + 1):
            weight = torch.exp(S[:, i] - S[:, j]) * (C[:, i] * B[:, j]).sum(-1)[:, None] * delta[:, j]
            y[:, i] += weight[..., None] * u[:, j]
    assert (ssd(u, delta, A, B, C) - y).abs().max() < 1e-12


def test_it_is_the_selective_scan_with_one_decay_and_one_step_for_the_channels_of_a_head():
    u, delta, A, B, C, D, _ = arguments(30)
    y = selective_scan(
        u.flatten(2), delta.repeat_interleave(3, 2), A.repeat_interleave(3)[:, None].expand(12, 5), B, C,
        D.repeat_interleave(3),
    )  # fmt: skip
    assert (ssd(u, delta, A, B, C, D).flatten(2) - y).abs().max() < 1e-12


@settings(max_examples=10, deadline=None, derandomize=True)
@given(cut=st.integers(1, 39))
def test_states_compose(cut):
    u, delta, A, B, C, D, state = arguments(40, 2)
    y, last = ssd(u, delta, A, B, C, D, 16, state, return_state=True)
    head, state = ssd(u[:, :cut], delta[:, :cut], A, B[:, :cut], C[:, :cut], D, 16, state, return_state=True)
    tail, state = ssd(u[:, cut:], delta[:, cut:], A, B[:, cut:], C[:, cut:], D, 16, state, return_state=True)
    assert (torch.cat([head, tail], 1) - y).abs().max() < 1e-10
    assert (state - last).abs().max() < 1e-10


def test_gradients_agree_with_finite_differences():
    values = arguments(7, b=1, h=2, p=1, N=2)
    assert torch.autograd.gradcheck(lambda *v: ssd(*v[:6], 3, v[6], True), values)
    assert torch.autograd.gradgradcheck(lambda *v: ssd(*v[:6], 3, v[6], True), values)


def test_single_precision_stays_close_to_a_loop_in_double():
    values = arguments(301, 2, dtype=torch.float32)
    exact = [value.detach().double().requires_grad_() for value in values]
    assert_same(run(ssd, values), run(ssd_direct, exact), 2e-4)


@pytest.mark.parametrize("rate", [1.0, 100.0, 1e4])
def test_strong_decay_is_finite_where_a_ratio_of_cumulative_products_is_not(rate):
    values = arguments(200, dtype=torch.float32)
    values[2] = (-rate * torch.ones(4)).requires_grad_()
    products = torch.exp(values[1] * values[2]).cumprod(1)
    assert (products[:, -1] / products[:, 150]).isnan().any()  # 0/0
    for name, value in run(ssd, values, chunk=128).items():
        assert value.isfinite().all(), name


def test_no_array_has_N_numbers_for_every_position_of_every_channel():
    u, delta, A, B, C, D, _ = arguments(1024, b=1, h=2, p=32, N=64, dtype=torch.float32)
    largest = 0

    def remember(tensor):
        nonlocal largest
        largest = max(largest, tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(remember, lambda tensor: tensor):
        ssd(u, delta, A, B, C, D).sum().backward()
    assert largest <= 1024 * 64 * 64 / 8


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"u": torch.zeros(2, 9, 12)}, r"u must have shape \(b, L, h, p\) with L ≥ 1; got \(2, 9, 12\)"),
        ({"u": [0.0]}, r"u must be a torch tensor; got list. Use torch.as_tensor\(u\)"),
        ({"u": torch.zeros(2, 9, 4, 3).half()}, r"u must be float32 or float64; got torch.float16"),
        ({"delta": torch.zeros(2, 9)}, r"delta must have shape \(2, 9, 4\); got \(2, 9\)"),
        ({"A": torch.zeros(4, 5)}, r"A must have shape \(4,\); got \(4, 5\)"),
        ({"B": torch.zeros(2, 9, 3, 5)}, r"G dividing the 4 heads; got \(2, 9, 3, 5\)"),
        ({"B": torch.zeros(2, 8, 5)}, r"b, L = 2, 9 .* got \(2, 8, 5\)"),
        ({"C": torch.zeros(2, 9, 6)}, r"C must have shape \(2, 9, 5\); got \(2, 9, 6\)"),
        ({"D": torch.zeros(3)}, r"D must have shape \(4,\); got \(3,\)"),
        ({"initial_state": torch.zeros(2, 4, 5, 3)}, r"initial_state must have shape \(2, 4, 3, 5\); got"),
        ({"A": torch.zeros(4).double()}, r"A is torch.float64 on cpu but u is torch.float32 on cpu; use A.to\(u\)"),
        ({"chunk": 0}, "ssd: chunk must be a whole number, at least 1; got 0"),
        ({"chunk": 2.0}, "got 2.0"),
    ],
)
def test_wrong_arguments_are_one_clear_sentence(change, words):
    values = dict(zip(NAMES, (value.detach() for value in arguments(9, dtype=torch.float32)), strict=True))
    with pytest.raises(UserError, match=words):
        ssd(**(values | change))


# The layers that are built on it.


@pytest.mark.parametrize("headdim", [1, 2, 3, 6])
def test_layer_with_several_heads_steps_as_it_runs(headdim):
    torch.manual_seed(0)
    layer, u = SSD(6, 4, headdim=headdim, dtype=torch.float64), torch.randn(2, 90, 6, dtype=torch.float64)
    state, steps = layer.initial_state(2), []
    for u_k in u.unbind(1):
        y_k, state = layer.step(u_k, state)
        steps.append(y_k)
    assert (layer(u) - torch.stack(steps, 1)).abs().max() < 1e-10
    assert state.shape == (2, 6 // headdim, headdim, 4)


@pytest.mark.parametrize(("d", "headdim"), [(3, 3), (100, 100), (64, 64), (256, 64)])
def test_heads_have_64_channels_where_that_divides(d, headdim):
    assert SSD(d, 2).headdim == headdim


def test_linear_attention_is_attention_with_a_product_in_place_of_the_exponential():
    torch.manual_seed(0)
    layer, u = LinearAttention(6, 4, heads=2, dtype=torch.float64), torch.randn(2, 90, 6, dtype=torch.float64)
    q, k, v = ((u @ W.T).reshape(2, 90, 2, -1).transpose(1, 2) for W in (layer.W_q, layer.W_k, layer.W_v))
    scores = ((1 + F.elu(q)) @ (1 + F.elu(k)).mT).tril()
    y = (scores / scores.sum(-1, keepdim=True)) @ v
    assert (layer(u) - y.transpose(1, 2).reshape(2, 90, 6) @ layer.W_out.T).abs().max() < 1e-10


def test_linear_attention_gives_a_weighted_mean_so_equal_values_come_back():
    torch.manual_seed(0)
    layer = LinearAttention(3, 4, dtype=torch.float64)
    with torch.no_grad():
        layer.W_v.zero_()
        layer.W_v[:, 0] = torch.tensor([1.0, 2.0, 3.0])
        layer.W_out.copy_(torch.eye(3))
    u = torch.randn(2, 50, 3, dtype=torch.float64)
    u[..., 0] = 1.0
    assert (layer(u) - layer.W_v[:, 0]).abs().max() < 1e-10


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: SSD(6, 4, headdim=4), "SSD: headdim must be a whole number that divides d = 6; got 4"),
        (lambda: SSD(6, 4, headdim=0), "got 0"),
        (lambda: SSD(6, 4, chunk=0), "SSD: chunk must be a whole number, at least 1; got 0"),
        (lambda: SSD(6, 4, A_max=0.5), "SSD: A_max must be at least 1; got 0.5"),
        (lambda: SSD(6, 4, dt_min=2.0), "SSD: dt_min and dt_max must satisfy"),
        (lambda: LinearAttention(6, 4, heads=4), "LinearAttention: heads must be a whole number that divides d = 6"),
        (lambda: LinearAttention(6, 4, heads=True), "got True"),
    ],
)
def test_wrong_options_are_one_clear_sentence(build, words):
    with pytest.raises(UserError, match=words):
        build()
