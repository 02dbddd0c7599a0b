"""Chapter 14: its claims hold as printed, and turn red when a conjugate, a gain or a law in its code is changed."""

import pytest

from ssm_teach.claims import ClaimError

# Claim → what is changed in the chapter's code. Each change is a mistake that somebody has made, or could.
SPOILED = {
    "mimo-kernel": ("C[p, n] * modes[n] ** l * B[n, q]", "C[p, n] * modes[n] ** (l + 1) * B[n, q]"),
    "s4d-is-block-diagonal-s5": ("bank.log_dt.repeat_interleave(N)", "bank.log_dt.repeat(N)"),
    "half-spectrum-suffices": ("np.r_[B_bar, B_bar.conj()]", "np.r_[B_bar, B_bar]"),
    "half-spectrum-always-doubles": (
        "2 * each[:, above].sum(1) + each[:, real]",
        "2 * each[:, above].sum(1) + 2 * each[:, real]",
    ),
    "mimo-costs": ("- 8 * d * N * L)", "- 8 * N * L)"),
    "s5-loop-equals-dense": ("x[k] = a * x[k - 1] + b[k]", "x[k] = a.conj() * x[k - 1] + b[k]"),
    "s5-doubling-equals-dense": ("x = x + a**distance * earlier", "x = x + a * earlier"),
    "s5-scan-equals-recurrence-equals-kernel": ("K[: k + 1].flip(0)", "K[: k + 1]"),
    "s5-work-and-depth": ("work - states * (3 * L - 2)", "work - (3 * L - 2)"),
    "s5-starts-as-normal-hippo": ("legs + np.outer(B, B) / 2", "legs + np.outer(B, B)"),
    "ring-law": ("np.sqrt(np.linspace(r_min**2, r_max**2, 5))", "np.linspace(r_min, r_max, 5)"),
    "ring-horizons": ("np.exp(-2 / t)) / (r_max**2 - r_min**2))", "np.exp(-1 / t)) / (r_max**2 - r_min**2))"),
    "ring-gramians": ("(1 - np.outer(modes.conj(), modes))", "(1 - np.outer(modes, modes.conj()))"),
    "lru-sensitivity-sum": ("summed = sp.summation(k * lam ** (k - 1)", "summed = sp.summation(k * lam**k"),
    "lru-sensitivity-variance": ("series = convergent(sp.summation(k**2 *", "series = convergent(sp.summation(k *"),
    "lru-unit-variance": ("impulses[:, 0] = B_bar.T", "impulses[:, 0] = torch.view_as_complex(wide.B).T"),
    "lru-quarter": ("sp.sqrt(1 - modulus**2)), energy_of", "sp.sqrt(1 - modulus)), energy_of"),
    "lru-constant-input": ("2 * sp.atan((1 + rho)", "2 * sp.atan((1 - rho)"),
    "s5-is-an-lru": ("lru.C.copy_(2 * s5.C)", "lru.C.copy_(s5.C)"),
    "s5-resampling": ("finer.log_dt.sub_(np.log(m))", "finer.log_dt.add_(np.log(m))"),
    "two-gains": ("(dt_symbol / (2 * sigma))", "(dt_symbol / sigma)"),
    "lru-ring-in-bfloat16": ("moduli >= 1 - 2**-9", "moduli >= 1 - 2**-8"),
    "lru-gain-from-the-exponent": (
        "torch.sqrt(-torch.expm1(-2 * t_single))",
        "torch.sqrt(1 - torch.exp(-2 * t_single))",
    ),
}


@pytest.mark.slow
def test_every_claim_of_the_chapter_holds(run_chapter):
    held = run_chapter("s5-lru")
    assert len(held) == len(set(held)) >= 25
    assert set(SPOILED) <= set(held)


@pytest.mark.parametrize("claim", SPOILED)
def test_claim_turns_red_when_its_code_is_spoiled(run_chapter, claim):
    old, new = SPOILED[claim]
    with pytest.raises(ClaimError, match=f"claim {claim} fails"):
        run_chapter("s5-lru", replace={old: new}, until=claim)
