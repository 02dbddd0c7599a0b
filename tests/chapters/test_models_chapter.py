"""Chapter 19: its claims turn red when the layer, a carried state or the choice of timescales is spoiled."""

import re
from pathlib import Path

import pytest
import typer.main

from ssm_teach.claims import ClaimError
from ssm_teach.cli import app

# Claim → what is changed in the chapter's code. Each change is a mistake that somebody has made in earnest.
SPOILED = {
    "conjugate-pair-is-a-rotation": ("sp.Matrix([[2 * p, -2 * q]])", "sp.Matrix([[2 * p, 2 * q]])"),
    "s4d-kernel": ("weights_of_modes = C * B_bar", "weights_of_modes = C"),
    "page-layer-equals-package": (
        'for name in ("log_neg_real", "imag", "C", "D")',
        'for name in ("log_neg_real", "imag", "D")',
    ),
    "s4d-parallel-equals-steps": ("return 2 * (C * x).sum(-1).real", "return (C * x).sum(-1).real"),
    "s4d-parallel-equals-chunks": ("y, state = layer(part, state=state,", "y, _ = layer(part, state=state,"),
    "s4d-is-always-stable": (
        "torch.complex(-torch.exp(self.log_neg_real), self.imag)",
        "torch.complex(-self.log_neg_real, self.imag)",
    ),
    "layer-mixes-times-block-mixes-channels": ("lambda u: block._finish(u, u)", "lambda u: block(u)"),
}


@pytest.mark.parametrize("claim", SPOILED)
def test_claim_holds_as_printed_and_turns_red_when_its_code_is_spoiled(run_chapter, claim):
    assert run_chapter("models", until=claim) == [claim]
    old, new = SPOILED[claim]
    with pytest.raises(ClaimError, match=f"claim {claim} fails"):
        run_chapter("models", replace={old: new}, until=claim)


def test_every_command_that_the_chapter_prints_exists_with_its_options():
    text = (Path(__file__).parents[2] / "book" / "19-models.md").read_text(encoding="utf-8")
    commands = re.findall(r"^ssm-teach (.+)$", text, re.MULTILINE)
    assert commands
    for words in map(str.split, commands):
        command = typer.main.get_command(app)
        while hasattr(command, "commands"):
            name, *words = words
            command = command.commands[name]
        command.make_context(name, words)  # parses, and raises for an unknown option, without running anything
