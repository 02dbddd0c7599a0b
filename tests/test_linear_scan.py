"""The linear scan: every backend is the recurrence, and every gradient is the adjoint of the chapter."""

import itertools
import multiprocessing
import os
import subprocess
import sys
import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset

from ssm_teach import scan
from ssm_teach.errors import UserError
from ssm_teach.ops import _linear_scan, _numba, linear_scan, linear_scan_direct
from ssm_teach.ops._backends import BACKENDS, VARIABLE, implementation

LENGTHS = [1, 2, 63, 64, 65, 1000]
DTYPES = [torch.float64, torch.complex128]
ARGUMENTS = ("a", "b", "x0")
SUBSETS = [names for size in (1, 2, 3) for names in itertools.combinations(ARGUMENTS, size)]

every_backend = pytest.mark.parametrize("backend", BACKENDS)
fast_backend = pytest.mark.parametrize("backend", ["torch", "numba"])
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=["real", "complex"])
either_a = pytest.mark.parametrize("constant", [False, True], ids=["varying", "constant"])


@pytest.fixture
def use(monkeypatch):
    return lambda backend: monkeypatch.setenv(VARIABLE, backend)


def arguments(L, dtype=torch.float64, constant=False, batch=2, channels=(3,), seed=0, needs=ARGUMENTS):
    """a with |a| from 0 to a little over 1, b and x0; those in ``needs`` want gradients."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(shape, dtype=dtype, generator=generator)

    a = draw(*channels) if constant else draw(batch, L, *channels)
    a = a / (a.abs() + 0.1)
    values = {"a": a, "b": draw(batch, L, *channels), "x0": draw(batch, *channels)}
    return [value.requires_grad_(name in needs) for name, value in values.items()]


def result_and_gradients(function, inputs):
    x = function(*inputs)
    weights = torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(1))
    wanted = [value for value in inputs if value is not None and value.requires_grad]
    return [x, *torch.autograd.grad(x, wanted, weights)]


def assert_equal(first, second, tolerance=1e-12):
    for one, other in zip(first, second, strict=True):
        assert one.shape == other.shape
        assert one.dtype == other.dtype
        error = (one - other).abs().max() if one.numel() else 0
        assert error <= tolerance * max(1, other.abs().max() if one.numel() else 0)


# The recurrence


def test_the_plain_loop_is_the_recurrence_by_hand():
    a, b = torch.tensor([2.0, 3.0, 0.5]).reshape(1, 3, 1), torch.tensor([1.0, -1.0, 4.0]).reshape(1, 3, 1)
    assert linear_scan_direct(a, b).flatten().tolist() == [1.0, 2.0, 5.0]
    assert linear_scan_direct(a, b, torch.tensor([[10.0]])).flatten().tolist() == [21.0, 62.0, 35.0]


@fast_backend
@every_dtype
@either_a
@pytest.mark.parametrize("L", [*LENGTHS, 3, 100, 2047])
def test_every_backend_equals_the_plain_loop_in_result_and_gradients(use, backend, dtype, constant, L):
    use(backend)
    a, b, x0 = arguments(L, dtype, constant)
    for inputs in ([a, b, x0], [a, b, None]):
        expected = result_and_gradients(linear_scan_direct, inputs)
        assert_equal(result_and_gradients(linear_scan, inputs), expected)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(
    L=st.integers(1, 200),
    batch=st.integers(0, 3),
    channels=st.lists(st.integers(0, 5), max_size=2),
    dtype=st.sampled_from(DTYPES),
    constant=st.booleans(),
    seed=st.integers(0, 99),
    needs=st.sampled_from(SUBSETS),
    with_x0=st.booleans(),
    backend=st.sampled_from(["torch", "numba"]),
)
def test_every_shape_and_every_subset_of_gradients(L, batch, channels, dtype, constant, seed, needs, with_x0, backend):
    inputs = arguments(L, dtype, constant, batch, channels, seed, needs)
    inputs[1].requires_grad_(True)  # so that something always wants a gradient
    if not with_x0:
        inputs[2] = None
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, backend)
        fast = result_and_gradients(linear_scan, inputs)
    assert_equal(fast, result_and_gradients(linear_scan_direct, inputs))


@fast_backend
@every_dtype
def test_the_scan_is_the_prefix_product_of_affine_maps(use, backend, dtype):
    use(backend)
    a, b, x0 = (value.detach() for value in arguments(21, dtype, batch=1, channels=()))
    maps = scan.blelloch(*scan.AFFINE[1:2], list(zip(a[0], b[0], strict=True)), (1.0, 0.0))
    x = torch.stack([product * x0 + offset for product, offset in maps], 1)
    assert_equal([linear_scan(a, b, x0)], [x])


@every_backend
@every_dtype
def test_multipliers_of_zero_and_one(use, backend, dtype):
    use(backend)
    _, b, x0 = arguments(300, dtype)
    for a, expected in ((torch.zeros_like(b), b), (torch.ones_like(b), b.cumsum(1) + x0[:, None])):
        for multipliers in (a, a[0, 0]):
            assert_equal([linear_scan(multipliers, b, x0)], [expected])
            inputs = [multipliers.detach().requires_grad_(), b, x0]
            reference = result_and_gradients(linear_scan_direct, inputs)
            assert_equal(result_and_gradients(linear_scan, inputs), reference)


@fast_backend
def test_sixteen_thousand_steps_stay_finite_and_accurate_in_float32(use, backend):
    use(backend)
    for dtype, double in ((torch.float32, torch.float64), (torch.complex64, torch.complex128)):
        for constant in (False, True):
            inputs = [v.detach().requires_grad_() for v in arguments(16384, dtype, constant, 1, (2,))]
            single = result_and_gradients(linear_scan, inputs)
            exact = [v.detach().to(double).requires_grad_() for v in inputs]
            weights = torch.randn(inputs[1].shape, dtype=dtype, generator=torch.Generator().manual_seed(1))
            x = linear_scan_direct(*exact)
            for value, reference in zip(single, [x, *torch.autograd.grad(x, exact, weights.to(double))], strict=True):
                assert value.isfinite().all()
                assert (value - reference).abs().max() < 2e-6 * reference.abs().max()


# Gradients


@fast_backend
@every_dtype
@either_a
@pytest.mark.parametrize("L", LENGTHS)
def test_gradcheck_for_every_argument_and_every_subset(use, backend, dtype, constant, L):
    use(backend)
    for needs in SUBSETS:
        inputs = arguments(L, dtype, constant, batch=1, channels=(2,), needs=needs)
        assert torch.autograd.gradcheck(linear_scan, inputs, fast_mode=L > 2)


@every_backend
@every_dtype
@either_a
def test_gradcheck_element_by_element(use, backend, dtype, constant):
    use(backend)
    assert torch.autograd.gradcheck(linear_scan, arguments(9, dtype, constant, batch=2, channels=(2,)))


@every_backend
@every_dtype
@either_a
@pytest.mark.parametrize("L", [1, 2, 7])
def test_second_derivatives(use, backend, dtype, constant, L):
    use(backend)
    assert torch.autograd.gradgradcheck(linear_scan, arguments(L, dtype, constant, batch=1, channels=(2,)))


@fast_backend
@every_dtype
@either_a
@pytest.mark.parametrize("L", [1, 2, 30])
def test_gradients_and_their_gradients_equal_those_of_the_plain_loop(use, backend, dtype, constant, L):
    use(backend)
    inputs = arguments(L, dtype, constant)
    results = []
    for function in (linear_scan, linear_scan_direct):
        first = torch.autograd.grad(function(*inputs).abs().square().sum(), inputs, create_graph=True)
        second = torch.autograd.grad(sum(gradient.abs().square().sum() for gradient in first), inputs)
        results.append([*first, *second])
    assert_equal(*results, tolerance=1e-11)


@fast_backend
def test_the_gradient_is_the_adjoint_recurrence_with_conjugates(use, backend):
    use(backend)
    a, b, x0 = arguments(40, torch.complex128)
    x = linear_scan(a, b, x0)
    g = torch.randn_like(x)
    grad_a, grad_b, grad_x0 = torch.autograd.grad(x, (a, b, x0), g)
    delta = torch.zeros_like(g[:, 0])
    for k in reversed(range(40)):
        delta = g[:, k] + (a[:, k + 1].conj() * delta if k < 39 else 0)
        earlier = x[:, k - 1] if k else x0
        assert_equal([grad_b[:, k], grad_a[:, k]], [delta, delta * earlier.conj()])
    assert_equal([grad_x0], [a[:, 0].conj() * delta])


# Numbers that are none


@fast_backend
@every_dtype
@either_a
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("where", ARGUMENTS)
def test_nan_and_infinity_propagate_as_in_the_plain_loop(use, backend, dtype, constant, bad, where):
    use(backend)
    a, b, x0 = (value.detach() for value in arguments(100, dtype, constant))
    place = {"a": a, "b": b, "x0": x0}[where]
    place.view(-1)[place.numel() // 2] = bad
    x, expected = linear_scan(a, b, x0), linear_scan_direct(a, b, x0)
    assert torch.equal(x.isfinite(), expected.isfinite())
    assert torch.equal(x[x.isfinite()], x[x.isfinite()].nan_to_num())
    assert_equal([x[x.isfinite()]], [expected[x.isfinite()]])
    if dtype.is_floating_point:
        assert torch.equal(x.isnan(), expected.isnan())


@every_backend
def test_a_product_that_overflows_does_not_spoil_a_state_of_zero(use, backend):
    use(backend)
    a, b = torch.full((1, 4096, 2), 4.0), torch.zeros(1, 4096, 2)
    b[:, -1] = 1
    inputs = [a.requires_grad_(), b.requires_grad_()]
    x = linear_scan(*inputs)
    assert torch.equal(x, b)
    grad_a, _ = torch.autograd.grad(x[:, -3:].sum(), inputs)
    assert not grad_a[:, -3:].isnan().any()


# Layouts of the input


LAYOUTS = {
    "transposed": lambda v: v.transpose(-1, -2).contiguous().transpose(-1, -2),
    "every other": lambda v: torch.stack([v, torch.full_like(v, 7)], -1)[..., 0],
    "expanded": lambda v: v[:1].expand(v.shape),
    "expanded channels": lambda v: v[..., :1].expand(v.shape),
    "reversed twice": lambda v: v.flip(0).flip(0),
    "conjugate": lambda v: v.conj(),
    "imaginary part": lambda v: torch.complex(v, v).conj().imag if not v.is_complex() else v.conj(),
}


@every_backend
@every_dtype
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_memory_layout_gives_the_same_numbers(use, backend, dtype, layout):
    use(backend)
    arranged = [LAYOUTS[layout](value.detach()) for value in arguments(50, dtype)]
    leaves = [value.detach().requires_grad_() for value in arranged]
    plain = [torch.empty_like(value, memory_format=torch.contiguous_format).copy_(value) for value in arranged]
    expected = result_and_gradients(linear_scan_direct, [value.requires_grad_() for value in plain])
    assert_equal(result_and_gradients(linear_scan, leaves), expected)
    constant = [arranged[0][0, 0], *arranged[1:]]
    assert_equal([linear_scan(*constant)], [linear_scan_direct(*constant)])


@every_backend
def test_a_gradient_that_is_expanded_or_conjugate(use, backend):
    use(backend)
    inputs = arguments(30, torch.complex128)
    for loss in (lambda x: x.sum().abs(), lambda x: (x.conj() * (2 + 1j)).sum().real, lambda x: x[..., 0].imag.sum()):
        expected = torch.autograd.grad(loss(linear_scan_direct(*inputs)), inputs)
        assert_equal(torch.autograd.grad(loss(linear_scan(*inputs)), inputs), expected)


def test_one_compilation_serves_every_layout(use):
    use("numba")
    a, b, x0 = (LAYOUTS["transposed"](value.detach()).requires_grad_() for value in arguments(50))
    result_and_gradients(linear_scan, [a, b, x0])
    for kernel in (_numba._scan, _numba._adjoint):
        assert kernel.signatures
        assert {array.layout for signature in kernel.signatures for array in signature[2:]} == {"C"}


def test_the_inputs_are_left_as_they_were(use):
    for backend in BACKENDS:
        use(backend)
        inputs = arguments(33)
        before = [value.detach().clone() for value in inputs]
        result_and_gradients(linear_scan, inputs)
        assert all(torch.equal(value, copy) for value, copy in zip(inputs, before, strict=True))


# The operator as PyTorch sees it


@fast_backend
@every_dtype
@either_a
def test_the_operators_keep_pytorchs_contract(use, backend, dtype, constant):
    use(backend)
    a, b, x0 = arguments(5, dtype, constant)
    torch.library.opcheck(_linear_scan._scan, (a, b, x0))
    x, g = torch.randn_like(b), torch.randn_like(b)
    for needs_a in (True, False):
        torch.library.opcheck(_linear_scan._adjoint, (a.detach(), x, x0.detach(), g, needs_a))


@fast_backend
@every_dtype
def test_it_is_one_node_of_a_whole_compiled_graph(use, backend, dtype):
    use(backend)
    inputs = arguments(20, dtype)

    def function(a, b, x0):
        return linear_scan(a.conj(), 2 * b, x0).conj().abs()

    compiled = torch.compile(function, backend="aot_eager", fullgraph=True)
    assert_equal(result_and_gradients(compiled, inputs), result_and_gradients(function, inputs))
    torch._dynamo.reset()


# Processes and threads


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def large(seed):
    """Large enough that the work is shared between threads."""
    return arguments(1000, torch.complex128, batch=5, channels=(16,), seed=seed)


def test_threads_share_the_work_and_change_no_bit(use, two_threads):
    use("numba")
    shared = result_and_gradients(linear_scan, large(0))
    torch.set_num_threads(1)
    alone = result_and_gradients(linear_scan, large(0))
    assert all(torch.equal(one, other) for one, other in zip(shared, alone, strict=True))
    assert_equal(shared, result_and_gradients(linear_scan_direct, large(0)))


def test_two_python_threads_at_once(use, two_threads):
    use("numba")
    results = {}

    def work(seed):
        results[seed] = [result_and_gradients(linear_scan, large(seed)) for _ in range(5)]

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    for seed in (1, 2):
        expected = result_and_gradients(linear_scan_direct, large(seed))
        for result in results[seed]:
            assert_equal(result, expected)


class Scans(Dataset):
    """Made in the parent: PyTorch's own threads, unlike ours, do not survive a fork, and large tensors wake them."""

    def __init__(self):
        self.inputs = [[value.detach() for value in large(seed)] for seed in range(4)]

    def __len__(self):
        return len(self.inputs)

    def __getitem__(self, i):
        torch.set_num_threads(2)  # a worker starts with one; with two it needs threads of its own
        return linear_scan(*self.inputs[i])


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
def test_forked_workers_compute_after_the_parent_has(use, two_threads):
    use("numba")
    dataset = Scans()
    dataset[0]  # the parent's threads exist now, and the children must not wait for them
    loader = DataLoader(dataset, batch_size=None, num_workers=2, multiprocessing_context="fork", timeout=60)
    for inputs, x in zip(dataset.inputs, loader, strict=True):
        assert_equal([x], [linear_scan_direct(*inputs)])


# Where Numba, or its cache, is missing


def run_python(code, **environment):
    keep = {name: value for name, value in os.environ.items() if name != VARIABLE}
    return subprocess.run(
        [sys.executable, "-c", code], env=keep | environment, capture_output=True, text=True, timeout=300
    )


WITHOUT_NUMBA = """
import sys, warnings
sys.modules["numba"] = None
import torch
from ssm_teach.errors import UserError
from ssm_teach.ops import linear_scan
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    a = torch.full((1, 9, 1), 0.5, requires_grad=True)
    for _ in range(3):
        x = linear_scan(a, torch.ones(1, 9, 1))
        x.sum().backward()
print(sum("Numba" in str(warning.message) for warning in caught), x[0, -1, 0].item())
import os
os.environ["SSM_TEACH_BACKEND"] = "numba"
try:
    linear_scan(a, a)
except UserError as error:
    print(error)
"""


def test_without_numba_torch_computes_after_one_warning_and_numba_cannot_be_asked_for():
    done = run_python(WITHOUT_NUMBA)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == f"1 {2 - 0.5**8}"
    assert second.startswith("linear_scan: SSM_TEACH_BACKEND=numba, but Numba cannot be imported")


WITHOUT_CACHE = """
import numba.core.caching
numba.core.caching.CacheImpl._locator_classes = []  # what is left where no folder can be written
import torch
from ssm_teach.ops import linear_scan
print(linear_scan(torch.tensor([0.5]), torch.ones(1, 9, 1))[0, -1, 0].item())
"""


def test_without_a_place_for_the_cache_it_compiles_in_every_process():
    done = run_python(WITHOUT_CACHE, SSM_TEACH_BACKEND="numba")
    assert done.stdout.strip() == str(2 - 0.5**8), done.stderr


def test_compiled_loops_are_kept_on_disk():
    assert type(_numba._scan._cache).__name__ == "FunctionCache"


def test_the_default_is_numba_on_the_cpu_and_torch_elsewhere(monkeypatch):
    for setting in (None, ""):
        monkeypatch.delenv(VARIABLE, raising=False) if setting is None else monkeypatch.setenv(VARIABLE, setting)
        assert implementation("f", torch.device("cpu")).__name__ == "ssm_teach.ops._numba"
        assert implementation("f", torch.device("cuda")).__name__ == "ssm_teach.ops._two_level"


# What the user gets told

ONES, STATE = torch.ones(2, 4, 3), torch.ones(2, 3)
SENTENCES = {
    "not a tensor": (lambda: linear_scan(0.5, ONES), "a must be a torch tensor; got float. Use torch.as_tensor"),
    "no time": (lambda: linear_scan(STATE[0], STATE[0]), r"b must have shape \(batch, L, …channels\) .* got \(3,\)"),
    "length zero": (lambda: linear_scan(ONES[:, :0], ONES[:, :0]), r"with L ≥ 1; got \(2, 0, 3\)"),
    "a": (lambda: linear_scan(STATE, ONES), r"a must be shaped like b, \(2, 4, 3\), or \(3,\) if .* got \(2, 3\)"),
    "x0": (lambda: linear_scan(ONES, ONES, STATE[0]), r"x0 must have shape \(2, 3\); got \(3,\)"),
    "dtype": (lambda: linear_scan(ONES + 0j, ONES), "a is torch.complex64 but b is torch.float32; give both"),
    "x0 dtype": (lambda: linear_scan(ONES, ONES, STATE.double()), "x0 is torch.float64 .* both as torch.float64"),
    "device": (lambda: linear_scan(ONES.to("meta"), ONES), r"a is on meta but b on cpu; use a.to\(b.device\)"),
    "half": (lambda: linear_scan(ONES.half(), ONES.half()), r"b must be float32, .* got torch.float16. Use .float"),
    "bfloat16": (lambda: linear_scan(ONES.bfloat16(), ONES.bfloat16()), "got torch.bfloat16"),
    "whole numbers": (lambda: linear_scan(ONES.int(), ONES.int()), "got torch.int32"),
    "direct": (lambda: linear_scan_direct(ONES, ONES, ONES), r"linear_scan_direct: x0 must have shape \(2, 3\); got"),
}  # fmt: skip


@every_backend
@pytest.mark.parametrize("mistake", SENTENCES)
def test_a_mistake_is_answered_in_one_sentence(use, backend, mistake):
    use(backend)
    call, sentence = SENTENCES[mistake]
    with pytest.raises(UserError, match=sentence) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_a_backend_that_is_unknown_or_cannot_run_here(use):
    use("nubma")
    with pytest.raises(UserError, match=r"unknown SSM_TEACH_BACKEND 'nubma'; .* \(did you mean numba\?\)"):
        linear_scan(ONES, ONES)
    use("numba")
    with pytest.raises(UserError, match="SSM_TEACH_BACKEND=numba runs on the CPU but the tensors are on cuda:0"):
        implementation("linear_scan", torch.device("cuda:0"))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int64])
def test_the_plain_loop_takes_any_dtype(dtype):
    x = linear_scan_direct(2 * ONES.to(dtype), ONES.to(dtype))
    assert x.dtype == dtype
    assert x[0, :, 0].tolist() == [1, 3, 7, 15]
