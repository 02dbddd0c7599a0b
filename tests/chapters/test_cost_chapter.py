"""Chapter 18: its claims hold as printed, and turn red when a count, a byte or a rounding in it is changed."""

import pytest

from ssm_teach.claims import ClaimError

# Claim → what is changed in the chapter's code. Each change is a mistake that somebody has made in earnest.
SPOILED = {
    "work-per-channel": ("scan - (6 * N * (L - 1) + (3 * N - 1) * L)", "scan - (6 * N * (L - 1) + 3 * N * L)"),
    "longer-favours-the-loop": ("- (15 - 3 / L) / (5 * N - 1)", "- 15 / (5 * N - 1)"),
    "fft-crossover": ("(10 + 5 / batch) * L * np.log2(2 * L)", "(10 + 5 / batch) * L * np.log2(L) / 2"),
    "kernel-work": ("steps = [f[-1] * a_n for", "steps = [f[-1] for"),
    "two-level-exponentials": ("plain.largest - 8 * N * L", "plain.largest - 8 * L"),
    "attention-work": ("- (2 * L * (L + 1) * d + projections)", "- (2 * L * L * d + projections)"),
    "causal-mask-halves-attention": (
        "masked[-1] -= 4 * L**2 * d + projections",
        "masked[-1] -= 2 * L * (L + 1) * d + projections",
    ),
    "attention-balance": ("((2 * d, 8), (6 * d, 24))", "((2 * d, 8), (4 * d, 24))"),
    "transformers-are-quadratic": ("- (1 + L / (L + 6 * d))", "- (1 + L / (L + 2 * d))"),
    "mamba-token": ("E * d * (8 * N + 1)", "E * d * (9 * N + 1)"),
    "scan-dominates-mamba": (
        "return for_one_token(step(block), d), scan, select",
        "return scan + select, scan, select",
    ),
    "two-blocks-are-a-layer": ("+ 2 * L * (L + 1) * d\n", "+ 4 * L * L * d\n"),
    "counters-see-everything": ("products(S._recurrent, x, state)", "tally(S._recurrent, x, state).work"),
    "depth-of-layers": (
        "pairs = [terms[i : i + 2] for i in range(0, len(terms), 2)]",
        "pairs = [terms[:2], *([t] for t in terms[2:])]",
    ),
    "channels-before-scans": ("np.ceil(c * sizes / p).sum()", "np.ceil(sizes / p).sum()"),
    "scan-time-is-linear": ('row["numba"]["median_ms"]', 'row["numba"]["median_ms"] ** 2'),
    "product-intensity": ("self.work += 2 * out.numel() * arrays[-1].shape[-2]", "self.work += out.numel()"),
    "scan-bytes": ("small + s * 6 * b * L * d * N, small", "small + s * 5 * b * L * d * N, small"),
    "checkpoint-memory": ("if k % T == 0:", "if k % T == T - 1:"),
    "decode-work": ("torch.cat([keys, k]), torch.cat([values, v])", "keys, torch.cat([values, v])[:-1]"),
    "state-does-not-grow": (
        "MambaBlock(S6(2 * d, N), d), 4 * 2 * d * (N + 3)",
        "MambaBlock(S6(2 * d, N), d), 8 * d * N",
    ),
    "state-in-tokens": ("keys.nbytes + values.nbytes", "keys.nbytes"),
    "cache-overtakes-weights": ("token = 2 * torch.empty(", "token = torch.empty("),
    "streaming-memory": ("4 * 2 * 4 * np.array(contexts) * 128", "4 * 4 * np.array(contexts) * 128"),
    "streaming-time": ("key: np.array([row[name][key]", 'key: np.array([row["attention"][key]'),
    "longest-stored-memory": ("half_way = 1 - 2.0 ** (-p - 1)", "half_way = 1 - 2.0**-p"),
    "sums-stall": ("x = (decay * x.float()).to(kind) + b", "x = decay * x.float() + b"),
    "fft-error-follows-the-loudest": ("u[0], u[quiet] = s, 1.0", "u[0], u[quiet] = 1.0, s"),
    "ssms-generate-faster": ("L = (mamba / d**2 - 12) * d / 2", "L = (mamba / d**2 - 12) * d"),
    "interleaving-cancels-drift": (
        "np.array([[run(1.0), run(1.0)] for _ in range(r)])",
        "np.array([[run(1.0) for _ in range(r)] for _ in range(2)]).T",
    ),
    "compilation-pays-off": ("predicted = kappa / (t_plain - t_compiled)", "predicted = kappa / t_plain"),
    "calls-are-not-work": ("(u, delta, B, C)), strict=True)", "(u, delta, C, B)), strict=True)"),
    "temporaries-are-fresh": ("(x * 2).add_(1).div_(3)", "(x * 2 + 1).div_(3)"),
}


@pytest.mark.slow
def test_every_claim_of_the_chapter_holds(run_chapter):
    held = run_chapter("cost")
    assert len(held) == len(set(held)) >= 30
    assert set(SPOILED) <= set(held)


@pytest.mark.parametrize("claim", SPOILED)
def test_claim_turns_red_when_its_code_is_spoiled(run_chapter, claim):
    old, new = SPOILED[claim]
    with pytest.raises(ClaimError, match=f"claim {claim} fails"):
        run_chapter("cost", replace={old: new}, until=claim)
