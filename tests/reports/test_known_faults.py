"""A proxy that fails what it lists conforms but for that, wherever its verdict is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from reports.__main__ import main
from reports.model.comparison import compare
from reports.model.run import read
from reports.pages import comparison_page, history, run_page
from reports.schemas import schema
from reports.texts import badge, comparison_json, comparison_terminal, markdown, publish, terminal
from tests.reports.test_html import Page
from tests.samples import run as sample

COUNTED = "3 known faults (2 core)"
TOLD = f"Conforms but for {COUNTED}: 1 requirement holds."
WHO: dict[str, Any] = {
    "organization": "x",
    "url": "https://example.org",
    "contact": ["a@b.example"],
}


@pytest.fixture(name="folder")
def fixture_folder(tmp_path: Path) -> Path:
    """Of four requirements one holds; two core ones and a claimed one fail as listed."""
    levels = {"holds": "core", "one": "core", "two": "core", "three": "extended"}
    requirements = [
        sample.requirement(name, level=level, feature="f" if level == "extended" else None)
        for name, level in levels.items()
    ]
    known = {"outcome": "expected-failure", "reason": "known (https://example.org/why)"}
    results = [sample.result(name, case="a") for name in levels]
    results += [sample.result(name, case="b", **known) for name in levels if name != "holds"]
    folder = tmp_path / "run"
    sample.write(folder, sample.header(modes=["iptables"]), *requirements, *results)
    return folder


def test_the_verdict_is_a_word_of_its_own_and_the_exit_code_as_before(folder: Path) -> None:
    run = read(folder)
    assert run.verdict("iptables") == "known-faults"
    assert run.known_faults("iptables") == {"core": 2, "extended": 1}
    assert run.sentence("iptables") == TOLD
    assert run.exit_code == 0


def test_what_went_untested_is_told_with_the_known_faults(tmp_path: Path) -> None:
    known = sample.result(outcome="expected-failure", reason="known")
    skipped = sample.result("cip-udp", outcome="skipped", reason="no")
    records = [sample.requirement(), sample.requirement("cip-udp"), known, skipped]
    sample.write(tmp_path, sample.header(modes=["iptables"]), *records)
    told = read(tmp_path).sentence("iptables")
    assert told == "Nothing failed but for 1 known fault (1 core), and 1 requirement went untested."


def test_terminal_badge_and_pages_count_the_known_faults(folder: Path) -> None:
    run, comparison = read(folder), compare([folder])
    line = f"iptables  KNOWN FAULTS  conforms but for {COUNTED}: 1 pass"
    assert line in terminal.summary(run)
    assert "\x1b[1;33mKNOWN FAULTS" in terminal.summary(run, colour=True)  # amber
    assert f"iptables  KNOWN FAULTS  {TOLD}" in comparison_terminal.summary(comparison)
    assert f">iptables {COUNTED}</text>" in badge.render(run)
    assert '"#7a5200"/><text' in badge.render(run)
    assert f"| **iptables** | 🟡 KNOWN FAULTS | {TOLD} |" in markdown.render(comparison)
    for page in (run_page.render(run), comparison_page.render(comparison, folder)):
        assert '<article class="verdict known-faults">' in page
        assert f"KNOWN FAULTS {TOLD}" in Page(page).words
    assert "KNOWN FAULTS" in Page(history.page(history.gather(folder))).words


def test_json_and_the_published_report_count_them_too(folder: Path) -> None:
    told = json.loads(comparison_json.render(compare([folder])))
    Draft202012Validator(schema("comparison")).validate(told)
    (column,) = told["columns"]
    assert column["verdict"] == "known-faults"
    assert column["known_faults"] == {"core": 2, "extended": 1}
    (profile,) = yaml.safe_load(publish.render(read(folder), **WHO))["profiles"]
    results = profile["result"], profile["core"]["result"], profile["extended"]["result"]
    assert results == ("partial", "partial", "partial")
    assert profile["core"]["statistics"]["expectedFailures"] == 2


def test_the_gate_asks_what_is_new(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gate", "--baseline", str(folder), str(folder)]) == 0
    assert "(iptables known faults)" in capsys.readouterr().out
