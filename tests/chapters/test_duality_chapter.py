"""Chapter 16: its claims hold as printed, and turn red when a mask, an index or a query in it is changed."""

import pytest

from ssm_teach.claims import ClaimError

# Claim → what is changed in the chapter's code. Each change is a mistake that somebody has made in earnest.
SPOILED = {
    "linear-attention-is-a-recurrence": ("scores * V, scores * ones", "scores * V, C * B.T * ones"),
    "normaliser-is-a-channel": ("V.row_join(ones), B, C, never", "ones.row_join(V), B, C, never"),
    "package-linear-attention-agrees": ("linear_attention(column, k_, q_)", "linear_attention(column, q_, k_)"),
    "linear-attention-averages": (
        "linear_attention(v, positive(k), positive(q))",
        "linear_attention(v, k, positive(q))",
    ),
    "too-many-keys-collide": ("-features.extract([0, 2], [0, 1]).det()", "features.extract([0, 2], [0, 1]).det()"),
    "recall-bound": ("max(0, 1 - N / J)", "max(0, 1 - 2 * N / J)"),
    "recall-is-free": ("    if J <= N:\n", "    if J <= N // 2:\n"),
    "recurrence-is-masked-attention": (
        "sp.prod(a[j + 1 : i + 1]) if j <= i else 0",
        "sp.prod(a[j : i + 1]) if j <= i else 0",
    ),
    "mask-is-an-inverse": ("a[i] if j == i - 1 else 0", "a[j] if j == i - 1 else 0"),
    "blocks-have-rank-n": ("*minors(block, 3)", "*minors(block, 2)"),
    "rank-is-attained": (
        "np.linalg.svd(M[m:, :m], compute_uv=False)",
        "np.linalg.svd(M[m:, : m + 2], compute_uv=False)",
    ),
    "low-rank-blocks-are-a-recurrence": ("A, B = O_next.T @ O[1:]", "A, B = O_next.T @ O[:-1]"),
    "decay-is-a-change-of-units": ("B.row(j) / P[j] for", "B.row(j) * P[j] for"),
    "s6-is-a-sum-of-masks": ("weights_of(each[n], B[:, n]", "weights_of(each[0], B[:, n]"),
    "one-decay-one-product": ("np.array([N + p, 1, 1])", "np.array([N + p, 1, 2])"),
    "loop-is-the-layer": ("x = a_i * x + v_i[:, None] * B_i", "x = a_i * (x + v_i[:, None] * B_i)"),
    "matrix-is-the-layer": ("(mask_from_logs(log_a) * (C @ B.T)) @ v", "(mask_from_logs(log_a) * (B @ C.T)) @ v"),
    "chunks-are-the-layer": ("((S[-1] - S).exp()[:, None] * V).T", "(S.exp()[:, None] * V).T"),
    "gradient-is-transposed-attention": ("torch.cat([log_a[1:], log_a.new_zeros(1)])", "log_a"),
    "package-ssd-agrees": ("head // (h // G)", "head % G"),
    "ssd-counts": ("L * Q + 2 * L * p + L // Q * p * N", "L * Q + L * p + L // Q * p * N"),
    "attention-is-quadratic": ("3 * p * N / (N + p + 1)", "3 * p * N / (N + p)"),
    "best-ssd-chunk": ("best = sp.sqrt(w * p_ * N_ / (N_ + p_ + w))", "best = sp.sqrt(w * p_ * N_ / (N_ + p_ + 1))"),
    "best-ssd-chunk-counted": ("count.inside + weight * count.outside", "weight * count.inside + count.outside"),
    "product-share": ("sp.factor(1 / (2 * Q) + 1 / N_ - ratio)", "sp.factor(1 / (4 * Q) + 1 / N_ - ratio)"),
    "mask-by-ratios": ("lambda i, j: P[i] / P[j]", "lambda i, j: P[i] / P[max(j - 1, 0)]"),
    "ratio-becomes-nan": ("math.floor(150 * math.log(2)", "math.floor(126 * math.log(2)"),
    "ratio-stops-decaying": ("np.full(20_000, decay, np.float32)", "np.full(20_000, decay)"),
    "mask-in-logs": ("0.9 ** np.arange(L)", "0.9 ** np.arange(1, L + 1)"),
    "mask-after-the-exponential": (
        "return (S[:, None] - S[None, :]).exp().tril()",
        "return mask_from_logs(log_a)",
    ),
    "segments-survive-resets": ("log_a[:, None].expand(L, L).tril(-1)", "log_a[:, None].expand(L, L).tril()"),
    "log-mask-error": ("(S[:, 1:].abs() + S[:, :-1].abs() + 4)", "(0 * S[:, 1:] + 4)"),
    "one-equation-five-models": ("S = fade(i, S) + torch.outer", "S = fade(max(i - 1, 0), S) + torch.outer"),
    "gla-as-one-product": ("K4[j, n] / P4[j, n]", "K4[j, n] / P4[j, 0]"),
    "gla-overflows": ("torch.isinf(1 / S.exp())", "torch.isinf(1 / S.double().exp())"),
    "decays-split-in-the-middle": (
        "log_early.sum(0) - log_early.cumsum(0)",
        "log_early.sum(0) - log_early.cumsum(0) + log_early",
    ),
    "softplus-gate": ("(1 - 1 / (1 + sp.exp(-z)))", "(1 - 1 / (1 + sp.exp(z)))"),
    "gates-leak": ("(1 + math.exp(gate)) ** -n - 1", "(1 + math.exp(gate)) ** -(n + 1) - 1"),
    "softmax-has-full-rank": ("w ** ((m + i) * j)", "w ** (m + i * j)"),
    "softmax-is-a-recurrence": ("2 ** ((m + i) * j)", "(m + i) * j"),
    "taylor-features": ("/ sp.sqrt(sp.prod(", "/ (sp.prod("),
}


@pytest.mark.slow
def test_every_claim_of_the_chapter_holds(run_chapter):
    held = run_chapter("duality")
    assert len(held) == len(set(held)) >= 40
    assert set(SPOILED) <= set(held)


@pytest.mark.parametrize("claim", SPOILED)
def test_claim_turns_red_when_its_code_is_spoiled(run_chapter, claim):
    old, new = SPOILED[claim]
    with pytest.raises(ClaimError, match=f"claim {claim} fails"):
        run_chapter("duality", replace={old: new}, until=claim)
