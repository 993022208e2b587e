"""What is known of requirements without a run is what they say, and what their tests make."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from clusters.implementation import load
from clusters.implementations import expectations
from conformance.census import kinds as policies
from conformance.census.combinations import kinds as combinations
from fixtures.catalogue.tested import collected
from foretell import requirements
from foretell.requirements import Known
from tests.conftest import ROOT, outside

AGAIN = "python -m foretell.requirements writes it anew"
SHARE = 12
"""Files of tests that are run again."""


def test_all_requirements_are_known_by_what_they_say() -> None:
    found = {key: each.statement for key, each in requirements.known().items()}
    assert found == {key: each["statement"] for key, each in collected().items()}, AGAIN


def test_kinds_of_decisions_are_those_of_the_censuses() -> None:
    named = {each.kind for each in requirements.known().values()} - {""}
    assert named == policies.ALL.keys() | combinations.ALL.keys(), AGAIN


def test_every_fault_about_packets_is_about_services() -> None:
    """But for those of sequences, and one whose Services many tests share over minutes."""
    proxy = load("kube-proxy")
    known = requirements.known()
    faults = {each.requirement for each in expectations.of(proxy)}
    core = {name for name in faults if known[name].level == "core"}
    silent = {name for name in core if not known[name].kind and not known[name].services}
    assert silent == {"aff-timeout-expire", "seq-flows-udp"}


def test_their_tests_make_what_is_known(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """A few files of them, by the seed, on nodes in memory."""
    tests = {each["test"].partition("::")[0] for each in collected().values()}
    of_services = sorted(each for each in tests if "census" not in each)
    chosen = random.Random(pytestconfig.option.seed).sample(of_services, SHARE)
    file = tmp_path / "found.json"
    argv = [sys.executable, "-m", "pytest", "-c", "pyproject.toml", "-p", "no:cacheprovider"]
    options = ["-p", "foretell.requirements.recording", "--provider=simulated", "-n0", "--seed=1"]
    done = subprocess.run(
        [*argv, *options, f"--results={tmp_path}", *chosen],
        cwd=ROOT,
        env={**outside(), "REQUIREMENTS": str(file), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode in (0, 5), done.stdout + done.stderr
    found = msgspec.json.decode(file.read_bytes(), type=dict[str, Known])
    made = {key: each.services for key, each in found.items() if each.services}
    assert made
    known = requirements.known()
    for key, services in made.items():
        assert {each.traits for each in services} <= {each.traits for each in known[key].services}
