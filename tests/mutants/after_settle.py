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

from collections.abc import Collection

import pytest

from fixtures.world.world import World
from specification.addresses import FAMILIES, Family
from tests.mutants import shared
from tests.mutants.mutant import Mutant
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
    Alterations(world, chosen).begin(world, monkeypatch)
    return chosen


class Alterations(shared.Alterations):
    """What a mutant does to the node during one test."""

    def __init__(self, world: World, mutant: Mutant) -> None:
        super().__init__(world, mutant)
        self._earlier: dict[Family, tuple[Programmed, ...]] = dict.fromkeys(FAMILIES, ())

    def make(self, families: Collection[Family]) -> None:
        """Alter what is there now."""
        servers, sets = self._node.host.ipvs.virtual_servers, self._node.host.ipset.sets.values()
        for family in families:
            version = 4 if family == "IPv4" else 6
            now = Programmed.of(version, servers, sets, self._spared)
            commands = self._mutant.mutate(now, self._earlier[family])
            self._earlier[family] += (now,)
            with self.recorded(some=bool(commands)):
                if commands:
                    self._node.run(["sh", "-e"], input="\n".join(commands) + "\n")
