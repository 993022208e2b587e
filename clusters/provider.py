"""Clusters on this machine: a real control plane, and nodes as network namespaces beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clusters import netns
from clusters.addresses import CLUSTER_CIDRS, FAMILIES, node_address, pod_cidr
from clusters.controlplane import ControlPlane
from clusters.node import Management, Node
from clusters.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from clusters.implementation import Implementation

ZONE_LABEL = "topology.kubernetes.io/zone"
ZONES = ("zone-a", "zone-a", "zone-b")
"""Zone of each node of a cluster: the node under test, and the two that the lab plays."""

LAB_NODES = ("lab-1", "lab-2")
"""Names of the nodes that the lab plays; they are the cluster's nodes number 1 and 2."""


class NodeUnderTest(Node):
    """A node with the proxy under test on it."""

    def __init__(self, name: str, management: Management) -> None:
        super().__init__(name, management)
        self.proxy: Proxy

    def close(self) -> None:
        """End the proxy and remove the node."""
        self.proxy.kill()
        super().close()


class Cluster:
    """One control plane and the nodes under test that are brought up in it; ``number`` tells
    clusters apart.

    Raises (here and in ``node``):
        StartError: a program did not start; the message shows the end of its log.
        NetworkError: an interface or namespace could not be made.
    """

    def __init__(
        self,
        implementation: Implementation,
        binaries: dict[str, Path],
        folder: Path,
        number: int = 0,
    ) -> None:
        self.implementation = implementation
        self._binaries = binaries
        self._folder = folder
        self._number = number
        self._nodes = 0
        self._bridge = f"mgmt{number}"
        address = f"100.64.{number}.1"
        netns.configure(
            None,
            [
                f"link add {self._bridge} type bridge",
                f"addr add {address}/24 dev {self._bridge}",
                f"link set {self._bridge} up",
            ],
        )
        self._control_plane = ControlPlane(binaries, folder / "control-plane", address)
        self.seconds_to_ready = self._control_plane.wait_ready()
        self.api = self._control_plane.api
        for position, name in enumerate(LAB_NODES, start=1):
            self._register(name, position)

    def node(
        self, mode: str, config: Mapping[str, Any] | None = None, *, start: bool = True
    ) -> NodeUnderTest:
        """Bring up a node with the proxy in ``mode``; ``config`` is merged into the proxy's
        configuration.

        With ``start=False`` the proxy is left for the caller to start.
        """
        number = self._nodes
        self._nodes += 1
        name = f"c{self._number}-{mode}-{number}"
        management = Management(
            self._bridge, f"m{self._number}-{number}", f"100.64.{self._number}.{10 + number % 240}"
        )
        self._register(name, 0)
        node = NodeUnderTest(name, management)
        values = {
            "binary": str(self._binaries["proxy"]),
            "node_name": name,
            "kubeconfig": str(self._control_plane.kubeconfig()),
            "server": self._control_plane.server,
            "management_address": management.address,
            "cluster_cidrs": ",".join(map(str, CLUSTER_CIDRS)),
            "node_ipv4": str(node_address(0, "IPv4")),
            "node_ipv6": str(node_address(0, "IPv6")),
        }
        node.proxy = Proxy(self.implementation, mode, node.namespace, self._folder / name, values)
        if start:
            try:
                node.proxy.start(config)
            except BaseException:
                node.close()
                raise
        return node

    def close(self) -> None:
        """End the control plane; nodes are closed by whoever asked for them."""
        self._control_plane.stop()
        netns.configure(None, [f"link delete {self._bridge}"])

    def _register(self, name: str, position: int) -> None:
        """Write the Node object, with its addresses in the status, before anything looks for it."""
        self.api.create(
            "nodes",
            {
                "metadata": {"name": name, "labels": {ZONE_LABEL: ZONES[position]}},
                "spec": {
                    "podCIDR": str(pod_cidr(position, "IPv4")),
                    "podCIDRs": [str(pod_cidr(position, family)) for family in FAMILIES],
                },
            },
        )
        addresses = [
            {"type": "InternalIP", "address": str(node_address(position, family))}
            for family in FAMILIES
        ]
        self.api.patch("nodes", name, {"status": {"addresses": addresses}}, subresource="status")
