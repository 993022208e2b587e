"""A cluster's Services with their endpoints, and its Nodes, out of the objects that were handed in;
and what is assumed of a manifest, which no API server has filled in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from foretell.manifests import kinds
from foretell.manifests.kinds import Node
from foretell.manifests.text import Object, Place
from specification import reading
from specification.addresses import SERVICE_RANGES, IPAddress
from specification.errors import ManifestError
from specification.rules.frontends import is_proxied
from specification.services import HEADLESS, Endpoint, ServiceSpec, Slice

_FREE: Final = 30_000
"""The first number of a nodePort that nobody has been given yet."""
_RANGE: Final = 60_000
_ANOTHER: Final = "a-node-without-endpoints"
"""There may be one, where no Nodes are handed in."""
_NETWORKS: Final = {"IPv4": "10.128.0.{}", "IPv6": "fd00:10::{}"}


@dataclass(frozen=True)
class Cluster:
    """What a cluster has."""

    services: tuple[ServiceSpec, ...]
    """Those that a Service proxy serves, with their EndpointSlices."""
    left_alone: int = 0
    """How many Services are no proxy's business: headless, names, another proxy's."""
    zones: dict[str, str | None] = field(default_factory=dict)
    """The zone of each Node, by its name; without Nodes, of those that endpoints are on, and of one
    more.
    """
    addresses: tuple[IPAddress, ...] = ()
    """Of Nodes."""
    assumed: tuple[str, ...] = ()
    """What was not said and is taken to be so, in sentences."""


def read(found: Iterable[tuple[Place, Object]]) -> Cluster:
    """Put together what stands in texts; objects of other kinds are left out.

    Raises:
        ManifestError: a Service, an EndpointSlice or a Node is none, or there is no Service.
    """
    services = dict[tuple[str, str], ServiceSpec]()
    slices = dict[tuple[str, str], list[Slice]]()
    nodes, others, place = list[Node](), 0, Place("")
    for place, body in found:
        made = kinds.made(place, body)
        if made is None:
            others += 1
        elif isinstance(made, Node):
            nodes.append(made)
        elif made.slices_only:
            for part in made.slices:
                if part.service_name and HEADLESS not in part.labels:
                    slices.setdefault((made.namespace, part.service_name), []).append(part)
        else:
            services[made.namespace, made.name] = made
    if not services:
        seen = f", but {others} objects of other kinds" if others else ""
        raise ManifestError(f"{place.source or 'the input'}: there is no Service in it{seen}")
    assumed = Counter[str]()
    proxied = tuple(
        _filled(number, service, slices.get(key, ()), assumed)
        for number, (key, service) in enumerate(services.items())
        if is_proxied(service)
    )
    zones = {each.name: each.zone for each in nodes}
    if not zones:
        endpoints = (each for service in proxied for each in service.endpoints)
        zones = {_ANOTHER: None, **{e.node_name: e.zone for e in endpoints if e.node_name}}
    return Cluster(
        proxied,
        len(services) - len(proxied),
        zones,
        tuple(address for each in nodes for address in each.addresses),
        tuple(f"{count:,} Service{'s' * (count > 1)} {said}" for said, count in assumed.items()),
    )


def _filled(
    number: int, service: ServiceSpec, slices: Iterable[Slice], assumed: Counter[str]
) -> ServiceSpec:
    """A Service with its slices, and with what it must have; what was ``assumed`` is counted."""
    families = service.families or ("IPv4",)
    if not service.cluster_ips:
        ips = tuple(SERVICE_RANGES[each][number % _RANGE + 1] for each in families)
        service = replace(service, cluster_ips=ips, families=families)
        assumed["without a cluster IP: any will do"] += 1
    bare = service.type not in ("NodePort", "LoadBalancer")
    if not bare and not any(each.node_port for each in service.ports):
        ports = (replace(each, node_port=_FREE + place) for place, each in enumerate(service.ports))
        if service.type == "NodePort":
            service = replace(service, ports=tuple(ports))
            assumed["without a nodePort: any will do"] += 1
    listed = tuple(slices)
    if not listed:
        listed = tuple(_imagined(service))
        assumed["without EndpointSlices: an endpoint on each of two nodes"] += 1
    return replace(service, slices=listed)


def _imagined(service: ServiceSpec) -> Iterator[Slice]:
    """Endpoints as a Service of a manifest may come to have them: on two nodes."""
    for family in service.families:
        ports = tuple(replace(each, target=8080) for each in service.ports)
        hosts = (reading.host(_NETWORKS[family].format(number)) for number in (1, 2))
        endpoints = tuple(
            Endpoint(host, node_name=f"imagined-{number}", zone=None)
            for number, host in enumerate(hosts)
        )
        yield Slice(endpoints, ports, (family,), f"imagined-{family}")
