"""The comparison's page in a real browser: on a screen, on a phone, in the dark, on paper."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Browser, Error, Page, expect, sync_playwright

from reports.model.comparison import compare
from reports.pages.comparison_page import render
from tests.reports.test_html import Page as Parsed
from tests.samples import grown_bench
from tests.samples import run as sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import ConsoleMessage, Request

    Show = Callable[..., Page]

SHOWN = "[...document.querySelectorAll('details.req')].filter(r => !r.hidden).map(r => r.id)"


@pytest.fixture(scope="module", name="browser")
def fixture_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    assert program, "there is no chromium; ./conform selftest installs it"
    home = tmp_path_factory.mktemp("browser")
    with sync_playwright() as playwright:
        # Its own sandbox cannot be had by the root of a namespace, as which the tests run.
        browser = playwright.chromium.launch(
            executable_path=program,
            chromium_sandbox=False,
            args=["--disable-quic"],
            env={**os.environ, "HOME": str(home)},
        )
        yield browser
        browser.close()


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


@pytest.fixture(name="show")
def fixture_show(browser: Browser, page: Path) -> Iterator[Show]:
    """Opens the page in a window; at the end there must have been nothing to complain of."""
    complaints: list[str] = []

    def show(*, width: int = 1280, dark: bool = False, **window: Any) -> Page:
        view = browser.new_page(
            viewport={"width": width, "height": 900},
            is_mobile=width < 600,
            color_scheme="dark" if dark else "light",
            **window,
        )
        watch(view, complaints)
        view.goto(page.as_uri())
        return view

    yield show
    for context in browser.contexts:
        context.close()
    assert complaints == []


def watch(view: Page, complaints: list[str]) -> None:
    """Note what the page logs as an error, and what it wants to load from elsewhere."""

    def said(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    def wanted(request: Request) -> None:
        if not request.url.startswith("file:"):
            complaints.append(request.url)

    view.on("console", said)
    view.on("request", wanted)
    view.on("pageerror", lambda error: complaints.append(str(error)))


def test_the_page_is_well_formed_and_its_links_lead_somewhere(page: Path) -> None:
    parsed = Parsed(page.read_text())
    assert len(parsed.ids) == len(set(parsed.ids))
    assert {link[1:] for link in parsed.links if link.startswith("#")} <= set(parsed.ids)
    assert not parsed.resources
    evidence = [link for link in parsed.links if "evidence/" in link]
    assert evidence
    assert all((page.parent / link).exists() for link in evidence)


def test_a_bad_page_is_noticed(browser: Browser, tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text('<img src="http://127.0.0.1:9/x.png"><script>missing()</script>')
    complaints: list[str] = []
    with browser.new_page() as view:
        watch(view, complaints)
        view.goto(bad.as_uri())
        with pytest.raises(Error):
            view.evaluate("missing()")
    assert "http://127.0.0.1:9/x.png" in complaints
    assert any("missing is not defined" in each for each in complaints)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280], ids=["phone", "screen"])
def test_it_fits_loads_nothing_and_has_no_errors(show: Show, width: int, dark: bool) -> None:
    view = show(width=width, dark=dark)
    assert view.evaluate("document.documentElement.scrollWidth") <= width
    ground = view.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(18, 22, 27)" if dark else "rgb(246, 247, 249)")
    assert len(view.screenshot(full_page=True)) > 50_000


def test_the_first_screen_answers_every_question(show: Show) -> None:
    view = show()
    bottom = view.evaluate(
        "Math.max(...[...document.querySelectorAll('.verdict, .tile')]"
        ".map(e => e.getBoundingClientRect().bottom))"
    )
    assert 200 < bottom < 900
    assert view.locator(".tile h2 a").all_inner_texts() == [
        "What differs",
        "Which mode to take",
        "What a connection's first packet takes",
        "How soon a new endpoint is used",
        "What is said of the modes",
    ]
    assert view.locator(".tile svg.curve path").count() > 10
    assert "nftables" in view.locator(".picks").inner_text()
    said = view.locator(".verdicts").inner_text()
    assert said.count("FAIL") == 2
    assert said.count("PASS") == 2


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_curves_have_the_colours_of_their_page(show: Show, dark: bool) -> None:
    view = show(dark=dark)
    strokes = view.evaluate(
        "[...new Set([...document.querySelectorAll('svg.curve path')]"
        ".map(p => getComputedStyle(p).stroke))]"
    )
    wanted = {"rgb(86, 180, 233)", "rgb(240, 150, 74)"} if dark else {
        "rgb(0, 114, 178)", "rgb(192, 82, 0)"
    }  # fmt: skip
    assert wanted <= set(strokes)
    text = view.evaluate("getComputedStyle(document.querySelector('svg.curve text')).fill")
    assert text in (("rgb(159, 171, 184)", "rgb(228, 232, 237)") if dark else
                    ("rgb(89, 98, 109)", "rgb(27, 31, 36)"))  # fmt: skip


def test_published_points_are_dotted_and_axes_logarithmic(show: Show) -> None:
    legend = show().locator("svg.curve").first.text_content()
    assert legend
    assert "iptables, published" in legend
    assert "10,000" in legend


def test_filter_and_search_narrow_the_matrix(show: Show) -> None:
    view = show()
    every = view.evaluate(SHOWN)
    view.fill("#find", "uniform")
    found = view.evaluate(SHOWN)
    assert "r-lb-uniform" in found
    assert 0 < len(found) < len(every)
    view.fill("#find", "")
    view.select_option("#word", "unexpected-pass")
    assert view.evaluate(SHOWN) == ["r-ct-restart-keep"]
    view.select_option("#word", "")
    view.click("#differ")
    assert 0 < len(view.evaluate(SHOWN)) < len(every)
    view.click("#differ")
    assert view.evaluate(SHOWN) == every
    assert view.locator("#shown").evaluate("shown => shown.value").startswith(f"{len(every)} ")


def test_a_click_on_a_difference_leads_to_expectation_and_evidence(show: Show) -> None:
    view = show()
    view.click("#differences a[href='#r-lb-uniform']")
    told = view.locator("#r-lb-uniform[open]")
    # The page scrolls there smoothly, and lays out what is far away only when it comes near.
    for words in ("Expected", "800 of 4000", "Seen", "pod.pcap", "--seed 1234567"):
        expect(told).to_contain_text(words, use_inner_text=True)
    sides = "sides => [...sides.children].map(side => side.getBoundingClientRect())"
    want, seen = told.locator(".sides").first.evaluate(sides)
    assert want["y"] == seen["y"]
    assert want["x"] + want["width"] < seen["x"]


def test_a_link_to_what_is_folded_opens_it(show: Show) -> None:
    view = show()
    folded = view.locator("#d-documented")
    assert folded.get_attribute("open") is None
    view.locator("a[href='#d-documented']").first.click()
    view.locator("#d-documented[open]").wait_for()


def test_it_prints(show: Show) -> None:
    view = show()
    assert view.pdf(print_background=True).startswith(b"%PDF")
    view.emulate_media(media="print")
    assert view.locator("nav").is_hidden()
    assert view.locator("#filter").is_hidden()


def test_without_scripts_everything_is_there(show: Show) -> None:
    view = show(java_script_enabled=False)
    assert view.locator("#filter").is_hidden()
    assert "lb-uniform" in (view.locator("body").text_content() or "")


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_lines_stand_out_from_their_ground(show: Show, dark: bool) -> None:
    view = show(dark=dark)

    def colour(name: str) -> str:
        style = "getComputedStyle(document.documentElement)"
        return str(view.evaluate(f"{style}.getPropertyValue('--{name}').trim()"))

    for number in range(1, 6):
        pair = _luminance(colour(f"series-{number}")), _luminance(colour("card"))
        # 3 is what WCAG 2.2 (level AA) asks of lines in a chart.
        assert (max(pair) + 0.05) / (min(pair) + 0.05) >= 3, number
