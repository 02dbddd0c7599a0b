"""Chapter 10: its claims hold as printed, and turn red when a sign, an index or a factor in its code is changed."""

import pytest

from ssm_teach.claims import ClaimError

# Claim → what is changed in the chapter's code. Each change is a mistake that somebody has made in earnest.
SPOILED = {
    "forks-kernel": ("C = 2 * np.stack([w.real, -w.imag], -1)", "C = 2 * np.stack([w.real, w.imag], -1)"),
    "two-tables-least": (
        "(m + length / m - 2 * sp.sqrt(length)).subs(m, sp.sqrt(length))",
        "(m + length / m - sp.sqrt(length)).subs(m, sp.sqrt(length))",
    ),
    "lin-repeats": ("lin_kernel(time + 2)", "lin_kernel(time + 1)"),
    "lin-comb": ("(count - sp.Rational(1, 2)) * angle", "(count + sp.Rational(1, 2)) * angle"),
    "real-span": ("        (-1) ** (n + k)\n", "        (-1) ** n\n"),
    "bilinear-real-flips": ("halfway.subs(step_size, 2 / rate)", "halfway.subs(step_size, 1 / rate)"),
    "real-modes-need-the-hold": (
        "step = 10 ** rng.uniform(-2, 0)",
        "step = 10 ** rng.uniform(-4, -3)",
    ),
    "half-input": (
        "- B_legs * ((B_legs.T * x_symbols)[0] - u_symbol) / 2",
        "- B_legs * ((B_legs.T * x_symbols)[0] - u_symbol)",
    ),
    "legs-weak-limit": (
        "run(A + np.outer(B, B) / 2, B / 2, u)\n        gap",
        "run(A + np.outer(B, B) / 2, B, u)\n        gap",
    ),
    "legs-kernel-limit": ("return ((V[0] * B / 2) @ np.exp(Lambda[:, None] * times)).real", "return np.exp(-times)"),
    "hold-folds": ("(omega + 2 * sp.pi / step_)", "(omega + sp.pi / step_)"),
    "bilinear-bends": (
        "(1 + sp.I * half_turn) / (1 - sp.I * half_turn)\n        - (sp",
        "(1 + sp.I * half_turn)\n        - (sp",
    ),
    "bilinear-slows": ("sp.diff(-sp.log(squared) / (2 * step_), sigma)", "sp.diff(-sp.log(squared) / step_, sigma)"),
    "hold-or-bilinear": (
        "gap = np.abs(held - bilinear).max(1) / np.abs(held).max(1)",
        "gap = np.abs(held - bilinear).max(1) / np.abs(held - bilinear).max(1)",
    ),
    "lssl-is-s4": ("lssl.C.to(V.dtype) @ V)", "lssl.C.to(V.dtype) @ V.conj())"),
    "softmax-is-geometric": (
        "sum(e**r for r in range(terms)) - (e**terms - 1)",
        "sum(e**r for r in range(1, terms)) - (e**terms - 1)",
    ),
    "dss-is-s4d": ('form="softmax", length=M, dtype=f64', 'form="softmax", length=M + 1, dtype=f64'),
    "complex-softmax-is-safe": ("careful = complex_softmax(growing)", "careful = naive"),
    "barycentric": (
        "alpha = [C[0] * B[0] + cross, C[1] * B[1] - cross]",
        "alpha = [C[0] * B[0] + cross, C[1] * B[1] + cross]",
    ),
    "barycentric-interpolates": ("beta = [q_[n] * p[n] for n in range(2)]", "beta = [q_[n] * q_[n] for n in range(2)]"),
    "laurent": ("series.coeff(small, k + 1)", "series.coeff(small, k)"),
    "colliding-poles": (
        "(1 / (s - pole - eps) - 1 / (s - pole)) / eps",
        "(1 / (s - pole) - 1 / (s - pole - eps)) / eps",
    ),
    "lin-wastes-a-state": (
        'for init in ("lin", "inv")}\nprint(orders)',
        'for init in ("lin", "inv")}\norders["lin"] += 1',
    ),
    "lin-collapses": ("modes_[2 * m_ - n] - sp.conjugate(modes_[n])", "modes_[2 * m_ - n] - modes_[n]"),
    "lin-collapsed-order": ("order_of(lin, dt, method)", "order_of(lin, 0.99 * dt, method)"),
    "real-modes-are-few": ("0.02, threshold=1e-2) for _", "0.02, threshold=1e-10) for _"),
    "phase-error": ("(2.0**-24 * np.abs(lags * z.imag)", "(2.0**-26 * np.abs(lags * z.imag)"),
    "double-phases-suffice": (
        "torch.tensor([z]), torch.tensor([0.5 + 0j]",
        "torch.tensor([z * (1 + 1e-6)]), torch.tensor([0.5 + 0j]",
    ),
}


@pytest.mark.slow
def test_every_claim_of_the_chapter_holds(run_chapter):
    held = run_chapter("s4d")
    assert len(held) == len(set(held)) >= 18
    assert set(SPOILED) <= set(held)


@pytest.mark.parametrize("claim", SPOILED)
def test_claim_turns_red_when_its_code_is_spoiled(run_chapter, claim):
    old, new = SPOILED[claim]
    with pytest.raises(ClaimError, match=f"claim {claim} fails"):
        run_chapter("s4d", replace={old: new}, until=claim)
