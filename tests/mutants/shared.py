"""Tests with mutants that share a node: each is run with every mutant that its requirement is to
kill, and with none.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from clusters.kind.node.container import DIRECTORY
from fixtures.services.canary import external_ips
from specification.addresses import FAMILIES, SERVICE_RANGES
from tests.mutants import MUTANTS
from tests.mutants.mutant import ALTERED, REFUSED, UNALTERED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from fixtures.world.world import World
    from specification.addresses import Family
    from tests.mutants.mutant import Mutant

ON_KIND = DIRECTORY / "mutants"
"""What wrappers need on a kind node: the programs in ``bin`` and, in ``settings``, whom they are to
mutate.
"""


def name_of(mode: str, mutant: Mutant) -> str:
    """What tells a mutant's tests, and its record, from all others'."""
    return f"{mode}-{mutant.name}"


def parametrize(
    metafunc: pytest.Metafunc, scope: Literal["function", "session"], *anew: str
) -> None:
    """Give a test the fixture ``mutant``, with each mutant of MUTANT_MODE that MUTANTS names
    (in the environment, comma-separated) and that its requirement is to kill. Of the fixtures
    ``anew`` those that it uses are set up again with each.
    """
    mark = metafunc.definition.get_closest_marker("requirement")
    mode, names = os.environ["MUTANT_MODE"], os.environ["MUTANTS"].split(",")
    chosen = [each for each in MUTANTS[mode] if each.name in names]
    killers = [each for each in chosen if mark and mark.args[0] in each.killed_by]
    if killers:
        controls = [each for each in chosen if not each.killed_by]
        fixtures = ["mutant", *(each for each in anew if each in metafunc.fixturenames)]
        metafunc.parametrize(
            fixtures,
            [
                pytest.param(*[each] * len(fixtures), id=name_of(mode, each))
                for each in controls + killers
            ],
            indirect=True,
            scope=scope,
        )


class Alterations(ABC):
    """What a mutant does during one test to what the proxy has programmed, each time that a change
    has settled.
    """

    def __init__(self, world: World, mutant: Mutant) -> None:
        self._node, self._mutant = world.node, mutant
        self._settle = world.canary.settle
        canary = [address for family in FAMILIES for address in external_ips(family)]
        api_server = [network[1] for network in SERVICE_RANGES.values()]
        self._spared = set(map(str, (*world.canary._vips.values(), *canary, *api_server)))
        name = name_of(os.environ["MUTANT_MODE"], mutant)
        self._record = Path(os.environ["MUTANT_RECORDS"], name)

    def begin(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """Alter what is there: Services that tests share may not be settled again."""
        self.make(FAMILIES)
        monkeypatch.setattr(world.canary, "settle", self.settle)

    def settle(self, *, families: Collection[Family] = FAMILIES, **options: Any) -> float:
        """In place of the canary's: returns once the change is in force, and altered."""
        seconds = self._settle(families=families, **options)
        self.make(families)
        return seconds

    @abstractmethod
    def make(self, families: Collection[Family]) -> None:
        """Alter what is there now."""

    @contextlib.contextmanager
    def recorded(self, *, some: bool) -> Iterator[None]:
        """Record whether the block alters something, and where the node refuses it, why."""
        word = ALTERED if some else UNALTERED
        try:
            yield
        except subprocess.CalledProcessError as problem:
            word = f"{REFUSED}: {' '.join((problem.stdout + problem.stderr).split())}"
            raise
        finally:
            with self._record.open("a") as record:
                record.write(f"{word}\n")
