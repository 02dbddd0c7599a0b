"""Every displayed equation in book/ is a definition or is covered by a claim, as its source says, without a build.

The build checks the same on the pages it made (book/_ext/ledger.py); this reads the sources, so it runs in a
second, and it also sees a claim that no cell reaches.
"""

import ast
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest
from markdown_it import MarkdownIt
from mdit_py_plugins.colon_fence import colon_fence_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.front_matter import front_matter_plugin

BOOK = Path(__file__).resolve().parents[2] / "book"
PARSER = (
    MarkdownIt("commonmark")
    .enable("table")
    .use(front_matter_plugin)
    .use(colon_fence_plugin)
    .use(dollarmath_plugin, double_inline=True, allow_digits=True)
)


class Found(NamedTuple):
    """What a page's source displays and claims."""

    equations: list[str]  # labels; "" for an equation without one
    claims: list[str]  # ids
    covered: list[str]  # equation labels that the claims cover
    faults: list[str]


def read(text: str) -> Found:
    """Collect equations and claims from a page's source, directives within directives included."""
    found = Found([], [], [], [])
    for token in PARSER.parse(text):
        if token.type in ("math_block", "math_block_label"):
            found.equations.append(token.info)
        elif token.type == "inline":
            found.equations.extend("" for child in token.children if child.type == "math_inline_double")
        elif token.type in ("fence", "colon_fence"):
            read_directive(token.info.strip(), token.content, found)
    return found


def read_directive(info: str, content: str, found: Found) -> None:
    if info.startswith("{math}"):
        label = re.search(r"^:label:\s*(\S+)", content, re.MULTILINE)
        found.equations.append(label[1] if label else "")
    elif info.startswith("{code-cell}"):
        read_claims(content, found)
    elif info.startswith("{"):
        for kept, more in zip(found, read(content), strict=True):
            kept.extend(more)


def read_claims(cell: str, found: Found) -> None:
    """Note the claims of a code cell; their ids and equations are written out, so that a reader can search them."""
    code = re.sub(r"\A(?:---\n.*?\n---\n|(?::.*\n)*)", "", cell, flags=re.DOTALL if cell.startswith("---") else 0)
    code = re.sub(r"^[%!].*$", "", code, flags=re.MULTILINE)
    for call in ast.walk(ast.parse(code)):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "claim":
            named = {keyword.arg: keyword.value for keyword in call.keywords}
            try:
                claim_id = ast.literal_eval(call.args[0] if call.args else named["id"])
                equations = ast.literal_eval(named["equations"]) if "equations" in named else []
            except ValueError:
                found.faults.append(f"claim {ast.unparse(call)[:60]}… has an id or equations that are not written out")
                continue
            found.claims.append(claim_id)
            found.covered.extend([f"eq-{claim_id}", *equations])


def faults(pages: dict[str, Found]) -> list[str]:
    """Everything that is wrong, one sentence each."""
    covered = {label for found in pages.values() for label in found.covered}
    labels = Counter(label for found in pages.values() for label in found.equations if label)
    wrong = [f"{page}: {fault}" for page, found in pages.items() for fault in found.faults]
    for page, found in pages.items():
        for label in found.equations:
            if not label.startswith(("def-", "eq-")):
                wrong.append(f"{page}: displayed equation with the label {label!r}; it must be def-… or eq-…")
            elif label.startswith("eq-") and label not in covered:
                wrong.append(f"{page}: no claim covers {label}")
    wrong += [f"the label {label} is given {count} times" for label, count in labels.items() if count > 1]
    ids = Counter(claim for found in pages.values() for claim in found.claims)
    wrong += [f"the claim {claim} is made {count} times" for claim, count in ids.items() if count > 1]
    explicit = {label for found in pages.values() for label in found.covered} - {f"eq-{claim}" for claim in ids}
    return wrong + [
        f"a claim names the equation {label}, which does not exist" for label in sorted(explicit - set(labels))
    ]


def test_every_displayed_equation_is_a_definition_or_claimed():
    pages = {path.name: read(path.read_text(encoding="utf-8")) for path in sorted(BOOK.glob("*.md"))}
    assert sum(len(found.equations) for found in pages.values()) > 20, "the reader of sources finds no equations"
    assert not faults(pages)


SOUND = """---
title: A page
---
Text with $x$ in it.

$$ x = x $$ (eq-identity)

````{exercise} A title
:label: ex-one

```{math}
:label: def-y

y = 2 x
```
````

:::{note}
$$ z = y $$ (eq-other)
:::

```{code-cell} ipython3
:tags: [hide-input]

claim("identity", "x is x.", zero=x - x, source="here", equations=["eq-other"])
```
"""


def test_a_sound_source_has_no_faults():
    found = read(SOUND)
    assert found.equations == ["eq-identity", "def-y", "eq-other"]
    assert faults({"page": found}) == []


@pytest.mark.parametrize(
    ("good", "bad", "fault"),
    [
        ("$$ x = x $$ (eq-identity)", "$$ x = x $$", "displayed equation with the label ''"),
        ("$$ x = x $$ (eq-identity)", "Inline $$ x = x $$ display.", "displayed equation with the label ''"),
        (":label: def-y\n", "", "displayed equation with the label ''"),
        (":label: def-y", ":label: y", "displayed equation with the label 'y'"),
        (":label: def-y", ":label: eq-y", "no claim covers eq-y"),
        (":label: def-y", ":label: eq-identity", "the label eq-identity is given 2 times"),
        ('claim("identity"', 'claim("identical"', "no claim covers eq-identity"),
        ('equations=["eq-other"]', 'equations=["eq-othre"]', "names the equation eq-othre, which does not exist"),
        ('equations=["eq-other"]', "equations=[other]", "not written out"),
        (
            "```{code-cell}",
            '```{code-cell}\nclaim("identity")\n```\n\n```{code-cell}',
            "claim identity is made 2 times",
        ),
    ],
)
def test_a_broken_source_is_found_out(good, bad, fault):
    assert good in SOUND
    assert any(fault in sentence for sentence in faults({"page": read(SOUND.replace(good, bad))}))
