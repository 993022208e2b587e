"""Arrangements that a table names by ``shape=``: of the usual Service, the Services instead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from specification.addresses import (
    EXTERNAL_IPS,
    FAMILIES,
    LOAD_BALANCER_IPS,
    NODE_NETWORKS,
    OUTSIDE,
)
from specification.rules.frontends import PROXY_NAME
from specification.services import (
    HEADLESS,
    TOPOLOGY_MODE,
    Endpoint,
    Ingress,
    Port,
    ServiceSpec,
    Slice,
)
from tests.specification.world import HOSTS, NODE_PORT

Services = tuple[ServiceSpec, ...]

LB_IPS = tuple(LOAD_BALANCER_IPS[family][7] for family in FAMILIES)
EXTERNAL = tuple(EXTERNAL_IPS[family][7] for family in FAMILIES)
OWN = tuple(NODE_NETWORKS[family][10] for family in FAMILIES)


def but(**changes: Any) -> Callable[[ServiceSpec], Services]:
    """The same Service, but for some fields."""
    return lambda web: (replace(web, **changes),)


def slices(**changes: Any) -> Callable[[ServiceSpec], Services]:
    """The same Service, but for some fields of its EndpointSlices."""
    return lambda web: (
        replace(web, slices=tuple(replace(each, **changes) for each in web.slices)),
    )


def entries(**changes: Any) -> Callable[[ServiceSpec], Services]:
    """The same Service, but for some fields of its endpoints."""

    def change(web: ServiceSpec) -> Services:
        changed = tuple(replace(each, **changes) for each in web.endpoints)
        return (replace(web, slices=(Slice(changed),)),)

    return change


def ports(*of_service: Port, of_slices: tuple[Port, ...] | None = None) -> Callable[..., Services]:
    """The same Service with other ports, and the ports of its EndpointSlices."""
    return lambda web: (
        replace(
            web,
            ports=of_service,
            slices=tuple(replace(each, ports=of_slices) for each in web.slices),
        ),
    )


def apiece(web: ServiceSpec) -> Services:
    """An EndpointSlice for each endpoint."""
    return (replace(web, slices=tuple(Slice((each,)) for each in web.endpoints)),)


def also(**changes: Any) -> Callable[[ServiceSpec], Services]:
    """One more EndpointSlice that lists the same endpoints, but for some fields of them."""
    return lambda web: (
        replace(
            web,
            slices=(*web.slices, Slice(tuple(replace(each, **changes) for each in web.endpoints))),
        ),
    )


def split_ports(web: ServiceSpec) -> Services:
    """Two ports, in an EndpointSlice each; the first has all endpoints, the other the last one."""
    web_port, admin = Port(node_port=NODE_PORT), Port(81, 9090, name="admin")
    parts = Slice(web.endpoints, (web_port,)), Slice(web.endpoints[-1:], (admin,))
    return (replace(web, ports=(web_port, admin), slices=parts),)


def rival(**fields: Any) -> Callable[[ServiceSpec], Services]:
    """Another Service behind it in the list, with one endpoint, ``m``."""
    second = ServiceSpec("second", slices=(Slice((Endpoint(HOSTS["m"]),)),))
    return lambda web: (web, replace(second, **fields))


def foreign(web: ServiceSpec) -> Services:
    """Its EndpointSlices are written without it, by nobody's Service."""
    writer = ServiceSpec("nobody", slices=web.slices, slices_only=True)
    owned = tuple(replace(each, service_name="web") for each in writer.slices)
    return replace(web, slices=()), replace(writer, slices=owned)


def orphans(web: ServiceSpec) -> Services:
    """EndpointSlices alone: there is no Service."""
    return (replace(web, slices_only=True),)


def abroad(web: ServiceSpec) -> Services:
    """EndpointSlices that bear its name in another namespace."""
    writer = ServiceSpec("nobody", "elsewhere", slices=web.slices, slices_only=True)
    owned = tuple(replace(each, service_name="web") for each in writer.slices)
    return replace(web, slices=()), replace(writer, slices=owned)


SHAPES: dict[str, Callable[[ServiceSpec], Services]] = {
    # --- what is no proxy's business ---
    "headless": but(headless=True, cluster_ips=(), type="ClusterIP"),
    "external-name": but(type="ExternalName", external_name="web.example"),
    "proxy-name": but(labels={PROXY_NAME: "another"}),
    "proxy-name-empty": but(labels={PROXY_NAME: ""}),
    "labelled-headless": but(labels={HEADLESS: ""}),
    "orphans": orphans,
    # --- frontends ---
    "ip-mode-vip": but(load_balancer_ips=[Ingress(each, "VIP") for each in LB_IPS]),
    "ip-mode-proxy": but(load_balancer_ips=[Ingress(each, "Proxy") for each in LB_IPS]),
    "ip-mode-mixed": lambda web: (
        replace(
            web,
            load_balancer_ips=tuple(
                replace(each, ip_mode="Proxy" if each.ip in LB_IPS else "VIP")
                for each in web.ingress
            ),
        ),
    ),
    "hostname": but(load_balancer_ips=[Ingress(hostname="lb.example")]),
    "hostname-too": lambda web: (
        replace(web, load_balancer_ips=(Ingress(hostname="lb.example"), *web.load_balancer_ips)),
    ),
    "eip-spelled": but(external_ips=[each.exploded.upper() for each in EXTERNAL]),
    "bare": but(type="ClusterIP", external_ips=(), load_balancer_ips=()),
    "bare-node-port": but(type="NodePort", external_ips=(), load_balancer_ips=()),
    "udp-bare": but(
        type="ClusterIP", ports=(Port(protocol="UDP"),), external_ips=(), load_balancer_ips=()
    ),
    "eip-alone": but(type="ClusterIP", load_balancer_ips=()),
    "sloppy-ranges": but(
        load_balancer_source_ranges=[f" {net[7]}/{net.prefixlen}\t" for net in OUTSIDE.values()]
    ),
    "shared-eip": rival(external_ips=EXTERNAL),
    "shared-eip-udp": rival(external_ips=EXTERNAL, ports=(Port(protocol="UDP"),)),
    "shared-eip-port": rival(external_ips=EXTERNAL, ports=(Port(81),)),
    "shared-lb-port": rival(type="LoadBalancer", load_balancer_ips=LB_IPS, ports=(Port(81),)),
    "eip-is-lb": but(external_ips=LB_IPS),
    "eip-twice": but(external_ips=(*EXTERNAL, *EXTERNAL)),
    "eip-is-node": rival(external_ips=OWN, ports=(Port(NODE_PORT),)),
    "lb-is-node": but(load_balancer_ips=OWN),
    "np-rival": rival(type="NodePort", ports=(Port(81, node_port=NODE_PORT),)),
    "np-udp-too": rival(type="NodePort", ports=(Port(81, protocol="UDP", node_port=NODE_PORT),)),
    "no-node-port": ports(Port()),
    # --- ports ---
    "remapped": ports(Port(80, 9090, node_port=NODE_PORT)),
    "udp-remapped": ports(Port(80, 9090, "UDP", node_port=NODE_PORT)),
    "renumbered": ports(Port(81, node_port=30090)),
    "target-port": ports(Port(80, 9090, node_port=NODE_PORT, target_port=7070)),
    "unnamed": ports(Port(name="", node_port=NODE_PORT)),
    "renamed": ports(Port(node_port=NODE_PORT), of_slices=(Port(name="wed"),)),
    "upper": ports(Port(node_port=NODE_PORT), of_slices=(Port(name="WEB"),)),
    "slice-udp": ports(Port(node_port=NODE_PORT), of_slices=(Port(protocol="UDP"),)),
    "no-port": ports(Port(node_port=NODE_PORT), of_slices=(Port(target=None),)),
    "port-zero": ports(Port(node_port=NODE_PORT), of_slices=(Port(target=0),)),
    "udp": ports(Port(protocol="UDP", node_port=NODE_PORT)),
    "sctp": ports(Port(protocol="SCTP", node_port=NODE_PORT)),
    "three": ports(
        Port(node_port=NODE_PORT),
        Port(80, 8081, "UDP", "web-udp", NODE_PORT),
        Port(80, 8082, "SCTP", "web-sctp", NODE_PORT),
    ),
    "two-targets": ports(
        Port(80, 8080, name="web", node_port=NODE_PORT), Port(81, 9090, name="admin")
    ),
    "split-ports": split_ports,
    # --- EndpointSlices ---
    "no-slice": but(slices=()),
    "apiece": apiece,
    "twice": also(),
    "twice-without-serving": also(serving=None),
    "also-unready": also(ready=False, serving=False),
    "also-terminating": also(ready=False, serving=True, terminating=True),
    "also-published": also(ready=True, terminating=True),
    "also-elsewhere": also(node_name="lab-2"),
    "also-hinted": also(for_zones=("zone-a",)),
    "also-hinted-node": also(for_nodes=("node",)),
    "headless-slices": slices(labels={HEADLESS: ""}),
    "others-slices": slices(service_name="other"),
    "unlabelled-slices": slices(service_name=None),
    "slices-of-nobody": foreign,
    "slices-abroad": abroad,
    "fqdn": slices(address_types=("FQDN",)),
    "slices4": slices(address_types=("IPv4",)),
    "slices46": slices(address_types=FAMILIES),
    "slices6": slices(address_types=("IPv6",)),
    "two-addresses": entries(more_hosts=(HOSTS["m"],)),
    "no-node-name": entries(node_name=None),
    "all-here": entries(node_name="node"),
    "all-there": entries(node_name="lab-2"),
    "asks": but(annotations=TOPOLOGY_MODE),
}
