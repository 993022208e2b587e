"""Services of the wide space: what the words of its axes stand for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import Any, Final

from conformance.census.combinations.axes import FIELDS, Row
from fixtures.lab.hosts import Hosts
from specification.addresses import (
    CLUSTER_CIDRS,
    EXTERNAL_IPS,
    LOAD_BALANCER_IPS,
    NODE_NETWORKS,
    OUTSIDE,
    SERVICE_RANGES,
    IPNetwork,
    numbered,
)
from specification.places import Host
from specification.rules.frontends import PROXY_NAME
from specification.services import (
    HEADLESS,
    TOPOLOGY_MODE,
    Endpoint,
    Ingress,
    Port,
    Protocol,
    ServiceSpec,
    Slice,
)

FIRST_PORT: Final = 2_000
FIRST_TARGET: Final = 10_000
"""Number and target port of the first Service's first port; each Service has ``_ROOM`` of them."""
_ROOM: Final = 4
_ASIDE: Final = 10_000
"""How far from its target port another one is that some endpoints have instead."""

SERVED: Final = 99
ALSO_SERVED: Final = 98
ELSEWHERE: Final = 97
"""Numbers of the external IPs and load balancers' IPs that all Services share, each by ports of its
own; the last stands for a load balancer that takes its connections itself (ipMode Proxy).
"""

CONDITIONS: Final[Mapping[str, tuple[bool | None, bool | None, bool | None]]] = {
    "ready": (True, True, False),
    "terminating": (False, True, True),
    "gone": (False, False, True),
    "unready": (False, False, False),
    "serving": (False, True, False),
    "published": (True, False, True),
    "unknown": (None, None, None),
    "ending": (False, None, True),
    "silent": (False, True, None),
}
"""What an endpoint's slice says: whether it is ready, serves, terminates."""

_PROTOCOLS: Final[Mapping[str, Sequence[Protocol]]] = {
    "TCP": ("TCP",),
    "UDP": ("UDP",),
    "TCP and UDP": ("TCP", "UDP"),
    "two and UDP": ("TCP", "TCP", "UDP"),
    "TCP and SCTP": ("TCP", "SCTP"),
}

_EVERYBODY: Final = ip_network("0.0.0.0/0"), ip_network("::/0")
RANGES: Final[Mapping[str, Collection[IPNetwork | str]]] = {
    "none": (),
    "outside": OUTSIDE.values(),
    "outside, with blanks": tuple(f" {each} " for each in OUTSIDE.values()),
    "pods": CLUSTER_CIDRS.values(),
    "nodes": NODE_NETWORKS.values(),
    "outside and pods": (*OUTSIDE.values(), *CLUSTER_CIDRS.values()),
    "nobody and everybody": (*SERVICE_RANGES.values(), *_EVERYBODY),
    "nobody": SERVICE_RANGES.values(),
    "IPv4 alone": (OUTSIDE["IPv4"],),
    "annotated": (),
}
ANNOTATED: Final = {"service.beta.kubernetes.io/load-balancer-source-ranges": "10.96.0.0/16"}
"""Ranges that are none: an annotation that a load balancer's controller reads."""

INGRESS: Final[Mapping[str, Sequence[Ingress]]] = {
    "one": (Ingress(),),
    "two": (Ingress(), Ingress(ip_mode="VIP")),
    "proxy": (Ingress(ip_mode="Proxy"),),
    "one and proxy": (Ingress(), Ingress(ip_mode="Proxy")),
    "hostname and one": (Ingress(hostname="balancer.example"), Ingress()),
    "hostname": (Ingress(hostname="balancer.example"),),
}

_NUMBERS: Final[Mapping[str, Sequence[int]]] = {"one": (SERVED,), "two": (SERVED, ALSO_SERVED)}
"""Those of external IPs."""


@dataclass(frozen=True)
class Cast:
    """The hosts that play the endpoints of all Services."""

    hosts: Mapping[str, Host]
    stranger: Host
    """Only where nobody may look."""
    node: str

    @classmethod
    def of(cls, hosts: Hosts, node: str) -> Cast:
        """Two pods on the node under test, and one on each of the others."""
        here, also, stranger = hosts("pod", 3)
        near, far = hosts("remote-pod", node=1)[0], hosts("remote-pod", node=2)[0]
        return cls({"here": here, "also-here": also, "near": near, "far": far}, stranger, node)

    def endpoints(self, words: str, hints: str) -> tuple[Endpoint, ...]:
        """Those that ``words`` name, such as ``here:terminating far``, with ``hints``; or with
        those that the words name themselves, behind an at.
        """
        listed = tuple(map(self._endpoint, words.split()))
        return tuple(self._hinted(each, hints, number == 0) for number, each in enumerate(listed))

    def _endpoint(self, word: str) -> Endpoint:
        named, *hints = word.split("@")
        place, _, condition = named.partition(":")
        hints = [self.node if each == "node" else each for each in hints]
        zones = tuple(each for each in hints if each.startswith("zone-"))
        nodes = tuple(each for each in hints if each not in zones)
        return Endpoint(self.hosts[place], *CONDITIONS[condition or "ready"], zones, nodes)

    def _hinted(self, endpoint: Endpoint, hints: str, first: bool) -> Endpoint:
        zone, node = endpoint.host.zone or "", endpoint.host.node_name(self.node) or ""
        zones, nodes = {
            "none": ((), ()),
            "zones": ((zone,), ()),
            "several zones": ((zone, "zone-c"), ()),
            "another zone": (("zone-c",), ()),
            "zones but one": (() if first else (zone,), ()),
            "nodes": ((zone,), (node,)),
            "nodes but one": ((zone,), () if first else (node,)),
            "another node": ((zone,), ("lab-2",)),
            "as drawn": (endpoint.for_zones, endpoint.for_nodes),
        }[hints]
        return replace(endpoint, for_zones=zones, for_nodes=nodes)


def services(rows: Sequence[Row], cast: Cast) -> list[ServiceSpec]:
    """The Services of rows."""
    return [service(number, row, cast) for number, row in enumerate(rows)]


def left_alone(first: int, cast: Cast) -> list[ServiceSpec]:
    """Services that are labelled for another proxy, the first of them number ``first``."""
    plain = {"ranges": "none", "ingress": "one", "slices": "one", "hints": "none"}
    plain |= {"endpoints": "here near", "ports": "TCP and UDP", "external_ips": "one"}
    made = (
        service(first + number, {**plain, "type": kind}, cast)
        for number, kind in enumerate(("ClusterIP", "LoadBalancer"))
    )
    return [replace(each, labels={PROXY_NAME: "other"}) for each in made]


def service(number: int, row: Row, cast: Cast) -> ServiceSpec:
    """The Service of a row, with ports that those of other numbers do not have."""
    listed = cast.endpoints(row["endpoints"], row["hints"])
    ports = _ports(number, row["ports"])
    kind, _, bare = row["type"].partition(" ")
    fields: dict[str, Any] = {field: row[field] for field in FIELDS if field in row}
    return ServiceSpec(
        name=f"wide-{number}",
        type=kind,
        ports=ports,
        slices=_slices(row["slices"], listed, ports, Endpoint(cast.stranger)),
        external_ips=tuple(
            address
            for each in _NUMBERS[row["external_ips"]]
            for address in numbered(EXTERNAL_IPS, each).values()
        ),
        load_balancer_ips=_ingress(row["ingress"]) if kind == "LoadBalancer" else (),
        load_balancer_source_ranges=tuple(RANGES[row["ranges"]]),
        allocate_load_balancer_node_ports=not bare,
        annotations=_annotations(row, kind),
        **fields,
    )


def _ports(number: int, words: str) -> tuple[Port, ...]:
    """TCP and UDP ports share their numbers, as far as there is one of each."""
    first, ports = number * _ROOM, list[Port]()
    for protocol in _PROTOCOLS[words]:
        place = first + sum(each.protocol == protocol for each in ports)
        name = f"{protocol.lower()}-{place - first}"
        target = FIRST_TARGET + first + len(ports)
        ports.append(Port(FIRST_PORT + place, target, protocol, name))
    return tuple(ports)


def _slices(
    word: str, listed: tuple[Endpoint, ...], ports: tuple[Port, ...], stranger: Endpoint
) -> tuple[Slice, ...]:
    aside = tuple(replace(each, target=(each.target or 0) + _ASIDE) for each in ports)
    unknown = replace(ports[0], name="unknown")
    return {
        "one": (Slice(listed),),
        "halves": (Slice(listed[::2]), Slice(listed[1::2])),
        "targets": (Slice(listed[::2]), Slice(listed[1::2], aside)),
        "twice": (Slice(listed), Slice(listed[:1])),
        "apart": (Slice(listed, ports[:1]), Slice(listed, (*ports[1:], unknown))),
        "families": (
            Slice(listed, address_types=("IPv4",)),
            Slice(listed[:1], address_types=("IPv6",)),
        ),
        "IPv4": (Slice(listed, address_types=("IPv4",)),),
        "headless": (Slice(listed), Slice((stranger,), labels={HEADLESS: ""})),
    }[word]


def _annotations(row: Row, kind: str) -> Mapping[str, str]:
    """Those of ranges are refused where there is no load balancer."""
    ranges = ANNOTATED if row["ranges"] == "annotated" and kind == "LoadBalancer" else {}
    return {**ranges, **(TOPOLOGY_MODE if row.get("topology_mode") else {})}


def _ingress(word: str) -> tuple[Ingress, ...]:
    """Its entries, in both families where they have addresses."""
    found = list[Ingress]()
    for each in INGRESS[word]:
        if each.hostname:
            found.append(each)
            continue
        number = {"VIP": ALSO_SERVED, "Proxy": ELSEWHERE}.get(each.ip_mode or "", SERVED)
        addresses = numbered(LOAD_BALANCER_IPS, number).values()
        found += [replace(each, ip=address) for address in addresses]
    return tuple(found)
