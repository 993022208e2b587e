"""The censuses of a mode, which all their requirements look at."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest

from conformance.census import aims, kinds, space
from conformance.census import census as taking
from conformance.census.census import Census, Decision, Tell
from conformance.census.example import example
from conformance.census.kinds import Kind
from conformance.census.shrink import shrink
from conformance.vocabulary import FAMILIES, Service, World
from fixtures.record.recorder import OPTIONS
from reports.records.base import values
from specification.places import ZONES
from specification.rules.state import Node, State
from specification.services import ServiceSpec

Hold = Callable[[Kind], None]
"""Demands that all decisions of a kind are right, and records how many there were."""

SHRINKING = 30.0
"""Seconds that may pass in all while wrong decisions are shrunk."""

InForce = Callable[[Sequence[ServiceSpec]], contextlib.AbstractContextManager[State]]
"""Has Services in force for a while; what decides about them then."""


@pytest.fixture(scope="session")
def in_force(
    shared_world: World, mode: str, names: Callable[[], str], pytestconfig: pytest.Config
) -> InForce:
    """See ``InForce``."""
    world, claimed = shared_world, pytestconfig.stash[OPTIONS].implementation.claimed(mode)
    node = Node(world.node.name, tuple(map(world.node.address, FAMILIES)), zone=ZONES[0])

    @contextlib.contextmanager
    def stage(specs: Sequence[ServiceSpec]) -> Iterator[State]:
        world.configure(None)
        services = world.services(names, "IPv4", "TCP", FAMILIES)
        with contextlib.closing(services):
            made = services.create(specs)
            yield State(tuple(map(_stored, made)), node, features=claimed)
            services.remove(made)
            services.settle(removed=True)

    return stage


@pytest.fixture(scope="session")
def taken(shared_world: World, in_force: InForce, pytestconfig: pytest.Config) -> Census:
    """The census of policies and states of endpoints. Where nodes are emulated, each Service has
    one family and one protocol.
    """
    options, world = pytestconfig.stash[OPTIONS], shared_world
    few = world.node.system.emulated and not options.asked.every_case
    variations = 8 if options.asked.every_case else 1 if few else 2
    services = space.services(space.endpoints(world.hosts), variations, options.seed)
    if few:
        services = space.lean(services, options.seed)
    with in_force(services) as state:
        served = aims.served(state)
        decisions = tuple(taking.take(world, state, served, ["pod", "outside", "node"]))
    return Census(decisions, world.node.name)


@pytest.fixture(scope="session")
def tell(shared_world: World, in_force: InForce) -> Tell:
    """Shrinks what is wrong, and says it as YAML and as an example; for so many seconds in all."""
    world, left = shared_world, [SHRINKING]

    def told(wrong: Decision) -> list[str]:
        began = time.monotonic()

        def retry(specs: Sequence[ServiceSpec]) -> tuple[Decision, ...]:
            with in_force(specs) as state:
                aimed = aims.like(wrong.frontend, aims.served(state) + aims.unserved(state))
                return tuple(taking.take(world, state, aimed, [wrong.vantage]))

        found = shrink(wrong, retry, left[0]) if left[0] > 0 else wrong
        left[0] -= time.monotonic() - began
        if found is None:
            words = "It is right while its Service is the only one: look at what is beside it."
            return [words, taking.manifest(wrong.service, world.node.name)]
        said = f"{found}: {found.allowed}\n{found.wrong}"
        manifest = taking.manifest(found.service, world.node.name)
        return [said, manifest, example(found, world.node.name)]

    return told


@pytest.fixture
def holding(world: World, request: pytest.FixtureRequest) -> Callable[[Census, Kind], None]:
    """Demands that all decisions of a kind are right in a census, records how many there were, and
    shrinks what is wrong unless it is known to be. With the world at hand, what was done to packets
    of the census fails the first test that looks at it, and its failures have evidence.
    """

    def check(census: Census, concerned: Kind) -> None:
        __tracebackhide__ = True
        known = request.node.get_closest_marker("xfail") is not None
        held = census.hold(concerned, None if known else request.getfixturevalue("tell"))
        request.node.user_properties.append(("statistic", values(held)))

    return check


@pytest.fixture
def hold(taken: Census, holding: Callable[[Census, Kind], None]) -> Hold:
    """See ``Hold``: of the census of policies and states of endpoints."""

    def check(concerned: Kind) -> None:
        __tracebackhide__ = True
        holding(taken, kinds.apart(concerned))

    return check


def _stored(service: Service) -> ServiceSpec:
    """Its specification with what the API server has chosen."""
    found = {each["name"]: each.get("nodePort") for each in service.object["spec"]["ports"]}
    ports = tuple(replace(each, node_port=found[each.name]) for each in service.spec.ports)
    return replace(service.spec, cluster_ips=service.cluster_ips, ports=ports)
