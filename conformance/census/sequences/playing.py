"""Playing a sequence: its operations are done to the API, the node and the proxy, and settled."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from conformance.census.census import stored
from conformance.census.combinations.shapes import (
    ALSO_SERVED,
    ELSEWHERE,
    SERVED,
    Cast,
)
from conformance.census.sequences.between import between
from conformance.census.sequences.operations import (
    Create,
    Delete,
    Operation,
    Outage,
    Restart,
    Step,
    There,
    spec,
)
from fixtures.services.services import Service, Services
from fixtures.world import zone
from fixtures.world.relay import Relay, asked
from fixtures.world.world import World
from specification.addresses import FAMILIES
from specification.errors import SettleError
from specification.rules.state import Node, State
from specification.services import TOPOLOGY_MODE, ServiceSpec

NUMBERS: Final = 1_000
"""So many Services have names and ports that no other has; then the first ones come again."""

TURNS: Final = 32
"""So many sequences have external IPs and load balancer's IPs that no other has."""

_ZONES: Final = ("zone-a", "zone-b", "zone-c")


class Player:
    """Plays one sequence after the other on one node. No two that follow each other have names,
    ports or addresses of Services in common: none suffers from what the proxy has not forgotten of
    another.
    """

    def __init__(
        self,
        world: World,
        services: Services,
        features: frozenset[str],
        relay: Relay | None = None,
    ) -> None:
        """An outage needs a ``relay`` on the proxy's way to the API server."""
        self.world = world
        self.relay = relay
        self._services = services
        self._features = features
        self._cast = Cast.of(world.hosts, world.node.name)
        self._first = self._turn = 0
        self._there = There({})
        told = world.zone_told == world.node.proxy.seconds_to_ready
        self._zone = self._there.zone if told else None
        """The zone that the proxy knows the node to be in."""
        self._written = self._there.zone
        self._made: dict[int, Service] = {}
        hinted = [services.endpoint("remote-pod", for_zones=(each,)) for each in _ZONES]
        self._witness = services(
            hinted, name=f"canary-zone-{world.node.name}", annotations=TOPOLOGY_MODE
        )
        """Shows which zone the proxy heeds: a canary of its own."""

    def begin(self, slots: int) -> None:
        """Begin another sequence, with room for so many Services: nothing is there."""
        self.world.configure(None)
        self.clear()
        self.world.node.forget_connections()
        self._first = (self._first + slots) % (NUMBERS - slots)
        self._turn = (self._turn + 1) % TURNS

    def step(self, step: Step) -> list[State]:
        """Do all of a step, and have it in force; the states that were there, of which the last
        decides by now.
        """
        with self._away() if Outage() in step else contextlib.nullcontext():
            states = [state for each in step for state in self._do(each)]
        self._settle()
        return [*states, self._state()]

    def number(self, name: str) -> int:
        """The number in the sequence of the Service of that name."""
        return int(name.rpartition("-")[2]) - self._first

    def close(self) -> None:
        """Leave nothing behind."""
        self._services.remove([self._witness])

    def clear(self) -> None:
        """Have nothing be there but what the next sequence needs."""
        self._there = There({})
        if self._made or self._zone != self._there.zone:
            self._services.remove(self._made.values())
            self._made = {}
            self._settle()

    @contextlib.contextmanager
    def _away(self) -> Iterator[None]:
        """Have the proxy ask in vain, before anything is done and after it."""
        if self.relay is None:
            raise LookupError("nothing stands on the proxy's way to its API server")
        with self.relay.treating("refused") as counts:
            asked(counts)
            yield
            counts.clear()
            asked(counts)

    def _do(self, operation: Operation) -> Iterator[State]:
        """Do it; what is there in between, and after it."""
        self._there = operation.after(self._there)
        if isinstance(operation, Restart):
            self.world.node.proxy.restart(None)
            self.world.canary.settle(removed=False, started=True)
            self._zone = None
        number: int = getattr(operation, "number", -1)
        if number in self._made and isinstance(operation, Create | Delete):
            self._made.pop(number).delete(settle=False)
            yield self._state()
        if row := self._there.rows.get(number):
            aside = self._turn * len((SERVED, ALSO_SERVED, ELSEWHERE))
            wanted = spec(self._first + number, row, self._cast, aside)
            if number in self._made:
                old = stored(self._made[number])
                self._made[number].become(wanted, settle=False)
                for each in between(old, stored(self._made[number])):
                    yield self._state({number: each})
            else:
                [self._made[number]] = self._services.create([wanted], settle=False)
        yield self._state()

    def _settle(self) -> None:
        """Have all in force that was done. After a start a proxy may not know the zone, and is told
        by way of another one (the requirement topo-zone-at-start): one that is written already
        would be no change.

        Raises:
            SettleError: the proxy does not heed the node's zone.
        """
        wanted = self._there.zone
        if self._zone is None:
            self._move(next(each for each in _ZONES if each not in (wanted, self._written)))
        if self._zone != wanted:
            self._move(wanted)
        self._services.settle(syncs=2)

    def _move(self, to: str) -> None:
        self._written = to
        heeded = zone.move(self.world, self._witness, to)
        if not heeded and self.world.node.proxy.implementation.settles:
            raise SettleError(f"the proxy does not heed that its node is in {to} by now")
        self._zone = to

    def _state(self, instead: Mapping[int, ServiceSpec] = MappingProxyType({})) -> State:
        """What decides, with these Services ``instead`` of those of their numbers."""
        node = self.world.node
        addresses = tuple(map(node.address, FAMILIES))
        there = {number: stored(each) for number, each in self._made.items()}
        return State(
            tuple({**there, **instead}.values()),
            Node(node.name, addresses, self._there.zone),
            features=self._features,
        )
