"""Hankel singular values against exact arithmetic, closed forms, python-control and the Hankel matrix itself."""

import json
from pathlib import Path

import mpmath
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from ssm_teach.discretize import discretize
from ssm_teach.errors import UserError
from ssm_teach.hankel import (
    balance,
    balanced_truncation,
    difference,
    epsilon_rank,
    gramian_factors,
    gramians,
    hankel_matrix,
    hankel_singular_values,
)
from ssm_teach.lti import StateSpace

KINDS = [
    (discrete, diagonal, comp) for discrete in (False, True) for diagonal in (False, True) for comp in (False, True)
]
every_kind = pytest.mark.parametrize(("discrete", "diagonal", "comp"), KINDS)


def random_system(discrete=False, diagonal=False, comp=False, N=5, m=2, p=3, seed=0):
    """Stable, with the slowest pole at −0.2, or at modulus 0.9."""
    rng = np.random.default_rng(seed)

    def normal(*shape):
        return rng.normal(size=shape) + (1j * rng.normal(size=shape) if comp else 0)

    A = np.diag(normal(N)) if diagonal else normal(N, N)
    poles = np.linalg.eigvals(A)
    A = A * (0.9 / abs(poles).max()) if discrete else A - (poles.real.max() + 0.2) * np.eye(N)
    return StateSpace(A, normal(N, m), normal(p, N), normal(p, m), 0.1 if discrete else None)


def relaxation(poles, weights):
    """c = b and negative real poles: the impulse response falls, and all of its derivatives alternate in sign."""
    return StateSpace(np.diag(poles), np.sqrt(weights), np.sqrt(weights))


# Gramians


@every_kind
def test_gramians_solve_their_equations(discrete, diagonal, comp):
    sys = random_system(discrete, diagonal, comp)
    A, B, C = sys.A, sys.B, sys.C
    for A, B, G in zip((A, A.conj().T), (B, C.conj().T), gramians(sys), strict=True):  # noqa: B020
        residual = A @ G @ A.conj().T - G + B @ B.conj().T if discrete else A @ G + G @ A.conj().T + B @ B.conj().T
        np.testing.assert_allclose(residual, 0, atol=1e-12)
        np.testing.assert_allclose(G, G.conj().T, atol=1e-14)


@every_kind
def test_factors_multiply_to_the_gramians(discrete, diagonal, comp):
    sys = random_system(discrete, diagonal, comp)
    for factor, gramian in zip(gramian_factors(sys), gramians(sys), strict=True):
        np.testing.assert_allclose(factor @ factor.conj().T, gramian, rtol=1e-11, atol=1e-12)


@every_kind
def test_squares_of_the_hankel_singular_values_are_the_eigenvalues_of_PQ(discrete, diagonal, comp):
    sys = random_system(discrete, diagonal, comp)
    P, Q = gramians(sys)
    np.testing.assert_allclose(
        hankel_singular_values(sys) ** 2, np.sort(np.linalg.eigvals(P @ Q).real)[::-1], rtol=1e-8
    )


@every_kind
def test_they_do_not_depend_on_coordinates(discrete, diagonal, comp):
    sys = random_system(discrete, diagonal, comp)
    T = np.random.default_rng(3).normal(size=sys.A.shape)
    np.testing.assert_allclose(hankel_singular_values(sys.similar(T)), hankel_singular_values(sys), rtol=1e-9)


def test_the_smallest_values_of_a_diagonal_system_have_their_digits_too():
    """Poles −1 … −30, B = C = 1: P is a Hilbert matrix, and 120 digits agree with 16 down to σ_30 = 1e-44 σ_1."""
    n = np.arange(1, 31)
    with mpmath.workdps(120):
        P = mpmath.matrix([[mpmath.mpf(1) / int(i + j) for j in n] for i in n])
        exact = sorted((float(x) for x in mpmath.eigsy(P, eigvals_only=True)), reverse=True)
    ours = hankel_singular_values(StateSpace(np.diag(-1.0 * n), np.ones(30), np.ones(30)))
    assert exact[-1] < 1e-40 * exact[0]
    np.testing.assert_allclose(ours, exact, rtol=1e-12)


def test_a_repeated_pole_adds_no_state():
    sys = StateSpace(-np.eye(2), [1, 2], [3, 1])
    np.testing.assert_allclose(hankel_singular_values(sys), [5 / 2, 0], atol=1e-15)  # 5/(s + 1)


@pytest.mark.parametrize(
    ("sys", "pole"),
    [
        (StateSpace(0, 1, 1), "real part 0"),
        (StateSpace([[-1, 5], [0, 0.5]], [1, 1], [1, 1]), "real part 0.5"),
        (StateSpace(-1, 1, 1, dt=1.0), "modulus 1"),
    ],
)
@pytest.mark.parametrize("function", [gramians, gramian_factors, hankel_singular_values, balance])
def test_an_unstable_or_marginal_system_is_refused(sys, pole, function):
    with pytest.raises(UserError, match=f"{function.__name__}: the system must be stable; it has a pole of {pole}"):
        function(sys)


# The Hankel matrix


def test_the_hankel_matrix_has_the_singular_values_of_the_gramians():
    sys = random_system(discrete=True, diagonal=True, N=8, m=1, p=1)
    H = hankel_matrix(sys.kernel(511))
    assert H.shape == (256, 256)
    np.testing.assert_allclose(np.linalg.svd(H)[1][:8], hankel_singular_values(sys), rtol=1e-9, atol=1e-13)


def test_the_block_hankel_matrix_too():
    sys = random_system(discrete=True, comp=True, N=4)
    H = hankel_matrix(sys.kernel(399))
    assert H.shape == (600, 400)
    np.testing.assert_allclose(np.linalg.svd(H)[1][:4], hankel_singular_values(sys), rtol=1e-9)


def test_a_kernel_that_ends_has_the_anti_triangular_matrix():
    """A shift register: its σ_i are the singular values of the zero-padded matrix, with no limit taken."""
    h = np.random.default_rng(0).normal(size=9)
    register = StateSpace(np.eye(9, k=-1), np.eye(9)[0], h, dt=1.0)
    np.testing.assert_allclose(np.linalg.svd(hankel_matrix(h, n=9))[1], hankel_singular_values(register), rtol=1e-12)


def test_hankel_matrix_says_what_is_wrong():
    with pytest.raises(UserError, match=r"K must have shape \(L,\) or \(L, p, m\), L ≥ 1; got \(2, 2\)"):
        hankel_matrix(np.ones((2, 2)))
    with pytest.raises(UserError, match="n must be a whole number, at least 1; got 0"):
        hankel_matrix(np.ones(3), n=0)


# ε-rank


def test_epsilon_rank_counts_strictly_and_relative_to_the_largest():
    assert epsilon_rank(np.array([5.0, 0.5, 10.0]), 0.1) == 2
    with pytest.raises(UserError, match="eps must lie between 0 and 1; got 1"):
        epsilon_rank(np.ones(2), 1)
    with pytest.raises(UserError, match=r"its singular values \(N,\); got an array of shape \(2, 2\)"):
        epsilon_rank(np.ones((2, 2)), 0.1)


def test_real_poles_need_few_states():
    """The issue's instance: B = C = 1 and A = −(n + 1), N = 64."""
    sys = StateSpace(np.diag(-np.arange(1.0, 65)), np.ones(64), np.ones(64))
    sigma = hankel_singular_values(sys)
    np.testing.assert_allclose(sigma[:4] / sigma[0], [1, 0.2639, 0.05295, 0.009428], rtol=2e-4)
    assert (epsilon_rank(sys, 1e-2), epsilon_rank(sys, 1e-6)) == (3, 8)


# From continuous to discrete time


@pytest.mark.parametrize("comp", [False, True])
def test_tustin_keeps_the_hankel_singular_values(comp):
    sys = random_system(comp=comp)
    for dt in (0.05, 3.0):
        tustin = sys.discretize(dt, "bilinear")
        np.testing.assert_allclose(hankel_singular_values(tustin), hankel_singular_values(sys), rtol=1e-10)


def test_zero_order_hold_and_s4s_bilinear_do_not():
    sys = random_system(N=8, m=1, p=1)
    sigma = hankel_singular_values(sys)
    for method in ("zoh", "bilinear"):
        discrete = StateSpace(*discretize(sys.A, sys.B, 0.05, method), sys.C, dt=0.05)
        assert abs(hankel_singular_values(discrete) / sigma - 1).max() > 0.02


# Balanced truncation and its two bounds


@every_kind
def test_balanced_coordinates_reach_every_state_as_well_as_they_see_it(discrete, diagonal, comp):
    sys = random_system(discrete, diagonal, comp)
    balanced = balance(sys)
    for gramian in gramians(balanced.system):
        np.testing.assert_allclose(gramian, np.diag(hankel_singular_values(sys)), atol=1e-10)
    assert balanced.lower_bound == balanced.upper_bound == 0
    assert balanced.error < 1e-11


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(KINDS), st.integers(1, 8), st.integers(1, 3), st.integers(1, 3), st.integers(0, 10**6))
def test_the_error_lies_between_the_first_value_left_out_and_twice_the_sum_of_them(kind, N, m, p, seed):
    sys = random_system(*kind, N=N, m=m, p=p, seed=seed)
    noise = 1e-10 * hankel_singular_values(sys)[0]
    for k in range(1, N + 1):
        cut = balanced_truncation(sys, k)
        assert cut.system.is_stable
        assert cut.order == k or cut.error <= noise
        assert cut.lower_bound - noise <= cut.error <= cut.upper_bound + noise


def test_most_random_truncations_exceed_the_sum_without_the_two():
    """The factor 2 is needed: the error exceeds Σσ in most cases, and 2Σσ in none."""
    above_one = above_two = cases = 0
    for seed in range(100):
        sys = random_system(N=6, m=1, p=1, seed=seed)
        for k in range(1, 6):
            cut = balanced_truncation(sys, k)
            cases += 1
            noise = 1e-12 * cut.singular_values[0]
            above_one += cut.error > cut.upper_bound / 2 + noise
            above_two += cut.error > cut.upper_bound * (1 + 1e-9) + noise
    assert above_two == 0
    assert above_one > 0.8 * cases


def test_one_over_s_plus_1_refutes_the_bound_without_the_two():
    sys = StateSpace(-1, 1, 1)
    sigma = hankel_singular_values(sys)
    np.testing.assert_allclose(sigma, [0.5], rtol=1e-15)
    assert sys.h_infinity_norm()[0] == pytest.approx(2 * sigma[0], rel=1e-12)  # dropping the state leaves 0
    free = StateSpace(-1, 1, 1, D=-0.5)
    assert free.h_infinity_norm()[0] == pytest.approx(0.5, rel=1e-12)  # Glover: with D free, σ is enough


def test_two_poles_in_closed_form():
    sys = StateSpace(np.diag([-1.0, -3.0]), [1, 1], [1, 1])
    np.testing.assert_allclose(hankel_singular_values(sys), 1 / 3 + np.sqrt(13) / 12 * np.array([1, -1]), rtol=1e-14)
    assert balanced_truncation(sys, 1).error == pytest.approx(2 / 3 - np.sqrt(13) / 6, rel=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.1, 10), min_size=2, max_size=6, unique=True), st.integers(0, 10**6))
def test_relaxation_systems_attain_the_bound(rates, seed):
    """Σσ = G(0)/2, and the error is 2Σσ over the values left out, exactly, for every k."""
    sys = relaxation(-np.array(rates), np.random.default_rng(seed).uniform(0.5, 2, len(rates)))
    sigma = hankel_singular_values(sys)
    gain = sys.transfer_function(0).real
    assert sigma.sum() == pytest.approx(gain / 2, rel=1e-12)
    for k in range(1, len(rates)):
        cut = balanced_truncation(sys, k)
        assert cut.error == pytest.approx(cut.upper_bound, rel=1e-6, abs=1e-10 * gain)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 8), st.booleans(), st.integers(0, 10**6))
def test_dropping_the_last_state_costs_exactly_twice_its_value(N, diagonal, seed):
    sys = random_system(diagonal=diagonal, N=N, m=1, p=1, seed=seed)
    cut, sigma = balanced_truncation(sys, N - 1), hankel_singular_values(sys)
    assert cut.error == pytest.approx(2 * sigma[-1], rel=1e-6, abs=1e-10 * sigma[0])


def test_values_that_repeat_count_once():
    """An all-pass system has σ_i = 1 for all i: dropping two of three costs at most 2, not 4."""
    a = np.array([-1.0, -2.0, -5.0])
    residues = np.array([np.prod(a[i] + a) / np.prod(a[i] - np.delete(a, i)) for i in range(3)])
    sys = StateSpace(np.diag(a), np.ones(3), residues, D=1)
    assert sys.h_infinity_norm()[0] == pytest.approx(1, rel=1e-9)
    np.testing.assert_allclose(hankel_singular_values(sys), 1, rtol=1e-12)
    assert balanced_truncation(sys, 1).upper_bound == pytest.approx(2, rel=1e-12)


@pytest.mark.parametrize("discrete", [False, True])
def test_two_copies_of_a_system_cost_no_more_than_one(discrete):
    """diag(G, G) has every σ twice, and the error of cutting both copies is that of cutting one."""
    one = random_system(discrete, N=5, m=1, p=1)
    A, B, C = (scipy.linalg.block_diag(M, M) for M in (one.A, one.B, one.C))
    two = StateSpace(A, B, C, dt=one.dt)
    for k in range(1, 5):
        single, double = balanced_truncation(one, k), balanced_truncation(two, 2 * k)
        assert double.upper_bound == pytest.approx(single.upper_bound, rel=1e-9)
        assert double.error == pytest.approx(single.error, rel=1e-6)
        assert double.error <= double.upper_bound * (1 + 1e-9)


def test_rounding_is_not_kept_as_a_state():
    sys = StateSpace(np.diag(-np.arange(1.0, 65)), np.ones(64), np.ones(64))
    cut = balance(sys)
    assert 10 < cut.order < 20
    assert cut.system.is_stable
    assert cut.error < 1e-12 * cut.singular_values[0]


def test_feedthrough_and_step_are_kept():
    sys = random_system(discrete=True)
    cut = balanced_truncation(sys, 2).system
    np.testing.assert_array_equal(cut.D, sys.D)
    assert cut.dt == sys.dt


def test_balanced_truncation_says_what_is_wrong():
    sys = random_system()
    for k in (0, 6, 2.0, True):
        with pytest.raises(UserError, match=rf"k must be a whole number from 1 to N = 5; got {k}"):
            balanced_truncation(sys, k)
    with pytest.raises(UserError, match="balanced_truncation: sys must be a StateSpace; got ndarray"):
        balanced_truncation(np.eye(2), 1)
    with pytest.raises(UserError, match="same inputs, outputs and step"):
        difference(sys, random_system(m=1))


# python-control's record


REFERENCE = json.loads((Path(__file__).parent / "reference" / "hankel_control.json").read_text())


@pytest.mark.parametrize("record", REFERENCE["systems"])
def test_python_control_agrees_to_1e_8_of_each_value(record):
    """25 continuous and 25 discrete random systems with σ_N ≥ 1e-4 σ_1; how they were made: make_hankel_control.py."""
    sys = StateSpace(*(np.array(record[name]) for name in "ABC"), dt=1.0 if record["discrete"] else None)
    np.testing.assert_allclose(hankel_singular_values(sys), record["sigma"], rtol=1e-8)


def test_the_record_holds_fifty_systems_whose_values_are_well_determined():
    systems = REFERENCE["systems"]
    assert [record["discrete"] for record in systems] == [False] * 25 + [True] * 25
    assert all(
        record["sigma"][-1] >= REFERENCE["smallest_over_largest_at_least"] * record["sigma"][0] for record in systems
    )
    assert len({str(record["A"]) for record in systems}) == 50


def test_a_discrete_system_is_the_tustin_image_of_the_continuous_one_that_control_was_asked_for():
    """The map of the record's script, checked by SciPy's forward bilinear transform."""
    record = REFERENCE["systems"][-1]
    A, B, C = (np.array(record[name]) for name in "ABC")
    inverse = np.linalg.inv(A + np.eye(len(A)))
    image = StateSpace(inverse @ (A - np.eye(len(A))), np.sqrt(2) * inverse @ B, np.sqrt(2) * C @ inverse)
    back = image.discretize(2.0, "bilinear")
    np.testing.assert_allclose(back.A, A, atol=1e-12)
    np.testing.assert_allclose(hankel_singular_values(back), record["sigma"], rtol=1e-8)
