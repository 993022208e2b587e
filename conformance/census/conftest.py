"""The census of a mode, which all its requirements look at."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from conformance.census import census as taking
from conformance.census import kinds, space
from conformance.census.census import Census, Decision
from conformance.vocabulary import FAMILIES, Service, Services, World
from fixtures.record.recorder import OPTIONS
from reports.records.base import values
from specification.features import FEATURES
from specification.places import ZONES
from specification.rules.state import Node, State
from specification.services import ServiceSpec

Hold = Callable[[Callable[[Decision], bool]], None]
"""Demands that all decisions of a kind are right, and records how many there were."""


@pytest.fixture(scope="session")
def taken(
    shared_world: World, mode: str, names: Callable[[], str], pytestconfig: pytest.Config
) -> Census:
    """The census of the mode: its Services are there while it is taken, and then no more."""
    options, world = pytestconfig.stash[OPTIONS], shared_world
    emulated = world.node.system.emulated
    variations = 8 if options.asked.every_case else 1 if emulated else 2
    world.configure(None)
    around = world.cluster.api, world.canary, world.hosts, world.node
    stage = Services(*around, "IPv4", "TCP", names, families=FAMILIES)
    with contextlib.closing(stage):
        made = stage.create(space.services(space.endpoints(world.hosts), variations, options.seed))
        claimed = frozenset(each for each in FEATURES if options.implementation.claims(mode, each))
        node = Node(world.node.name, tuple(map(world.node.address, FAMILIES)), zone=ZONES[0])
        state = State(tuple(map(_stored, made)), node, features=claimed)
        decisions = tuple(taking.take(world, state, 5 if emulated else 1))
        stage.remove(made)
        stage.settle(removed=True)
    return Census(decisions, world.node.name)


@pytest.fixture
def hold(taken: Census, world: World, request: pytest.FixtureRequest) -> Hold:
    """See ``Hold``. With the world at hand, what was done to packets of the census fails the first
    test that looks at it, and its failures have evidence.
    """

    def check(concerned: Callable[[Decision], bool]) -> None:
        __tracebackhide__ = True
        held = taken.hold(kinds.apart(concerned))
        request.node.user_properties.append(("statistic", values(held)))

    return check


def _stored(service: Service) -> ServiceSpec:
    """Its specification with what the API server has chosen."""
    ports = tuple(
        replace(each, node_port=service.node_port(each.name)) for each in service.spec.ports
    )
    return replace(service.spec, cluster_ips=service.cluster_ips, ports=ports)
