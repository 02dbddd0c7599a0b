"""Chapter 11: its claims hold as printed, and turn red when a sign, a factor or a hypothesis in its code is changed."""

import pytest

from ssm_teach.claims import ClaimError

# Claim → what is changed in the chapter's code. Each change is a mistake that somebody has made in earnest.
SPOILED = {
    "hankel-factors": ("H = sp.Matrix(4, 4, lambda i, j: K[i + j])", "H = sp.Matrix(4, 4, lambda i, j: K[abs(i - j)])"),
    "kronecker": ("sp.expand(H[:3, :3].det())", "sp.expand(H[:2, :2].det())"),
    "gramian-equations": ("/ (1 - a_bar[m] * sp.conjugate(a_bar[n]))", "/ (1 - a_bar[m] * a_bar[n])"),
    "energy-heard": ("[c1 * c2 / (p + q), c2**2 / (2 * q)]", "[c1 * c2 / (p + q), c2**2 / q]"),
    "energy-needed": ("x @ np.linalg.solve(P, x)", "x @ P @ x"),
    "hankel-values": (
        "corner[size] = values[:8] / from_product - 1",
        "corner[size] = values[:8] / from_product**2 - 1",
    ),
    "one-mode": ("sp.Abs(b1 * c_1) ** 2 / (2 * decay) ** 2", "sp.Abs(b1 * c_1) ** 2 / decay**2"),
    "two-modes": ("sp.Rational(1, (1, 3)[m] + (1, 3)[n])", "sp.Rational(1, 1 + (1, 3)[m] + (1, 3)[n])"),
    "cauchy-elimination": (
        "weight * (pole - a[0]) / (pole + sp.conjugate(a[0]))",
        "weight * (pole - a[0]) / (pole + a[0])",
    ),
    "similar-gramians": ("T.inv() * B, C * T", "T.inv() * B, C * T.inv()"),
    "tustin-gramians": ("B_d, C_d = step * inverse * B, C * inverse", "B_d, C_d = step * inverse * B, C"),
    "sampled-mode": ("value_of_one(\n    (1 - half)", "value_of_one(\n    (1 - r * step)"),
    "sampling-keeps-hankel-values": (
        '"true Tustin": continuous.discretize(dt, "bilinear")',
        '"true Tustin": continuous.discretize(dt, "zoh")',
    ),
    "balanced": ("(Q - np.diag(sigma_spring))", "(Q - np.diag(sigma_spring) ** 2)"),
    "one-state-gap": ("sigma_one = sp.Rational(1, 2)", "sigma_one = sp.Integer(1)"),
    "twice-the-tail": (
        "ratios.append(cut.error / tail.sum())",
        "ratios.append(cut.error / tail[1:].sum() if r < 5 else 0)",
    ),
    "last-state": ("residual=np.array(last_ratios) - 2", "residual=np.array(last_ratios) - 1"),
    "relaxation-sum": ("- sum(w**2 / p for w, p", "- sum(w / p for w, p"),
    "relaxation": (
        "relaxing.A, np.sqrt(relaxing.C.T), np.sqrt(relaxing.C)",
        "relaxing.A, np.sqrt(relaxing.C.T), np.sqrt(relaxing.C) * (-1) ** np.arange(8)",
    ),
    "free-feedthrough": (
        "gap = 1 / (sp.I * omega + 1) - sp.Rational(1, 2)",
        "gap = 1 / (sp.I * omega + 1) - sp.Rational(1, 3)",
    ),
    "nothing-beats-sigma": ("np.exp(log_pole)) + feedthrough", "np.exp(log_pole))"),
    "initialisations-in-order": ('("dense", "s4d-real"),\n]', '("dense", "s4d-real", "hankel"),\n]'),
    "initialisations-are-low-rank": (
        '("hankel", "s4d-lin", "s4d-legs", "s4d-inv", "hope"),\n    ("ring-0.9-0.999",)',
        '("hankel", "s4d-lin", "s4d-legs", "s4d-inv", "hope", "ring-0-1"),\n    ("ring-0.9-0.999",)',
    ),
    "ranks-come-out-again": ("laws=laws, sizes=(32, 64))", "laws=laws, sizes=(32, 64), seed=1)"),
    "rank-growth": ('linear = ("hankel", "hope",', 'linear = ("hankel", "hope", "ring-0-1",'),
    "folded-decay": (
        "folded = sp.exp(-time) * sp.summation(sp.exp(-2 * j), (j, 0, sp.oo))",
        "folded = sp.exp(-time) * sp.summation(sp.exp(-2 * j), (j, 1, sp.oo))",
    ),
    "lin-bracket": (
        "return -0.5 + 1j * np.pi * np.arange(1 - count, count)",
        "return -0.5 + 1j * np.arange(1 - count, count)",
    ),
    "lin-is-flat": (
        "flat = hankel_singular_values(modal(lin_modes(32)",
        "flat = hankel_singular_values(modal(2 * lin_modes(32)",
    ),
    "real-decay": ("np.log(4 * (p_ + q_) ** 2 / (p_ * q_))", "(np.log((p_ + q_) ** 2 / (p_ * q_)) / 4)"),
    "gramians-decay-fast": (
        '"S4D-Lin": gramians(modal(lin_modes(32), np.ones(63)))[0]',
        '"S4D-Lin": gramians(modal(-np.arange(1.0, 64), np.ones(63)))[0]',
    ),
    "random-is-not-random": (
        "hankel_matrix(entries), compute_uv=False",
        "hankel_matrix(np.exp(-entries**2).cumsum()), compute_uv=False",
    ),
    "one-mode-moves": ("- (product + beta) * alpha /", "- product * alpha /"),
    "lti-bound": (
        "delta_a = draw.uniform(0, 0.5) * abs(poles.real).min()\n    delta_b = draw.uniform(0, 1)",
        "delta_a = draw.uniform(0.9, 0.99) * abs(poles.real).min()\n    delta_b = draw.uniform(0, 1)",
    ),
    "lti-bound-for-any-pole-change": (
        "near_axis = change(-one, one, -0.1 * one, one)",
        "near_axis = change(-one, one, -0.5 * one, one)",
    ),
    "lti-bound-for-any-product-change": (
        "from_nothing = change(-one, zero, -0.5 * one, one)",
        "from_nothing = change(-one, zero, -one, one)",
    ),
    "lti-bound-repaired": ("return 2 * n * (", "return 1 * n * ("),
    "pole-slack": ("bound = 4 * delta * size / rho**2", "bound = 2 * delta * size / rho**2"),
    "tight-up-to-n": ("change(-same, same, -0.5 * same, 2 * same)", "change(-same, same, -0.9 * same, 2 * same)"),
    "hope-bound": ("np.sqrt(n) * np.linalg.norm(changes, axis=1)", "np.linalg.norm(changes, axis=1)"),
    "hope-all-pass": ("a_hope = (1 - step) / (1 + step)", "a_hope = (step - 1) / (1 + step)"),
    "hope-cascade": ("taps[i].flip(0)[None, None]", "taps[i].roll(1).flip(0)[None, None]"),
    "hope-any-step": ("StateSpace(A_bar, B_bar, C, dt=1.0)", "StateSpace(A_bar, B_bar, C @ A_bar, dt=1.0)"),
    "training-keeps-the-count": ('before["ranks"]["0.01"])', 'before["ranks"]["0.1"])'),
    "hope-grows-a-head": ('before["largest"][1],', 'after["largest"][1],'),
    "promise-is-kept": ('row["used"] + row["tightest"]', 'row["used"] + row["measured"]'),
    "balanced-beats-modes": ('row["accuracy"] for k, row', '1 - row["accuracy"] for k, row'),
    "product-loses-half-the-digits": ("by_roots = hankel_singular_values(real_system)", "by_roots = by_product"),
    "stored-pole": (
        "from_exponent = -1 / np.expm1(2 * exponent.real)",
        "from_exponent = 1 / (1 - np.exp(2 * exponent.real))",
    ),
    "one-slow-pair": ("poles[10] = -distance + 1j * poles[10].imag", "poles[9] = -distance + 1j * poles[10].imag"),
    "dropping-modes": (
        "by_mode[r] = change(poles, products, poles[picked], products[picked])",
        "by_mode[r] = balanced_truncation(eight, r).error",
    ),
}


@pytest.mark.slow
def test_every_claim_of_the_chapter_holds(run_chapter):
    held = run_chapter("hankel")
    assert len(held) == len(set(held)) >= 22
    assert set(SPOILED) <= set(held)


@pytest.mark.parametrize("claim", SPOILED)
def test_claim_turns_red_when_its_code_is_spoiled(run_chapter, claim):
    old, new = SPOILED[claim]
    with pytest.raises(ClaimError, match=f"claim {claim} fails"):
        run_chapter("hankel", replace={old: new}, until=claim)
