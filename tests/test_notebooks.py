"""notebooks/ is book/ in plain Markdown: in step, the same bytes every time, and runnable wherever it is opened."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from pybtex.database import parse_string

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))
from plain_markdown import Book, translate  # noqa: E402

import notebooks as generator  # noqa: E402

COMMITTED = sorted((ROOT / "notebooks").glob("*.ipynb"))

HEADER = """---
jupytext:
  text_representation:
    format_name: myst
kernelspec:
  display_name: Python 3
  name: python3
---
"""

CHAPTER = (
    HEADER
    + r"""
# One thing

(a-place)=
## A heading

% nobody reads this
Text with {math}`x_k`, {eq}`eq-b`, {eq}`eq-far`, {numref}`fig-x`, {numref}`Picture %s <fig-y>`, {doc}`02-two`,
{doc}`here <notes>`, {doc}`09-later`, {ref}`a-place`,
{ref}`that <a-place>`, {prf:ref}`thm-a`, {term}`ZOH`, {term}`held <ZOH>`, {kbd}`Tab`,
{py:func}`~scipy.signal.lfilter`, code `{eq}` and ``{doc}`x` ``.
{cite:t}`one2001` and {cite:p}`one2001,two2002,many2003`. See [two](02-two.md), [notes](notes.md), ![](_static/x.png), [out](https://a.org/b.md).

```{math}
:label: def-a

a = 1 \\
b = 2
```

$$
c = 3
$$ (eq-b)

```{figure} _static/x.png
:name: fig-y
:alt: A square.

The caption with {eq}`eq-b`.
```

````{note}
First line.

```python
x = "{eq}`eq-b`"
```
````

:::{tip} Short.
:::

```{admonition} Beware
:class: dropdown

Folded.
```

```{prf:theorem} Exactness
:label: thm-a

It is exact, {eq}`def-a`.
```

```{prf:proof}
Obvious.
```

```{toctree}
x
```

```{exercise} Halve it
:label: ex-one-1

What is half?
```

```{code-cell} ipython3
:tags: [exercise]

answer = ...
```

```{solution-start} ex-one-1
```

```{code-cell} ipython3
:tags: [hide-cell]

answer = 1 / 2
```

```{solution-end}
```

```{code-cell} ipython3
---
mystnb:
  image: {alt: A line.}
  figure: {caption: "A line, {eq}`eq-b`.", name: fig-x}
tags: [hide-input]
---
print("```{note}")
```

```{unheard-of} With a title
A body.
```
"""
)

SECOND = HEADER + "\n# Second thing\n\n```{math}\n:label: eq-far\ny\n```\n\n```{code-cell} ipython3\n1\n```\n"

BIBLIOGRAPHY = """
@article{one2001, author = {Ada {One}}, title = {First}, year = 2001, doi = {10.1/x}}
@article{two2002, author = {A One and B Two}, title = {Second}, year = 2002, eprint = {2002.1}}
@article{many2003, author = {A Many and B Two and C Three}, title = {Third}, year = 2003, url = {https://t.org}}
"""


@pytest.fixture
def book(tmp_path):
    """A small book that uses everything."""
    folder = tmp_path / "book"
    (folder / "_static").mkdir(parents=True)
    (folder / "_static" / "x.png").touch()
    for name, text in {
        "01-one.md": CHAPTER,
        "02-two.md": SECOND,
        "notes.md": "# Notes\n",
        "03-plain.md": HEADER + "# No code\n",
    }.items():
        (folder / name).write_text(text)
    (folder / "references.bib").write_text(BIBLIOGRAPHY)
    return tmp_path


@pytest.fixture
def plain(book):
    """All Markdown of the first chapter, as one text."""
    cells = json.loads(generator.notebooks(book)["01-one.ipynb"])["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


# What becomes of each construct.


@pytest.mark.parametrize(
    "expected",
    [
        "Text with $x_k$, (1.2), [(2.1)](02-two.ipynb), Figure 1.2, Picture 1.1, [Second",
        "[here](../book/notes.md), chapter 9, S4 (planned), A heading,",
        "that, Theorem 1.1, ZOH, held, `Tab`,\n`lfilter`, code `{eq}` and ``{doc}`x` ``.",
        "One (2001) and (One, 2001; One and Two, 2002; Many et al., 2003).",
        "See [two](02-two.ipynb), [notes](../book/notes.md), ![](../book/_static/x.png), [out](https://a.org/b.md).",
        "$$\n\\begin{split}\na = 1 \\\\\nb = 2\n\\end{split}\n\\tag{1.1}\n$$",
        "$$\nc = 3\n\\tag{1.2}$$",
        "![A square.](../book/_static/x.png)\n\n**Figure 1.1.** The caption with (1.2).",
        '> **Note**\n>\n> First line.\n>\n> ```python\n> x = "{eq}`eq-b`"\n> ```',
        "> **Tip**\n>\n> Short.",
        "<details>\n<summary>Beware</summary>\n\nFolded.\n\n</details>",
        "**Theorem 1.1 (Exactness).**\n\nIt is exact, (1.1).",
        "**Proof.**\n\nObvious.",
        "### Exercise 1.1. Halve it\n\nWhat is half?",
        "**Solution to exercise 1.1**",
        "**Figure 1.2.** A line, (1.2).",
        "**With a title**\n\nA body.",
        "## Works cited\n\n- Many et al. (2003). *Third*. <https://t.org>\n- One (2001). *First*. <https://doi.org/10.1/x>",
    ],
)
def test_becomes_plain_markdown(plain, expected):
    assert expected in plain


def test_nothing_meant_for_sphinx_is_left(plain):
    assert "nobody reads this" not in plain
    assert "(a-place)=" not in plain
    assert "toctree" not in plain
    assert "solution-end" not in plain


def test_code_is_never_touched(book):
    cells = json.loads(generator.notebooks(book)["01-one.ipynb"])["cells"]
    assert ['print("```{note}")'] in [cell["source"] for cell in cells]


def test_solutions_are_folded_and_stubs_are_not(book):
    cells = nbformat.reads(generator.notebooks(book)["01-one.ipynb"], 4).cells
    (stub,) = [cell for cell in cells if cell.source == "answer = ..."]
    (solution,) = [cell for cell in cells if "answer = 1 / 2" in cell.source]
    assert "jupyter" not in stub.metadata
    assert solution.metadata["jupyter"] == {"source_hidden": True, "outputs_hidden": True}
    assert solution.source.startswith("# A solution.")  # the line that JupyterLab leaves visible must not be the answer


def test_translating_plain_markdown_changes_nothing(book):
    text = "A *text* with `code`, $x$ and\n\n```python\n{note}\n```\n\n- a\n- b\n\n| a | b |\n|---|---|\n| 1 | 2 |"
    assert translate(text, "01-one", Book.read(book / "book")) == text


# Files.


def test_only_chapters_with_code_become_notebooks(book):
    assert list(generator.notebooks(book)) == ["01-one.ipynb", "02-two.ipynb"]


def test_the_errata_become_a_notebook_without_a_number(book):
    (book / "book" / "errata.md").write_text((book / "book" / "02-two.md").read_text(encoding="utf-8"))
    assert "errata.ipynb" in generator.notebooks(book)
    assert Book.read(book / "book").link("here", "errata", "02-two") == "[here](errata.ipynb)"


def test_accents_of_names_are_letters():
    works = parse_string(r"@misc{a, author = {K. Ulb{\ae}k}}", "bibtex").entries
    assert Book(Path(), works=works).entry("a").startswith("Ulbæk ")


def test_two_runs_give_the_same_bytes(book):
    generator.main([], root=book)
    first = {path.name: path.read_bytes() for path in (book / "notebooks").iterdir()}
    generator.main([], root=book)
    assert first == {path.name: path.read_bytes() for path in (book / "notebooks").iterdir()}
    assert all(b"\r" not in content and content.endswith(b"}\n") for content in first.values())


def test_check_passes_after_writing_and_writes_nothing(book, capsys):
    generator.main([], root=book)
    assert generator.main(["--check"], root=book) == 0
    assert capsys.readouterr().out == ""
    shutil.rmtree(book / "notebooks")
    assert generator.main(["--check"], root=book) == 1
    assert not (book / "notebooks").exists()


@pytest.mark.parametrize("what", ["edited", "missing", "stray", "book changed"])
def test_every_drift_is_detected(book, capsys, what):
    generator.main([], root=book)
    path = book / "notebooks" / "01-one.ipynb"
    match what:
        case "edited":
            path.write_text(path.read_text().replace("1 / 2", "1 / 3"))
        case "missing":
            path.unlink()
        case "stray":
            path = path.with_name("99-mine.ipynb")
            path.write_text("{}")
        case "book changed":
            chapter = book / "book" / "01-one.md"
            chapter.write_text(chapter.read_text().replace("What is half?", "What is a half?"))
    assert generator.main(["--check"], root=book) == 1
    assert path.name in capsys.readouterr().out


def test_writing_removes_notebooks_of_no_chapter(book):
    (book / "notebooks").mkdir()
    (book / "notebooks" / "99-old.ipynb").write_text("{}")
    generator.main([], root=book)
    assert not (book / "notebooks" / "99-old.ipynb").exists()


# The notebooks of this book.


def test_committed_notebooks_are_in_step_with_the_book(capsys):
    assert generator.main(["--check"]) == 0, capsys.readouterr().out


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_notebook_is_valid_and_holds_no_outputs(path):
    notebook = nbformat.read(path, 4)
    nbformat.validate(notebook)
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_notebook_shows_no_directive_and_no_role(path):
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type == "markdown":
            assert not re.search(r"^\s*(`{3,}|:{3,})\{", cell.source, re.MULTILINE)
            assert not re.search(r"(?<!`)\{[a-z:]+\}`", cell.source)
            assert not re.search(r"^\(.+\)=$", cell.source, re.MULTILINE)


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_links_of_a_notebook_lead_to_files(path):
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type == "markdown":
            for target in re.findall(r"\]\(((?:\.\./|\d)[^)#\s]*)", re.sub(r"`[^`]*`", "", cell.source)):
                assert (path.parent / target).exists(), target


# The first cell, in a Python that has no ssm_teach of its own.


def run_first_cell(folder, repository=""):
    code = generator.FIND_THE_PACKAGE.format(repository=repository)
    spoil = "import subprocess; subprocess.run = lambda command, check: print(*command[1:])\n"
    after = "\nimport ssm_teach; print(ssm_teach.__file__)" if not repository else ""
    isolated = [sys.executable, "-I", "-S", "-c", spoil + code + after]
    return subprocess.run(isolated, cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("place", [".", "notebooks", "notebooks/copies/deep"])
def test_the_first_cell_finds_the_package_in_a_folder_above(tmp_path, place):
    (tmp_path / "ssm_teach").mkdir()
    (tmp_path / "ssm_teach" / "__init__.py").touch()
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    assert run_first_cell(tmp_path / place).stdout.strip() == str(tmp_path / "ssm_teach" / "__init__.py")


def test_the_first_cell_installs_from_the_public_address_elsewhere(tmp_path):
    done = run_first_cell(tmp_path, repository="https://example.org/book")
    assert done.stdout.strip() == "-m pip install --quiet git+https://example.org/book"


def test_the_first_cell_says_what_to_do_where_there_is_nothing(tmp_path):
    done = run_first_cell(tmp_path)
    assert (
        done.stderr.strip() == "ssm_teach is not installed; run this notebook inside a copy of the book's repository."
    )
    assert done.returncode == 1


def test_the_address_comes_from_the_books_settings(book):
    (book / "_config.yml").write_text("repository:\n  url: https://example.org/book\n")
    assert "REPOSITORY = 'https://example.org/book'" in generator.notebooks(book)["02-two.ipynb"]


@pytest.mark.book
def test_equations_have_the_numbers_of_the_built_pages():
    pages = list((ROOT / "_build" / "html" / "book").glob("[0-9]*.html"))
    if not pages:
        pytest.skip("the book is not built; run `make book`")
    marks = Book.read(ROOT / "book").marks
    for page in pages:
        shown = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser").select("div.math[id^=equation-]")
        numbers = {div["id"].removeprefix("equation-"): div.select_one(".eqno").text.rstrip("#\n ") for div in shown}
        numbers = {label: re.sub(r"[^\d.()]", "", number) for label, number in numbers.items()}
        assert numbers == {label: marks[label].text for label in numbers}
