"""Chapter 15: its claims hold as printed, and turn red when a gate, a weight or an index in it is changed."""

import pytest

from ssm_teach.claims import ClaimError

# Claim → what is changed in the chapter's code. Each change is a mistake that somebody has made in earnest.
SPOILED = {
    "affine-floor": ("(alpha[p] + readout - v[p]) ** 2", "(alpha[p] + readout - v[0]) ** 2"),
    "affine-floor-in-samples": ("features = np.hstack([values, flags])", "features = values * flags"),
    "one-state-gate": ("h = (1 - f) * h + f * v", "h = f * h + (1 - f) * v"),
    "null-vector-attack": ("unseen = rotation[len(rows) :]", "unseen = rotation[1:]"),
    "any-readout-floor": ("1 - np.einsum(", "1 - 0.9 * np.einsum("),
    "fixed-kernels-cannot-copy": ("np.roll(cells, 1, axis=1)", "0.9 * np.roll(cells, 1, axis=1)"),
    "ordered-pair-floor": ("sp.Rational(first[k], either[k])", "sp.Rational(1, 2)"),
    "gated-shift-copies": ("x = np.where((is_data | is_marker)[:, k, None]", "x = np.where(is_data[:, k, None]"),
    "slot-gates-copy": ("np.where(opens, 40.0, 0.0)", "np.where(opens, 40.0, 1e-3)"),
    "hold-logit": ("math.log(r ** (-1 / n) - 1)", "math.log(-math.log(r) / n)"),
    "three-roads": ("backward, exact_step(1, softplus))", "backward, exact_step(1, sp.exp(z)))"),
    "thesis-gate": ("crosswise - gate.subs(z, -z)", "crosswise - gate"),
    "gate-powers": ("- (1 - sigma) ** n * s_before", "- (1 - n * sigma) * s_before"),
    "delta-limits": ("sp.oo) - heard / n", "sp.oo) - heard"),
    "steps-are-time": ('residual=[change(m, "zoh")', 'residual=[change(m, "simplified")'),
    "selection-breaks-convolution": (
        "torch.exp((S[:, None] - S[None, :])[..., None] * A)",
        "torch.exp((S[:, None] - S[None, :] + delta)[..., None] * A)",
    ),
    "s6-loop-is-the-layer": ("y.append(C[k] @ x + D[c] * u[k, c])", "y.append(C[k - 1] @ x + D[c] * u[k, c])"),
    "s6-scan-is-the-loop": ("write = (delta * u)[..., None]", "write = u[..., None]"),
    "s6-fused-is-the-loop": (
        "ops.selective_scan(u_, delta_, A, B_, C_, D)[0]",
        'ops.selective_scan(u_, delta_, A, B_, C_, D, method="zoh")[0]',
    ),
    "no-state-array": ('("fused", s6_fused)', '("fused", s6_by_scan)'),
    "s6-starts-from-hippo": ("legs + np.outer(root, root)", "legs"),
    "s6-parameters": ("2 * d * math.ceil(d / 16)", "2 * d * (d // 16)"),
    "induction-gate": ("gate * token, token\n", "gate * before, token\n"),
    "two-weights": ("exact_weight / w - (1 - sp.exp(-w)) / w", "exact_weight / w - (sp.exp(w) - 1) / w"),
    "simplified-excess": ("sp.integrate(1 - sp.exp(-tau)", "sp.integrate(1 + sp.exp(-tau)"),
    "no-constant-absorbs": ("low * (high / low) ** spread_", "0.05 + 0 * spread_"),
    "constants-cannot-restore-order": ("np.stack([states, heard_], 1)", "np.stack([states, states], 1)"),
    "training-finds-the-gate": ('train("s6", method="zoh")', 'train("s4d", method="zoh")'),
    "copying-needs-selection": (
        '("S6", "plain"): recorded("s6-simple", 0, 1, 2)',
        '("S6", "plain"): recorded("s4d", 0, 1, 2)',
    ),
    "gates-help-a-fixed-kernel": ('recorded("s4d", 0, 1, 2)', 'recorded("s4d-simple", 0, 1, 2)'),
    "induction-extrapolates": ("max(by_length) / min(by_length)", "max(by_length) / 256"),
    "overflow-step": ("math.ceil(128 * math.log(2) / growth)", "math.ceil(127 * math.log(2) / growth)"),
    "bf16-threshold": ("-math.log(2**9 - 1)", "-math.log(2**8 - 1)"),
    "where-guards-a-quotient": (
        "    return torch.where(w == 0, torch.ones_like(w), torch.expm1(w) / w)\n",
        "    return phi1(w)\n",
    ),
    "softplus-is-gentle": ("sp.diff(softplus, z) - sigma,", "sp.diff(softplus, z) - (1 - sigma),"),
    "mamba-streams": (
        "block(\n                stream[:, start:end], state=state,",
        "block(\n                stream[:, start:end], state=None,",
    ),
}


@pytest.mark.slow
def test_every_claim_of_the_chapter_holds(run_chapter):
    held = run_chapter("selectivity")
    assert len(held) == len(set(held)) >= 30
    assert set(SPOILED) <= set(held)


@pytest.mark.parametrize("claim", SPOILED)
def test_claim_turns_red_when_its_code_is_spoiled(run_chapter, claim):
    old, new = SPOILED[claim]
    with pytest.raises(ClaimError, match=f"claim {claim} fails"):
        run_chapter("selectivity", replace={old: new}, until=claim)
