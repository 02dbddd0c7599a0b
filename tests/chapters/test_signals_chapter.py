"""Chapter 03: its claims hold as printed, and turn red when a sign, an index or a factor in its code is changed."""

import pytest

from ssm_teach.claims import ClaimError

# Claim → what is changed in the chapter's code. Each change is a mistake that somebody has made in earnest.
SPOILED = {
    "car-speed": ("speed = sp.exp(-a * time) * (x0 + written)", "speed = sp.exp(-a * time) * x0 + written"),
    "past-through-state": ("at_T = speed.subs(time, T)", "at_T = sp.exp(-a * T) * x0"),
    "spring-as-matrices": ("A_spring = sp.Matrix([[0, 1], [-k, -c]])", "A_spring = sp.Matrix([[0, 1], [-c, -k]])"),
    "matrix-exponential-turns": ("[[cosine, sine], [-sine, cosine]]", "[[cosine, -sine], [sine, cosine]]"),
    "state-sums-the-past": ("scipy.linalg.expm((8 - grid[:, None, None])", "scipy.linalg.expm((grid[:, None, None])"),
    "spring-echo": ("stiffness, damping = omega**2 + sigma**2", "stiffness, damping = omega**2 - sigma**2"),
    "output-is-convolution": ("h[::-1] * rough(grid)", "h * rough(grid)"),
    "echo-is-a-sum-of-modes": ("np.linalg.solve(V, several.B)[:, 0]", "(V.T @ several.B)[:, 0]"),
    "tones-are-multiplied": ("- A * X * tone - B * tone]", "- A * X * tone + B * tone]"),
    "sine-in-sine-out": ("np.exp(1j * rate * late)).real", "np.exp(-1j * rate * late)).real"),
    "poles-of-the-transfer-function": ("trace_free = A - A.trace() * sp.eye(2)", "trace_free = A"),
    "transfer-is-laplace-of-echo": ("(1 / (s - p1) - 1 / (s - p2))", "(1 / (s - p1) + 1 / (s - p2))"),
    "in-a-row-they-multiply": ("[B * c1, A],", "[B, A],"),
    "four-readings-agree": ("1 / (pair[1] - pair[0])]", "1 / (pair[0] - pair[1])]"),
    "cruise-control-is-a-spring": ("wanted - x_now])", "x_now - wanted])"),
    "memory-removes-the-fault": ("(-A_cruise.inv() * B_cruise)[0, :]", "(A_cruise.inv() * B_cruise)[0, :]"),
    "held-recurrence-hits-the-curve": ("dt * np.arange(1, 31))", "dt * np.arange(30))"),
    "discrete-transfer-function": ("** -np.arange(400.0)", "** -np.arange(1, 401.0)"),
    "spring-is-stable": ("(drawn > 0).all(axis=1)", "(drawn > 0).any(axis=1)"),
    "resonance-grows": ("swing = time * sp.sin(time) / 2", "swing = time * sp.cos(time) / 2"),
    "loudest-bounded-input": ("adversary = np.sign(K[::-1])", "adversary = np.sign(K)"),
    "similarity-keeps-kernel": ("back * B, C * change", "back * B, C * back"),
    "pair-is-a-rotation": ("[[2 * g_re, -2 * g_im]]", "[[g_re, -g_im]]"),
    "kernel-obeys-its-polynomial": ("markov[n + 1] + A.det()", "markov[n + 1] - A.det()"),
    "four-samples-tell-all": ("[[K[1], -K[0]], [K[2], -K[1]]]", "[[K[1], K[0]], [K[2], K[1]]]"),
    "search-can-stop": ("np.argmax(norms[1:] <= 1)", "np.argmax(norms[1:] <= 10)"),
    "growth-bounds": ("((radii - 1) * np", "(radii * np"),
    "growth-depends-on-coordinates": ("lean.similar(np.diag([50.0, 1.0]))", "lean.similar(np.diag([5.0, 1.0]))"),
    "energy-rate": ("slope = (2 * x_any.T", "slope = (x_any.T"),
    "hippo-never-grows": ("if k < n else -(n + 1)", "if k < n else -(n + 2)"),
    "skew-eigenvectors-mean-growth": ("expm(t_now * A_twelve), 2)", "expm(t_now * A_twelve))"),
    "no-input-is-louder": ("np.tril(scipy.linalg.toeplitz(coarse.kernel(L)))", "np.ones((L, L))"),
    "gains-of-car-and-spring": ("top = natural * sp.sqrt(1 - 2 * zeta**2)", "top = natural * sp.sqrt(1 - zeta**2)"),
    "a-fine-grid-finds-the-peak": ("grid_of_200 = np.logspace(-1, 2, 200)", "grid_of_200 = rates_0"),
    "hamiltonian-crosses": ("[-C.T * C, -A.T]]", "[C.T * C, -A.T]]"),
    "bisection-finds-the-peak": ("if crosses else (low", "if not crosses else (low"),
    "cancelled-pole-still-lives": ("np.diag([1.0, -2.0]), [1.0", "np.diag([-1.0, -2.0]), [1.0"),
    "poles-that-meet": ("sp.Rational(n * (n - 1), 2)", "sp.Rational(n * (n + 1), 2)"),
    "coefficients-are-fragile": ("poles = -np.arange(1.0, 21.0)", "poles = -np.arange(1.0, 6.0)"),
    "one-sample-is-a-factor": ("zero=ours - z_symbol * theirs", "zero=ours - theirs"),
    "half-of-the-digits": ("errors = np.abs(imitated - exact)", "errors = 1e-4 + np.abs(imitated - exact)"),
    "transient-peak": ("entry = 500 * (np.exp(-0.1 * count)", "entry = 500 * (np.exp(-0.2 * count)"),
    "spring-modes": ("modes = (sp.exp(p1 * time) - sp", "modes = (sp.exp(p1 * time) + sp"),
    "scipy-answers-later": ("late_echo[1:, 0] - coarse.kernel(39)", "late_echo[:-1, 0] - coarse.kernel(39)"),
    "real-poles-cross-rarely": ("decays = rng.uniform(0.05, 0.999, size)", "decays = rng.uniform(-0.999, 0.999, size)"),
}  # fmt: skip


@pytest.mark.slow
def test_every_claim_of_the_chapter_holds(run_chapter):
    held = run_chapter("signals")
    assert len(held) == len(set(held)) >= 40
    assert set(SPOILED) <= set(held)


@pytest.mark.parametrize("claim", SPOILED)
def test_claim_turns_red_when_its_code_is_spoiled(run_chapter, claim):
    old, new = SPOILED[claim]
    with pytest.raises(ClaimError, match=f"claim {claim} fails"):
        run_chapter("signals", replace={old: new}, until=claim)
