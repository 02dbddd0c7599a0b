"""Discretisation: SciPy's matrices, exact where theory says exact, stable where it says stable, accurate near zero."""

import math

import mpmath
import numpy as np
import pytest
import scipy.integrate
import scipy.signal
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssm_teach.discretize import (
    METHODS,
    backward_euler,
    bilinear,
    discretize,
    discretize_diagonal,
    euler,
    foh,
    gbt,
    phi1,
    zoh,
)
from ssm_teach.errors import UserError

ALL_METHODS = [("gbt", alpha) for alpha in (0.0, 0.3, 0.5, 1.0)] + [(name, None) for name in METHODS if name != "gbt"]
ALPHA = {"euler": 0.0, "bilinear": 0.5, "backward_euler": 1.0}
DOUBLE_INTEGRATOR = np.array([[0.0, 1.0], [0.0, 0.0]])

every_method = pytest.mark.parametrize(("method", "alpha"), ALL_METHODS)
left_half_plane = st.builds(complex, st.floats(-1e3, -1e-3), st.floats(-1e3, 1e3))


def random_system(N=4, m=2, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(N, N)), rng.normal(size=(N, m))


def scipy_matrices(A, B, dt, method, alpha):
    names = {"backward_euler": "backward_diff"}
    C, D = np.eye(len(A)), np.zeros(B.shape)
    return scipy.signal.cont2discrete((A, B, C, D), dt, names.get(method, method), alpha)[:2]


def integrate(A, B, x, dt, u):
    """The state after dt under the input u(t), by an explicit Runge–Kutta method of order eight."""
    slope = lambda t, x: A @ x + B @ np.atleast_1d(u(t))  # noqa: E731
    return scipy.integrate.solve_ivp(slope, (0, dt), x, method="DOP853", rtol=1e-13, atol=1e-14).y[:, -1]


def tensor(values):
    return torch.tensor(values, dtype=torch.complex128 if np.iscomplexobj(values) else torch.float64)


# Against SciPy, and the forms against each other


@every_method
@pytest.mark.parametrize("dt", [1e-3, 0.1, 2.0])
def test_dense_matrices_equal_scipys(method, alpha, dt):
    A, B = random_system()
    for ours, theirs in zip(discretize(A, B, dt, method, alpha), scipy_matrices(A, B, dt, method, alpha), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-14)


@every_method
@pytest.mark.parametrize("shape", [(4,), (4, 2)])
def test_a_diagonal_equals_the_dense_matrix_that_carries_it(method, alpha, shape):
    rng = np.random.default_rng(1)
    A, B = rng.normal(size=4) - 1 + 5j * rng.normal(size=4), rng.normal(size=shape)
    A_bar, B_bar = discretize(A, B, 0.1, method, alpha)
    dense_A, dense_B = discretize(np.diag(A), B, 0.1, method, alpha)
    assert A_bar.shape == A.shape
    assert B_bar.shape == dense_B.shape == B.shape
    np.testing.assert_allclose(np.diag(A_bar), dense_A, atol=1e-14)
    np.testing.assert_allclose(B_bar, dense_B, atol=1e-14)


@every_method
@pytest.mark.parametrize("diagonal", [False, True])
def test_torch_equals_numpy(method, alpha, diagonal):
    A, B = random_system()
    A = A[0] + 1j * A[1] if diagonal else A
    for ours, theirs in zip(
        discretize(tensor(A), tensor(B), 0.1, method, alpha), discretize(A, B, 0.1, method, alpha), strict=True
    ):
        assert isinstance(ours, torch.Tensor)
        np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-14)


def test_first_order_hold_in_torch_equals_numpy():
    A, B = random_system()
    for ours, theirs in zip(foh(tensor(A), tensor(B), 0.1), foh(A, B, 0.1), strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-14)


@pytest.mark.parametrize(("method", "alpha"), [(euler, 0.0), (bilinear, 0.5), (backward_euler, 1.0)])
def test_the_named_methods_are_the_generalised_bilinear_transform(method, alpha):
    A, B = random_system()
    for ours, general in zip(method(A, B, 0.1), gbt(A, B, 0.1, alpha), strict=True):
        np.testing.assert_allclose(ours, general, atol=1e-15)


@every_method
def test_layers_broadcast_one_step_a_channel(method, alpha):
    rng = np.random.default_rng(2)
    A, B = -rng.random((3, 5)) + 1j * rng.normal(size=(3, 5)), rng.normal(size=(3, 5))
    dt = np.array([[0.01], [0.1], [1.0]])
    A_bar, B_bar = discretize_diagonal(A, B, dt, method, alpha)
    for c in range(3):
        one_A, one_B = discretize(A[c], B[c], dt[c, 0], method, alpha)
        np.testing.assert_allclose(A_bar[c], one_A, atol=1e-15)
        np.testing.assert_allclose(B_bar[c], one_B, atol=1e-15)


# Exactness


@pytest.mark.parametrize(
    "A",
    [[[0.0, 1.0], [-9.0, -0.2]], [[0.0, 1.0], [0.0, 0.0]], [[-1.0, 4.0], [0.0, -1.0]]],
    ids=["oscillator", "0", "Jordan"],
)
def test_zoh_is_exact_for_piecewise_constant_input(A):
    A, B, dt, x = np.array(A), np.array([[1.0, 0.5], [0.0, 1.0]]), 0.3, np.array([1.0, -1.0])
    A_bar, B_bar = zoh(A, B, dt)
    exact = x
    for u in np.random.default_rng(3).normal(size=(6, 2)):
        x, exact = A_bar @ x + B_bar @ u, integrate(A, B, exact, dt, lambda t, u=u: u)
    np.testing.assert_allclose(x, exact, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("A", [[[0.0, 1.0], [-9.0, -0.2]], [[0.0, 1.0], [0.0, 0.0]]], ids=["oscillator", "0"])
def test_foh_is_exact_for_piecewise_linear_input(A):
    A, B, dt, x = np.array(A), np.array([[1.0, 0.5], [0.0, 1.0]]), 0.3, np.array([1.0, -1.0])
    A_bar, B0, B1 = foh(A, B, dt)
    exact, u = x, np.random.default_rng(3).normal(size=(7, 2))
    for k in range(6):
        x = A_bar @ x + B0 @ u[k] + B1 @ u[k + 1]
        exact = integrate(A, B, exact, dt, lambda t, k=k: u[k] + (u[k + 1] - u[k]) * t / dt)
    np.testing.assert_allclose(x, exact, rtol=1e-11, atol=1e-11)


def test_first_order_hold_weights_of_a_scalar_system():
    a, b, dt = -3.0, 2.0, 0.25
    z = mpmath.mpf(a * dt)
    A_bar, B0, B1 = foh([[a]], [b], dt)
    np.testing.assert_allclose(A_bar, [[float(mpmath.exp(z))]], rtol=1e-15)
    np.testing.assert_allclose(B0, [float(b * dt * (1 + (z - 1) * mpmath.exp(z)) / z**2)], rtol=1e-14)
    np.testing.assert_allclose(B1, [float(b * dt * (mpmath.exp(z) - 1 - z) / z**2)], rtol=1e-14)


def test_holds_of_the_double_integrator():
    A_bar, B_bar = zoh(DOUBLE_INTEGRATOR, [0.0, 1.0], 0.5)
    np.testing.assert_allclose(A_bar, [[1, 0.5], [0, 1]], atol=1e-16)
    np.testing.assert_allclose(B_bar, [0.125, 0.5], atol=1e-16)
    _, B0, B1 = foh(DOUBLE_INTEGRATOR, [0.0, 1.0], 0.5)  # ∫∫ of the falling and of the rising ramp
    np.testing.assert_allclose(B0, [0.5**2 / 3, 0.25], atol=1e-16)
    np.testing.assert_allclose(B1, [0.5**2 / 6, 0.25], atol=1e-16)


def test_zoh_of_the_oscillator_and_of_a_jordan_block():
    omega, rate, dt = 3.0, 1.5, 0.4
    _, B_bar = zoh([[0.0, 1.0], [-(omega**2), 0.0]], [0.0, 1.0], dt)
    np.testing.assert_allclose(B_bar, [(1 - math.cos(omega * dt)) / omega**2, math.sin(omega * dt) / omega], rtol=1e-14)
    _, B_bar = zoh([[-rate, 1.0], [0.0, -rate]], [0.0, 1.0], dt)
    decay = math.exp(-rate * dt)
    np.testing.assert_allclose(B_bar, [(1 - decay * (1 + rate * dt)) / rate**2, (1 - decay) / rate], rtol=1e-14)


def test_what_each_method_does_to_the_energy_of_an_undamped_oscillator():
    omega, dt = 3.0, 0.4
    A, growth = np.array([[0.0, 1.0], [-(omega**2), 0.0]]), (omega * dt) ** 2
    expected = {"euler": 1 + growth, "backward_euler": 1 / (1 + growth), "bilinear": 1, "zoh": 1}
    for method, determinant in expected.items():
        assert np.linalg.det(discretize(A, [0.0, 1.0], dt, method)[0]) == pytest.approx(determinant, rel=1e-13)


def test_leading_error_of_each_method():
    a, dt = -2.0, 1e-3
    z = a * dt
    leading = {"euler": z**2 / 2, "backward_euler": -(z**2) / 2, "bilinear": -(z**3) / 12}
    for method, error in leading.items():
        with mpmath.workdps(40):
            A_bar = discretize_diagonal(a, 1.0, dt, method)[0]
            alpha = mpmath.mpf(ALPHA[method])
            exact = (1 + (1 - alpha) * mpmath.mpf(z)) / (1 - alpha * mpmath.mpf(z))
            assert float(A_bar) == pytest.approx(float(exact), rel=1e-15)
            assert float(mpmath.exp(mpmath.mpf(z)) - exact) == pytest.approx(error, rel=5e-3)


def test_gates_are_discretised_leaky_integrators():
    z = np.linspace(-4, 4, 9)
    gate = 1 / (1 + np.exp(-z))
    for dt, method in ((np.log1p(np.exp(z)), "zoh"), (np.exp(z), "backward_euler")):
        A_bar, B_bar = discretize_diagonal(-1.0, 1.0, dt, method)
        np.testing.assert_allclose(A_bar, 1 - gate, rtol=1e-13)
        np.testing.assert_allclose(B_bar, gate, rtol=1e-13)


# Stability


@settings(deadline=None, derandomize=True)
@given(w=st.builds(complex, st.floats(-50, 50), st.floats(-50, 50)), alpha=st.floats(0, 1))
def test_stability_identity(w, alpha):
    """1 − |Ā|² = (−2 Re w + (2α−1)|w|²)/|1−αw|², and 1/(1−αw) is B̄ at Δ = b = 1."""
    if abs(1 - alpha * w) < 1e-3:
        return
    A_bar, B_bar = discretize_diagonal(np.array(w), 1.0, 1.0, "gbt", alpha)
    left = 1 - abs(A_bar) ** 2
    right = (-2 * w.real + (2 * alpha - 1) * abs(w) ** 2) * abs(B_bar) ** 2
    assert left == pytest.approx(right, rel=1e-9, abs=1e-12 * (1 + abs(A_bar) ** 2 + abs(w * B_bar) ** 2))


@settings(deadline=None, derandomize=True)
@given(a=left_half_plane, dt=st.floats(1e-4, 10), alpha=st.floats(0.5, 1))
def test_left_half_plane_goes_into_the_disc_of_alpha(a, dt, alpha):
    A_bar = discretize_diagonal(np.array(a), 1.0, dt, "gbt", alpha)[0]
    assert abs(A_bar - (1 - 1 / (2 * alpha))) <= 1 / (2 * alpha) * (1 + 1e-14)
    assert abs(A_bar) <= 1


@settings(deadline=None, derandomize=True)
@given(a=left_half_plane, dt=st.floats(1e-4, 10))
def test_zoh_keeps_a_stable_system_stable(a, dt):
    assert abs(discretize_diagonal(np.array(a), 1.0, dt, "zoh")[0]) < 1


@settings(deadline=None, derandomize=True)
@given(alpha=st.floats(0, 0.49))
def test_below_one_half_some_stable_system_becomes_unstable(alpha):
    a = -1e-3 + 1j  # slow decay, fast turn
    assert abs(discretize_diagonal(np.array(a), 1.0, 1.0, "gbt", alpha)[0]) > 1


@pytest.mark.parametrize(("n", "limit"), [(0, 4.0), (1, 0.09882), (31, 1.054e-4)])
def test_largest_stable_step_of_forward_euler(n, limit):
    a = np.array([-0.5 + 1j * math.pi * n])
    exact = 2 * abs(a.real[0]) / abs(a[0]) ** 2
    assert exact == pytest.approx(limit, rel=5e-4)
    assert abs(discretize(a, [1.0], exact * (1 - 1e-6), "euler")[0][0]) < 1
    assert abs(discretize(a, [1.0], exact * (1 + 1e-6), "euler")[0][0]) > 1


def test_backward_euler_can_hide_an_unstable_system():
    np.testing.assert_allclose(discretize([[1.0]], [1.0], 3.0, "backward_euler")[0], [[-0.5]])


# Near zero


@settings(deadline=None, derandomize=True)
@given(
    magnitude=st.floats(-300, 1),
    angle=st.floats(-math.pi, math.pi) | st.sampled_from([0.0, math.pi, math.pi / 2]),
)
def test_phi1_is_accurate_for_every_size_and_angle(magnitude, angle):
    z = 10**magnitude * complex(math.cos(angle), math.sin(angle))
    with mpmath.workdps(340):
        exact = complex(mpmath.expm1(mpmath.mpc(z)) / mpmath.mpc(z))
    size = max(abs(exact), 1 / max(1, abs(z)))  # e^z − 1 has zeros on the imaginary axis, 2πi apart
    assert abs(phi1(np.array(z)) - exact) <= 6e-16 * size
    assert abs(complex(phi1(tensor(z))) - exact) <= 6e-16 * size


def test_series_and_quotient_of_phi1_meet_without_a_seam():
    z = np.multiply.outer(np.linspace(0.4, 0.6, 21), np.exp(1j * np.linspace(-np.pi, np.pi, 13))).ravel()
    exact = [complex(mpmath.expm1(mpmath.mpc(z_n)) / mpmath.mpc(z_n)) for z_n in z]
    np.testing.assert_allclose(phi1(z), exact, rtol=6e-16)


@settings(deadline=None, derandomize=True)
@given(magnitude=st.floats(-300, 1), sign=st.sampled_from([-1.0, 1.0]))
def test_phi1_of_a_real_number_is_correct_to_the_last_digits(magnitude, sign):
    z = sign * 10**magnitude
    with mpmath.workdps(340):
        exact = float(mpmath.expm1(mpmath.mpf(z)) / mpmath.mpf(z))
    assert float(phi1(z)) == pytest.approx(exact, rel=5e-16)


def test_the_subtraction_that_phi1_avoids():
    a, dt = -1e-10, 0.01
    exact = 0.01 * (1 - 0.5e-12)
    assert abs((math.exp(a * dt) - 1) / a - exact) > 1e-7  # the textbook quotient
    assert discretize(np.array([a]), [1.0], dt)[1][0] == pytest.approx(exact, rel=1e-15)


def test_phi1_at_zero_and_its_slope():
    for dtype in (torch.float32, torch.float64, torch.complex64, torch.complex128):
        z = torch.zeros(1, dtype=dtype, requires_grad=True)
        value = phi1(z)
        value.real.sum().backward()
        assert (value.item(), z.grad.item()) == (1, 0.5)


# Gradients

NEAR_ZERO = [0.0, 1e-12, -1e-6, -0.4999999, -0.5000001, -3.0]


def test_phi1_has_correct_first_and_second_derivatives():
    real = torch.tensor(NEAR_ZERO, dtype=torch.float64, requires_grad=True)
    turned = (torch.tensor(NEAR_ZERO, dtype=torch.complex128) * np.exp(0.7j)).requires_grad_()
    for z in (real, turned):
        assert torch.autograd.gradcheck(phi1, (z,))
        assert torch.autograd.gradgradcheck(phi1, (z,))


@pytest.mark.parametrize("size", [1e-1, 1e-4, 1e-7, 1e-10, 1e-13])
def test_slope_of_phi1_keeps_its_digits_towards_zero(size):
    z = torch.tensor([-size], dtype=torch.float64, requires_grad=True)
    phi1(z).backward()
    with mpmath.workdps(60):
        x = mpmath.mpf(-size)
        slope = float((mpmath.exp(x) - mpmath.expm1(x) / x) / x)
    assert z.grad.item() == pytest.approx(slope, rel=1e-15)


@every_method
@pytest.mark.parametrize("zero", [True, False])
def test_gradients_of_the_dense_methods(method, alpha, zero):
    A, B = random_system(N=3)
    arguments = [tensor(A * (not zero)), tensor(B), tensor(0.3)]
    for argument in arguments:
        argument.requires_grad_()
    assert torch.autograd.gradcheck(lambda A, B, dt: discretize(A, B, dt, method, alpha), arguments)


@every_method
def test_gradients_of_the_diagonal_methods_at_and_near_zero(method, alpha):
    A = torch.tensor([*NEAR_ZERO, -1 + 2j], dtype=torch.complex128, requires_grad=True)
    B = torch.randn(7, 2, dtype=torch.complex128, generator=torch.Generator().manual_seed(0), requires_grad=True)
    dt = tensor(0.3).requires_grad_()
    assert torch.autograd.gradcheck(lambda A, B, dt: discretize(A, B, dt, method, alpha), (A, B, dt))


def test_gradients_of_the_first_order_hold():
    A, B = (tensor(M).requires_grad_() for M in random_system(N=3))
    assert torch.autograd.gradcheck(foh, (A, B, tensor(0.3).requires_grad_()))


# Kinds


@every_method
@pytest.mark.parametrize("diagonal", [False, True])
def test_the_dtype_is_kept(method, alpha, diagonal):
    A, B = (np.ones(2), np.ones(2)) if diagonal else (np.eye(2), np.ones((2, 1)))
    for dtype in (np.float32, np.float64, np.complex64, np.complex128):
        for step in (0.1, np.float64(0.1), np.array(0.1)):
            for result in discretize(-A.astype(dtype), B.astype(dtype), step, method, alpha):
                assert result.dtype == dtype
        for step in (0.1, np.float64(0.1), torch.tensor(0.1, dtype=torch.float64)):
            for result in discretize(
                torch.tensor(-A.astype(dtype)), torch.tensor(B.astype(dtype)), step, method, alpha
            ):
                assert result.numpy().dtype == dtype


def test_whole_numbers_become_float64_and_complex_is_never_dropped():
    assert [M.dtype for M in discretize([[0, 1], [0, 0]], [0, 1], 1)] == [np.float64] * 2
    A_bar, B_bar = discretize(np.array([-1.0]), np.array([1j]), 0.1)
    assert A_bar.dtype == B_bar.dtype == np.complex128
    assert B_bar[0].imag == pytest.approx(1 - math.exp(-0.1))


# What the user gets told

A, B = -np.eye(2), [1.0, 1.0]
SENTENCES = {
    "unknown method": (lambda: discretize(A, B, 0.1, "bilinaer"),
     r"discretize: unknown method 'bilinaer'; choose one of zoh, bilinear, .* \(did you mean bilinear\?\)"),
    "foh": (lambda: discretize(A, B, 0.1, "foh"), r"no single B̄; use StateSpace\.discretize\(dt, 'foh'\)"),
    "alpha missing": (lambda: discretize(A, B, 0.1, "gbt"), "discretize: method 'gbt' needs alpha"),
    "alpha out of place": (lambda: discretize(A, B, 0.1, "zoh", 0.5), "alpha belongs to method 'gbt' alone"),
    "alpha outside": (lambda: gbt(A, B, 0.1, 1.5), r"gbt: alpha must be a number with 0 ≤ alpha ≤ 1; got 1\.5"),
    "alpha a word": (lambda: gbt(A, B, 0.1, "half"), "alpha must be a number"),
    "A oblong": (lambda: discretize(np.ones((2, 3)), [1, 1], 0.1), r"A must be square .* got shape \(2, 3\)"),
    "A empty": (lambda: discretize(np.ones(0), [], 0.1), r"A must be square .* got shape \(0,\)"),
    "A diagonal": (lambda: zoh(-np.ones(2), [1, 1], 0.1), r"zoh: A must be dense, \(N, N\); .* call discretize"),
    "A words": (lambda: discretize([["a"]], [1], 0.1), "A must be an array of numbers"),
    "A ragged": (lambda: discretize([[1], [1, 2]], [1], 0.1), "A must be an array of numbers"),
    "A NaN": (lambda: discretize(np.array([[np.nan]]), [1], 0.1), "A must be finite"),
    "B rows": (lambda: discretize(-np.eye(2), [1, 1, 1], 0.1), r"B must have shape .* N = 2 like A; got shape \(3,\)"),
    "B infinite": (lambda: discretize(-torch.eye(1), torch.tensor([math.inf]), 0.1), "B must be finite"),
    "dt zero": (lambda: discretize(A, B, 0), "dt must be positive and finite; got 0"),
    "dt negative": (lambda: euler(A, B, -0.1), r"euler: dt must be positive and finite; got -0\.1"),
    "dt NaN": (lambda: discretize(-torch.eye(1), torch.ones(1), torch.tensor(math.nan)), "dt must be positive"),
    "dt a word": (lambda: discretize(A, B, "0.1"), "dt must be a positive number; got '0.1'"),
    "dt complex": (lambda: discretize(A, B, 1j), "dt must be a positive number"),
    "dt an array": (lambda: discretize(A, B, [0.1, 0.2]), r"one number; got shape \(2,\)\. See"),
    "dt a tensor": (lambda: discretize(A, B, torch.tensor(0.1)), r"dt is a tensor but A is NumPy"),
    "mixed": (lambda: discretize(-np.eye(2), torch.ones(2), 0.1), "A and B must come from one library"),
    "mixed layers": (lambda: discretize_diagonal(np.ones(2), torch.ones(2), 0.1), "must come from one library"),
    "layer shapes": (lambda: discretize_diagonal(np.ones(2), np.ones(3), 0.1), r"broadcast .* got A \(2,\), B \(3,\)"),
    "layer method": (lambda: discretize_diagonal(np.ones(2), np.ones(2), 0.1, "zho"), "_diagonal: unknown method"),
    "singular": (lambda: discretize([[1, 1], [1, 1]], [1, 1], 0.5, "backward_euler"), "I − αΔA is singular"),
    "singular tensor": (lambda: discretize(torch.eye(2), torch.ones(2), 2.0, "bilinear"), "I − αΔA is singular"),
    "singular diagonal": (lambda: discretize([1.0, -1.0], [1, 1], 2.0, "bilinear"), "I − αΔA is singular"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", SENTENCES)
def test_a_mistake_is_answered_in_one_sentence(mistake):
    call, sentence = SENTENCES[mistake]
    with pytest.raises(UserError, match=sentence) as caught:
        call()
    assert "\n" not in str(caught.value)
