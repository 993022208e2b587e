"""The wide census without a node: what will be decided, and which Services are enough for it."""

from __future__ import annotations

import itertools
import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Final

from conformance.census import aims
from conformance.census.combinations import kinds
from conformance.census.decision import EVERYWHERE, ON_WIRES, Decision
from specification.addresses import FAMILIES, SERVICE_RANGES, family_of, node_address
from specification.attempts import Attempt, SocketAddress
from specification.features import FEATURES
from specification.places import ZONES, Host, Vantage
from specification.rules.allowed import allowed
from specification.rules.frontends import Frontend
from specification.rules.state import Node, State
from specification.services import ServiceSpec

ADDRESSES: Final = tuple(node_address(0, family) for family in FAMILIES)
_CLIENTS: Final[dict[Vantage, Host]] = {
    "pod": Host("pod", 200),
    "remote-pod": Host("remote-pod", 200, 1),
    "outside": Host("outside", 200),
    "node": Host("node", 0, own=ADDRESSES),
}


def decisions(
    specs: Sequence[ServiceSpec],
    node: str,
    features: frozenset[str] = frozenset(FEATURES),
    vantages: Sequence[Vantage] = EVERYWHERE,
) -> Iterator[Decision]:
    """What is right of all that would be tried; nothing is said to be wrong."""
    services = tuple(itertools.starmap(stored, enumerate(specs)))
    state = State(services, Node(node, ADDRESSES, ZONES[0]), features=features)
    for aim, attempt, vantage in attempts(state, vantages):
        if vantage != "node" or aim.port.protocol == "UDP":
            yield Decision(aim, attempt, vantage, allowed(state, attempt, vantage), "")


def attempts(
    state: State, vantages: Sequence[Vantage] = EVERYWHERE
) -> Iterator[tuple[Frontend, Attempt, Vantage]]:
    """All that clients can send to the Services of ``state``, or take for theirs."""
    for aim in aims.served(state) + aims.unserved(state):
        for vantage in vantages:
            client = SocketAddress(_CLIENTS[vantage].address(family_of(aim.at.address)), 40_000)
            yield aim, Attempt(aim.port.protocol, client, aim.at), vantage


def enough(
    specs: Sequence[ServiceSpec], node: str, features: frozenset[str], draw: random.Random
) -> tuple[list[ServiceSpec], list[ServiceSpec]]:
    """Some of the Services, drawn, which show something of every kind where all of them are tried
    over wires, and the second ones, which are among the first, by processes on the node.
    """

    def showing(wanted: Collection[str], vantages: Sequence[Vantage]) -> list[ServiceSpec]:
        """Each shows one of the kinds that are ``wanted`` and that those before it do not show."""
        chosen, missing = list[ServiceSpec](), set(wanted)
        for spec in draw.sample(specs, len(specs)):
            shown = {
                name
                for each in decisions([spec], node, features, vantages)
                if not each.allowed.undecided and not kinds.told_elsewhere(each)
                for name in missing
                if kinds.ALL[name](each)
            }
            if shown:
                chosen.append(spec)
                missing -= shown
            if not missing:
                break
        return chosen

    here = showing(kinds.OF_THE_NODE, ["node"])
    on_wires = showing(kinds.ALL.keys() - kinds.OF_THE_NODE, ON_WIRES)
    return here + [each for each in on_wires if each not in here], here


def stored(number: int, spec: ServiceSpec) -> ServiceSpec:
    """As the API server might return it."""
    bare = not spec.allocate_load_balancer_node_ports or spec.type == "ClusterIP"
    ports = (
        replace(each, node_port=None if bare else 30_000 + 4 * number + place)
        for place, each in enumerate(spec.ports)
    )
    ips = tuple(SERVICE_RANGES[family][1_000 + number] for family in spec.families)
    return replace(spec, ports=tuple(ports), cluster_ips=ips)
