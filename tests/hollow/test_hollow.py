"""A proxy that watches everything and programs nothing: what promises delivery must fail by it, no
test may break, and what it passes is a requirement that asks for little, with the reason.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest

from fixtures.catalogue.tested import collected
from reports.model.run import Run, read
from tests.conftest import ROOT, outside

PASSES: Final[dict[str, str]] = tomllib.loads(Path(__file__).with_name("passes.toml").read_text())
"""Why somebody who does nothing does what these requirements demand, in all cases or in some."""

_SHARE: Final = 8  # an eighth of the requirements, unless all are asked for


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Run:
    """One case of core requirements, over wires."""
    folder, seed = tmp_path_factory.mktemp("hollow"), pytestconfig.option.seed
    core = sorted(each["test"] for each in collected().values() if each["level"] == "core")
    few = random.Random(seed).sample(core, len(core) // _SHARE)
    tests = core if pytestconfig.option.every_mutant else few
    argv = [sys.executable, "-m", "pytest", "-c", "pyproject.toml", "-p", "no:cacheprovider"]
    options = ["-p", "tests.hollow.sampled", "--implementation=hollow-proxy", f"--seed={seed}"]
    done = subprocess.run(
        [*argv, *options, f"--results={folder}", "-n2", *tests],
        cwd=ROOT,
        env=outside(),
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    found = read(folder / "latest")
    assert len(found.results) == len(tests)
    return found


def test_no_test_breaks(run: Run) -> None:
    """The outcome of each is known: where nobody is served, a test says so."""
    broken = {each.requirement: each.reason for each in run.results if each.outcome == "error"}
    assert not broken


def test_what_it_passes_is_listed(run: Run) -> None:
    passed = {each.requirement for each in run.results if each.outcome == "passed"}
    assert passed <= PASSES.keys()


def test_what_is_listed_is_passed(run: Run) -> None:
    """Nothing is listed in vain, but for what is passed in some cases alone."""
    failed = {each.requirement for each in run.results if each.outcome == "failed"}
    assert {name for name in failed & PASSES.keys() if not PASSES[name].startswith("Some")} == set()
