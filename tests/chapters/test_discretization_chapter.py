"""Chapter 04: its claims hold as printed, and turn red when a sign, a weight or an index in its code is changed."""

import pytest

from ssm_teach.claims import ClaimError

# Claim → what is changed in the chapter's code. Each change is a mistake that somebody has made in earnest.
SPOILED = {
    "zoh-scalar": ("sp.exp(a * (Delta - s)) * b, (s, 0, Delta)", "sp.exp(a * (Delta + s)) * b, (s, 0, Delta)"),
    "zoh-augmented": ("(s * A2) ** (j - 1) * B2", "(s * A2) ** j * B2"),
    "zoh-oscillator": ("[-w * sin, cos]", "[w * sin, cos]"),
    "zoh-buckets": ("(1 + lam * Delta)", "(1 - lam * Delta)"),
    "zoh-exact": ("march(A_bar, 0 * B5, B_bar, steps) - truth", "march(A_bar, B_bar, 0 * B5, steps) - truth"),
    "gbt": ("A2 * ((1 - alpha) * old + alpha * new)", "A2 * (alpha * old + (1 - alpha) * new)"),
    "local-error": ("a**3 / 12", "a**3 / 6"),
    "foh-weights": ("(1 + (z - 1) * sp.exp(z)) / z**2", "(1 - (z - 1) * sp.exp(z)) / z**2"),
    "foh-exact": ("march(A_bar, B_old, B_new, steps)\n    -", "march(A_bar, B_new, B_old, steps)\n    -"),
    "stability-identity": ("(2 * alpha - 1) * (sigma**2", "(1 - 2 * alpha) * (sigma**2"),
    "half-plane-disc": ("on_axis - (1 - 1 / (2 * alpha))", "on_axis - (1 - 1 / alpha)"),
    "stable-out-stable-in": ("{alpha: 1, a: 1, Delta: 3}", "{alpha: 1, a: -1, Delta: 3}"),
    "orders-of-accuracy": ("return A_bar, B_bar / 2, B_bar / 2", "return A_bar, 0 * B_bar, B_bar"),
    "s4-transfer": ("2 * zeta / (zeta + 1) * H_tustin", "2 / (zeta + 1) * H_tustin"),
    "midpoint-entry": ("shift=0.5)", "shift=-0.5)"),
    "tustin-output": ("(C2 * B_bil)[0] / 2", "(C2 * B_bil)[0]"),
    "mamba-skip": ("correction=-0.5", "correction=0.5"),
    "scipy-agrees": ("else ours\n    weight", 'else "euler"\n    weight'),
    "aliasing": ("omega + 2 * sp.pi / Delta", "omega + sp.pi / Delta"),
    "gate-zoh": ("softplus = sp.log(1 + sp.exp(v))", "softplus = sp.log(1 + sp.exp(-v))"),
}


@pytest.mark.slow
def test_every_claim_of_the_chapter_holds(run_chapter):
    held = run_chapter("discretization")
    assert len(held) == len(set(held)) >= 22
    assert set(SPOILED) <= set(held)


@pytest.mark.parametrize("id", SPOILED)
def test_spoiled_claim_turns_red(run_chapter, id):
    old, new = SPOILED[id]
    with pytest.raises(ClaimError, match=f"claim {id} fails"):
        run_chapter("discretization", replace={old: new}, until=id)
