"""The small world that tables of facts speak of: who and what is where, by short names.

Usually the Service ``web`` is a LoadBalancer with every kind of frontend, both policies Cluster;
beside it are one of its name in another namespace, and one of another name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_address, ip_network

from specification.addresses import (
    CLUSTER_CIDRS,
    EXTERNAL_IPS,
    FAMILIES,
    LOAD_BALANCER_IPS,
    NODE_NETWORKS,
    OUTSIDE,
    SERVICE_RANGES,
    Family,
    IPAddress,
    IPNetwork,
    node_address,
    pod_cidr,
)
from specification.attempts import SocketAddress
from specification.places import Host
from specification.rules.state import Node
from specification.services import Endpoint, Port, ServiceSpec, Slice

NODE = Node(
    "node",
    tuple(net[number] for net in NODE_NETWORKS.values() for number in (10, 200)),
    "zone-a",
)
"""The node under test has a second address in each family."""

HOSTS = {
    "l": Host("pod", 300),
    "m": Host("pod", 301),
    "r": Host("remote-pod", 302, 1),
    "s": Host("remote-pod", 303, 1),
    "f": Host("remote-pod", 304, 2),
    "n": Host("remote-node", 0, 1),
    "h": Host("node", 0, 0, tuple(node_address(0, family) for family in FAMILIES)),
    "o": Host("outside", 305),
    "x": Host("pod", 306),
    "y": Host("pod", 307),
}
"""Endpoints: two local pods, two on a node in this zone, one far from it, another node itself, the
node under test itself, one outside the cluster, and those of the two Services beside ``web``."""

STATES: dict[str, tuple[bool | None, bool | None, bool | None]] = {
    "ready": (True, True, False),
    "silent": (None, None, None),
    "unready": (False, False, False),
    "serving": (False, True, False),
    "draining": (False, True, True),
    "draining-silently": (False, None, True),
    "unready-silently": (False, None, None),
    "gone": (False, False, True),
    "published": (True, False, True),
}
"""Whether an endpoint is ready, serves, terminates, where it says ``l:draining``."""

CLIENTS: dict[str, Host] = {
    "pod": Host("pod", 400),
    "remote-pod": Host("remote-pod", 401, 2),
    "other-node": Host("remote-node", 0, 2),
    "outside": Host("outside", 402),
    "node": HOSTS["h"],
    **HOSTS,
}

VIP, FREE, CLAIMED, OTHER_VIP = 80, 9999, 81, 82
"""Cluster IPs: the Service's, nobody's, of the Service of its name, of the other one."""

NODE_PORT = 30080
FEATURES = {
    "sctp",
    "external-clients",
    "cluster-ip-masquerade",
    "external-masquerade-of-pods",
    "policy-drops",
    "conservative-udp-cleanup",
    "established-outlives-endpoint",
    "unannotated-hints",
    "node-hints",
}


def target(name: str, family: Family) -> SocketAddress:
    """The frontend of that name: an address, and a port where it is not the usual one."""
    name, _, number = name.partition(":")
    addresses: dict[str, IPAddress] = {
        "cip": SERVICE_RANGES[family][VIP],
        "free": SERVICE_RANGES[family][FREE],
        "namesake": SERVICE_RANGES[family][CLAIMED],
        "other": SERVICE_RANGES[family][OTHER_VIP],
        "lb": LOAD_BALANCER_IPS[family][7],
        "lb2": LOAD_BALANCER_IPS[family][8],
        "eip": EXTERNAL_IPS[family][7],
        "eip2": EXTERNAL_IPS[family][8],
        "np": NODE_NETWORKS[family][10],
        "np2": NODE_NETWORKS[family][200],
        "far-np": node_address(1, family),
        "localhost": ip_address("127.0.0.1" if family == "IPv4" else "::1"),
        **{each: host.address(family) for each, host in HOSTS.items()},
    }
    usual = {"np": NODE_PORT, "np2": NODE_PORT, "far-np": NODE_PORT, "localhost": NODE_PORT}
    port = int(number) if number.isdecimal() else usual.get(name, 80)
    return SocketAddress(addresses[name], port)


RANGES: dict[str, Mapping[Family, IPNetwork]] = {
    "outside": OUTSIDE,
    "pods": CLUSTER_CIDRS,
    "node": {family: ip_network(node_address(0, family)) for family in FAMILIES},
    "second": {family: ip_network(NODE_NETWORKS[family][200]) for family in FAMILIES},
    "nobody": EXTERNAL_IPS,
    "all": {"IPv4": ip_network("0.0.0.0/0"), "IPv6": ip_network("::/0")},
    "here": {family: pod_cidr(0, family) for family in FAMILIES},
}
"""Networks by name, of both families, or of one: ``outside``, ``outside4``."""


def networks(names: str) -> Iterator[IPNetwork]:
    """The networks of those names, joined by ``+``."""
    for name in filter(None, names.split("+")):
        wanted = [each for each in FAMILIES if name[-1] not in "46" or each[-1] == name[-1]]
        yield from (RANGES[name.rstrip("46")][family] for family in wanted)


def endpoint(token: str) -> Endpoint:
    """``l``, ``l:draining``, hints for zones ``l@ab`` and for nodes ``l%01``."""
    token, _, nodes = token.partition("%")
    token, _, zones = token.partition("@")
    name, _, state = token.partition(":")
    return Endpoint(
        HOSTS[name],
        *STATES[state or "ready"],
        for_zones=tuple(f"zone-{each}" for each in zones),
        for_nodes=tuple(("node", "lab-1", "lab-2")[int(each)] for each in nodes),
    )


def usual(endpoints: str) -> ServiceSpec:
    """The Service ``web``."""
    return ServiceSpec(
        "web",
        type="LoadBalancer",
        ports=(Port(node_port=NODE_PORT),),
        slices=(Slice(tuple(endpoint(each) for each in endpoints.split())),),
        cluster_ips=_all(VIP),
        external_ips=tuple(EXTERNAL_IPS[family][7] for family in FAMILIES),
        load_balancer_ips=tuple(
            LOAD_BALANCER_IPS[family][number] for family in FAMILIES for number in (7, 8)
        ),
    )


def beside() -> tuple[ServiceSpec, ServiceSpec]:
    """Its namesake in another namespace, and a Service of another name."""
    plain = ServiceSpec("web", "elsewhere", slices=(Slice((Endpoint(HOSTS["x"]),)),))
    namesake = replace(plain, cluster_ips=_all(CLAIMED))
    other = replace(
        plain,
        name="other",
        namespace="default",
        ports=(Port(8000, node_port=NODE_PORT + 1),),
        slices=(Slice((Endpoint(HOSTS["y"]),)),),
        cluster_ips=_all(OTHER_VIP),
    )
    return namesake, other


def _all(number: int) -> tuple[IPAddress, ...]:
    """The cluster IPs of that number."""
    return tuple(SERVICE_RANGES[family][number] for family in FAMILIES)
