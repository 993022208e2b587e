"""The tests of the suite, tested: each clause of the specification that requirements ask for is
bent in a proxy, and one of the requirements notices.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping

import pytest

from specification.rules.case import CLAUSES
from tests.conftest import ROOT, outside
from tests.simulated.noticing import FOUND, WANTED, bends
from tests.specification.test_bent import SURVIVORS as UNNOTICEABLE

_CLAIMED = "the specification claims the feature, so that it has nothing to say"
_OTHERS = "the other clauses about flows leave nothing for it"

SURVIVORS: dict[str, str] = {
    "sctp_is_not_offered, never": _CLAIMED,
    "strangers_need_not_be_served, never": _CLAIMED,
    "unserved_port_of_a_cluster_ip, never": "what is left is refused or passed on, by chance",
    "unserved_port_of_an_external_address, never": "it is left to routing, as the clause allows",
    "connections_stay_with_a_listed_endpoint, always": _OTHERS,
    "connections_outlive_their_endpoint, always": _OTHERS,
    "datagrams_stay_with_who_serves, never": "datagrams_stay_while_anybody_serves says so too",
    "datagrams_stay_with_who_serves, always": _OTHERS,
    "datagrams_stay_with_who_serves, turned round": _OTHERS,
    "datagrams_stay_while_anybody_serves, always": _OTHERS,
    "datagrams_leave_who_serves_no_longer, never": "a flow of which nothing is said ends, too",
}
"""Bends that no requirement notices, and why."""

ALL = [each.name for each in bends()]
BENDS = [each for each in ALL if each not in UNNOTICEABLE | SURVIVORS]


@pytest.fixture(scope="module")
def noticed(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """By whom each bend was noticed, in one run that makes all of them in turn."""
    folder = tmp_path_factory.mktemp("noticed")
    wanted, found = folder / "wanted.json", folder / "found.jsonl"
    wanted.write_text(json.dumps(BENDS))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-c", "pyproject.toml", "conformance", "-n0"),
            *("-p", "tests.simulated.noticing", "-p", "no:cacheprovider", "--seed=1"),
            *("--provider=simulated", f"--results={folder}"),
        ],
        cwd=ROOT,
        env=outside() | {WANTED: str(wanted), FOUND: str(found), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert found.exists(), done.stdout + done.stderr
    records = map(json.loads, found.read_text().splitlines())
    return {each["bend"]: each["by"] for each in records}


@pytest.mark.parametrize("bend", BENDS)
def test_a_bend_is_noticed(noticed: Mapping[str, str], bend: str) -> None:
    assert noticed[bend]


def test_there_are_enough_of_them() -> None:
    assert len(BENDS) >= 50
    assert set(SURVIVORS) <= set(ALL)


def test_most_are_noticed_by_whom_the_clause_names(noticed: Mapping[str, str]) -> None:
    named = [
        bend for bend, by in noticed.items() if by in CLAUSES[bend.partition(",")[0]].requirements
    ]
    assert len(named) > len(noticed) * 2 / 3
