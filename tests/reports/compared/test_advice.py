"""What is concluded from runs and benches: which mode to take, what holds of what is said, and what
became slower or faster.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reports.model.comparison import Comparison, compare
from reports.texts import markdown
from reports.verdicts import claims as said
from reports.verdicts.pace import paces
from reports.verdicts.recommend import EITHER, NO_FIGURES, UNDECIDED, knowledge, recommendations
from tests.reports.compared.test_compare import ROOT, implementation, run
from tests.samples import bench, grown_bench


def built(version: str) -> dict[str, Any]:
    """The same as a bench has it."""
    return implementation(version) | {"binary": "", "sha256": ""}


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


def test_without_figures_nothing_is_recommended_or_claimed(tmp_path: Path) -> None:
    pair = compare([run(tmp_path / "old"), run(tmp_path / "new", "failed")])
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
        assert pace.figure.startswith("sync-")
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
