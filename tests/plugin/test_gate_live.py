"""The gate, seen to work: real runs of kube-proxy, equal, broken on purpose, and slowed down."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from reports.model.run import read
from reports.verdicts import gate, gate_rules
from tests.conftest import ROOT, outside
from tests.described import toml_file
from tests.mutants import run as mutants

if TYPE_CHECKING:
    from pathlib import Path

MODE = "iptables"
REQUIREMENTS = "aff-clientip-sticky or lb-uniform or sync-latency-add"


def judge(folder: Path, **environment: str) -> Path:
    """Run a few requirements against kube-proxy with that environment; the run's folder."""
    folder.mkdir(exist_ok=True)
    table: dict[str, Any] = mutants._implementation(MODE)
    table["name"] = "kube-proxy"
    table["environment"] = environment
    described = folder / "kube-proxy.toml"
    described.write_text(toml_file(table))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "conformance", f"--implementation={described}",
         f"--modes={MODE}", f"--results={folder}", "-k", REQUIREMENTS, "-q", "--tb=line", "-n1"],
        cwd=ROOT,
        env=outside(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )  # fmt: skip
    run = (folder / "latest").resolve()
    assert read(run).verdict(MODE) in ("pass", "fail"), done.stdout[-2000:]
    return run


@pytest.fixture(scope="module", name="baseline")
def fixture_baseline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return judge(tmp_path_factory.mktemp("baseline"))


def stopped_by(baseline: Path, candidate: Path) -> dict[str, str]:
    """Rule -> its first reason, of those that stop the candidate."""
    found = gate.judge([baseline], [candidate], gate_rules.load())
    return {ruling.rule: ruling.reasons[0] for ruling in found.rulings if ruling.reasons}


def test_equal_ones_pass_whichever_is_the_baseline(baseline: Path, tmp_path: Path) -> None:
    runs = [baseline, judge(tmp_path / "second"), judge(tmp_path / "third")]
    for one, other in itertools.permutations(runs, 2):
        assert stopped_by(one, other) == {}


def test_a_mutant_is_stopped_for_what_it_breaks(baseline: Path, tmp_path: Path) -> None:
    programs = mutants._wrappers(MODE, tmp_path)
    candidate = judge(
        tmp_path / "mutant",
        PATH=f"{programs}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        MUTANT="iptables-affinity-ignored",
        MUTANT_MEMORY="{directory}",
        MUTANT_RECORD=str(tmp_path / "record"),
    )
    reasons = stopped_by(baseline, candidate)
    broken, *others = reasons
    assert broken == "no newly failing requirement (core and provisional)"
    assert reasons[broken].startswith("aff-clientip-sticky in iptables: FAIL")
    assert others in ([], ["not slower than 1.2 times"])  # a mutation takes its time


def test_a_slowed_one_is_stopped_for_its_latency(baseline: Path, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for tool in ("iptables-restore", "ip6tables-restore"):
        program = programs / tool
        program.write_text(f'#!/bin/sh\nsleep 0.4\nexec {shutil.which(tool)} "$@"\n')
        program.chmod(0o755)
    usual = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    candidate = judge(tmp_path / "slowed", PATH=f"{programs}:{usual}")
    reasons = stopped_by(baseline, candidate)
    assert list(reasons) == ["not slower than 1.2 times"]
    assert "sync latency" in reasons.popitem()[1]
