"""`jupyter-book build .` on a book of one chapter: what it makes, and what makes it fail."""

import doctest
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHAPTER = """---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

# A chapter

```{math}
:label: eq-one

1 = 1
```

```{code-cell} ipython3
import ssm_teach.claims

print(ssm_teach.__doc__)
ssm_teach.claims.claim("one", "One is $1$.", residual=0.0, tol=1e-9, source="arithmetic")
```
"""
TOC = """format: jb-book
root: book/index
parts:
  - caption: Part
    numbered: 2
    chapters: [{file: book/04-discretization}]
  - caption: Back
    chapters: [{file: book/errata}, {file: book/ledger}]
"""


@pytest.mark.parametrize("name", ["execution", "ledger", "numbering", "pages"])
def test_examples_in_the_extensions_are_true(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


class Book:
    """A book of one chapter with this repository's settings, extensions and package, in a folder of its own."""

    def __init__(self, folder: Path):
        self.folder, self.html = folder, folder / "_build" / "html"
        self.chapter = folder / "book" / "04-discretization.md"
        ignore = shutil.ignore_patterns("__pycache__", "*.md")
        for name in ("book/_ext", "book/_static", "ssm_teach"):
            shutil.copytree(ROOT / name, folder / name, ignore=ignore)
        for name in ("_config.yml", "book/references.bib", "book/ledger.md"):
            shutil.copyfile(ROOT / name, folder / name)
        (folder / "_toc.yml").write_text(TOC)
        (folder / "book" / "index.md").write_text("# A book\n\n{doc}`09-s4` is planned.\n")
        (folder / "book" / "errata.md").write_text("# Errata\n")
        (folder / "notebooks").mkdir()
        (folder / "notebooks" / "04-discretization.ipynb").write_text("{}")
        (folder / "results").mkdir()
        self.chapter.write_text(CHAPTER)

    def build(self) -> subprocess.CompletedProcess:
        """The command in the README, without any flag."""
        command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", "."]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=600
        )

    def page(self) -> str:
        return (self.html / "book" / "04-discretization.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Book:
    """The book, built once without a fault."""
    book = Book(tmp_path_factory.mktemp("book"))
    result = book.build()
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    assert re.search(r"book/04-discretization +\d+\.\d s", result.stdout), "the build does not report times"
    return book


@pytest.fixture
def book(built):
    """The built book; what a test changes is put back."""
    kept = {name: (built.folder / name).read_bytes() for name in ("_config.yml", "book/04-discretization.md")}
    yield built
    for name, content in kept.items():
        (built.folder / name).write_bytes(content)


pytestmark = [pytest.mark.book, pytest.mark.slow]


def test_claims_are_recorded_in_the_agreed_form(built):
    expected = {
        "id": "one",
        "chapter": "04-discretization",
        "statement": "One is $1$.",
        "kind": "numeric",
        "residual": 0.0,
        "tolerance": 1e-9,
        "verdict": "holds",
        "source": "arithmetic",
    }
    recorded = json.loads((built.html / "claims.json").read_text(encoding="utf-8"))
    assert recorded == {"claims": [expected], "equations": {"total": 1, "definitions": 0, "claimed": 1}}


def test_the_ledger_links_to_the_claim_in_its_chapter(built):
    ledger = (built.html / "book" / "ledger.html").read_text(encoding="utf-8")
    assert 'href="04-discretization.html#claim-one"' in ledger
    assert 'id="claim-one"' in built.page()


def test_a_chapter_has_the_number_of_its_file(built):
    assert '<span class="section-number">4. </span>A chapter' in built.page()
    assert re.search(r'class="eqno">\(4\.1\)', built.page())


def test_a_planned_chapter_is_named_without_a_link(built):
    assert ">chapter 9, S4 (planned)</span>" in (built.html / "book" / "index.html").read_text(encoding="utf-8")


def test_without_a_repository_pages_offer_the_notebook_and_no_launch(built):
    assert 'href="../notebooks/04-discretization.ipynb"' in built.page()
    assert (built.html / "notebooks" / "04-discretization.ipynb").is_file()
    assert "launch-buttons" not in built.page()
    assert "mybinder" not in built.page()


def test_with_a_repository_launch_links_open_the_notebook(book):
    config = book.folder / "_config.yml"
    config.write_text(config.read_text().replace('url: ""', "url: https://github.com/someone/a-book"))
    assert book.build().returncode == 0
    hub, colab = "mybinder.org/v2/gh/someone/a-book/main?urlpath=lab/tree", "github/someone/a-book/blob/main"
    for place in (hub, colab):
        assert f"{place}/notebooks/04-discretization.ipynb" in book.page()
    assert not any(f"{place}/book/" in book.page() for place in (hub, colab))


def test_a_false_claim_breaks_the_build(book):
    book.chapter.write_text(CHAPTER.replace("residual=0.0", "residual=1.0"))
    result = book.build()
    assert result.returncode != 0
    assert "claim one fails: the residual 1.0e+00 exceeds the tolerance 1.0e-09" in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("good", "bad", "warning"),
    [
        (":label: eq-one\n", "", "displayed equation without a label"),
        (":label: eq-one\n", ":label: eq-two\n", "no claim covers the equation 'eq-two'"),
        (
            '"arithmetic")',
            '"arithmetic", equations=["eq-three"])',
            "names the equation 'eq-three', which does not exist",
        ),
        ('"arithmetic")', '"arithmetic")\n' + CHAPTER.splitlines()[-2], "claim 'one' is made 2 times"),
        ("# A chapter", "# A chapter\n\n{doc}`no-such-page`", "unknown document"),
    ],
)
def test_a_warning_breaks_the_build(book, good, bad, warning):
    book.chapter.write_text(CHAPTER.replace(good, bad))
    result = book.build()
    assert result.returncode != 0
    assert warning in result.stdout + result.stderr


def test_an_unchanged_book_keeps_its_claims_without_executing_again(book):
    book.build()
    before = (book.html / "claims.json").read_text()
    result = book.build()
    assert result.returncode == 0
    assert "Executing notebook" not in result.stdout
    assert (book.html / "claims.json").read_text() == before


def test_a_changed_package_is_executed_again(book):
    package = book.folder / "ssm_teach" / "__init__.py"
    package.write_text('"""Another package."""\n')
    assert book.build().returncode == 0
    assert "Another package." in book.page()
