"""What a soak plays, and what it looks at. Without ``--hours`` there is none."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import pytest

from conformance.census.census import Census
from conformance.census.sequences import known
from conformance.census.sequences.conftest import EMULATED
from conformance.census.sequences.drawing import Size
from conformance.census.sequences.playing import Player
from conformance.census.sequences.session import Session
from conformance.census.soak.growth import growth, held
from conformance.census.soak.lives import Lives, Quantity
from conformance.vocabulary import FAMILIES, Judge, World
from fixtures.judge.judgement import Budget
from fixtures.record.recorder import OPTIONS
from fixtures.world.relay import on_the_way
from reports.records.base import values
from reports.records.results import Series

LIFE: Final = 0.25
"""Hours, at most, from one start of the proxy to the next."""
FEWEST: Final = 3
"""Lives, at least."""


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Nobody soaks by the way."""
    return None if config.option.hours else True


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A case for each life."""
    if "life" in metafunc.fixturenames:
        numbers = range(1, _count(metafunc.config.option.hours) + 1)
        metafunc.parametrize("life", numbers, ids=[f"life-{number}" for number in numbers])


def _count(hours: float) -> int:
    return max(FEWEST, math.ceil(hours / LIFE))


@pytest.fixture(scope="session")
def lives(
    shared_world: World, names: Callable[[], str], mode: str, pytestconfig: pytest.Config
) -> Iterator[Lives]:
    """All lives of the mode's proxy. Its API server is away now and then, but not on a node of
    kind, where a pod has the proxy's way to it.
    """
    options, world = pytestconfig.stash[OPTIONS], shared_world
    world.configure(None)
    with contextlib.ExitStack() as stack:
        relay = None if options.kind else stack.enter_context(on_the_way(world))
        if relay:
            world.node.proxy.start()
            world.canary.settle(removed=False, started=True)
        services = world.services(names, "IPv4", "TCP", FAMILIES)
        stack.enter_context(contextlib.closing(services))
        player = Player(world, services, options.implementation.claimed(mode), relay)
        size = EMULATED if world.node.system.emulated else Size()
        yield Lives(world, player, size, options.seed)
        player.close()


@pytest.fixture
def live(
    lives: Lives,
    world: World,
    mode: str,
    take_policies: Callable[[], tuple[Census, Mapping[str, str]]],
    request: pytest.FixtureRequest,
) -> Callable[[], None]:
    """Lives one life, and demands that all of its decisions are right, and those of a census at
    its end.
    """
    options = request.config.stash[OPTIONS]
    told = known.of(options, mode)

    def through() -> None:
        __tracebackhide__ = True
        hours = request.config.option.hours
        processes = not world.node.system.emulated
        seed = options.seed + lives.lives
        session = Session(lives.player, told, seed, slots=lives.size.slots, processes=processes)
        lives.live(session, 3_600 * hours / _count(hours))
        repeat = options.run().only(mode, request.node.nodeid).command()
        for kind in session.tallies:
            request.node.user_properties.append(("statistic", values(session.hold(kind, repeat))))
        lives.player.clear()
        census, _ = take_policies()
        found = census.hold(lambda each: not told(each))
        request.node.user_properties.append(("statistic", values(found)))

    return through


@pytest.fixture
def steady(
    lives: Lives, judge: Judge, budget: Budget, world: World, request: pytest.FixtureRequest
) -> Callable[[Quantity], None]:
    """Demands that a quantity has not grown in the lives of the proxy.

    Raises:
        LookupError: nobody has looked at it.
        ValueError: not often enough to tell.
    """

    def check(quantity: Quantity) -> None:
        __tracebackhide__ = True
        samples = lives.samples.get(quantity.name, [])
        if not samples:
            raise LookupError(f"nothing tells of {quantity.name} in {lives.lives} lives")
        grown = growth(samples)
        series = Series(
            name=quantity.name,
            unit=quantity.unit,
            lives=tuple(
                tuple((each.hours, each.value) for each in samples if each.life == life)
                for life in sorted({each.life for each in samples})
            ),
            slope=grown.slope,
            bounds=grown.bounds,
            tolerated=quantity.tolerated,
        )
        request.node.user_properties.append(("series", values(series)))
        judge(held, grown, quantity.name, quantity.tolerated)

    return check
