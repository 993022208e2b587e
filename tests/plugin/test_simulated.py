"""A run on nodes in memory, as it is started on a machine that has nothing for any other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from clusters import sandbox
from reports.model.run import Run, read
from tests.conftest import ROOT, outside

POOR = """
import os, signal, sys

for module, names in {
    os: ["sched_setaffinity", "sched_getaffinity", "unshare", "setns"],
    signal: ["sigwaitinfo"],
}.items():
    for name in names:
        if hasattr(module, name):
            delattr(module, name)

import pytest

sys.exit(pytest.main(sys.argv[1:]))
"""
"""Python without what only Linux gives it."""


def simulated(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a part of the suite on nodes in memory, without programs and without a sandbox."""
    environment = {name: value for name, value in outside().items() if name != sandbox.INSIDE}
    (folder / "bin").mkdir()
    options = ["--provider=simulated", f"--results={folder}", "-n0", "--seed=1", *arguments]
    return subprocess.run(
        [sys.executable, "-c", POOR, "-c", "pyproject.toml", "-p", "no:cacheprovider", *options],
        cwd=ROOT,
        env=environment | {"PATH": str(folder / "bin")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of requirements of three kinds: judged, not claimed, not to be had on such a node."""
    folder = tmp_path_factory.mktemp("simulated")
    done = simulated(folder, "-k", "cip-tcp-dnat or ipt-counters or hc-np-200 or masq-all")
    assert done.returncode == 0, done.stdout + done.stderr
    return read(folder / "latest")


def test_it_judges_the_specification(run: Run) -> None:
    assert run.header.implementation.name == "specification"
    assert (run.header.provider, run.modes) == ("simulated", ("specification",))
    (known,) = run.fingerprints
    assert (known.system["kind"], known.sysctls) == ("simulated", {})
    assert known.sha256 == run.header.implementation.sha256


def test_what_it_cannot_judge_is_left_out(run: Run) -> None:
    outcomes: dict[str, set[str]] = {}
    for result in run.results:
        outcomes.setdefault(result.requirement, set()).add(result.outcome)
    assert outcomes["cip-tcp-dnat"] == outcomes["masq-all"] == {"passed"}
    assert outcomes["hc-np-200"] == {"skipped"}


def test_it_is_repeated_by_the_same_option(run: Run) -> None:
    assert "--provider simulated" in run.header.reproduce


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--proxy-version=1.34.4", "--proxy-version does not go with --provider simulated"),
        ("--implementation=mine.toml", "--implementation does not go with --provider simulated"),
        ("--modes=nftables", "specification has no mode 'nftables'"),
        ("--keep", "--keep does not go with --provider simulated"),
    ],
)
def test_what_it_has_no_use_for_is_bad_input(tmp_path: Path, option: str, said: str) -> None:
    done = simulated(tmp_path, option)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {said}")
