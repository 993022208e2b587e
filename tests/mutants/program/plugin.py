"""A pytest plugin that has each test run with mutants whose fault is in kube-proxy's program.

One node serves all of them: kube-proxy is started anew with each, on a node that bears nothing of
the one before. Which one it is, it reads in a file of the node's (see ``mutants.go``).

The environment holds MUTANT_MODE, MUTANTS (names, comma-separated) and MUTANT_RECORDS (a folder
with a file for each, for what came of it).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from fixtures.world import by_time as patience
from fixtures.world.world import World
from tests.mutants import shared
from tests.mutants.mutant import Mutant

SETTINGS: Final = "mutant.json"
"""In the folder of kube-proxy's files."""

_ANEW: Final = ("at_bounds", "by_default", "by_flags", "stalls", "started", "told", "used")
"""Fixtures that have a kube-proxy of their own, for many tests."""

_PATIENCE: Final = 20.0
"""Seconds for what comes in time or never, where it is to be never."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test with each mutant that its requirement is to kill, and with none."""
    shared.parametrize(metafunc, "session", *_ANEW)


@pytest.fixture(scope="session", autouse=True)
def mutant(request: pytest.FixtureRequest, shared_world: World) -> Iterator[Mutant]:
    """The mutant that the test runs with."""
    chosen: Mutant = request.param
    node, proxy = shared_world.node, shared_world.node.proxy
    settings, record = proxy.directory / SETTINGS, proxy.directory / "mutant-record"
    proxy.stop()
    left = f"{record}-another"  # by the mutant that has a second instance leave it
    node.run(["rm", "-f", str(settings), str(record), left])
    proxy.cleanup()
    node.write(settings, json.dumps({"MUTANT": chosen.name, "MUTANT_RECORD": str(record)}))
    with pytest.MonkeyPatch.context() as patched:
        if chosen.killed_by:
            patched.setattr(patience, "LONGEST", _PATIENCE)
        shared_world.configure(shared_world.configuration)
        yield chosen
    name = shared.name_of(os.environ["MUTANT_MODE"], chosen)
    with Path(os.environ["MUTANT_RECORDS"], name).open("a") as records:
        records.write(node.run(["cat", str(record)], check=False).stdout)
