"""A node: a system with wires to the lab, routes as on a real node, and a proxy."""

from __future__ import annotations

import contextlib
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
    pod_cidr,
)
from specification.errors import NodeError, WireError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clusters.contract import Node, Proxy, System

POD_INTERFACE = "pod0"
EXTERNAL_INTERFACE = "ext0"
MANAGEMENT_INTERFACE = "mgmt0"

_INTERFACES = {"pod": POD_INTERFACE, "external": EXTERNAL_INTERFACE}
"""The node's end of each wire."""

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
    # no machine is so slow that flows of datagrams are forgotten while a change takes effect
    "net/netfilter/nf_conntrack_udp_timeout": 300,
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

    @property
    def link(self) -> Link:
        """The link to it."""
        mac = b"\x02\x00" + ip_address(self.address).packed
        return Link(MANAGEMENT_INTERFACE, mac, self.port, bridge=self.bridge)


MakeSystem = Callable[[str, "Sequence[Link]", str], "System"]
"""Makes the system of that name, with an end of each of these links, the last of which is the
management wire's, and the address of that. (The kernel masquerades with the address of the first
link that has one, where the outgoing one has none.)
"""

MakeProxy = Callable[["Node"], "Proxy"]
"""Makes the proxy of a node that is there but for it."""


class WiredNode:
    """A node under test: see clusters.contract.Node. ``make_system`` and ``make_proxy`` say what it
    is made of.
    """

    def __init__(
        self, name: str, management: Management, make_system: MakeSystem, make_proxy: MakeProxy
    ) -> None:
        self.name = name
        self.management_address = management.address
        self._lab = f"{name}-lab"
        with contextlib.ExitStack() as made:
            netns.add(self._lab)
            made.callback(netns.delete, self._lab)
            links = {
                wire: Link(
                    interface, _NODE_MACS[wire], wire, namespace=self._lab, peer_mac=_LAB_MACS[wire]
                )
                for wire, interface in _INTERFACES.items()
            }
            joined = [*links.values(), management.link]
            self.system = make_system(name, joined, management.address)
            made.callback(self.system.close)
            self.host = self.system.host
            self.run = self.system.run
            self._configure()
            self.wires = {
                kind: Wire(kind, self._lab, kind, _LAB_MACS[kind], link.node_mac)
                for kind, link in links.items()
            }
            for wire in self.wires.values():
                made.callback(wire.close)
            self._conntrack = netns.Conntrack(self.system.socket)
            made.callback(self._conntrack.close)
            with netns.inside(self._lab):
                ours = made.enter_context(Path(_COUNTERS).open())  # kept open: read often
            there = made.enter_context(self.system.open(_COUNTERS))
            self._counters = [
                DropCounter(ours, self.wires),
                DropCounter(there, _INTERFACES.values()),
            ]
            self._drops = self._count_drops()
            self.proxy = make_proxy(self)
            made.callback(self._leave_proxy)
            self._made = made.pop_all()

    def __repr__(self) -> str:
        return f"<node {self.name}>"

    def address(self, family: Family) -> IPAddress:
        """See Node."""
        return self.system.addresses[family]

    def read(self, path: str | Path) -> str:
        """See Node."""
        with self.system.open(path) as file:
            return file.read()

    def write(self, path: str | Path, text: str, mode: int | None = None) -> None:
        """See Node."""
        with self.system.open(path, "w") as file:
            file.write(text)
        if mode is not None:
            self.run(["chmod", f"{mode:o}", str(path)])

    def forget_connections(self) -> None:
        """See Node."""
        self._conntrack.flush()

    def check_losses(self) -> None:
        """See Node."""
        for wire in self.wires.values():
            wire.check_losses()
        drops = self._count_drops()
        if drops != self._drops:
            lost, self._drops = drops - self._drops, drops
            raise WireError(
                f"the links to {self.name} dropped {lost} frames: the machine is too busy to judge"
            )

    def close(self) -> None:
        """See Node."""
        self._made.close()

    def _leave_proxy(self) -> None:
        with contextlib.suppress(NodeError, EOFError):  # what is gone needs no end
            self.proxy.close()

    def _count_drops(self) -> int:
        return sum(counter.read() for counter in self._counters)

    def _configure(self) -> None:
        """Give the node its addresses and routes."""

        def mac(address: bytes) -> str:
            return address.hex(":")

        for key, value in SYSCTLS.items():
            # what is the default applies to interfaces that are made later
            names = ("default", *_INTERFACES.values()) if "/default/" in key else ("",)
            for name in names:
                self.write(Path("/proc/sys", key.replace("default", name)), str(value))
        pod, external = f"dev {POD_INTERFACE}", f"dev {EXTERNAL_INTERFACE}"
        commands = [f"link set {name} mtu {MTU} up" for name in _INTERFACES.values()]
        for family in FAMILIES:
            own, router, gateway = self.address(family), ROUTERS[family], POD_GATEWAYS[family]
            commands += [
                f"addr add {own}/{router.max_prefixlen} {external} nodad",
                f"neigh add {router} lladdr {mac(_LAB_MACS['external'])} {external} nud permanent",
                f"neigh add {gateway} lladdr {mac(_LAB_MACS['pod'])} {pod} nud permanent",
                # what is no namespace of ours may have had another way out
                f"route replace default via {router} {external} onlink src {own}",
                f"route add {pod_cidr(0, family)} via {gateway} {pod} onlink src {own}",
            ]
        # the address that the kernel prefers towards pods; it would take a cluster IP where a proxy
        # puts those on the node (RFC 6724, section 5, rules 5 and 8)
        commands.append(f"addr add {self.address('IPv6')}/128 {pod} nodad noprefixroute")
        self.run(["ip", "-batch", "-"], input="\n".join(commands) + "\n")
