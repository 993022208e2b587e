"""A KubeProxyConfiguration as the specification has it, for Services that are seen as shapes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

from foretell.manifests.text import of_file
from foretell.shapes import NOWHERE
from specification.addresses import (
    CLUSTER_CIDRS,
    FAMILIES,
    LOOPBACK,
    NODE_NETWORKS,
    IPAddress,
    IPNetwork,
    family_of,
    pod_cidr,
)
from specification.errors import ManifestError
from specification.rules.state import Configuration

_KIND: Final = ("kubeproxy.config.k8s.io/v1alpha1", "KubeProxyConfiguration")
_BY_LINK: Final = ("BridgeInterface", "InterfaceNamePrefix")


@dataclass(frozen=True)
class Given:
    """What a file says, or nobody."""

    fields: Mapping[str, Any]
    path: str = ""

    def of(self, mode: str, nodes: Iterable[IPAddress]) -> Configuration:
        """What follows for new connections; ``nodes`` are addresses of Nodes, by which
        nodePortAddresses may name them or not. Where nothing is given, who is a pod is known.

        Raises:
            ManifestError: a field that is looked at has a value that makes no sense.
        """
        fields = self.fields or {"clusterCIDR": ",".join(map(str, CLUSTER_CIDRS.values()))}
        own, gates = fields.get(mode) or {}, fields.get("featureGates") or {}
        try:
            return Configuration(
                pod_networks=tuple(_pods(fields)),
                pods_by_link=fields.get("detectLocalMode") in _BY_LINK,
                masquerade_all=bool(own.get("masqueradeAll", False)),
                node_port_addresses=_node_ports(fields.get("nodePortAddresses") or (), nodes),
                localhost_node_ports=_localhost(fields, mode),
                external_ips=bool(gates.get("AllowServiceExternalIPs", True)),
            )
        except (ValueError, AttributeError, TypeError) as problem:
            raise ManifestError(f"{self.path}: {problem}") from problem


NONE: Final = Given({})
"""Nothing is given."""


def of_both(files: Sequence[str]) -> tuple[Given, Given]:
    """What one file says of both sides, or two of one each, or nobody.

    Raises:
        ManifestError: see ``read``.
    """
    found = [read(Path(each)) for each in files] or [NONE]
    return found[0], found[-1]


def read(path: Path) -> Given:
    """The fields of a file.

    Raises:
        ManifestError: it cannot be read, or is no KubeProxyConfiguration.
    """
    for _, each in of_file(str(path)):
        if (each.get("apiVersion"), each.get("kind")) == _KIND:
            return Given(each, str(path))
    raise ManifestError(f"{path}: {' '.join(_KIND)} is needed, and it has none")


def _pods(fields: Mapping[str, Any]) -> Iterable[IPNetwork]:
    """Whose addresses are known to be pods': of shapes, those of the families that are named."""
    if fields.get("detectLocalMode") == "NodeCIDR":
        return [pod_cidr(0, each) for each in FAMILIES]
    named = [ip_network(each) for each in str(fields.get("clusterCIDR") or "").split(",") if each]
    families = {family_of(each.network_address) for each in named}
    return [CLUSTER_CIDRS[each] for each in FAMILIES if each in families]


def _node_ports(named: Iterable[str], nodes: Iterable[IPAddress]) -> tuple[IPNetwork, ...] | None:
    """The networks that have the addresses of a shape's node where these have Nodes'."""
    if not (listed := [each for each in named if each != "primary"]):
        return None
    found, have = list[IPNetwork](), list(nodes)
    for network in map(ip_network, listed):
        family = family_of(network.network_address)
        own = [each for each in have if family_of(each) == family]
        of_nodes = any(each in network for each in own) or (not own and network.is_global)
        found.append(NODE_NETWORKS[family] if of_nodes else NOWHERE[family])
    return tuple(dict.fromkeys(found))


def _localhost(fields: Mapping[str, Any], mode: str) -> bool:
    """Whether it says that nodePorts are served at 127.0.0.1. What is so where nothing is said is
    no matter of the configuration, but a feature.
    """
    said = (fields.get("iptables") or {}).get("localhostNodePorts")
    named = [each for each in fields.get("nodePortAddresses") or () if each != "primary"]
    if mode != "iptables" or said is False or (said is None and not named):
        return False
    return not named or any(LOOPBACK["IPv4"] in ip_network(each) for each in named)


def said(fields: Mapping[str, Any], of: str = "") -> frozenset[str]:
    """The names of all fields that are given, as ``iptables.masqueradeAll``."""
    found = set[str]()
    for name, value in fields.items():
        found |= said(value, f"{of}{name}.") if isinstance(value, dict) else {f"{of}{name}"}
    return frozenset(found)
