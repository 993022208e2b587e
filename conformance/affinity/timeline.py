"""Session affinity over time: one wait, shared by all requirements about its timeout.

Groups of clients visit Services at 0, 60 and 120 % of the timeout, in both families, over TCP and
over UDP, and what they met is recorded. Requirements are judged from the record, by the kernel's
own arrival times: where a busy machine has made a visit too late to tell which side of the timeout
it was on, that is an error, never a verdict.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from conformance.affinity.pool import CLIENTS, HOUR
from conformance.vocabulary import (
    FAMILIES,
    Crowd,
    Family,
    Port,
    Protocol,
    Sample,
    Service,
    Services,
    SocketAddress,
    TimingError,
    World,
    expect,
)
from specification.services import SessionAffinity

TIMEOUT = 2
"""timeoutSeconds of the Services, if not said otherwise: seconds."""

ROUNDS = (0.0, 0.6 * TIMEOUT, 1.2 * TIMEOUT)
"""When clients visit, seconds from the beginning."""

DEFAULT_TIMEOUT = 10_800
"""timeoutSeconds where a Service does not say, in seconds (API reference of Service)."""

Group = Literal["idle", "strangers", "regular", "default", "shortened", "lengthened"]
"""``regular`` clients come in every round, all others in the first and the last; ``strangers`` come
from outside the cluster, to the nodePort. The Services of the last three groups have the default
timeout, and one that was changed before the first round, from an hour and to an hour, after these
clients had been there once."""

_GROUPS: tuple[Group, ...] = get_args(Group)
_PROTOCOLS: tuple[Protocol, ...] = ("TCP", "UDP")
_ENDPOINTS = 4


@dataclass(frozen=True)
class Visit:
    """One new connection of each client of a group."""

    began: int
    """Before the first was sent, nanoseconds since the epoch."""
    sample: Sample

    @property
    def ended(self) -> int:
        """When the last had arrived, nanoseconds since the epoch."""
        return int(self.sample.arrival_times.max())


class Record:
    """What the clients of one group met in one family and protocol, visit by visit."""

    def __init__(self, endpoints: frozenset[SocketAddress]) -> None:
        self.endpoints = endpoints
        self.visits: list[Visit] = []

    def choices(self, visit: int) -> list[SocketAddress | None]:
        """The endpoint of each client in that visit, -1 being the last; all must have answered."""
        sample = self.visits[visit].sample
        expect(sample).delivered(to=self.endpoints)
        return sample.chosen

    def moved(self, first: int, second: int) -> int:
        """How many clients met another endpoint in the second of two visits than in the first."""
        pairs = zip(self.choices(first), self.choices(second), strict=True)
        return sum(before != after for before, after in pairs)

    def require_within(self, seconds: float, first: int, second: int) -> None:
        """Raise TimingError unless each client surely came again before ``seconds`` were over."""
        longest = (self.visits[second].ended - self.visits[first].began) / 1e9
        if longest >= seconds:
            raise TimingError(f"up to {longest:.3f} s between two visits, not below {seconds} s")

    def require_beyond(self, seconds: float, first: int, second: int) -> None:
        """Raise TimingError unless each client surely came again after ``seconds`` were over."""
        shortest = (self.visits[second].began - self.visits[first].ended) / 1e9
        if shortest <= seconds:
            raise TimingError(f"only {shortest:.3f} s between two visits, not over {seconds} s")


Records = Callable[[Group], Record]
"""The record of each group, in one family and protocol."""


class Timeline:
    """The records of all groups; making them takes a little longer than the last of ``ROUNDS``."""

    def __init__(self, world: World, names: Callable[[], str]) -> None:
        services = Services(
            world.cluster.api, world.canary, world.hosts, world.node, "IPv4", "TCP", names
        )
        try:
            made = services.create([services.spec(**_service(group)) for group in _GROUPS])
            self._services: dict[Group, Service] = dict(zip(_GROUPS, made, strict=True))
            self._records = {
                (group, family, protocol): Record(_endpoints(self._services[group], family))
                for group, family, protocol in itertools.product(_GROUPS, FAMILIES, _PROTOCOLS)
            }
            self._hosts = {
                group: world.hosts("outside" if group == "strangers" else "pod", CLIENTS)
                for group in _GROUPS
            }
            self._world = world
            changed: dict[Group, int] = {"shortened": TIMEOUT, "lengthened": HOUR}
            self._first: dict[tuple[Group, Family, Protocol], float] = {}
            self._visit(changed)
            for group, seconds in changed.items():
                self._services[group].update(session_affinity=seconds, settle=False)
            services.settle()
            for number, moment in enumerate(ROUNDS):
                inner = 0 < number < len(ROUNDS) - 1
                self._visit(["regular"] if inner else _GROUPS, moment)
        finally:
            services.close()

    def __call__(self, group: Group, family: Family, protocol: Protocol) -> Record:
        """What became of a group."""
        return self._records[group, family, protocol]

    def _visit(self, groups: Iterable[Group], seconds: float | None = None) -> None:
        """Have each group visit, in a round so many seconds after its own visit in the first one:
        however slow that was, no visit comes too early.
        """
        for group, family, protocol in itertools.product(groups, FAMILIES, _PROTOCOLS):
            first = self._first.get((group, family, protocol), 0.0)
            time.sleep(max(0.0, first + (seconds or 0.0) - time.monotonic()))
            crowd = Crowd(self._world.lab, self._hosts[group], family, protocol)
            began = time.time_ns()
            sample = crowd.connect(*self._frontend(group, family, protocol))
            self._records[group, family, protocol].visits.append(Visit(began, sample))
            if seconds is not None:
                self._first.setdefault((group, family, protocol), time.monotonic())

    def _frontend(self, group: Group, family: Family, protocol: Protocol) -> SocketAddress:
        service = self._services[group]
        if group == "strangers":
            own = self._world.node.address(family)
            return SocketAddress(own, service.node_port(protocol.lower()))
        return SocketAddress(service.cluster_ip_of(family), service.port)


def _service(group: Group) -> dict[str, Any]:
    ports = [Port(protocol=protocol, name=protocol.lower()) for protocol in _PROTOCOLS]
    affinities: dict[Group, SessionAffinity] = {"default": "ClientIP", "shortened": HOUR}
    affinity = affinities.get(group, TIMEOUT)
    kind = "NodePort" if group == "strangers" else "ClusterIP"
    return {
        "endpoints": _ENDPOINTS,
        "ports": ports,
        "session_affinity": affinity,
        "type": kind,
    }


def _endpoints(service: Service, family: Family) -> frozenset[SocketAddress]:
    ports = [port.name for port in service.spec.ports]
    return frozenset[SocketAddress]().union(*(service.endpoints_of(p, family) for p in ports))
