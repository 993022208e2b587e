"""The Services that a rehearsal has: some of each kind, or shapes of those that somebody has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from foretell import shapes
from foretell.shapes import NODE
from specification.addresses import OUTSIDE, family_of
from specification.services import Endpoint, Port, ServiceSpec, Slice

if TYPE_CHECKING:
    from fixtures.lab.hosts import Hosts
    from fixtures.services.services import Services
    from specification.places import Host

_PORTS: Final = (Port(80, 8080, "TCP", "tcp"), Port(80, 8080, "UDP", "udp"))
"""A number, and both protocols that every kernel has."""


def of_each_kind(make: Services) -> list[ServiceSpec]:
    """Services by which what a switch can break is seen: a plain one, one with affinity, one that
    keeps to its node, one for some clients alone, one without endpoints.
    """
    kinds: tuple[tuple[int, dict[str, object]], ...] = (
        (3, {}),
        (3, {"session_affinity": "ClientIP"}),
        (2, {"external_traffic_policy": "Local"}),
        (2, {"load_balancer_source_ranges": tuple(OUTSIDE.values())}),
        (0, {}),
    )
    return [make.spec(count, ports=_PORTS, exposed=True, **fields) for count, fields in kinds]


def of_shapes(listed: Iterable[ServiceSpec], make: Services, hosts: Hosts) -> list[ServiceSpec]:
    """A Service of each shape that these have, at addresses of this cluster, with endpoints that
    the lab plays. Zones are left out: the node has none.
    """
    found = dict.fromkeys(
        shape.spec for service in listed for shape in sorted(shapes.of(service, {}), key=repr)
    )
    return [_here(spec, make, hosts) for spec in found]


def _here(spec: ServiceSpec, make: Services, hosts: Hosts) -> ServiceSpec:
    external, balanced = hosts.exposed()
    wanted = {family_of(ip_address(str(each))) for each in spec.external_ips}
    own = {family_of(each): each for each in balanced}
    ingress = (
        replace(each, ip=own[family_of(each.ip)]) if each.ip else each for each in spec.ingress
    )
    ours = replace(
        spec,
        name="",
        cluster_ips=(),
        ports=tuple(replace(port, node_port=None) for port in spec.ports),
        external_ips=tuple(each for each in external if family_of(each) in wanted),
        load_balancer_ips=tuple(dict.fromkeys(ingress)),
        slices=tuple(replace(each, name="") for each in spec.slices),
    )
    return elsewhere(ours, make.node.name, hosts)


def elsewhere(spec: ServiceSpec, node: str, hosts: Hosts) -> ServiceSpec:
    """The same Service with other hosts for its endpoints, at the same places."""
    moved: dict[Host, Host] = {}

    def fresh(host: Host) -> Host:
        if host not in moved:
            (moved[host],) = hosts(host.place, node=host.node or None)
        return moved[host]

    return _with(
        spec,
        lambda each: replace(
            each,
            host=fresh(each.host),
            node_name=node if each.node_name == NODE else each.node_name,
            for_nodes=tuple(node if name == NODE else name for name in each.for_nodes),
        ),
    )


def drained(spec: ServiceSpec) -> ServiceSpec:
    """The same Service with none of its endpoints on the node under test."""
    return _with(spec, lambda each: None if each.host.place == "pod" else each)


def _with(spec: ServiceSpec, change: Callable[[Endpoint], Endpoint | None]) -> ServiceSpec:
    """The same Service with changed endpoints, without those that are changed to nothing."""

    def parts() -> Iterator[Slice]:
        for each in spec.slices:
            yield replace(each, endpoints=tuple(filter(None, map(change, each.endpoints))))

    return replace(spec, slices=tuple(parts()))
