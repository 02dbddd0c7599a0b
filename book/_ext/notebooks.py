"""Write notebooks/NN-name.ipynb from book/NN-name.md; with --check, exit 1 where the two have drifted apart.

    python book/_ext/notebooks.py [--check]

One way only, from the text to the notebooks, and the same bytes on every machine: no outputs, fixed metadata, and cell
ids that are hashes of what is in the cells. The pages are the numbered ones and the errata, if they have code.
"""

import argparse
import hashlib
import re
import sys
from pathlib import Path

import jupytext
import nbformat
import yaml
from plain_markdown import Book, has_notebook, translate

ROOT = Path(__file__).resolve().parents[2]

FIND_THE_PACKAGE = """\
# Finds this book's package: installed, in a folder above this notebook, or at its public address.
import importlib.util
import pathlib
import subprocess
import sys

REPOSITORY = {repository!r}

if importlib.util.find_spec("ssm_teach") is None:
    here = pathlib.Path.cwd().resolve()
    checkouts = [folder for folder in [here, *here.parents] if (folder / "ssm_teach" / "__init__.py").exists()]
    if checkouts:
        sys.path.insert(0, str(checkouts[0]))
    elif REPOSITORY:
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", f"git+{{REPOSITORY}}"], check=True)
    else:
        raise SystemExit("ssm_teach is not installed; run this notebook inside a copy of the book's repository.")
"""

# JupyterLab shows the first line of a folded cell; without a line of its own, a short solution would be in plain view.
FOLDED_SOLUTION = "# A solution. Click the three dots to unfold it.\n"

_FOLDED = {"hide-input", "remove-input", "hide-cell", "remove-cell"}
_FOLDED_WITH_OUTPUT = {"hide-cell", "remove-cell"}


def notebooks(root: Path) -> dict[str, str]:
    """Return the text of every notebook, by file name."""
    book = Book.read(root / "book")
    first = FIND_THE_PACKAGE.format(repository=_repository(root)).rstrip()
    chapters = sorted(path for path in (root / "book").glob("*.md") if has_notebook(path.stem))
    pages = {path.stem: jupytext.read(path, fmt="md:myst") for path in chapters}
    return {
        f"{stem}.ipynb": _notebook(page, stem, book, first)
        for stem, page in pages.items()
        if any(cell.cell_type == "code" for cell in page.cells)
    }


def _repository(root: Path) -> str:
    """The public address, or nothing while the book has none."""
    config = root / "_config.yml"
    settings = yaml.safe_load(config.read_text(encoding="utf-8")) if config.exists() else {}
    return (settings.get("repository") or {}).get("url") or ""


def _notebook(page, stem: str, book: Book, first: str) -> str:
    cells = [nbformat.v4.new_code_cell(first, metadata={"tags": ["setup"]})]
    for cell in page.cells:
        cells.extend(_code(cell, stem, book) if cell.cell_type == "code" else _markdown(cell.source, stem, book))
    cells.extend(_works_cited(page, book))
    for index, cell in enumerate(cells):
        cell["id"] = hashlib.sha256(f"book/{stem}.md:{index}:{cell.source}".encode()).hexdigest()[:12]
    notebook = nbformat.v4.new_notebook(
        cells=cells,
        metadata={
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
    )
    nbformat.validate(notebook)
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def _code(cell, stem: str, book: Book) -> list:
    """A code cell, and below it the caption that the book takes from the cell's metadata."""
    tags = set(cell.metadata.get("tags", []))
    metadata = {"tags": sorted(tags)} if tags else {}
    if tags & _FOLDED:
        metadata["jupyter"] = {"source_hidden": True}
    if tags & _FOLDED_WITH_OUTPUT:
        metadata["jupyter"]["outputs_hidden"] = True
        metadata["cellView"] = "form"  # Colab's word for the same
    figure = cell.metadata.get("mystnb", {}).get("figure", {})
    caption = translate(str(figure.get("caption", "")), stem, book)
    number = book.marks[figure["name"]].text if figure.get("name") in book.marks else "Figure"
    below = [nbformat.v4.new_markdown_cell(f"**{number}.** {caption}")] if caption else []
    source = FOLDED_SOLUTION + cell.source if "hide-cell" in tags else cell.source
    return [nbformat.v4.new_code_cell(source, metadata=metadata), *below]


def _markdown(source: str, stem: str, book: Book) -> list:
    text = translate(source, stem, book)
    return [nbformat.v4.new_markdown_cell(text)] if text else []


def _works_cited(page, book: Book) -> list:
    text = "\n".join(cell.source for cell in page.cells if cell.cell_type == "markdown")
    keys = {key.strip() for group in re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", text) for key in group.split(",")}
    lines = sorted(f"- {book.entry(key)}" for key in keys if key in book.works)
    return [nbformat.v4.new_markdown_cell("\n".join(["## Works cited", "", *lines]))] if lines else []


def _drift(wanted: dict[str, str], folder: Path) -> list[str]:
    """Name the notebooks that are missing, differ from the book, or belong to no chapter."""
    there = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.ipynb")}
    lines = [f"notebooks/{name} is missing" for name in wanted if name not in there]
    lines += [
        f"notebooks/{name} differs from the book" for name in wanted if there.get(name, wanted[name]) != wanted[name]
    ]
    return lines + [f"notebooks/{name} belongs to no chapter" for name in there if name not in wanted]


def _write(wanted: dict[str, str], folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.ipynb"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a notebook and the book differ")
    check = parser.parse_args(arguments).check
    wanted = notebooks(root)
    if not check:
        _write(wanted, root / "notebooks")
        return 0
    lines = _drift(wanted, root / "notebooks")
    for line in lines:
        print(f"{line}; run `make notebooks`")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
