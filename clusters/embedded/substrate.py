"""Clusters of this machine: a real control plane, and beside it a namespace for each node, or a
virtual machine.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from clusters import netns
from clusters.embedded.controlplane import ControlPlane
from clusters.embedded.hooks import HookedProgram, Hooks
from clusters.embedded.namespace import Namespace
from clusters.node import Management, WiredNode
from clusters.proxy import Program, values_of
from clusters.registration import register
from specification.errors import StartError
from specification.places import LAB_NODES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from clusters.api import Api
    from clusters.contract import Node, System
    from clusters.implementation import Implementation
    from clusters.vm.supply import Machines
    from clusters.wires import Link


class EmbeddedCluster(NamedTuple):
    """See clusters.contract.Cluster; clusters of all modes have one control plane."""

    api: Api
    node: Callable[[], Node]
    others: Sequence[System] = ()


class Embedded:
    """See clusters.contract.Substrate; ``number`` tells those of a run apart. The modes that
    ``machines`` names have virtual machines. ``many_services`` is for thousands of them (see
    ControlPlane).

    Raises (and ``node`` does):
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
        *,
        machines: Machines | None = None,
        many_services: bool = False,
    ) -> None:
        self._implementation = implementation
        self._binaries = binaries
        self._folder = folder
        self._number = number
        self._machines = machines
        self._nodes = 0
        self._bridge = f"mgmt{number}"
        address = f"100.64.{number}.1"
        netns.add_bridge(self._bridge, f"{address}/24")
        self._control_plane = ControlPlane(
            binaries, folder / "control-plane", address, many_services=many_services
        )
        self.seconds_to_ready = self._control_plane.wait_ready()
        for position, name in enumerate(LAB_NODES, start=1):
            register(self._control_plane.api, name, position)
        self._hooks = self._hook_program() if implementation.hooks else None

    def cluster(self, mode: str) -> EmbeddedCluster:
        """See Substrate."""
        return EmbeddedCluster(self._control_plane.api, partial(self._node, mode))

    def close(self) -> None:
        """See Substrate."""
        if self._hooks:
            self._hooks.close()
        self._control_plane.stop()
        netns.configure(None, [f"link delete {self._bridge}"])

    def _node(self, mode: str) -> WiredNode:
        number = self._nodes
        self._nodes += 1
        name = f"c{self._number}-{mode}-{number}"
        management = Management(
            self._bridge, f"m{self._number}-{number}", f"100.64.{self._number}.{10 + number % 240}"
        )
        register(self._control_plane.api, name, 0)

        def make_proxy(node: Node) -> Program:
            values = {
                "binary": str(node.system.program(self._binaries["proxy"])),
                **values_of(node, self._control_plane.server),
            }
            kubeconfig = json.dumps(self._control_plane.kubeconfig)
            described = self._implementation, mode
            if self._hooks and isinstance(node.system, Namespace):
                system, hooks = node.system, self._hooks
                return HookedProgram(*described, system, values, kubeconfig, hooks=hooks, node=node)
            return Program(*described, node.system, values, kubeconfig)

        return WiredNode(name, management, partial(self._system, mode), make_proxy)

    def _hook_program(self) -> Hooks:
        """The implementation's, which knows of the cluster."""
        hooks, folder = Hooks(self._implementation, self._folder), self._folder / "hooks"
        folder.mkdir()
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(json.dumps(self._control_plane.kubeconfig))
        binary = self._binaries["proxy"]
        try:
            hooks.call("cluster-up", kubeconfig=kubeconfig, folder=folder, binary=binary)
        except StartError:
            hooks.close()
            self._control_plane.stop()
            raise
        return hooks

    def _system(self, mode: str, name: str, links: Sequence[Link], address: str) -> System:
        """What a node of a mode is made of."""
        folder = self._folder / name
        if self._machines and mode in self._machines.modes:
            return self._machines.boot(name, folder, links, address, [self._binaries["proxy"]])
        return Namespace(name, folder, links, address)
