"""Kernels by three routes, and convolution by FFT: equal to the plain sums, for every length, in value and gradient."""

import math

import numpy as np
import pytest
import scipy.fft
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssm_teach import hippo
from ssm_teach.discretize import discretize
from ssm_teach.errors import UserError
from ssm_teach.kernels import (
    cauchy,
    cauchy_direct,
    causal_conv,
    causal_conv_direct,
    circular_conv,
    dense_kernel,
    dplr_dense,
    dplr_kernel,
    dplr_kernel_direct,
    dplr_spectrum,
    powers_kernel,
    truncated_readout,
    vandermonde_kernel,
    vandermonde_kernel_direct,
)

PRIMES = [2, 3, 31, 97, 127]


def signals(L, L_K=None, b=2, d=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(b, L, d)), rng.normal(size=(d, L_K or L))


def modes(shape=(3, 8), seed=0, dt=0.01):
    """ΔA and weights like S4D-Lin's: decay ½, frequencies πn."""
    rng = np.random.default_rng(seed)
    A = -0.5 + 1j * math.pi * np.arange(shape[-1])
    return np.broadcast_to(dt * A, shape).copy(), rng.normal(size=shape) + 1j * rng.normal(size=shape)


# Kernels


def test_powers_kernel_is_the_definition():
    rng = np.random.default_rng(0)
    A_bar, B_bar, C = 0.5 * rng.normal(size=(4, 4)), rng.normal(size=(4, 2)), rng.normal(size=(3, 4))
    K = powers_kernel(A_bar, B_bar, C, 9)
    assert K.shape == (9, 3, 2)
    for k in range(9):
        np.testing.assert_allclose(K[k], C @ np.linalg.matrix_power(A_bar, k) @ B_bar, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(powers_kernel(A_bar, B_bar[:, 0], C[1], 9), K[:, 1, 0], rtol=1e-12, atol=1e-14)


def test_a_diagonal_has_the_kernel_of_the_dense_matrix_that_carries_it():
    A_bar, weights = np.exp(modes((8,))[0]), modes((8,))[1]
    dense = powers_kernel(np.diag(A_bar), np.ones(8), weights, 50)
    np.testing.assert_allclose(powers_kernel(A_bar, np.ones(8), weights, 50), dense, atol=1e-13)


@pytest.mark.parametrize("L", [1, 2, 3, 4, 15, 16, 17, 100, 127, 1000, 4096])
def test_two_level_kernel_equals_the_direct_sum(L):
    dtA, weights = modes()
    K = vandermonde_kernel(dtA, weights, L)
    direct = vandermonde_kernel_direct(dtA, weights, L)
    assert K.shape == direct.shape == (3, L)
    assert K.dtype == np.float64
    np.testing.assert_allclose(K, direct, rtol=0, atol=1e-12 * np.abs(direct).max())


@settings(deadline=None, derandomize=True)
@given(L=st.integers(1, 300), N=st.integers(1, 6), seed=st.integers(0, 99), real=st.booleans())
def test_two_level_kernel_equals_the_direct_sum_for_any_size(L, N, seed, real):
    dtA, weights = modes((2, N), seed)
    if real:
        dtA, weights = -np.abs(dtA), weights.real
    direct = vandermonde_kernel_direct(dtA, weights, L)
    np.testing.assert_allclose(vandermonde_kernel(dtA, weights, L), direct, rtol=0, atol=1e-12 * np.abs(direct).max())


def test_vandermonde_kernel_is_the_kernel_of_the_system_with_both_halves_of_each_pair():
    rng = np.random.default_rng(4)
    A = -0.5 + 1j * math.pi * np.arange(1, 5)
    B, C = rng.normal(size=(2, 4)) + 1j * rng.normal(size=(2, 4))
    A_bar, B_bar = discretize(A, B, 0.02)
    both = [np.concatenate([M, M.conj()]) for M in (A_bar, B_bar, C)]
    K = powers_kernel(*both, 200)
    np.testing.assert_allclose(K.imag, 0, atol=1e-13)
    np.testing.assert_allclose(vandermonde_kernel(0.02 * A, C * B_bar, 200), K.real, rtol=0, atol=1e-13)


def test_real_modes_stand_for_themselves():
    A_bar, weights = np.array([0.9, 0.5]), np.array([1.0, -2.0])
    K = powers_kernel(A_bar, np.ones(2), weights, 20)
    np.testing.assert_allclose(vandermonde_kernel(np.log(A_bar), weights, 20), K, rtol=1e-13)


def test_torch_kernels_equal_numpy_kernels():
    dtA, weights = modes()
    for kernel in (vandermonde_kernel, vandermonde_kernel_direct):
        K = kernel(torch.tensor(dtA), torch.tensor(weights), 77)
        assert isinstance(K, torch.Tensor)
        np.testing.assert_allclose(K.numpy(), kernel(dtA, weights, 77), rtol=0, atol=1e-13)
    A_bar, C = np.exp(dtA[0]), weights[0]
    K = powers_kernel(torch.tensor(A_bar), torch.ones(8, dtype=torch.float64), torch.tensor(C), 9)
    np.testing.assert_allclose(K.numpy(), powers_kernel(A_bar, np.ones(8), C, 9), atol=1e-13)


@pytest.mark.parametrize("real", [False, True])
def test_gradients_of_both_kernels_are_correct_and_equal(real):
    dtA, weights = (torch.tensor(M.real if real else M) for M in modes((2, 3), dt=0.1))
    arguments = (dtA.requires_grad_(), weights.requires_grad_())
    probe = torch.randn(2, 21, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    gradients = []
    for kernel in (vandermonde_kernel, vandermonde_kernel_direct):
        assert torch.autograd.gradcheck(lambda a, w, kernel=kernel: kernel(a, w, 21), arguments)
        gradients.append(torch.autograd.grad((kernel(*arguments, 21) * probe).sum(), arguments))
    for fast, plain in zip(*gradients, strict=True):
        torch.testing.assert_close(fast, plain, rtol=1e-12, atol=1e-12)


def test_float32_kernel_keeps_its_phases_over_sixteen_thousand_steps():
    dtA, weights = modes((4, 32), dt=0.001)
    dtA, weights = dtA.astype(np.complex64), weights.astype(np.complex64)
    exact = vandermonde_kernel(dtA.astype(complex), weights.astype(complex), 16384)
    K = vandermonde_kernel(torch.tensor(dtA), torch.tensor(weights), 16384)
    assert K.dtype == torch.float32
    assert np.abs(K.numpy() - exact).max() < 5e-7 * np.abs(exact).max()


# Dense kernels, and diagonal plus low rank


def legs(N, dt, seed=0):
    """HiPPO-LegS with a random readout: the dense discrete system, and half of its DPLR form."""
    A, B = hippo.transition("legs", N)
    C = np.random.default_rng(seed).normal(size=N)
    Lambda, P, B_V, V = hippo.nplr("legs", N)
    half = [array[: N // 2] for array in (Lambda, P, B_V, C @ V)]
    return (*discretize(A, B, dt, "bilinear"), C), half


def random_dplr(shape=(2,), N=3, rank=1, seed=0):
    rng = np.random.default_rng(seed)
    Lambda = -np.exp(rng.normal(size=(*shape, N))) + 3j * rng.normal(size=(*shape, N))
    P, B, C = (rng.normal(size=(*shape, N, k)) + 1j * rng.normal(size=(*shape, N, k)) for k in (rank, 1, 1))
    return [Lambda, 0.7 * P, B[..., 0], C[..., 0]]


def close(K, expected, tolerance):
    np.testing.assert_allclose(K, expected, rtol=0, atol=tolerance * np.abs(expected).max())


@settings(deadline=None, derandomize=True)
@given(L=st.integers(1, 300), N=st.integers(1, 6), seed=st.integers(0, 99))
def test_dense_kernel_equals_the_powers(L, N, seed):
    rng = np.random.default_rng(seed)
    A_bar, B_bar, C = (rng.normal(size=(2, N, k))[..., 0] if k == 1 else rng.normal(size=(2, N, k)) for k in (N, 1, 1))
    A_bar = A_bar.reshape(2, N, N) / np.linalg.norm(A_bar.reshape(2, N, N), 2, axis=(1, 2))[:, None, None]
    K = dense_kernel(A_bar, B_bar, C, L)
    for channel in range(2):
        close(K[channel], powers_kernel(A_bar[channel], B_bar[channel], C[channel], L), 1e-12)


@pytest.mark.parametrize(("N", "L"), [(64, 4096), (64, 4095), (64, 1000), (16, 31), (4, 2), (2, 1)])
def test_dplr_kernel_equals_naive_powers_of_the_hippo_matrix(N, L):
    dense, half = legs(N, dt=1 / L)
    close(dplr_kernel(*half, 1 / L, L), powers_kernel(*dense, L), 1e-11)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(L=st.integers(1, 200), N=st.integers(1, 5), rank=st.integers(1, 3), seed=st.integers(0, 99))
def test_dplr_kernel_equals_its_plain_form_for_any_size_and_rank(L, N, rank, seed):
    system = random_dplr((2,), N, rank, seed)
    dt = np.array([0.01, 0.5])
    close(dplr_kernel(*system, dt, L), dplr_kernel_direct(*system, dt, L), 1e-9)


def test_plain_form_is_the_complex_system_of_both_halves():
    Lambda, P, B, C = (array[0] for array in random_dplr(N=4))
    Lambda, P, B, C = (np.concatenate([half, half.conj()]) for half in (Lambda, P, B, C))
    A_bar, B_bar = discretize(np.diag(Lambda) - P @ P.conj().T, B, 0.2, "bilinear")
    expected = powers_kernel(A_bar, B_bar, C, 30)
    np.testing.assert_allclose(expected.imag, 0, atol=1e-12)
    close(dplr_kernel_direct(Lambda[:4], P[:4], B[:4], C[:4], 0.2, 30), expected.real, 1e-12)


def test_a_correction_of_rank_two_is_the_legt_system():
    A, B = hippo.transition("legt", 6)
    C = np.random.default_rng(0).normal(size=6)
    Lambda, P, B_V, V = hippo.nplr("legt", 6)
    assert P.shape == (6, 2)
    half = [array[:3] for array in (Lambda, P, B_V, C @ V)]
    close(dplr_kernel(*half, 0.05, 77), powers_kernel(*discretize(A, B, 0.05, "bilinear"), C, 77), 1e-12)


@pytest.mark.parametrize("L", [8, 9, 64])
def test_without_the_truncated_readout_the_kernel_is_wrapped_around(L):
    dt = 0.2 / L  # ‖Ā^L‖ is about e^{−0.1}: nearly everything is still there when the circle closes
    _, half = legs(8, dt)
    wrapped = np.fft.irfft(dplr_spectrum(*half, dt, L), L)
    turns = dplr_kernel_direct(*half, dt, 300 * L).reshape(300, L)
    close(wrapped, turns.sum(0), 1e-10)
    assert np.abs(wrapped - turns[0]).max() > 0.1 * np.abs(turns[0]).max()


def test_truncated_readout_of_one_mode_is_one_minus_the_power():
    """Ā = 0.9 from a real pair: λ = 2 (0.9 − 1)/(0.9 + 1), and 1 / (1 − 0.9¹⁰) = 1.5353."""
    one, no_rank = np.ones(1), np.zeros((1, 1))
    C_tilde = truncated_readout(np.array([-0.2 / 1.9 + 0j]), no_rank, one, 1.0, 10)
    assert C_tilde[0] == pytest.approx(1 - 0.9**10)
    assert 1 / C_tilde[0].real == pytest.approx(1.5353, abs=5e-5)


def test_spectrum_at_minus_one_is_half_a_step_of_the_readout_times_B():
    Lambda, P, B, C = random_dplr(N=4)
    at_minus_one = dplr_spectrum(Lambda, P, B, C, 0.3, 12)[..., -1]
    np.testing.assert_allclose(at_minus_one, 0.3 / 2 * 2 * (C * B).sum(-1).real, rtol=1e-13)
    assert dplr_spectrum(Lambda, P, B, C, 0.3, 13).shape[-1] == 7  # no root of an odd order is −1


def test_spectrum_is_the_resolvent_at_every_root_of_unity():
    Lambda, P, B, C = random_dplr((), N=3, rank=2)
    A, B_real, C_real = dplr_dense(Lambda, P, B, C)
    A_bar, B_bar = discretize(A, B_real, 0.1, "bilinear")
    for L in (6, 7):
        z = np.exp(-2j * np.pi * np.arange(L // 2 + 1) / L)
        expected = [C_real @ np.linalg.solve(np.eye(6) - A_bar * z_j, B_bar) for z_j in z]
        np.testing.assert_allclose(dplr_spectrum(Lambda, P, B, C, 0.1, L), expected, rtol=1e-12)


def test_blocks_of_cauchy_sums_equal_the_direct_sums_in_value_and_gradient():
    generator = torch.Generator().manual_seed(0)
    weights, poles = (
        torch.randn(*shape, dtype=torch.complex128, generator=generator).requires_grad_()
        for shape in ((3, 2, 500), (3, 500))
    )
    nodes = torch.arange(1000) * 0.01j + 5.0
    gradients = []
    for sums in (cauchy, cauchy_direct):
        total = sums(weights, poles, nodes, torch.ones(1000)).abs().square().sum()
        gradients.append((total.detach()[None], *torch.autograd.grad(total, (weights, poles))))
    for blocks, direct in zip(*gradients, strict=True):
        torch.testing.assert_close(blocks, direct, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("L", [1, 6, 7])
def test_gradients_of_dplr_kernels_are_correct_and_equal(L):
    system = [torch.tensor(array).requires_grad_() for array in random_dplr()]
    dt = torch.tensor([0.1, 0.4], dtype=torch.float64).requires_grad_()
    probe = torch.randn(2, L, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.autograd.gradcheck(lambda *arguments: dplr_kernel(*arguments, L), (*system, dt))
    fast, plain = (
        torch.autograd.grad((kernel(*system, dt, L) * probe).sum(), (*system, dt))
        for kernel in (dplr_kernel, dplr_kernel_direct)
    )
    for one, other in zip(fast, plain, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_torch_and_float32_give_the_same_dplr_kernel():
    _, half = legs(32, dt=1e-3)
    exact = dplr_kernel(*half, 1e-3, 2000)
    close(dplr_kernel(*map(torch.tensor, half), 1e-3, 2000).numpy(), exact, 1e-12)
    single = [torch.tensor(array).to(torch.complex64) for array in half]
    K = dplr_kernel(*single, 1e-3, 2000)
    assert K.dtype == torch.float32
    close(K.numpy(), exact, 2e-6)  # Λ itself is rounded to seven digits


# Convolution


@settings(deadline=None, derandomize=True)
@given(L=st.integers(1, 130), L_K=st.integers(1, 130), seed=st.integers(0, 99))
def test_fft_convolution_equals_the_direct_sum(L, L_K, seed):
    u, K = signals(L, L_K, seed=seed)
    np.testing.assert_allclose(causal_conv(u, K), causal_conv_direct(u, K), atol=1e-12)


@pytest.mark.parametrize("L", [1, *PRIMES])
def test_both_convolutions_equal_numpys(L):
    u, K = signals(L)
    expected = np.convolve(u[1, :, 2], K[2])[:L]
    for conv in (causal_conv, causal_conv_direct):
        assert conv(u, K).shape == u.shape
        np.testing.assert_allclose(conv(u, K)[1, :, 2], expected, atol=1e-13)
        np.testing.assert_allclose(conv(u[1, :, 2], K[2]), expected, atol=1e-13)
        np.testing.assert_allclose(conv(torch.tensor(u), torch.tensor(K))[1, :, 2].numpy(), expected, atol=1e-13)


@settings(deadline=None, derandomize=True)
@given(L=st.integers(2, 64))
def test_padding_to_twice_the_length_less_one_is_the_least_that_works(L):
    u, K = np.ones(L), np.ones(L)
    expected = np.arange(1.0, L + 1)
    np.testing.assert_allclose(circular_conv(u, K, n_fft=2 * L - 1), expected, atol=1e-11)
    wrong = circular_conv(u, K, n_fft=max(L, 2 * L - 2))
    assert wrong[0] == pytest.approx(2)  # the last sample of the tail came round
    np.testing.assert_allclose(wrong[1:], expected[1:], atol=1e-11)


@settings(deadline=None, derandomize=True)
@given(L=st.integers(1, 60), pad=st.integers(0, 70))
def test_what_runs_over_the_end_comes_back_at_the_start(L, pad):
    u, K = signals(L)
    u, K = u[0, :, 0], K[0]
    full, wrapped = np.convolve(u, K), np.zeros(L + pad)
    for k, value in enumerate(full):
        wrapped[k % (L + pad)] += value
    np.testing.assert_allclose(circular_conv(u, K, n_fft=L + pad), wrapped[:L], atol=1e-12)


def test_the_last_sample_leaks_into_the_first_without_padding():
    u, K = np.eye(64)[63], 0.9 ** np.arange(64)
    assert circular_conv(u, K)[0] == pytest.approx(0.9)
    assert causal_conv(u, K)[0] == pytest.approx(0, abs=1e-15)


def test_the_future_does_not_reach_the_past():
    u, K = (torch.tensor(array) for array in signals(33))
    jacobian = torch.autograd.functional.jacobian(lambda u: causal_conv(u, K)[0, :, 0], u)[:, 0, :, 0]
    torch.testing.assert_close(jacobian.triu(1), torch.zeros(33, 33, dtype=torch.float64), rtol=0, atol=1e-14)
    torch.testing.assert_close(jacobian.diagonal(), K[0, 0].expand(33), rtol=0, atol=1e-14)


@pytest.mark.parametrize(("L", "L_K"), [(1, 1), (7, 7), (6, 3), (3, 6)])
def test_gradients_of_every_convolution(L, L_K):
    u, K = (torch.tensor(array).requires_grad_() for array in signals(L, L_K))
    for conv in (causal_conv, causal_conv_direct, circular_conv):
        assert torch.autograd.gradcheck(conv, (u, K))


def test_fft_error_is_absolute():
    """A late, small output drowns in the rounding of an early, large one; the sum over taps keeps it."""
    u = np.zeros(4096, np.float32)
    u[0], u[2000] = 1e6, 1
    K = (0.9 ** np.arange(4096)).astype(np.float32)
    u, K = torch.tensor(u), torch.tensor(K)
    assert 1e-5 < abs(causal_conv(u, K)[2000] - 1) < 0.5
    assert causal_conv_direct(u[:2001], K)[2000] == 1


def test_float32_stays_float32():
    u, K = (torch.tensor(array, dtype=torch.float32) for array in signals(20))
    for conv in (causal_conv, causal_conv_direct, circular_conv):
        assert conv(u, K).dtype == torch.float32


def test_the_fft_length_is_a_fast_one():
    lengths = []
    rfft = torch.fft.rfft
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.fft, "rfft", lambda x, n: lengths.append(n) or rfft(x, n))
        causal_conv(*(torch.tensor(array) for array in signals(127)))
    assert lengths == [scipy.fft.next_fast_len(253, real=True)] * 2


# What the user gets told

A_BAR, ONES = 0.5 * np.eye(2), np.ones(2)
SENTENCES = {
    "A oblong": (lambda: powers_kernel(np.ones((2, 3)), ONES, ONES, 4), r"A_bar must be square .* got shape \(2, 3\)"),
    "B rows": (lambda: powers_kernel(A_BAR, np.ones(3), ONES, 4), r"B_bar must have shape .* N = 2 .* got shape \(3,"),
    "C columns": (lambda: powers_kernel(A_BAR, ONES, np.ones(3), 4), r"C must have shape .* N = 2 .* got shape \(3,"),
    "mixed": (lambda: powers_kernel(A_BAR, torch.ones(2), ONES, 4), "must come from one library"),
    "L zero": (lambda: powers_kernel(A_BAR, ONES, ONES, 0), "powers_kernel: L must be a whole number ≥ 1; got 0"),
    "L a fraction": (lambda: vandermonde_kernel(ONES, ONES, 2.5), r"L must be a whole number ≥ 1; got 2\.5"),
    "modes": (lambda: vandermonde_kernel(ONES, np.ones((3, 2)), 4), r"one shape \(…, N\); got \(2,\) and \(3, 2\)"),
    "dense": (lambda: dense_kernel(np.ones((2, 3)), ONES, ONES, 4), r"A_bar must be square \(…, N, N\); got .*2, 3"),
    "dense C": (lambda: dense_kernel(A_BAR, ONES, np.ones(3), 4), r"C must have shape \(…, N\) with N = 2 .* got \(3,"),
    "P a vector": (lambda: dplr_kernel(ONES, ONES, ONES, ONES, 1, 4), r"P must have .* with N = 2.* P\[\.\.\., None"),
    "DPLR C": (lambda: dplr_kernel(ONES, A_BAR, ONES, np.ones(3), 1, 4), r"C must have shape \(…, N\) with N = 2 .*3,"),
    "DPLR steps": (lambda: dplr_kernel(np.ones((3, 2)), A_BAR, ONES, ONES, ONES, 4), r"broadcast together; .* dt \(2,"),
    "DPLR mixed": (lambda: dplr_spectrum(ONES, A_BAR, ONES, torch.ones(2), 1, 4), "must come from one library"),
    "DPLR L": (lambda: truncated_readout(ONES, A_BAR, ONES, 1, 0), "truncated_readout: L must be a whole number ≥ 1"),
    "ranks": (lambda: causal_conv(np.ones((1, 4, 2)), ONES), r"u \(b, L, d\) with K \(d, L\); got u \(1, 4, 2\) and K"),
    "channels": (lambda: causal_conv(np.ones((1, 4, 2)), np.ones((3, 4))), r"the same d; got u \(1, 4, 2\) and K"),
    "complex": (lambda: causal_conv(ONES, 1j * ONES), "causal_conv: K must be real; take its real part"),
    "empty": (lambda: causal_conv_direct([], ONES), "causal_conv_direct: empty signal"),
    "mixed signals": (lambda: circular_conv(ONES, torch.ones(2)), "u and K must come from one library"),
    "circle": (lambda: circular_conv(ONES, ONES, n_fft=1), "n_fft must be a whole number ≥ 2, .*; got 1"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", SENTENCES)
def test_a_mistake_is_answered_in_one_sentence(mistake):
    call, sentence = SENTENCES[mistake]
    with pytest.raises(UserError, match=sentence) as caught:
        call()
    assert "\n" not in str(caught.value)
