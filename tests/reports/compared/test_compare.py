"""Comparisons: which columns there are, what differs between them, what is concluded from it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from reports.model.comparison import (
    DOCUMENTED,
    FAILING,
    NEWLY_FAILING,
    NEWLY_PASSING,
    UNTESTED,
    Comparison,
    compare,
)
from reports.schemas import schema
from reports.texts import comparison_json, junit, markdown
from tests.reports.test_html import NASTY
from tests.samples import grown_bench
from tests.samples import run as sample

ROOT = Path(__file__).parents[3]


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


# --- formats --------------------------------------------------------------------------------------


@pytest.fixture(scope="module", name="whole")
def fixture_whole(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    folder = tmp_path_factory.mktemp("whole")
    sample.generate(folder / "run")
    return compare([folder / "run", grown_bench.generate(folder / "bench")])


def test_the_document_is_as_its_schema_says(whole: Comparison) -> None:
    Draft202012Validator.check_schema(schema("comparison"))
    found = json.loads(comparison_json.render(whole))
    Draft202012Validator(schema("comparison")).validate(found)
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
