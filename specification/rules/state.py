"""What a decision depends on: the Services that the API holds, the node, its proxy's set-up."""

from __future__ import annotations

from dataclasses import dataclass, field

from specification.addresses import (
    CLUSTER_CIDRS,
    SERVICE_RANGES,
    Family,
    IPAddress,
    IPNetwork,
    family_of,
)
from specification.attempts import SocketAddress
from specification.services import ServiceSpec


@dataclass(frozen=True)
class Node:
    """The node under test."""

    name: str
    addresses: tuple[IPAddress, ...]
    """Its own, but for loopback; the first of each family is the primary one."""
    zone: str | None = None
    """Its label topology.kubernetes.io/zone; ``None`` or empty where it has none."""

    @property
    def primary(self) -> dict[Family, IPAddress]:
        """The primary address of each family that it has."""
        return {family_of(each): each for each in reversed(self.addresses)}


@dataclass(frozen=True)
class Configuration:
    """How the proxy is set up, in the words of KubeProxyConfiguration where it has them."""

    pod_networks: tuple[IPNetwork, ...] = tuple(CLUSTER_CIDRS.values())
    """Whose addresses are those of pods (detectLocal). Of a family that has none, nobody is known
    to be a pod."""
    pods_by_link: bool = False
    """Whoever comes over the link of the node's pods is one and nobody else is, whatever their
    addresses are (detectLocalMode BridgeInterface, InterfaceNamePrefix)."""
    masquerade_all: bool = False
    node_port_addresses: tuple[IPNetwork, ...] | None = None
    """``None``: the primary addresses at least, and no loopback address."""
    localhost_node_ports: bool = False
    """Whether processes on the node are served at 127.0.0.1, too (localhostNodePorts)."""
    external_ips: bool = True
    """Whether Service.spec.externalIPs are served (gate AllowServiceExternalIPs, KEP-5707)."""
    service_ranges: tuple[IPNetwork, ...] = tuple(SERVICE_RANGES.values())


@dataclass(frozen=True)
class Remembered:
    """What session affinity remembers of a client at one port of a Service."""

    endpoint: SocketAddress
    idle: float
    """Seconds since the client's last new connection."""


@dataclass(frozen=True, eq=False)
class State:
    """All that decides about a new connection, as it is in force. Compared by identity."""

    services: tuple[ServiceSpec, ...]
    """As the API holds them: with the cluster IPs and nodePorts that they were given."""
    node: Node
    configuration: Configuration = Configuration()
    features: frozenset[str] = frozenset()
    """What the implementation claims (specification.features)."""
    affinity: dict[tuple[IPAddress, str, str, str], Remembered] = field(default_factory=dict)
    """By the client's address, and namespace, name and port of the Service."""
