"""The landing page's map: which chapter stands on which. A `{chapter-map}` directive, drawn as SVG and as a list.

The picture is for wide screens; phones and print get the list, which says the same in words. A chapter whose file
exists in book/ is a link; one that does not yet is shown as planned.
"""

from html import escape
from pathlib import Path
from typing import NamedTuple

from docutils import nodes
from docutils.parsers.rst import Directive


class Chapter(NamedTuple):
    number: int
    slug: str
    short: str  # fits a box of the map, two lines at most
    needs: tuple[int, ...]


PARTS = {
    "Sequences and state": [
        Chapter(1, "sequence-models", "sequence models", ()),
        Chapter(2, "gradients", "gradients", (1,)),
        Chapter(3, "signals", "signals", (1,)),
    ],
    "To discrete time": [
        Chapter(4, "discretization", "discrete time", (3,)),
        Chapter(5, "convolution", "convolution", (4,)),
    ],
    "Memory": [
        Chapter(6, "hippo", "HiPPO", (4,)),
        Chapter(7, "measures", "measures", (6,)),
    ],
    "Structure": [
        Chapter(8, "normal", "normal + low rank", (6,)),
        Chapter(9, "s4", "S4", (5, 8)),
        Chapter(10, "s4d", "S4D", (5, 8)),
        Chapter(11, "hankel", "Hankel, HOPE", (10,)),
        Chapter(12, "frequency", "frequency bias", (10,)),
    ],
    "Scans and selection": [
        Chapter(13, "scans", "parallel scans", (5,)),
        Chapter(14, "s5-lru", "S5, LRU", (10, 13)),
        Chapter(15, "selectivity", "selectivity", (13,)),
        Chapter(16, "duality", "duality", (15,)),
        Chapter(17, "machines", "machines", (13,)),
        Chapter(18, "cost", "cost", (17,)),
    ],
    "Experiments": [
        Chapter(19, "models", "models", (5,)),
        Chapter(20, "arena", "arena", (19,)),
        Chapter(21, "baselines", "baselines", (19,)),
        Chapter(22, "positions", "positions", (20,)),
        Chapter(23, "directions", "directions", (20,)),
        Chapter(24, "pretraining", "pretraining", (23,)),
        Chapter(25, "map", "one page", (16,)),
        Chapter(26, "your-own", "your own", (20,)),
    ],
}
ROMAN = ("I", "II", "III", "IV", "V", "VI")
BOX_WIDTH, BOX_HEIGHT, GAP_X, GAP_Y, TOP, MARGIN = 84, 44, 12, 54, 26, 14
HEAD = (
    '<defs><marker id="chapter-map-head" viewBox="0 0 6 6" refX="6" refY="3" markerWidth="6" markerHeight="6" '
    'orient="auto-start-reverse"><path class="head" d="M0 0L6 3L0 6Z"/></marker></defs>'
)


class ChapterMapDirective(Directive):
    """`{chapter-map}`: no arguments, no content. `fill_maps` sets the links once the builder knows its addresses."""

    def run(self):
        return [ChapterMap()]


class ChapterMap(nodes.General, nodes.Element):
    """Stands in for the map until links can be resolved."""


def place(row: int, column: int) -> tuple[float, float]:
    """The top left corner of a chapter's box."""
    return column * (BOX_WIDTH + GAP_X), TOP + row * (BOX_HEIGHT + GAP_Y)


def edge(start: tuple[float, float], end: tuple[float, float], numbers: tuple[int, int]) -> str:
    """An arrow from a chapter to one that needs it, never behind a box, where it would seem to need that one too."""
    (x0, y0), (x1, y1) = start, end
    right, bottom, middle, low = x0 + BOX_WIDTH, y0 + BOX_HEIGHT, y0 + BOX_HEIGHT / 2, y0 + BOX_HEIGHT + 16
    a, b = x0 + BOX_WIDTH / 2, x1 + BOX_WIDTH / 2
    if y0 == y1 and x1 - right <= GAP_X:
        path = f"M{right} {middle}H{x1}"
    elif y0 == y1:  # below the boxes, for above them stands the title
        a, b = x0 + BOX_WIDTH * 0.7, x1 + BOX_WIDTH * 0.3
        path = f"M{a} {bottom}C{a} {low} {b} {low} {b} {bottom}"
    elif y1 - bottom <= GAP_Y:
        bend = GAP_Y * 0.6
        path = f"M{a} {bottom}C{a} {bottom + bend} {b} {y1 - bend} {b} {y1}"
    elif x1 == 0:  # down the margin on the left
        path = f"M{a} {bottom}Q{a} {low} {a - 16} {low}H{8 - MARGIN}Q-{MARGIN} {low} -{MARGIN} {low + 8}"
        path += f"V{y1 + BOX_HEIGHT / 2 - 8}Q-{MARGIN} {y1 + BOX_HEIGHT / 2} 0 {y1 + BOX_HEIGHT / 2}"
    else:  # down the lane on the right of the start
        lane = max(right + GAP_X / 2, b)
        path = f"M{right} {middle}Q{lane} {middle} {lane} {bottom}V{y1 - 20}Q{lane} {y1 - 10} {max(b, lane - 20)} {y1}"
    return f'<path class="edge from-{numbers[0]} to-{numbers[1]}" marker-end="url(#chapter-map-head)" d="{path}"/>'


def box(chapter: Chapter, corner: tuple[float, float], href: str | None) -> str:
    """A chapter's box, a link if it is written."""
    x, y = corner
    words = chapter.short.rsplit(" ", 1) if len(chapter.short) > 11 else [chapter.short]
    first = y + (28 if len(words) == 1 else 24)
    lines = "".join(
        f'<text class="name" x="{x + BOX_WIDTH / 2}" y="{first + 12 * i}">{escape(word)}</text>'
        for i, word in enumerate(words)
    )
    drawn = (
        f'<rect x="{x}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="8"/>'
        f'<text class="number" x="{x + BOX_WIDTH / 2}" y="{y + 12}">{chapter.number:02d}</text>{lines}'
    )
    if href is None:
        return f'<g class="chapter planned">{drawn}</g>'
    return f'<a class="chapter written" href="{escape(href)}">{drawn}</a>'


def draw(hrefs: dict[int, str]) -> str:
    """The SVG: a row a part, edges first so that boxes lie on top."""
    corners, boxes, titles = {}, [], []
    for row, (title, chapters) in enumerate(PARTS.items()):
        _, y = place(row, 0)
        titles.append(f'<text class="part" x="0" y="{y - 8}">{ROMAN[row]} · {escape(title)}</text>')
        for column, chapter in enumerate(chapters):
            corners[chapter.number] = place(row, column)
            boxes.append(box(chapter, corners[chapter.number], hrefs.get(chapter.number)))
    edges = [
        edge(corners[need], corners[chapter.number], (need, chapter.number))
        for chapters in PARTS.values()
        for chapter in chapters
        for need in chapter.needs
    ]
    width = 8 * (BOX_WIDTH + GAP_X) - GAP_X
    height = TOP + len(PARTS) * (BOX_HEIGHT + GAP_Y) - GAP_Y
    return (
        f'<svg viewBox="-{MARGIN + 2} -2 {width + MARGIN + 4} {height + MARGIN + 4}" role="group" '
        'aria-label="Map of the chapters; the list of the same content follows on small screens and in print">'
        f"{HEAD}{''.join(edges)}{''.join(titles)}{''.join(boxes)}</svg>"
    )


def listing(hrefs: dict[int, str]) -> str:
    """The same map in words."""
    rows = []
    for roman, (title, chapters) in zip(ROMAN, PARTS.items(), strict=True):
        items = []
        for chapter in chapters:
            name = f"{chapter.number:02d} {escape(chapter.short)}"
            href = hrefs.get(chapter.number)
            name = f'<a href="{escape(href)}">{name}</a>' if href else f"{name}, planned"
            needs = ", ".join(f"{n:02d}" for n in chapter.needs)
            items.append(f"<li>{name}{f' (needs {needs})' if needs else ''}</li>")
        rows.append(f"<p>{roman} · {escape(title)}</p><ul>{''.join(items)}</ul>")
    return "".join(rows)


def written(app) -> dict[int, str]:
    """Number to document name, of the chapters whose file exists."""
    folder = Path(app.srcdir) / "book"
    return {
        chapter.number: f"book/{chapter.number:02d}-{chapter.slug}"
        for chapters in PARTS.values()
        for chapter in chapters
        if (folder / f"{chapter.number:02d}-{chapter.slug}.md").exists()
    }


def fill_maps(app, doctree, docname):
    """Replace each placeholder by the map, with links relative to the page it stands on."""
    for placeholder in list(doctree.findall(ChapterMap)):
        if app.builder.format != "html":
            placeholder.parent.remove(placeholder)
            continue
        hrefs = {number: app.builder.get_relative_uri(docname, target) for number, target in written(app).items()}
        html = (
            f'<div class="chapter-map"><div class="chapter-map-picture">{draw(hrefs)}</div>'
            f'<div class="chapter-map-list">{listing(hrefs)}</div></div>'
        )
        placeholder.replace_self(nodes.raw("", html, format="html"))


def setup(app):
    app.add_node(ChapterMap)
    app.add_directive("chapter-map", ChapterMapDirective)
    app.connect("doctree-resolved", fill_maps)
    app.add_css_file("chapter-map.css")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
