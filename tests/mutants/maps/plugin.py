"""A pytest plugin that has each test run with mutants whose Services are in BPF maps.

As in IPVS mode (``tests.mutants.after_settle``) what the proxy has programmed is altered each time
that a test has seen a change settle, before the test looks at it. One node serves all mutants:
after each test what was altered, and the proxy has not altered since, is put back.

The environment holds MUTANT_MODE, MUTANTS (names, comma-separated) and MUTANT_RECORDS (a folder
with a file for each, for what came of it).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterator
from ipaddress import ip_address

import pytest

from fixtures.world.world import World
from specification.addresses import FAMILIES, Family
from tests.mutants import shared
from tests.mutants.maps import access
from tests.mutants.maps.table import Maps, Table, Write, changed, names
from tests.mutants.mutant import Mutant

_NAMES = [name for version in (4, 6) for name in names(version)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test with each mutant that its requirement is to kill, and with none."""
    shared.parametrize(metafunc, "function")


@pytest.fixture(autouse=True)
def mutant(
    request: pytest.FixtureRequest, world: World, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Mutant]:
    """The mutant that the test runs with, on a node that bears nothing of the one before."""
    world.cluster.api.finish_deletions()
    world.canary.settle(removed=False)
    chosen: Mutant = request.param
    alterations = Alterations(world, chosen)
    alterations.begin(world, monkeypatch)
    yield chosen
    alterations.undo()


class Alterations(shared.Alterations):
    """What a mutant does to the node during one test."""

    def __init__(self, world: World, mutant: Mutant) -> None:
        super().__init__(world, mutant)
        self._kept = {ip_address(each).packed for each in self._spared}
        self._earlier: dict[Family, tuple[Table, ...]] = dict.fromkeys(FAMILIES, ())
        self._before: dict[tuple[str, str], str | None] = {}
        self._after: dict[tuple[str, str], str | None] = {}

    def make(self, families: Collection[Family]) -> None:
        """Alter what is there now."""
        maps, writes = self._ask([]), list[Write]()
        for family in families:
            now = Table.of(4 if family == "IPv4" else 6, maps, self._kept)
            writes += self._mutant.mutate(now, self._earlier[family])
            self._earlier[family] += (now,)
        writes = changed(writes, maps)
        for name, key, value in writes:
            self._before.setdefault((name, key), maps[name].get(key))
            self._after[name, key] = value
        with self.recorded(some=bool(writes)):
            self._ask(writes)

    def undo(self) -> None:
        """Put back what was altered, unless it has been altered again."""
        maps = self._ask([])
        self._ask(
            [
                (*place, value)
                for place, value in self._before.items()
                if maps[place[0]].get(place[1]) == self._after[place]
            ]
        )

    def _ask(self, writes: list[Write]) -> Maps:
        folder = self._node.proxy.directory / "bpf" / "tc" / "globals"
        argv = [sys.executable, "-I", "-S", access.__file__, str(folder)]
        asked = json.dumps({"write": writes, "read": _NAMES})
        found: Maps = json.loads(self._node.run(argv, input=asked).stdout)
        return found
