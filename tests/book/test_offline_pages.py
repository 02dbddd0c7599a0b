"""Every built page in a real browser, cut off from the network: asks nothing of others, is typeset, and accessible.

Each page is loaded once; the tests look at what was seen.
"""

import importlib.util
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = [pytest.mark.book, pytest.mark.browser]

AXE = Path(importlib.util.find_spec("axe_playwright_python").origin).parent / "axe.min.js"
RULES = {
    "light": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"],
    "dark": ["color-contrast", "link-in-text-block"],  # the other rules do not look at colours
}
# Accessibility rules that may be broken: (rule, part of the element's markup, reason). Nothing else may.
EXCEPTIONS = []

NOT_TYPESET = """() => [...document.querySelectorAll(".math")]
  .filter(element => !element.closest("mjx-container") && !element.querySelector("mjx-container"))
  .map(element => element.textContent.slice(0, 80))"""
WIDER_THAN_THE_SCREEN = """() => document.documentElement.scrollWidth <= innerWidth ? [] :
  [document.documentElement.scrollWidth, ...[...document.querySelectorAll("body *")]
    .filter(element => element.getBoundingClientRect().right > innerWidth + 1)
    .slice(0, 8).map(element => element.outerHTML.slice(0, 120))]"""


class Seen(NamedTuple):
    """What one visit to a page found wrong; every list is empty for a good page."""

    problems: list[str]
    not_typeset: list[str]
    mathematics_errors: list[str]
    inaccessible: dict[str, list[str]]
    too_wide: list


@pytest.fixture(scope="session")
def visits():
    return {}


@pytest.fixture
def seen(visits, browser, site, built_page, guard) -> Seen:
    """What a visit to the page found; the page is visited once."""
    if built_page not in visits:
        context, problems = browser.new_context(reduced_motion="reduce"), []
        visits[built_page] = look(guard(context, site, problems), f"{site}/{built_page}", problems)
        context.close()
    return visits[built_page]


def look(page, address, problems) -> Seen:
    page.goto(address, wait_until="load")
    page.evaluate("window.MathJax?.startup?.promise.then(() => true)")
    page.wait_for_load_state("networkidle")
    not_typeset = page.evaluate(NOT_TYPESET)
    errors = page.locator("mjx-merror").all_inner_texts()
    page.set_viewport_size({"width": 390, "height": 844})
    too_wide = page.evaluate(WIDER_THAN_THE_SCREEN)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.evaluate(AXE.read_text(encoding="utf-8"))
    inaccessible = {scheme: violations(page, scheme) for scheme in RULES}
    return Seen(list(problems), not_typeset, errors, inaccessible, too_wide)


def violations(page, scheme) -> list[str]:
    """What axe finds wrong with the page in a colour scheme, exceptions apart."""
    page.evaluate(
        """scheme => new Promise(drawn => {
          document.documentElement.dataset.theme = scheme;
          requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(drawn, 50)));
        })""",
        scheme,
    )
    options = {"runOnly": RULES[scheme], "resultTypes": ["violations"], "preload": False}
    found = page.evaluate("options => axe.run(document, options)", options)["violations"]
    return [
        f"{rule['id']}: {node['target']} {node['html'][:160]} {node['failureSummary']}"
        for rule in found
        for node in rule["nodes"]
        if not any(rule["id"] == name and part in node["html"] for name, part, _ in EXCEPTIONS)
    ]


def test_page_asks_nothing_of_other_hosts_and_logs_no_error(seen):
    assert not seen.problems


def test_all_mathematics_is_typeset_without_an_error(seen):
    assert not seen.not_typeset
    assert not seen.mathematics_errors


@pytest.mark.parametrize("scheme", RULES)
def test_page_is_accessible(seen, scheme):
    assert not seen.inaccessible[scheme], "\n".join(seen.inaccessible[scheme])


def test_nothing_scrolls_sideways_on_a_phone(seen):
    assert not seen.too_wide


def test_the_book_opens_on_its_landing_page(page, site):
    page.goto(f"{site}/index.html")
    page.wait_for_url("**/book/index.html")


def test_the_guard_reports_what_it_should(browser, site, guard):
    """The tests above could not fail if the guard were blind."""
    context, problems = browser.new_context(), []
    opened = guard(context, site, problems)
    opened.goto(f"{site}/claims.json")
    opened.set_content('<img src="https://example.org/a.png"><img src="/missing.png"><script>undefined_name()</script>')
    opened.wait_for_timeout(500)
    context.close()
    assert any("another host: https://example.org/a.png" in problem for problem in problems)
    assert any(problem.startswith("404") for problem in problems)
    assert any("undefined_name" in problem for problem in problems)
