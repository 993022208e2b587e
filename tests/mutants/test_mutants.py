"""The suite notices broken proxies: mutants die by the requirements that name their faults."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from reports.model.run import read
from tests.conftest import alone_with
from tests.mutants import MODES, MUTANTS, UNMUTATED
from tests.mutants.chosen.judging import every, judged
from tests.mutants.chosen.share import kind_of, share
from tests.mutants.matrix import (
    ERROR,
    FAILED,
    KILLED,
    PASSED,
    SURVIVED,
    Kill,
    as_text,
    by_requirement,
    write,
)
from tests.mutants.mutant import ALTERED, CANARY, UNALTERED, Mutant
from tests.mutants.run import RESULTS
from tests.samples import run as sample_run

CAPTURED = Path(__file__).with_name("captured")

TEXTUAL = ("iptables", "nftables")
"""Modes whose mutants alter text on its way; for the others see test_mutants_ipvs.py."""

EACH = [
    pytest.param(mode, mutant, id=f"{mode}-{mutant.name}")
    for mode in TEXTUAL
    for mutant in MUTANTS[mode]
    if mutant.killed_by and mutant.of == "rules"
]


UNDER_A_SETTING = {
    "addresses-not-listed": "-A KUBE-SERVICES -d 192.0.2.0/25 -j KUBE-NODEPORTS\n",
}
"""What is programmed only where a setting is not the usual one (nodePortAddresses), by mutant."""


def transactions(mode: str, family: str) -> list[str]:
    """What kube-proxy programmed, by transaction, for some Services and changes of them."""
    return (CAPTURED / f"{mode}-{family}.txt").read_text().split("---\n")


# --- the suite against the mutants ----------------------------------------------------------------


@pytest.mark.parametrize("mode", MUTANTS)
def test_mutants_are_killed(
    mode: str, pytestconfig: pytest.Config, record_property: Callable[[str, object], None]
) -> None:
    mutants, option = MUTANTS[mode][1:], pytestconfig.option
    if mode not in MODES and not option.every_mutant:
        pytest.skip("mutants of other proxies are judged with --every-mutant")
    if option.every_mutant:
        with alone_with(f"mutants of {mode} mode"):
            kills = every(mode, [each.name for each in mutants], option.seed)
    else:
        names = [each.name for each in share(mutants, kind_of, option.seed)]
        kills = judged(mode, names, option.seed, few=True)
    record_property("kills", [list(kill) for kill in kills])
    assert kills
    wrong = [kill for kill in kills if not kill.right]
    assert not wrong, "\n".join([*as_text(wrong), f"what they left is in {RESULTS}"])


@pytest.mark.parametrize("mode", MODES)
def test_there_are_a_dozen_mutants_told_apart_by_name(mode: str) -> None:
    names = [f"{mode}-{mutant.name}" for mutant in MUTANTS[mode]]
    assert len(set(names)) > 12
    assert not [(a, b) for a in names for b in names if a != b and a in b], (
        "-k takes parts of names"
    )
    assert all(mutant.killed_by and mutant.breaks for mutant in MUTANTS[mode][1:])


# --- what each mutation does to text --------------------------------------------------------------


def mutated(mutant: Mutant, mode: str, family: str) -> list[tuple[str, str]]:
    """Each captured transaction and what the mutant makes of it, after all that came before."""
    before, pairs = "", []
    for text in (*transactions(mode, family), UNDER_A_SETTING.get(mutant.name, "")):
        pairs.append((text, mutant.mutate(text, before)))
        before += text
    return pairs


@pytest.mark.parametrize(("mode", "mutant"), EACH)
def test_mutation_alters_what_kube_proxy_programs(mode: str, mutant: Mutant) -> None:
    pairs = mutated(mutant, mode, "ipv4") + mutated(mutant, mode, "ipv6")
    assert any(text != altered for text, altered in pairs)


@pytest.mark.parametrize(("mode", "mutant"), EACH)
def test_mutation_spares_the_canary(mode: str, mutant: Mutant) -> None:
    for family in ("ipv4", "ipv6"):
        for text, altered in mutated(mutant, mode, family):
            kept = [line for line in altered.splitlines() if CANARY in line]
            assert kept == [line for line in text.splitlines() if CANARY in line]


@pytest.mark.parametrize("mode", TEXTUAL)
def test_unmutated_text_is_handed_on_as_it_is(mode: str) -> None:
    assert all(text == altered for text, altered in mutated(UNMUTATED, mode, "ipv4"))


# --- how a mutant is judged -----------------------------------------------------------------------

MUTANT = UNMUTATED._replace(name="broken", killed_by=("cip-tcp-dnat",))
SOME_ALTERED = [UNALTERED, ALTERED]


def kill(
    folder: Path, *outcomes: str, mutant: Mutant = MUTANT, record: list[str] = SOME_ALTERED
) -> Kill:
    """What is said of a mutant from results with such outcomes and what the wrappers recorded."""
    path = sample_run.write(
        folder,
        sample_run.requirement(),
        *(sample_run.result(outcome=outcome, reason="why") for outcome in outcomes),
        exit=0 if set(outcomes) <= {"passed"} else 1,
    )
    return Kill.of("iptables", mutant, "cip-tcp-dnat", "iptables", read(path), record)


@pytest.mark.parametrize(
    ("outcomes", "record", "verdict", "reason"),
    [
        (["passed", "failed"], SOME_ALTERED, KILLED, "why"),
        (["passed", "passed"], SOME_ALTERED, SURVIVED, ""),
        (["failed"], [UNALTERED], ERROR, "nothing was altered"),
        (["failed"], [], ERROR, "nothing was recorded"),
        (["failed"], [*SOME_ALTERED, "refused: syntax error"], ERROR, "refused: syntax error"),
        (["failed", "error"], SOME_ALTERED, ERROR, "error: why"),
        (["failed", "unclaimed"], SOME_ALTERED, ERROR, "unclaimed: why"),
        ([], SOME_ALTERED, ERROR, "the requirement was not tested"),
    ],
)
def test_only_a_failure_after_an_alteration_kills(
    tmp_path: Path, outcomes: list[str], record: list[str], verdict: str, reason: str
) -> None:
    found = kill(tmp_path, *outcomes, record=record)
    assert (found.verdict, found.reason) == (verdict, reason)
    assert found.right == (verdict == KILLED)


@pytest.mark.parametrize(
    ("outcomes", "record", "verdict"),
    [
        (["passed"], [UNALTERED], PASSED),
        (["passed", "failed"], [UNALTERED], FAILED),
        (["passed"], SOME_ALTERED, ERROR),
        (["passed"], [], ERROR),
    ],
)
def test_unmutated_proxy_must_pass_through_the_wrappers(
    tmp_path: Path, outcomes: list[str], record: list[str], verdict: str
) -> None:
    found = kill(tmp_path, *outcomes, record=record, mutant=UNMUTATED)
    assert found.verdict == verdict


def test_matrix_tells_who_survived(tmp_path: Path) -> None:
    kills = [
        kill(tmp_path / "a", "failed"),
        kill(tmp_path / "b", "passed"),
        kill(tmp_path / "c", "passed", mutant=UNMUTATED, record=[UNALTERED]),
    ]
    text = "\n".join(as_text(kills))
    assert "SURVIVED" in text
    assert "iptables unmutated passes 1 of these 1 requirements" in text
    write(kills, tmp_path)
    page = (tmp_path / "kill-matrix.html").read_text()
    assert "1 of 2" in page
    assert json.loads((tmp_path / "kill-matrix.json").read_text())[1]["verdict"] == SURVIVED


def test_matrix_tells_whom_a_requirement_alone_kills(tmp_path: Path) -> None:
    other = UNMUTATED._replace(name="other", killed_by=("cip-tcp-dnat", "cip-udp-dnat"))
    first = kill(tmp_path / "a", "failed")
    second = kill(tmp_path / "b", "failed", mutant=other)
    third = second._replace(requirement="cip-udp-dnat")
    survived = kill(tmp_path / "c", "passed", mutant=other)._replace(requirement="cip-delete")
    assert by_requirement([first, second, third, survived]) == {
        "cip-tcp-dnat": [("iptables broken", True), ("iptables other", False)],
        "cip-udp-dnat": [("iptables other", False)],
    }
    write([first, second], tmp_path)
    assert "<b>iptables broken</b>" in (tmp_path / "kill-matrix.html").read_text()
