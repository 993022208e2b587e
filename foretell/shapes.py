"""What Services are like, without what no rule looks at: names, numbers, and which addresses they
are. Thousands of Services have a few shapes; a shape is decided about once.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Final, NamedTuple

from specification.addresses import (
    EXTERNAL_IPS,
    LOAD_BALANCER_IPS,
    OUTSIDE,
    SERVICE_RANGES,
    Family,
    IPAddress,
    IPNetwork,
    family_of,
    networks,
)
from specification.places import ZONES, Host
from specification.services import (
    TOPOLOGY_MODE,
    Endpoint,
    Ingress,
    Port,
    Protocol,
    ServiceSpec,
    Slice,
)

NODE: Final = "here"
"""The name of the node that shapes are seen from."""

_ELSEWHERE: Final = "elsewhere"
_ZERO: Final = networks("0.0.0.0/0", "::/0")
NOWHERE: Final = networks("192.0.2.250/32", "2001:db8:0:1::fa/128")
"""Where nobody has an address."""
_PORT, _TARGET, _NODE_PORT = 80, 8080, 30_080


class _Condition(NamedTuple):
    """All that tells an endpoint from others, for a node."""

    family: Family
    local: bool
    on_a_node: bool
    ready: bool
    serving: bool | None
    terminating: bool
    zones: bool | None
    """Whether it is hinted for the node's zone; ``None``: for no zone."""
    nodes: bool | None


class _Kind(NamedTuple):
    """All that tells a port from others."""

    protocol: Protocol
    has_node_port: bool
    conditions: frozenset[_Condition]


@dataclass(frozen=True)
class Shape:
    """What a Service is like, seen from a node."""

    spec: ServiceSpec
    zoned: bool
    """Whether the node has a zone."""


def of(service: ServiceSpec, zones: Mapping[str, str | None]) -> frozenset[Shape]:
    """The shapes of a Service on the nodes that there are, by their zones: it may be another one on
    each, since endpoints are local on some.
    """
    with_endpoints = {each.node_name for each in service.endpoints if each.node_name}
    seen = [(name, zones.get(name)) for name in with_endpoints]
    hinted = any(each.for_zones for each in service.endpoints)
    others = (name for name in zones if name not in with_endpoints)
    if hinted:  # one of each zone
        seen += {zones[name]: (name, zones[name]) for name in others}.values()
    else:
        seen += [(name, zones[name]) for name in list(others)[:1]]
    if not seen:
        seen = [(_ELSEWHERE, None)]
    return frozenset(shape for name, zone in seen for shape in seen_from(service, name, zone))


def seen_from(service: ServiceSpec, node: str, zone: str | None) -> Iterator[Shape]:
    """The shape of a Service on one node, which is in that zone; two, where it has source ranges:
    with clients in them, and without.
    """
    kinds = dict.fromkeys(
        _Kind(
            port.protocol,
            bool(port.node_port),
            frozenset(_conditions(service, port, node, zone)),
        )
        for port in service.ports
    )
    hinted = any(each.zones is not None for kind in kinds for each in kind.conditions)
    zoned = bool(zone) or not hinted
    for admitting in (OUTSIDE, NOWHERE) if service.load_balancer_source_ranges else (OUTSIDE,):
        yield _shape(_bare(service, admitting), tuple(kinds), zoned=zoned)


def _conditions(
    service: ServiceSpec, port: Port, node: str, zone: str | None
) -> Iterator[_Condition]:
    for part in service.slices:
        named = [each for each in part.ports or () if each.name == port.name]
        if not any(each.protocol == port.protocol and each.target for each in named):
            continue
        for family in service.families:
            if family in part.address_types:
                for each in part.endpoints:
                    yield _Condition(
                        family,
                        each.node_name == node,
                        bool(each.node_name),
                        each.ready is not False,
                        each.serving,
                        each.terminating is True,
                        zone in each.for_zones if each.for_zones else None,
                        node in each.for_nodes if each.for_nodes else None,
                    )


def _bare(service: ServiceSpec, admitting: Mapping[Family, IPNetwork]) -> ServiceSpec:
    """A Service without endpoints, with a name and addresses that any could have, and source ranges
    that admit these.
    """
    listed = service.load_balancer_source_ranges
    return ServiceSpec(
        name="web",
        type=service.type,
        families=service.families,
        cluster_ips=tuple(SERVICE_RANGES[each][1_000] for each in service.families),
        external_ips=tuple(_numbered(EXTERNAL_IPS, service.external_ips)),
        load_balancer_ips=tuple(_ingress(service)),
        load_balancer_source_ranges=tuple(
            dict.fromkeys(_range(str(each), admitting) for each in listed)
        ),
        allocate_load_balancer_node_ports=any(each.node_port for each in service.ports),
        session_affinity=service.session_affinity,
        internal_traffic_policy=service.internal_traffic_policy,
        external_traffic_policy=service.external_traffic_policy,
        traffic_distribution=service.traffic_distribution,
        annotations=TOPOLOGY_MODE if service.asks_for_hints else {},
    )


def _numbered(
    plan: Mapping[Family, IPNetwork], addresses: Iterable[IPAddress | str]
) -> Iterator[IPAddress]:
    """As many addresses of each family as there are, up to two."""
    families = [family_of(ip_address(str(each))) for each in addresses]
    for family in dict.fromkeys(families):
        for number in range(min(families.count(family), 2)):
            yield plan[family][100 + number]


def _ingress(service: ServiceSpec) -> Iterator[Ingress]:
    kinds = dict.fromkeys(
        (family_of(each.ip) if each.ip else None, each.ip_mode, bool(each.hostname))
        for each in service.ingress
    )
    for number, (family, mode, named) in enumerate(kinds):
        address = LOAD_BALANCER_IPS[family][100 + number] if family else None
        yield Ingress(address, mode, "a.name.example" if named else None)


def _range(text: str, admitting: Mapping[Family, IPNetwork]) -> str:
    """A range of the same family, or that of everybody; with blanks where there are."""
    stripped = text.strip()
    family: Family = "IPv6" if ":" in stripped else "IPv4"
    network = str(_ZERO[family] if stripped.endswith("/0") else admitting[family])
    return network if stripped == text else f" {network}"


@functools.cache
def _shape(bare: ServiceSpec, kinds: tuple[_Kind, ...], *, zoned: bool) -> Shape:
    ports, slices = [], []
    for number, kind in enumerate(kinds):
        port = Port(
            _PORT + number,
            _TARGET + number,
            kind.protocol,
            f"port-{number}",
            _NODE_PORT + number if kind.has_node_port else None,
        )
        ports.append(port)
        for family in bare.families:
            listed = sorted((each for each in kind.conditions if each.family == family), key=repr)
            endpoints = tuple(_endpoint(place, each) for place, each in enumerate(listed))
            slices.append(Slice(endpoints, (port,), (family,), f"web-{number}-{family.lower()}"))
    return Shape(replace(bare, ports=tuple(ports), slices=tuple(slices)), zoned)


def _endpoint(number: int, each: _Condition) -> Endpoint:
    zone, node = ZONES[0], NODE
    return Endpoint(
        Host("pod", 300 + number) if each.local else Host("remote-pod", 300 + number, 1),
        each.ready,
        each.serving,
        each.terminating,
        for_zones=() if each.zones is None else (zone if each.zones else ZONES[-1],),
        for_nodes=() if each.nodes is None else (node if each.nodes else _ELSEWHERE,),
        node_name=(node if each.local else _ELSEWHERE) if each.on_a_node else None,
    )
