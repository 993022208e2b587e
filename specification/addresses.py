"""The address plan: which networks exist on a cluster's wires, and what is where.

All of it lives in namespaces with no route out. The ranges are those of a small kubeadm cluster
where one is usual, and documentation and benchmarking ranges (RFC 5737, RFC 3849, RFC 2544) for the
world outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Literal

Family = Literal["IPv4", "IPv6"]
"""An IP family as the Kubernetes API spells it."""

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

FAMILIES: tuple[Family, Family] = ("IPv4", "IPv6")


def networks(ipv4: str, ipv6: str) -> Mapping[Family, IPNetwork]:
    """A network of each family; ``ValueError`` where one is none."""
    return {"IPv4": ip_network(ipv4), "IPv6": ip_network(ipv6)}


SERVICE_RANGES = networks("10.96.0.0/16", "fd00:96::/112")
"""Where the API server allocates cluster IPs."""

CLUSTER_CIDRS = networks("10.128.0.0/10", "fd00:10::/32")
"""All pods of the cluster (KubeProxyConfiguration.clusterCIDR)."""

NODE_NETWORKS = networks("192.0.2.0/24", "2001:db8:0:1::/64")
"""Node addresses, on the external wire."""

OUTSIDE = networks("198.18.0.0/15", "2001:db8:0:2::/64")
"""Hosts outside the cluster, beyond the router on the external wire."""

EXTERNAL_IPS = networks("198.51.100.0/24", "2001:db8:0:e::/64")
"""Addresses for Service.spec.externalIPs; no host of the lab has one."""

LOAD_BALANCER_IPS = networks("203.0.113.0/24", "2001:db8:0:1b::/64")
"""Addresses for Service.status.loadBalancer; no host of the lab has one."""

ROUTERS: Mapping[Family, IPAddress] = {
    "IPv4": IPv4Address("192.0.2.1"),
    "IPv6": IPv6Address("2001:db8:0:1::1"),
}
"""The router on the external wire: the node's default gateway."""

POD_GATEWAYS: Mapping[Family, IPAddress] = {
    "IPv4": IPv4Address("169.254.1.1"),
    "IPv6": IPv6Address("fe80::a11:1"),
}
"""The one next hop behind which all pods of a node sit on the pod wire."""


LOOPBACK: Mapping[Family, IPAddress] = {
    "IPv4": IPv4Address("127.0.0.1"),
    "IPv6": IPv6Address("::1"),
}
"""What every host has for itself."""


def numbered(ranges: Mapping[Family, IPNetwork], number: int) -> dict[Family, IPAddress]:
    """Address number ``number`` of each family's network."""
    return {family: network[number] for family, network in ranges.items()}


def family_of(address: IPAddress) -> Family:
    """The family an address belongs to."""
    return "IPv4" if address.version == 4 else "IPv6"


def pod_cidr(node: int, family: Family) -> IPNetwork:
    """Pod CIDR of the cluster's node number ``node`` (0 is the node under test): a /16 or a /64."""
    if family == "IPv4":
        return ip_network((int(CLUSTER_CIDRS["IPv4"].network_address) + (node << 16), 16))
    return ip_network((int(CLUSTER_CIDRS["IPv6"].network_address) + (node << 64), 64))


def node_address(node: int, family: Family) -> IPAddress:
    """InternalIP of the cluster's node number ``node``."""
    return NODE_NETWORKS[family][10 + node]
