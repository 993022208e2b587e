"""The table of implementations: what a row and an area say, and what is no pass."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

import pytest

from reports.__main__ import main
from reports.model import merge
from reports.table import markdown, page, picture
from reports.table.rows import Row, table
from tests.reports.test_html import NASTY, Page
from tests.samples import run as sample

if TYPE_CHECKING:
    from pathlib import Path

AREAS = {"cip-one": "clusterip", "cip-two": "clusterip", "ct-one": "conntrack"}
WHOLE = "./conform --modes iptables,nftables --seed 7"


def run(folder: Path, *, mode: str = "iptables", only: int = 3, **changes: Any) -> Path:
    """A run in one mode of the first requirements; outcomes by requirement."""
    outcomes = changes.pop("outcomes", {})
    records = changes.pop("records", [])
    end = changes.pop("end", {})
    ids = list(AREAS)[:only]
    header = {"run": folder.name, "modes": [mode], "reproduce": WHOLE} | changes
    return sample.write(
        folder,
        sample.header(**header),
        *(sample.requirement(each, area=AREAS[each]) for each in ids),
        sample.fingerprint(mode),
        *(sample.result(each, mode, outcomes.get(each, "passed")) for each in ids),
        *records,
        **end,
    )


def rows(*paths: Path) -> list[Row]:
    return list(table(paths).rows)


def words(row: Row) -> dict[str, str]:
    return {area.name: area.word for area in row.areas}


def test_a_row_is_a_version_in_a_mode_and_says_how_to_repeat_it(tmp_path: Path) -> None:
    other = {"name": "other", "version": "v0.1"}
    command = "./conform --implementation ./other.toml --modes tiny --seed 7"
    parts = [
        run(tmp_path / "a"),
        run(tmp_path / "b", mode="tiny", implementation=other, reproduce=command),
    ]
    merge.merge(parts, tmp_path / "joined")
    for found in (rows(*parts), rows(tmp_path / "joined")):
        assert [(row.name, row.version, row.mode) for row in found] == [
            ("kube-proxy", "v1.36.3", "iptables"),
            ("other", "v0.1", "tiny"),
        ]
        assert [row.command for row in found] == [
            "./conform --modes iptables --proxy-version 1.36.3 --seed 7",
            "./conform --modes tiny --implementation ./other.toml --seed 7",
        ]
        assert [row.word for row in found] == ["pass", "pass"]
        assert [words(row) for row in found] == [{"clusterip": "pass", "conntrack": "pass"}] * 2
        assert found[0].where == "namespace nodes, kernel 6.18.2-amd64"
        assert found[0].judged == "2026-11-23, 4f0c2a9be1d3"


@pytest.mark.parametrize(
    ("outcome", "word", "share"),
    [
        ("passed", "pass", "2/2"),
        ("expected-failure", "known-faults", "1/2"),
        ("failed", "fail", "1/2"),
        ("unexpected-pass", "fail", "1/2"),
        ("error", "error", "1/2"),
        ("skipped", "partial", "1/2"),
        ("unclaimed", "pass", "1/1"),
    ],
)
def test_an_area_has_the_word_of_its_worst(
    tmp_path: Path, outcome: str, word: str, share: str
) -> None:
    (row,) = rows(run(tmp_path / "a", outcomes={"cip-two": outcome}))
    (area, _) = row.areas
    assert (area.word, area.share) == (word, share)


def test_what_nobody_claims_is_empty_and_no_pass(tmp_path: Path) -> None:
    (row,) = rows(run(tmp_path / "a", outcomes={"ct-one": "unclaimed"}))
    assert (words(row)["conntrack"], row.areas[1].share) == ("", "")


INCOMPLETE: dict[str, dict[str, Any]] = {
    "interrupted": {"end": {"interrupted": True, "exit": 2}},
    "without a reason": {"end": {"exit": 2}},
    "a worker died": {"records": [{"type": "error", "mode": None, "message": "it died"}]},
    "of some tests by name": {"reproduce": f"{WHOLE} -k affinity"},
    "of some tests by mark": {"reproduce": f"{WHOLE} -m 'not slow'"},
    "of some tests by path": {"reproduce": f"{WHOLE} conformance/clusterip"},
    "a shard of which was": {"reproduce": f"{WHOLE} && {WHOLE} conformance/clusterip"},
    "of fewer than another": {"only": 2},
    "something was skipped in": {"outcomes": {"ct-one": "skipped"}},
}
"""What may be wrong with a run whose results all hold."""


@pytest.mark.parametrize("how", INCOMPLETE)
def test_what_is_incomplete_passes_nowhere_and_says_so(how: str, tmp_path: Path) -> None:
    whole = run(tmp_path / "whole")
    cut = run(tmp_path / "cut", mode="nftables", **INCOMPLETE[how])
    found = table([whole, cut])
    complete, row = found.rows
    assert (complete.word, complete.lacking) == ("pass", ())
    assert row.word in ("partial", "error")
    assert row.lacking
    assert row.told.startswith("Incomplete: ")
    assert "of which 1 incomplete" in found.answer
    (line,) = [each for each in markdown.render(found).splitlines() if each.startswith("| (2)")]
    assert "Incomplete: " in line
    assert "✅" not in line
    assert "Incomplete: " in page.render(found)


@pytest.mark.parametrize("how", ["interrupted", "without a reason", "a worker died"])
def test_no_area_passes_in_a_run_without_a_verdict(how: str, tmp_path: Path) -> None:
    (row,) = rows(run(tmp_path / "cut", **INCOMPLETE[how]))
    assert set(words(row).values()) == {"partial"}


def test_all_tests_by_their_path_are_all(tmp_path: Path) -> None:
    (row,) = rows(run(tmp_path / "a", reproduce=f"{WHOLE} conformance"))
    assert row.word == "pass"


def test_several_suites_are_told(tmp_path: Path) -> None:
    suite = sample.header()["suite"] | {"commit": "abc"}
    found = table([run(tmp_path / "a"), run(tmp_path / "b", mode="nftables", suite=suite)])
    assert "Judged by 2 suites" in found.answer
    assert "0.1.0 abc" in markdown.render(found)


def test_the_same_command_makes_all_three(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = run(tmp_path / "a", outcomes={"ct-one": "failed"})
    folder = tmp_path / "new" / "folder"
    assert main(["table", str(made), "-o", str(folder)]) == 0
    out = capsys.readouterr().out
    assert out == (
        "".join(f"Wrote: {folder}/table.{form}\n" for form in ("md", "svg", "html"))
        + "1 implementation or version in 1 row, all complete.\n"
    )
    text = (folder / "table.md").read_text()
    assert "| clusterip | ✅ 2/2 |\n| conntrack | ❌ 0/1 |\n" in text
    drawn = ET.fromstring((folder / "table.svg").read_text())  # noqa: S314  our own
    titles = [each.text for each in drawn.iter("{http://www.w3.org/2000/svg}title")]
    assert titles[1:] == ["clusterip: 2 pass", "conntrack: 1 FAIL"]
    shown = Page((folder / "table.html").read_text())
    assert "0/1" in shown.text


def test_what_cannot_be_read_is_no_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = run(tmp_path / "a")
    made.write_text("".join(made.read_text().splitlines(keepends=True)[:-1]))
    assert main(["table", str(made), "-o", str(tmp_path)]) == 2
    assert "has no footer" in capsys.readouterr().err
    assert not (tmp_path / "table.md").exists()


def test_names_of_others_stay_text(tmp_path: Path) -> None:
    made = run(tmp_path / "a", implementation={"name": NASTY, "version": NASTY})
    found = table([made])
    for out in (page.render(found), picture.render(found)):
        assert "<script>alert" not in out
    ET.fromstring(picture.render(found))  # noqa: S314  our own
    assert "<script" not in markdown.render(found)


def test_a_command_is_one_cell_and_no_markup(tmp_path: Path) -> None:
    command = "./conform --modes a -k 'a|b`c``d'"
    text = markdown.render(table([run(tmp_path / "a", mode="a", reproduce=command)]))
    (line,) = [each for each in text.splitlines() if each.startswith("| (1)")]
    assert line.endswith("| ``` ./conform --modes a --proxy-version 1.36.3 -k 'a\\|b`c``d' ``` |")
