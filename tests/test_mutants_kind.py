"""Broken proxies are noticed on kind clusters too, by the requirements that name their faults."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.mutants.matrix import as_text
from tests.mutants.run import RESULTS, judge

MUTANTS = (
    "unmutated",
    "last-never-chosen",
    "affinity-ignored",
    "nodeport-not-masqueraded",
    "hairpin-not-masqueraded",
    "reject-as-drop",
    "wrong-target-port",
    "endpoints-frozen",
    "never-deleted",
)
"""Some that modes have in common: of each kind of thing that a proxy does to packets."""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may judge kind clusters")
@pytest.mark.parametrize("mode", ["iptables", "nftables"])
def test_mutants_are_killed_on_kind(
    mode: str, record_property: Callable[[str, object], None]
) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{mode}-kind-", dir=RESULTS))
    kills = judge(mode, folder, MUTANTS, kind=True)
    record_property("kills", [list(kill) for kill in kills])
    assert {kill.mutant for kill in kills} == set(MUTANTS)
    wrong = [kill for kill in kills if not kill.right]
    assert not wrong, "\n".join([*as_text(wrong), f"what they left is in {folder}"])
    shutil.rmtree(folder)
