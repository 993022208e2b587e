"""Where IPVS mode takes connections: virtual addresses on its dummy device, virtual servers."""

from __future__ import annotations

import json
from ipaddress import ip_address
from typing import Any

from clusters.inspection.ipset import Set
from clusters.inspection.ipvs import VirtualServer
from conformance.vocabulary import Family, IPAddress, Node, Port, Service, family_of

DUMMY = "kube-ipvs0"

PORTS = (
    Port(80, 8080, "TCP", "web"),
    Port(80, 8081, "UDP", "names"),
    Port(81, 8082, "SCTP", "signals"),
)
"""A port of each protocol."""


PREFIX = {"IPv4": "KUBE-", "IPv6": "KUBE-6-"}
"""What the names of a family's sets begin with."""


def virtual_addresses(web: Service) -> set[IPAddress]:
    """The addresses of a Service with nodePorts that no node has, in the test's family."""
    return {each.address for each in web.frontends if each != web.at_node}


def links(node: Node) -> dict[str, dict[str, Any]]:
    """The node's interfaces by name, with flags, kind and addresses, as ``ip -json`` tells."""
    found = json.loads(node.run(["ip", "-details", "-json", "address"]).stdout)
    return {each["ifname"]: each for each in found}


def bound(node: Node) -> set[IPAddress]:
    """The addresses on the dummy device, of both families; KeyError where there is no device."""
    return _addresses(links(node)[DUMMY])


def own_addresses(node: Node, family: Family) -> set[IPAddress]:
    """The addresses by which others reach the node: neither loopback, nor link-local, nor on the
    dummy device.
    """
    return {
        address
        for name, link in links(node).items()
        if name != DUMMY
        for address in _addresses(link)
        if family_of(address) == family and not (address.is_loopback or address.is_link_local)
    }


def servers(node: Node) -> dict[tuple[str, str | None, int | None], VirtualServer]:
    """All virtual servers by protocol, address and port."""
    return {
        (each.protocol, each.address, each.port): each for each in node.host.ipvs.virtual_servers
    }


def servers_at(
    node: Node, addresses: set[IPAddress]
) -> dict[tuple[str, str | None, int | None], VirtualServer]:
    """The virtual servers at these addresses."""
    texts = set(map(str, addresses))
    return {key: each for key, each in servers(node).items() if each.address in texts}


def sets(node: Node, family: Family) -> dict[str, Set]:
    """kube-proxy's sets of a family, by name without the prefix."""
    return {
        name.removeprefix(PREFIX[family]): each
        for name, each in node.host.ipset.sets.items()
        if name.startswith("KUBE-") and name.startswith("KUBE-6-") == (family == "IPv6")
    }


def _addresses(link: dict[str, Any]) -> set[IPAddress]:
    return {ip_address(each["local"]) for each in link["addr_info"]}
