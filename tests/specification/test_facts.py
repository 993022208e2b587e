"""The specification answers what the documents, kube-proxy's tests and its peers' say."""

from __future__ import annotations

import re
from collections import Counter
from ipaddress import ip_address

import pytest

from specification.attempts import SocketAddress
from specification.rules.allowed import Allowed
from specification.rules.case import CLAUSES
from specification.rules.frontends import claims, frontends
from tests.conftest import ROOT
from tests.specification.facts import ROWS
from tests.specification.facts.judgements import JUDGEMENTS, Judgement
from tests.specification.table import Case, table

CASES = [case for row in ROWS for case in row.cases()]


@pytest.mark.parametrize("case", [each for each in CASES if not each.row.contradicts], ids=str)
def test_a_fact(case: Case) -> None:
    assert case.holds, f"{case.row.answer} expected; says {case.answered}"


@pytest.mark.parametrize("case", [each for each in CASES if each.row.contradicts], ids=str)
def test_who_contradicts(case: Case) -> None:
    assert not case.holds, f"{case.row.contradicts}: not any more"


@pytest.mark.parametrize("judgement", JUDGEMENTS, ids=str)
def test_what_was_seen_is_judged(judgement: Judgement) -> None:
    assert judgement.holds


def because(row: str) -> tuple[str, ...]:
    """The clauses that had a say in a row."""
    return next(table(row)[0].cases()).answered.because


def test_an_answer_names_the_clauses_that_had_a_say() -> None:
    assert because("outside > lb | l r | l by client | etp=Local ranges=outside") == (
        "external_policy_is_local",
        "ready",
        "source_is_kept",
    )
    assert because("pod > lb | l@a f@b | l by client | etp=Local") == (
        "from_inside",
        "ready",
        "hinted_for_this_zone",
        "source_is_kept",
    )
    assert because("pod > cip | r:draining | dropped | itp=Local")[-1] == (
        "a_policy_keeps_from_endpoints_elsewhere"
    )


def test_a_clause_says_its_rule_its_source_and_who_tests_it() -> None:
    silent = [name for name, each in CLAUSES.items() if "Source: " not in (each.rule.__doc__ or "")]
    assert silent == []
    assert [name for name, each in CLAUSES.items() if not each.requirements] == []
    text = (ROOT / "CONFORMANCE.md").read_text()
    listed = set(re.findall(r"^\| `([\w.-]+)`", text, re.MULTILINE))
    assert {each for found in CLAUSES.values() for each in found.requirements} <= listed


def test_every_clause_has_a_say_in_some_fact() -> None:
    assert {name for case in CASES for name in case.answered.because} == CLAUSES.keys()


def test_frontends_are_listed_with_the_first_of_those_that_claim_them() -> None:
    state = next(table("outside > eip | l | open | shape=shared-eip")[0].cases()).state
    assert frontends(state).keys() == claims(state).keys()
    assert {key: found[0] for key, found in claims(state).items()} == frontends(state)
    assert Counter(map(len, claims(state).values()))[2] == 2  # of each family


def test_an_answer_can_be_read() -> None:
    here, there = (SocketAddress(ip_address(f"192.0.2.{each}"), 80) for each in (1, 2))
    said = str(Allowed({there: "node", here: "node"}, dropped=True))
    assert said == "delivered to 192.0.2.1:80 or 192.0.2.2:80, seen from the node, or dropped"
    assert str(Allowed(undecided="nobody says")) == "anything: nobody says"
