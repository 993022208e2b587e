"""Nodes as the API has them, however they are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from specification.addresses import FAMILIES, node_address, pod_cidr
from specification.places import ZONES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clusters.api import Api
    from specification.addresses import IPAddress
    from specification.services import Object

ZONE_LABEL = "topology.kubernetes.io/zone"


def register(api: Api, name: str, position: int, labels: Mapping[str, str] | None = None) -> None:
    """Write the Node object of the cluster's node number ``position``, with its addresses in the
    status, before anything looks for it.
    """
    api.create(
        "nodes",
        {
            "metadata": {"name": name, "labels": {ZONE_LABEL: ZONES[position], **(labels or {})}},
            "spec": pod_cidrs(position),
        },
    )
    write_addresses(api, name, (node_address(position, family) for family in FAMILIES))


def pod_cidrs(position: int) -> Object:
    """What a Node's spec says of the networks of its pods, where it is node number ``position``."""
    networks = [str(pod_cidr(position, family)) for family in FAMILIES]
    return {"podCIDR": networks[0], "podCIDRs": networks}


def write_addresses(api: Api, name: str, addresses: Iterable[IPAddress]) -> None:
    """Write the addresses of a Node into its status, the primary ones first."""
    listed = [{"type": "InternalIP", "address": str(each)} for each in addresses]
    api.patch("nodes", name, {"status": {"addresses": listed}}, subresource="status")
