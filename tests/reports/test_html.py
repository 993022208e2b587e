"""The HTML report: well-formed, complete, harmless and legible."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest

from reports.model.comparison import compare
from reports.model.run import Run, read
from reports.pages import comparison_page, run_page
from tests.samples import run as sample

if TYPE_CHECKING:
    from pathlib import Path

_VOID = {"meta", "input", "br", "link", "img", "hr"}


class Page(HTMLParser):
    """Checks that tags nest, and remembers what a test may ask for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.resources: list[str] = []
        self.scripts = 0
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        assert len(values) == len(attrs), f"attribute twice in <{tag}>"
        assert not any(name.startswith("on") for name in values)
        if tag not in _VOID:
            self.open.append(tag)
        self.scripts += tag == "script"
        if "id" in values:
            self.ids.append(values["id"])
        if tag == "a":
            self.links.append(values["href"])
        if "src" in values or tag == "link":
            self.resources.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Nothing: only SVG shapes close themselves here."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in {"script", "style"}:
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join("".join(self.text).split())


@pytest.fixture(scope="module", name="folder")
def fixture_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    sample.generate(folder)
    return folder


@pytest.fixture(scope="module", name="run")
def fixture_run(folder: Path) -> Run:
    return read(folder)


@pytest.fixture(scope="module", name="page")
def fixture_page(run: Run, folder: Path) -> Page:
    return Page(run_page.render(run, folder))


def test_every_requirement_result_and_failure_appears(page: Page, run: Run) -> None:
    for requirement in run.requirements:
        assert f"r-{requirement.id}" in page.ids
        assert requirement.statement in page.words
        for mode, cell in run.cells[requirement.id].items():
            failed = any(r.outcome in {"failed", "unexpected-pass", "error"} for r in cell.results)
            assert (f"failure-{requirement.id}-{mode}" in page.ids) == failed
    cells = "".join(page.text)
    for word, label in (("passed", "pass"), ("unclaimed", "not claimed")):
        assert cells.count(label) >= sum(r.outcome == word for r in run.results)


def test_the_headline_says_the_verdicts(page: Page) -> None:
    assert "iptables FAIL Does not conform: 2 requirements failed." in page.words
    assert "at most 1.3e-5 of a budget of 1e-4" in page.words
    assert "./conform --seed 1234567 --modes iptables,nftables" in page.words


def test_links_within_the_page_lead_somewhere(page: Page) -> None:
    assert len(page.ids) == len(set(page.ids))
    inner = {link[1:] for link in page.links if link.startswith("#")}
    assert inner <= set(page.ids)


def test_the_page_needs_nothing_from_elsewhere(page: Page, run: Run) -> None:
    assert not page.resources
    styles = files("reports.pages").joinpath("templates/report.css").read_text("utf-8")
    assert "url(" not in styles
    assert "@import" not in styles
    assert "default-src &#39;none&#39;" in run_page.render(
        run
    ) or "default-src 'none'" in run_page.render(run)


def test_evidence_is_linked_relative_to_the_page(page: Page, folder: Path) -> None:
    linked = [link for link in page.links if link.startswith("./evidence/")]
    assert "./evidence/lb-uniform-iptables-ipv4-TCP-pod/pod.pcap" in linked
    assert "./evidence/lb-uniform-iptables-ipv4-TCP-pod/conntrack.txt" not in linked
    assert all((folder / link).exists() for link in linked)


def test_the_command_that_repeats_a_failure_is_complete(tmp_path: Path) -> None:
    run = "./conform --modes iptables,nftables --proxy-version 1.34.4 --node vm --seed 7 -k dnat"
    other = "./conform --modes ipvs --seed 8"
    sample.write(
        tmp_path,
        sample.header(reproduce=f"{run} && {other}", modes=["iptables", "nftables", "ipvs"]),
        sample.requirement(),
        sample.result(outcome="failed", mode="nftables"),
        sample.result(outcome="failed", mode="ipvs"),
    )
    words = Page(run_page.render(read(tmp_path), tmp_path)).words
    test = "conformance/clusterip/test_x.py::test_x"
    assert (
        "./conform --modes nftables --proxy-version 1.34.4 --node vm --seed 7 -n 0"
        f" '{test}[nftables]'"
    ) in words
    assert f"./conform --modes ipvs --seed 8 -n 0 '{test}[ipvs]'" in words


NASTY = "</pre></style><script>alert(1)</script>\"'&<img src=x onerror=alert(1)>"


def test_a_modified_suite_is_shown_as_such(tmp_path: Path) -> None:
    suite = sample.header()["suite"]
    changed = suite | {"commit": f"{suite['commit']}-modified-12ab34cd"}
    sample.write(tmp_path, sample.header(suite=changed), sample.requirement())
    page = Page(run_page.render(read(tmp_path), tmp_path))
    assert "4f0c2a9be1d3-modified-12ab34cd" in page.words


def test_what_was_expected_stands_beside_what_was_seen(tmp_path: Path) -> None:
    unlike: dict[str, Any] = {"comparisons": [{"expected": "delivered", "seen": "dropped"}]}
    for outcome in ("failed", "expected-failure"):
        records = sample.requirement(), sample.result(outcome=outcome, reason="why", **unlike)
        sample.write(tmp_path / outcome, *records)
    sides = "Expected delivered Seen dropped"
    assert sides in Page(run_page.render(read(tmp_path / "failed"))).words
    known = Page(comparison_page.render(compare([tmp_path / "expected-failure"]), tmp_path)).words
    assert f"why {sides}" in known


def test_text_from_outside_stays_text(tmp_path: Path) -> None:
    bad: dict[str, Any] = {
        "outcome": "failed",
        "case": NASTY,
        "reason": f"{NASTY}\nsee https://example.org/?a=<b>",
        "comparisons": [{"expected": NASTY, "seen": NASTY}],
        "details": f"E  {NASTY}",
        "evidence": f"javascript:{NASTY}",
        "nodeid": NASTY,
        "statistics": [{"name": NASTY, "test": NASTY, "p": 0.5}],
        "measurements": [{"name": NASTY, "unit": NASTY, "samples": [[1, 2]], "note": NASTY}],
    }
    name = f"x{NASTY}"
    sample.write(
        tmp_path,
        sample.header(run=NASTY, reproduce=NASTY, modes=["iptables", NASTY]),
        sample.requirement(name, area=NASTY, statement=NASTY, reference=NASTY, feature=NASTY),
        sample.result(name, **bad),
        sample.result(name, NASTY, **(bad | {"outcome": "expected-failure"})),
        sample.fingerprint("iptables", tools={NASTY: NASTY}, observed_mode=NASTY),
        {"type": "error", "mode": None, "message": NASTY, "details": NASTY},
    )
    page = Page(run_page.render(read(tmp_path), tmp_path))
    assert page.scripts == 1
    assert not page.resources
    assert not any(link.startswith("javascript:") for link in page.links)
    assert "https://example.org/?a=" in page.links
    assert page.words.count("<script>alert(1)</script>") > 10


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([], "iptables ERROR No verdict: nothing was tested."),
        ([sample.requirement(), sample.result()], "nftables ERROR No verdict"),
        ([sample.requirement(), sample.result()], "nothing was tested"),
        ([sample.requirement(), sample.result()], "iptables PASS Conforms"),
        ([sample.requirement(), sample.result(outcome="skipped")], "iptables ERROR No verdict"),
        (
            [sample.requirement(), sample.result(), sample.result(case="b", outcome="skipped")],
            "iptables PARTIAL Nothing failed, and 1 requirement went",
        ),
        ([{"type": "error", "mode": None, "message": "etcd died"}], "etcd died"),
    ],
)
def test_a_run_with_little_in_it_is_told_as_well(
    tmp_path: Path, records: list[dict[str, Any]], words: str
) -> None:
    sample.write(tmp_path, *records)
    assert words in Page(run_page.render(read(tmp_path))).words


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_stands_out_from_its_ground(theme: int) -> None:
    styles = files("reports.pages").joinpath("templates/report.css").read_text("utf-8")
    root = re.findall(r":root \{(.*?)\}", styles, re.DOTALL)[theme]
    colour = dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", root))
    pairs = [(ink, ground) for ink in ("ink", "soft", "link") for ground in ("page", "card")]
    pairs += [("ink", "code"), ("fail", "code")]
    for name in ("pass", "fail", "partial", "error", "known", "none"):
        pairs += [(name, f"{name}-bg"), ("ink", f"{name}-bg")]
    pairs += [("on-strong", "fail"), ("on-strong", "error")]
    # 4.5 is what WCAG 2.2 (level AA) asks of text of ordinary size.
    weak = {pair for pair in pairs if _contrast(*(colour[name] for name in pair)) < 4.5}
    assert not weak
