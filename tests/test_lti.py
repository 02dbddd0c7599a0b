"""One system, four readings that agree; SciPy's matrices exactly, and SciPy's index convention one sample away."""

import dataclasses

import numpy as np
import pytest
import scipy.signal
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssm_teach.discretize import METHODS, discretize
from ssm_teach.errors import UserError
from ssm_teach.lti import StateSpace

ALL_METHODS = [("gbt", alpha) for alpha in (0.0, 0.3, 0.5, 1.0)]
ALL_METHODS += [(name, None) for name in (*METHODS, "foh") if name != "gbt"]
every_method = pytest.mark.parametrize(("method", "alpha"), ALL_METHODS)


def random_system(N=4, m=2, p=3, seed=0):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(N, N)) - 2 * np.eye(N)
    return StateSpace(A, rng.normal(size=(N, m)), rng.normal(size=(p, N)), rng.normal(size=(p, m)))


def oscillator():
    return StateSpace([[0.0, 1.0], [-9.0, -0.6]], [0.0, 1.0], [1.0, 0.5])


def inputs(L, m, seed=1):
    return np.random.default_rng(seed).normal(size=(L, m))


# Discretisation


@every_method
def test_discretize_returns_scipys_four_matrices(method, alpha):
    system = random_system()
    names = {"backward_euler": "backward_diff"}
    theirs = scipy.signal.cont2discrete((system.A, system.B, system.C, system.D), 0.1, names.get(method, method), alpha)
    ours = system.discretize(0.1, method, alpha)
    for name, expected in zip("ABCD", theirs, strict=False):
        np.testing.assert_allclose(getattr(ours, name), expected, rtol=1e-13, atol=1e-14, err_msg=name)
    assert ours.dt == 0.1


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 1.0])
def test_scipys_reading_of_gbt_is_a_substitution_in_the_transfer_function(alpha):
    """H_d(z) = H(s) at s = (z − 1)/(Δ (1 − α + α z)): C_d and D_d are what makes this exact."""
    system, dt = oscillator(), 0.1
    z = np.exp(1j * np.linspace(0.1, 3, 7))
    discrete = system.discretize(dt, "gbt", alpha)
    expected = system.transfer_function((z - 1) / (dt * (1 - alpha + alpha * z)))
    response = [discrete.D + discrete.C @ np.linalg.solve(z_k * np.eye(2) - discrete.A, discrete.B) for z_k in z]
    np.testing.assert_allclose(np.ravel(response), expected, rtol=1e-10)


def test_s4s_bilinear_is_tustin_times_2z_over_z_plus_1():
    system, dt = oscillator(), 0.1
    s4 = StateSpace(*discretize(system.A, system.B, dt, "bilinear"), system.C, dt=dt)
    z = 1.1 * np.exp(1j * np.linspace(0.1, 3, 7))
    tustin = system.transfer_function(2 / dt * (z - 1) / (z + 1))
    np.testing.assert_allclose(s4.transfer_function(z), tustin * 2 * z / (z + 1), rtol=1e-12)


def orders(output):
    """How fast the error at t = 3 falls when the step is halved: driven oscillator, u = sin 2t, from rest."""
    A, B, C = np.array([[0.0, 1.0], [-9.0, -0.6]]), np.array([0.0, 1.0]), np.array([1.0, 0.0])
    weight = np.linalg.solve(2j * np.eye(2) - A, B)  # steady state under e^{2it}
    decay, vectors = np.linalg.eig(A)
    transient = (vectors * np.exp(3 * decay)) @ np.linalg.solve(vectors, weight.imag)
    exact = C @ ((weight * np.exp(6j)).imag - transient.real)
    errors = []
    for n in (400, 800, 1600, 3200):
        t = np.linspace(0, 3, n + 1)
        errors.append(abs(output(StateSpace(A, B, C), 3 / n, np.sin(2 * t)) - exact))
    return np.log2(np.array(errors[:-1]) / errors[1:])


@pytest.mark.parametrize(
    ("method", "order"), [("bilinear", 2), ("foh", 2), ("zoh", 1), ("euler", 1), ("backward_euler", 1)]
)
def test_order_of_accuracy_read_scipys_way(method, order):
    def output(system, dt, u):
        return scipy.signal.dlsim(system.discretize(dt, method).to_scipy(), u)[1][-1, 0]

    np.testing.assert_allclose(orders(output), order, atol=0.12)


def test_s4s_bilinear_is_of_first_order_only():
    def output(system, dt, u):
        return StateSpace(*discretize(system.A, system.B, dt, "bilinear"), system.C, dt=dt).recurrence(u)[-1]

    np.testing.assert_allclose(orders(output), 1, atol=0.12)


def test_zoh_recurrence_reads_the_output_at_the_end_of_each_held_sample():
    u = np.array([1.0, -2.0, 0.5])
    y = StateSpace(0.0, 1.0, 1.0, 10.0).discretize(0.5).recurrence(u)  # an integrator with feedthrough
    np.testing.assert_allclose(y, 0.5 * np.cumsum(u) + 10 * u, rtol=1e-15)


# Readings of one system


@every_method
@pytest.mark.parametrize(("m", "p"), [(1, 1), (2, 3), (1, 2), (2, 1)])
def test_recurrence_equals_convolution(method, alpha, m, p):
    system = random_system(m=m, p=p).discretize(0.1, method, alpha)
    u = inputs(61, m)
    y = system.recurrence(u)
    assert y.shape == (61, p)
    np.testing.assert_allclose(system.convolve(u), y, rtol=0, atol=1e-12 * np.abs(y).max())


@settings(deadline=None, derandomize=True)
@given(L=st.integers(1, 40), N=st.integers(1, 5), seed=st.integers(0, 99))
def test_recurrence_equals_convolution_for_any_size(L, N, seed):
    system = random_system(N, 1, 1, seed).discretize(0.2)
    u = inputs(L, 1, seed)[:, 0]
    y = system.recurrence(u)
    assert y.shape == (L,)
    np.testing.assert_allclose(system.convolve(u), y, rtol=0, atol=1e-11 * max(1, np.abs(y).max()))


def test_kernel_is_the_response_to_an_impulse():
    system = random_system().discretize(0.1)
    K = system.kernel(20)
    for j in range(2):
        response = system.recurrence(np.eye(20, 1) * np.eye(2)[j])
        response[0] -= system.D[:, j]
        np.testing.assert_allclose(K[:, :, j], response, atol=1e-14)
    single = oscillator().discretize(0.1)
    np.testing.assert_allclose(single.kernel(20), single.recurrence(np.eye(20)[0]), atol=1e-15)


@every_method
def test_scipys_impulse_response_is_the_same_one_sample_later(method, alpha):
    system = StateSpace(oscillator().A, oscillator().B, oscillator().C, 0.7).discretize(0.1, method, alpha)
    _, (response,) = scipy.signal.dimpulse(system.to_scipy(), n=30)
    np.testing.assert_allclose(response[1:, 0], system.kernel(29), rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(response[0, 0], system.D[0, 0], atol=1e-15)


def test_transfer_function_is_the_generating_function_of_the_kernel():
    system = random_system().discretize(0.3)
    z = np.array([1.2, -1.5 + 0.3j])
    K = system.kernel(600)
    powers = z[:, None] ** -np.arange(600.0)
    np.testing.assert_allclose(system.transfer_function(z), system.D + np.einsum("zl,lpm->zpm", powers, K), rtol=1e-11)


def test_transfer_function_of_the_oscillator():
    s = np.array([[0.1, 3.0j], [1 - 2j, 10.0]])
    np.testing.assert_allclose(oscillator().transfer_function(s), (1 + 0.5 * s) / (s**2 + 0.6 * s + 9), rtol=1e-12)
    assert oscillator().transfer_function(1j).shape == ()
    assert random_system().transfer_function(1j * s).shape == (2, 2, 3, 2)


def test_poles_of_both_kinds():
    system = oscillator()
    np.testing.assert_allclose(np.sort(system.poles), np.sort(np.roots([1, 0.6, 9])), rtol=1e-12)
    np.testing.assert_allclose(np.sort(system.discretize(0.1).poles), np.sort(np.exp(0.1 * system.poles)), rtol=1e-12)


def test_a_change_of_coordinates_is_invisible_from_outside():
    system = random_system()
    T = np.random.default_rng(5).normal(size=(4, 4))
    diagonalising = np.linalg.eig(system.A)[1]
    u, s = inputs(30, 2), np.array([0.5, 1j])
    for other in (system.similar(T), system.similar(diagonalising)):
        np.testing.assert_allclose(other.transfer_function(s), system.transfer_function(s), atol=1e-12)
        for reading in ("recurrence", "convolve"):
            expected = getattr(system.discretize(0.1), reading)(u)
            np.testing.assert_allclose(getattr(other.discretize(0.1), reading)(u), expected, atol=1e-12)
    np.testing.assert_allclose(system.similar(diagonalising).A, np.diag(system.poles), atol=1e-12)


def test_a_complex_system_is_convolved_in_full():
    system = StateSpace(np.diag([0.9j, 0.5 - 0.1j]), [1, 1j], [1 + 1j, 2], 1j, dt=1.0)
    u = inputs(25, 1)[:, 0]
    np.testing.assert_allclose(system.convolve(u), system.recurrence(u), atol=1e-13)
    assert np.abs(system.convolve(u).imag).max() > 0.1


def test_initial_state_is_the_state_before_the_first_sample():
    system, u = random_system().discretize(0.1), inputs(20, 2)
    x = np.zeros(4)
    for u_k in u[:12]:
        x = system.A @ x + system.B @ u_k
    np.testing.assert_allclose(system.recurrence(u[12:], x0=x), system.recurrence(u)[12:], atol=1e-14)


# Responses


def test_impulse_and_step_response_are_scipys():
    t = np.linspace(0, 8, 81)
    _, impulse = scipy.signal.impulse(oscillator().to_scipy(), T=t)
    np.testing.assert_allclose(oscillator().impulse_response(t), impulse, atol=1e-10)
    _, step = scipy.signal.step(StateSpace(oscillator().A, oscillator().B, oscillator().C, 0.7).to_scipy(), T=t)
    ours = StateSpace(oscillator().A, oscillator().B, oscillator().C, 0.7).step_response(t)
    np.testing.assert_allclose(ours, step, atol=1e-10)


def test_step_response_is_the_held_recurrence_at_its_samples():
    system, L = random_system(), 25
    steps = system.discretize(0.1).recurrence(np.ones((L, 2)))
    np.testing.assert_allclose(system.step_response(0.1 * np.arange(1, L + 1)).sum(-1), steps, rtol=1e-11, atol=1e-12)


def test_step_response_of_an_integrator_is_a_ramp():
    t = np.array([0.0, 0.5, 4.0])
    np.testing.assert_allclose(StateSpace(0, 1, 2, 3).step_response(t), 3 + 2 * t, rtol=1e-15)


def test_impulse_response_of_many_channels_is_the_slope_of_the_step_response():
    system, t, h = random_system(), np.array([0.0, 0.3, 2.0]), 1e-5
    assert system.impulse_response(t).shape == (3, 3, 2)
    slope = (system.step_response(t + h) - system.step_response(t)) / h
    np.testing.assert_allclose(system.impulse_response(t + h / 2), slope, rtol=1e-6, atol=1e-6)


def test_bode_plot_is_scipys():
    omega = np.logspace(-2, 3, 300)
    system = StateSpace(oscillator().A, oscillator().B, oscillator().C, 0.01)
    for ours, theirs in zip(system.bode(omega), scipy.signal.bode(system.to_scipy(), omega)[1:], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-9)


@pytest.mark.filterwarnings("ignore::scipy.signal.BadCoefficients")
def test_scipys_discrete_bode_plot_has_the_same_gain_and_lags_one_sample_more():
    system, omega = oscillator().discretize(0.1), np.linspace(0.1, 31, 200)
    gain, phase = system.bode(omega)
    _, their_gain, their_phase = scipy.signal.dbode(system.to_scipy(), omega * system.dt)
    np.testing.assert_allclose(gain, their_gain, atol=1e-9)
    np.testing.assert_allclose(phase - their_phase, np.degrees(omega * system.dt), atol=1e-8)


def test_a_sine_comes_out_multiplied_by_the_frequency_response():
    system, omega, k = oscillator().discretize(0.1), 2.0, np.arange(3000)
    y = system.recurrence(np.cos(0.1 * omega * k))
    steady = system.frequency_response(omega) * np.exp(0.1j * omega * k)
    np.testing.assert_allclose(y[2000:], steady.real[2000:], atol=1e-12)
    assert random_system().frequency_response(np.ones((4, 5))).shape == (4, 5, 3, 2)


# Growth and gain

STEEP = StateSpace([[-1, 50], [0, -1.1]], [0, 1], [1, 0])


def random_stable(seed):
    """Of any size, narrow and wide peaks, real and complex, with and without feedthrough."""
    rng = np.random.default_rng(seed)
    N, m, p = rng.integers(1, 6), rng.integers(1, 4), rng.integers(1, 4)
    unit = 1j if seed % 3 == 0 else 0
    A, B, C, D = (rng.normal(size=shape) + unit * rng.normal(size=shape) for shape in [(N, N), (N, m), (p, N), (p, m)])
    edge = np.linalg.eigvals(A).real.max() + 10 ** rng.uniform(-2, 0)
    return StateSpace(A - edge * np.eye(N), B, C, D * (seed % 2))


def test_a_decaying_system_can_grow_seventeenfold_first():
    peak, k = STEEP.discretize(0.1).transient_growth()
    assert max(abs(STEEP.discretize(0.1).poles)) == pytest.approx(0.9048, abs=5e-5)
    assert (peak, k) == (pytest.approx(17.51, abs=5e-3), 10)


@settings(deadline=None, derandomize=True)
@given(seed=st.integers(0, 999))
def test_transient_growth_is_the_largest_of_all_powers(seed):
    system = random_stable(seed).discretize(0.3)
    peak, k = system.transient_growth()
    norms = [np.linalg.norm(np.linalg.matrix_power(system.A, j), 2) for j in range(300)]
    assert k == np.argmax(np.round(norms, 12))
    assert peak == pytest.approx(max(norms), rel=1e-10)


def test_a_normal_stable_matrix_never_grows():
    assert StateSpace(np.diag([0.9, -0.5]), [1, 1], [1, 1], dt=1).transient_growth() == (1.0, 0)


def test_h_infinity_norms_known_in_closed_form():
    assert StateSpace(-1, 1, 1).h_infinity_norm() == (pytest.approx(1), 0)
    assert StateSpace(-1, 1, 1, -0.5).h_infinity_norm()[0] == pytest.approx(0.5, rel=1e-9)  # all-pass: |H| = ½ at any ω
    zeta, omega_0 = 0.1, 3.0  # resonance: 1/(2ζω₀²√(1−ζ²)) at ω₀√(1−2ζ²)
    system = StateSpace([[0, 1], [-(omega_0**2), -2 * zeta * omega_0]], [0, 1], [1, 0])
    peak, omega = 1 / (2 * zeta * omega_0**2 * np.sqrt(1 - zeta**2)), omega_0 * np.sqrt(1 - 2 * zeta**2)
    assert system.h_infinity_norm() == (pytest.approx(peak, rel=1e-9), pytest.approx(omega, rel=1e-4))
    assert StateSpace(-1, 1, -1, 1).h_infinity_norm() == (pytest.approx(1), np.inf)  # s/(s+1)
    assert StateSpace(-1, 0, 1).h_infinity_norm()[0] == 0


def test_discrete_h_infinity_norm_is_that_of_the_kernels_frequency_response():
    low, high = StateSpace(0.5, 1, 1, dt=0.1), StateSpace(-0.5, 1, 1, dt=0.1)
    assert low.h_infinity_norm() == (pytest.approx(2), 0)
    assert high.h_infinity_norm() == (pytest.approx(2), pytest.approx(np.pi / 0.1))
    system = StateSpace(oscillator().A, oscillator().B, oscillator().C).discretize(0.1)
    fine = np.linspace(0, np.pi / 0.1, 20001)
    gains = abs(system.frequency_response(fine))
    peak, omega = system.h_infinity_norm()
    assert peak == pytest.approx(gains.max(), rel=1e-6)
    assert omega == pytest.approx(fine[gains.argmax()], abs=2e-3)


@settings(deadline=None, derandomize=True)
@given(seed=st.integers(0, 999), discrete=st.booleans())
def test_h_infinity_norm_is_attained_and_nowhere_exceeded(seed, discrete):
    system = random_stable(seed)
    near = np.concatenate([part + np.linspace(-1, 1, 201) for part in system.poles.imag])
    omega = np.concatenate([near, np.linspace(-30, 30, 801)])
    if discrete:
        system, omega = system.discretize(0.1), omega[abs(omega) < 31]
    peak, where = system.h_infinity_norm()
    shape = (-1, *system.D.shape)
    assert np.linalg.norm(system.frequency_response(omega).reshape(shape), 2, axis=(1, 2)).max() <= peak * (1 + 1e-9)
    there = system.D if where == np.inf else system.frequency_response(where)
    assert np.linalg.norm(there.reshape(system.D.shape), 2) == pytest.approx(peak, rel=1e-8)


def test_no_input_is_amplified_more_than_the_h_infinity_norm_and_a_long_sine_almost_as_much():
    system = oscillator().discretize(0.1)
    peak, omega = system.h_infinity_norm()
    sine = np.sin(0.1 * omega * np.arange(20000))
    ratios = [np.linalg.norm(system.recurrence(u)) / np.linalg.norm(u) for u in (sine, inputs(20000, 1)[:, 0])]
    assert 0.99 * peak < ratios[0] < peak
    assert ratios[1] < peak


def test_a_change_of_coordinates_moves_the_growth_but_not_the_gain():
    other = STEEP.similar(np.diag([50.0, 1.0]))
    assert other.h_infinity_norm()[0] == pytest.approx(STEEP.h_infinity_norm()[0], rel=1e-9)
    assert other.discretize(0.1).transient_growth() == (1.0, 0)


# To and from SciPy


def test_scipy_round_trip_keeps_every_matrix():
    for system in (random_system(), random_system().discretize(0.1)):
        back = StateSpace.from_scipy(system.to_scipy())
        for name in "ABCD":
            np.testing.assert_array_equal(getattr(back, name), getattr(system, name))
        assert back.dt == system.dt


def test_a_scipy_transfer_function_is_realised():
    system = StateSpace.from_scipy(scipy.signal.lti([1, 3], [1, 2, 5]))
    s = np.array([0.3, 1j])
    np.testing.assert_allclose(system.transfer_function(s), (s + 3) / (s**2 + 2 * s + 5), rtol=1e-13)


# The object


def test_vectors_and_numbers_stand_for_one_input_and_one_output():
    system = StateSpace(-1, 2, 3, 4)
    assert [getattr(system, name).shape for name in "ABCD"] == [(1, 1)] * 4
    assert oscillator().B.shape == (2, 1)
    assert oscillator().C.shape == (1, 2)
    assert random_system(m=2, p=3).D.shape == (3, 2)


def test_a_system_cannot_be_changed_and_does_not_change_with_its_sources():
    A = -np.eye(2)
    system = StateSpace(A, [1, 1], [1, 1])
    A[0, 0] = 7
    assert system.A[0, 0] == -1
    with pytest.raises(ValueError, match="read-only"):
        system.A[0, 0] = 7
    with pytest.raises(dataclasses.FrozenInstanceError):
        system.dt = 1.0


def test_matrices_are_held_in_double_precision():
    assert StateSpace(np.float32(-1), 1, 1).A.dtype == np.float64
    complex_system = StateSpace(np.complex64(-1j), 1, 1)
    assert [getattr(complex_system, name).dtype for name in "ABCD"] == [np.complex128] * 4


# What the user gets told

STEP = oscillator().discretize(0.1)
SENTENCES = {
    "A diagonal": (lambda: StateSpace([-1, -2], [1, 1], [1, 1]), r"A must be square .* Give a diagonal as np\.diag"),
    "B rows": (lambda: StateSpace(-np.eye(2), [1, 1, 1], [1, 1]), r"B must have shape .* N = 2; got \(3, 1\)"),
    "C columns": (lambda: StateSpace(-np.eye(2), [1, 1], [1, 1, 1]), r"C must have shape .* N = 2; got \(1, 3\)"),
    "D": (lambda: StateSpace(-np.eye(2), np.eye(2), np.eye(2), 3), r"D must be 0 or have shape .*\(2, 2\); got \(\)"),
    "NaN": (lambda: StateSpace(-np.eye(2), [1, np.nan], [1, 1]), "StateSpace: B must be finite"),
    "tensor": (lambda: StateSpace(-torch.eye(2), [1, 1], [1, 1]), "StateSpace: A is a torch tensor; give NumPy"),
    "dt": (lambda: StateSpace(-1, 1, 1, dt=0), "StateSpace: dt must be positive and finite; got 0"),
    "continuous kernel": (lambda: oscillator().kernel(5), r"kernel: the system is continuous; discretise it first"),
    "continuous recurrence": (lambda: oscillator().recurrence([1.0]), r"recurrence: the system is continuous"),
    "continuous convolve": (lambda: oscillator().convolve([1.0]), r"convolve: the system is continuous"),
    "twice": (lambda: STEP.discretize(0.1), "the system is discrete already"),
    "method": (lambda: oscillator().discretize(0.1, "fooh"), r"unknown method 'fooh'; .* \(did you mean foh\?\)"),
    "foh alpha": (lambda: oscillator().discretize(0.1, "foh", 0.5), "alpha belongs to method 'gbt' alone"),
    "step": (lambda: oscillator().discretize(-1), "dt must be positive and finite; got -1"),
    "u columns": (lambda: STEP.recurrence(np.ones((5, 2))), r"u must have shape \(L,\) or \(L, 1\); got \(5, 2\)"),
    "u complex": (lambda: STEP.convolve([1j]), "convolve: u must be a real NumPy array"),
    "u tensor": (lambda: STEP.convolve(torch.ones(3)), "convolve: u must be a real NumPy array"),
    "u empty": (lambda: STEP.recurrence([]), "u is empty"),
    "x0": (lambda: STEP.recurrence([1.0], x0=[1.0]), r"x0 must have shape \(2,\) like the state; got \(1,\)"),
    "L": (lambda: STEP.kernel(0), "L must be a whole number ≥ 1"),
    "T shape": (lambda: STEP.similar(np.eye(3)), r"T must have shape \(2, 2\) like A; got \(3, 3\)"),
    "T singular": (lambda: STEP.similar(np.ones((2, 2))), "T is singular"),
    "discrete times": (lambda: STEP.impulse_response([0.0]), r"the system is discrete; .* kernel\(L\)"),
    "t shape": (lambda: oscillator().step_response(1.0), r"t must be a real .* \(L,\) of times in s; got .*\(\)"),
    "t negative": (lambda: oscillator().step_response([-1.0]), "every time in t must be finite and ≥ 0"),
    "omega": (lambda: oscillator().bode([1j]), "frequency_response: omega must be real, in rad/s"),
    "growth": (lambda: oscillator().transient_growth(), r"continuous; .*discretize\(dt\)\.transient_growth"),
    "unstable growth": (lambda: StateSpace(1.25, 1, 1, dt=1).transient_growth(), "a pole has modulus 1.25, not"),
    "unstable norm": (lambda: StateSpace(0, 1, 1).h_infinity_norm(), "a real part of 0, not below 0, so"),
    "pole": (lambda: StateSpace(0, 1, 1).transfer_function(0), "s is a pole"),
    "scipy": (lambda: StateSpace.from_scipy((1, 2)), "must be a scipy.signal lti or dlti; got tuple"),
    "scipy step": (lambda: StateSpace.from_scipy(scipy.signal.dlti([1], [1, 2])), "the dlti has no step"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", SENTENCES)
def test_a_mistake_is_answered_in_one_sentence(mistake):
    call, sentence = SENTENCES[mistake]
    with pytest.raises(UserError, match=sentence) as caught:
        call()
    assert "\n" not in str(caught.value)
