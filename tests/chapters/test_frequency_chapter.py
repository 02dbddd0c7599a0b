"""Chapter 12: its claims hold as printed, and turn red when a sign, a power or a place in its code is changed."""

import pytest

from ssm_teach.claims import ClaimError

# Claim → what is changed in the chapter's code. Each change is a mistake that somebody has made in earnest.
SPOILED = {
    "receiver-gain": ("gain.subs(omega, nu + sigma)", "gain.subs(omega, nu + 2 * sigma)"),
    "gradient-kernel": (
        "squared(by_nu) - size / ((omega - nu) ** 2 + sigma**2) ** 2",
        "squared(by_nu) - size / ((omega - nu) ** 2 + sigma**2)",
    ),
    "dial-gradient": ("(np.conj(E)[:, None] * kernel_of_each)", "(E[:, None] * kernel_of_each)"),
    "gradient-decay": ("sp.limit(log_slope / 2, omega, sp.oo) + 2", "sp.limit(log_slope, omega, sp.oo) + 2"),
    "gradient-share": ("(1 - 2 * sp.atan(d / sigma) / sp.pi)", "(1 - sp.atan(d / sigma) / sp.pi)"),
    "pull": ("np.conj(r) / (a + np.conj(p)) ** 2", "np.conj(r) / (a - p) ** 2"),
    "decay-hears-too": ("sp.diff(G, sigma) - sp.I * by_nu", "sp.diff(G, sigma) + sp.I * by_nu"),
    "weight-hears-farther": ("sp.limit(squared(by_c) * omega**2", "sp.limit(squared(by_c) * omega**4"),
    "variation-ends-with-the-modes": ("by_slope = (slope[1:] + slope[:-1]) / 2", "by_slope = w[1:] / 50"),
    "gap": ("omega, nu + spread * sp.pi / 2", "omega, nu + spread * sp.pi"),
    "weighted-kernel": (
        "sp.limit(log_slope, far_out, sp.oo) - (beta - 2)",
        "sp.limit(log_slope, far_out, sp.oo) - beta",
    ),
    "weighted-peak": ("(1 + nu) ** beta / sigma**2", "(1 + nu) ** (beta - 2) / sigma**2"),
    "weighted-kernel-uniformly": ("distance ** (2 - beta)", "distance ** (2 - beta) / (1 + nu)"),
    "weight-in-the-layer": ('for place in ("layer", "raw layer")', 'for place in ("raw layer", "layer")'),
    "weight-unit": (
        "bins = np.pi * np.arange(L_bins + 1) / (L_bins * dt)",
        "bins = np.arange(L_bins + 1) / (L_bins * dt)",
    ),
    "weight-taps": ("-2 * (k % 2) / (sp.pi * k) ** 2", "2 * (k % 2) / (sp.pi * k) ** 2"),
    "weight-keeps-causality": ("frequency_weight=2.0, **options", "frequency_weight=0.0, **options"),
    "minimum-phase": ("h[half + 1 :] = 0", "h[half + 1 :] *= 1"),
    "layer-beyond-nyquist": ("folded = nu_35 - 2 * np.pi / dt", "folded = nu_35 - np.pi / dt"),
    "alias-turns-around": ('residual=moved["zoh"] + 1', 'residual=moved["zoh"] - 1'),
    "bilinear-dial": ("1 / (1 + (dial * Delta / 2) ** 2)", "1 / (1 + (dial * Delta) ** 2)"),
    "scale-limit": ("limit = 1 / (alpha * (N_modes - 1))", "limit = np.pi / (alpha * (N_modes - 1))"),
    "guarded-scale": ("frequency_scale=5.0)", 'frequency_scale=5.0, init="inv")'),
    "step-is-a-dial": ("played = sp.exp(log_step) * dial", "played = log_step * dial"),
    "learning-the-step-is-learning-frequency": ("layer.log_neg_real.fill_(np.log(5.0))", "layer.log_dt.fill_(0.0)"),
    "leash": ('slower = fits["result"]["slow_fits"]', 'slower = fits["result"]["fits"]'),
    "deaf-models-measure-power": ('noise = asked["noise"] *', "noise = 0 *"),
    "scale-costs-the-slow-wave": (
        "(wave_errors(3.0, 0.0) / wave_errors(0.1, 0.0))",
        "(wave_errors(0.3, 0.0) / wave_errors(0.1, 0.0))",
    ),
    "three-forms": ("/ (1 + total(p, p))", "/ (1 - total(p, p))"),
    "support-point-hears-near": (
        "sp.cancel(s**2 * sp.diff(S4_form, lam[0]))",
        "sp.cancel(s * sp.diff(S4_form, lam[0]))",
    ),
    "laurent-hears-all": ("(1 + sp.I * omega * time_scale) /", "(1 + omega * time_scale) /"),
    "laurent-pole": ("for sign in (1, -1)", "for sign in (-1, 1)"),
    "laurent-prefers-the-slow": ("(1 + (-1 + 1j * mu_) * T) /", "(1 + (-1 + 2j * mu_) * T) /"),
}


@pytest.mark.slow
def test_every_claim_of_the_chapter_holds(run_chapter):
    held = run_chapter("frequency")
    assert len(held) == len(set(held)) >= 40
    assert set(SPOILED) <= set(held)


@pytest.mark.parametrize("claim", SPOILED)
def test_claim_turns_red_when_its_code_is_spoiled(run_chapter, claim):
    old, new = SPOILED[claim]
    with pytest.raises(ClaimError, match=f"claim {claim} fails"):
        run_chapter("frequency", replace={old: new}, until=claim)
