"""The built book, served on this machine only, and a browser page that refuses and reports everything else.

A test that takes `page` (or opens its own with `open_page`) fails at its end when the page asked another host for
anything, logged an error, or missed a file.
"""

import functools
import http.server
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "_build" / "html"
BOOK_SOURCES = ("book/*.md", "book/*.bib", "book/_ext/*.py", "book/_static/*", "_config.yml", "_toc.yml")

sys.path.insert(0, str(ROOT / "book" / "_ext"))


def why_not_built() -> str | None:
    """Why the pages in _build/html cannot stand for the present sources; None when they can."""
    from execution import inputs_hash

    ledger, stamp = HTML / "claims.json", ROOT / "_build" / "executed-with.sha256"
    if not ledger.is_file() or not stamp.is_file():
        return "the book is not built: run `make book`"
    newest = max((path.stat().st_mtime, path) for pattern in BOOK_SOURCES for path in ROOT.glob(pattern))
    if newest[0] > ledger.stat().st_mtime:
        return f"the built book is older than {newest[1].relative_to(ROOT)}: run `make book`"
    if stamp.read_text().strip() != inputs_hash():
        return "the built book is older than the package or the results: run `make book`"
    return None


def pytest_generate_tests(metafunc):
    """A test that takes `built_page` runs once for every page of the book: its address relative to the book's root."""
    if "built_page" in metafunc.fixturenames:
        found = [] if why_not_built() else [path.relative_to(HTML) for path in HTML.rglob("*.html")]
        # index.html only leads on to the landing page, book/index.html.
        names = sorted(path.as_posix() for path in found if path.parts[0] not in ("_static", "index.html"))
        metafunc.parametrize("built_page", names or ["not-built"])


@pytest.fixture(scope="session")
def html() -> Path:
    """Folder of the built book."""
    reason = why_not_built()
    if reason:
        pytest.skip(reason)
    return HTML


class Quiet(http.server.SimpleHTTPRequestHandler):
    extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | {".mjs": "text/javascript"}

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="session")
def site(html):
    """Address of the built book, without the final slash."""
    handler = functools.partial(Quiet, directory=html)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def problems() -> list[str]:
    """What went wrong in the test's browser pages so far."""
    return []


@pytest.fixture
def open_page(browser, site, guard, problems):
    """A function that opens a guarded page; its options are those of a Playwright browser context."""
    contexts = []

    def open_guarded(**options):
        contexts.append(browser.new_context(**options))
        return guard(contexts[-1], site, problems)

    yield open_guarded
    for context in contexts:
        context.close()
    assert not problems, "\n".join(problems)


@pytest.fixture
def page(open_page):
    """A guarded page. `page.goto(f"{site}/book/index.html")`."""
    return open_page()


@pytest.fixture(scope="session")
def guard():
    """A function that opens a page which cannot leave `site`, and notes in `problems` each attempt and each error."""
    return open_guarded_page


def open_guarded_page(context, site, problems):
    def pass_or_abort(route):
        url = route.request.url
        if url.startswith((f"{site}/", "data:", "blob:")):
            route.continue_()
        else:
            problems.append(f"request to another host: {url}")
            route.abort()

    def note(kind, text):
        problems.append(f"{kind}: {text}")

    context.route("**/*", pass_or_abort)
    page = context.new_page()
    page.set_default_timeout(120_000)  # a loaded machine is not a defect of the page
    page.on("console", lambda message: note("console", message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: note("page error", error))
    page.on("response", lambda reply: note(reply.status, reply.url) if reply.status >= 400 else None)
    return page
