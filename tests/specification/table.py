"""Facts as rows of a table, to hold the specification against.

A line without columns says whose facts follow, an indented one which of them. A row says where the
client is and which frontend it sends to, which endpoints there are, and the answer; then what is
not as usual, and why a peer that says so contradicts the specification::

    TestExternalTrafficPolicyLocal
      from outside
        outside > lb | l r | l by client | etp=Local |

Every row is two cases: one of each family, unless it says which one.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from specification.addresses import CLUSTER_CIDRS, FAMILIES, Family
from specification.attempts import Attempt, SocketAddress
from specification.places import Place
from specification.rules.allowed import Allowed, allowed
from specification.rules.flows import Flow, goes_on
from specification.rules.sources import Seen
from specification.rules.state import Configuration, Remembered, State
from specification.services import Protocol
from tests.specification.shapes import SHAPES
from tests.specification.world import (
    CLIENTS,
    FEATURES,
    HOSTS,
    NODE,
    beside,
    networks,
    target,
    usual,
)


@dataclass(frozen=True)
class Row:
    """One fact."""

    who: str
    vantage: str
    frontend: str
    endpoints: str
    answer: str
    unusual: str
    contradicts: str

    def __str__(self) -> str:
        said = f"{self.who}: {self.vantage} to {self.frontend} of {self.endpoints}"
        return " ".join(f"{said} {self.unusual}".split())

    @functools.cached_property
    def options(self) -> dict[str, str]:
        """What is not as usual, by name."""
        parts = (each.partition("=") for each in self.unusual.split())
        return {name: value for name, _, value in parts}

    def cases(self) -> Iterator[Case]:
        """The row in each family that it holds for."""
        for family in FAMILIES:
            if not self.options.keys() & {"v4", "v6"} or f"v{family[-1]}" in self.options:
                between = self.options.get("since")
                since = () if between is None else (self._state(family, between.replace("+", " ")),)
                yield Case(self, family, self._state(family), *self._attempt(family), since)

    def _state(self, family: Family, endpoints: str = "") -> State:
        options = self.options
        service = replace(usual(endpoints or self.endpoints), **_service_options(options))
        services = SHAPES[options["shape"]](service) if "shape" in options else (service,)
        features = set[str]() if "lean" in options else set(FEATURES)
        features |= {name[1:] for name in options if name[0] == "+"}
        features -= {name[1:] for name in options if name[0] == "-"}
        affinity = {}
        if "was" in options:
            name, _, idle = options["was"].partition("/")
            at = SocketAddress(HOSTS[name].address(family), 8080)
            client = CLIENTS[self.vantage].address(family)
            affinity[client, "default", "web", "web"] = Remembered(at, float(idle))
        zone = options.get("zone", NODE.zone)
        return State(
            (*services, *beside()),
            replace(NODE, zone=None if zone == "none" else zone),
            _configuration(options),
            frozenset(features),
            affinity,
        )

    def _attempt(self, family: Family) -> tuple[Attempt, Place]:
        others: tuple[Protocol, ...] = ("UDP", "SCTP")
        named = (each for each in others if each.lower() in self.options)
        protocol: Protocol = next(named, "TCP")
        at = target(self.frontend, family)
        who, _, address = self.vantage.partition("@")  # by another address than its own
        host = CLIENTS[who]
        client = target(address, family).address if address else host.address(family)
        return Attempt(protocol, SocketAddress(client, 40000), at), host.place


def _service_options(options: dict[str, str]) -> dict[str, Any]:
    """The fields of the Service that options name."""
    found: dict[str, Any] = {}
    if "etp" in options:
        found["external_traffic_policy"] = options["etp"]
    if "itp" in options:
        found["internal_traffic_policy"] = options["itp"]
    if "ranges" in options:
        found["load_balancer_source_ranges"] = tuple(networks(options["ranges"]))
    if "sticky" in options:
        found["session_affinity"] = int(options["sticky"] or 0) or "ClientIP"
    if "type" in options:
        found["type"] = options["type"]
    if "only" in options:  # of one family
        found["families"] = (f"IPv{options['only']}",)
    return found


def _configuration(options: dict[str, str]) -> Configuration:
    detect = options.get("detect")
    pods = None if detect in (None, "link") else tuple(networks(detect))
    return Configuration(
        pod_networks=tuple(CLUSTER_CIDRS.values()) if pods is None else pods,
        pods_by_link=detect == "link",
        masquerade_all="masquerade-all" in options,
        node_port_addresses=tuple(networks(options["npa"])) if "npa" in options else None,
        localhost_node_ports="localhost" in options,
        external_ips="no-eip" not in options,
    )


@dataclass(frozen=True)
class Case:
    """A row in one family."""

    row: Row
    family: Family
    state: State
    attempt: Attempt
    place: Place
    since: tuple[State, ...]
    """What was there in between, where a flow has gone on from before."""

    def __str__(self) -> str:
        return f"{self.row}, {self.family}"

    @functools.cached_property
    def expected(self) -> Allowed:
        """The row's answer, as the specification would say it."""
        answer, _, seen = self.row.answer.partition(" by ")
        if seen:
            ends = (part.partition(":") for part in answer.split())
            at = [
                SocketAddress(HOSTS[name].address(self.family), int(port or 8080))
                for name, _, port in ends
            ]
            kind: Seen = seen  # type: ignore[assignment]
            return Allowed(dict.fromkeys(at, kind))
        if answer == "open":
            return Allowed(undecided="open")
        words = answer.split("/")
        unknown = set(words) - {"refused", "dropped", "passed"}
        assert not unknown, (self.row, unknown)
        refused, dropped, passed = (each in words for each in ("refused", "dropped", "passed"))
        return Allowed({}, refused, dropped, passed)

    @property
    def answered(self) -> Allowed:
        """What the specification says."""
        if "had" not in self.row.options:
            return allowed(self.state, self.attempt, self.place)
        name, _, seen = self.row.options["had"].partition("/")
        endpoint = SocketAddress(HOSTS[name].address(self.family), 8080) if name else None
        had: Seen = "node" if seen == "node" else "client"
        return goes_on(self.state, Flow(self.attempt, endpoint, had), self.place, since=self.since)

    @property
    def holds(self) -> bool:
        """Whether it says what the row says."""
        said, expected = self.answered, self.expected
        return replace(said, because=(), undecided="open" if said.undecided else "") == expected


def table(text: str) -> list[Row]:
    """The rows of a table."""
    rows, whose, which = list[Row](), "", ""
    for line in filter(None, map(str.rstrip, text.splitlines())):
        if "|" in line:
            ends, endpoints, answer, *rest = (cell.strip() for cell in line.split("|"))
            vantage, _, frontend = ends.partition(" > ")
            unusual, contradicts = (*rest, "", "")[:2]
            who = f"{whose}: {which}" if which else whose
            rows.append(
                Row(who, vantage.strip(), frontend.strip(), endpoints, answer, unusual, contradicts)
            )
        elif line[0] == " ":
            which = line.strip()
        else:
            whose, which = line, ""
    return rows
