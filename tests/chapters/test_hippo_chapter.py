"""Chapter 06: its claims hold as printed, and turn red when a sign, an index or a step in its code is changed."""

import pytest

from ssm_teach.claims import ClaimError

# Claim → what is changed in the chapter's code. Each change is a mistake that somebody has made in earnest.
SPOILED = {
    "legendre-orthonormal": ("sp.sqrt(2 * n + 1) * sp.expand(sp.legendre(n, 2 * r - 1))", "sp.legendre(n, 2 * r - 1)"),
    "legs-best-fit": ("+ sum(c_n**2 for c_n in c)", "+ sum(c_n**2 for c_n in c[1:])"),
    "legs-coefficient-derivative": ("+ coefficient(n, f) / t\n", "\n"),
    "legendre-recurrences": ("P[n - 1].diff() - n * P[n])", "P[n - 1].diff() - (n + 1) * P[n])"),
    "legendre-engine": ("((X + 1) * P[n].diff()", "((X - 1) * P[n].diff()"),
    "legs-basis-stretches": ("+ n * basis_function(n)", "+ (n + 1) * basis_function(n)"),
    "legs-ode": ("t * slope - A * c - B", "t * slope + A * c - B"),
    "legs-ode-for-a-sine": ("- B3 * sp.sin(t)", "- B3 * sp.cos(t)"),
    "legs-transition": ("legs_matrix(12)[0], dtype", "legs_matrix(12)[0].T, dtype"),
    "legs-timescale": ("coefficient(n, f).subs(t, alpha * t)", "coefficient(n, f).subs(t, t / alpha)"),
    "legs-log-time": ("drive = B * f.subs(s, sp.exp(tau))", "drive = B * f.subs(s, tau)"),
    "legs-stretch": ("g(n).subs(r, r / q) * g(k))) / q", "g(n).subs(r, r / q) * g(k)))"),
    "legs-exact-update": (
        "hold = waited.subs(q, sp.Rational(k, k - 1))",
        "hold = waited.subs(q, sp.Rational(k + 1, k))",
    ),
    "legs-subtract-stretch-add": ("waited * (old - u_new * constant)", "waited * (old + u_new * constant)"),
    "legs-online-equals-projection": ('online("legs", 64, noise)', 'online("legs", 64, noise, method="bilinear")'),
    "legs-repeated-samples": (
        'online("legs", 32, np.repeat(short, m))[-1]',
        'online("legs", 32, np.repeat(short, m), method="backward_euler")[-1]',
    ),
    "legs-error-tail": ("(np.arange(L)[:, None] + (nodes + 1) / 2) / L", "(np.arange(L)[:, None] + 0 * nodes) / L"),
    "legs-wave-coefficients": ("spherical_jn(orders, omega * duration / 2)", "spherical_jn(orders, omega * duration)"),
    "legs-jump-error": ("/ (math.pi * n)\n", "/ (math.pi * n**2)\n"),
    "bilinear-keeps-the-mean": ("((1 - h / 2) * c + h * u)", "((1 - h) * c + h * u)"),
    "log-step-restores-second-order": ("step = math.log(k / (k - 1))", "step = 1 / k"),
    "euler-binomial": ("sp.binomial(n - 1, m)", "sp.binomial(n, m)"),
    "midpoint-sum-converges": (
        "sums, exact = midpoint_sum(128, signal), project",
        'sums, exact = project("legs", 128, signal), project',
    ),
    "lti-legs-warped-basis": ("sp.Matrix([r * g(n) for n in range(6)])", "sp.Matrix([g(n) for n in range(6)])"),
    "lti-legs-projection": ("on_ruler = [sp.integrate(sp.log(r) ** 2", "on_ruler = [sp.integrate(r ** 2"),
    "s4-keeps-timescale-invariance": ("np.repeat(signal, 2), 16, 0.005)", "np.repeat(signal, 2), 16, 0.02)"),
    "legs-gramian": ("(low + 1) / (2 * sp.sqrt", "low / (2 * sp.sqrt"),
    "legs-gramian-has-gauss-nodes": ("[0] + 1) / 2\nenergies", "[0] + 1)\nenergies"),
}


@pytest.mark.slow
def test_every_claim_of_the_chapter_holds(run_chapter):
    held = run_chapter("hippo")
    assert len(held) == len(set(held)) >= 18
    assert set(SPOILED) <= set(held)


@pytest.mark.parametrize("claim", SPOILED)
def test_claim_turns_red_when_its_code_is_spoiled(run_chapter, claim):
    old, new = SPOILED[claim]
    with pytest.raises(ClaimError, match=f"claim {claim} fails"):
        run_chapter("hippo", replace={old: new}, until=claim)
