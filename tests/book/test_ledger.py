"""The ledger of the built book: complete, counted, and linked to where each claim is made."""

import html as markup
import json
import re
from collections import Counter
from pathlib import Path

import pytest

pytestmark = pytest.mark.book
ROOT = Path(__file__).resolve().parents[2]
FULL_CHAPTERS = ("04-discretization", "05-convolution")


@pytest.fixture
def record(html):
    return json.loads((html / "claims.json").read_text(encoding="utf-8"))


@pytest.fixture
def ledger(html):
    return (html / "book" / "ledger.html").read_text(encoding="utf-8")


def test_every_claim_made_in_a_source_is_recorded(record):
    made = Counter(
        (path.stem, name)
        for path in (ROOT / "book").glob("*.md")
        for name in re.findall(r'^ *claim\(\s*(?:id=)?"([a-z0-9-]+)"', path.read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert Counter((claim["chapter"], claim["id"]) for claim in record["claims"]) == made


def test_every_recorded_claim_stands_on_evidence(record):
    for claim in record["claims"]:
        assert claim["verdict"] in ("holds", "false") or claim["verdict"].startswith("holds if "), claim
        if claim["kind"] == "symbolic":
            assert claim["residual"] is None, claim
        else:
            assert 0 <= claim["residual"] <= claim["tolerance"], claim


def test_the_ledger_links_to_every_badge(html, record, ledger):
    links = re.findall(r'href="([^"#]+)#claim-([a-z0-9-]+)"', ledger)
    assert sorted((Path(page).stem, name) for page, name in links) == sorted(
        (claim["chapter"], claim["id"]) for claim in record["claims"]
    )
    for page, name in links:
        assert f'id="claim-{name}"' in (html / "book" / page).read_text(encoding="utf-8")


def test_the_errata_list_what_fails_here_and_elsewhere(html, record):
    page = (html / "book" / "errata.html").read_text(encoding="utf-8")
    tables = re.findall(r'<table class="table ssm-ledger ssm-failing">.*?</table>', page, re.DOTALL)
    listed = [sorted(re.findall(r'href="[^"]*#claim-([a-z0-9-]+)"', table)) for table in tables]
    failing = [claim for claim in record["claims"] if claim["verdict"] != "holds"]
    assert listed == [
        sorted(claim["id"] for claim in failing if claim["chapter"] == "errata"),
        sorted(claim["id"] for claim in failing if claim["chapter"] != "errata"),
    ]
    assert all(listed)


def test_the_ledger_counts_by_kind(record, ledger):
    text = markup.unescape(ledger)
    assert f"{len(record['claims'])} claims." in text
    for kind, count in Counter(claim["kind"] for claim in record["claims"]).items():
        assert f"{count} {kind}" in text


def test_every_equation_is_a_definition_or_claimed(record):
    equations = record["equations"]
    assert equations["total"] == equations["definitions"] + equations["claimed"] > 0


def test_the_full_chapters_make_at_least_thirty_five_claims(record):
    assert sum(claim["chapter"] in FULL_CHAPTERS for claim in record["claims"]) >= 35
