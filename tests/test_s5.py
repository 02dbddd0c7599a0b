"""S5 against routes that share no code with it: dense real systems, SciPy, the HiPPO matrix itself, and S4D."""

import itertools

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssm_teach.errors import UserError
from ssm_teach.hippo import nplr
from ssm_teach.layers import S4D, S5
from ssm_teach.layers.s5 import METHODS

every_method = pytest.mark.parametrize("method", METHODS)


def build(d=3, N=4, **options):
    torch.manual_seed(0)
    return S5(d, N, **({"dt_min": 0.02, "dt_max": 2.0, "dtype": torch.float64} | options))


def joined(pair):
    return pair[..., 0] + 1j * pair[..., 1]


def dense_system(layer):
    """The layer as a real discrete system of 2N states, from the raw parameters: a mode is a 2×2 rotation block.

    Each state has its own Δ, so time is counted in steps: the system is (ΔA, ΔB) with step 1.
    """
    p = {name: value.detach().numpy() for name, value in layer.named_parameters()}
    dt, real = np.exp(p["log_dt"]), -np.exp(p["log_neg_real"])
    blocks = [step * np.array([[re, -im], [im, re]]) for step, re, im in zip(dt, real, p["imag"], strict=True)]
    A = scipy.linalg.block_diag(*blocks)
    B = (dt[:, None, None] * p["B"].transpose(0, 2, 1)).reshape(len(A), -1)  # rows Re, Im of each state in turn
    C = 2 * (p["C"] * [1, -1]).reshape(-1, len(A))
    identity = np.eye(len(A))
    if layer.method == "zoh":
        m = B.shape[1]
        step = scipy.linalg.expm(np.block([[A, B], [np.zeros((m, len(A) + m))]]))
        return step[: len(A), : len(A)], step[: len(A), len(A) :], C
    inverse = np.linalg.inv(identity - A / 2)
    return inverse @ (identity + A / 2), inverse @ B, C


def legs(M):
    n = np.arange(M)
    return -np.tril(np.sqrt(np.outer(2 * n + 1, 2 * n + 1)), -1) - np.diag(n + 1.0)


@every_method
def test_kernel_is_C_times_dense_real_matrix_powers_times_B(method):
    layer, L = build(method=method), 40
    A_bar, B_bar, C = dense_system(layer)
    expected = [C @ np.linalg.matrix_power(A_bar, k) @ B_bar for k in range(L)]
    np.testing.assert_allclose(layer.kernel(L).detach().numpy(), expected, rtol=0, atol=1e-10)


@every_method
def test_output_is_the_dense_real_recurrence_plus_D_times_the_input(method):
    layer, u = build(method=method), torch.randn(1, 25, 3, dtype=torch.float64)
    A_bar, B_bar, C = dense_system(layer)
    x, y = np.zeros(len(A_bar)), layer(u)[0].detach().numpy()
    for k, u_k in enumerate(u[0].numpy()):
        x = A_bar @ x + B_bar @ u_k
        np.testing.assert_allclose(y[k], C @ x + layer.D.detach().numpy() * u_k, rtol=0, atol=1e-10)


def test_half_of_the_spectrum_stands_for_all_of_it():
    layer, u = build(), torch.randn(2, 50, 3, dtype=torch.float64)
    A_bar, B_bar = (value.detach().numpy() for value in layer.discretize())
    C, D = joined(layer.C).detach().numpy(), layer.D.detach().numpy()
    A_all, B_all, C_all = np.r_[A_bar, A_bar.conj()], np.r_[B_bar, B_bar.conj()], np.c_[C, C.conj()]
    x, y = np.zeros((2, 8), complex), []
    for u_k in u.numpy().swapaxes(0, 1):
        x = A_all * x + u_k @ B_all.T
        y.append(x @ C_all.T + D * u_k)
    y = np.stack(y, 1)
    scale = np.abs(y).max()
    assert np.abs(y.imag).max() <= 2e-15 * scale
    assert np.abs(layer(u).detach().numpy() - y.real).max() <= 2e-15 * scale


def test_doubling_a_real_eigenvalue_too_is_wrong():
    """Of an odd M, ω = 0 is its own conjugate; the layer only asks for even M, of which it keeps half."""
    M, rng = 5, np.random.default_rng(0)
    root = np.sqrt(2 * np.arange(M) + 1)
    S = legs(M) + 0.5 * np.outer(root, root) + 0.5 * np.eye(M)
    omega, V = np.linalg.eigh(-1j * S)
    assert np.sort(np.abs(omega))[0] < 1e-13
    B, C = rng.normal(size=(M, 1)), rng.normal(size=(1, M))
    A_bar = scipy.linalg.expm(0.1 * (S - 0.5 * np.eye(M)))
    truth = np.array([(C @ np.linalg.matrix_power(A_bar, k) @ B).item() for k in range(60)])
    weights = ((C @ V) * (V.conj().T @ B)[:, 0])[0]
    modes = weights * np.exp(0.1 * (-0.5 + 1j * omega)) ** np.arange(60)[:, None]
    once = np.where(omega > 1e-9, 2, np.where(omega < -1e-9, 0, 1))
    doubled = np.where(omega > -1e-9, 2, 0)
    assert np.abs((modes * once).sum(1).real - truth).max() < 2e-14
    real_mode = modes[:, M // 2].real  # counted once too often
    assert np.abs((modes * doubled).sum(1).real - truth - real_mode).max() < 2e-14
    assert np.abs(real_mode).max() > 0.01


# The start.


@pytest.mark.parametrize("blocks", [1, 2, 4])
def test_layer_starts_as_the_real_system_of_normal_legs_blocks(blocks):
    d, N, dt, L = 3, 8, 0.1, 30
    layer = build(d, N, blocks=blocks, dt_min=dt, dt_max=dt)
    M = 2 * N // blocks
    root = np.sqrt(2 * np.arange(M) + 1)
    A = scipy.linalg.block_diag(*[legs(M) + np.outer(root, root) / 2] * blocks)
    V = scipy.linalg.block_diag(*[nplr("legs", M)[3][:, : M // 2]] * blocks)
    B = 2 * (V @ joined(layer.B).detach().numpy()).real  # the real B whose V*B the layer holds
    C = 2 * (joined(layer.C).detach().numpy() @ V.conj().T).real
    step = scipy.linalg.expm(dt * np.block([[A, B], [np.zeros((d, 2 * N + d))]]))
    A_bar, B_bar = step[: 2 * N, : 2 * N], step[: 2 * N, 2 * N :]
    expected = [C @ np.linalg.matrix_power(A_bar, k) @ B_bar for k in range(L)]
    np.testing.assert_allclose(layer.kernel(L).detach().numpy(), expected, rtol=0, atol=1e-12)


def test_blocks_repeat_the_spectrum_of_a_smaller_matrix():
    layer = build(N=12, blocks=3)
    np.testing.assert_allclose(layer.A.detach().numpy(), np.tile(nplr("legs", 8)[0][:4], 3), rtol=1e-14)


def test_phases_of_the_eigenvectors_do_not_matter():
    layer, u = build(), torch.randn(2, 20, 3, dtype=torch.float64)
    before = layer(u)
    turn = torch.exp(1j * torch.tensor([0.3, 1.0, -2.0, 3.0], dtype=torch.float64))
    with torch.no_grad():
        layer.B.copy_(torch.view_as_real(turn.conj()[:, None] * torch.view_as_complex(layer.B)))
        layer.C.copy_(torch.view_as_real(torch.view_as_complex(layer.C) * turn))
    assert (layer(u) - before).abs().max() < 1e-13


def test_B_and_C_start_with_the_variance_of_real_weight_matrices():
    d, N = 100, 200
    layer = build(d, N, blocks=10)
    # V keeps lengths, and half of the length of a real vector is in half of the spectrum.
    assert layer.B.square().sum().item() == pytest.approx(0.5 * (2 * N * d) / d, rel=0.05)
    assert layer.C.square().sum().item() == pytest.approx(0.5 * (2 * N * d) / (2 * N), rel=0.05)
    assert layer.D.var().item() == pytest.approx(1, abs=0.4)


def test_steps_start_within_the_given_bounds_one_for_each_state():
    dt = torch.exp(S5(2, 1000, blocks=100, dt_min=0.01, dt_max=0.5).log_dt)
    assert dt.shape == (1000,)
    assert 0.01 * (1 - 1e-6) <= dt.min() < 0.012
    assert 0.4 < dt.max() <= 0.5 * (1 + 1e-6)


@every_method
@settings(max_examples=20, deadline=None, derandomize=True)
@given(scale=st.floats(0, 8), seed=st.integers(0, 1000))
def test_no_parameter_values_make_the_recurrence_unstable(method, scale, seed):
    layer = build(method=method)
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(scale * torch.randn_like(parameter))
    assert (layer.A.real < 0).all()
    assert (layer.discretize()[0].abs() <= 1).all()


# S4D is a special case.


def copied_from(s4d, s5, channels):
    """Give the S5 layer the states of all S4D channels, each driven and read by its own channel alone."""
    d, N = channels, s4d.N
    with torch.no_grad():
        s5.log_dt.copy_(s4d.log_dt.repeat_interleave(N))
        s5.log_neg_real.copy_(s4d.log_neg_real.flatten())
        s5.imag.copy_(s4d.imag.flatten())
        s5.D.copy_(s4d.D)
        s5.B.zero_()
        s5.C.zero_()
        for i in range(d):
            mine = slice(i * N, (i + 1) * N)
            s5.B[mine, i] = s4d.B[i]
            s5.C[i, mine] = s4d.C[i]
    return s5


@pytest.mark.parametrize(("channels", "method"), list(itertools.product([1, 3], METHODS)))
def test_a_bank_of_S4D_channels_is_an_S5_layer_with_diagonal_blocks(channels, method):
    torch.manual_seed(0)
    s4d = S4D(channels, 4, init="inv", method=method, dt_min=0.02, dt_max=1.0, dtype=torch.float64)
    with torch.no_grad():
        s4d.B.add_(torch.randn_like(s4d.B))
    s5 = copied_from(s4d, build(channels, 4 * channels, method=method), channels)
    u = torch.randn(2, 60, channels, dtype=torch.float64)
    assert (s5(u) - s4d(u)).abs().max() < 1e-12 * s4d(u).abs().max()


# Mistakes.


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"blocks": 3}, r"S5: blocks must be a whole number that divides N = 4, one of 1, 2, 4; got 3"),
        ({"blocks": 0}, "one of 1, 2, 4; got 0"),
        ({"blocks": -2}, "got -2"),
        ({"blocks": 2.0}, "got 2.0"),
        ({"blocks": True}, "got True"),
        ({"method": "bilinaer"}, r"S5: unknown method 'bilinaer'; choose one of zoh, bilinear \(did you mean bilinear"),
        ({"dt_min": 0.2}, "S5: .* 0 < dt_min ≤ dt_max; got dt_min=0.2, dt_max=0.1"),
        ({"dt_min": 0.0}, "got dt_min=0.0"),
        ({"dt_max": float("nan")}, "got dt_min=0.001, dt_max=nan"),
        ({"dt_max": float("inf")}, "dt_max=inf"),
    ],
)
def test_wrong_options_are_one_clear_sentence(options, words):
    with pytest.raises(UserError, match=words):
        S5(2, 4, **options)
