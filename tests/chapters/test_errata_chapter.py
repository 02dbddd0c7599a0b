"""The errata: every verdict stands, and turns red when its counterexample or its correction is changed."""

import pytest

from ssm_teach.claims import ClaimError

# Claim → what is changed in the page's code: the printed statement passed off as the right one, or a slip of the kind
# that the page is about.
SPOILED = {
    "errata-kernel-of-the-other-recurrence": ("(x if read_first else updated)", "(updated if read_first else x)"),
    "errata-kernel-and-state": ("(k + 1) * b * tap", "k * b * tap"),
    "errata-index-is-not-a-lag": ("u[: k + 1][::-1]", "u[: k + 1]"),
    "errata-sign-of-hippo": ("t * rate + hippo_A * coefficients", "t * rate - hippo_A * coefficients"),
    "errata-where-b-stands": ("A2.inv() * grown * B2 - held", "B2 * A2.inv() * grown - held"),
    "errata-hold-divides-by-a": ("push = sp.Matrix([0, 1])", "push = sp.Matrix([1, 0])"),
    "errata-order-of-bilinear": ("c * B_bar / (1 - A_bar / z)", "c * B_bar / (z - A_bar)"),
    "errata-stable-stays-stable": ("size_squared(1 + (1 - alpha) * w)", "size_squared(1 + alpha * w)"),
    "errata-mamba-holds": ('after_one_token(0.1, "simplified") - 0.1', 'after_one_token(0.1, "zoh") - 0.1'),
    "errata-mamba-gate": ('gated("zoh", signal, logits)', 'gated("simplified", signal, logits)'),
    "errata-gate-the-other-way-round": ("(1 - gate) * before - gate * heard", "gate * before - (1 - gate) * heard"),
    "errata-hold-or-bilinear": ('heard_as["zoh"] - (35', 'heard_as["bilinear"] - (35'),
    "errata-mode-keeps-its-frequency": ("for rate in (1.0, 10.0, 31.0)", "for rate in (1.0, 10.0, 32.0)"),
    "errata-new-rate": ('rates_differ["zoh"],', 'rates_differ["bilinear"],'),
    "errata-legs-has-eigenvectors": ("(-1) ** (i - j) * sp.binomial", "sp.binomial"),
    "errata-growth-of-eigenvectors": ("size = 3000", "size = 300"),
    "errata-real-parts-of-legs": ("np.outer(B_legs, B_legs) / 2\nclaim", "np.outer(B_legs, B_legs)\nclaim"),
    "errata-s6-and-hippo": ("released / np.arange(1, 17) + 1", "released + 0.5"),
    "errata-inverse-law": ("N / np.pi * (N / (2 * n + 1) - 1)", "N / np.pi * (N / (2 * n + 2) - 1)"),
    "errata-legs-limit": ("A + np.outer(B, B) / 2, B / 2, first", "A + np.outer(B, B) / 2, B, first"),
    "errata-indifferent-to-speed": ('moved["zoh"],', 'moved["bilinear"],'),
    "errata-same-influence": ("(2 * np.arange(N) + 1) * values_**2", "values_**2"),
    "errata-what-leaves-the-window": ('remembered["fout"] / best', 'remembered["fout-series"] / best'),
    "errata-free-low-rank": ("decay - low_rank * low_rank.H", "decay - low_rank * low_rank.T"),
    "errata-correction-learned-away": ("corrected / (1 - decay_bar * nodes)", "1 / (1 - decay_bar * nodes)"),
    "errata-states-of-lin": ("1j * np.pi * np.arange(4)", "1j * np.pi * np.arange(1, 5)"),
    "errata-work-of-s5": ("counted(scan.odd_even, length)", "counted(scan.hillis_steele, length)"),
    "errata-plus-is-times": ("for i in range(size)", "for i in range(1)"),
    "errata-hillis-steele-is-linear": ("counted(scan.hillis_steele, L)", "counted(scan.odd_even, L)"),
    "errata-tail-once": ("cut.error / tail - 2 for", "cut.error / tail - 1 for"),
    "errata-tail-twice": ("max(shares) - 2)", "max(shares) - 1)"),
    "errata-discretising-keeps-hankel": ("weight * (1 / (1 + half))", "weight * 1"),
    "errata-bilinear-keeps-hankel": ('ladder.discretize(dt, "bilinear")', 'ladder.discretize(dt, "zoh")'),
    "errata-fresh-layers-have-low-rank": ("-np.diag(np.arange(1.0, 65))", "-np.diag(1.0 + 1j * np.arange(64))"),
    "errata-one-input-decays": ("1 / (1 - 1j * np.pi * lag_)", "1 / (1 - 0.1j * np.pi * lag_)"),
    "errata-perturbation-bound-alone": ("+ 4 * move_A", "+ 8 * move_A"),
    "errata-perturbation-bound": (
        "move_A = 0.5 * np.abs(poles.real).min()",
        "move_A = 0.99 * np.abs(poles.real).min()",
    ),
    "errata-tight-up-to-n": ("20j * (np.arange(n_modes) - 1.5)", "0j * (np.arange(n_modes) - 1.5)"),
    "errata-slope-of-weighted-kernel": ("weighted = (1 + tone)", "weighted = (1 + mode)"),
    "errata-two-weights": ("by_formula(dt, np.pi / dt)", "by_formula(dt, 2 * np.pi / dt)"),
    "errata-gradient-of-recurrence": ("gap_to(double_sum(W0.T, 1)),", "gap_to(double_sum(W0.T, 0)),"),
    "errata-lru-keeps-size": ("gamma = math.sqrt(1 - radius**2)", "gamma = 1 - radius"),
    "errata-fixed-kernels": ("(flags * values) @ gated_sum", "values @ gated_sum"),
    "errata-who-mixes-what": ("= hears(layers.S4D(3, 8)), hears(", "= hears(layers.S5(3, 8)), hears("),
    "errata-average-of-five": ('"ListOps": 49.53', '"ListOps": 45.93'),
    "errata-own-hippo-grows": ("norms = [np.linalg.norm(expm(A_float", "norms = [np.linalg.norm(expm(-A_float"),
    "errata-own-largest-part": ("rank_one = np.outer(B_64, B_64) / 2", "rank_one = np.outer(B_64, B_64)"),
}


@pytest.mark.slow
def test_every_verdict_stands(run_chapter):
    held = run_chapter("errata")
    assert len(held) == len(set(held)) >= 20
    assert set(held) == set(SPOILED)


@pytest.mark.parametrize("claim", SPOILED)
def test_verdict_turns_red_when_its_code_is_spoiled(run_chapter, claim):
    old, new = SPOILED[claim]
    with pytest.raises(ClaimError, match=f"claim {claim} fails"):
        run_chapter("errata", replace={old: new}, until=claim)
