"""Chapter 09: its claims hold as printed, and turn red when a sign, a conjugate or a correction is changed."""

import pytest

from ssm_teach.claims import ClaimError

# Claim → what is changed in the chapter's code. Each change is a mistake that somebody has made in earnest.
SPOILED = {
    "legs-loses-energy": ("-(n + 1) if n == k else 0,\n)\nB_small", "(n + 1) if n == k else 0,\n)\nB_small"),
    "power-over-a-window": ("step_matrix, _ = bilinear(A, B, 1 / steps)", "step_matrix, _ = bilinear(A, B, 2 / steps)"),
    "diagonalise-legs-kernel": ("np.linalg.solve(V, B_bar)\n    return (weights", "(V.T @ B_bar)\n    return (weights"),
    "spectrum-at-roots": ("C_s * (sp.eye(states) - A_bar_s**L)\n", "C_s\n"),
    "wrong-sign-reverses-time": ("K_s[-k % L]", "K_s[k]"),
    "kernel-by-solves": ("-2j * np.pi * np.arange(L // 2 + 1) / L):\n", "2j * np.pi * np.arange(L // 2 + 1) / L):\n"),
    "bilinear-bracket": ("    + dt / 2 * (1 + z) * A_s\n", "    - dt / 2 * (1 + z) * A_s\n"),
    "bilinear-resolvent": ("(2 / (1 + z) * C_s * (g * eye - A_s).inv()", "(2 / (1 - z) * C_s * (g * eye - A_s).inv()"),
    "nodes-on-imaginary-axis": ("2 * cosine - half_turn * (1", "2 * cosine - (1"),
    "nodes-keep-their-distance": ("tangents[:, None] - Lambda)", "tangents[:, None] - 1j * Lambda.imag)"),
    "woodbury-rank-one": ("- R * P_s * k(Q_s, B_s4)", "+ R * P_s * k(Q_s, B_s4)"),
    "four-cauchy-sums": ("(1 + k(Q_3, P_3)) - k(C_3, P_3)", "(1 + k(Q_3, P_3)) + k(C_3, P_3)"),
    "feedback-divisor": ("weights = -Lambda.real * np.abs(P)", "weights = Lambda.real * np.abs(P)"),
    "kernel-by-table": (
        "    Q = P.conj()\n    CB, CP, QB, QP = (table @ (x * y) for x in (C, Q) for y in (B, P))\n    return 2",
        "    Q = -P.conj()\n    CB, CP, QB, QP = (table @ (x * y) for x in (C, Q) for y in (B, P))\n    return 2",
    ),
    "alias-factor": ("c * a**k * b / (1 - a**4)", "c * a**k * b"),
    "uncorrected-kernel-wraps": ("long.reshape(60, L).sum(axis=0)", "long[:L]"),
    "readout-from-correction": (
        "np.linalg.solve(\n    (np.eye(N) - np.linalg.matrix_power(A_bar, L)).T",
        "np.linalg.solve(\n    (np.eye(N) - np.linalg.matrix_power(A_bar, 2 * L)).T",
    ),
    "limit-at-minus-one": ("input_s = dt / 2 * (eye + step_s)", "input_s = dt * (eye + step_s)"),
    "dropped-node-alternates": ("predicted = -((-1.0) ** np", "predicted = ((-1.0) ** np"),
    "spectrum-without-infinity": ("(tau + 1 / tau) / 2, tau)", "(tau + 1 / tau) / 2, 1 / tau)"),
    "half-angles-equal-powers": ("2 * np.arange(L // 2 + 1) == L, 0.0", "2 * np.arange(L // 2 + 1) == L, 1.0"),
    "cauchy-sum-of-a-pair": ("w_re * l_re + w_im * l_im", "w_re * l_re - w_im * l_im"),
    "pairs-doubled-at-the-end": ("[max(0.0, 0.1 - off), errors[256]]", "[off, errors[256]]"),
    "conjugate-once": ("phases.conj() * B_modes, C_tilde * phases", "phases.conj() * B_modes, C_tilde / phases"),
    "s4-operations": ("2 * n**2 + n - 1", "2 * n**2 + n"),
    "dplr-step-by-woodbury": ("loop - D_s * P_3 * half_dt", "loop + D_s * P_3 * half_dt"),
    "dplr-recurrence-equals-kernel": ("response.append(C @ V @ x)", "response.append(C_tilde @ x)"),
    "tied-low-rank-is-stable": ("lam_s - p_s * p_s.H", "lam_s - p_s * p_s.T"),
}


@pytest.mark.slow
def test_every_claim_of_the_chapter_holds(run_chapter):
    held = run_chapter("s4")
    assert len(held) == len(set(held)) >= 18
    assert set(SPOILED) <= set(held)


@pytest.mark.parametrize("claim", SPOILED)
def test_claim_turns_red_when_its_code_is_spoiled(run_chapter, claim):
    old, new = SPOILED[claim]
    with pytest.raises(ClaimError, match=f"claim {claim} fails"):
        run_chapter("s4", replace={old: new}, until=claim)
