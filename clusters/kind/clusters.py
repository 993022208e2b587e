"""A kind cluster as the suite uses it: its API server, and its worker as the node under test."""

from __future__ import annotations

import base64
import contextlib
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import yaml

from clusters import netns
from clusters.api import Api
from clusters.embedded.cluster import ZONE_LABEL, NodeUnderTest, register, values_of
from clusters.kind.cluster.configuration import control_plane, worker
from clusters.kind.node.container import Container
from clusters.kind.node.daemonset import STOPPED, DaemonSetProxy
from clusters.kind.node.kubeadm import KubeProxy
from clusters.node import Management
from clusters.wires import Link
from specification.addresses import family_of
from specification.places import LAB_NODES, ZONES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from clusters.implementation import Implementation
    from clusters.kind.cluster.creation import Kind
    from clusters.kind.docker.engine import Engine
    from clusters.system import System
    from specification.addresses import Family, IPAddress
    from specification.services import Object

_ADMINISTRATOR = "/etc/kubernetes/admin.conf"
_PORT = 6443
_SERVER_NAME = "localhost"
"""A name that kind has the API server's certificate made out to."""


class KindClusters:
    """The kind clusters of a run as one: that of the mode whose node was asked for last."""

    def __init__(
        self, implementation: Implementation, kind: Kind, folder: Path, program: Path | None = None
    ) -> None:
        self.implementation = implementation
        self._kind = kind
        self._folder = folder
        self._program = program
        self._used: KindCluster | None = None

    @property
    def api(self) -> Api:
        """Of the cluster in use."""
        if self._used is None:
            raise LookupError("no kind cluster is in use: ask for a node first")
        return self._used.api

    @property
    def others(self) -> Sequence[System]:
        """See KindCluster."""
        return self._used.others if self._used else ()

    def node(
        self, mode: str, config: Mapping[str, Any] | None = None, *, start: bool = True
    ) -> NodeUnderTest:
        """See KindCluster; from now on its cluster is the one in use."""
        self.close()
        names = self._kind.clusters
        number = list(names).index(mode)
        folder = self._folder / mode
        folder.mkdir(parents=True, exist_ok=True)
        self._used = KindCluster(
            self.implementation,
            mode,
            names[mode],
            self._kind.engine,
            folder,
            number,
            self._program,
        )
        return self._used.node(mode, config, start=start)

    def close(self) -> None:
        """Leave the cluster in use."""
        if self._used:
            self._used.close()
            self._used = None


class KindCluster:
    """The kind cluster ``name``, in ``mode``; ``number`` tells the clusters of a run apart. The
    node under test runs ``program`` instead of the image's where one is given.

    Raises (here and in ``node``):
        NodeError: one of its containers does not run.
        StartError: the proxy did not start.
        NetworkError: a container could not be joined to the lab.
    """

    def __init__(
        self,
        implementation: Implementation,
        mode: str,
        name: str,
        engine: Engine,
        folder: Path,
        number: int,
        program: Path | None = None,
    ) -> None:
        self.implementation = implementation
        self._program = program
        self._mode = mode
        self._name = name
        self._engine = engine
        self._folder = folder
        self._number = number
        self._bridge = f"mgmt{number}"
        self._zone: dict[str, str | None] = {}
        netns.add_bridge(self._bridge, f"100.64.{number}.1/24")
        self._control_plane = Container(control_plane(name), engine, folder / "control-plane", {})
        address = f"100.64.{number}.2"
        self._control_plane.join([self._port("control", address)], address)
        self.server = f"https://{address}:{_PORT}"
        self.api = self._administrator()
        self._control_plane.addresses = self._addresses(self._control_plane.name)
        self.others: Sequence[System] = [self._control_plane]
        """The other node that has a proxy too, which is left in peace."""
        for position, node in enumerate(LAB_NODES, start=1):
            self.api.delete_now("nodes", node)  # a run that was killed may have left it
            register(self.api, node, position, {STOPPED: "true"})

    def node(
        self, mode: str, config: Mapping[str, Any] | None = None, *, start: bool = True
    ) -> NodeUnderTest:
        """Join the worker to the lab, and start the proxy there with ``config`` merged into its
        configuration, unless ``start=False`` leaves that to the caller.
        """
        if mode != self._mode:
            raise ValueError(f"the kind cluster {self._name} is in {self._mode} mode, not {mode}")
        name = worker(self._name)
        labels = self.api.get("nodes", name)["metadata"]["labels"]
        self._zone = {name: labels.get(ZONE_LABEL)}
        self._set_zone(name, ZONES[0])
        addresses = self._addresses(name)

        def build(_: str, links: Sequence[Link], address: str) -> System:
            container = Container(name, self._engine, self._folder / name, addresses)
            container.join(links, address)
            return container

        port, address = f"m{self._number}-node", f"100.64.{self._number}.10"
        node = NodeUnderTest(name, Management(self._bridge, port, address), build)
        values = values_of(node, self.server)
        container: Any = node.system
        if self._program:
            values["binary"] = str(container.program(self._program))
        described = self.implementation
        if described.kind:
            node.proxy = DaemonSetProxy(
                described, mode, container, values, self.api, described.kind
            )
        else:
            node.proxy = KubeProxy(described, mode, container, values, self.api)
        if start:
            try:
                node.proxy.start(config)
            except BaseException:
                node.close()
                raise
        return node

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

    def _port(self, name: str, address: str) -> Link:
        mac = b"\x02\x00" + ip_address(address).packed
        return Link("mgmt0", mac, f"m{self._number}-{name}"[:15], bridge=self._bridge)

    def _administrator(self) -> Api:
        """The API as its administrator, with what kubeadm left on the control plane."""
        with self._control_plane.open(_ADMINISTRATOR) as file:
            config = yaml.safe_load(file)
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        secrets = {
            "ca.crt": cluster["certificate-authority-data"],
            "client.crt": user["client-certificate-data"],
            "client.key": user["client-key-data"],
        }
        for name, encoded in secrets.items():
            (self._folder / name).touch(0o600)
            (self._folder / name).write_bytes(base64.b64decode(encoded))
        certificate = self._folder / "client.crt", self._folder / "client.key"
        return Api(
            self.server,
            self._folder / "ca.crt",
            certificate=certificate,
            server_name=_SERVER_NAME,
        )
