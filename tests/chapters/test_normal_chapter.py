"""Chapter 08: its claims hold as printed, and turn red when a sign, an index or a size in its code is changed."""

import pytest

from ssm_teach.claims import ClaimError

# Claim → what is changed in the chapter's code. Each change is a mistake that somebody has made in earnest.
SPOILED = {
    "legs-without-roots": (
        "0 if n < k else -(n + 1) if n == k else -(2 * k + 1)",
        "0 if n < k else -(n + 1) if n == k else -(2 * n + 1)",
    ),
    "legs-eigenvectors": ("(-1) ** (n - j) * sp.binomial(n + j, n - j)", "sp.binomial(n + j, n - j)"),
    "legs-inverse": ("sp.Rational(2 * j + 1, n + j + 1)", "sp.Rational(2 * j + 1, n + j + 2)"),
    "fibonacci-rows": ("- sp.fibonacci(2 * n + 1)", "- sp.fibonacci(2 * n)"),
    "entries-grow-as-four-thirds": ("golden = 2 * np.log2((1 + np.sqrt(5)) / 2)", "golden = 4 / 3"),
    "legs-condition": ("V, W = V * units[:, None], W / units", "V, W = V * units[:, None], W * units"),
    "best-scaling": (
        "scaled, unscaled = V * scales, W / scales[:, None]",
        "scaled, unscaled = V * scales, W * scales[:, None]",
    ),
    "growth-of-condition": ("peak = 1 / sp.sqrt(2)", "peak = 1 / sp.sqrt(5)"),
    "hilbert-gramian": ("sp.Integer(i + j + 2)", "sp.Integer(i + j + 1)"),
    "kernel-through-eigenvectors": ("right_weights = inverse(N) * ones", "right_weights = eigenvectors(N) * ones"),
    "legs-nplr": ("0 + P_n * P_k - S_above", "0 + P_n * P_k + S_above"),
    "energy-leak": ("+ (u - expected) ** 2", "+ (u + expected) ** 2"),
    "nplr-family": ("(near * near.T + far * far.T) / 2", "near * near.T"),
    "correction-is-large": ("- size**2 / 2)", "- size**2)"),
    "dplr": ("rebuilt = V @ (np.diag(Lambda) - P @ P.conj().T)", "rebuilt = V @ (np.diag(Lambda) + P @ P.conj().T)"),
    "kernel-in-unitary-basis": (
        "K = through_steps(dplr, B_u, C @ V, times)",
        "K = through_steps(dplr, B_u, C @ V.conj(), times)",
    ),
    "halfway-polynomial": ("- (1 - tau) / 2 * product(-1, N)", "- (1 + tau) / 2 * product(-1, N)"),
    "almost-legs": ("gap / 2 * product(-1, N)", "0 * product(-1, N)"),
    "mean-angle": ("law = sp.atan(1 / nu) - nu / 2", "law = sp.atan(1 / nu) - nu"),
    "phase-condition": ("np.pi / 2 * (N - 1 - 2 * np.arange(N // 2))", "np.pi / 2 * (N - 2 * np.arange(N // 2))"),
    "top-frequency-series": ("guess = big**2 / sp.pi - sp.pi / 6", "guess = big**2 / sp.pi - big / sp.pi"),
    "bottom-frequency": ("max(0.0, np.pi / 2 - lowest * H)", "max(0.0, np.pi - lowest * H)"),
    "frequency-spacing": ("(h / (h**2 + np.asarray(omega)", "(1 / (h**2 + np.asarray(omega)"),
    "inv-bottom": ('- 1 / sp.pi,\n    source="m = N/2', '- 1,\n    source="m = N/2'),
    "normal-eigenvectors": ("turns = (1j * w - h) / (1j * w + h)", "turns = (1j * w + h) / (1j * w - h)"),
    "lagt-spectrum": ("0.5 / np.tan(angles)", "0.5 * np.tan(angles)"),
    "pair-as-rotation": ("sp.Matrix([[2 * p, -2 * q]])", "sp.Matrix([[2 * p, 2 * q]])"),
    "real-normal-form": (
        "np.sqrt(2) * np.stack([upper.real, upper.imag], -1)",
        "np.sqrt(2) * np.stack([upper.real, -upper.imag], -1)",
    ),
    "real-modes-change-sign": ("changes - (N - 1))", "changes - (N - 2))"),
    "delay-weights": ("1 / sp.prod([here - other", "1 / sp.prod([here + other"),
    "real-delay-bound": ("2.0 ** (2 * N - 3) - 1", "2.0 ** (2 * N - 2) - 1"),
    "delay-at-chebyshev": ("closed = 2.0 ** (N - 1) / N", "closed = 2.0 ** N / N"),
    "jordan-limit": ("- half * i * (i - 1)", "- i * (i - 1)"),
}


@pytest.mark.slow
def test_every_claim_of_the_chapter_holds(run_chapter):
    held = run_chapter("normal")
    assert len(held) == len(set(held)) >= 40
    assert set(SPOILED) <= set(held)


@pytest.mark.parametrize("claim", SPOILED)
def test_claim_turns_red_when_its_code_is_spoiled(run_chapter, claim):
    old, new = SPOILED[claim]
    with pytest.raises(ClaimError, match=f"claim {claim} fails"):
        run_chapter("normal", replace={old: new}, until=claim)
