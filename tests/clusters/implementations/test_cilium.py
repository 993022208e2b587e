"""Cilium's agent leaves the machine as it was: nothing set, no control group, no BPF program."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import pytest

from reports.model.run import read
from tests.clusters.kind import cgroups
from tests.conftest import ROOT, alone_with

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_PATIENCE: Final = 10.0  # seconds: the kernel frees programs when nobody can run them any more


def machine() -> dict[str, Any]:
    """What there is of the machine's own."""
    argv = [*cgroups.THROUGH, sys.executable, "-m", "tests.clusters.implementations.machine"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_machine_is_left_as_it_was(
    tmp_path: Path,
    pytestconfig: pytest.Config,
    run_suite: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    if not pytestconfig.option.every_mutant:
        pytest.skip("other proxies are run with --every-mutant")
    asked = ["--implementation=cilium", f"--results={tmp_path}", "--seed=1", "-k", "cip-from-host"]
    with alone_with("mutants of bpf mode"):
        before = machine()
        done = run_suite(
            "conformance/clusterip", "-n0", *asked, through=cgroups.THROUGH, timeout=600
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert {each.outcome for each in read(tmp_path / "latest").results} == {"passed"}
        end = time.monotonic() + _PATIENCE
        while (after := machine()) != before and time.monotonic() < end:
            time.sleep(0.5)
        assert after == before
