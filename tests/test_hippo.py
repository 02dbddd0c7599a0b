"""HiPPO: the bases are orthonormal, the systems are theirs, and the state is the projection it claims to be."""

import functools

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from ssm_teach.discretize import zoh
from ssm_teach.errors import UserError
from ssm_teach.hippo import MEASURES, basis, gramian, nplr, online, project, reconstruct, transition

NORMAL = ("legs", "legt", "lagt", "fout", "fout-series")
WINDOWS = ("legt", "lmu", "fout", "fout-series", "chebyshev")


def sizes(measure, *wanted):
    return [N for N in wanted if N % 2 or not measure.startswith("fout")]


def quadrature(measure, count=600):
    """Ages and weights that integrate a basis against its own weight."""
    if measure == "lagt":
        return np.polynomial.laguerre.laggauss(80)
    if measure == "chebyshev":
        return (1 - np.cos((np.arange(count) + 0.5) * np.pi / count)) / 2, np.full(count, 1 / count)
    x, w = np.polynomial.legendre.leggauss(count)
    return (1 - x) / 2, w / 2


@pytest.mark.parametrize("measure", ["legs", "legt", "lagt", "fout", "chebyshev"])
def test_every_basis_is_orthonormal_in_its_weight(measure):
    age, w = quadrature(measure)
    g = basis(measure, 11, age)
    np.testing.assert_allclose(g.T @ (w[:, None] * g), np.eye(11), atol=1e-10)


def test_the_lmu_basis_is_legendre_from_the_far_end_without_its_norm():
    age = np.linspace(0, 1, 7)
    x = sp.symbols("x")
    for n in range(6):
        expected = [float(sp.legendre(n, x).subs(x, 2 * a - 1)) for a in age]
        np.testing.assert_allclose(basis("lmu", 6, age)[:, n], expected, atol=1e-12)


# The matrices against the derivative of the basis, in exact arithmetic.


def polynomials(measure, N, s):
    if measure == "lagt":
        return [sp.laguerre(n, s) for n in range(N)]
    return [sp.sqrt(2 * n + 1) * sp.legendre(n, 1 - 2 * s) for n in range(N)]


@pytest.mark.parametrize("N", [1, 2, 5])
def test_legs_is_the_scaled_window(N):
    """c_n = ∫₀¹ f(t − ta) g_n da, so t c' = Σ over df/dt: (1 − a) g_n differentiated by parts, in the basis g."""
    s = sp.symbols("s")
    g = polynomials("legs", N, s)
    # d/dt f(t(1−a)) = (1−a)f' = −((1−a)/t) d/da f; by parts: [−(1−a) g f]₀¹ + ∫ f d/da((1−a) g).
    A = [[sp.integrate(sp.expand(sp.diff((1 - s) * gn, s) * gk), (s, 0, 1)) for gk in g] for gn in g]
    B = [gn.subs(s, 0) for gn in g]
    assert_matrices("legs", N, A, B)


@pytest.mark.parametrize("N", [1, 2, 5])
def test_legt_is_the_sliding_window_closed_by_its_own_state(N):
    s = sp.symbols("s")
    g = polynomials("legt", N, s)
    new, old = [gn.subs(s, 0) for gn in g], [gn.subs(s, 1) for gn in g]
    A = [
        [sp.integrate(sp.expand(sp.diff(g[n], s) * g[k]), (s, 0, 1)) - old[n] * old[k] for k in range(N)]
        for n in range(N)
    ]
    assert_matrices("legt", N, A, new)


@pytest.mark.parametrize("N", [1, 2, 4])
def test_lagt_is_the_fading_window(N):
    s = sp.symbols("s")
    g = polynomials("lagt", N, s)
    A = [
        [sp.integrate(sp.expand(sp.diff(gn * sp.exp(-s), s) * sp.exp(s) * gk) * sp.exp(-s), (s, 0, sp.oo)) for gk in g]
        for gn in g
    ]
    assert_matrices("lagt", N, A, [gn.subs(s, 0) for gn in g])


@pytest.mark.parametrize("N", [1, 3, 5])
def test_fourier_differs_by_what_it_takes_for_the_value_that_drops_out(N):
    """f(t − 1) is Σ c g(1) for the series, and 2 Σ c g(1) − f(t) where the series takes the mean at its jump."""
    s = sp.symbols("s")
    g = [sp.Integer(1)]
    for j in range(1, N // 2 + 1):
        g += [sp.sqrt(2) * sp.cos(2 * sp.pi * j * s), sp.sqrt(2) * sp.sin(2 * sp.pi * j * s)]
    p = [gn.subs(s, 0) for gn in g]
    D = [[sp.integrate(sp.diff(gn, s) * gk, (s, 0, 1)) for gk in g] for gn in g]
    assert_matrices("fout-series", N, [[D[n][k] - p[n] * p[k] for k in range(N)] for n in range(N)], p)
    jump = [[D[n][k] - 2 * p[n] * p[k] for k in range(N)] for n in range(N)]
    assert_matrices("fout", N, jump, [2 * pn for pn in p])


def assert_matrices(measure, N, A, B):
    for ours, derived in zip(transition(measure, N), (A, B), strict=True):
        np.testing.assert_allclose(ours, np.array(derived, dtype=float), atol=1e-12)


def test_lmu_as_printed_by_its_authors():
    """LMU, equation 2: a_ij = (2i+1)·(−1 if i < j else (−1)^{i−j+1}), b_i = (2i+1)(−1)^i."""
    i, j = np.indices((7, 7))
    A, B = transition("lmu", 7)
    np.testing.assert_allclose(A, (2 * i + 1) * np.where(i < j, -1, (-1.0) ** (i - j + 1)), rtol=1e-13)
    np.testing.assert_allclose(B, (2 * i[:, 0] + 1) * (-1.0) ** i[:, 0], rtol=1e-13)


@pytest.mark.parametrize("measure", ["lmu", "chebyshev"])
def test_the_same_window_in_other_coordinates_reconstructs_the_same_past(measure):
    u, age = np.random.default_rng(0).normal(size=90), np.linspace(0, 1, 13)
    here, there = (reconstruct(m, online(m, 8, u, dt=1 / 40), age) for m in (measure, "legt"))
    np.testing.assert_allclose(here, there, atol=1e-11)


def test_legt_reads_out_pade_delays():
    """g(1)ᵀ(s − A)⁻¹B of N states is the [N−1/N] Padé approximant of e^{−s}; for N = 2, 2(3 − s)/(s² + 4s + 6)."""
    (A, B), C, s = transition("legt", 2), basis("legt", 2, 1.0), 0.3 + 0.7j
    G = C @ np.linalg.solve(s * np.eye(2) - A, B)
    np.testing.assert_allclose(G, 2 * (3 - s) / (s**2 + 4 * s + 6), rtol=1e-13)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("N", [1, 2, 5, 33])
def test_every_system_is_stable(measure, N):
    if sizes(measure, N):
        assert (np.linalg.eigvals(transition(measure, N)[0]).real < 0).all()


# Normal plus low rank.


@pytest.mark.parametrize("measure", NORMAL)
@pytest.mark.parametrize("N", [1, 2, 7, 33, 64])
def test_nplr_is_the_matrix_with_a_unitary_V(measure, N):
    if not sizes(measure, N):
        return
    A, B = transition(measure, N)
    Lambda, P, B_tilde, V = nplr(measure, N)
    assert Lambda.shape == B_tilde.shape == (N,)
    assert P.shape == (N, 2 if measure == "legt" else 1)
    np.testing.assert_allclose(V.conj().T @ V, np.eye(N), atol=1e-13)
    np.testing.assert_allclose(
        V @ (np.diag(Lambda) - P @ P.conj().T) @ V.conj().T, A, rtol=0, atol=1e-14 * N * abs(A).max()
    )
    np.testing.assert_allclose(V @ B_tilde, B, atol=1e-12)


@pytest.mark.parametrize("measure", NORMAL)
def test_nplr_orders_and_phases_do_not_depend_on_the_eigensolver(measure):
    Lambda, _, B, V = nplr(measure, 9)
    assert (np.diff(Lambda.imag) < 0).all()
    assert (B > 0).all()
    np.testing.assert_allclose(Lambda, Lambda[::-1].conj(), atol=1e-11)
    np.testing.assert_allclose(V, V[:, ::-1].conj(), atol=1e-12)
    assert len(set(Lambda.real)) == 1


@pytest.mark.parametrize(("measure", "rank"), [("legs", 1), ("lagt", 1), ("fout", 1), ("fout-series", 1), ("legt", 2)])
def test_no_smaller_rank_will_do(measure, rank):
    """A + PP* is normal with A + Aᵀ = 2·shift·I − 2PPᵀ, so the rank of the symmetric part, shifted, is that of P."""
    A, _ = transition(measure, 9)
    shift = -0.5 if measure in ("legs", "lagt") else 0
    values = np.linalg.svd((A + A.T) / 2 - shift * np.eye(9), compute_uv=False)
    assert (values > 1e-12 * values[0]).sum() == rank


@pytest.mark.parametrize(
    ("N", "top", "bottom"),
    [(4, [4.6033, 0.5565], 0.5565), (8, [19.857, 5.354, 1.958], 0.4275), (64, [1303.27, 433.03, 258.15], 0.2639)],
)
def test_the_spectrum_of_the_normal_part_of_legs(N, top, bottom):
    omega = nplr("legs", N)[0].imag[: N // 2]
    np.testing.assert_allclose(omega[: len(top)], top, rtol=2e-4)
    np.testing.assert_allclose(omega[-1], bottom, rtol=2e-4)


# Projections, online and by definition.


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("L", [1, 2, 37])
def test_project_is_the_integral_over_each_step(measure, L):
    """Gauss–Legendre within every step, where the chosen past is constant and the rest smooth."""
    u = np.random.default_rng(1).normal(size=L)
    dt = None if measure == "legs" else 0.04
    step = 1 / L if dt is None else dt
    x, w = np.polynomial.legendre.leggauss(40)
    expected = np.zeros(7)
    for k in range(L):
        near, far = ((L - 1 - k) * step, (L - k) * step)
        far = far if measure == "lagt" else min(far, 1.0)
        if far <= near:
            continue
        if measure == "chebyshev":  # da/(π√(a(1−a))) = dφ/π with a = (1 − cos φ)/2: no more singular ends
            ends = np.arccos(1 - 2 * np.array([near, far]))
            phi = ends.mean() + (ends[1] - ends[0]) / 2 * x
            age, weight = (1 - np.cos(phi)) / 2, w * (ends[1] - ends[0]) / (2 * np.pi)
        else:
            age, weight = (near + far) / 2 + (far - near) / 2 * x, w * (far - near) / 2
            weight = weight * np.exp(-age) if measure == "lagt" else weight
        g = basis(measure, 7, age)
        scale = 1.0
        if measure == "lmu":  # not orthonormal: the dual basis carries the norm
            scale = 2 * np.arange(7) + 1
        expected += u[k] * scale * (weight @ g)
    np.testing.assert_allclose(project(measure, 7, u, dt), expected, atol=1e-12)


@pytest.mark.parametrize("N", [1, 4, 16, 64])
def test_the_exact_legs_update_is_the_projection_of_all_the_past(N):
    u = np.random.default_rng(2).normal(size=120)
    history = online("legs", N, u)
    for k in (1, 2, 3, 50, 120):
        np.testing.assert_allclose(history[k - 1], project("legs", N, u[:k]), atol=1e-12)


def test_lagt_online_is_its_projection_and_sliding_windows_only_approximate_theirs():
    u = np.random.default_rng(3).normal(size=150)
    np.testing.assert_allclose(online("lagt", 12, u, 0.03)[-1], project("lagt", 12, u, 0.03), atol=1e-12)
    for measure in ("legt", "fout", "fout-series"):
        assert abs(online(measure, 11, u, 0.03)[-1] - project(measure, 11, u, 0.03)).max() > 1e-2


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(-3, 3), min_size=4, max_size=20), st.integers(2, 6), st.integers(1, 24))
def test_legs_cannot_tell_a_signal_from_the_same_signal_played_slowly(u, times, N):
    np.testing.assert_allclose(
        online("legs", N, np.repeat(u, times))[-1], online("legs", N, np.array(u))[-1], atol=1e-11
    )


def test_the_other_methods_can():
    u = np.sin(np.arange(40))
    for method in ("bilinear", "euler", "backward_euler"):
        once, slowly = (online("legs", 8, np.repeat(u, m), method=method)[-1] for m in (1, 3))
        assert abs(once - slowly).max() > 1e-4


def test_a_polynomial_past_of_degree_below_N_comes_back():
    """Projected as what it is; the samples of a sequence only describe its steps."""
    L = 4000
    u = (lambda r: 1 - 2 * r + 3 * r**3)((np.arange(L) + 0.5) / L)
    for measure, dt in (("legs", None), ("legt", 1 / L), ("chebyshev", 1 / L)):
        age = np.linspace(0.1, 0.9, 9)
        past = (lambda r: 1 - 2 * r + 3 * r**3)(1 - age)
        np.testing.assert_allclose(reconstruct(measure, project(measure, 4, u, dt), age), past, atol=1e-5)


def test_time_invariant_legs_remembers_an_exponentially_warped_past():
    """e^{tA}B = e^{−t} g(1 − e^{−t}), and the Gramian is the Jacobi matrix of the shifted Legendre polynomials."""
    A, B = transition("legs", 8)
    for t in (0.0, 0.1, 1.0, 4.0):
        np.testing.assert_allclose(
            scipy.linalg.expm(t * A) @ B, np.exp(-t) * basis("legs", 8, 1 - np.exp(-t)), atol=1e-10
        )
    n = np.arange(7)
    jacobi = np.eye(8) / 2
    jacobi[n, n + 1] = jacobi[n + 1, n] = (n + 1) / (2 * np.sqrt((2 * n + 1) * (2 * n + 3)))
    np.testing.assert_allclose(gramian("legs", 8), jacobi, atol=1e-13)


@pytest.mark.parametrize("measure", MEASURES)
def test_the_gramian_is_the_energy_of_the_impulse_responses(measure):
    A, B = transition(measure, 5)
    step = 2e-3
    A_bar, _ = zoh(A, B, step)
    responses = [B]
    for _ in range(20000):
        responses.append(A_bar @ responses[-1])
    integral = functools.partial(scipy.integrate.simpson, dx=step, axis=0)
    energies = integral(np.einsum("tn,tk->tnk", responses, responses))
    np.testing.assert_allclose(gramian(measure, 5), energies, atol=1e-6 * abs(energies).max())


# What a user can get wrong.


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: transition("legd", 4), r"transition: unknown measure 'legd'; choose one of .* \(did you mean legt"),
        (lambda: transition("legs", 0), "transition: N must be an integer, at least 1; got 0"),
        (lambda: transition("legs", 2.0), "N must be an integer, at least 1; got 2.0"),
        (lambda: transition("legs", True), "N must be an integer, at least 1; got True"),
        (lambda: nplr("fout", 64), "nplr: N must be odd for 'fout', .*; got 64, try 65"),
        (lambda: nplr("lmu", 4), "nplr: 'lmu' is not in orthonormal coordinates.*use 'legt'"),
        (lambda: basis("legt", 3, [0.2, 1.5]), "basis: age must lie between 0 .* and 1 windows for 'legt'; got 0.2 to"),
        (lambda: basis("lagt", 3, -1.0), "basis: age must lie between 0 .* and inf windows for 'lagt'; got -1"),
        (lambda: online("legs", 3, [1.0], dt=0.1), "online: 'legs' has no scale of time and takes no dt"),
        (lambda: online("legt", 3, [1.0]), "online: 'legt' needs dt, the step in windows"),
        (lambda: online("legt", 3, [1.0], dt=-1), "online: dt must be positive and finite; got -1"),
        (lambda: project("legs", 3, []), r"project: u must have shape \(L,\) with L at least 1; got \(0,\)"),
        (lambda: online("legs", 3, [1.0], method="gbt"), "online: unknown method 'gbt'; choose one of zoh, bilinear"),
        (lambda: reconstruct("fout", np.zeros(4), 0.5), "N must be odd for 'fout'"),
    ],
)
def test_a_mistake_gets_one_sentence(call, message):
    with pytest.raises(UserError, match=message):
        call()
