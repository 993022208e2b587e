"""Frontends: what clients can send to so that a Service proxy takes it up."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Literal

from specification.addresses import IPAddress, family_of
from specification.attempts import SocketAddress
from specification.rules.state import State
from specification.services import HEADLESS, Port, Protocol, ServiceSpec

Kind = Literal["cluster-ip", "external-ip", "load-balancer-ip", "node-port"]

PROXY_NAME: Final = "service.kubernetes.io/service-proxy-name"
"""The label by which a Service is left to another proxy (KEP-2447)."""


@dataclass(frozen=True)
class Frontend:
    """An address and a port by which one port of a Service is reached."""

    service: ServiceSpec
    port: Port
    kind: Kind
    at: SocketAddress

    @property
    def internal(self) -> bool:
        """Whether internalTrafficPolicy rules it, not externalTrafficPolicy (KEP-2086)."""
        return self.kind == "cluster-ip"


@functools.lru_cache(maxsize=16)
def frontends(state: State) -> dict[tuple[Protocol, SocketAddress], Frontend]:
    """All frontends of a state, by protocol and address. Where two Services claim the same, the
    first has it.
    """
    found: dict[tuple[Protocol, SocketAddress], Frontend] = {}
    for service in filter(is_proxied, state.services):
        for port in service.ports:
            for kind, at in _addresses(state, service, port):
                found.setdefault((port.protocol, at), Frontend(service, port, kind, at))
    return found


def is_proxied(service: ServiceSpec) -> bool:
    """A Service is a proxy's business unless it is headless, stands for a name (ExternalName), or
    is labelled for another proxy.

    Source: docs, Virtual IPs and Service Proxies; KEP-2447.
    """
    labels = service.labels
    left = service.headless or service.type == "ExternalName" or service.slices_only
    return not (left or PROXY_NAME in labels or HEADLESS in labels)


def addresses_of(state: State, service: ServiceSpec) -> Iterator[tuple[Kind, IPAddress]]:
    """The addresses that belong to a Service alone, of the families that it has.

    A load balancer's IP is the node's business unless its ipMode is Proxy (KEP-1860); a name
    instead of an IP never is. externalIPs are served by every type of Service.
    """
    external = service.external_ips if state.configuration.external_ips else ()
    named: list[tuple[Kind, IPAddress]] = [
        *(("cluster-ip", each) for each in service.cluster_ips),
        *(("external-ip", ip_address(str(each))) for each in external),
        *(
            ("load-balancer-ip", each.ip)
            for each in service.ingress
            if each.ip and each.ip_mode != "Proxy"
        ),
    ]
    return (entry for entry in named if family_of(entry[1]) in service.families)


def node_port_addresses(state: State, service: ServiceSpec) -> list[IPAddress]:
    """The node's addresses at which the nodePorts of a Service are served: those that
    nodePortAddresses names, or the primary ones, of the families that the Service has.

    Source: kube-proxy Configuration (v1alpha1), nodePortAddresses.
    """
    if service.type not in ("NodePort", "LoadBalancer"):
        return []
    own, wanted = state.node.addresses, state.configuration.node_port_addresses
    primary = {family_of(each): each for each in reversed(own)}.values()
    chosen = primary if wanted is None else (a for a in own if any(a in each for each in wanted))
    return [each for each in chosen if family_of(each) in service.families]


def _addresses(
    state: State, service: ServiceSpec, port: Port
) -> Iterator[tuple[Kind, SocketAddress]]:
    for kind, address in addresses_of(state, service):
        yield kind, SocketAddress(address, port.number)
    if port.node_port:
        for address in node_port_addresses(state, service):
            yield "node-port", SocketAddress(address, port.node_port)
