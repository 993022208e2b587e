"""The census of combinations, which all their requirements look at."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from conformance.census import aims
from conformance.census import census as taking
from conformance.census.account import Account
from conformance.census.census import Census
from conformance.census.combinations import axes, kinds, shapes
from conformance.census.combinations.imagined import enough
from conformance.census.conftest import Hold, InForce, Keep
from conformance.census.decision import ON_WIRES
from conformance.census.kinds import Kind
from conformance.vocabulary import World
from fixtures.record.recorder import OPTIONS
from fixtures.world import zone


@pytest.fixture(scope="session")
def wide(
    shared_world: World,
    mode: str,
    in_force: InForce,
    keep: Keep,
    names: Callable[[], str],
    pytestconfig: pytest.Config,
) -> Census:
    """The census of everything that a Service has: every two values meet in one of them, and 48
    are drawn; where nodes are emulated, as few of these as show something of every kind.
    """
    options, world = pytestconfig.stash[OPTIONS], shared_world
    draw = random.Random(options.seed)
    cast = shapes.Cast.of(world.hosts, world.node.name)
    rows = axes.covering(options.seed) + axes.drawn(48, draw)
    if not options.implementation.claims(mode, "sctp"):
        rows = [each for each in rows if "SCTP" not in each["ports"]]
    services = shapes.services(rows, cast) + shapes.left_alone(len(rows), cast)
    here = {each.name for each in services}
    if world.node.system.emulated and not options.asked.every_case:
        known = world.node.name, options.implementation.claimed(mode), draw
        services, by_processes = enough(services, *known)
        here = {each.name for each in by_processes}
    account = Account()
    with in_force(services, account) as state:
        zone.tell(world, names)
        aimed = aims.served(state) + aims.unserved(state)
        of_the_node = [each for each in aimed if each.service.name in here]
        decisions = (
            *taking.take(world, state, aimed, ON_WIRES, account),
            *taking.take(world, state, of_the_node, ["node"], account),
        )
    about = {f"wide-{number}": axes.in_words(row) for number, row in enumerate(rows)}
    about = {each.name: about.get(each.name, "labelled for another proxy") for each in services}
    return keep("combinations", Census(decisions, world.node.name, account), about)


@pytest.fixture
def hold(wide: Census, holding: Callable[[Census, Kind], None]) -> Hold:
    """See ``Hold``: of the census of everything that a Service has."""

    def check(concerned: Kind) -> None:
        __tracebackhide__ = True
        holding(wide, lambda each: concerned(each) and not kinds.told_elsewhere(each))

    return check
