"""The censuses of a mode, which all their requirements look at."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest

from conformance.census import aims, kinds, rows, space
from conformance.census import census as taking
from conformance.census.account import Account
from conformance.census.census import Census, Tell
from conformance.census.decision import Decision
from conformance.census.example import example
from conformance.census.kinds import Kind
from conformance.census.manifest import manifest
from conformance.census.shrink import shrink
from conformance.vocabulary import FAMILIES, World
from fixtures.record.recorder import OPTIONS, PROPERTIES
from reports.records.base import values
from reports.records.decisions import Tally
from specification.places import ZONES
from specification.rules.state import Node, State
from specification.services import ServiceSpec

Hold = Callable[[Kind], None]
"""Demands that all decisions of a kind are right, and records how many there were."""

SHRINKING = 30.0
"""Seconds that may pass in all while wrong decisions are shrunk."""

InForce = Callable[[Sequence[ServiceSpec], Account], contextlib.AbstractContextManager[State]]
"""Has Services in force for a while; what decides about them then."""

Keep = Callable[[str, Census, Mapping[str, str]], Census]
"""Has a census in the results, under a name, with what tells its Services apart; and returns it."""


@pytest.fixture(scope="session")
def in_force(
    shared_world: World, mode: str, names: Callable[[], str], pytestconfig: pytest.Config
) -> InForce:
    """See ``InForce``."""
    world, claimed = shared_world, pytestconfig.stash[OPTIONS].implementation.claimed(mode)
    node = Node(world.node.name, tuple(map(world.node.address, FAMILIES)), zone=ZONES[0])

    @contextlib.contextmanager
    def stage(specs: Sequence[ServiceSpec], account: Account) -> Iterator[State]:
        world.configure(None)
        services = world.services(names, "IPv4", "TCP", FAMILIES)
        with contextlib.closing(services):
            with account.during("creation"):
                made = services.create(specs, settle=False)
            with account.during("settling"):
                services.settle(syncs=2)  # or a proxy might end flows that it has just let begin
            with account.during("probing"):
                yield State(tuple(map(taking.stored, made)), node, features=claimed)
            with account.during("removal"):
                services.remove(made)
                services.settle(removed=True)

    return stage


@pytest.fixture(scope="session")
def keep(mode: str, pytestconfig: pytest.Config) -> Keep:
    """See ``Keep``."""

    def kept(name: str, census: Census, about: Mapping[str, str]) -> Census:
        seed = pytestconfig.stash[OPTIONS].seed
        record = rows.record(census, mode, name, seed, about)
        pytestconfig.stash[PROPERTIES].append(("census", values(record)))
        return census

    return kept


@pytest.fixture(scope="session")
def take_policies(
    shared_world: World, in_force: InForce, pytestconfig: pytest.Config
) -> Callable[[], tuple[Census, Mapping[str, str]]]:
    """Takes the census of policies and states of endpoints, and says of each Service what it is
    like. Where nodes are emulated, each has one family and one protocol.
    """
    options, world = pytestconfig.stash[OPTIONS], shared_world
    few = world.node.system.emulated and not options.asked.every_case
    variations = 8 if options.asked.every_case else 1 if few else 2

    def take() -> tuple[Census, Mapping[str, str]]:
        services = space.services(space.endpoints(world.hosts), variations, options.seed)
        if few:
            services = space.lean(services, options.seed)
        account = Account()
        with in_force(services, account) as state:
            served = aims.served(state)
            found = tuple(taking.take(world, state, served, ["pod", "outside", "node"], account))
        about = {each.name: space.in_words(each) for each in services}
        return Census(found, world.node.name, account), about

    return take


@pytest.fixture(scope="session")
def taken(take_policies: Callable[[], tuple[Census, Mapping[str, str]]], keep: Keep) -> Census:
    """The census of policies and states of endpoints."""
    return keep("policies", *take_policies())


@pytest.fixture(scope="session")
def tell(shared_world: World, in_force: InForce) -> Tell:
    """Shrinks what is wrong, and says it as YAML and as an example; for so many seconds in all."""
    world, left = shared_world, [SHRINKING]

    def told(wrong: Decision) -> list[str]:
        began, account = time.monotonic(), Account()

        def retry(specs: Sequence[ServiceSpec]) -> tuple[Decision, ...]:
            with in_force(specs, account) as state:
                aimed = aims.like(wrong.frontend, aims.served(state) + aims.unserved(state))
                return tuple(taking.take(world, state, aimed, [wrong.vantage], account))

        found = shrink(wrong, retry, left[0]) if left[0] > 0 else wrong
        left[0] -= time.monotonic() - began
        if found is None:
            words = "It is right while its Service is the only one: look at what is beside it."
            return [words, manifest(wrong.service, world.node.name)]
        said = f"{found}: {found.allowed}\n{found.wrong}"
        yaml = manifest(found.service, world.node.name)
        return [said, yaml, example(found, world.node.name)]

    return told


@pytest.fixture
def holding(world: World, request: pytest.FixtureRequest) -> Callable[[Census, Kind], None]:
    """Demands that all decisions of a kind are right in a census, records how many there were, and
    shrinks what is wrong unless it is known to be. With the world at hand, what was done to packets
    of the census fails the first test that looks at it, and its failures have evidence.
    """

    def check(census: Census, concerned: Kind) -> None:
        __tracebackhide__ = True
        found = census.of(concerned)
        tally = Tally(len(found), sum(bool(each.wrong) for each in found))
        request.node.user_properties.append(("decisions", values(tally)))
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
