"""Broken proxies are noticed on kind clusters too, by the requirements that name their faults."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from reports.model.run import read
from tests.clusters.kind import cgroups
from tests.conftest import needs_kind
from tests.mutants.matrix import as_text
from tests.mutants.run import RESULTS, judge

MUTANTS = (
    "unmutated",
    "last-never-chosen",
    "affinity-ignored",
    "hairpin-not-masqueraded",
    "reject-as-drop",
    "external-policy-ignored",
    "never-deleted",
)
"""Some that modes have in common: of each kind of thing that a proxy does to packets."""


@needs_kind
@pytest.mark.parametrize("mode", ["iptables", "nftables"])
def test_mutants_are_killed_on_kind(
    mode: str, pytestconfig: pytest.Config, record_property: Callable[[str, object], None]
) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{mode}-kind-", dir=RESULTS))
    kills = judge(mode, folder, MUTANTS, kind=True, seed=pytestconfig.option.seed, few=True)
    record_property("kills", [list(kill) for kill in kills])
    assert {kill.mutant for kill in kills} == set(MUTANTS)
    wrong = [kill for kill in kills if not kill.right]
    assert not wrong, "\n".join([*as_text(wrong), f"what they left is in {folder}"])
    shutil.rmtree(folder)


BROKEN = """#!/bin/sh
if [ "$1" = --version ]; then
    echo Kubernetes v9.9.9
    exit
fi
mkdir -p /tmp/broken
cat > /tmp/broken/nft <<'END'
#!/bin/sh
if [ "$*" = "-f -" ]; then
    sed 's/ reject-chain reject$/ reject-chain drop/' | /usr/sbin/nft -f -
else
    exec /usr/sbin/nft "$@"
fi
END
chmod +x /tmp/broken/nft
PATH=/tmp/broken:$PATH exec /usr/local/bin/kube-proxy "$@"
"""
"""A program with a version of its own that drops what it should refuse."""


@needs_kind
def test_a_given_binary_is_what_runs_on_kind_and_what_the_report_names(
    run_suite: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    program = tmp_path / "broken-proxy"
    program.write_text(BROKEN)
    program.chmod(0o755)
    done = run_suite(
        "conformance/no_endpoints/test_no_endpoints.py",
        "--provider=kind",
        "--modes=nftables",
        f"--proxy-binary={program}",
        f"--results={tmp_path}",
        "-n0",
        "-k",
        "noep-cip-tcp",
        through=cgroups.THROUGH,
        timeout=600,
    )
    assert done.returncode == 1, (done.stdout + done.stderr)[-4000:]
    run = read(tmp_path / "latest")
    assert {each.outcome for each in run.results} == {"failed"}
    judged = run.header.implementation
    assert (judged.version, judged.binary) == ("v9.9.9", "broken-proxy")
    assert judged.sha256 == hashlib.sha256(BROKEN.encode()).hexdigest()
