"""The sequences of a mode, which all their requirements look at."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from conformance.census.sequences import known
from conformance.census.sequences.drawing import Size, drawn
from conformance.census.sequences.playing import Player
from conformance.census.sequences.session import Session
from conformance.vocabulary import FAMILIES, World
from fixtures.record.recorder import OPTIONS
from reports.records import decisions
from reports.records.base import values

OPERATIONS: Final = 200
FEW: Final = 100
NIGHTLY: Final = 10_000
"""How many operations are done in a mode, in one on emulated nodes, and with ``--every-case``."""

_TURNS: Final = 5
"""So often that many are done at most, until there is a decision of every kind: few may leave no
flow whose Service is not gone or changed at once.
"""

EMULATED: Final = Size(slots=16, together=8, moves=1, length=120)
"""What sequences are like where a change takes seconds to settle. Were more settled together,
hardly any flow would be left whose Service is neither gone nor changed.
"""


@pytest.fixture(scope="session")
def played(
    shared_world: World, mode: str, names: Callable[[], str], pytestconfig: pytest.Config
) -> Iterator[Session]:
    """What was decided while sequences of operations were played."""
    options, world = pytestconfig.stash[OPTIONS], shared_world
    emulated = world.node.system.emulated
    count = NIGHTLY if options.asked.every_case else FEW if emulated else OPERATIONS
    size = EMULATED if emulated else Size()
    world.configure(None)
    services = world.services(names, "IPv4", "TCP", FAMILIES)
    with contextlib.closing(services):
        player = Player(world, services, options.implementation.claimed(mode))
        told = known.of(options, mode)
        session = Session(player, told, options.seed, slots=size.slots, processes=not emulated)
        for more in range(_TURNS):
            session.run(drawn(options.seed + more, count, size))
            if session.enough:
                break
        player.clear()
        yield session
        player.close()


Hold = Callable[[str], None]
"""Demands that all decisions of a kind are right: see ``Session.tallies``."""


@pytest.fixture
def hold(played: Session, world: World, mode: str, request: pytest.FixtureRequest) -> Hold:
    """See ``Hold``. With the world at hand, what was done to packets fails the first test that
    looks at it, and its failures have evidence.
    """

    def check(kind: str) -> None:
        __tracebackhide__ = True
        expected = request.node.get_closest_marker("xfail") is not None
        run = request.config.stash[OPTIONS].run()
        repeat = run.only(mode, request.node.nodeid).command()
        tally = played.tallies[kind]
        found = decisions.Tally(tally.decided, len(tally.wrong))
        request.node.user_properties.append(("decisions", values(found)))
        held = played.hold(kind, repeat, shorten=not expected)
        request.node.user_properties.append(("statistic", values(held)))

    return check
