"""The ledger: every claim of the book on one page and in claims.json, and every displayed equation accounted for.

The errata get tables of their own, of the claims that do not hold as they are printed.

Claims are read from the badges in the pages' outputs, equations from the pages themselves. They are kept with the
build's environment, so that pages which are not read again keep theirs.
"""

import html
import json
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import Directive, directives
from sphinx.util import logging

logger = logging.getLogger(__name__)
KINDS = {
    "symbolic": "SymPy reduced the difference of the two sides to exactly zero",
    "numeric": "the residual of two independent routes is at most its tolerance",
    "measured": "computed from a recorded run in results/",
}


class Ledger(nodes.General, nodes.Element):
    """Stands in for the ledger until every page has been read."""


class LedgerDirective(Directive):
    """`{claim-ledger}`: no arguments, no content."""

    def run(self):
        env = self.state.document.settings.env
        env.ssm_ledger_pages = getattr(env, "ssm_ledger_pages", set()) | {env.docname}
        return [Ledger()]


class Failing(nodes.General, nodes.Element):
    """Stands in for the table of statements that do not hold as they are printed."""


class FailingDirective(Directive):
    """`{claims-that-fail}`, of this page (`:where: here`) or of all others (`elsewhere`).

    Its content is for the notebook, which no build writes a table for.
    """

    has_content = True
    option_spec: ClassVar = {"where": lambda value: directives.choice(value, ("here", "elsewhere"))}

    def run(self):
        env = self.state.document.settings.env
        env.ssm_ledger_pages = getattr(env, "ssm_ledger_pages", set()) | {env.docname}
        return [Failing(where=self.options["where"])]


class _Badges(HTMLParser):
    def __init__(self):
        super().__init__()
        self.records = []

    def handle_starttag(self, tag, attributes):
        record = dict(attributes).get("data-claim")
        if record:
            self.records.append(json.loads(record))


def claims_in(markup: str) -> list[dict]:
    """The records of the badges in a piece of HTML.

    >>> claims_in('<div data-claim="{&quot;id&quot;: &quot;one&quot;}"></div><p>two</p>')
    [{'id': 'one'}]
    """
    badges = _Badges()
    badges.feed(markup)
    return badges.records


def is_output(node) -> bool:
    """Whether a node is part of what a cell printed rather than of the text."""
    while node is not None:
        if isinstance(node, nodes.Element) and node.get("nb_element") == "cell_code_output":
            return True
        node = node.parent
    return False


def collect(app, doctree):
    """Note the claims and the displayed equations of a page that was just read."""
    env = app.env
    claims = [record for raw in doctree.findall(nodes.raw) for record in claims_in(raw.astext())]
    equations = [(node.get("label"), node.line) for node in doctree.findall(nodes.math_block) if not is_output(node)]
    pages(env)[env.docname] = {"claims": claims, "equations": equations}
    if claims:
        typeset_page(env, env.docname)


def typeset_page(env, docname):
    """Have MathJax loaded on a page whose mathematics Sphinx does not see, because it is in a badge."""
    env.get_domain("math").data["has_equations"][docname] = True


def pages(env) -> dict:
    """Page name to its claims and equations."""
    if not hasattr(env, "ssm_ledger"):
        env.ssm_ledger = {}
    return env.ssm_ledger


def purge(app, env, docname):
    pages(env).pop(docname, None)
    env.ssm_ledger_pages = getattr(env, "ssm_ledger_pages", set()) - {docname}


def merge(app, env, docnames, other):
    pages(env).update({name: pages(other)[name] for name in docnames if name in pages(other)})
    env.ssm_ledger_pages = getattr(env, "ssm_ledger_pages", set()) | getattr(other, "ssm_ledger_pages", set())


def rows(env) -> list[dict]:
    """Every claim in the book's order, with the page it stands on."""
    order = [name for name in reading_order(env) if name in pages(env)]
    return [claim | {"docname": name} for name in order for claim in pages(env)[name]["claims"]]


def reading_order(env) -> list[str]:
    """Pages in the order of the table of contents."""
    found, stack = [], [env.config.root_doc]
    while stack:
        name = stack.pop()
        if name not in found:
            found.append(name)
            stack.extend(reversed(env.toctree_includes.get(name, [])))
    return found


def defects(pages: dict) -> list[tuple[str, int | None, str]]:
    """What is wrong with the book's claims and equations: (page, line, sentence)."""
    claims = [(page, claim) for page, found in pages.items() for claim in found["claims"]]
    labels = {label for found in pages.values() for label, _ in found["equations"]}
    covered = {label for _, claim in claims for label in (f"eq-{claim['id']}", *claim["equations"])}
    wrong = []
    for claim_id, count in Counter(claim["id"] for _, claim in claims).items():
        if count > 1:
            where = sorted({page for page, claim in claims if claim["id"] == claim_id})
            wrong.append(
                (where[-1], None, f"claim {claim_id!r} is made {count} times ({', '.join(where)}); ids are unique")
            )
    for page, claim in claims:
        missing = [label for label in claim["equations"] if label not in labels]
        wrong += [
            (page, None, f"claim {claim['id']!r} names the equation {label!r}, which does not exist")
            for label in missing
        ]
    for page, found in pages.items():
        for label, line in found["equations"]:
            if not label:
                wrong.append((page, line, "displayed equation without a label; give it def-… or eq-…"))
            elif not label.startswith(("def-", "eq-")):
                wrong.append((page, line, f"label {label!r} of a displayed equation starts with neither def- nor eq-"))
            elif label.startswith("eq-") and label not in covered:
                wrong.append((page, line, f"no claim covers the equation {label!r}"))
    return wrong


def check(app, env):
    """Warn of every defect; have the ledger's pages written again, for any page may have changed a claim."""
    for page, line, sentence in defects(pages(env)):
        logger.warning(sentence, location=(page, line), type="ledger")
    ledgers = getattr(env, "ssm_ledger_pages", set())
    for page in ledgers:
        typeset_page(env, page)
    return sorted(ledgers)


def summary(env) -> dict:
    """The content of claims.json."""
    keys = ("id", "chapter", "statement", "kind", "residual", "tolerance", "verdict", "source")
    claims = [row | {"chapter": Path(row["docname"]).name} for row in rows(env)]
    labels = [label or "" for found in pages(env).values() for label, _ in found["equations"]]
    covered = {label for row in claims for label in (f"eq-{row['id']}", *row["equations"])}
    return {
        "claims": [{key: claim[key] for key in keys} for claim in claims],
        "equations": {
            "total": len(labels),
            "definitions": sum(label.startswith("def-") for label in labels),
            "claimed": sum(label in covered for label in labels),
        },
    }


def draw(app, doctree, docname):
    """Put the ledger, and the tables of what fails, where their directives stand."""
    for placeholder in [*doctree.findall(Ledger), *doctree.findall(Failing)]:
        if app.builder.format == "html":
            where = placeholder.get("where")
            table = ledger_html(app, docname) if where is None else failing_html(app, docname, where)
            placeholder.replace_self(nodes.raw("", table, format="html"))
        else:
            placeholder.parent.remove(placeholder)


def ledger_html(app, docname: str) -> str:
    claims = rows(app.env)
    lines = [counts_html(claims, summary(app.env)["equations"])]
    body = "".join(row_html(claim, chapter_link(app, docname, claim), app.env) for claim in claims)
    headings = "".join(f'<th scope="col">{name}</th>' for name in ("Claim", "Verdict", "Evidence"))
    lines.append(
        '<div class="ssm-table" role="region" aria-label="Every claim of the book" tabindex="0">'
        f'<table class="table ssm-ledger"><thead><tr>{headings}</tr></thead><tbody>{body}</tbody></table></div>'
    )
    return "\n".join(lines)


def counts_html(claims, equations) -> str:
    kinds = Counter(claim["kind"] for claim in claims)
    verdicts = Counter("holds if" if claim["verdict"].startswith("holds if") else claim["verdict"] for claim in claims)
    items = "".join(f"<li><strong>{kinds[kind]} {kind}</strong>: {meaning}.</li>" for kind, meaning in KINDS.items())
    return (
        f'<p class="ssm-ledger-total"><strong>{len(claims)} claims.</strong> {verdicts["holds"]} hold, '
        f"{verdicts['holds if']} hold under a condition, "
        f"and {verdicts['false']} are statements of the literature that are false.</p>"
        f"<ul>{items}</ul>"
        f"<p>{equations['total']} displayed equations: {equations['definitions']} are definitions, "
        f"{equations['claimed']} are covered by a claim.</p>"
    )


def chapter_link(app, docname: str, claim: dict) -> str:
    return f"{app.builder.get_relative_uri(docname, claim['docname'])}#claim-{claim['id']}"


def page_name(env, docname: str) -> str:
    """A page's number, if it has one, and its title."""
    title = env.titles[docname]
    return f"{'.'.join(map(str, title.get('secnumber') or ()))} {title.astext()}".strip()


def row_html(claim: dict, href: str, env) -> str:
    from ssm_teach.claims import typeset

    chapter = html.escape(page_name(env, claim["docname"]))
    evidence = "exactly 0" if claim["kind"] == "symbolic" else f"{claim['residual']:.1e}<br>≤ {claim['tolerance']:.1e}"
    notes = [f"{chapter} · <code>{claim['id']}</code>", f"Source: {typeset(claim['source'])}"]
    conditional = claim["verdict"].startswith("holds if")
    if conditional:
        notes.append(f"H{typeset(claim['verdict'])[1:]}.")
    if claim["counterexample"]:
        notes.append(f"Counterexample: {typeset(claim['counterexample'])}")
    return (
        f'<tr><th scope="row"><a href="{html.escape(href)}">{typeset(claim["statement"])}</a>'
        f"<br><small>{'<br>'.join(notes)}</small></th>"
        f"<td>{'holds if …' if conditional else claim['verdict']}</td>"
        f"<td>{claim['kind']}<br><small>{evidence}</small></td></tr>"
    )


def failing_html(app, docname: str, where: str) -> str:
    """Every statement that is false, or holds under a condition, made on this page or on all the others."""
    claims = [
        claim
        for claim in rows(app.env)
        if claim["verdict"] != "holds" and (claim["docname"] == docname) == (where == "here")
    ]
    body = "".join(failing_row(claim, chapter_link(app, docname, claim), app.env, where) for claim in claims)
    false = sum(claim["verdict"] == "false" for claim in claims)
    count = f"{len(claims)} statements: {false} are false, {len(claims) - false} hold under a condition"
    label = f"Statements that do not hold as they are printed, {'on this page' if where == 'here' else 'by chapter'}"
    table = (
        f'<div class="ssm-table" role="region" aria-label="{label}" tabindex="0">'
        '<table class="table ssm-ledger ssm-failing"><thead><tr><th scope="col">Statement</th>'
        f'<th scope="col">Verdict</th></tr></thead><tbody>{body}</tbody></table></div>'
    )
    if where == "here":
        return f"<p>{count}.</p>{table}"
    return f"<details><summary>{count}</summary>{table}</details>"


def failing_row(claim: dict, href: str, env, where: str) -> str:
    from ssm_teach.claims import typeset

    chapter = f"<small>{html.escape(page_name(env, claim['docname']))}</small><br>" if where == "elsewhere" else ""
    return (
        f'<tr><th scope="row">{chapter}'
        f'<a href="{html.escape(href)}">{typeset(claim["statement"])}</a></th>'
        f"<td>{typeset(claim['verdict'])}</td></tr>"
    )


def write(app, exception):
    """Write claims.json beside the pages."""
    if exception is None and app.builder.format == "html":
        text = json.dumps(summary(app.env), indent=1, ensure_ascii=False)
        (Path(app.outdir) / "claims.json").write_text(text + "\n", encoding="utf-8")


def setup(app):
    app.add_node(Ledger)
    app.add_node(Failing)
    app.add_directive("claim-ledger", LedgerDirective)
    app.add_directive("claims-that-fail", FailingDirective)
    app.connect("doctree-read", collect)
    app.connect("env-purge-doc", purge)
    app.connect("env-merge-info", merge)
    app.connect("env-updated", check)
    app.connect("doctree-resolved", draw)
    app.connect("build-finished", write)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
