"""Kernels by three routes, and convolution by FFT: equal to the plain sums, for every length, in value and gradient."""

import math

import numpy as np
import pytest
import scipy.fft
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssm_teach.discretize import discretize
from ssm_teach.errors import UserError
from ssm_teach.kernels import (
    causal_conv,
    causal_conv_direct,
    circular_conv,
    powers_kernel,
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
