"""The selective scan: every backend is the recurrence, and every gradient is that of the plain loop."""

import multiprocessing
import os
import subprocess
import sys
import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import silu, softplus
from torch.utils.data import DataLoader, Dataset

from ssm_teach.discretize import discretize_diagonal
from ssm_teach.errors import UserError
from ssm_teach.ops import (
    _numba_selective,
    _selective_scan,
    _selective_torch,
    linear_scan,
    selective_scan,
    selective_scan_direct,
)
from ssm_teach.ops._backends import BACKENDS, VARIABLE
from ssm_teach.ops._selective_scan import METHODS

ARGUMENTS = ("u", "delta", "A", "B", "C", "D", "z", "initial_state")
EVERY = _selective_torch.EVERY

every_backend = pytest.mark.parametrize("backend", BACKENDS)
fast_backend = pytest.mark.parametrize("backend", ["torch", "numba"])
every_method = pytest.mark.parametrize("method", METHODS)


@pytest.fixture
def use(monkeypatch):
    return lambda backend: monkeypatch.setenv(VARIABLE, backend)


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def arguments(L, d=3, N=2, G=None, batch=2, dtype=torch.float64, seed=0, without=()):
    """Every argument by name, wanting gradients; steps and decays as a trained layer has them."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(shape, dtype=dtype, generator=generator)

    weights = (batch, L, N) if G is None else (batch, L, G, N)
    values = {
        "u": draw(batch, L, d),
        "delta": softplus(draw(batch, L, d) - 1),
        "A": -torch.exp(draw(d, N)),
        "B": draw(*weights),
        "C": draw(*weights),
        "D": draw(d),
        "z": draw(batch, L, d),
        "initial_state": draw(batch, d, N),
    }
    return {name: value.requires_grad_() for name, value in values.items() if name not in without}


def results(function, inputs, method="simplified"):
    """Output, last state and every gradient, of a loss that sees both."""
    y, state = function(**inputs, return_state=True, method=method)
    generator = torch.Generator().manual_seed(1)
    upstream = [torch.randn(value.shape, dtype=torch.float64, generator=generator).to(y.dtype) for value in (y, state)]
    wanted = {name: value for name, value in inputs.items() if value.requires_grad}
    grads = torch.autograd.grad((y, state), list(wanted.values()), upstream)
    return {"y": y, "state": state} | dict(zip(wanted, grads, strict=True))


def doubled(inputs):
    return {name: value.detach().double().requires_grad_() for name, value in inputs.items()}


def assert_equal(found, expected, tolerance=1e-10):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].shape == value.shape, name
        if value.numel():
            error = (found[name] - value).abs().max() / value.abs().max().clamp_min(1e-30)
            assert error <= tolerance, f"{name}: {error:.1e}"


# The recurrence


@every_method
def test_the_plain_loop_is_the_linear_scan_of_the_discretised_system(method):
    v = {name: value.detach() for name, value in arguments(20).items()}
    zoh_a, zoh_b = discretize_diagonal(v["A"], v["B"][..., None, :], v["delta"][..., None], "zoh")
    simple_b = v["delta"][..., None] * v["B"][..., None, :]
    b = {"zoh": zoh_b, "simplified": simple_b}[method] * v["u"][..., None]
    x = linear_scan(zoh_a, b, v["initial_state"])
    y = ((x * v["C"][:, :, None]).sum(-1) + v["D"] * v["u"]) * silu(v["z"])
    found_y, found_state = selective_scan_direct(**v, return_state=True, method=method)
    assert_equal({"y": found_y, "state": found_state}, {"y": y, "state": x[:, -1]})


def test_a_step_of_zero_copies_the_state_and_a_long_one_forgets_it():
    one = torch.ones(1, 3, 1)
    delta = torch.tensor([0.0, 1e4, 0.0]).reshape(1, 3, 1)
    y = selective_scan(one, delta, -one[0, :1], one, one, initial_state=7 * one[:, :1], method="zoh")
    assert y.flatten().tolist() == [7.0, 1.0, 1.0]


@fast_backend
@every_method
@pytest.mark.parametrize("G", [None, 1, 2])
@pytest.mark.parametrize("L", [1, 2, EVERY - 1, EVERY, EVERY + 1, 100])
def test_every_backend_equals_the_plain_loop_in_float64(use, backend, method, G, L):
    use(backend)
    inputs = arguments(L, d=4, G=G)
    assert_equal(results(selective_scan, inputs, method), results(selective_scan_direct, inputs, method))


@settings(deadline=None, derandomize=True, max_examples=120)
@given(
    L=st.integers(1, 80),
    channels=st.integers(1, 40),
    groups=st.integers(1, 3),
    N=st.integers(1, 19),
    batch=st.integers(1, 3),
    method=st.sampled_from(METHODS),
    without=st.sets(st.sampled_from(["D", "z", "initial_state"])),
    seed=st.integers(0, 99),
    backend=st.sampled_from(["torch", "numba"]),
)
def test_float32_agrees_with_a_float64_loop_at_any_shape(L, channels, groups, N, batch, method, without, seed, backend):
    inputs = arguments(L, channels * groups, N, groups, batch, torch.float32, seed, without)
    expected = results(selective_scan_direct, doubled(inputs), method)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, backend)
        assert_equal(results(selective_scan, inputs, method), expected, 2e-5)


@fast_backend
@every_method
@pytest.mark.parametrize(("d", "N"), [(129, 16), (257, 3), (17, 64), (5, 300)])
def test_channels_and_states_that_do_not_fill_a_block(use, two_threads, backend, method, d, N):
    use(backend)
    inputs = arguments(35, d, N, dtype=torch.float32)
    assert_equal(results(selective_scan, inputs, method), results(selective_scan_direct, doubled(inputs), method), 2e-5)


@every_method
def test_stretches_of_time_join_without_a_seam(use, monkeypatch, method):
    use("torch")
    inputs = arguments(83)
    whole = results(selective_scan, inputs, method)
    monkeypatch.setattr(_selective_torch, "NUMBERS", 1)
    assert_equal(results(selective_scan, inputs, method), whole)
    monkeypatch.setattr(_selective_torch, "BUSY", 1)
    assert_equal(results(selective_scan, inputs, method), whole)


@every_backend
@every_method
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_pieces_joined_by_their_states_are_the_whole(use, backend, method, dtype):
    use(backend)
    inputs = arguments(67, dtype=dtype)

    def in_pieces(return_state, method, **inputs):
        state, outputs = inputs.pop("initial_state"), []
        for piece in (slice(0, 1), slice(1, 40), slice(40, 67)):
            now = {name: value[:, piece] if value.ndim == 3 else value for name, value in inputs.items()}
            y, state = selective_scan(**now, initial_state=state, return_state=return_state, method=method)
            outputs.append(y)
        return torch.cat(outputs, 1), state

    tolerance = 1e-10 if dtype == torch.float64 else 2e-5
    assert_equal(results(in_pieces, inputs, method), results(selective_scan, inputs, method), tolerance)


@fast_backend
def test_sixteen_thousand_steps_stay_finite_and_accurate_in_float32(use, backend):
    use(backend)
    inputs = arguments(16384, 2, 3, batch=1, dtype=torch.float32)
    found = results(selective_scan, inputs)
    assert all(value.isfinite().all() for value in found.values())
    assert_equal(found, results(selective_scan_direct, doubled(inputs)), 2e-4)


@every_backend
def test_groups_are_heads_that_share_their_weights(use, backend):
    use(backend)
    inputs = arguments(30, d=6, G=3, dtype=torch.float32)
    whole = selective_scan(**inputs)
    for group in range(3):
        own = slice(2 * group, 2 * group + 2)
        part = {name: inputs[name][..., own] for name in ("u", "delta", "z", "D")}
        part |= {"A": inputs["A"][own], "initial_state": inputs["initial_state"][:, own]}
        part |= {name: inputs[name][:, :, group] for name in ("B", "C")}
        assert_equal({"y": selective_scan(**part)}, {"y": whole[..., own]}, 1e-5)


# Gradients


@fast_backend
@every_method
@pytest.mark.parametrize("L", [1, 5])
def test_gradcheck_with_every_argument(use, backend, method, L):
    use(backend)
    names, values = zip(*arguments(L, 2, 2, 2).items(), strict=True)

    def function(*values):
        return selective_scan(**dict(zip(names, values, strict=True)), return_state=True, method=method)

    assert torch.autograd.gradcheck(function, values)
    assert torch.autograd.gradgradcheck(function, values)


@fast_backend
@pytest.mark.parametrize("wanted", ARGUMENTS)
def test_a_single_argument_may_want_a_gradient(use, backend, wanted):
    use(backend)
    inputs = arguments(9)
    expected = results(selective_scan_direct, inputs)
    inputs = {name: value.detach().requires_grad_(name == wanted) for name, value in inputs.items()}
    found = results(selective_scan, inputs)
    assert_equal(found, {name: expected[name] for name in found})


@fast_backend
def test_second_derivatives_in_float32_take_the_differentiable_form(use, backend):
    use(backend)
    inputs = arguments(12, dtype=torch.float32)

    def penalty(function, inputs):
        u = inputs["u"]
        (grad,) = torch.autograd.grad(function(**inputs).square().sum(), u, create_graph=True)
        return torch.autograd.grad(grad.square().sum(), inputs["delta"])[0]

    expected = penalty(selective_scan_direct, doubled(inputs))
    assert_equal({"delta": penalty(selective_scan, inputs)}, {"delta": expected}, 1e-4)


@fast_backend
@every_method
def test_small_steps_and_a_zero_eigenvalue_keep_their_digits(use, backend, method):
    use(backend)
    inputs = arguments(3, 8, 4, dtype=torch.float32, without=("initial_state",))
    scale = torch.logspace(-8, 0, 8)
    inputs["delta"] = (scale * inputs["delta"].detach()).requires_grad_()
    inputs["A"] = inputs["A"].detach().index_fill(1, torch.tensor([1]), 0.0).requires_grad_()
    found, expected = results(selective_scan, inputs, method), results(selective_scan_direct, doubled(inputs), method)
    for channel in range(8):  # each against its own size
        for name in ("y", "u", "delta", "A"):
            own = (channel,) if name == "A" else (..., channel)
            assert_equal({name: found[name][own]}, {name: expected[name][own]}, 1e-5)


# Where the compiled loops do not compute


@pytest.mark.parametrize("sign", ["A", "delta"])
def test_a_growing_state_is_computed_by_the_torch_path(use, monkeypatch, sign):
    use("numba")
    monkeypatch.setattr(_numba_selective, "scan", lambda *_: pytest.fail("the compiled loop was called"))
    inputs = arguments(20, dtype=torch.float32)
    inputs[sign] = (-0.1 * inputs[sign].detach()).requires_grad_()
    assert_equal(results(selective_scan, inputs), results(selective_scan_direct, doubled(inputs)), 1e-4)


def test_float64_is_computed_by_the_torch_path(use, monkeypatch):
    use("numba")
    monkeypatch.setattr(_numba_selective, "scan", lambda *_: pytest.fail("the compiled loop was called"))
    selective_scan(**arguments(5))
    with pytest.raises(pytest.fail.Exception, match="compiled loop"):
        selective_scan(**arguments(5, dtype=torch.float32))


@every_backend
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("where", ["u", "delta", "A", "B", "C", "D", "z", "initial_state"])
def test_what_is_no_number_stays_none(use, backend, bad, where):
    use(backend)
    if where == "A":
        bad = min(bad, -bad)
    inputs = {name: value.detach() for name, value in arguments(40, 5, 3, dtype=torch.float32).items()}
    place = inputs[where]
    place.view(-1)[place.numel() // 2] = bad
    y, expected = selective_scan(**inputs), selective_scan_direct(**inputs)
    assert torch.equal(y.isfinite(), expected.isfinite())
    if bad != bad:
        assert where == "A" or y.isnan().any()


@fast_backend
def test_a_nan_with_any_payload_stays_nan(use, backend):
    use(backend)
    inputs = {name: value.detach() for name, value in arguments(4, 16, 2, dtype=torch.float32).items()}
    payload = torch.tensor([0x7FFFFFFF], dtype=torch.int32).view(torch.float32)
    for name in ("A", "delta"):
        spoilt = inputs | {name: inputs[name].clone()}
        spoilt[name].view(-1)[0] = payload
        assert selective_scan(**spoilt)[0, :, 0].isnan().all()


# Layouts of the input

LAYOUTS = {
    "transposed": lambda v: v.transpose(-1, -2).contiguous().transpose(-1, -2) if v.ndim > 1 else v,
    "every other": lambda v: torch.stack([v, torch.full_like(v, 7)], -1)[..., 0],
    "expanded": lambda v: v[:1].expand(v.shape),
    "imaginary part": lambda v: torch.complex(v, v).conj().imag,
    "expanded channels": lambda v: v[..., :1].expand(v.shape),
}


@every_backend
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_any_memory_layout_gives_the_same_numbers(use, backend, layout, dtype):
    use(backend)
    arranged = {name: LAYOUTS[layout](value.detach()) for name, value in arguments(25, 4, 3, dtype=dtype).items()}
    leaves = {name: value.detach().requires_grad_() for name, value in arranged.items()}
    tolerance = 1e-10 if dtype == torch.float64 else 2e-5
    assert_equal(results(selective_scan, leaves), results(selective_scan_direct, doubled(arranged)), tolerance)


@fast_backend
def test_a_gradient_that_is_expanded(use, backend):
    use(backend)
    inputs = arguments(9, dtype=torch.float32)
    found = torch.autograd.grad(selective_scan(**inputs).sum(), list(inputs.values()))
    exact = doubled(inputs)
    expected = torch.autograd.grad(selective_scan_direct(**exact).sum(), list(exact.values()))
    assert_equal(*(dict(zip(inputs, grads, strict=True)) for grads in (found, expected)), 1e-5)


@fast_backend
@pytest.mark.parametrize("output", [0, 1], ids=["y", "state"])
def test_a_loss_may_see_only_the_output_or_only_the_last_state(use, backend, output):
    use(backend)
    inputs = arguments(2 * EVERY + 1, dtype=torch.float32)
    exact = doubled(inputs)
    gradients = []
    for function, values in ((selective_scan, inputs), (selective_scan_direct, exact)):
        loss = function(**values, return_state=True)[output].square().sum()
        grads = torch.autograd.grad(loss, list(values.values()), allow_unused=True)
        gradients.append({name: torch.zeros(()) if g is None else g for name, g in zip(inputs, grads, strict=True)})
    for name, expected in gradients[1].items():
        error = (gradients[0][name] - expected).abs().max() / expected.abs().max().clamp_min(1e-30)
        assert error <= 1e-5, f"{name}: {error:.1e}"


@every_backend
def test_the_inputs_are_left_as_they_were(use, backend):
    use(backend)
    inputs = arguments(33, dtype=torch.float32)
    before = {name: value.detach().clone() for name, value in inputs.items()}
    results(selective_scan, inputs)
    assert all(torch.equal(inputs[name], value) for name, value in before.items())


@fast_backend
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_empty_batch(use, backend, dtype):
    use(backend)
    inputs = arguments(5, batch=0, dtype=dtype)
    found = results(selective_scan, inputs)
    assert found["y"].shape == (0, 5, 3)
    assert found["A"].eq(0).all()


# The operator as PyTorch sees it


@fast_backend
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("without", [(), ("D", "z")])
def test_the_operators_keep_pytorchs_contract(use, backend, dtype, without):
    use(backend)
    values = arguments(5, 4, 2, 2, dtype=dtype, without=without)
    tensors = [values.get(name) for name in ARGUMENTS]
    torch.library.opcheck(_selective_scan._scan, (*tensors, False))
    tensors = [value if value is None else value.detach() for value in tensors]
    y, state, kept = _selective_scan._scan(*tensors, True)
    torch.library.opcheck(_selective_scan._adjoint, (*tensors[:-1], kept, y, state, True))


@fast_backend
def test_it_is_one_node_of_a_whole_compiled_graph(use, backend):
    use(backend)
    inputs = arguments(20, dtype=torch.float32)

    def function(return_state, method, **inputs):
        y, state = selective_scan(**inputs, return_state=return_state, method=method)
        return 2 * y, state

    compiled = torch.compile(function, backend="aot_eager", fullgraph=True)
    assert_equal(results(compiled, inputs), results(function, inputs), 1e-6)
    torch._dynamo.reset()


# Processes and threads


def test_one_thread_and_two_give_the_same_numbers(use, two_threads):
    use("numba")
    for batch, d in ((3, 40), (1, 64)):
        inputs = arguments(200, d, 4, batch=batch, dtype=torch.float32)
        torch.set_num_threads(2)
        shared = results(selective_scan, inputs)
        torch.set_num_threads(1)
        assert_equal(shared, results(selective_scan, inputs), 1e-5)


def test_two_python_threads_at_once(use, two_threads):
    use("numba")
    inputs = {seed: arguments(300, 32, 4, dtype=torch.float32, seed=seed) for seed in (1, 2)}
    found = {}

    def work(seed):
        found[seed] = [results(selective_scan, inputs[seed]) for _ in range(5)]

    threads = [threading.Thread(target=work, args=(seed,)) for seed in inputs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    for seed in inputs:
        expected = results(selective_scan_direct, doubled(inputs[seed]))
        for result in found[seed]:
            assert_equal(result, expected, 2e-5)


class Scans(Dataset):
    """Made in the parent: PyTorch's own threads, unlike ours, do not survive a fork, and large tensors wake them."""

    def __init__(self):
        self.inputs = [arguments(100, 16, 4, dtype=torch.float32, seed=seed) for seed in range(4)]
        self.inputs = [{name: value.detach() for name, value in inputs.items()} for inputs in self.inputs]

    def __len__(self):
        return len(self.inputs)

    def __getitem__(self, i):
        torch.set_num_threads(2)  # a worker starts with one; with two it needs threads of its own
        return selective_scan(**self.inputs[i])


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
def test_forked_workers_compute_after_the_parent_has(use, two_threads):
    use("numba")
    dataset = Scans()
    dataset[0]  # the parent's threads exist now, and the children must not wait for them
    loader = DataLoader(dataset, batch_size=None, num_workers=2, multiprocessing_context="fork", timeout=120)
    for inputs, y in zip(dataset.inputs, loader, strict=True):
        assert_equal({"y": y}, {"y": selective_scan_direct(**doubled(inputs))}, 2e-5)


WITHOUT_NUMBA = """
import sys, warnings
sys.modules["numba"] = None
import torch
from ssm_teach.ops import linear_scan, selective_scan
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    one = torch.ones(1, 3, 1, requires_grad=True)
    linear_scan(one, one)
    y = selective_scan(one, one, -one[0, :1], one, one)
    y.sum().backward()
print(sum("Numba" in str(warning.message) for warning in caught), round(y[0, -1, 0].item(), 4))
"""


def test_without_numba_torch_computes_after_one_warning():
    keep = {name: value for name, value in os.environ.items() if name != VARIABLE}
    done = subprocess.run([sys.executable, "-c", WITHOUT_NUMBA], env=keep, capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "1 1.5032", done.stderr


def test_compiled_loops_are_kept_on_disk():
    assert type(_numba_selective._adjoint._cache).__name__ == "FunctionCache"


# What the user gets told

U, A, W = torch.ones(2, 4, 6), -torch.ones(6, 3), torch.ones(2, 4, 3)
SENTENCES = {
    "not a tensor": ({"delta": 1.0}, "delta must be a torch tensor; got float. Use torch.as_tensor"),
    "no time": ({"u": U[:, 0]}, r"u must have shape \(b, L, d\) with L ≥ 1; got \(2, 6\)"),
    "length zero": ({"u": U[:, :0], "delta": U[:, :0], "B": W[:, :0], "C": W[:, :0]}, r"L ≥ 1; got \(2, 0, 6\)"),
    "delta": ({"delta": U[..., :1]}, r"delta must have shape \(2, 4, 6\); got \(2, 4, 1\)"),
    "A": ({"A": A[0]}, r"A must have shape \(d, N\) with d = 6 like u and N ≥ 1; got \(3,\)"),
    "no state": ({"A": A[:, :0]}, r"N ≥ 1; got \(6, 0\)"),
    "B": ({"B": W[..., :1]}, r"B must have shape \(2, 4, 3\), or \(b, L, G, N\) with .* got \(2, 4, 1\)"),
    "groups": ({"B": torch.ones(2, 4, 4, 3)}, r"a number of groups G that divides d = 6; got \(2, 4, 4, 3\)"),
    "B and C": ({"C": W[:, :, None]}, r"B and C must have one shape; got \(2, 4, 3\) and \(2, 4, 1, 3\)"),
    "D": ({"D": torch.ones(1)}, r"D must have shape \(6,\); got \(1,\)"),
    "z": ({"z": U[..., :1]}, r"z must have shape \(2, 4, 6\); got \(2, 4, 1\)"),
    "state": ({"initial_state": A}, r"initial_state must have shape \(2, 6, 3\); got \(6, 3\)"),
    "dtype": ({"A": A.double()}, "A is torch.float64 but u is torch.float32; give all as torch.float64"),
    "device": ({"A": A.to("meta")}, r"A is on meta but u on cpu; use A.to\(u.device\)"),
    "method": ({"method": "bilinear"}, "unknown method 'bilinear'; choose one of simplified, zoh"),
}  # fmt: skip


@every_backend
@pytest.mark.parametrize("mistake", SENTENCES)
@pytest.mark.parametrize("function", [selective_scan, selective_scan_direct])
def test_a_mistake_is_answered_in_one_sentence(use, backend, mistake, function):
    use(backend)
    wrong, sentence = SENTENCES[mistake]
    with pytest.raises(UserError, match=f"^{function.__name__}: .*{sentence}") as caught:
        function(**({"u": U, "delta": U, "A": A, "B": W, "C": W} | wrong))
    assert "\n" not in str(caught.value)


def test_half_precision_is_for_the_plain_loop_only():
    inputs = [value.bfloat16() for value in (U, U, A, W, W)]
    with pytest.raises(UserError, match=r"u must be float32 or float64; got torch\.bfloat16\. Use \.float"):
        selective_scan(*inputs)
    assert selective_scan_direct(*inputs).dtype == torch.bfloat16


def test_a_backend_that_is_unknown(use):
    use("nubma")
    with pytest.raises(UserError, match=r"selective_scan: unknown SSM_TEACH_BACKEND 'nubma'; .* \(did you mean numba"):
        selective_scan(U, U, A, W, W)


@pytest.mark.parametrize(
    ("told", "wanted"), [({}, "10000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, None)]
)
def test_threads_of_pytorch_wait_briefly_unless_somebody_said_otherwise(told, wanted):
    environment = {
        name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
    }
    look = "import ssm_teach, os, sys; assert 'torch' not in sys.modules; print(os.environ.get('GOMP_SPINCOUNT'))"
    done = subprocess.run(
        [sys.executable, "-c", look], env=environment | told, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(wanted)
