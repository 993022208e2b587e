"""The comparison's page in a real browser: on a screen, on a phone, in the dark, on paper."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from reports.compare_html import render
from reports.comparison import compare
from tests import grown_bench
from tests import sample_run as sample
from tests.browser import Browser, BrowserError
from tests.test_reports_html import Page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHOWN = "[...document.querySelectorAll('details.req')].filter(r => !r.hidden).map(r => r.id)"


@pytest.fixture(scope="module", name="browser")
def fixture_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture(scope="module", name="page")
def fixture_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compared")
    old = {"run": "old", "implementation": {"name": "kube-proxy", "version": "v1.34.4"}}
    new = sample.generate(folder / "new").read_text().splitlines()
    known = [each for line in new if (each := json.loads(line))["type"] == "requirement"]
    passed = [sample.result(each["id"], mode) for each in known for mode in sample.MODES]
    sample.write(folder / "old", sample.header(**old), *known, *passed)
    grown_bench.generate(folder / "bench")
    found = compare([folder / "old", folder / "new", folder / "bench"])
    (folder / "compare.html").write_text(render(found, folder))
    return folder / "compare.html"


def type_(browser: Browser, field: str, value: str) -> None:
    browser.run(
        f"(f => {{ f.value = {value!r}; f.dispatchEvent(new Event('input', {{bubbles: true}})) }})"
        f"(document.getElementById({field!r}))"
    )


def test_the_page_is_well_formed_and_its_links_lead_somewhere(page: Path) -> None:
    parsed = Page(page.read_text())
    assert len(parsed.ids) == len(set(parsed.ids))
    assert {link[1:] for link in parsed.links if link.startswith("#")} <= set(parsed.ids)
    assert not parsed.resources
    evidence = [link for link in parsed.links if "evidence/" in link]
    assert evidence
    assert all((page.parent / link).exists() for link in evidence)


def test_a_bad_page_is_noticed(browser: Browser, tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text('<img src="http://127.0.0.1:9/x.png"><script>missing()</script>')
    browser.complaints.clear()
    browser.open(bad)
    told = " ".join(browser.complaints)
    browser.complaints.clear()
    assert "wanted http://127.0.0.1:9/x.png" in told
    assert "missing is not defined" in told
    with pytest.raises(BrowserError):
        browser.run("missing()")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280], ids=["phone", "screen"])
def test_it_fits_loads_nothing_and_has_no_errors(
    browser: Browser, page: Path, width: int, dark: bool
) -> None:
    browser.complaints.clear()
    browser.open(page, width=width, dark=dark)
    assert browser.complaints == []
    assert browser.run("document.documentElement.scrollWidth") <= width
    ground = browser.run("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(18, 22, 27)" if dark else "rgb(246, 247, 249)")
    assert len(browser.picture()) > 50_000


def test_the_first_screen_answers_every_question(browser: Browser, page: Path) -> None:
    browser.open(page)
    bottom = browser.run(
        "Math.max(...[...document.querySelectorAll('.verdict, .tile')]"
        ".map(e => e.getBoundingClientRect().bottom))"
    )
    assert 200 < bottom < 900
    titles = browser.run("[...document.querySelectorAll('.tile h2 a')].map(a => a.innerText)")
    assert titles == [
        "What differs",
        "Which mode to take",
        "What a connection's first packet takes",
        "How soon a new endpoint is used",
        "What is said of the modes",
    ]
    assert browser.run("document.querySelectorAll('.tile svg.curve path').length") > 10
    assert "nftables" in browser.run("document.querySelector('.picks').innerText")
    said = browser.run("document.querySelector('.verdicts').innerText")
    assert said.count("FAIL") == 2
    assert said.count("PASS") == 2


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_curves_have_the_colours_of_their_page(browser: Browser, page: Path, dark: bool) -> None:
    browser.open(page, dark=dark)
    strokes = browser.run(
        "[...new Set([...document.querySelectorAll('svg.curve path')]"
        ".map(p => getComputedStyle(p).stroke))]"
    )
    wanted = {"rgb(86, 180, 233)", "rgb(240, 150, 74)"} if dark else {
        "rgb(0, 114, 178)", "rgb(192, 82, 0)"
    }  # fmt: skip
    assert wanted <= set(strokes)
    text = browser.run("getComputedStyle(document.querySelector('svg.curve text')).fill")
    assert text in (("rgb(159, 171, 184)", "rgb(228, 232, 237)") if dark else
                    ("rgb(89, 98, 109)", "rgb(27, 31, 36)"))  # fmt: skip


def test_published_points_are_dotted_and_axes_logarithmic(browser: Browser, page: Path) -> None:
    browser.open(page)
    legend = browser.run("document.querySelector('svg.curve').textContent")
    assert "iptables, published" in legend
    assert "10,000" in legend


def test_filter_and_search_narrow_the_matrix(browser: Browser, page: Path) -> None:
    browser.open(page)
    every = browser.run(SHOWN)
    type_(browser, "find", "uniform")
    found = browser.run(SHOWN)
    assert "r-lb-uniform" in found
    assert 0 < len(found) < len(every)
    type_(browser, "find", "")
    type_(browser, "word", "unexpected-pass")
    assert browser.run(SHOWN) == ["r-ct-restart-keep"]
    type_(browser, "word", "")
    browser.run("document.getElementById('differ').click()")
    assert 0 < len(browser.run(SHOWN)) < len(every)
    browser.run("document.getElementById('differ').click()")
    assert browser.run(SHOWN) == every
    assert browser.run("document.getElementById('shown').value").startswith(f"{len(every)} ")


def test_a_click_on_a_difference_leads_to_expectation_and_evidence(
    browser: Browser, page: Path
) -> None:
    browser.open(page)
    browser.run("document.querySelector('#differences a[href=\"#r-lb-uniform\"]').click()")
    browser.run("new Promise(done => setTimeout(done, 100))")
    assert browser.run("document.getElementById('r-lb-uniform').open") is True
    # The page scrolls there smoothly, and lays out what is far away only when it comes near.
    told = browser.run(
        "new Promise(done => { const look = () => { const text ="
        " document.getElementById('r-lb-uniform').innerText;"
        " if (text) done(text); else setTimeout(look, 50); }; look(); })"
    )
    for words in ("expected", "800 of 4000", "observed", "pod.pcap", "--seed 1234567"):
        assert words in told


def test_a_link_to_what_is_folded_opens_it(browser: Browser, page: Path) -> None:
    browser.open(page)
    folded = "document.getElementById('d-documented')"
    assert browser.run(f"{folded}.open") is False
    browser.run("document.querySelector('a[href=\"#d-documented\"]').click()")
    browser.run("new Promise(done => setTimeout(done, 100))")
    assert browser.run(f"{folded}.open") is True


def test_it_prints(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert browser.printed().startswith(b"%PDF")
    browser.open(page, media="print")
    assert browser.run("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert browser.run("getComputedStyle(document.getElementById('filter')).display") == "none"


def test_without_scripts_everything_is_there(browser: Browser, page: Path) -> None:
    browser("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(page)
        assert browser.run("document.getElementById('filter').hidden") is True
        assert "lb-uniform" in browser.run("document.body.textContent")
    finally:
        browser("Emulation.setScriptExecutionDisabled", value=False)


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_lines_stand_out_from_their_ground(browser: Browser, page: Path, dark: bool) -> None:
    browser.open(page, dark=dark)

    def colour(name: str) -> str:
        style = "getComputedStyle(document.documentElement)"
        return str(browser.run(f"{style}.getPropertyValue('--{name}').trim()"))

    for number in range(1, 6):
        pair = _luminance(colour(f"series-{number}")), _luminance(colour("card"))
        # 3 is what WCAG 2.2 (level AA) asks of lines in a chart.
        assert (max(pair) + 0.05) / (min(pair) + 0.05) >= 3, number
