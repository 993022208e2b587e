"""A node as a network namespace: wires to the lab, routes as on a real node, and a proxy on it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clusters import netns
from clusters.addresses import (
    FAMILIES,
    POD_GATEWAYS,
    ROUTERS,
    Family,
    IPAddress,
    node_address,
    pod_cidr,
)
from clusters.inspection.netns import host as inspect_host
from clusters.wires import MTU, DropCounter, Wire, WireError

if TYPE_CHECKING:
    from collections.abc import Sequence

POD_INTERFACE = "pod0"
EXTERNAL_INTERFACE = "ext0"
MANAGEMENT_INTERFACE = "mgmt0"

_NODE_MACS = {"pod": bytes.fromhex("02000000a001"), "external": bytes.fromhex("02000000e001")}
_LAB_MACS = {"pod": bytes.fromhex("02000000a0fe"), "external": bytes.fromhex("02000000e0fe")}

SYSCTLS = {
    "net/ipv4/ip_forward": 1,
    "net/ipv6/conf/all/forwarding": 1,
    "net/ipv4/conf/all/rp_filter": 0,
    "net/ipv4/conf/default/rp_filter": 0,
    # pods share one wire, so a packet to a neighbouring pod leaves where it came in
    "net/ipv4/conf/all/send_redirects": 0,
    "net/ipv4/conf/default/send_redirects": 0,
    "net/ipv6/conf/all/accept_dad": 0,
    "net/ipv6/conf/default/accept_dad": 0,
    "net/ipv6/conf/all/accept_ra": 0,
    "net/ipv6/conf/default/accept_ra": 0,
    # a refusal must be seen for each probe of a batch, not for the first few
    "net/ipv4/icmp_ratemask": 0,
    "net/ipv6/icmp/ratelimit": 0,
}
"""Network sysctls of a node, recorded in the report; the comments say where they differ from a
usual node.
"""


@dataclass(frozen=True)
class Management:
    """A node's place on the management wire: its port on the bridge to the control plane, and its
    address.
    """

    bridge: str
    port: str
    address: str


class Node:
    """The node under test, without its proxy: a network stack with a pod, an external and a
    management wire.
    """

    def __init__(self, name: str, management: Management) -> None:
        self.name = name
        self.management_address = management.address
        self.namespace = name
        self._lab = f"{name}-lab"
        netns.add(self.namespace, self._lab)
        self._make_wires(management)
        self.wires = {
            kind: Wire(kind, self._lab, kind, _LAB_MACS[kind], _NODE_MACS[kind])
            for kind in _NODE_MACS
        }
        self.host = inspect_host(netns.path(self.namespace))
        """A testinfra host: what is inside the node."""
        self._conntrack = netns.Conntrack(self.namespace)
        self._counters = [
            DropCounter(self._lab, self.wires),
            DropCounter(self.namespace, (POD_INTERFACE, EXTERNAL_INTERFACE)),
        ]
        self._drops = self._count_drops()

    def __repr__(self) -> str:
        return f"<node {self.name}>"

    @property
    def external_wire(self) -> Wire:
        """Where everything else is: other nodes and their pods, the router, the world outside."""
        return self.wires["external"]

    def address(self, family: Family) -> IPAddress:
        """The node's InternalIP."""
        return node_address(0, family)

    def run(
        self, argv: Sequence[str], check: bool = True, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a program on the node; ``CalledProcessError`` where it fails and ``check`` holds."""
        enter = ["nsenter", f"--net={netns.path(self.namespace)}", "--"]
        return subprocess.run(
            [*enter, *argv], check=check, capture_output=True, text=True, **options
        )

    def enter_command(self) -> str:
        """The command that opens a shell on the node from inside the sandbox."""
        return f"ip netns exec {self.namespace} bash"

    def forget_connections(self) -> None:
        """Empty the node's conntrack."""
        self._conntrack.flush()

    def check_losses(self) -> None:
        """Raise WireError if a link or ring of ours has dropped a frame since the last check."""
        for wire in self.wires.values():
            wire.check_losses()
        drops = self._count_drops()
        if drops != self._drops:
            lost, self._drops = drops - self._drops, drops
            raise WireError(
                f"the links to {self.name} dropped {lost} frames: the machine is too busy to judge"
            )

    def close(self) -> None:
        """Remove the node with everything on it."""
        for wire in self.wires.values():
            wire.close()
        for counter in self._counters:
            counter.close()
        self._conntrack.close()
        netns.delete(self.namespace, self._lab)

    def _count_drops(self) -> int:
        return sum(counter.read() for counter in self._counters)

    def _make_wires(self, management: Management) -> None:
        def mac(address: bytes) -> str:
            return address.hex(":")

        lab, node = self._lab, self.namespace
        pod, external = f"dev {POD_INTERFACE}", f"dev {EXTERNAL_INTERFACE}"
        netns.set_sysctls(node, SYSCTLS)
        netns.configure(
            lab,
            [
                (
                    f"link add pod mtu {MTU} address {mac(_LAB_MACS['pod'])} type veth"
                    f" peer name {POD_INTERFACE} mtu {MTU}"
                    f" address {mac(_NODE_MACS['pod'])} netns {node}"
                ),
                (
                    f"link add external mtu {MTU} address {mac(_LAB_MACS['external'])} type veth"
                    f" peer name {EXTERNAL_INTERFACE} mtu {MTU}"
                    f" address {mac(_NODE_MACS['external'])} netns {node}"
                ),
            ],
        )
        # the lab's ends only carry frames: its kernel must not answer anything by itself
        netns.set_sysctls(lab, {f"net/ipv6/conf/{kind}/disable_ipv6": 1 for kind in _LAB_MACS})
        netns.configure(lab, [f"link set {kind} arp off up" for kind in _LAB_MACS])
        netns.configure(
            None,
            [
                (
                    f"link add {management.port} type veth"
                    f" peer name {MANAGEMENT_INTERFACE} netns {node}"
                ),
                f"link set {management.port} master {management.bridge} up",
            ],
        )
        for interface in (
            POD_INTERFACE,
            EXTERNAL_INTERFACE,
        ):  # what the node sends carries whole checksums
            netns.checksum_offload_off(node, interface)
        commands = [
            "link set lo up",
            *(
                f"link set {name} up"
                for name in (POD_INTERFACE, EXTERNAL_INTERFACE, MANAGEMENT_INTERFACE)
            ),
            f"addr add {management.address}/24 dev {MANAGEMENT_INTERFACE}",
        ]
        for position, family in enumerate(FAMILIES):
            router, gateway = ROUTERS[position], POD_GATEWAYS[position]
            commands += [
                f"addr add {self.address(family)}/{router.max_prefixlen} {external} nodad",
                f"neigh add {router} lladdr {mac(_LAB_MACS['external'])} {external} nud permanent",
                f"neigh add {gateway} lladdr {mac(_LAB_MACS['pod'])} {pod} nud permanent",
                f"route add default via {router} {external} onlink src {self.address(family)}",
                (
                    f"route add {pod_cidr(0, family)} via {gateway} dev {POD_INTERFACE} onlink"
                    f" src {self.address(family)}"
                ),
            ]
        netns.configure(node, commands)
