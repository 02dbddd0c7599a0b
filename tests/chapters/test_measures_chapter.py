"""Chapter 07: its claims hold as printed, and turn red when a sign, an index or a closure in its code is changed."""

import pytest

from ssm_teach.claims import ClaimError

# Claim → what is changed in the chapter's code. Each change is a mistake that somebody has made in earnest.
SPOILED = {
    "kernels-obey-an-ode": ("s * coefficients - A * coefficients - B", "s * coefficients - A.T * coefficients - B"),
    "laguerre-derivative": ("sum(laguerre[:n]))", "sum(laguerre[: n + 1]))"),
    "lagt-system": ("sp.Matrix(laguerre[:N]) * sp.exp(-a)", "sp.Matrix(laguerre[:N]) * sp.exp(-a / 2)"),
    "lagt-transfer": ("s**n / (s + 1) ** (n + 1) for n", "(s - 1) ** n / (s + 1) ** (n + 1) for n"),
    "lagt-tone-error": ("(-(S**2) / (1 - S**2)) ** N", "(-(S**2) / (1 - S**2)) ** (N + 1)"),
    "legt-leaving-sample": ("near * f - far * f.subs", "near * f + far * f.subs"),
    "legt-closure": ("(M - far * far.T - printed)", "(M - near * near.T - printed)"),
    "lmu-is-legt": ("(-1) ** n * sp.sqrt(2 * n + 1) for n in range(N)]", "sp.sqrt(2 * n + 1) for n in range(N)]"),
    "legt-delay-is-pade": ("taylor[N + i - j - 1]", "taylor[N + i - j - 2]"),
    "pade-remainder": ("return (-1) ** N * top / bottom", "return top / bottom"),
    "legt-bandwidth": ("- np.exp(-1j * w))\n        for w in grid", "- np.exp(-2j * w))\n        for w in grid"),
    "age-and-correct": ('"fout": (g_fout, D - 2 * p * p.T, 2 * p, 2)', '"fout": (g_fout, D - 2 * p * p.T, 2 * p, 1)'),
    "energy-balance": ("(f_now - q_0) ** 2 + q_1**2", "(f_now - q_0) ** 2"),
    "fout-leaving-sample": ("jump = in_fourier(f), f - f.subs", "jump = in_fourier(f), f + f.subs"),
    "fout-series-stalls": (
        '"series": hippo.online("fout-series", N, u, 1 / L)[-1]',
        '"series": hippo.online("fout", N, u, 1 / L)[-1]',
    ),
    "fout-closures-scale": ("2 / (1 + 2 * rho))", "1 / (1 + 2 * rho))"),
    "fout-limits": ("factor = 2 / (3 - earlier)", "factor = 1 / (2 - earlier)"),
    "euler-coth": ("0.5 / np.tanh(point / 2)", "0.5 / np.tanh(point)"),
    "fout-echoes": ("sp.Rational(2, 3) * sp.Rational(1, 3) ** m for", "sp.Rational(1, 2) * sp.Rational(1, 2) ** m for"),
    "fout-gramians": ('noise_balance("fout-series", sp.eye(5) / 2)', 'noise_balance("fout-series", sp.eye(5))'),
    "chebyshev-is-legt": ("T @ A @ np.linalg.inv(T) - A_cheb", "np.linalg.inv(T) @ A @ T - A_cheb"),
    "chebyshev-own-closure": ("half = sp.Rational(1, 2) if k == 0 else 1", "half = 1"),
    "same-polynomials-same-memory": (
        "return g, shift - B * B.T, B",
        "return g, shift - 2 * B * B.T, B",
    ),
    "error-by-age": ("np.exp(-1j * frequency * age)\n    )", "np.exp(1j * frequency * age)\n    )"),
    "lagt-horizon": ("2 * N / frequency**2, 600", "2 * N / frequency**3, 600"),
    "noise-gain-is-the-gramian": (
        "rng.standard_normal((400, 4 * M)) * np.sqrt(M)",
        "rng.standard_normal((400, 4 * M))",
    ),
    "gibbs-overshoot": ("np.sinc, 0, 1)[0] - 0.5", "np.sinc, 0, 2)[0] - 0.5"),
    "euler-needs-many-samples": ("-2 * eigenvalues.real /", "-eigenvalues.real /"),
}


@pytest.mark.slow
def test_every_claim_of_the_chapter_holds(run_chapter):
    held = run_chapter("measures")
    assert len(held) == len(set(held)) >= 18
    assert set(SPOILED) <= set(held)


@pytest.mark.parametrize("claim", SPOILED)
def test_claim_turns_red_when_its_code_is_spoiled(run_chapter, claim):
    old, new = SPOILED[claim]
    with pytest.raises(ClaimError, match=f"claim {claim} fails"):
        run_chapter("measures", replace={old: new}, until=claim)
