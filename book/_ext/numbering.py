"""A chapter is numbered as its file name is: `04-discretization.md` is chapter 4, whatever comes before it.

Sphinx counts from one in every numbered part. Links, notebooks and exercise ids use the numbers in the file names,
which never change, so its count is replaced before figures and equations take their own numbers from it.
"""

import re

from chapter_map import PARTS
from docutils import nodes
from sphinx.environment.collectors.toctree import TocTreeCollector


def chapter_number(docname: str) -> int | None:
    """The number in a chapter's file name.

    >>> chapter_number("book/04-discretization"), chapter_number("book/notation")
    (4, None)
    """
    found = re.fullmatch(r"(?:.*/)?(\d\d)-[^/]+", docname)
    return int(found[1]) if found else None


def renumber(env) -> None:
    """Replace the first component of every section number of every chapter."""
    for docname, numbers in env.toc_secnumbers.items():
        chapter = chapter_number(docname)
        if chapter is None:
            continue
        for anchor, number in numbers.items():
            numbers[anchor] = (chapter, *number[1:]) if number else number
        entries = [env.titles[docname], *env.tocs[docname].findall(nodes.reference)]
        for entry in entries:
            if entry.get("secnumber"):
                entry["secnumber"] = [chapter, *entry["secnumber"][1:]]


class ChapterNumbers(TocTreeCollector):
    """Sphinx's own collector, which numbers sections and then figures, with the chapters' numbers in between."""

    def assign_section_numbers(self, env):
        before = env.toc_secnumbers
        super().assign_section_numbers(env)
        renumber(env)
        return [docname for docname, numbers in env.toc_secnumbers.items() if numbers != before.get(docname)]


def name_planned(app, env, node, content):
    """Let `{doc}` name a chapter that is planned but not written yet, in words and without a link."""
    planned = {chapter.number: chapter.short for chapters in PARTS.values() for chapter in chapters}
    number = chapter_number(node.get("reftarget", ""))
    if node.get("reftype") != "doc" or number not in planned:
        return None
    if node.get("refexplicit"):
        return nodes.inline("", content.astext(), classes=["planned"])
    return nodes.inline("", f"chapter {number}, {planned[number]} (planned)", classes=["planned"])


def setup(app):
    app.connect("missing-reference", name_planned)
    # The stock collector is already connected: take it out, or two would number the same sections.
    for listeners in app.events.listeners.values():
        listeners[:] = [
            one for one in listeners if type(getattr(one.handler, "__self__", None)) is not TocTreeCollector
        ]
    app.add_env_collector(ChapterNumbers)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
