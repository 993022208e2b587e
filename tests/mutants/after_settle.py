"""A pytest plugin that has each test run with mutants of kube-proxy's IPVS mode.

kube-proxy programs IPVS through netlink, on a node that may be a machine of its own: no wrapper
could stand between. So what it has programmed is altered afterwards, each time that a test has seen
a change settle, before the test looks at it. (kube-proxy mends it at its next sync: with the next
change, or after half a minute without any.) One node serves all mutants: before each test
everything in IPVS is removed, for the proxy to program anew.

The environment holds MUTANT_MODE, MUTANTS (names, comma-separated) and MUTANT_RECORDS (a folder
with a file for each, for what came of it).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from fixtures.services.canary import external_ips
from fixtures.world.world import World
from specification.addresses import FAMILIES, SERVICE_RANGES, Family
from tests.mutants import shared
from tests.mutants.mutant import ALTERED, REFUSED, UNALTERED, Mutant
from tests.mutants.programmed import Programmed


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test with each mutant that its requirement is to kill, and with none."""
    shared.parametrize(metafunc, "function")


@pytest.fixture(autouse=True)
def mutant(request: pytest.FixtureRequest, world: World, monkeypatch: pytest.MonkeyPatch) -> Mutant:
    """The mutant that the test runs with, on a node that bears nothing of the one before."""
    world.cluster.api.finish_deletions()
    world.node.run(["ipvsadm", "--clear"])
    world.canary.settle(removed=False)
    chosen: Mutant = request.param
    alterations = Alterations(world, chosen)
    alterations.make(FAMILIES)  # Services that tests share may not be settled again
    monkeypatch.setattr(world.canary, "settle", alterations.settle)
    return chosen


class Alterations:
    """What a mutant does to the node during one test."""

    def __init__(self, world: World, mutant: Mutant) -> None:
        self._node, self._mutant = world.node, mutant
        self._settle = world.canary.settle
        canary = [address for family in FAMILIES for address in external_ips(family)]
        api_server = [network[1] for network in SERVICE_RANGES.values()]
        self._spared = set(map(str, (*world.canary._vips.values(), *canary, *api_server)))
        self._earlier: dict[Family, tuple[Programmed, ...]] = dict.fromkeys(FAMILIES, ())
        self._record = Path(os.environ["MUTANT_RECORDS"], shared.name_of("ipvs", mutant))

    def settle(self, *, families: Collection[Family] = FAMILIES, **options: Any) -> float:
        """In place of the canary's: returns once the change is in force, and altered."""
        seconds = self._settle(families=families, **options)
        self.make(families)
        return seconds

    def make(self, families: Collection[Family]) -> None:
        """Alter what is there now."""
        servers, sets = self._node.host.ipvs.virtual_servers, self._node.host.ipset.sets.values()
        for family in families:
            version = 4 if family == "IPv4" else 6
            now = Programmed.of(version, servers, sets, self._spared)
            commands = self._mutant.mutate(now, self._earlier[family])
            self._earlier[family] += (now,)
            self._run(commands)

    def _run(self, commands: list[str]) -> None:
        word = ALTERED if commands else UNALTERED
        try:
            if commands:
                self._node.run(["sh", "-e"], input="\n".join(commands) + "\n")
        except subprocess.CalledProcessError as problem:
            word = f"{REFUSED}: {' '.join((problem.stdout + problem.stderr).split())}"
            raise
        finally:
            with self._record.open("a") as record:
                record.write(f"{word}\n")
