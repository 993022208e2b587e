"""Comparisons: which columns there are, what differs between them, what is concluded from it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from reports import claims as said
from reports import document, junit, markdown
from reports.comparison import (
    DOCUMENTED,
    FAILING,
    NEWLY_FAILING,
    NEWLY_PASSING,
    UNTESTED,
    Comparison,
    compare,
)
from reports.paces import paces
from reports.recommend import EITHER, NO_FIGURES, UNDECIDED, knowledge, recommendations
from tests import grown_bench
from tests import sample_bench as bench
from tests import sample_run as sample
from tests.test_reports_html import NASTY

ROOT = Path(__file__).parents[1]


def reports(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reports", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def run(folder: Path, outcome: str = "passed", **changes: Any) -> Path:
    """A run of one requirement in two modes, of which the second has that outcome."""
    header = sample.header(run=folder.name, **changes)
    reason = "" if outcome == "passed" else f"why it is {outcome} (https://example.org/why)"
    return sample.write(
        folder,
        header,
        sample.requirement(),
        sample.fingerprint("iptables"),
        sample.fingerprint("nftables"),
        sample.result(),
        sample.result(mode="nftables", outcome=outcome, reason=reason),
    )


def implementation(version: str) -> dict[str, Any]:
    return {"name": "kube-proxy", "version": version}


def built(version: str) -> dict[str, Any]:
    """The same as a bench has it."""
    return implementation(version) | {"binary": "", "sha256": ""}


@pytest.fixture(name="pair")
def fixture_pair(tmp_path: Path) -> Comparison:
    return compare([run(tmp_path / "old"), run(tmp_path / "new", "failed")])


# --- columns --------------------------------------------------------------------------------------


def test_columns_are_modes_and_labels_say_no_more_than_what_tells_them_apart(
    tmp_path: Path,
) -> None:
    one = run(tmp_path / "a", implementation=implementation("v1.1.0"))
    other = run(tmp_path / "b", implementation=implementation("v1.2.0"))
    assert [c.label for c in compare([one]).columns] == ["iptables", "nftables"]
    labels = [c.label for c in compare([one, other]).columns]
    assert labels == ["v1.1.0 iptables", "v1.1.0 nftables", "v1.2.0 iptables", "v1.2.0 nftables"]
    same = run(tmp_path / "c", implementation=implementation("v1.1.0"))
    assert [c.label for c in compare([one, same]).columns][:1] == ["iptables, a"]


def test_kernels_tell_columns_apart(tmp_path: Path) -> None:
    paths = []
    for kernel in ("6.1.0", "6.18.2"):
        mode = {"modes": ["iptables"], "run": kernel}
        found = sample.fingerprint("iptables", kernel=kernel)
        records = sample.header(**mode), sample.requirement(), found, sample.result()
        paths.append(sample.write(tmp_path / kernel, *records))
    assert [c.label for c in compare(paths).columns] == [
        "iptables on 6.1.0",
        "iptables on 6.18.2",
    ]


def test_a_mode_is_held_against_itself_in_the_first_run(pair: Comparison) -> None:
    held = [b.label if (b := pair.before(c)) else None for c in pair.columns]
    assert held == [None, None, "iptables, old", "nftables, old"]


def test_modes_of_a_single_run_are_held_against_the_first(tmp_path: Path) -> None:
    alone = compare([run(tmp_path / "a")])
    assert [alone.before(c) and c.mode for c in alone.columns] == [None, "nftables"]


# --- differences ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("passed", "failed", NEWLY_FAILING),
        ("passed", "unexpected-pass", NEWLY_FAILING),
        ("expected-failure", "failed", NEWLY_FAILING),
        ("failed", "failed", FAILING),
        ("failed", "passed", NEWLY_PASSING),
        ("expected-failure", "passed", NEWLY_PASSING),
        ("passed", "expected-failure", DOCUMENTED),
        ("passed", "unclaimed", DOCUMENTED),
        ("passed", "skipped", UNTESTED),
        ("passed", "passed", None),
    ],
)
def test_what_differs_is_sorted_by_what_it_means(
    tmp_path: Path, before: str, after: str, kind: str | None
) -> None:
    both = compare([run(tmp_path / "old", before), run(tmp_path / "new", after)])
    found = {each.kind: each for each in both.differences if both.columns[3] in each.columns}
    assert set(found) == ({kind} if kind else set())
    if kind == DOCUMENTED:
        assert "https://example.org/why" in found[kind].reasons[0]
    if kind == NEWLY_PASSING:
        assert before in found[kind].reasons[0]


def test_the_inside_of_another_mode_is_no_difference(tmp_path: Path) -> None:
    path = sample.write(
        tmp_path,
        sample.requirement(level="mode", feature="nftables-rules"),
        sample.result(outcome="unclaimed", reason="not claimed"),
        sample.result(mode="nftables"),
    )
    both = compare([path])
    assert not both.differences
    assert both.identical == 1


def test_a_requirement_that_one_run_does_not_know_is_not_tested(tmp_path: Path) -> None:
    fewer = run(tmp_path / "fewer")
    more = sample.write(
        tmp_path / "more",
        sample.header(run="more"),
        sample.requirement(),
        sample.requirement("cip-new"),
        *(
            sample.result(name, mode)
            for name in ("cip-tcp-dnat", "cip-new")
            for mode in sample.MODES
        ),
    )
    (found,) = compare([more, fewer]).differences
    assert (found.kind, found.requirement.id, found.reasons) == (UNTESTED, "cip-new", ("not run",))


# --- what is said, and what to take ---------------------------------------------------------------


def test_claims_name_requirements_that_there_are() -> None:
    there_are = (ROOT / "CONFORMANCE.md").read_text("utf-8")
    named = {
        name
        for claim in knowledge()["claim"]
        for check in claim["check"]
        for name in check.get("requirements", [])
    } | {s["refused"]["requirement"] for s in knowledge()["scenario"] if "refused" in s}
    assert named
    assert [name for name in sorted(named) if f"`{name}`" not in there_are] == []


def test_without_figures_nothing_is_recommended_or_claimed(pair: Comparison) -> None:
    assert {each.pick for each in recommendations(pair)} == {NO_FIGURES}
    words = {claim.id: claim.word for claim in said.claims(pair)}
    assert words["I4"] == words["N3"] == words["P1"] == said.OPEN


def judged(tmp_path: Path, *benches: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Scenario -> pick and claim -> word, with these benches."""
    both = compare([run(tmp_path / "run"), *benches])
    picks = {each.scenario: each.pick for each in recommendations(both)}
    return picks, {claim.id: claim.word for claim in said.claims(both)}


def test_figures_decide_where_they_differ_in_practice(tmp_path: Path) -> None:
    picks, words = judged(tmp_path, grown_bench.generate(tmp_path / "bench"))
    assert picks["Under about 1,000 Services"] == "nftables"
    assert picks["A large cluster, kernel 5.13 or newer"] == "nftables"
    assert picks["IPVS today"] == NO_FIGURES
    assert picks["A new cluster"] == "iptables"
    for claim in ("I4", "I5", "N3", "N4", "P1"):
        assert words[claim] == said.HOLDS, claim
    assert words["V6"] == said.OPEN
    assert words["P2"] == said.LOOSE


def opposite(folder: Path, **changes: Any) -> Path:
    """The bench in which each mode has the other's figures."""
    swapped = {"iptables": "nftables", "nftables": "iptables"}
    lines = []
    path = grown_bench.generate(folder / "straight", **changes)
    for line in path.read_text().splitlines()[:-1]:
        record = json.loads(line)
        if record["type"] in ("figure", "fit"):
            record["mode"] = swapped.get(record["mode"], record["mode"])
        elif record["type"] == "ratio":
            record["modes"] = [swapped[mode] for mode in record["modes"]]
        lines.append(record)
    return bench.write(folder / "swapped", lines)


def test_the_opposite_figures_give_the_opposite_words(tmp_path: Path) -> None:
    picks, words = judged(tmp_path, opposite(tmp_path))
    assert picks["A large cluster, kernel 5.13 or newer"] == "iptables"
    assert words["I4"] == words["N3"] == words["N4"] == said.FAILS


def test_where_a_statement_does_not_hold_it_is_told_what_is_known_of_that(tmp_path: Path) -> None:
    straight = grown_bench.generate(tmp_path / "straight-only")
    for path, told in ((straight, False), (opposite(tmp_path), True)):
        both = compare([run(tmp_path / path.parent.name), path])
        (claim,) = [claim for claim in said.claims(both) if claim.id == "N4"]
        assert ("issues/139513" in claim.known) is told
        assert ("issues/139513" in markdown.render(both)) is told


def test_each_version_that_was_measured_has_its_own_advice(tmp_path: Path) -> None:
    old = grown_bench.generate(tmp_path / "old", bench="old", implementation=built("v1.1.0"))
    new = opposite(tmp_path, bench="new", implementation=built("v1.2.0"))
    found = recommendations(compare([run(tmp_path / "run"), old, new]))
    picks = {r.subject: r.pick for r in found if r.scenario.startswith("A large")}
    assert picks == {"kube-proxy v1.1.0": "nftables", "kube-proxy v1.2.0": "iptables"}
    (kernel,) = [r for r in found if r.scenario.startswith("A kernel")]
    assert kernel.subject == ""  # no figure decides it


def large(tmp_path: Path, *figures: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    """What to take in a large cluster by these figures alone, and why."""
    written = bench.write(tmp_path / "bench", [bench.header(), *figures])
    found = recommendations(compare([run(tmp_path / "run"), written]))
    advice = next(r for r in found if r.scenario.startswith("A large"))
    return advice.pick, advice.why


def both_modes(name: str, iptables: float, nftables: float, **changes: Any) -> list[dict[str, Any]]:
    values = zip(bench.MODES, (iptables, nftables), strict=True)
    return [bench.figure(name, mode, 9000, p50=value, **changes) for mode, value in values]


def test_where_each_mode_is_better_at_something_it_says_at_what(tmp_path: Path) -> None:
    pick, why = large(
        tmp_path,
        *both_modes("first-packet", 500.0, 10.0, target="random"),
        *both_modes("sync-endpoint-add", 100.0, 900.0, unit="ms"),
    )
    assert pick == UNDECIDED
    assert why[0] == (
        "nftables for a connection's first packet; iptables for an endpoint that is added."
    )


@pytest.mark.parametrize(
    ("iptables", "nftables", "pick"),
    [(10e3, 90e3, "nftables"), (90e3, 10e3, "iptables"), (60e3, 110e3, EITHER)],
)
def test_of_connections_a_second_more_is_better(
    tmp_path: Path, iptables: float, nftables: float, pick: str
) -> None:
    assert (
        large(tmp_path, *both_modes("connection-rate", iptables, nftables, unit="1/s"))[0] == pick
    )


def test_what_was_measured_in_peace_decides_though_with_fewer_services(tmp_path: Path) -> None:
    pick, why = large(
        tmp_path,
        *both_modes("first-packet", 500.0, 10.0, target="random", disturbed=True),
        *(
            figure | {"services": 6000}
            for figure in both_modes("first-packet", 20.0, 400.0, target="random")
        ),
    )
    assert pick == "iptables"
    assert why[0].startswith("first-packet (p50) at 6,000 Services")


def test_disturbed_figures_decide_nothing(tmp_path: Path) -> None:
    path = grown_bench.generate(tmp_path / "bench")
    lines = [json.loads(line) for line in path.read_text().splitlines()[:-1]]
    shaky = [line | {"disturbed": True} if line["type"] == "figure" else line for line in lines]
    picks, words = judged(tmp_path, bench.write(tmp_path / "shaky", shaky))
    assert set(picks.values()) == {NO_FIGURES}
    for claim in ("I5", "N4", "P1", "P2"):
        assert words[claim] == said.OPEN, claim


def test_modes_that_are_alike_in_practice_are_either(tmp_path: Path) -> None:
    same = [bench.figure("first-packet", m, 500, target="random", p50=10.0) for m in bench.MODES]
    picks, _ = judged(tmp_path, bench.write(tmp_path / "bench", [bench.header(), *same]))
    assert picks["Under about 1,000 Services"] == EITHER
    assert picks["A large cluster, kernel 5.13 or newer"] == NO_FIGURES


def test_a_mode_that_does_not_conform_is_said_so_beside_its_numbers(tmp_path: Path) -> None:
    both = compare([run(tmp_path / "a", "failed"), grown_bench.generate(tmp_path / "bench")])
    large = next(r for r in recommendations(both) if r.scenario.startswith("A large"))
    assert large.why[-1].startswith("nftables does not conform: Does not conform: 1 requirement")


def test_real_figures_decide_where_emulated_ones_are_there_too(tmp_path: Path) -> None:
    real = grown_bench.generate(tmp_path / "real")
    slow = grown_bench.generate(tmp_path / "slow", slower=50, emulated=True, bench="emulated")
    both = compare([run(tmp_path / "run"), real, slow])
    alone = compare([run(tmp_path / "run2"), real])
    assert [r.pick for r in recommendations(both)] == [r.pick for r in recommendations(alone)]


# --- slower and faster ---


def versions(tmp_path: Path, **of_new: Any) -> Comparison:
    """Two versions, of which the new one may differ; no figure of a connection does."""
    old = grown_bench.generate(tmp_path / "old", bench="old", implementation=built("v1.1.0"))
    new = {"bench": "new", "implementation": built("v1.2.0")} | of_new
    return compare([run(tmp_path / "run"), old, grown_bench.generate(tmp_path / "new", **new)])


def test_a_version_whose_changes_take_longer_is_told(tmp_path: Path) -> None:
    found = paces(versions(tmp_path, slower=3.0))
    assert len(found) == len(grown_bench.SIZES) * len(bench.MODES) * 2
    for pace in found:
        assert pace.slower
        assert pace.name.startswith("sync-")
        assert (pace.before, pace.subject) == ("kube-proxy v1.1.0", "kube-proxy v1.2.0")
        assert 1.2 < pace.at_least <= pace.times
        assert pace.times == pytest.approx(3, rel=0.1)
    assert found[0].told.startswith("3")


def test_so_is_one_whose_changes_take_less(tmp_path: Path) -> None:
    found = paces(versions(tmp_path, slower=0.5))
    assert {pace.slower for pace in found} == {False}
    assert all(pace.times == pytest.approx(2, rel=0.1) for pace in found)


@pytest.mark.parametrize(
    "like",
    [
        {},
        {"slower": 3.0, "implementation": built("v1.1.0")},
        {"slower": 3.0, "emulated": True},
        {"pace": 1.6},
        {"slower": 3.0, "machine": {"kernel": "6.18.0", "cpu": "another", "cpus": "2"}},
    ],
    ids=["alike", "the same proxy", "emulated", "a slow hour", "another machine"],
)
def test_nothing_is_told_of_what_is_alike_or_does_not_compare(
    tmp_path: Path, like: dict[str, Any]
) -> None:
    assert paces(versions(tmp_path, **like)) == ()


# --- formats --------------------------------------------------------------------------------------


@pytest.fixture(scope="module", name="whole")
def fixture_whole(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    folder = tmp_path_factory.mktemp("whole")
    sample.generate(folder / "run")
    return compare([folder / "run", grown_bench.generate(folder / "bench")])


def test_the_document_is_as_its_schema_says(whole: Comparison) -> None:
    Draft202012Validator.check_schema(document.schema())
    found = json.loads(document.render(whole))
    Draft202012Validator(document.schema()).validate(found)
    assert [c["verdict"] for c in found["columns"]] == ["fail", "fail"]
    assert len(found["claims"]) == 23
    assert any(table["title"].startswith("First packet") for table in found["measured"])


def test_junit_has_a_suite_for_each_column(whole: Comparison) -> None:
    found = junit.compared(whole)
    assert found.count("<testsuite ") == 2
    assert 'name="nftables"' in found


def test_markdown_tells_verdicts_differences_and_claims(whole: Comparison) -> None:
    text = markdown.render(whole)
    for words in ("❌ FAIL", "## What differs", "## Which mode to take", "| M1 |", "`lb-uniform`"):
        assert words in text
    assert text.count("<details>") == text.count("</details>")
    assert all(line.count("|") >= 3 for line in text.splitlines() if line.startswith("|"))


def test_markdown_always_fits(whole: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(markdown.render(whole).encode())
    for limit in (size + 200, size - 1, 9_000, 3_000):
        monkeypatch.setattr(markdown, "LIMIT", limit)
        text = markdown.render(whole)
        assert len(text.encode()) < limit
        assert text.count("<details>") == text.count("</details>")
        assert ("More than fits" in text) == (limit < size)


def test_markup_of_others_stays_text(tmp_path: Path) -> None:
    nasty = f"{NASTY} @someone | `code` [link](javascript:x) https://example.org/a|b"
    path = sample.write(
        tmp_path,
        sample.requirement(statement=nasty),
        sample.result(outcome="failed", reason=nasty),
        sample.result(mode="nftables"),
    )
    text = markdown.render(compare([path]))
    assert "<script" not in text
    assert "@someone" not in text
    assert r"\[link\](javascript:x)" in text
    rows = [line for line in text.splitlines() if "javascript" in line]
    assert rows
    assert {line.replace(r"\|", "").count("|") for line in rows} == {5}


# --- the command line -----------------------------------------------------------------------------


def test_compare_writes_all_formats_and_says_where(tmp_path: Path) -> None:
    run(tmp_path / "a"), run(tmp_path / "b", "failed")
    names = ["--markdown", "c.md", "--json", "c.json", "--junit", "c.xml"]
    done = reports("compare", "a", "b", *names, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Newly failing: 1" in done.stdout
    assert "cip-tcp-dnat: FAIL in nftables, b" in done.stdout
    for name in ("compare.html", "c.md", "c.json", "c.xml"):
        assert (tmp_path / name).stat().st_size > 1000
        assert f"Wrote: {name}" in done.stdout


def test_a_dash_writes_nothing_else_to_standard_output(tmp_path: Path) -> None:
    run(tmp_path / "a")
    done = reports("compare", "a", "--markdown", "-", cwd=tmp_path)
    assert done.stdout.startswith("# kube-proxy v1.36.3")
    assert "Wrote" not in done.stdout


def _truncated(folder: Path) -> list[Path]:
    path = run(folder / "a")
    path.write_bytes(path.read_bytes()[:-30])
    return [path]


def _newer(folder: Path) -> list[Path]:
    return [run(folder / "a", schema=99)]


def _edited(folder: Path) -> list[Path]:
    path = run(folder / "a", "failed")
    path.write_text(path.read_text().replace('"outcome":"failed"', '"outcome":"passed"'))
    return [path]


def _mixed(folder: Path) -> list[Path]:
    path = run(folder / "a")
    path.write_bytes(path.read_bytes() + run(folder / "b").read_bytes())
    return [path]


def _twice(folder: Path) -> list[Path]:
    return [run(folder / "a"), folder / "a"]


def _empty(folder: Path) -> list[Path]:
    (folder / "empty").mkdir()
    return [folder / "empty"]


def _only_bench(folder: Path) -> list[Path]:
    return [grown_bench.generate(folder / "bench")]


def _bad_bench(folder: Path) -> list[Path]:
    path = grown_bench.generate(folder / "bench")
    path.write_bytes(path.read_bytes()[:-30])
    return [run(folder / "a"), path]


def _no_text(folder: Path) -> list[Path]:
    (folder / "a.jsonl").write_bytes(b"\xff\xfe\x00\n")
    return [folder / "a.jsonl"]


BAD_INPUT = {
    _truncated: "its last line is cut off",
    _newer: "has schema version 99",
    _edited: "is not what the run wrote",
    _mixed: "headers of 2 runs",
    _twice: "was given twice",
    _empty: "holds neither results.jsonl nor figures.jsonl",
    _only_bench: "only benches were given",
    _bad_bench: "its last line is cut off",
    _no_text: "is no JSON",
}


@pytest.mark.parametrize(("make", "message"), BAD_INPUT.items())
def test_bad_input_is_one_line_and_exit_code_2(tmp_path: Path, make: Any, message: str) -> None:
    done = reports("compare", *make(tmp_path), cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert message in line
    assert not (tmp_path / "compare.html").exists()


def test_wrong_options_are_one_line_and_exit_code_2(tmp_path: Path) -> None:
    done = reports("compare", "--jsom", "x", cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
