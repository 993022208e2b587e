"""The gate: what stops a candidate, what does not, and what cannot be judged."""

from __future__ import annotations

import itertools
import json
import random
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from reports.__main__ import main
from reports.model.bench import read as read_bench
from reports.model.run import read
from reports.records import result_file
from reports.texts.gate_terminal import told
from reports.verdicts import gate, gate_rules, slowdown
from specification.errors import ResultFileError
from tests.samples import grown_bench
from tests.samples import run as sample
from tests.samples.schemas import valid

CASES = [f"c{number}" for number in range(4)]


def latency(seconds: float, seed: str, name: str = "sync latency: Service created, IPv4") -> Any:
    """A measurement of 30 samples around some seconds, each known to 2 ms."""
    draw = random.Random(seed)
    middles = [seconds * draw.gauss(1, 0.1) for _ in range(30)]
    return {"name": name, "unit": "s", "samples": [[m - 0.001, m + 0.001] for m in middles]}


def run(folder: Path, *, mode: str = "iptables", seconds: float = 0.03, **changes: Any) -> Path:
    """A run in one mode: a core requirement of four cases, a feature, and a measurement.

    `changes` are outcomes of `core`, `feature`, `list`ed ones, records `without` cases, and what
    the header and the fingerprint say otherwise.
    """
    outcomes = {"core": "passed", "feature": "passed"} | changes.pop("outcomes", {})
    cases = changes.pop("cases", CASES)
    prints = changes.pop("fingerprint", {})
    emulated = changes.pop("emulated", False)
    measured = latency(seconds, folder.name) | ({"emulated": True} if emulated else {})
    return sample.write(
        folder,
        sample.header(run=folder.name, modes=[mode], **changes),
        sample.requirement("cip-core"),
        sample.requirement("cip-sctp", level="extended", feature="sctp"),
        sample.fingerprint(mode, **prints),
        *(
            sample.result(
                "cip-core", mode, outcomes["core"], case=case, reason="the packets say so"
            )
            for case in cases
        ),
        sample.result("cip-sctp", mode, outcomes["feature"], reason="no SCTP"),
        sample.result("cip-core", mode, case="latency", measurements=[measured]),
    )


def judged(before: Path, after: Path, **more: Any) -> gate.Gate:
    return gate.judge([before], [after], gate_rules.load(), **more)


def stops(found: gate.Gate) -> list[str]:
    return [ruling.rule for ruling in found.rulings if ruling.reasons]


def note(found: gate.Gate, rule: str) -> str:
    return next(ruling.note for ruling in found.rulings if ruling.rule.startswith(rule))


# --- behaviour ------------------------------------------------------------------------------------


def test_equal_results_pass(tmp_path: Path) -> None:
    found = judged(run(tmp_path / "a"), run(tmp_path / "b"))
    assert (stops(found), found.exit_code) == ([], 0)
    assert "1 looked at" in note(found, "no newly failing")


@pytest.mark.parametrize("outcome", ["failed", "unexpected-pass", "expected-failure"])
def test_a_newly_failing_core_requirement_stops_it(tmp_path: Path, outcome: str) -> None:
    after = run(tmp_path / "b", outcomes={"core": outcome})
    found = judged(run(tmp_path / "a"), after)
    assert stops(found) == ["no newly failing requirement (core and provisional)"]
    (reason,) = found.rulings[0].reasons
    assert reason.startswith("cip-core in iptables: ")
    assert reason.endswith("the packets say so")


def test_what_failed_before_may_go_on_failing(tmp_path: Path) -> None:
    bad = {"core": "failed"}
    found = judged(run(tmp_path / "a", outcomes=bad), run(tmp_path / "b", outcomes=bad))
    assert found.exit_code == 0
    assert found.verdicts == "iptables fail"


@pytest.mark.parametrize("outcome", ["failed", "unclaimed", "expected-failure"])
def test_a_lost_feature_stops_it(tmp_path: Path, outcome: str) -> None:
    found = judged(run(tmp_path / "a"), run(tmp_path / "b", outcomes={"feature": outcome}))
    assert "no lost feature" in stops(found)
    assert found.rulings[1].reasons[0].startswith("sctp in iptables: cip-sctp, ")


def test_fewer_cases_stop_it_and_are_named(tmp_path: Path) -> None:
    found = judged(run(tmp_path / "a"), run(tmp_path / "b", cases=CASES[:2]))
    assert stops(found) == ["no fewer tests"]
    assert found.rulings[2].reasons == (
        "iptables: 4 cases were judged, before 6, such as cip-core",
    )


def test_skipping_is_no_way_around_the_gate(tmp_path: Path) -> None:
    found = judged(run(tmp_path / "a"), run(tmp_path / "b", outcomes={"core": "skipped"}))
    assert stops(found) == ["no fewer tests"]


def test_a_mode_that_is_missing_stops_it(tmp_path: Path) -> None:
    found = judged(run(tmp_path / "a"), run(tmp_path / "b", mode="nftables"))
    assert found.rulings[2].reasons == ("iptables mode was judged before, and is missing",)


# --- numbers --------------------------------------------------------------------------------------


def test_a_slower_candidate_is_stopped_with_its_ratio(tmp_path: Path) -> None:
    found = judged(run(tmp_path / "a"), run(tmp_path / "b", seconds=0.08))
    assert stops(found) == ["not slower than 1.2 times"]
    (reason,) = found.rulings[3].reasons
    assert reason.startswith("sync latency: Service created, iptables: 2.")


def test_a_faster_one_is_not(tmp_path: Path) -> None:
    assert judged(run(tmp_path / "a"), run(tmp_path / "b", seconds=0.01)).exit_code == 0


def test_what_cannot_be_told_from_equal_is_not_slower(tmp_path: Path) -> None:
    found = judged(run(tmp_path / "a"), run(tmp_path / "b", seconds=0.036))
    assert found.exit_code == 0  # measured 1.2 times, proven less


def test_another_class_of_machine_is_not_judged_and_it_says_so(tmp_path: Path) -> None:
    after = run(tmp_path / "b", seconds=0.9, fingerprint={"cpu": "another processor"})
    found = judged(run(tmp_path / "a"), after)
    assert found.exit_code == 0
    assert "NOT JUDGED: iptables: another class of machine (AMD" in note(found, "not slower")
    assert "0 ratios" in note(found, "not slower")


def test_emulated_times_are_not_judged(tmp_path: Path) -> None:
    before = run(tmp_path / "a", emulated=True)
    found = judged(before, run(tmp_path / "b", seconds=0.9, emulated=True))
    assert found.exit_code == 0
    assert "NOT JUDGED: iptables: measured under emulation" in note(found, "not slower")


def test_benches_are_judged_by_their_rounds(tmp_path: Path) -> None:
    before, same = (grown_bench.generate(tmp_path / name) for name in ("a", "b"))
    slow = grown_bench.generate(tmp_path / "c", slower=1.5)
    assert judged(before, same).exit_code == 0
    found = judged(before, slow)
    assert all(reason.startswith("sync-") for reason in found.rulings[0].reasons)
    assert len(found.rulings[0].reasons) == 2 * 2 * len(grown_bench.SIZES)


def test_disturbed_figures_prove_nothing(tmp_path: Path) -> None:
    limit = gate_rules.load().latency
    before, slow = (
        read_bench(grown_bench.generate(tmp_path / name, slower=times))
        for name, times in (("a", 1), ("b", 9))
    )
    assert slowdown.of_benches(before, slow, limit)
    shaky = tuple(structs.replace(figure, disturbed=True) for figure in slow.figures)
    assert not slowdown.of_benches(before, replace(slow, figures=shaky), limit)


def test_equal_results_pass_20_times_of_20() -> None:
    """Resampled from one distribution, with as many ratios as a real run has."""
    limit = gate_rules.load().latency
    stopped = 0
    for seed in range(20):
        draw = random.Random(seed)

        def samples(draw: random.Random = draw) -> tuple[float, ...]:
            return tuple(draw.lognormvariate(-3.5, 0.5) for _ in range(30))

        pairs = [slowdown.Pair(f"q{n}", samples(), samples()) for n in range(20)]
        stopped += any(s.low > limit.ratio for s in slowdown.slowdowns(pairs, limit))
    assert stopped == 0


def test_a_slowdown_of_a_half_is_noticed_19_times_of_20() -> None:
    limit = gate_rules.load().latency
    noticed = 0
    for seed in range(20):
        draw = random.Random(seed)
        before = tuple(draw.lognormvariate(-3.5, 0.15) for _ in range(30))
        after = tuple(1.5 * draw.lognormvariate(-3.5, 0.15) for _ in range(30))
        pairs = [slowdown.Pair("q", before, after)]
        noticed += any(s.low > limit.ratio for s in slowdown.slowdowns(pairs, limit))
    assert noticed >= 19


# --- mutants --------------------------------------------------------------------------------------


def matrix(path: Path, **verdicts: str) -> Path:
    kills = [
        {"mode": "iptables", "mutant": name, "requirement": "lb-uniform", "verdict": verdict}
        for name, verdict in verdicts.items()
    ]
    path.write_text(json.dumps(kills))
    return path


def test_a_new_survivor_stops_it_and_a_known_one_does_not(tmp_path: Path) -> None:
    pair = run(tmp_path / "a"), run(tmp_path / "b")
    old = matrix(tmp_path / "old.json", first="killed", second="SURVIVED", unmutated="passed")
    new = matrix(tmp_path / "new.json", first="SURVIVED", second="SURVIVED", unmutated="passed")
    found = judged(*pair, mutants=new, baseline_mutants=old)
    assert found.rulings[-1].reasons == ("iptables first survives lb-uniform",)
    assert judged(*pair, mutants=old, baseline_mutants=old).exit_code == 0
    assert judged(*pair, mutants=old).exit_code == 1


# --- what cannot be judged ------------------------------------------------------------------------


def test_another_version_of_the_suite_is_no_baseline(tmp_path: Path) -> None:
    old = run(tmp_path / "a", suite={"name": "kube-proxy-conformance", "version": "0.0.9"})
    new = run(tmp_path / "b")
    with pytest.raises(ResultFileError, match=r"judged by suites 0\.0\.9 and 0\.1\.0"):
        judged(old, new)
    other = tmp_path / "rules.toml"
    other.write_text("same_suite = false\n")
    assert gate.judge([old], [new], gate_rules.load(other)).exit_code == 0


@pytest.mark.parametrize("bad", ["a", "b"])
def test_a_run_without_a_verdict_cannot_be_judged(tmp_path: Path, bad: str) -> None:
    paths = [
        run(tmp_path / name, outcomes={"core": "error" if name == bad else "passed"})
        for name in ("a", "b")
    ]
    with pytest.raises(ResultFileError, match=r"has no verdict in iptables mode"):
        judged(*paths)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "newly_failing = ['cores']",
            r"newly_failing\[0\]: Invalid enum value 'cores'; reports/verdicts/gate.toml",
        ),
        ("newly_failin = []", "newly_failin is unknown; reports/verdicts/gate.toml has every rule"),
        ("lost_features = 1", "lost_features: bool is needed, not 1"),
        ("[latency]\nratio = 'x'", "latency.ratio: float is needed, not 'x'"),
        ("[latency]\nratio = 0.5", "latency.ratio: float >= 1.0 is needed, not 0.5"),
        ("[latency]\nconfidence = 1.0", "latency.confidence: float < 1.0 is needed, not 1.0"),
        ("latency = 2", "no table"),
        ("=", "no rules can be read"),
    ],
)
def test_wrong_rules_are_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(ResultFileError, match=message) as caught:
        gate_rules.load(path)
    assert "\n" not in str(caught.value)


def test_rules_of_ones_own_stand_in_the_place_of_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text("newly_failing = []\nlost_features = false\nfewer_tests = false\n")
    after = run(tmp_path / "b", outcomes={"core": "failed", "feature": "failed"}, cases=CASES[:1])
    found = gate.judge([run(tmp_path / "a")], [after], gate_rules.load(path))
    assert found.exit_code == 0
    assert note(found, "no lost feature") == "switched off by the rules"


# --- the command line -----------------------------------------------------------------------------


def test_the_exit_code_is_the_gates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = run(tmp_path / "a"), run(tmp_path / "b", outcomes={"core": "failed"})
    assert main(["gate", "--baseline", str(good), str(run(tmp_path / "c"))]) == 0
    assert "PASSES" in capsys.readouterr().out
    assert main(["gate", "--baseline", str(good), str(bad)]) == 1
    told = capsys.readouterr().out
    assert "STOP  no newly failing" in told
    assert told.endswith("STOPPED by 1 rule\n")
    assert len(told.splitlines()) < 25


def test_a_truncated_candidate_is_an_error_and_never_a_pass(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, cut = run(tmp_path / "a"), run(tmp_path / "b")
    whole = cut.read_bytes()
    for size in (0, 1, len(whole) // 2, whole.rindex(b"\n", 0, -1) + 1, len(whole) - 1):
        cut.write_bytes(whole[:size])
        assert main(["gate", "--baseline", str(good), str(cut)]) == 2
        told = capsys.readouterr()
        assert (told.out, len(told.err.splitlines())) == ("", 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--baseline", "a", "nowhere"], "nowhere"),
        (["--baseline", "a", "a", "b"], "join the shards"),
        (["--baseline", "a", "bench"], "no conformance run was given for the candidate"),
        (["--baseline", "a", "b", "--mutants", "a/results.jsonl"], "is no kill matrix"),
        (["--baseline", "a", "b", "--mutants", "empty.json"], "without mutants"),
        (["--baseline", "a", "b", "--rules", "none.toml"], "no rules can be read"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    run(tmp_path / "a"), run(tmp_path / "b")
    grown_bench.generate(tmp_path / "bench")
    (tmp_path / "empty.json").write_text("[]")
    monkeypatch.chdir(tmp_path)
    assert main(["gate", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


# --- real runs ------------------------------------------------------------------------------------

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def examples(kind: str) -> list[Path]:
    found = sorted(EXAMPLES.glob(f"{kind}-*.jsonl.xz"))
    versions = [path.name.removesuffix(".jsonl.xz").rpartition("-")[2] for path in found]
    assert versions == ["1.34.4", "1.36.3", "1.37.2"]
    return found


def test_the_examples_pass_the_gate_one_after_the_other() -> None:
    for before, after in itertools.pairwise(examples("kube-proxy")):
        found = judged(before, after)
        assert stops(found) == [], told(found)
        assert "10 ratios looked at" in note(found, "not slower")


def test_the_gate_stops_the_benched_release_whose_changes_take_longer() -> None:
    _, slow, fast = examples("bench")
    assert judged(slow, fast).exit_code == 0
    found = judged(fast, slow)
    assert stops(found) == ["not slower than 1.2 times"]
    reasons = found.rulings[0].reasons
    assert any(reason.startswith("sync-endpoint-add at 5,000 Services") for reason in reasons)
    assert all("nftables" in reason for reason in reasons), reasons


@pytest.mark.parametrize(("kind", "read_"), [("kube-proxy", read), ("bench", read_bench)])
def test_the_examples_are_read_valid_small_and_name_no_place_of_their_making(
    kind: str, read_: Callable[[Path], object]
) -> None:
    for path in examples(kind):
        assert read_(path)
        assert valid(path) > 100
        assert path.stat().st_size < 1 << 20
        assert not re.search(rb"/(work|tmp|root|home)/", result_file.content(path))
