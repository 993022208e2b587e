"""What tells Services apart for whoever asks which of them a rule is about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from specification.services import ServiceSpec

Trait = Literal[
    "TCP",
    "UDP",
    "SCTP",
    "IPv4",
    "IPv6",
    "node-port",
    "external-ip",
    "load-balancer-ip",
    "exposed",
    "affinity",
    "affinity-timeout",
    "internal-local",
    "external-local",
    "source-ranges",
    "hints",
    "external-endpoints",
]


def of(service: ServiceSpec) -> frozenset[Trait]:
    """All that a Service has."""
    return frozenset(_found(service))


def _found(service: ServiceSpec) -> Iterator[Trait]:
    yield from service.families
    for port in service.ports:
        yield port.protocol
    if any(each.ip for each in service.ingress):
        yield "load-balancer-ip"
    if service.external_ips:
        yield "external-ip"
    if service.type in ("NodePort", "LoadBalancer") and service.allocate_load_balancer_node_ports:
        yield "node-port"
    if service.exposed:
        yield "exposed"
    if service.session_affinity != "None":
        yield "affinity"
    if isinstance(service.session_affinity, int):
        yield "affinity-timeout"
    if service.internal_traffic_policy == "Local":
        yield "internal-local"
    if service.exposed and service.external_traffic_policy == "Local":
        yield "external-local"
    if service.load_balancer_source_ranges:
        yield "source-ranges"
    if any(each.for_zones or each.for_nodes for each in service.endpoints):
        yield "hints"
    if any(each.host.node_name("") is None for each in service.endpoints):
        yield "external-endpoints"
