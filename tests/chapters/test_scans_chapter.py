"""Chapter 13: its claims hold as printed, and turn red when an order, an index or a conjugate in it is changed."""

import pytest

from ssm_teach.claims import ClaimError

SWAPPED = "faults(lambda op, elements, identity: {}(lambda x, y: op(y, x), elements, identity{}))"

# Claim → what is changed in the chapter's code. Each change is a mistake that somebody has made in earnest.
SPOILED = {
    "affine-composition": ("apply(maps[1], apply(maps[0], x))", "apply(maps[0], apply(maps[1], x))"),
    "scan-solves-recurrence": ("itertools.accumulate(maps, compose)", "itertools.accumulate(maps[::-1], compose)"),
    "initial-state-folds-in": ("b[0] + a[0] * x)", "b[0] + x)"),
    "affine-associative": ("compose(f, compose(g, h))", "compose(f, compose(h, g))"),
    "brackets-do-not-matter": ("        compose(left, right)\n", "        compose(right, left)\n"),
    "affine-as-matrices": (
        "as_matrix(matrix_maps[1]) * as_matrix(matrix_maps[0])",
        "as_matrix(matrix_maps[0]) * as_matrix(matrix_maps[1])",
    ),
    "affine-commutator": ("(1 - f[0]) * g[1] - (1 - g[0]) * f[1]", "(1 - g[0]) * g[1] - (1 - f[0]) * f[1]"),
    "every-recurrence-is-a-scan": ("month**2 + sp.Rational(1, day)", "month + sp.Rational(1, day)"),
    "loop-is-a-scan": ("faults(sequential)", SWAPPED.format("sequential", "")),
    "doubling-gathers": ("2 * 2**level + 1", "2**level + 1"),
    "doubling-is-a-scan": ("faults(hillis_steele)", SWAPPED.format("hillis_steele", "")),
    "up-sweep-totals": ("letters[end + 1 - s : end + 1]", "letters[end - s : end + 1]"),
    "down-sweep-prefixes": ("letters[: end + 1 - s]", "letters[: end + 1]"),
    "two-sweeps-are-a-scan": ("faults(blelloch)", SWAPPED.format("blelloch", "")),
    "inclusive-from-exclusive": ("[*exclusive[1:], total]", "exclusive"),
    "odd-even-is-a-scan": ("faults(odd_even)", SWAPPED.format("odd_even", "")),
    "chunks-are-a-scan": ("faults(functools.partial(chunked, chunk=chunk))", SWAPPED.format("chunked", ", chunk")),
    "swapped-operands": ('phase == "down-sweep"', 'phase == "up-sweep"'),
    "scan-work": ("n * math.log2(power[n]) - (power[n] - 1)", "n * math.log2(power[n])"),
    "chunked-work": ("(2 * T * C - T - C)", "(2 * T * C - T)"),
    "scan-depth": ("math.floor(math.log2(2 * n / 3))", "math.floor(math.log2(n))"),
    "work-plus-depth": ("trace.work + trace.depth - (2 * n - 2)", "trace.work + trace.depth - (2 * n - 1)"),
    "best-chunk": ("(2 * math.isqrt(n) - 1)", "(2 * math.isqrt(n))"),
    "scan-moves": ("(8 * power[n] - 7)", "6 * (power[n] - 1)"),
    "brent-bound": ("rounds(t, p) - t.depth - (t.work - t.depth) / p", "rounds(t, p) - t.work / p"),
    "scan-takes-logarithmic-time": ("rounds(trace, 8)", "rounds(trace, 4096)"),
    "break-even": ("rounds(trace, p) < loop.depth", "rounds(trace, p) < loop.depth / 2"),
    "loops-beat-trees-on-one-core": ('times_as_fast("numba", tree) for', 'times_as_fast("torch", tree) for'),
    "chunks-beat-trees-on-one-core": ('times_as_fast("torch", tree)', 'times_as_fast("s5-pytorch", tree)'),
    "a-package-lacks-conjugates": ('row["mambapy"]["difference"]', 'row["s5-pytorch"]["difference"]'),
    "constant-multiplier-needs-no-products": ("power**2, 2 * distance", "power * a, 2 * distance"),
    "doubling-factors-the-kernel": ("decay ** (2**i) * z", "decay**i * z"),
    "merge-cost": ("return A_later @ A, A_later @ b + b_later", "return A_later @ A, b + b_later"),
    "adjoint-recurrence": ("delta = adjoint(a[1:], g)", "delta = adjoint(a[:-1], g)"),
    "adjoint-with-the-same-index": ("wrong = adjoint(a[:-1], g)", "wrong = adjoint(a[1:], g)"),
    "complex-adjoint": ("adjoint([sp.conjugate(multiplier) for", "adjoint([multiplier for"),
    "conjugates-can-be-dropped": ("adjoint(a_ring[1:], g_ring)", "adjoint(a_ring[1:].conj().copy(), g_ring)"),
    "backward-is-a-scan": ("np.append(a[1:], 0).conj()", "np.append(a[1:], 0)"),
    "fast-scan-agrees": ("backward(torch.tensor(g_ring)[", "backward(torch.tensor(g_ring.conj())["),
    "division-solves-recurrence": ("b[j] / P[j] for j in range(k + 1)", "b[j] / P[j] for j in range(k)"),
    "division-overflows": ("128 * math.log(2) + math.log1p(-stored)", "128 * math.log(2)"),
    "division-is-a-scan": ("by_division(decays, ones)", "by_division(decays.astype(float), ones)"),
    "rounding-follows-depth": ("scan(SUM.op, list(positive), ", "scan(SUM.op, list(1.0001 * positive), "),
    "trees-round-less": ('for name in ("doubling", "two sweeps")', 'for name in ("doubling", "loop")'),
}


@pytest.mark.slow
def test_every_claim_of_the_chapter_holds(run_chapter):
    held = run_chapter("scans")
    assert len(held) == len(set(held)) >= 40
    assert set(SPOILED) <= set(held)


@pytest.mark.parametrize("claim", SPOILED)
def test_claim_turns_red_when_its_code_is_spoiled(run_chapter, claim):
    old, new = SPOILED[claim]
    with pytest.raises(ClaimError, match=f"claim {claim} fails"):
        run_chapter("scans", replace={old: new}, until=claim)
