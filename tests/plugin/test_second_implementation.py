"""The suite's contract is not kube-proxy's alone: it judges another proxy as well."""

from __future__ import annotations

import shutil
import tempfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clusters.implementations import expectations
from reports.model.run import Run, read
from tests.clusters.kind import cgroups
from tests.conftest import needs_kind
from tests.mutants.run import RESULTS

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

IMPLEMENTATIONS = Path(__file__).parents[1] / "implementations"
TINY = IMPLEMENTATIONS / "tiny_nft.toml"
AREAS = (
    *("clusterip", "nodeport", "no_endpoints", "masquerade"),
    "traffic_policy/test_traffic_policy.py",
)
"""What is run: what it claims to do, and some of what it does not."""

BINARIES = {"embedded": "tiny_nft.py", "kind": "tiny-nft.invalid/tiny-nft:v0.1"}
"""What is judged: a program, or the image of a pod."""


@pytest.mark.parametrize("provider", ["embedded", pytest.param("kind", marks=needs_kind)])
def test_another_proxy_conforms_but_for_what_it_says(
    run_suite: Callable[..., subprocess.CompletedProcess[str]], provider: str
) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"tiny-{provider}-", dir=RESULTS))
    done = run_suite(
        *(f"conformance/{area}" for area in AREAS),
        f"--implementation={TINY}",
        f"--provider={provider}",
        f"--results={folder}",
        "--quiet",
        "-n2" if provider == "embedded" else "-n0",
        through=() if provider == "embedded" else cgroups.THROUGH,
        timeout=600,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    run = read(folder / "latest")
    assert run.header.implementation.name == "tiny-nft"
    assert run.header.implementation.version == "v0.1"
    assert run.header.implementation.binary == BINARIES[provider]
    assert run.verdicts == {"tiny": "known-faults"}
    assert {each.observed_mode for each in run.fingerprints} == {"tiny"}
    passed = {name for name, cells in run.cells.items() if cells["tiny"].word == "passed"}
    assert passed >= {"cip-tcp-dnat", "cip-udp-dnat", "np-tcp", "noep-cip-tcp", "np-masq-cluster"}
    listed = {each.requirement for each in known_failures()}
    assert expected_to_fail(run) == listed & set(run.cells)
    assert unclaimed(run) == {
        each.id for each in run.requirements if each.feature and each.feature not in claimed()
    }
    assert {"masq-ext-cip", "noep-icmp-source"} <= unclaimed(run)
    shutil.rmtree(folder)


def claimed() -> set[str]:
    """The features that the implementation claims."""
    return set(tomllib.loads(TINY.read_text())["features"])


def known_failures() -> list[expectations.Expectation]:
    """What the implementation says it does not do."""
    return expectations.load(IMPLEMENTATIONS / "tiny_nft.expected-failures.toml")


def expected_to_fail(run: Run) -> set[str]:
    """Requirements with a case that failed as expected."""
    return {each.requirement for each in run.results if each.outcome == "expected-failure"}


def unclaimed(run: Run) -> set[str]:
    """Requirements whose feature is not claimed."""
    return {each.requirement for each in run.results if each.outcome == "unclaimed"}


def test_each_known_failure_is_listed_once_with_a_reason() -> None:
    known = known_failures()
    assert len({each.requirement for each in known}) == len(known)
    for each in known:
        assert each.reason.endswith(".")
        assert (IMPLEMENTATIONS.parents[1] / each.reference).is_file()
