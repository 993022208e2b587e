"""The specification answers what the documents, kube-proxy's tests and its peers' say."""

from __future__ import annotations

import pytest

from tests.specification.facts import ROWS
from tests.specification.table import Case

CASES = [case for row in ROWS for case in row.cases()]


@pytest.mark.parametrize("case", [each for each in CASES if not each.row.contradicts], ids=str)
def test_a_fact(case: Case) -> None:
    assert case.holds, f"{case.row.answer} expected; says {case.answered}"


@pytest.mark.parametrize("case", [each for each in CASES if each.row.contradicts], ids=str)
def test_who_contradicts(case: Case) -> None:
    assert not case.holds, f"{case.row.contradicts}: not any more"
