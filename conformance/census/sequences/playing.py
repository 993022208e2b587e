"""Playing a sequence: its operations are done to the API, the node and the proxy, and settled."""

from __future__ import annotations

from typing import Final

from conformance.census.census import stored
from conformance.census.combinations.shapes import (
    ALSO_SERVED,
    ELSEWHERE,
    SERVED,
    Cast,
)
from conformance.census.sequences.operations import (
    Create,
    Delete,
    Operation,
    Restart,
    Step,
    There,
    spec,
)
from fixtures.services.services import Service, Services
from fixtures.world import zone
from fixtures.world.world import World
from specification.addresses import FAMILIES
from specification.errors import SettleError
from specification.rules.frontends import Key, claims
from specification.rules.state import Node, State

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

    def __init__(self, world: World, services: Services, features: frozenset[str]) -> None:
        self.world = world
        self._services = services
        self._features = features
        self._cast = Cast.of(world.hosts, world.node.name)
        self._first = self._turn = 0
        self._there = There({})
        told = world.zone_told == world.node.proxy.seconds_to_ready
        self._zone = self._there.zone if told else None
        """The zone that the proxy knows the node to be in."""
        self._made: dict[int, Service] = {}
        hinted = [services.endpoint("remote-pod", for_zones=(each,)) for each in _ZONES]
        self._witness = services(hinted, name=f"canary-zone-{world.node.name}")
        """Shows which zone the proxy heeds: a canary of its own."""

    def begin(self, slots: int) -> None:
        """Begin another sequence, with room for so many Services: nothing is there."""
        self.world.configure(None)
        self.clear()
        self.world.node.forget_connections()
        self._first = (self._first + slots) % (NUMBERS - slots)
        self._turn = (self._turn + 1) % TURNS

    def step(self, step: Step) -> tuple[State, frozenset[Key]]:
        """Do all of a step, and have it in force; what decides then, and which frontends the proxy
        may have seen gone while it was done, so that it ends what was there.
        """
        interrupted = frozenset[Key]()
        for each in step:
            before = self._claimed()
            self._do(each)
            interrupted |= {key for key, _ in before - self._claimed()}
        self._settle()
        return self._state(), interrupted

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

    def _do(self, operation: Operation) -> None:
        self._there = operation.after(self._there)
        if isinstance(operation, Restart):
            self.world.node.proxy.restart(None)
            self.world.canary.settle(removed=False, started=True)
            self._zone = None
        number = getattr(operation, "number", None)
        if number is None:
            return
        row, made = self._there.rows.get(number), self._made.get(number)
        if made and isinstance(operation, Create | Delete):
            self._made.pop(number).delete(settle=False)
            made = None
        if row is None:
            return
        aside = self._turn * len((SERVED, ALSO_SERVED, ELSEWHERE))
        wanted = spec(self._first + number, row, self._cast, aside)
        if made:
            made.become(wanted, settle=False)
        else:
            [self._made[number]] = self._services.create([wanted], settle=False)

    def _settle(self) -> None:
        """Have all in force that was done. After a start a proxy may not know the zone, and is told
        by way of another one (the requirement topo-zone-at-start).

        Raises:
            SettleError: the proxy does not heed the node's zone.
        """
        wanted = self._there.zone
        if self._zone is None:
            self._move(next(each for each in _ZONES if each != wanted))
        if self._zone != wanted:
            self._move(wanted)
        self._services.settle(syncs=2)

    def _move(self, to: str) -> None:
        if not zone.move(self.world, self._witness, to):
            raise SettleError(f"the proxy does not heed that its node is in {to} by now")
        self._zone = to

    def _claimed(self) -> frozenset[tuple[Key, str]]:
        """All frontends, and the uid of the Service that each leads to: another one's, of the same
        name, is another frontend.
        """
        return frozenset(
            (key, self._made[self.number(each.service.name)].object["metadata"]["uid"])
            for key, found in claims(self._state()).items()
            for each in found
        )

    def _state(self) -> State:
        node = self.world.node
        addresses = tuple(map(node.address, FAMILIES))
        return State(
            tuple(map(stored, self._made.values())),
            Node(node.name, addresses, self._there.zone),
            features=self._features,
        )
