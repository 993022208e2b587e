"""A node: a system with wires to the lab, and routes as on a real node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from clusters import netns
from clusters.wires import MTU, DropCounter, Link, Wire
from specification.addresses import (
    FAMILIES,
    POD_GATEWAYS,
    ROUTERS,
    Family,
    IPAddress,
    node_address,
    pod_cidr,
)
from specification.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clusters.system import System

POD_INTERFACE = "pod0"
EXTERNAL_INTERFACE = "ext0"
MANAGEMENT_INTERFACE = "mgmt0"

_COUNTERS = "/proc/thread-self/net/dev"
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
    "net/ipv6/icmp/ratemask": 0,
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


Build = Callable[[str, "Sequence[Link]", str], "System"]
"""Makes the system of that name, with an end of each of these links, the last of which is the
management wire's, and the address of that. (The kernel masquerades with the address of the first
link that has one, where the outgoing one has none.)
"""


class Node:
    """The node under test, without its proxy: a network stack with a pod, an external and a
    management wire.
    """

    def __init__(self, name: str, management: Management, build: Build) -> None:
        self.name = name
        self.management_address = management.address
        self._lab = f"{name}-lab"
        netns.add(self._lab)
        wires = {
            "pod": self._link("pod", POD_INTERFACE),
            "external": self._link("external", EXTERNAL_INTERFACE),
        }
        port = Link(
            MANAGEMENT_INTERFACE,
            b"\x02\x00" + ip_address(management.address).packed,
            management.port,
            bridge=management.bridge,
        )
        try:
            self.system = build(name, [*wires.values(), port], management.address)
        except BaseException:
            netns.delete(self._lab)
            raise
        self.host = self.system.host
        """A testinfra host: what is inside the node."""
        self.run = self.system.run
        """Runs a program on the node: see System."""
        self._configure()
        self.wires = {
            kind: Wire(kind, self._lab, kind, _LAB_MACS[kind], link.node_mac)
            for kind, link in wires.items()
        }
        self._conntrack = netns.Conntrack(self.system.socket)
        with netns.inside(self._lab):
            lab_counters = Path(_COUNTERS).open()  # noqa: SIM115  (kept open: read often)
        self._counters = [
            DropCounter(lab_counters, self.wires),
            DropCounter(self.system.open(_COUNTERS), (POD_INTERFACE, EXTERNAL_INTERFACE)),
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
        own = self.system.addresses
        return own[family] if own else node_address(0, family)

    def read(self, path: str | Path) -> str:
        """The text of a file on the node, one of /proc or /sys too."""
        with self.system.open(path) as file:
            return file.read()

    def write(self, path: str | Path, text: str, mode: int | None = None) -> None:
        """Write a file on the node, one of /proc or /sys too, with the permissions ``mode``."""
        with self.system.open(path, "w") as file:
            file.write(text)
        if mode is not None:
            self.run(["chmod", f"{mode:o}", str(path)])

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
        self.system.close()
        netns.delete(self._lab)

    def _count_drops(self) -> int:
        return sum(counter.read() for counter in self._counters)

    def _configure(self) -> None:
        """Give the node its addresses and routes."""

        def mac(address: bytes) -> str:
            return address.hex(":")

        for key, value in SYSCTLS.items():
            # what is the default applies to interfaces that are made later
            names = ("default", POD_INTERFACE, EXTERNAL_INTERFACE) if "/default/" in key else ("",)
            for name in names:
                self.write(Path("/proc/sys", key.replace("default", name)), str(value))
        pod, external = f"dev {POD_INTERFACE}", f"dev {EXTERNAL_INTERFACE}"
        commands = [
            *(f"link set {name} mtu {MTU} up" for name in (POD_INTERFACE, EXTERNAL_INTERFACE)),
        ]
        for family in FAMILIES:
            router, gateway = ROUTERS[family], POD_GATEWAYS[family]
            commands += [
                f"addr add {self.address(family)}/{router.max_prefixlen} {external} nodad",
                f"neigh add {router} lladdr {mac(_LAB_MACS['external'])} {external} nud permanent",
                f"neigh add {gateway} lladdr {mac(_LAB_MACS['pod'])} {pod} nud permanent",
                # what is no namespace of ours may have had another way out
                f"route replace default via {router} {external} onlink src {self.address(family)}",
                (
                    f"route add {pod_cidr(0, family)} via {gateway} dev {POD_INTERFACE} onlink"
                    f" src {self.address(family)}"
                ),
            ]
        # the address that the kernel prefers towards pods; it would take a cluster IP where a proxy
        # puts those on the node (RFC 6724, section 5, rules 5 and 8)
        commands.append(f"addr add {self.address('IPv6')}/128 {pod} nodad noprefixroute")
        self.run(["ip", "-batch", "-"], input="\n".join(commands) + "\n")

    def _link(self, kind: str, interface: str) -> Link:
        return Link(
            interface, _NODE_MACS[kind], kind, namespace=self._lab, peer_mac=_LAB_MACS[kind]
        )
