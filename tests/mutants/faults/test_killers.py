"""Requirements that are to kill mutants exist, and are tried with them; and each that binds every
proxy is to kill one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest

from clusters.implementation import FOLDER
from tests.conftest import ROOT, outside
from tests.mutants import MUTANTS
from tests.mutants.run import cases
from tests.mutants.shared import name_of

_PARTLY: Final = {"modes", "cases", "versions", "providers", "by_chance"}
"""Words of an expected failure that is not one of every run."""


@pytest.fixture(scope="module")
def requirements() -> list[dict[str, str]]:
    """All of them, as they are listed."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "conformance", "--list-requirements=json", "-n0"],
        cwd=ROOT,
        env=outside(),
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[dict[str, str]] = json.loads(done.stdout)
    return found


@pytest.fixture
def tests_of(requirements: list[dict[str, str]]) -> dict[str, str]:
    """Each requirement's test, up to its parameters."""
    return {each["id"]: each["test"] for each in requirements}


@pytest.mark.parametrize("mode", MUTANTS)
def test_every_killer_is_a_requirement(mode: str, tests_of: dict[str, str]) -> None:
    named = {each for mutant in MUTANTS[mode] for each in mutant.killed_by}
    assert named - tests_of.keys() == set()


def test_every_killer_has_a_case_with_the_mutant(tests_of: dict[str, str], tmp_path: Path) -> None:
    """In IPVS mode, whose mutants share a node and have chosen cases alone."""
    found = cases("ipvs", tmp_path)
    untried = [
        (mutant.name, killer)
        for mutant in MUTANTS["ipvs"]
        for killer in mutant.killed_by
        if not any(
            case.startswith(f"{tests_of[killer]}[") and name_of("ipvs", mutant) in case
            for case in found
        )
    ]
    assert untried == []


def test_every_core_requirement_is_seen_to_fail(requirements: list[dict[str, str]]) -> None:
    """It kills a mutant, or kube-proxy itself breaks it in all modes, and nothing is left to break:
    the day that this is mended, its entry goes, and a mutant is missed here.
    """
    core = {each["id"] for each in requirements if each["level"] == "core"}
    killers = {
        each for mutants in MUTANTS.values() for mutant in mutants for each in mutant.killed_by
    }
    table = tomllib.loads((FOLDER / "kube-proxy.expected-failures.toml").read_text())
    broken = {each["requirement"] for each in table["expected"] if not _PARTLY & each.keys()}
    assert core - killers == broken & core
