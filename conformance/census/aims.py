"""What a census sends to: the frontends of Services, and addresses that are taken for such."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Final

from specification.attempts import SocketAddress
from specification.rules.frontends import Frontend, Kind, claims, frontends
from specification.rules.state import State
from specification.services import Port, ServiceSpec

UNSERVED: Final = 1
"""A port that no Service has: tcpmux (RFC 1078)."""


def served(state: State) -> list[Frontend]:
    """Everything that the Services of ``state`` are reached by."""
    return list(frontends(state).values())


def unserved(state: State) -> list[Frontend]:
    """What might be taken for their frontends and is none: the addresses of Services that are left
    to another proxy, and of load balancers that take their connections themselves; ports that a
    Service does not have, and its nodePorts at addresses other than the node's.
    """
    known = claims(state)
    found: dict[tuple[str, str, Kind, SocketAddress], Frontend] = {}
    for service in state.services:
        for port in service.ports:
            for kind, at in _beside(state, service, port):
                if (port.protocol, at) not in known:
                    key = service.name, port.protocol, kind, at
                    found.setdefault(key, Frontend(service, port, kind, at))
    return list(found.values())


def like(one: Frontend, aims: Iterable[Frontend]) -> list[Frontend]:
    """The aims of the same kind, family and protocol."""
    wanted = one.kind, one.port.protocol, one.at.address.version
    return [
        each for each in aims if (each.kind, each.port.protocol, each.at.address.version) == wanted
    ]


def _beside(state: State, service: ServiceSpec, port: Port) -> Iterator[tuple[Kind, SocketAddress]]:
    addresses: list[tuple[Kind, object]] = [
        *(("cluster-ip", each) for each in service.cluster_ips),
        *(("external-ip", each) for each in service.external_ips),
        *(("load-balancer-ip", each.ip) for each in service.ingress if each.ip),
    ]
    for kind, address in addresses:
        for number in (port.number, UNSERVED, port.node_port):
            if number:
                yield kind, SocketAddress(ip_address(str(address)), number)
    for address in state.node.primary.values():
        # how a node refuses SCTP at a port of its own depends on its kernel
        if port.node_port and port.protocol != "SCTP":
            yield "node-port", SocketAddress(address, port.node_port)
