"""Chapter 20: its claims hold as printed, and turn red when a sign, a count or a rule in its code is changed."""

import pytest

from ssm_teach.claims import ClaimError

# Claim → what is changed in the chapter's code. Each change is a mistake that somebody has made in earnest.
SPOILED = {
    "listops-mean": ("sp.Rational(3, 4) * z + z**2 / 36", "sp.Rational(3, 4) * z + z / 36"),
    "listops-generator-obeys-the-law": ("p[2:] += 0.25 * mean[:-2]", "p[1:] += 0.25 * mean[:-1]"),
    "listops-is-not-cut": ("lengths.max() - 1999", "lengths.max() - 999"),
    "listops-top-is-enough": ("two, n = np.mean(lazy[2] == answers)", "two, n = np.mean(lazy[1] == answers)"),
    "pathfinder-label-is-a-path": ("2 * scene.margin + 1e-9", "scene.margin"),
    "raster-distance": ("32 * (second - first)[:, 0]", "31 * (second - first)[:, 0]"),
    "pathx-is-far": ("np.abs(size * down + right)", "np.abs(down + right)"),
    "pathfinder-has-no-shortcut": ('[kind]["accuracy"] - 0.65', '[kind]["accuracy"] - 0.5'),
    "raster-order-echoes": ("- autocorrelation[width],", "- autocorrelation[width - 8],"),
    "symbols-have-no-order": ("coded = model(code[pixels])", "coded = model(pixels)"),
    "bit-reversal-needs-a-power-of-two": ("bit_reversed(i, 10) for i in range(784)", "i for i in range(784)"),
    "bag-of-words-beats-bytes": ('["strong"]["accuracy"]\n\n\ntext', '["weak"]["accuracy"]\n\n\ntext'),
    "imdb-fits": ('quantiles["median"] - 1024', 'quantiles["p90"] - 1024'),
    "three-letters-tell-the-species": ('0.95 - dna[-1]["accuracy"]', '0.95 - dna[1]["accuracy"]'),
    "adding-floor": ("covariance = variance * 2 / L", "covariance = variance / L"),
    "adding-floor-in-samples": (
        "features = np.hstack([inputs.reshape(len(sums), -1)",
        "features = np.hstack([inputs[..., 1]",
    ),
    "delay-correlation": ("/ np.sin(angle) - 1)", "/ np.sin(angle))"),
    "delay-dimensions": ("rank - 2 * band", "rank - band"),
    "recall-bits": ("// math.factorial(pairs)", "// 1"),
    "accuracy-spread": ("second_moment - first_moment**2", "second_moment - first_moment"),
    "initialisations-are-not-told-apart-by-listops": (
        "math.sqrt(2) * spread(60, 2000),\n    ),",
        "spread(60, 25_000),\n    ),",
    ),
    "best-of-k": ("* math.sqrt(1 - keep**2)\n        *", "* math.sqrt(1 - keep)\n        *"),
    "averages-count-failures-as-chance": ("failure=50.0", "failure=0.0"),
    "average-of-five": ("np.mean(hierarchical) - 61.41,", "average(reported['H-Trans-1D']) - 61.41,"),
}


@pytest.mark.slow
def test_every_claim_of_the_chapter_holds(run_chapter):
    held = run_chapter("arena")
    assert len(held) == len(set(held)) >= 20
    assert set(SPOILED) <= set(held)


@pytest.mark.parametrize("claim", SPOILED)
def test_claim_turns_red_when_its_code_is_spoiled(run_chapter, claim):
    old, new = SPOILED[claim]
    with pytest.raises(ClaimError, match=f"claim {claim} fails"):
        run_chapter("arena", replace={old: new}, until=claim)
