"""MyST to plain Markdown, for viewers that know no directives and no roles.

Two passes. The first reads the whole book and numbers what can be referred to: equations, figures, theorems, exercises.
The second rewrites one piece of text: fenced directives line by line (they nest), then the roles between them. Code,
fenced or inline, is never touched.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import jupytext
import yaml
from chapter_map import PARTS
from pybtex.database import Person, parse_file
from pybtex.richtext import Text

__all__ = ["Book", "translate"]

_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,}|:{3,})(?:\{(?P<name>[^}]+)\})? *(?P<argument>.*)$")
_OPTION = re.compile(r"^:([\w-]+): ?(.*)$")
_ROLE_OR_CODE = re.compile(r"(?:\{(?P<role>[\w:.+-]+)\})?(?P<ticks>`+)(?P<text>.+?)(?<!`)(?P=ticks)(?!`)", re.DOTALL)
_TITLED = re.compile(r"^(?P<title>.*?)\s*<(?P<target>[^<>]+)>$", re.DOTALL)
_TARGET = re.compile(r"^\(([\w:.-]+)\)=\s*$")
_DOLLAR_LABEL = re.compile(r"^(?P<math>.*\$\$)\s*\((?P<label>[\w-]+)\)\s*$")
_LOCAL_LINK = re.compile(r"(?P<start>!?\[[^\]]*\]\()(?P<path>[^)\s:#]+)(?P<end>[^)]*\))")

_QUOTED = {"note", "tip", "warning", "important", "caution", "danger", "hint", "attention", "error", "seealso"}
_TITLED_QUOTES = {"admonition", "margin", "sidebar", "topic", "epigraph", "card", "tab-item"}
_CODE = {"code-block", "code", "sourcecode"}
_DROPPED = {"toctree", "tableofcontents", "contents", "bibliography", "index", "raw", "chapter-map", "footbibliography"}
_DROPPED |= {"exercise-end", "solution-end", "glue", "glue:figure", "glue:math", "glue:any"}


def has_notebook(stem: str) -> bool:
    """Whether a page is one to run: the chapters, whose names start with a number, and the errata.

    >>> has_notebook("04-discretization"), has_notebook("errata"), has_notebook("notation")
    (True, True, False)
    """
    return stem == "errata" or re.match(r"\d", stem) is not None


@dataclass(frozen=True)
class Mark:
    """Something with a label: in which chapter file, and how the text calls it."""

    stem: str
    kind: str
    text: str


@dataclass
class Book:
    """What cross-references need to know: titles of pages, marks by label, bibliography."""

    folder: Path
    titles: dict[str, str] = field(default_factory=dict)
    marks: dict[str, Mark] = field(default_factory=dict)
    works: dict = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> "Book":
        book = cls(folder)
        for path in sorted(folder.glob("*.md")):
            book._read_page(path)
        if (folder / "references.bib").exists():
            book.works = dict(parse_file(str(folder / "references.bib")).entries)
        return book

    def _read_page(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        heading = re.search(r"^# (.+)$", text, re.MULTILINE)
        self.titles[path.stem] = _inline(heading[1], path.stem, self) if heading else path.stem
        number = re.match(r"\d+", path.stem)
        counts: dict[str, int] = {}
        for kind, label, title in _labelled(path):
            if kind == "heading":
                self.marks[label] = Mark(path.stem, kind, title)
                continue
            family = "theorem" if kind.startswith("prf:") else kind
            counts[family] = counts.get(family, 0) + 1
            place = f"{int(number[0])}.{counts[family]}" if number else str(counts[family])
            if label:
                word = {"equation": "", "figure": "Figure "}.get(kind, f"{kind.removeprefix('prf:').capitalize()} ")
                self.marks[label] = Mark(path.stem, kind, f"({place})" if kind == "equation" else f"{word}{place}")

    def link(self, text: str, stem: str, here: str) -> str:
        """Point at another page: at its notebook if it is a chapter, else at its source; plain text within a page."""
        if stem == here or stem not in self.titles:
            return text
        return f"[{text}]({stem}.ipynb)" if has_notebook(stem) else f"[{text}](../book/{stem}.md)"

    def cite(self, keys: list[str], *, in_text: bool) -> str:
        works = [self.works[key] for key in keys if key in self.works]
        if not works:
            return ", ".join(keys)
        pairs = [(_names(work.persons.get("author", [])), work.fields.get("year", "n.d.")) for work in works]
        if in_text:
            return "; ".join(f"{names} ({year})" for names, year in pairs)
        return "(" + "; ".join(f"{names}, {year}" for names, year in pairs) + ")"

    def entry(self, key: str) -> str:
        """One line of the list of works cited."""
        work = self.works[key]
        title = Text.from_latex(work.fields.get("title", key))
        where = work.fields.get("url") or (f"https://doi.org/{work.fields['doi']}" if "doi" in work.fields else "")
        if not where and "eprint" in work.fields:
            where = f"https://arxiv.org/abs/{work.fields['eprint']}"
        line = f"{_names(work.persons.get('author', []))} ({work.fields.get('year', 'n.d.')}). *{title}*."
        return f"{line} <{where}>" if where else line


def _names(persons: list[Person]) -> str:
    last = [str(Text.from_latex(" ".join(person.prelast_names + person.last_names))) for person in persons]
    if len(last) > 2:
        return f"{last[0]} et al."
    return " and ".join(last) or "Anonymous"


def _labelled(path: Path) -> Iterator[tuple[str, str | None, str]]:
    """Yield (kind, label, title) of all that carries a number or a target, in the order of the page."""
    for cell in jupytext.read(path, fmt="md:myst").cells:
        if cell.cell_type == "code":
            name = cell.metadata.get("mystnb", {}).get("figure", {}).get("name")
            if name:
                yield "figure", name, ""
        else:
            yield from _labelled_lines(cell.source.splitlines())


def _labelled_lines(lines: list[str]) -> Iterator[tuple[str, str | None, str]]:
    pending = None
    for block in _blocks(lines):
        if isinstance(block, str):
            target, dollar = _TARGET.match(block), _DOLLAR_LABEL.match(block)
            if target:
                pending = target[1]
            elif pending and block.startswith("#"):
                yield "heading", pending, block.lstrip("# ")
                pending = None
            elif dollar:
                yield "equation", dollar["label"], ""
            continue
        kind = {"math": "equation", "exercise-start": "exercise", "image": ""}.get(block.name, block.name or "")
        label = block.options.get("label") or block.options.get("name") or pending
        pending = None
        if (kind == "equation" and label) or kind in ("figure", "exercise") or _is_numbered_theorem(kind):
            yield kind, label, block.argument
        if block.name and block.name not in _CODE | {"math"}:
            yield from _labelled_lines(block.body)


def _is_numbered_theorem(kind: str) -> bool:
    return kind.startswith("prf:") and kind != "prf:proof"


# Directives.


@dataclass
class _Block:
    """A fenced block: a directive if it has a name, else code."""

    raw: list[str]
    indent: str
    name: str | None
    argument: str
    options: dict[str, str]
    body: list[str]


def _blocks(lines: list[str]) -> Iterator["str | _Block"]:
    """Split text into plain lines and outermost fenced blocks."""
    position = 0
    while position < len(lines):
        opening = _FENCE.match(lines[position])
        if not opening or (opening["fence"][0] == ":" and not opening["name"]):
            yield lines[position]
            position += 1
            continue
        fence = opening["fence"]
        closing = re.compile(rf"^ *{re.escape(fence[0])}{{{len(fence)},}} *$")
        end = next((n for n in range(position + 1, len(lines)) if closing.match(lines[n])), len(lines))
        inside = [line.removeprefix(opening["indent"]) for line in lines[position + 1 : end]]
        options, body = _split_options(inside) if opening["name"] else ({}, inside)
        yield _Block(
            lines[position : end + 1], opening["indent"], opening["name"], opening["argument"].strip(), options, body
        )
        position = end + 1


def _split_options(lines: list[str]) -> tuple[dict[str, str], list[str]]:
    """Separate a directive's options, in either of MyST's two forms, from its content."""
    if lines and lines[0].strip() == "---" and "---" in [line.strip() for line in lines[1:]]:
        end = [line.strip() for line in lines].index("---", 1)
        return yaml.safe_load("\n".join(lines[1:end])) or {}, _strip_blank(lines[end + 1 :])
    options = {}
    while lines and (option := _OPTION.match(lines[0])):
        options[option[1]] = option[2]
        lines = lines[1:]
    return options, _strip_blank(lines)


def _strip_blank(lines: list[str]) -> list[str]:
    while lines and not lines[0].strip():
        lines = lines[1:]
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    return lines


def translate(source: str, stem: str, book: Book) -> str:
    """Return the Markdown of one piece of the page ``stem``."""
    return "\n".join(_strip_blank(_translate_lines(source.splitlines(), stem, book)))


def _translate_lines(lines: list[str], stem: str, book: Book) -> list[str]:
    out: list[str] = []
    text: list[str] = []

    def flush():
        if text:
            out.extend(_inline("\n".join(text), stem, book).split("\n"))
            text.clear()

    for block in _blocks(lines):
        if isinstance(block, str):
            if not _TARGET.match(block) and not block.startswith("%"):
                text.append(_tagged(block, book))
            continue
        flush()
        if block.name is None:
            out.extend(block.raw)
        else:
            out.extend(block.indent + line for line in _directive(block, stem, book))
    flush()
    return out


def _tagged(line: str, book: Book) -> str:
    dollar = _DOLLAR_LABEL.match(line)
    if not dollar:
        return line
    return f"{dollar['math'].removesuffix('$$')}\\tag{{{_bare(dollar['label'], book)}}}$$"


def _directive(block: _Block, stem: str, book: Book) -> list[str]:
    name = block.name
    if name in _DROPPED:
        return []
    if name == "math":
        return _math(block, book)
    if name in _CODE:
        return [f"```{block.argument}", *block.body, "```"]
    if name in ("figure", "image"):
        return _figure(block, stem, book)
    argument = _inline(block.argument, stem, book)
    body = _translate_lines(block.body, stem, book)
    if name in ("solution", "solution-start"):
        title = f"Solution to {_lower(book.marks[block.argument].text)}" if block.argument in book.marks else "Solution"
        return (
            _folded(f"{title}: click to unfold", body) if "dropdown" in _classes(block) else [f"**{title}**", "", *body]
        )
    if name in ("exercise", "exercise-start"):
        number = _mark(block, book)
        title = f"{number or 'Exercise'}. {argument}" if argument else number or "Exercise"
        return [f"### {title}", "", *body]
    if name == "dropdown" or "dropdown" in _classes(block):
        return _folded(argument or name.capitalize(), body)
    if name in _QUOTED or name in _TITLED_QUOTES:
        return _quoted(name.capitalize() if name in _QUOTED else argument, argument if name in _QUOTED else "", body)
    if name.startswith("prf:"):
        return _theorem(block, argument, body, book)
    return [*([f"**{argument}**", ""] if argument else []), *body]


def _math(block: _Block, book: Book) -> list[str]:
    body = [line for line in [block.argument, *block.body] if line.strip()]
    text = "\n".join(body)
    # As Sphinx does: lines of a formula are aligned without asking for it.
    if r"\\" in text and "nowrap" not in block.options:
        body = [r"\begin{split}", *body, r"\end{split}"]
    label = block.options.get("label")
    return ["$$", *body, *([f"\\tag{{{_bare(label, book)}}}"] if label else []), "$$"]


def _figure(block: _Block, stem: str, book: Book) -> list[str]:
    image = f"![{block.options.get('alt', '')}]({_relative(block.argument, book)})"
    caption = " ".join(_translate_lines(block.body, stem, book)).strip()
    number = _mark(block, book)
    return [image, *(["", f"**{number}.** {caption}" if number else caption] if number or caption else [])]


def _theorem(block: _Block, argument: str, body: list[str], book: Book) -> list[str]:
    head = _mark(block, book) or block.name.removeprefix("prf:").capitalize()
    title = f" ({argument})" if argument else ""
    return [f"**{head}{title}.**", "", *body]


def _quoted(title: str, argument: str, body: list[str]) -> list[str]:
    # A short note keeps its only sentence on the line of the directive.
    lines = [*([f"**{title}**", ""] if title else []), *([argument] if argument else []), *body]
    return [f"> {line}".rstrip() for line in lines]


def _folded(title: str, body: list[str]) -> list[str]:
    return ["<details>", f"<summary>{title}</summary>", "", *body, "", "</details>"]


def _classes(block: _Block) -> str:
    return str(block.options.get("class", ""))


def _mark(block: _Block, book: Book) -> str:
    mark = book.marks.get(block.options.get("label") or block.options.get("name") or "")
    return mark.text if mark else ""


def _bare(label: str, book: Book) -> str:
    return book.marks[label].text.strip("()")


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


# Roles.


def _inline(text: str, stem: str, book: Book) -> str:
    """Replace the roles of a piece of text, and point its links where a notebook finds them."""

    def replace(match: re.Match) -> str:
        if match["role"] is None:
            return match[0]
        return _role(match["role"], " ".join(match["text"].split()), stem, book)

    return _LOCAL_LINK.sub(lambda match: _local_link(match, book), _ROLE_OR_CODE.sub(replace, text))


def _local_link(match: re.Match, book: Book) -> str:
    path = match["path"]
    if path.endswith(".ipynb") or path.startswith("../book/"):  # written by a role
        return match[0]
    chapter = re.fullmatch(r"(\d[\w-]*)\.md", path)
    return f"{match['start']}{f'{chapter[1]}.ipynb' if chapter else _relative(path, book)}{match['end']}"


def _relative(path: str, book: Book) -> str:
    """A file beside the page is one folder over from a notebook."""
    return path if "://" in path or not (book.folder / path.lstrip("/")).exists() else f"../book/{path.lstrip('/')}"


def _role(role: str, text: str, stem: str, book: Book) -> str:
    titled = _TITLED.match(text)
    title, target = (titled["title"], titled["target"]) if titled else (None, text)
    if role == "math":
        return f"${text}$"
    if role.startswith("cite"):
        keys = [key.strip() for key in target.split(",")]
        return book.cite(keys, in_text=role in ("cite:t", "cite:ts", "cite:ct"))
    if role == "doc":
        target = Path(target).name.removesuffix(".md")
        return book.link(title or book.titles.get(target) or _planned(target), target, stem)
    if role in ("ref", "numref", "eq", "prf:ref"):
        return _reference(title, target, stem, book)
    if role.startswith("glue"):
        return f"`{target.split(':')[0]}`"  # only known once the cells have run
    if role in ("kbd", "code", "file", "command", "program") or role.split(":")[-1] in _PYTHON_ROLES:
        return f"`{title or target.rpartition('.')[2] if target.startswith('~') else title or target}`"
    return title or text


_PYTHON_ROLES = {"func", "class", "meth", "mod", "data", "attr", "exc", "obj", "py"}


def _planned(stem: str) -> str:
    """Name a chapter that is not written yet as the pages do."""
    number = re.match(r"\d+", stem)
    short = {chapter.number: chapter.short for chapters in PARTS.values() for chapter in chapters}
    return f"chapter {int(number[0])}, {short[int(number[0])]} (planned)" if number else stem


def _reference(title: str | None, target: str, stem: str, book: Book) -> str:
    mark = book.marks.get(target)
    if mark is None:
        return title or target
    number = mark.text.rpartition(" ")[2]
    text = (title or mark.text).replace("%s", number).replace("{number}", number)
    return book.link(text, mark.stem, stem)
