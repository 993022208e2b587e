"""Each clause of the specification, bent, is noticed by a fact."""

from __future__ import annotations

from dataclasses import replace

import pytest

from specification.rules.case import CLAUSES
from tests.specification.bending import Bend, clauses, functions
from tests.specification.facts import ROWS
from tests.specification.facts.judgements import JUDGEMENTS, Judgement
from tests.specification.table import Case

BENDS = [*clauses(), *functions()]

SURVIVORS: dict[str, str] = {
    "frontends.addresses_of: 'external-ip' -> 'external-ip?'": "it is what the others are not",
    "a_policy_keeps_from_endpoints_elsewhere, always": "it is asked where nothing else is left",
    "not_a_services, always": "it is asked where nothing else is left",
    "source_is_kept, always": "it is asked where nothing else is left",
    "sources.seen: 'node' -> 'node?' #6": "source_is_kept says so before",
}
"""Those that no fact can notice, and why."""

FACTS = dict.fromkeys(replace(row, who="") for row in ROWS if not row.contradicts)
CASES: list[Case | Judgement] = [
    *(case for row in FACTS for case in row.cases()),
    *JUDGEMENTS,
]
"""Each once, whoever says so; those that noticed something come to the front."""


def noticed() -> Case | Judgement | None:
    """A case whose answer is another now."""
    for place, case in enumerate(CASES):
        try:
            held = case.holds
        except Exception:  # noqa: BLE001  # however it fails, it is noticed
            held = False
        if not held:
            CASES.insert(0, CASES.pop(place))
            return case
    return None


@pytest.mark.parametrize("bend", BENDS, ids=str)
def test_a_bent_specification_is_noticed(bend: Bend) -> None:
    with bend.in_force():
        found = noticed()
    if bend.name in SURVIVORS:
        assert found is None, f"{found} notices it: take it off the list"
    else:
        assert found is not None


def test_there_are_enough_of_them() -> None:
    names = [each.name for each in BENDS]
    assert len(set(names)) == len(names) >= 150
    assert set(SURVIVORS) <= set(names)
    assert {name.partition(",")[0] for name in names} >= CLAUSES.keys()


def test_nothing_is_left_of_them() -> None:
    assert noticed() is None
