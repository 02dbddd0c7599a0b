"""The fast convolutions: both equal the plain causal convolution with the plain kernel, in values and in gradients."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssm_teach.errors import UserError
from ssm_teach.kernels import causal_conv_direct, vandermonde_kernel_direct
from ssm_teach.ops import _diagonal_conv, diagonal_conv, fft_conv, vandermonde
from ssm_teach.ops import _fft_conv as fft_module
from ssm_teach.ops._backends import VARIABLE
from ssm_teach.ops._diagonal_conv import loops

KINDS = ("complex", "real", "real weights of complex modes")
every_kind = pytest.mark.parametrize("kind", KINDS)


def modes(d, N, kind="complex", seed=0, dtype=torch.float64, slowest=0.0):
    """log Ā with decays from ``slowest`` to about 1 and any phase, weights, and D; all want gradients."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    log_A_bar, weights = -draw(d, N).abs() - slowest, draw(d, N)
    if kind != "real":
        log_A_bar = torch.complex(log_A_bar, 3 * draw(d, N))
    if kind == "complex":
        weights = torch.complex(weights, draw(d, N))
    double = (log_A_bar, weights, draw(d))
    return [value.to(dtype.to_complex() if value.is_complex() else dtype).detach().requires_grad_() for value in double]


def signal(b, L, d, seed=1, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(b, L, d, dtype=torch.float64, generator=generator).to(dtype).requires_grad_()


def plain(u, log_A_bar, weights, D):
    """Tap by tap, with a kernel that has all its exponentials at once."""
    if log_A_bar.is_complex():
        weights = weights.to(log_A_bar.dtype)
    return causal_conv_direct(u, vandermonde_kernel_direct(log_A_bar, weights, u.shape[1])) + D * u


def result_and_gradients(function, *inputs):
    y = function(*inputs)
    g = torch.randn(y.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2)).to(y.dtype)
    return [y, *torch.autograd.grad(y, inputs, g)]


def assert_equal(first, second, tolerance=1e-10):
    for one, other in zip(first, second, strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        assert (one - other).abs().max() <= tolerance * max(1, other.abs().max())


# In chunks


@every_kind
@settings(deadline=None, derandomize=True, max_examples=40)
@given(
    b=st.integers(1, 3),
    L=st.integers(1, 70),
    d=st.integers(1, 4),
    N=st.integers(1, 5),
    chunk=st.one_of(st.none(), st.integers(1, 40)),
    seed=st.integers(0, 99),
)
def test_chunks_equal_the_plain_convolution_in_result_and_gradients(kind, b, L, d, N, chunk, seed):
    inputs = [signal(b, L, d, seed), *modes(d, N, kind, seed)]
    chunked = result_and_gradients(lambda u, a, w, D: diagonal_conv(u, a, w, D, chunk), *inputs)
    assert_equal(chunked, result_and_gradients(plain, *inputs))


@every_kind
@pytest.mark.parametrize("L", [1, 31, 32, 33, 64, 127, 128, 129, 300])
def test_lengths_around_a_chunk(kind, L):
    for N in (3, 16, 40):  # chunks of 32, 32 or 16, 128 or 64
        inputs = [signal(2, L, 2), *modes(2, N, kind)]
        assert_equal(result_and_gradients(diagonal_conv, *inputs), result_and_gradients(plain, *inputs))


@every_kind
def test_chunks_pass_gradcheck_once_and_twice(kind):
    inputs = (signal(2, 7, 2), *modes(2, 2, kind))

    def function(u, a, w, D):
        return diagonal_conv(u, a, w, D, chunk=3)

    assert torch.autograd.gradcheck(function, inputs)
    assert torch.autograd.gradgradcheck(function, inputs)


def test_any_subset_of_the_arguments_may_want_gradients():
    inputs = [signal(2, 40, 2), *modes(2, 3)]
    expected = result_and_gradients(diagonal_conv, *inputs)[1:]
    for which in range(4):
        given = [value.detach().requires_grad_(i == which) for i, value in enumerate(inputs)]
        y = diagonal_conv(*given)
        g = torch.randn(y.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
        assert_equal(torch.autograd.grad(y, given[which], g), [expected[which]])
    with torch.no_grad():
        assert not diagonal_conv(*inputs).requires_grad


def test_D_left_out_is_zero():
    u, a, w, D = signal(2, 50, 2), *modes(2, 3)
    assert_equal([diagonal_conv(u, a, w) + D * u], [diagonal_conv(u, a, w, D)])


def test_a_backward_pass_may_be_repeated():
    u, a, w, D = signal(2, 50, 2), *modes(2, 3)
    y = diagonal_conv(u, a, w, D).square().sum()
    first = torch.autograd.grad(y, (u, a, w, D), retain_graph=True)
    assert_equal(torch.autograd.grad(y, (u, a, w, D)), first, tolerance=0)


def test_the_input_may_lie_in_memory_as_it_likes():
    u, a, w, D = signal(2, 50, 4), *modes(4, 3)
    for view in (u.mT.contiguous().mT, u.detach().repeat_interleave(2, 1)[:, ::2], u.flip(1).flip(1)):
        assert_equal([diagonal_conv(view, a, w, D)], [diagonal_conv(u, a, w, D)])
        y = diagonal_conv(u, a, w, D)
        (grad,) = torch.autograd.grad(y, u, torch.ones(1, 1, 1, dtype=u.dtype).expand_as(y))
        assert grad.is_contiguous()
        assert y.is_contiguous()


def test_single_precision_keeps_its_accuracy_over_16384_positions():
    """Slowly decaying modes that turn through 10⁵ radians: what phases in float32 would have lost."""
    torch.manual_seed(0)
    dt = torch.logspace(-3, -1, 4)[:, None]
    log_A_bar = dt * torch.complex(torch.full((4, 16), -0.5), torch.pi * torch.arange(16.0).expand(4, 16))
    inputs = [signal(1, 16384, 4, dtype=torch.float32), log_A_bar, *modes(4, 16, dtype=torch.float32)[1:]]
    inputs = [value.detach().requires_grad_() for value in inputs]
    double = [value.detach().to(torch.promote_types(value.dtype, torch.float64)).requires_grad_() for value in inputs]

    def by_kernel(u, a, w, D):
        return fft_conv(u, vandermonde(a, w, u.shape[1])) + D * u

    exact = result_and_gradients(by_kernel, *double)
    for function in (diagonal_conv, lambda *values: diagonal_conv(*values, chunk=32), by_kernel):
        for one, reference in zip(result_and_gradients(function, *inputs), exact, strict=True):
            assert (one - reference).abs().max() < 5e-6 * reference.abs().max()


def test_a_large_early_input_does_not_blur_small_late_outputs():
    u = torch.zeros(1, 4096, 1)
    u[0, 0], u[0, 2000] = 1e6, 1.0
    y = diagonal_conv(u, torch.tensor([[0.9]]).log(), torch.tensor([[1.0]]))
    assert y[0, 2000] == pytest.approx(1, abs=1e-6)


# In compiled loops


def in_both_precisions(b, L, d, N, kind="complex", seed=0):
    """Inputs in float32, and the very same numbers in float64."""
    single = [signal(b, L, d, seed, torch.float32), *modes(d, N, kind, seed, torch.float32)]
    return single, [
        value.detach().to(torch.promote_types(value.dtype, torch.float64)).requires_grad_() for value in single
    ]


@pytest.mark.parametrize("kind", ["complex", "real weights of complex modes"])
@settings(deadline=None, derandomize=True, max_examples=40)
@given(b=st.integers(1, 3), L=st.integers(1, 200), d=st.integers(1, 40), N=st.integers(1, 5), seed=st.integers(0, 99))
def test_compiled_loops_equal_the_plain_convolution_in_result_and_gradients(kind, b, L, d, N, seed):
    single, double = in_both_precisions(b, L, d, N, kind, seed)
    assert loops(single[1])
    for one, exact in zip(
        result_and_gradients(diagonal_conv, *single), result_and_gradients(plain, *double), strict=True
    ):
        assert (one - exact).abs().max() <= 5e-6 * max(1, exact.abs().max())


def test_compiled_loops_are_left_where_they_do_not_fit(monkeypatch):
    for kind, dtype, fits in (
        ("complex", torch.float32, True),
        ("complex", torch.float64, False),
        ("real", torch.float32, False),
    ):
        assert bool(loops(modes(2, 3, kind, dtype=dtype)[0])) == fits
    monkeypatch.setenv(VARIABLE, "torch")
    assert not loops(modes(2, 3, dtype=torch.float32)[0])


def test_compiled_loops_do_not_hang_on_the_number_of_threads():
    single, _ = in_both_precisions(3, 100, 40, 3)
    threads = torch.get_num_threads()
    try:
        results = []
        for count in (1, 2):
            torch.set_num_threads(count)
            results.append(result_and_gradients(diagonal_conv, *single))
    finally:
        torch.set_num_threads(threads)
    assert_equal(*results, tolerance=0)


def test_compiled_loops_are_an_operator_of_pytorch_and_have_a_second_derivative():
    single, double = in_both_precisions(2, 70, 3, 2)
    torch.library.opcheck(_diagonal_conv._convolve, single)

    def twice(inputs):
        (grad,) = torch.autograd.grad(diagonal_conv(*inputs).square().sum(), inputs[1], create_graph=True)
        return torch.autograd.grad(grad.abs().square().sum(), inputs)

    for one, exact in zip(twice(single), twice(double), strict=True):
        assert (one - exact).abs().max() <= 1e-4 * exact.abs().max()


def test_nan_stays_in_its_channel_and_sequence():
    (u, a, w, D), _ = in_both_precisions(2, 130, 20, 3)
    u = u.detach()
    u[1, 100, 7] = torch.nan
    bad = diagonal_conv(u, a, w, D).isnan()
    assert bad[1, 100:, 7].all()
    assert bad.sum() == 30


# By FFT


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    b=st.integers(1, 3),
    L=st.integers(1, 40),
    taps=st.integers(1, 50),
    d=st.integers(1, 7),
    block=st.sampled_from([1, 200, 1 << 18]),
)
def test_the_fft_equals_the_plain_convolution_in_result_and_gradients(b, L, taps, d, block):
    inputs = [signal(b, L, d), signal(1, taps, d)[0].T.detach().requires_grad_()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fft_module, "BLOCK", block)  # numbers in a block of channels: from one channel to all
        fast = result_and_gradients(fft_conv, *inputs)
    assert_equal(fast, result_and_gradients(causal_conv_direct, *inputs))


def test_the_fft_passes_gradcheck_once_and_twice():
    inputs = (signal(2, 6, 2), signal(1, 4, 2)[0].T.detach().requires_grad_())
    assert torch.autograd.gradcheck(fft_conv, inputs)
    assert torch.autograd.gradgradcheck(fft_conv, inputs)


@pytest.mark.parametrize("which", [0, 1])
def test_the_fft_gives_one_gradient_alone(which):
    inputs = [signal(2, 30, 3), signal(1, 30, 3)[0].T.detach().requires_grad_()]
    expected = result_and_gradients(fft_conv, *inputs)[1 + which]
    given = [value.detach().requires_grad_(i == which) for i, value in enumerate(inputs)]
    y = fft_conv(*given)
    g = torch.randn(y.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    assert_equal(torch.autograd.grad(y, given[which], g), [expected])


# The kernel


@every_kind
@settings(deadline=None, derandomize=True, max_examples=40)
@given(L=st.integers(1, 130), d=st.integers(1, 3), N=st.integers(1, 5), seed=st.integers(0, 99))
def test_the_kernel_equals_the_plain_one_in_result_and_gradients(kind, L, d, N, seed):
    log_A_bar, weights, _ = modes(d, N, kind, seed)

    def direct(a, w):
        return vandermonde_kernel_direct(a, w.to(a.dtype) if a.is_complex() else w, L)

    fast = result_and_gradients(lambda a, w: vandermonde(a, w, L), log_A_bar, weights)
    assert_equal(fast, result_and_gradients(direct, log_A_bar, weights))


@every_kind
def test_the_kernel_passes_gradcheck_once_and_twice(kind):
    inputs = modes(2, 2, kind)[:2]
    assert torch.autograd.gradcheck(lambda a, w: vandermonde(a, w, 5), inputs)
    assert torch.autograd.gradgradcheck(lambda a, w: vandermonde(a, w, 5), inputs)


def test_gradients_of_complex_arguments_are_ordinary_tensors():
    for function in (lambda a, w: vandermonde(a, w, 40), lambda a, w: diagonal_conv(signal(1, 40, 2), a, w)):
        inputs = modes(2, 3)[:2]
        for grad in torch.autograd.grad(function(*inputs).sum(), inputs):
            torch.view_as_real(grad)  # refuses a lazy conjugate


def test_weights_may_have_a_batch_that_the_modes_have_not():
    log_A_bar, weights, _ = modes(2, 3)
    batch = torch.stack([weights, 2 * weights, -weights]).detach()
    assert_equal([vandermonde(log_A_bar, batch, 20)], [torch.stack([vandermonde(log_A_bar, w, 20) for w in batch])])


def test_single_precision_kernel_is_right_to_half_a_millionth():
    torch.manual_seed(0)
    dt = torch.rand(16, 1) * 0.1 + 1e-3
    log_A_bar = dt * torch.complex(torch.full((16, 32), -0.5), torch.pi * torch.arange(32.0).expand(16, 32))
    weights = torch.randn(16, 32, dtype=torch.complex64)
    inputs = [value.detach().requires_grad_() for value in (log_A_bar, weights)]
    double = [value.detach().to(torch.complex128).requires_grad_() for value in inputs]
    for L in (1024, 16384):
        single = result_and_gradients(lambda a, w, L=L: vandermonde(a, w, L), *inputs)
        exact = result_and_gradients(lambda a, w, L=L: vandermonde_kernel_direct(a, w, L), *double)
        for one, reference in zip(single, exact, strict=True):
            assert (one - reference).abs().max() < 5e-7 * reference.abs().max()


# Mistakes


def mistakes():
    u, a, w, D = signal(2, 5, 3), *modes(3, 2)
    K = torch.ones(3, 5, dtype=torch.float64)
    return [
        (
            lambda: diagonal_conv(u.detach().numpy(), a, w),
            r"u must be a torch tensor; got ndarray. Use torch.as_tensor",
        ),
        (lambda: diagonal_conv(u.float(), a, w), "u must be torch.float64 on cpu like log_A_bar; got torch.float32"),
        (lambda: diagonal_conv(u[0], a, w), r"u must have shape \(b, L, d\), none of them 0; got \(5, 3\)"),
        (lambda: diagonal_conv(u[:, :0], a, w), r"got \(2, 0, 3\)"),
        (lambda: diagonal_conv(u[..., :2], a, w), r"shape \(d, N\) with d = 2 like u; got \(3, 2\) and \(3, 2\)"),
        (lambda: diagonal_conv(u, a, w[:, :1]), r"weights must be shaped like log_A_bar, \(3, 2\).*got \(3, 1\)"),
        (lambda: diagonal_conv(u, a, w[None]), r"with d = 3 like u; got \(3, 2\) and \(1, 3, 2\)"),
        (lambda: diagonal_conv(u, a.real, w), "weights may be complex only if log_A_bar is"),
        (lambda: diagonal_conv(u, a, w, D[:2]), r"D must have shape \(3,\)"),
        (lambda: diagonal_conv(u, a, w, D, chunk=0), "chunk must be a whole number, at least 1; got 0"),
        (lambda: diagonal_conv(u, a, w, D, chunk=2.0), "got 2.0"),
        (lambda: vandermonde([0.5], w, 3), "log_A_bar must be a torch tensor; got list"),
        (lambda: vandermonde(a, w, 0), "L must be a whole number, at least 1; got 0"),
        (lambda: vandermonde(a.to("meta"), w, 3), "weights is on cpu but log_A_bar on meta"),
        (lambda: fft_conv(u, [1.0]), "K must be a torch tensor; got list"),
        (lambda: fft_conv(u, K.to(torch.complex128)), "K must be float32 or float64; got torch.complex128"),
        (lambda: fft_conv(u, K[:2]), r"with the same d; got u \(2, 5, 3\) and K \(2, 5\)"),
        (lambda: fft_conv(u[:, :0], K), "empty signal"),
        (lambda: fft_conv(u, K.float()), "K is torch.float32 on cpu but u is torch.float64 on cpu; use K.to"),
    ]


@pytest.mark.parametrize("case", range(len(mistakes())))
def test_mistakes_are_one_clear_sentence(case):
    use, words = mistakes()[case]
    with pytest.raises(UserError, match=words):
        use()
