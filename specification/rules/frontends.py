"""Frontends: what clients can send to so that a Service proxy takes it up."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Literal

from specification.addresses import LOOPBACK, Family, IPAddress, family_of
from specification.attempts import SocketAddress
from specification.rules.state import State
from specification.services import Port, Protocol, ServiceSpec

Kind = Literal["cluster-ip", "external-ip", "load-balancer-ip", "node-port"]

Key = tuple[Protocol, SocketAddress]
"""What a client sends to, by which frontends are found."""

PROXY_NAME: Final = "service.kubernetes.io/service-proxy-name"
"""The label by which a Service is left to another proxy (KEP-2447)."""

LOCALHOST: Final = LOOPBACK["IPv4"]


@dataclass(frozen=True, eq=False)
class Frontend:
    """An address and a port by which one port of a Service is reached. Compared by identity."""

    service: ServiceSpec
    port: Port
    kind: Kind
    at: SocketAddress

    @property
    def internal(self) -> bool:
        """Whether internalTrafficPolicy rules it, not externalTrafficPolicy (KEP-2086)."""
        return self.kind == "cluster-ip"


def frontends(state: State) -> dict[Key, Frontend]:
    """All frontends of a state, by protocol and address; where several claim it, the first."""
    return {key: found[0] for key, found in claims(state).items()}


@functools.lru_cache(maxsize=16)
def claims(state: State) -> dict[Key, tuple[Frontend, ...]]:
    """All frontends of a state, by protocol and address: more than one where several claim it.

    Addresses of Services come before nodePorts: where one is the node's own, a nodePort of the same
    number gives way. (kube-proxy's unit tests; nothing else speaks of it.)
    """
    found: dict[Key, list[Frontend]] = {}
    for service in filter(is_proxied, state.services):
        for port in service.ports:
            for kind, at in dict.fromkeys(_addresses(state, service, port)):
                found.setdefault((port.protocol, at), []).append(Frontend(service, port, kind, at))
    return {key: _first(each) for key, each in found.items()}


def is_proxied(service: ServiceSpec) -> bool:
    """A Service is a proxy's business unless it is headless, stands for a name (ExternalName), or
    is labelled for another proxy.

    Source: docs, Virtual IPs and Service Proxies; KEP-2447.
    """
    left = service.headless or service.type == "ExternalName" or service.slices_only
    return not left and PROXY_NAME not in service.labels


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


@functools.lru_cache(maxsize=16)
def owned(state: State) -> dict[IPAddress, set[Kind]]:
    """As what each address belongs to Services."""
    found: dict[IPAddress, set[Kind]] = {}
    for service in filter(is_proxied, state.services):
        for kind, address in addresses_of(state, service):
            found.setdefault(address, set()).add(kind)
    return found


def node_port_addresses(state: State, service: ServiceSpec) -> list[IPAddress]:
    """The node's addresses at which the nodePorts of a Service are served for certain: those that
    nodePortAddresses names, or the primary ones; and 127.0.0.1, where the configuration says so.
    Never ::1. (A gate that is alpha has TCP connections to both relayed: KEP-6032.)

    Source: kube-proxy Configuration (v1alpha1), nodePortAddresses, localhostNodePorts;
    docs, Virtual IPs and Service Proxies.
    """
    if service.type not in ("NodePort", "LoadBalancer"):
        return []
    wanted, primary = state.configuration.node_port_addresses or (), state.node.primary.values()
    chosen = [
        each
        for each in state.node.addresses
        if any(each in network for network in wanted) or (each in primary and not wanted)
    ]
    chosen += [LOCALHOST] if state.configuration.localhost_node_ports else []
    return [each for each in chosen if family_of(each) in service.families]


def names_node_ports_of(state: State, family: Family) -> bool:
    """Whether nodePortAddresses says anything about a family."""
    wanted = state.configuration.node_port_addresses or ()
    return any(family_of(each.network_address) == family for each in wanted)


def _addresses(
    state: State, service: ServiceSpec, port: Port
) -> Iterator[tuple[Kind, SocketAddress]]:
    for kind, address in addresses_of(state, service):
        yield kind, SocketAddress(address, port.number)
    if port.node_port:
        for address in node_port_addresses(state, service):
            yield "node-port", SocketAddress(address, port.node_port)


def _first(found: list[Frontend]) -> tuple[Frontend, ...]:
    """Those that come before the others."""
    own = tuple(each for each in found if each.kind != "node-port")
    return own or tuple(found)
