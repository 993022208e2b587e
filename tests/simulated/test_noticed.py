"""The tests of the suite, tested: each clause of the specification is bent in a proxy, and one of
the requirements that the clause names notices.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from specification.rules.case import CLAUSES
from tests.conftest import ROOT, outside
from tests.mutants.chosen.share import share
from tests.simulated.noticing import FOUND, WANTED, bends, clause_of
from tests.simulated.survivors import SURVIVORS, survives

ALL = [each.name for each in bends()]
BENDS = [each for each in ALL if not survives(each)]

SHARES = 2
"""Processes that share the bends."""


def noticed(wanted: list[str], folder: Path) -> dict[str, str]:
    """By whom each bend was noticed, in one run that makes all of them in turn."""
    names, found = folder / "wanted.json", folder / "found.jsonl"
    names.write_text(json.dumps(wanted))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-c", "pyproject.toml", "conformance", "-n0"),
            *("-p", "tests.simulated.noticing", "-p", "tests.mutants.unshrunk"),
            *("-p", "no:cacheprovider", "--seed=1"),
            *("--provider=simulated", f"--results={folder}"),
        ],
        cwd=ROOT,
        env=outside() | {WANTED: str(names), FOUND: str(found), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert found.exists(), done.stdout + done.stderr
    records = map(json.loads, found.read_text().splitlines())
    return {each["bend"]: each["by"] for each in records}


@pytest.mark.parametrize("part", range(SHARES))
def test_each_bend_is_noticed_by_whom_its_clause_names(
    part: int, pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    option = pytestconfig.option
    chosen = BENDS if option.every_mutant else share(BENDS, clause_of, option.seed)
    wanted = chosen[part::SHARES]
    found = noticed(wanted, tmp_path)
    assert sorted(found) == sorted(wanted)
    assert [bend for bend, by in found.items() if not by] == []


def test_there_are_enough_of_them() -> None:
    assert len(BENDS) >= 200
    unused = [each for each in SURVIVORS if not any(name.startswith(each) for name in ALL)]
    assert unused == []
    assert {clause_of(each) for each in ALL} == CLAUSES.keys()
