"""Every built page in a real browser, cut off from the network: it asks nothing of others, is typeset, and accessible."""

import importlib.util
from pathlib import Path

import pytest

pytestmark = [pytest.mark.book, pytest.mark.browser]

AXE = Path(importlib.util.find_spec("axe_playwright_python").origin).parent / "axe.min.js"
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}
# Accessibility rules that may be broken: (rule, part of the element's markup, reason). Nothing else may.
EXCEPTIONS = []


def settle(page, address):
    """Open a page and wait until its mathematics is typeset."""
    page.goto(address, wait_until="load")
    page.evaluate("window.MathJax?.startup?.promise.then(() => true)")
    page.wait_for_load_state("networkidle")


def test_page_asks_nothing_of_other_hosts_and_logs_no_error(page, site, built_page, problems):
    settle(page, f"{site}/{built_page}")
    assert not problems


def test_all_mathematics_is_typeset_without_an_error(page, site, built_page):
    settle(page, f"{site}/{built_page}")
    bare = page.locator(".math:not(:has(mjx-container)):not(mjx-container .math)")
    assert [text[:80] for text in bare.all_inner_texts()] == []
    assert page.locator("mjx-merror").all_inner_texts() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_is_accessible(open_page, site, built_page, scheme):
    page = open_page(color_scheme=scheme, reduced_motion="reduce")
    settle(page, f"{site}/{built_page}")
    page.evaluate("scheme => { document.documentElement.dataset.theme = scheme; }", scheme)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    violations = page.evaluate("rules => axe.run(document, rules)", RULES)["violations"]
    found = [
        f"{rule['id']}: {node['target']} {node['html'][:160]} {node['failureSummary']}"
        for rule in violations
        for node in rule["nodes"]
        if not any(rule["id"] == name and part in node["html"] for name, part, _ in EXCEPTIONS)
    ]
    assert not found, "\n".join(found)


WIDER_THAN_THE_SCREEN = """() => document.documentElement.scrollWidth <= innerWidth ? [] :
  [document.documentElement.scrollWidth, ...[...document.querySelectorAll("body *")]
    .filter(element => element.getBoundingClientRect().right > innerWidth + 1)
    .slice(0, 8).map(element => element.outerHTML.slice(0, 120))]"""


def test_nothing_scrolls_sideways_on_a_phone(open_page, site, built_page):
    page = open_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    settle(page, f"{site}/{built_page}")
    assert page.evaluate(WIDER_THAN_THE_SCREEN) == []
