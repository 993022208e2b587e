"""Kind clusters as the suite uses them: the workers are the nodes under test."""

from __future__ import annotations

import contextlib
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING

import yaml

from clusters import netns
from clusters.api import Api
from clusters.kind.cluster.configuration import control_plane, worker
from clusters.kind.cluster.delivery import KUBEADMS
from clusters.kind.node.container import Container
from clusters.kind.node.daemonset import STOPPED, DaemonSetProxy
from clusters.kind.node.kubeadm import FOLDERS, KubeProxy
from clusters.node import Management, WiredNode
from clusters.proxy import values_of
from clusters.registration import ZONE_LABEL, pod_cidrs, register
from specification.addresses import family_of
from specification.places import LAB_NODES, ZONES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from clusters.contract import Node, System
    from clusters.implementation import Implementation
    from clusters.kind.cluster.creation import Kind
    from clusters.wires import Link
    from specification.addresses import Family, IPAddress
    from specification.services import Object

_ADMINISTRATOR = "/etc/kubernetes/admin.conf"
_PORT = 6443
_SERVER_NAME = "localhost"
"""A name that kind has the API server's certificate made out to."""


class KindClusters:
    """See clusters.contract.Substrate; the clusters are there, in Docker. Nodes under test run
    ``program`` instead of the image's where one is given.
    """

    def __init__(
        self, implementation: Implementation, kind: Kind, folder: Path, program: Path | None = None
    ) -> None:
        self._enter = partial(KindCluster, implementation, kind, folder, program)
        self._entered: dict[str, KindCluster] = {}

    def cluster(self, mode: str) -> KindCluster:
        """See Substrate."""
        if mode not in self._entered:
            self._entered[mode] = self._enter(mode)
        return self._entered[mode]

    def close(self) -> None:
        """See Substrate; the clusters stay, as they were found."""
        for cluster in self._entered.values():
            cluster.close()


class KindCluster:
    """See clusters.contract.Cluster: that of ``kind`` which is in ``mode``.

    Raises (here and in ``node``):
        NodeError: one of its containers does not run.
        NetworkError: a container could not be joined to the lab.
    """

    def __init__(
        self,
        implementation: Implementation,
        kind: Kind,
        folder: Path,
        program: Path | None,
        mode: str,
    ) -> None:
        self._implementation = implementation
        self._program = program
        self._mode = mode
        self._name = kind.clusters[mode]
        self._engine = kind.engine
        self._folder = folder / mode
        self._number = list(kind.clusters).index(mode)
        self._bridge = f"mgmt{self._number}"
        self._zone: dict[str, str | None] = {}
        netns.add_bridge(self._bridge, f"100.64.{self._number}.1/24")
        control = self._control_plane = self._container(control_plane(self._name))
        place = self._place("control", 2)
        control.join([place.link], place.address)
        self.server = f"https://{place.address}:{_PORT}"
        self.api = self._administrator()
        self.others = [control]
        for position, node in enumerate(LAB_NODES, start=1):
            self.api.delete_now("nodes", node)  # a run that was killed may have left it
            register(self.api, node, position, {STOPPED: "true"})

    def node(self) -> WiredNode:
        """See Cluster: the worker, joined to the lab."""
        name = worker(self._name)
        found = self.api.get("nodes", name)
        self._zone = {name: found["metadata"]["labels"].get(ZONE_LABEL)}
        if "podCIDRs" not in found["spec"]:  # which can be said once, and stays
            self.api.patch("nodes", name, {"spec": pod_cidrs(0)})
        self._set_zone(name, ZONES[0])
        container = self._container(name)

        def make_system(_: str, links: Sequence[Link], address: str) -> System:
            container.join(links, address)
            return container

        def make_proxy(node: Node) -> DaemonSetProxy:
            values = values_of(node, self.server)
            if self._program:
                values["binary"] = str(container.program(self._program))
            given = self._implementation, self._mode, container
            if self._implementation.kind:
                return DaemonSetProxy(*given, values, self.api, self._implementation.kind)
            return KubeProxy(*given, values | FOLDERS, self.api, KUBEADMS)

        return WiredNode(name, self._place("node", 10), make_system, make_proxy)

    def close(self) -> None:
        """Leave the cluster; nodes are closed by whoever asked for them."""
        with contextlib.suppress(Exception):
            for node in LAB_NODES:
                self.api.delete("nodes", node)
            for node, zone in self._zone.items():
                self._set_zone(node, zone)
        self.api.close()
        self._control_plane.close()
        netns.configure(None, [f"link delete {self._bridge}"])

    def _container(self, name: str) -> Container:
        return Container(name, self._engine, self._folder / name, self._addresses)

    def _addresses(self, node: str) -> dict[Family, IPAddress]:
        """A node's InternalIPs."""
        found = [
            ip_address(each["address"])
            for each in self.api.get("nodes", node)["status"]["addresses"]
            if each["type"] == "InternalIP"
        ]
        return {family_of(each): each for each in found}

    def _set_zone(self, node: str, zone: str | None) -> Object:
        return self.api.patch("nodes", node, {"metadata": {"labels": {ZONE_LABEL: zone}}})

    def _place(self, name: str, host: int) -> Management:
        number = self._number
        return Management(self._bridge, f"m{number}-{name}", f"100.64.{number}.{host}")

    def _administrator(self) -> Api:
        """The API as its administrator, with what kubeadm left on the control plane."""
        with self._control_plane.open(_ADMINISTRATOR) as file:
            kubeconfig = yaml.safe_load(file)
        kubeconfig["clusters"][0]["cluster"] |= {
            "server": self.server,
            "tls-server-name": _SERVER_NAME,
        }
        return Api(kubeconfig)
