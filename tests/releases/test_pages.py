"""The page and the table of releases: complete, harmless, and needing nothing from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clusters import implementation
from releases.causes import Listed
from reports.model.releases import Releases, line_up
from reports.pages import releases_page
from reports.texts.releases import markdown
from tests.reports.test_html import Page
from tests.samples.releases import DEMANDED, release

if TYPE_CHECKING:
    from pathlib import Path

GONE, PORTS, HINTS = "ct-udp-zero-eps", "ct-udp-port-change", "topo-node-hints"
SOURCES = ("issues/139628", "pull/130542", "pull/130844")


@pytest.fixture(name="found")
def fixture_found(tmp_path: Path) -> Releases:
    """One release that breaks, mends and changes something, and does something unknown."""
    old = {GONE: "passed", PORTS: "expected-failure", HINTS: "unclaimed", "a": "passed"}
    new = {GONE: "expected-failure", PORTS: "passed", HINTS: "passed", "a/nftables": "failed"}
    both = [("v1.32.2", old), ("v1.34.4", new | {"a": "passed"})]
    features = {HINTS: "node-hints"}
    paths = [
        release(tmp_path, version, outcomes | {DEMANDED: "passed"}, features=features)
        for version, outcomes in both
    ]
    return line_up(paths, Listed(implementation.load("kube-proxy")))


def test_the_page_says_everything_and_leads_somewhere(found: Releases, tmp_path: Path) -> None:
    page = Page(releases_page.render(found, tmp_path))
    assert "1 of 4 differences without a known cause. 1 result that nobody has" in page.words
    assert "2 broke 1 mended 1 changed against v1.32.2" in page.words
    assert "For 1.41: iptables ready nftables ready" in page.words
    for name in (GONE, PORTS, HINTS, "a", DEMANDED):
        assert f"What {name} demands." in page.words
    for source in SOURCES:
        assert any(link.endswith(source) for link in page.links)
    inner = {link[1:] for link in page.links if link.startswith("#")}
    assert inner <= set(page.ids)
    assert "./run-v1.34.4/report.html" in page.links
    assert not page.resources
    assert not page.scripts


def test_the_table_has_a_row_for_each_difference_with_its_source(found: Releases) -> None:
    text = markdown.render(found)
    rows = [line for line in text.splitlines() if line.startswith("| v1.34.4 |")]
    assert [row.split(" | ")[1:4] for row in rows] == [
        ["broke", "`a`", "nftables"],
        ["broke", f"`{GONE}`", "iptables, nftables"],
        ["mended", f"`{PORTS}`", "iptables, nftables"],
        ["changed", f"`{HINTS}`", "iptables, nftables"],
        ["**not listed**", "`a`", "nftables"],
    ]
    assert "**unknown**" in rows[0]
    for row, source in zip(rows[1:4], SOURCES, strict=True):
        assert source in row
    assert "for 1.41 ready" in text


def test_nothing_of_others_gets_into_the_page(tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)>|@somebody"
    paths = [
        release(tmp_path, version, {name: outcome})
        for version, outcome in (("v1.32.2", "passed"), ("v1.34.4", "failed"))
    ]
    found = line_up(paths, Listed(implementation.load("kube-proxy")))
    page = Page(releases_page.render(found, tmp_path))
    assert not page.resources
    assert name in page.words
    assert "@somebody" not in markdown.render(found)
