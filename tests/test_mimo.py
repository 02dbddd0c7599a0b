"""What S5 and LRU share: one state for all channels, both directions, where parameters live."""

import pytest
import torch

from ssm_teach.errors import UserError
from ssm_teach.kernels import powers_kernel
from ssm_teach.layers import LRU, S5

both = pytest.mark.parametrize("cls", [S5, LRU])


def build(cls, d=3, N=4, **options):
    torch.manual_seed(0)
    return cls(d, N, dtype=torch.float64, **options)


def signal(b=2, L=29, d=3):
    return torch.randn(b, L, d, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@both
def test_kernel_is_C_times_matrix_powers_times_B_times_what_a_state_counts_for(cls):
    layer, L = build(cls), 40
    A_bar, B_bar = layer.discretize()
    K = layer.multiplicity * powers_kernel(A_bar, B_bar, torch.view_as_complex(layer.C), L).real
    assert layer.kernel(L).shape == (L, 3, 3)
    assert (layer.kernel(L) - K).abs().max() < 1e-13


@both
def test_output_is_the_convolution_with_the_matrix_kernel_plus_D_times_the_input(cls):
    layer, u = build(cls), signal()
    K, y = layer.kernel(29), layer.D * u
    for k in range(29):
        for j in range(k + 1):
            y[:, k] += u[:, j] @ K[k - j].T
    assert (layer(u) - y).abs().max() < 1e-12


@both
def test_every_channel_drives_every_other(cls):
    jacobian = torch.autograd.functional.jacobian(lambda u: build(cls)(u)[0, -1], signal(b=1, L=3))
    assert jacobian.abs().amin() > 0  # (d, 1, L, d)


@both
def test_one_state_serves_all_channels(cls):
    assert build(cls, d=7, N=4).initial_state(2).shape == (2, 4)


@both
def test_returned_state_does_not_keep_the_states_of_all_positions_alive(cls):
    _, state = build(cls)(signal(b=1), return_state=True)
    assert state.untyped_storage().nbytes() == 4 * 16  # N complex128 numbers


@both
def test_bidirectional_layer_is_a_forward_and_a_reversed_one(cls):
    layer = build(cls, bidirectional=True)
    forward, reverse = build(cls), build(cls)
    weights = layer.state_dict()
    C_reverse = weights.pop("C_reverse")
    forward.load_state_dict(weights)
    reverse.load_state_dict(weights | {"C": C_reverse, "D": torch.zeros(3)})
    u = signal()
    assert (layer(u) - forward(u) - reverse(u.flip(1)).flip(1)).abs().max() < 1e-12
    assert not layer.causal


@both
def test_bidirectional_layer_refuses_to_step_and_to_stream(cls):
    layer, u = build(cls, bidirectional=True), signal()
    for use in (
        lambda: layer.step(u[:, 0], layer.initial_state(2)),
        lambda: layer(u, return_state=True),
        lambda: layer(u, state=layer.initial_state(2)),
    ):
        with pytest.raises(UserError, match=r"a bidirectional layer needs the whole sequence.*bidirectional=False"):
            use()


@both
def test_gradients_reach_every_parameter_of_a_bidirectional_layer(cls):
    layer = build(cls, bidirectional=True)
    layer(signal()).square().sum().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in layer.parameters())


@both
def test_one_seed_gives_one_layer_in_either_precision(cls):
    layers = []
    for dtype in (torch.float32, torch.float64):
        torch.manual_seed(3)
        layers.append(cls(4, 8, dtype=dtype, bidirectional=True).state_dict())
    for name, value in layers[0].items():
        assert torch.equal(value, layers[1][name].float())


@both
def test_parameters_and_states_are_made_where_they_are_asked_for(cls):
    layer = cls(4, 8, device="meta")
    tensors = [*layer.parameters(), layer.initial_state(2), layer.kernel(9)]
    assert {tensor.device.type for tensor in tensors} == {"meta"}


@both
def test_float32_keeps_its_accuracy_over_16384_positions(cls):
    torch.manual_seed(0)
    layer, u = cls(4, 32), torch.randn(1, 16384, 4)
    single, double = layer(u), layer.double()(u.double())
    assert (single - double).abs().max() < 1e-4 * double.abs().max()


@both
def test_other_precisions_are_refused(cls):
    with pytest.raises(UserError, match=rf"{cls.__name__}: dtype must be float32 or float64; got torch.bfloat16"):
        cls(2, 4, dtype=torch.bfloat16)


@both
def test_nan_in_the_input_is_not_hidden(cls):
    u = signal()
    u[0, 3] = torch.nan
    y = build(cls)(u)
    assert y[0, 3:].isnan().all()
    assert y[1].isfinite().all()
