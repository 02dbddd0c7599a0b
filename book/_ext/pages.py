"""What the finished pages load and link to: everything from their own folder, and the notebooks of the chapters."""

import importlib.util
import shutil
from pathlib import Path

from execution import ROOT

MATHJAX = ("tex-chtml-full.js", "a11y", "input/mml", "input/mml.js", "output/chtml", "sre", "ui")
INDEX = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title><meta http-equiv="refresh" content="0; url={start}">
<link rel="canonical" href="{start}"></head>
<body><p><a href="{start}">{title}</a></p></body>
</html>
"""


def notebook_of(docname: str) -> str:
    """The generated notebook of a page.

    >>> notebook_of("book/04-discretization")
    'notebooks/04-discretization.ipynb'
    """
    return f"notebooks/{Path(docname).name}.ipynb"


def with_launch_links(buttons: list[dict], docname: str) -> list[dict]:
    """The header's buttons, with launch links that open the page's notebook instead of its source.

    >>> launch = {"label": "launch-buttons", "buttons": [{"url": "https://x.org/lab/tree/book/04-a.md"}]}
    >>> with_launch_links([launch], "book/04-a")[0]["buttons"]
    [{'url': 'https://x.org/lab/tree/notebooks/04-a.ipynb'}]
    """
    source, notebook = f"{docname}.md", notebook_of(docname)
    for group in buttons:
        if group.get("label") == "launch-buttons":
            group["buttons"] = [one | {"url": one["url"].replace(source, notebook)} for one in group["buttons"]]
    return buttons


def with_download(buttons: list[dict], url: str) -> list[dict]:
    """The header's buttons, with a download of the page's notebook as the first of the downloads."""
    download = {
        "type": "link",
        "url": url,
        "text": ".ipynb",
        "icon": "fas fa-code",
        "tooltip": "Download the notebook",
        "label": "download-notebook-button",
    }
    for group in buttons:
        if group.get("label") == "download-buttons":
            rest = [one for one in group["buttons"] if one["label"] != download["label"]]
            group["buttons"] = [download, *rest]
    return buttons


def dress(app, pagename, templatename, context, doctree):
    """Point a page's buttons at its notebook. Runs after the theme has made them."""
    buttons = context.get("header_buttons", [])
    if (ROOT / notebook_of(pagename)).is_file():
        with_launch_links(buttons, pagename)
        with_download(buttons, context["pathto"](notebook_of(pagename), 1))
    else:
        buttons[:] = [group for group in buttons if group.get("label") != "launch-buttons"]


def settle(app, config):
    """Show launch and source buttons only when the repository has an address."""
    options = config.html_theme_options
    public = bool(options.get("repository_url"))
    if not public:
        options["launch_buttons"] = {}
    options["use_repository_button"] = options["use_issues_button"] = public


def silence_thebe(app, config):
    """Disconnect sphinx-thebe, always loaded by Jupyter Book: its script fails on every page and names another host."""
    for listeners in app.events.listeners.values():
        listeners[:] = [one for one in listeners if not one.handler.__module__.startswith("sphinx_thebe")]
    app.registry.css_files[:] = [one for one in app.registry.css_files if one[0] != "sphinx-thebe.css"]


def repair_roles(app, pagename, templatename, context, doctree):
    """Drop two roles of the bibliography: a list that owns no list items, and a role that ARIA has withdrawn."""
    body = context.get("body", "")
    body = body.replace('<div role="list" class="citation-list">', '<div class="citation-list">')
    context["body"] = body.replace(' role="doc-biblioentry"', "")


def copy_assets(app, exception):
    """Copy MathJax, the notebooks, and a start page into the finished book."""
    if exception is not None or app.builder.format != "html":
        return
    out = Path(app.outdir)
    # The distribution's folder has a dash in its name, so it can be found but not imported.
    mathjax = Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"
    for part in MATHJAX:
        copy(mathjax / part, out / "_static" / "vendor" / "mathjax" / part)
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        copy(notebook, out / "notebooks" / notebook.name)
    if app.builder.name == "html":
        start = app.builder.get_target_uri(app.config.root_doc)
        (out / "index.html").write_text(INDEX.format(title=app.config.html_title, start=start), encoding="utf-8")


def copy(source: Path, target: Path):
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def setup(app):
    app.connect("config-inited", settle)
    app.connect("config-inited", silence_thebe, priority=900)
    app.connect("html-page-context", dress, priority=600)
    app.connect("html-page-context", repair_roles)
    app.connect("build-finished", copy_assets)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
