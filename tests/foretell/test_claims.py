"""What is told of a feature that one mode claims and another does not: that it is not there is
seen on the wire, too.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest

from clusters.implementation import FOLDER, load
from foretell import requirements
from reports.model.run import read
from specification.features import FEATURES
from tests.conftest import ROOT, outside
from tests.described import toml_file
from tests.foretell.cases import LONGEST

_LIMITS: Final = {"np-localhost-off", "np-localhost-ipt-unlisted"}
"""Who serves nobody at 127.0.0.1 keeps them."""

_UNPROMISED: Final = {
    # by whichever scheduler is configured; by default in turn
    "ipvs": {"uniform-distribution", "external-ips-first", "unserved-port-rejected"},
}
"""Features that a mode is seen to have here, though it does not claim them: said to be lost with it
all the same.
"""


def apart(mode: str) -> set[str]:
    """The features about Services' packets that another mode claims and this one does not."""
    proxy = load("kube-proxy")
    found = {name for other in proxy.modes for name in proxy.claimed(other)} - proxy.claimed(mode)
    return {name for name in found if FEATURES[name].level == "extended"}


def judged(mode: str, folder: Path, seed: int) -> dict[str, set[str]]:
    """The outcomes of these features' requirements, where the mode claims them all the same."""
    claimed = apart(mode)
    table = tomllib.loads((FOLDER / "kube-proxy.toml").read_text())
    del table["expected_failures"], table["lacking"]
    alone = table["modes"][mode]
    table["modes"] = {mode: alone | {"features": sorted({*alone["features"], *claimed})}}
    described = folder / "claims-all.toml"
    described.write_text(toml_file(table))
    tested = [key for key, each in requirements.known().items() if each.feature in claimed]
    argv = [sys.executable, "-m", "pytest", "-c", "pyproject.toml", "-p", "no:cacheprovider"]
    options = [f"--implementation={described}", f"--modes={mode}", "-n0", f"--seed={seed}"]
    done = subprocess.run(
        [*argv, *options, f"--results={folder}", "conformance", "-k", " or ".join(tested)],
        cwd=ROOT,
        env=outside(),
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    found: dict[str, set[str]] = {each: set() for each in tested}
    for each in read(folder / "latest").results:
        if each.requirement in found:
            found[each.requirement].add(each.outcome)
    return found


def test_what_a_mode_does_not_claim_it_does_not_have(
    mode: str, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """Some requirement of each such feature fails there, but for those that say when it must not
    show: nothing is foretold that is not lost.
    """
    found = judged(mode, tmp_path, pytestconfig.option.seed)
    assert found
    failed, had = set[str](), set[str]()
    for name, outcomes in found.items():
        feature = requirements.known()[name].feature
        if name not in _LIMITS and feature:
            (failed if "failed" in outcomes else had).add(feature)
    assert had - failed == _UNPROMISED.get(mode, set())
