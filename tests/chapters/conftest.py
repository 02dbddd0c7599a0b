"""Run a chapter's code as plain Python, with a few words of it changed, to see its claims turn red."""

import ast
import contextlib
import re
from pathlib import Path

import jupytext
import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from ssm_teach import claims

BOOK = Path(__file__).resolve().parents[2] / "book"
PICTURES_AND_EXERCISES = {"hide-input", "remove-input", "exercise", "hide-cell"}  # no claim needs what they define


class _Reached(Exception):
    """The claim that the run was for has been weighed, and holds."""


@pytest.fixture
def run_chapter(monkeypatch):
    """Return ``run(slug, replace=None, until=None)``, which executes the code of page ``NN-slug``, or ``slug``.

    replace: old text → new text. Each old text must occur exactly once in the chapter's code.
    until: id of a claim. Only it is weighed, and only the cells run that define something it needs.
    The run returns the ids of the claims that were weighed and held; a claim that fails raises `ClaimError`.
    """

    def run(slug, replace=None, until=None):
        cells = _spoiled(_cells(slug), replace or {})
        cells = cells if until is None else _needed_for(until, cells)
        held = []

        def claim(id, statement, **evidence):
            if until not in (None, id):
                return
            weighed = claims.evaluate(id, statement, **evidence)
            if not weighed.holds:
                raise claims.ClaimError(f"claim {id} fails: {weighed.reason}")
            held.append(id)
            if id == until:
                raise _Reached

        monkeypatch.setattr(claims, "claim", claim)
        monkeypatch.setenv("SSM_TEACH_STATIC", "1")
        with mpl.rc_context({"backend": "agg"}), contextlib.suppress(_Reached):
            try:
                _execute(cells, slug)
            finally:
                plt.close("all")
        assert until in (None, *held), f"chapter {slug} has no claim {until}"
        return held

    return run


def _cells(slug):
    (path,) = [*BOOK.glob(f"[0-9][0-9]-{slug}.md"), *BOOK.glob(f"{slug}.md")]
    return [
        cell.source
        for cell in jupytext.read(path, fmt="md:myst").cells
        if cell.cell_type == "code" and not PICTURES_AND_EXERCISES & set(cell.metadata.get("tags", []))
    ]


def _spoiled(cells, replace):
    for old, new in replace.items():
        found = sum(cell.count(old) for cell in cells)
        assert found == 1, (
            f"{old!r} occurs {found} times in the chapter's code; a spoiled claim needs exactly one place"
        )
        cells = [cell.replace(old, new) for cell in cells]
    return cells


def _needed_for(id, cells):
    """The cell that makes the claim, and of those before it the ones whose names it needs, directly or not."""
    ends = [number for number, cell in enumerate(cells) if re.search(rf"\bclaim\(\s*[\"']{id}[\"']", cell)]
    assert len(ends) == 1, f"claim {id} is made in {len(ends)} cells of the chapter"
    kept, wanted = [], set()
    for cell in reversed(cells[: ends[0] + 1]):
        defined, used = _names(cell)
        if not kept or defined & wanted:
            kept.append(cell)
            wanted |= used
    return kept[::-1]


def _names(source):
    """The names that a cell defines and the names that it uses, including inside functions: too many, never too few."""
    defined, used = set(), set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else defined).add(node.id)
        elif isinstance(node, ast.FunctionDef):
            defined.add(node.name)
        elif isinstance(node, ast.alias):
            defined.add((node.asname or node.name).partition(".")[0])
    return defined, used


def _execute(cells, slug):
    namespace = {"__name__": f"chapter_{re.sub(r'[^a-z0-9]', '_', slug)}"}
    for number, source in enumerate(cells):
        exec(compile(source, f"<{slug}, cell {number}>", "exec"), namespace)
