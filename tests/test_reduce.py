"""A reduced layer does what the dense truncation does, and differs from the full one by no more than was promised."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssm_teach.errors import UserError
from ssm_teach.hankel import hankel_singular_values
from ssm_teach.layers import DSS, LRU, LSSL, S4, S4D, S5, S6
from ssm_teach.layers.hope import HOPE
from ssm_teach.layers.reduce import channel_systems, reduce

BUILD = {
    "s4d": lambda **options: S4D(3, 6, **options),
    "s4d real": lambda **options: S4D(3, 6, init="real", **options),
    "s4d bilinear": lambda **options: S4D(3, 6, method="bilinear", dt_min=0.5, dt_max=3.0, **options),
    "dss": lambda **options: DSS(3, 6, form="softmax", **options),
    "s4": lambda **options: S4(3, 4, **options),
    "lssl": lambda **options: LSSL(3, 6, **options),
    "hope": lambda **options: HOPE(3, 16, **options),
    "s5": lambda **options: S5(3, 8, **options),
    "lru": lambda **options: LRU(3, 8, r_min=0.5, r_max=0.9, **options),
}
BANKS = [name for name in BUILD if name not in ("s5", "lru")]


def build(name, seed=0, bidirectional=False, dtype=torch.float64):
    """Small steps make long memories; a few samples a time constant are enough here."""
    torch.manual_seed(seed)
    return BUILD[name](bidirectional=bidirectional, dtype=dtype)


def response(layer, u):
    """y to u and to some rest after it."""
    with torch.no_grad():
        return layer(torch.cat([u, torch.zeros(len(u), 200, layer.d, dtype=u.dtype)], 1))


def states(layer):
    return len(channel_systems(layer)[0].A)


@pytest.mark.parametrize("name", BANKS)
@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_the_modes_do_what_the_dense_truncation_does(name, k):
    layer = build(name)
    reduced = reduce(layer, k)
    K = reduced.layer.kernel(200).detach()
    direct = (reduced.layer.D - layer.D).detach()
    for j, truncation in enumerate(reduced.truncations):
        dense = truncation.system.kernel(200)
        if name == "hope":  # read before the input: K_0 of the layer, then the kernel
            dense = np.append(layer.kernel(1)[j].detach(), dense[:-1])
        ours = K[j].numpy() + direct[j].numpy() * (np.arange(200) == 0)
        np.testing.assert_allclose(ours, dense, atol=1e-10 * abs(dense).max())


@pytest.mark.parametrize("name", ["s5", "lru"])
def test_one_system_behind_all_channels_too(name):
    layer = build(name)
    reduced = reduce(layer, 5)
    assert isinstance(reduced.layer, S5)
    dense = reduced.truncations[0].system.kernel(100)
    np.testing.assert_allclose(reduced.layer.kernel(100).detach(), dense, atol=1e-10 * abs(dense).max())


@pytest.mark.parametrize("name", [name for name in BUILD if name != "hope"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_with_all_states_it_is_the_same_layer(name, bidirectional):
    layer = build(name, bidirectional=bidirectional)
    reduced = reduce(layer, states(layer)).layer
    u = torch.randn(2, 150, 3, dtype=torch.float64)
    y = layer(u).detach()
    torch.testing.assert_close(reduced(u), y, rtol=0, atol=1e-10 * float(y.abs().max()))


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(list(BUILD)), st.booleans(), st.integers(1, 6), st.integers(0, 10**6))
def test_the_output_changes_by_no_more_than_was_promised(name, bidirectional, k, seed):
    layer = build(name, seed, bidirectional)
    reduced = reduce(layer, k)
    u = torch.randn(1, 64, 3, dtype=torch.float64)
    change = response(reduced.layer, u) - response(layer, u)
    if len(reduced.promised) == 1:  # one system: of all channels together
        change, u = change.flatten(1)[..., None], u.flatten(1)[..., None]
    allowed = torch.as_tensor(reduced.promised) * u.norm(dim=(0, 1))
    assert bool((change.norm(dim=(0, 1)) <= allowed + 1e-9 * u.norm()).all())


@pytest.mark.parametrize("name", ["s4d", "s4d real", "s4", "hope", "s5"])
def test_the_measured_gain_lies_between_the_bounds(name):
    layer = build(name)
    for k in (1, 2, 4):
        for truncation in reduce(layer, k).truncations:
            noise = 1e-9 * truncation.singular_values[0]
            assert truncation.lower_bound - noise <= truncation.error <= truncation.upper_bound + noise


def test_a_worse_truncation_is_not_within_the_promise():
    """The test above can fail: forgetting the modes with the smallest weights breaks the promise of as many states."""
    layer = build("s4d real")
    reduced = reduce(layer, 2)
    with torch.no_grad():
        weights = (layer.B * layer.C).abs()
        naive = torch.where(weights >= weights.sort(-1, descending=True)[0][:, 1:2], layer.C, torch.zeros_like(layer.C))
        K = layer.kernel(20000)
        layer.C.copy_(naive)
        lost = (K - layer.kernel(20000)).sum(-1).abs().numpy()  # the gain at frequency zero
    assert (lost > reduced.promised).all()


def test_a_stored_mode_is_a_pair_of_states_or_a_real_one():
    assert reduce(build("s4d real"), 4).layer.N == 4
    reduced = reduce(build("s4d"), 5)
    for truncation in reduced.truncations:
        poles = truncation.system.poles
        assert (poles.imag >= 0).sum() <= reduced.layer.N
    assert 3 <= reduced.layer.N <= 5


def test_the_new_layer_steps_and_streams():
    layer = reduce(build("hope"), 4).layer
    u = torch.randn(2, 30, 3, dtype=torch.float64)
    y, state = layer(u[:, :17], return_state=True)
    y_k, _ = layer.step(u[:, 17], state)
    torch.testing.assert_close(torch.cat([y, y_k[:, None]], 1), layer(u[:, :18]), rtol=1e-10, atol=1e-10)


def test_dtype_is_kept_and_the_old_layer_and_the_random_numbers_are_not_touched():
    layer = build("s4d", dtype=torch.float32)
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    reduced = reduce(layer, 3)
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())
    assert reduced.layer.D.dtype == torch.float32
    u = torch.randn(1, 50, 3)
    assert torch.isfinite(reduced.layer(u)).all()


@pytest.mark.parametrize(
    ("name", "dead"), [("s4d", "B"), ("s4d", "C"), ("s4", "B"), ("s4", "C"), ("hope", "h"), ("lru", "B")]
)
def test_a_layer_that_passes_nothing_stays_one(name, dead):
    layer = build(name)
    with torch.no_grad():
        getattr(layer, dead).zero_()
    reduced = reduce(layer, 2)
    assert reduced.promised.max() == 0
    u = torch.randn(1, 20, 3, dtype=torch.float64)
    torch.testing.assert_close(reduced.layer(u), layer(u))


def test_hopes_hankel_singular_values_are_those_of_its_parameters_matrix():
    layer = build("hope")
    matrices = layer.hankel().detach().numpy()
    for system, matrix in zip(channel_systems(layer), matrices, strict=True):
        np.testing.assert_allclose(hankel_singular_values(system), np.linalg.svd(matrix)[1], rtol=1e-8, atol=1e-12)


def test_what_cannot_be_reduced_is_said():
    with pytest.raises(UserError, match="S6 is not linear and time-invariant"):
        reduce(S6(4, 4), 2)
    with pytest.raises(UserError, match=r"a frequency_weight, here 0\.5, has no recurrence"):
        reduce(S4D(2, 4, frequency_weight=0.5), 2)
    for k in (0, 13, 1.5, True):
        with pytest.raises(UserError, match=f"k must be a whole number from 1 to the layer's 12 states; got {k}"):
            reduce(build("s4d"), k)
    with pytest.raises(UserError, match="reduce: the 16 states of channel 0 can be written as modes"):
        reduce(build("hope"), 16)  # one pole, sixteenfold: a Jordan block
    delay = HOPE(1, 3, dt_min=1.0, dt_max=1.0, dtype=torch.float64)
    with torch.no_grad():
        delay.h.copy_(torch.tensor([[1.0, 0.0, 0.0]]))
    with pytest.raises(
        UserError, match=r"the 1 states of channel 0 can be written as modes only to 1e\+00: a pole at 0 is"
    ):
        reduce(delay, 1)
    layer = build("lssl")
    with torch.no_grad():
        layer.A.mul_(-1)
    with pytest.raises(UserError, match=r"reduce: channel 0 has a pole of modulus .* must be stable"):
        reduce(layer, 2)
