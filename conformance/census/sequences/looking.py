"""What is looked at once a step is in force: a sample of the decisions, all flows that are open."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from conformance.census import aims, census
from conformance.census.account import Account
from conformance.census.decision import ON_WIRES, Decision
from conformance.census.sequences.carried import Carried, Group
from fixtures.world.world import World
from specification.addresses import FAMILIES, Family, family_of
from specification.attempts import Attempt, SocketAddress
from specification.places import Vantage
from specification.rules.allowed import Allowed, allowed
from specification.rules.frontends import Frontend, Key, claims
from specification.rules.state import State
from specification.services import ServiceSpec

GOING: Final = 8
"""Addresses that are tried of those that a step has taken from Services."""
CHANGED: Final = 20
"""Addresses that are tried of Services that it has changed."""
OTHERS: Final = 6
"""Addresses that are tried of Services that it has not changed, and that had gone before."""
VANTAGES: Final = 2
"""Places from which they are tried."""
FLOWS: Final = 8
"""Flows that are opened from each of these places, over TCP and as many over UDP."""


@dataclass(frozen=True)
class Interest:
    """What alone is to be looked at, and then all of it: what is like a decision."""

    wrong: Decision

    @property
    def family(self) -> Family:
        """The family of its addresses."""
        return family_of(self.wrong.attempt.target.address)

    @property
    def flows(self) -> bool:
        """Whether it is about flows that are open, or else about new connections."""
        return isinstance(self.wrong, Carried)

    def covers(self, each: Frontend) -> bool:
        """Whether it is addressed alike."""
        return _address(each) == _address(self.wrong.frontend)

    def like(self, each: Decision) -> bool:
        """Whether something alike is right."""
        return _outcomes(each.allowed) == _outcomes(self.wrong.allowed)


def _address(each: Frontend) -> tuple[object, ...]:
    own = {each.port.number: "port", each.port.node_port: "nodePort"}
    number = own.get(each.at.port, each.at.port)
    return each.kind, family_of(each.at.address), each.port.protocol, number


def _outcomes(right: Allowed) -> tuple[bool, ...]:
    return bool(right.deliveries), right.refused, right.dropped, right.passed


class Looks:
    """What is looked at while one sequence is played; by processes on the node, too, if
    ``processes`` holds.
    """

    def __init__(
        self,
        world: World,
        draw: random.Random,
        *,
        processes: bool,
        interest: Interest | None = None,
    ) -> None:
        self._world = world
        self._draw = draw
        self._vantages = (*ON_WIRES, *(("node",) if processes else ()))
        self._interest = interest
        self._before: Collection[ServiceSpec] = ()
        self._had: dict[Key, Frontend] = {}
        self._gone: Collection[Key] = ()
        self._groups: list[Group] = []
        self._last: State | None = None

    def at(self, states: Sequence[State], *, started: bool) -> Iterator[Decision]:
        """Look at what is in force, the last of the ``states`` that have been there, in which the
        proxy was ``started`` or not: at the flows that are open, then at new connections, some of
        which stay.
        """
        *since, state = states
        if self._last:
            since.insert(0, self._last)
        self._last = state
        for each in self._groups:
            yield from each.messages(state, since, started=started)
        self._groups = [each for each in self._groups if each]
        only = self._interest
        if only is None or not only.flows:
            yield from self._new(state)
        if only is None or only.flows:
            self._open(state)

    def _new(self, state: State) -> Iterator[Decision]:
        claimed = claims(state)
        gone = {key: each for key, each in self._had.items() if key not in claimed}
        changed = {each.name for each in state.services if each not in self._before}
        there = aims.served(state) + aims.unserved(state)
        going = [each for key, each in gone.items() if key not in self._gone]
        touched = [each for each in there if each.service.name in changed]
        others = [each for each in there if each.service.name not in changed]
        others += [each for key, each in gone.items() if key in self._gone]
        chosen = (
            self._some(going, GOING) + self._some(touched, CHANGED) + self._some(others, OTHERS)
        )
        only = self._interest
        vantages = [only.wrong.vantage] if only else self._draw.sample(self._vantages, VANTAGES)
        yield from census.take(self._world, state, chosen, vantages, Account(), forget=False)
        self._before = state.services
        self._had |= {key: found[0] for key, found in claimed.items()}
        self._gone = gone.keys()

    def _open(self, state: State) -> None:
        only = self._interest
        vantages = [only.wrong.vantage] if only else self._draw.sample(ON_WIRES, VANTAGES)
        for vantage in vantages:
            self._open_from(vantage, state)

    def _open_from(self, vantage: Vantage, state: State) -> None:
        only = self._interest
        family = only.family if only else self._draw.choice(FAMILIES)
        [host] = self._world.hosts(vantage)
        client = SocketAddress(host.address(family), 0)
        for protocol in (only.wrong.attempt.protocol,) if only else ("TCP", "UDP"):
            served = [
                each
                for each in aims.served(state)
                if (family_of(each.at.address), each.port.protocol) == (family, protocol)
                if allowed(state, Attempt(protocol, client, each.at), vantage).deliveries
            ]
            if some := self._some(served, FLOWS):
                self._groups.append(Group(self._world, host, vantage, protocol, some))

    def _some(self, found: Iterable[Frontend], most: int) -> list[Frontend]:
        if self._interest:
            return [each for each in found if self._interest.covers(each)]
        listed = list(found)
        return self._draw.sample(listed, min(most, len(listed)))
