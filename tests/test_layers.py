"""What every sequence layer promises. A new layer joins by one line in `CASES`, one for each of its variants."""

import copy
import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from ssm_teach.errors import UserError
from ssm_teach.layers import LAYERS, make

D, N = 3, 5

# name of the layer → options of each variant to be tested. dt up to 2 makes some of the real bilinear Ā negative.
CASES = {
    "s4d": [
        {"init": init, "method": method, "dt_min": 0.02, "dt_max": 2.0}
        for init, method in itertools.product(("lin", "inv", "legs", "real"), ("zoh", "bilinear"))
    ]
    + [{"frequency_scale": 3.0, "dt_min": 0.02, "dt_max": 2.0}],
    "lssl": [{"dt_min": 0.02, "dt_max": 0.5}],
    "s4": [{"dt_min": 0.02, "dt_max": 2.0}],
    "dss": [{"form": form, "length": 20, "dt_min": 0.02, "dt_max": 2.0} for form in ("exp", "softmax")],
    "s5": [{"method": method, "dt_min": 0.02, "dt_max": 2.0} for method in ("zoh", "bilinear")],
    "lru": [{}, {"r_min": 0.0, "r_max": 1.0, "max_phase": 0.3}],
    "s6": [{"method": method, "dt_min": 0.02, "dt_max": 2.0} for method in ("simplified", "zoh")],
    "ssd": [{}, {"chunk": 16, "A_max": 1.0}],
    "hope": [{"dt_min": 0.02, "dt_max": 2.0}],
    "linear_attention": [{}],
    "rglru": [{}],
    "gla": [{}],
    "hgrn2": [{}, {"lower_bound": 0.3}],
}
VARIANTS = [(name, options) for name, variants in CASES.items() for options in variants]

every_variant = pytest.mark.parametrize(
    ("name", "options"), VARIANTS, ids=["-".join([n, *map(str, o.values())]) for n, o in VARIANTS]
)
every_layer = pytest.mark.parametrize("name", LAYERS)


def build(name, options=None, *, d=D, n=N, seed=0, dtype=torch.float64):
    """A layer away from its start: every parameter is nudged, so that none of them is a special value such as 1."""
    torch.manual_seed(seed)
    layer = make(name, d, n, dtype=dtype, **(options or {}))
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return layer


def signal(L, *, b=2, d=D, seed=1, dtype=torch.float64):
    return torch.randn(b, L, d, dtype=dtype, generator=torch.Generator().manual_seed(seed)).requires_grad_()


def step_by_step(layer, u):
    state, y = layer.initial_state(len(u)), []
    for u_k in u.unbind(1):
        y_k, state = layer.step(u_k, state)
        y.append(y_k)
    return torch.stack(y, 1), state


def in_chunks(layer, u, sizes, state=None):
    y = []
    for chunk in u.split(sizes, 1):
        y_chunk, state = layer(chunk, state=state, return_state=True)
        y.append(y_chunk)
    return torch.cat(y, 1), state


def gradients(layer, u, *outputs):
    """Gradients of one fixed functional of the outputs, for u and for every parameter."""
    generator = torch.Generator().manual_seed(2)
    loss = sum(
        (output * torch.randn(output.shape, generator=generator).to(output)).abs().square().sum() for output in outputs
    )
    parameters = dict(layer.named_parameters())
    return dict(zip(["u", *parameters], torch.autograd.grad(loss, [u, *parameters.values()]), strict=True))


def assert_equal(first, second, tolerance=1e-10):
    error = (first - second).abs().max().item()
    assert error <= tolerance * max(1.0, second.abs().max().item()), f"differ by {error:.2e}"


def test_every_registered_layer_is_tested():
    assert set(CASES) == set(LAYERS)


@every_variant
def test_parallel_form_equals_recurrence_in_outputs_and_gradients(name, options):
    layer, u = build(name, options), signal(37)
    y, state = layer(u, return_state=True)
    y_step, state_step = step_by_step(layer, u)
    assert_equal(y, y_step)
    assert_equal(state, state_step)
    expected = gradients(layer, u, y_step, state_step)
    for parameter, gradient in gradients(layer, u, y, state).items():
        assert expected[parameter].abs().max() > 1e-6, f"no gradient reaches {parameter}"
        assert_equal(gradient, expected[parameter])


@every_variant
@settings(max_examples=8, deadline=None, derandomize=True)
@given(sizes=st.lists(st.integers(1, 20), min_size=1, max_size=6))
def test_any_chunking_equals_the_whole_in_outputs_and_gradients(name, options, sizes):
    layer, u = build(name, options), signal(sum(sizes))
    y, (y_chunks, state) = layer(u), in_chunks(layer, u, sizes)
    assert_equal(y_chunks, y)
    _, state_step = step_by_step(layer, u)
    assert_equal(state, state_step)
    expected = gradients(layer, u, y)
    for parameter, gradient in gradients(layer, u, y_chunks).items():
        assert_equal(gradient, expected[parameter])


@every_variant
def test_stepping_and_chunks_continue_from_each_other(name, options):
    layer, u = build(name, options), signal(30)
    y_head, state = step_by_step(layer, u[:, :11])
    y_tail, _ = in_chunks(layer, u[:, 11:], [1, 18], state)
    assert_equal(torch.cat([y_head, y_tail], 1), layer(u))


@every_variant
def test_state_without_return_state_still_counts(name, options):
    layer, u = build(name, options), signal(20)
    _, state = layer(u[:, :8], return_state=True)
    assert_equal(layer(u[:, 8:], state=state), layer(u)[:, 8:])


@every_variant
def test_gradients_agree_with_finite_differences(name, options):
    layer = build(name, options, d=2, n=2)
    names, values = zip(*layer.named_parameters(), strict=True)

    def run(u, *parameters):
        call = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(layer, call, (u,), {"return_state": True})

    assert torch.autograd.gradcheck(run, (signal(5, b=1, d=2), *values))


@every_variant
@settings(max_examples=5, deadline=None, derandomize=True)
@given(k=st.integers(0, 32))
def test_output_never_depends_on_the_future(name, options, k):
    layer, u = build(name, options), signal(33).detach()
    changed = u.clone()
    changed[:, k] += 1.0
    difference = (layer(changed) - layer(u)).abs().amax((0, 2))
    assert difference[:k].max() < 1e-12 if k else True
    assert difference[k] > 1e-6


@every_variant
def test_gradients_are_finite_over_16384_positions_in_float32(name, options):
    layer, u = build(name, options, dtype=torch.float32), signal(16384, b=1, dtype=torch.float32)
    y, state = layer(u, return_state=True)
    for parameter, gradient in gradients(layer, u, y, state).items():
        assert gradient.isfinite().all(), parameter


@every_variant
@pytest.mark.parametrize("L", [1, 2, 3, 17])
@pytest.mark.parametrize("b", [1, 4])
def test_output_has_the_shape_and_dtype_of_the_input(name, options, L, b):
    for dtype in (torch.float32, torch.float64):
        layer, u = build(name, options, dtype=dtype), signal(L, b=b, dtype=dtype)
        y, state = layer(u, return_state=True)
        y_k, _ = layer.step(u[:, 0], layer.initial_state(b))
        assert (y.shape, y.dtype, y_k.shape, y_k.dtype) == (u.shape, dtype, (b, D), dtype)
        assert (state.shape, state.dtype) == (layer.initial_state(b).shape, layer.initial_state(b).dtype)
        assert y.is_contiguous(), "a GELU on a transposed tensor costs several times more"


@every_variant
def test_batch_elements_do_not_mix(name, options):
    layer, u = build(name, options), signal(20, b=3)
    assert_equal(layer(u)[1:2], layer(u[1:2]))


@every_variant
def test_no_tensor_has_N_numbers_for_every_position_of_every_channel(name, options):
    b, L, d, n = 2, 4096, 32, 64
    layer = build(name, options, d=d, n=n)
    with Largest() as largest:
        y, state = layer(signal(L, b=b, d=d), state=layer.initial_state(b), return_state=True)
        (y.sum() + state.abs().sum()).backward()
    assert largest.numel < b * L * d * n / 8


class Largest(TorchDispatchMode):
    """Remembers the number of elements of the largest tensor that any operation made."""

    numel = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for tensor in torch.utils._pytree.tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self.numel = max(self.numel, tensor.untyped_storage().nbytes() // tensor.element_size())
        return result


@every_variant
def test_autocast_changes_the_dtype_at_most(name, options):
    layer, u = build(name, options, dtype=torch.float32), signal(50, dtype=torch.float32)
    exact = layer(u)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert_equal(layer(u).float(), exact, 1e-6)
        y_half = layer(u.bfloat16())
    assert y_half.dtype == torch.bfloat16
    assert_equal(y_half.float(), exact, 0.05)


@every_variant
def test_a_layer_moved_to_another_precision_streams_in_it(name, options):
    layer, u = build(name, options, dtype=torch.float32).double(), signal(9)
    y, state = layer(u, state=layer.initial_state(2), return_state=True)
    assert_equal(y, step_by_step(layer, u)[0])
    assert state.dtype == layer.initial_state(2).dtype == layer.step(u[:, 0], state)[1].dtype


@every_variant
def test_copies_and_saved_weights_give_the_same_layer(name, options):
    layer, u = build(name, options), signal(20)
    loaded = make(name, D, N, dtype=torch.float64, **options)
    loaded.load_state_dict(layer.state_dict())
    for twin in (loaded, copy.deepcopy(layer)):
        assert torch.equal(twin(u), layer(u))
        assert twin.ssm_parameters == layer.ssm_parameters


@every_variant
def test_ssm_parameters_name_real_parameters(name, options):
    layer = build(name, options)
    assert set(layer.ssm_parameters) <= {parameter for parameter, _ in layer.named_parameters()}
    assert not any(parameter.is_complex() for parameter in layer.parameters())  # not every optimiser or file takes them


@every_layer
@pytest.mark.parametrize(
    ("u", "words"),
    [
        (torch.zeros(2, 7, D + 1), r"u must have shape \(b, L, d\) with L ≥ 1 and d = 3; got \(2, 7, 4\)"),
        (torch.zeros(7, D), r"got \(7, 3\)"),
        (torch.zeros(2, 7, D).numpy(), r"u must be a torch tensor; got ndarray. Use torch.as_tensor\(u\)"),
        (torch.zeros(2, 0, D), r"L ≥ 1 .* got \(2, 0, 3\)"),
        (torch.zeros(2, 7, D, dtype=torch.complex64), r"must be real and floating; got torch.complex64"),
        (torch.zeros(2, 7, D, dtype=torch.long), r"Use u.float\(\)"),
        (torch.zeros(2, 7, D, dtype=torch.float64), r"layer is torch.float32; use layer.to\(torch.float64\)"),
    ],
)
def test_wrong_input_is_one_clear_sentence(name, u, words):
    with pytest.raises(UserError, match=words):
        make(name, D, N)(u)


@every_layer
def test_wrong_step_input_is_one_clear_sentence(name):
    layer = make(name, D, N)
    with pytest.raises(UserError, match=r"u_k must have shape \(b, d\) with d = 3; got \(2, 7, 3\); give one position"):
        layer.step(torch.zeros(2, 7, D), layer.initial_state(2))


@every_layer
def test_state_of_another_batch_is_one_clear_sentence(name):
    layer = make(name, D, N)
    for use in (
        lambda state: layer(torch.zeros(2, 7, D), state=state),
        lambda state: layer.step(torch.zeros(2, D), state),
    ):
        with pytest.raises(UserError, match=r"state must be .* of shape \(2, .*Start from initial_state\(2\)"):
            use(layer.initial_state(3))
        with pytest.raises(UserError, match=r"state must be .* got list"):
            use([0.0])


@every_layer
@pytest.mark.parametrize("size", [0, -1, 2.0, True, "8"])
def test_sizes_must_be_positive_whole_numbers(name, size):
    with pytest.raises(UserError, match="d must be a whole number, at least 1; got"):
        make(name, size, N)
    with pytest.raises(UserError, match="N must be a whole number, at least 1; got"):
        make(name, D, size)


def test_unknown_layer_or_option_names_the_nearest():
    with pytest.raises(UserError, match=r"make: unknown layer 's4dd'; choose one of .*\(did you mean s4d\?\)"):
        make("s4dd", D, N)
    with pytest.raises(
        UserError, match=r"unknown option of s4d 'metod'; choose one of init, method, .*\(did you mean method\?\)"
    ):
        make("s4d", D, N, metod="zoh")
