"""The address plan: which networks exist on a cluster's wires, and what is where.

All of it lives in namespaces with no route out. The ranges are those of a small kubeadm cluster
where one is usual, and documentation and benchmarking ranges (RFC 5737, RFC 3849, RFC 2544) for the
world outside.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Literal

Family = Literal["IPv4", "IPv6"]
"""An IP family as the Kubernetes API spells it."""

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

FAMILIES: tuple[Family, Family] = ("IPv4", "IPv6")

SERVICE_RANGES = (ip_network("10.96.0.0/16"), ip_network("fd00:96::/112"))
"""Where the API server allocates cluster IPs; IPv4, IPv6."""

CLUSTER_CIDRS = (ip_network("10.128.0.0/10"), ip_network("fd00:10::/32"))
"""All pods of the cluster (KubeProxyConfiguration.clusterCIDR); IPv4, IPv6."""

NODE_NETWORKS = (ip_network("192.0.2.0/24"), ip_network("2001:db8:0:1::/64"))
"""Node addresses, on the external wire."""

OUTSIDE = (ip_network("198.18.0.0/15"), ip_network("2001:db8:0:2::/64"))
"""Hosts outside the cluster, beyond the router on the external wire."""

EXTERNAL_IPS = (ip_network("198.51.100.0/24"), ip_network("2001:db8:0:e::/64"))
"""Addresses for Service.spec.externalIPs; no host of the lab has one."""

LOAD_BALANCER_IPS = (ip_network("203.0.113.0/24"), ip_network("2001:db8:0:1b::/64"))
"""Addresses for Service.status.loadBalancer; no host of the lab has one."""

ROUTERS = (IPv4Address("192.0.2.1"), IPv6Address("2001:db8:0:1::1"))
"""The router on the external wire: the node's default gateway."""

POD_GATEWAYS = (IPv4Address("169.254.1.1"), IPv6Address("fe80::a11:1"))
"""The one next hop behind which all pods of a node sit on the pod wire."""


def index(family: Family) -> int:
    """Position of a family in the pairs of this module."""
    return FAMILIES.index(family)


def family_of(address: IPAddress) -> Family:
    """The family an address belongs to."""
    return FAMILIES[0] if address.version == 4 else FAMILIES[1]


def pod_cidr(node: int, family: Family) -> IPNetwork:
    """Pod CIDR of the cluster's node number ``node`` (0 is the node under test): a /16 or a /64."""
    if family == "IPv4":
        return ip_network((int(CLUSTER_CIDRS[0].network_address) + (node << 16), 16))
    return ip_network((int(CLUSTER_CIDRS[1].network_address) + (node << 64), 64))


def node_address(node: int, family: Family) -> IPAddress:
    """InternalIP of the cluster's node number ``node``."""
    return NODE_NETWORKS[index(family)][10 + node]
