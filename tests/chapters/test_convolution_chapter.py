"""Chapter 05: its claims hold as printed, and turn red when a sign, an index or a length in its code is changed."""

import pytest

from ssm_teach.claims import ClaimError

# Claim → what is changed in the chapter's code. Each change is a mistake that somebody has made in earnest.
SPOILED = {
    "unrolled-state": ("(A ** (k - j) * B * inputs[j]", "(A ** (k - j + 1) * B * inputs[j]"),
    "recurrence-is-convolution": (
        "K[k - j] * inputs[j] for j in range(k + 1)",
        "K[k - j] * inputs[j] for j in range(k)",
    ),
    "initial-state-adds": ("C * A ** (k + 1) * x_before", "C * A**k * x_before"),
    "control-kernel-is-late": ("late[k] - K[k - 1] for k", "late[k] - K[k] for k"),
    "conventions-convert": ("D + (C * B)[0], inputs, sp", "D, inputs, sp"),
    "scipy-impulse-is-late": (
        "np.concatenate([[0.0], powers_kernel(A_bar, B_bar, C_row, 40)])",
        "powers_kernel(A_bar, B_bar, C_row, 41)",
    ),
    "time-invariance-is-toeplitz": ("T * delay - delay * T", "T * delay - delay * T.T"),
    "cascade-convolves-kernels": ("[b2 * c1 * a1, a2]", "[b2 * c1, a2]"),
    "toeplitz-equals-recurrence": ("np.tril(K[lag]) @ u", "K[np.abs(lag)] @ u"),
    "dft-multiplies": ("kernel[(k - j) % P] * signal[j]", "kernel[(j - k) % P] * signal[j]"),
    "tail-wraps-around": ("z**P - 1, z)", "z**P + 1, z)"),
    "padding-to-2l-minus-1-suffices": (
        "[wrapped(2 * L - 1)[k] - full[k] for k in range(2 * L - 1)]",
        "[wrapped(2 * L - 2)[k] - full[k] for k in range(2 * L - 2)]",
    ),
    "padding-to-2l-minus-2-fails": ("wrapped(2 * L - 2)[0]", "wrapped(2 * L - 1)[0]"),
    "truncated-generating-function": (
        "(C * powers[k] * B)[0] * z**k for k in range(L)",
        "(C * powers[k] * B)[0] * z**k for k in range(L - 1)",
    ),
    "fft-work": ("e - t for e, t in", "e + t for e, t in"),
    "depth-of-both-forms": ("max(self.depth, other.depth) + 1", "self.depth + 1"),
    "fft-beats-recurrence": ("return 3 * transform / 2 + 6", "return 2 * transform / 2 + 6"),
    "kernel-spectrum-without-powers": ("-2j * np.pi * np.arange(L) / L", "2j * np.pi * np.arange(L) / L"),
    "chunks-with-carried-state": ("C_row @ powers[i + 1] @ x for i", "C_row @ powers[i] @ x for i"),
    "gradient-is-a-correlation": ("causal_conv(values, g.flip(0)).flip(0)", "causal_conv(values, g)"),
    "stored-exponent-keeps-timescale": (
        "exponents.to(torch.bfloat16).double().numpy()",
        "torch.log(torch.exp(exponents).to(torch.bfloat16).double()).clamp(max=-1e-9).numpy()",
    ),
    "cut-kernel-error": ("causal_conv(u, K[:M])", "causal_conv(u, K[: M - 1])"),
}


@pytest.mark.slow
def test_every_claim_of_the_chapter_holds(run_chapter):
    held = run_chapter("convolution")
    assert len(held) == len(set(held)) >= 18
    assert set(SPOILED) <= set(held)


@pytest.mark.parametrize("claim", SPOILED)
def test_claim_turns_red_when_its_code_is_spoiled(run_chapter, claim):
    old, new = SPOILED[claim]
    with pytest.raises(ClaimError, match=f"claim {claim} fails"):
        run_chapter("convolution", replace={old: new}, until=claim)
