"""Clusters on this machine: a real control plane, and nodes beside it: namespaces or machines."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from clusters import netns
from clusters.embedded.controlplane import ControlPlane
from clusters.node import Management, Node
from clusters.proxy import Program, Proxy
from clusters.system import Namespace
from specification.addresses import CLUSTER_CIDRS, FAMILIES, node_address, pod_cidr
from specification.errors import NodeError
from specification.places import LAB_NODES, ZONES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from clusters.api import Api
    from clusters.implementation import Implementation
    from clusters.node import Build
    from clusters.system import System
    from clusters.vm.supply import Machines
    from clusters.wires import Link

SYNC_PERIOD = "10ms"
"""minSyncPeriod of every mode: short enough to show the proxy itself."""

EMULATED_SYNC_PERIOD = "500ms"
"""The same where processors are emulated: there a sync takes longer than the short one."""

ZONE_LABEL = "topology.kubernetes.io/zone"


class NodeUnderTest(Node):
    """A node with the proxy under test on it."""

    proxy: Proxy

    def close(self) -> None:
        """End the proxy and remove the node."""
        with contextlib.suppress(NodeError, EOFError):  # what is gone needs no end
            self.proxy.close()
        super().close()


class Cluster:
    """One control plane and the nodes under test that are brought up in it; ``number`` tells
    clusters apart. ``many_services`` is for thousands of them (see ControlPlane).

    Raises (here and in ``node``):
        StartError: a program did not start; the message shows the end of its log.
        NetworkError: an interface or namespace could not be made.
        NodeError: a virtual machine did not start.
    """

    def __init__(
        self,
        implementation: Implementation,
        binaries: dict[str, Path],
        folder: Path,
        number: int = 0,
        machines: Machines | None = None,
        *,
        many_services: bool = False,
    ) -> None:
        self.implementation = implementation
        self._machines = machines
        self._binaries = binaries
        self._folder = folder
        self._number = number
        self._nodes = 0
        self._bridge = f"mgmt{number}"
        address = f"100.64.{number}.1"
        netns.add_bridge(self._bridge, f"{address}/24")
        self._control_plane = ControlPlane(
            binaries, folder / "control-plane", address, many_services=many_services
        )
        self.seconds_to_ready = self._control_plane.wait_ready()
        self.api = self._control_plane.api
        self.others: Sequence[System] = ()
        """Other nodes with a proxy on them: there are none here but those that the lab plays."""
        for position, name in enumerate(LAB_NODES, start=1):
            register(self.api, name, position)

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
        register(self.api, name, 0)
        node = NodeUnderTest(name, management, self._build(mode))
        values = {
            "binary": str(node.system.program(self._binaries["proxy"])),
            **values_of(node, self._control_plane.server),
        }
        kubeconfig = self._control_plane.kubeconfig()
        node.proxy = Program(self.implementation, mode, node.system, values, kubeconfig)
        if start:
            try:
                node.proxy.start(config)
            except BaseException:
                node.close()
                raise
        return node

    def _build(self, mode: str) -> Build:
        def build(name: str, links: Sequence[Link], address: str) -> System:
            folder, machines = self._folder / name, self._machines
            if machines is None or mode not in machines.modes:
                return Namespace(name, folder, links, address)
            from clusters.vm.machine import Machine  # noqa: PLC0415  (only runs with machines pay)

            return Machine(
                name,
                folder,
                machines.kernel,
                machines.image,
                links,
                address,
                [self._binaries["proxy"]],
            )

        return build

    def close(self) -> None:
        """End the control plane; nodes are closed by whoever asked for them."""
        self._control_plane.stop()
        netns.configure(None, [f"link delete {self._bridge}"])


def values_of(node: Node, server: str) -> dict[str, str]:
    """What an implementation's file may ask about a node and the API server's URL."""
    return {
        "node_name": node.name,
        "server": server,
        "management_address": node.management_address,
        "cluster_cidrs": ",".join(map(str, CLUSTER_CIDRS.values())),
        "node_ipv4": str(node.address("IPv4")),
        "node_ipv6": str(node.address("IPv6")),
        "min_sync_period": EMULATED_SYNC_PERIOD if node.system.emulated else SYNC_PERIOD,
    }


def register(api: Api, name: str, position: int, labels: Mapping[str, str] | None = None) -> None:
    """Write the Node object of the cluster's node number ``position``, with its addresses in the
    status, before anything looks for it.
    """
    api.create(
        "nodes",
        {
            "metadata": {"name": name, "labels": {ZONE_LABEL: ZONES[position], **(labels or {})}},
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
    api.patch("nodes", name, {"status": {"addresses": addresses}}, subresource="status")
