"""Merging shards, history, badges and conformance reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
import yaml
from jsonschema import Draft202012Validator

from reports.__main__ import main
from reports.model import merge
from reports.model.comparison import compare
from reports.model.reproduce import reproduce
from reports.model.run import read
from reports.pages import history
from reports.schemas import schema
from reports.texts import badge, publish
from specification.errors import ResultFileError
from tests.reports.test_html import NASTY
from tests.samples import grown_bench
from tests.samples import run as sample
from tests.samples.schemas import valid

if TYPE_CHECKING:
    from pathlib import Path

IDS = ("cip-one", "cip-two")


def shard(folder: Path, mode: str = "iptables", ids: tuple[str, ...] = IDS, **changes: Any) -> Path:
    """A run in one mode that judges these requirements; `kernel` is that of its nodes."""
    kernel = changes.pop("kernel", "6.18.2")
    end = changes.pop("end", {})
    outcome = changes.pop("outcome", "passed")
    return sample.write(
        folder,
        sample.header(run=folder.name, modes=[mode], **changes),
        *(sample.requirement(name) for name in ids),
        sample.fingerprint(mode, kernel=kernel),
        *(sample.result(name, mode, outcome) for name in ids),
        **end,
    )


# --- merge ----------------------------------------------------------------------------------------


def test_shards_of_modes_become_one_run(tmp_path: Path) -> None:
    parts = [shard(tmp_path / mode, mode) for mode in sample.MODES]
    run = merge.merge(parts, tmp_path / "whole", modes=sample.MODES)
    assert run.modes == sample.MODES
    assert run.verdicts == {"iptables": "pass", "nftables": "pass"}
    assert valid(tmp_path / "whole" / "results.jsonl") == 10
    assert run.header.run == "iptables+nftables"


def test_shards_of_kernels_and_versions_are_told_apart(tmp_path: Path) -> None:
    kernels = [shard(tmp_path / k, kernel=k) for k in ("6.1", "6.18")]
    assert merge.merge(kernels, tmp_path / "k").modes == (
        "iptables, kernel 6.1",
        "iptables, kernel 6.18",
    )
    versions = [
        shard(tmp_path / v, implementation={"name": "kube-proxy", "version": v})
        for v in ("v1.34.4", "v1.36.3")
    ]
    run = merge.merge(versions, tmp_path / "v")
    assert run.modes == ("iptables, kube-proxy v1.34.4", "iptables, kube-proxy v1.36.3")
    assert all(run.verdict(mode) == "pass" for mode in run.modes)


def test_shards_of_requirements_make_up_a_mode(tmp_path: Path) -> None:
    parts = [shard(tmp_path / name, ids=(name,)) for name in IDS]
    run = merge.merge(parts, tmp_path / "whole")
    assert run.verdict("iptables") == "pass"
    assert [requirement.id for requirement in run.requirements] == list(IDS)


def test_a_failure_stays_one_and_its_evidence_is_found(tmp_path: Path) -> None:
    good = shard(tmp_path / "good")
    (tmp_path / "bad" / "evidence" / "x").mkdir(parents=True)
    bad = sample.write(
        tmp_path / "bad",
        sample.header(run="bad", modes=["nftables"]),
        *(sample.requirement(name) for name in IDS),
        sample.result(IDS[0], "nftables", "failed", evidence="evidence/x"),
        sample.result(IDS[1], "nftables"),
        {"type": "error", "mode": None, "message": "a worker died"},
        exit=1,
    )
    run = merge.merge([good, bad], tmp_path / "whole")
    assert run.verdicts == {"iptables": "pass", "nftables": "error"}
    (failed,) = [result for result in run.results if result.outcome == "failed"]
    assert failed.evidence is not None
    assert (tmp_path / "whole" / failed.evidence).is_dir()
    valid(tmp_path / "whole" / "results.jsonl")
    (tmp_path / "bad" / "evidence" / "x").rmdir()
    alone = merge.merge([good, bad], tmp_path / "alone")
    assert not any(result.evidence for result in alone.results), "nothing leads to what is not here"


@pytest.mark.parametrize(
    ("bounds", "budget", "bound"),
    [
        ((1e-5, 2e-5), 1e-4, 3e-5),
        ((6e-5, 6e-5), 1.2e-4, 1.2e-4),
        ((6e-5, None), 1e-4, None),
    ],
)
def test_shards_share_the_budget_of_one_run_and_say_what_they_may_blame(
    tmp_path: Path, bounds: tuple[float | None, ...], budget: float, bound: float | None
) -> None:
    """Their tests are held to the same alpha, be they judged in one run or in many."""
    parts = [
        shard(tmp_path / mode, mode, end={"false_alarm_bound": each})
        for mode, each in zip(sample.MODES, bounds, strict=True)
    ]
    run = merge.merge(parts, tmp_path / "whole")
    assert run.header.false_alarm_budget == pytest.approx(budget)
    assert run.end.false_alarm_bound == (bound and pytest.approx(bound))


def test_shards_of_several_proxies_are_columns_with_their_names_and_commands(
    tmp_path: Path,
) -> None:
    proxies = {"kube-proxy": "v1.37.2", "other": "v0.1"}
    parts = [
        shard(
            tmp_path / name,
            implementation={"name": name, "version": version},
            reproduce=f"./conform --modes iptables --implementation {name}.toml --seed 1",
        )
        for name, version in proxies.items()
    ]
    run = merge.merge(parts, tmp_path / "whole")
    assert run.modes == ("iptables, kube-proxy v1.37.2", "iptables, other v0.1")
    assert run.header.subject == "kube-proxy v1.37.2, other v0.1"
    assert [reproduce(run, result) for result in run.results if result.requirement == IDS[0]] == [
        f"./conform --modes iptables --implementation {name}.toml --seed 1 -n 0"
        f" '{run.results[0].nodeid}'"
        for name in proxies
    ]
    labels = [column.label for column in compare([tmp_path / "whole"]).columns]
    assert labels == ["kube-proxy v1.37.2 iptables", "other v0.1 iptables"]
    valid(tmp_path / "whole" / "results.jsonl")


@pytest.mark.parametrize(
    ("end", "fault"),
    [
        ({"interrupted": True, "exit": 2}, "the run was interrupted"),
        ({"exit": 3}, "the run ended with exit code 3, which none of its results explains"),
    ],
)
def test_what_went_wrong_in_a_shard_is_told_of_its_modes_alone(
    tmp_path: Path, end: dict[str, Any], fault: str
) -> None:
    parts = [
        shard(tmp_path / "whole"),
        shard(tmp_path / "cut", "nftables", end=end),
        shard(tmp_path / "failed", "ipvs", outcome="error", end={"exit": 2}),
    ]
    run = merge.merge(parts, tmp_path / "all")
    assert run.verdicts == {"iptables": "pass", "nftables": "error", "ipvs": "error"}
    assert run.faults("nftables") == (fault,)
    assert run.exit_code == 2


def test_a_gap_that_may_be_there_is_no_pass(tmp_path: Path) -> None:
    parts = [shard(tmp_path / "whole"), shard(tmp_path / "part", "nftables", IDS[:1])]
    run = merge.merge(parts, tmp_path / "all", gaps=True)
    assert run.verdicts == {"iptables": "pass", "nftables": "partial"}


def _refused(folder: Path, **second: Any) -> str:
    ids = second.pop("ids", IDS)
    mode = second.pop("mode", "nftables")
    parts = [shard(folder / "a"), shard(folder / "b", mode, ids, **second)]
    with pytest.raises(ResultFileError) as caught:
        merge.merge(parts, folder / "whole", modes=("iptables", mode))
    assert not (folder / "whole").exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_overlaps_are_refused(tmp_path: Path) -> None:
    told = _refused(tmp_path, mode="iptables")
    assert "overlaps with" in told
    assert "both judge cip-one in iptables mode" in told


def test_gaps_are_refused(tmp_path: Path) -> None:
    assert "nothing judges cip-two in nftables mode" in _refused(tmp_path, ids=IDS[:1])


def test_a_missing_shard_is_refused(tmp_path: Path) -> None:
    parts = [shard(tmp_path / mode, mode) for mode in sample.MODES]
    with pytest.raises(ResultFileError, match="none is of ipvs"):
        merge.merge(parts, tmp_path / "whole", modes=("ipvs",))


def test_shards_of_other_suites_are_refused(tmp_path: Path) -> None:
    suite = sample.header()["suite"]
    assert "commit abc" in _refused(tmp_path / "c", suite=suite | {"commit": "abc"})
    assert "version 9" in _refused(tmp_path / "v", suite=suite | {"version": "9"})


def test_one_shard_and_the_same_twice_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = shard(tmp_path / "a")
    assert main(["results", "merge", str(one), "-o", str(tmp_path / "whole")]) == 2
    assert "two shards or more" in capsys.readouterr().err
    with pytest.raises(ResultFileError, match="given twice"):
        merge.merge([one, one.parent], tmp_path / "whole")


def test_merge_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = [str(shard(tmp_path / mode, mode)) for mode in sample.MODES]
    whole = str(tmp_path / "whole")
    assert main(["results", "merge", *parts, "-o", whole, "--modes", "iptables,nftables"]) == 0
    assert "nftables  PASS" in capsys.readouterr().out
    assert main(["results", "merge", *parts, "-o", whole]) == 2
    assert "write to another folder" in capsys.readouterr().err


# --- history --------------------------------------------------------------------------------------


@pytest.fixture(name="runs")
def fixture_runs(tmp_path: Path) -> Path:
    for day, outcome in enumerate(("passed", "failed", "failed", "passed"), start=1):
        started = f"2026-01-0{day}T00:00:00Z"
        shard(tmp_path / f"run{day}", started=started, outcome=outcome)
    shard(tmp_path / "part", ids=IDS[:1])
    grown_bench.generate(tmp_path / "bench")
    shard(tmp_path / "cut").write_text('{"type":"run"')
    return tmp_path


def test_history_tells_what_broke_and_what_was_mended(runs: Path) -> None:
    found = history.gather(runs)
    (steps,) = found.lines.values()
    assert [step.column.verdict for step in steps] == ["pass", "fail", "fail", "pass"]
    assert [step.broken for step in steps] == [(), IDS, (), ()]
    assert [step.mended for step in steps] == [(), (), (), IDS]
    assert (found.partial, len(found.bad), len(found.benches)) == (1, 1, 1)
    assert len(history.gather(runs, every=True).lines["kube-proxy", "iptables"]) == 5


def test_history_is_told_and_drawn(runs: Path) -> None:
    found = history.gather(runs)
    told = history.told(found)
    assert "broken: cip-one, cip-two" in told
    assert "1 run of a part of the requirements left out" in told
    page = history.page(found)
    assert page.count('class="verdict ') == 4
    assert "first-packet at 10,000 Services" in page.replace("First", "first")


@pytest.mark.parametrize("make", ["nothing", "empty", "bad"])
def test_history_of_nothing_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make: str
) -> None:
    if make != "nothing":
        (tmp_path / "runs").mkdir()
    if make == "bad":
        shard(tmp_path / "runs" / "a").write_text("{")
    assert main(["history", str(tmp_path / "runs"), "--html", str(tmp_path / "h.html")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


# --- badge ----------------------------------------------------------------------------------------


def test_the_badge_says_each_verdict_and_is_svg(tmp_path: Path) -> None:
    sample.generate(tmp_path)
    root = ET.fromstring(badge.render(read(tmp_path)))  # noqa: S314  made here
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["service proxy", "iptables fail", "nftables fail"]
    assert root.get("aria-label") == "kube-proxy v1.36.3: iptables: fail, nftables: fail"
    boxes = [each for each in root.iter("{http://www.w3.org/2000/svg}rect") if each.get("x")]
    assert sum(int(box.get("width", "")) for box in boxes) == int(root.get("width", ""))


def test_the_badge_escapes_what_others_named(tmp_path: Path) -> None:
    sample.write(tmp_path, sample.header(modes=[NASTY]))
    drawn = badge.render(read(tmp_path))
    ET.fromstring(drawn)  # noqa: S314  made here
    assert "<script" not in drawn


# --- conformance report ---------------------------------------------------------------------------

WHO = {"organization": "Example", "url": "https://example.org", "contact": ["a@example.org"]}


def test_the_conformance_report_is_as_its_schema_says(tmp_path: Path) -> None:
    sample.generate(tmp_path)
    text = publish.render(read(tmp_path), **WHO)  # type: ignore[arg-type]
    found = yaml.safe_load(text)
    Draft202012Validator.check_schema(schema("conformance-report"))
    Draft202012Validator(schema("conformance-report")).validate(found)
    first = found["profiles"][0]
    assert (first["name"], first["result"], first["core"]["result"]) == (
        "iptables",
        "failure",
        "failure",
    )
    assert "sctp" in first["extended"]["unclaimedFeatures"]
    assert "sctp" in found["profiles"][1]["extended"]["claimedFeatures"]
    assert found["reproduce"].startswith("./conform --seed")


def test_what_the_run_knows_of_its_maker_is_used(tmp_path: Path) -> None:
    said = sample.header()["implementation"] | WHO
    sample.write(tmp_path, sample.header(implementation=said, modes=["iptables"]),
                 sample.requirement(), sample.result())  # fmt: skip
    found = yaml.safe_load(publish.render(read(tmp_path)))
    assert found["implementation"]["organization"] == "Example"
    assert found["implementation"]["contact"] == ["a@example.org"]
    assert found["profiles"][0]["core"]["statistics"]["passed"] == 1


@pytest.mark.parametrize("missing", list(WHO))
def test_nobody_publishes_anonymously(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    sample.generate(tmp_path)
    given = {
        "organization": ["--organization", "Example"],
        "url": ["--url", "https://example.org"],
        "contact": ["--contact", "a@example.org"],
    }
    options = [word for name, words in given.items() if name != missing for word in words]
    assert main(["publish", str(tmp_path), *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"implementation.{missing} cannot be published")
    assert f"--{missing}" in line


def test_a_run_without_a_verdict_is_not_published(tmp_path: Path) -> None:
    sample.write(tmp_path, sample.requirement(), sample.result())
    with pytest.raises(ResultFileError, match="no verdict in nftables mode"):
        publish.render(read(tmp_path), **WHO)  # type: ignore[arg-type]
