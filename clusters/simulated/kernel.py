"""A kernel in memory: its wires are queues of frames, its rules are a function.

Where a node under test has a proxy's rules, this one asks a ``Rule`` what becomes of each new
connection and does it as a kernel would: it tracks the flow, translates addresses and ports both
ways and in what ICMP errors quote, refuses, drops or forwards. The lab (fixtures.lab.lab) works on
it unchanged, without a kernel or privileges.
"""

from __future__ import annotations

import functools
import ipaddress
import random
import struct
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from clusters.simulated.packet import (
    ICMP,
    PROTOCOLS,
    TCP,
    End,
    Ends,
    Packet,
    socket_address,
)
from clusters.simulated.sockets import Sockets
from clusters.wires import Frames
from specification.addresses import (
    CLUSTER_CIDRS,
    FAMILIES,
    NODE_NETWORKS,
    Family,
    IPAddress,
    family_of,
    node_address,
    pod_cidr,
)
from specification.attempts import Attempt, SocketAddress
from specification.errors import UnsupportedError
from specification.places import Place

if TYPE_CHECKING:
    from numpy.typing import NDArray

POD, EXTERNAL = "pod", "external"


@dataclass(frozen=True)
class Deliver:
    """Send it to ``endpoint``, with ``source`` as its source address where that is not ``None``."""

    endpoint: SocketAddress
    source: IPAddress | None = None


@dataclass(frozen=True)
class Refuse:
    """Refuse it by an ICMP error, port unreachable or another, or a TCP connection by a reset."""

    how: Literal["port-unreachable", "unreachable", "reset"] = "port-unreachable"


@dataclass(frozen=True)
class Drop:
    """Drop it without a word."""


@dataclass(frozen=True)
class Pass:
    """Leave it alone: it is forwarded, or taken by the node, by its destination."""


@dataclass(frozen=True)
class Answer:
    """Answer it on the node itself, by the packet that ``made`` makes of it."""

    made: Callable[[bytes], bytes]


Decision = Deliver | Refuse | Drop | Pass | Answer
Rule = Callable[[Attempt, Place], Decision]
"""What becomes of a new connection, and where its client is."""

Keep = Callable[[Attempt, Place, Deliver | Pass], bool]
"""Whether a flow goes on that began as such a connection, and what was decided of it then."""

_MACS = {
    wire: (bytes([2, number, 1]) * 2, bytes([2, number, 2]) * 2)
    for number, wire in enumerate((POD, EXTERNAL))
}
_ERRORS = {
    "port-unreachable": {4: (3, 3), 6: (1, 4)},
    "unreachable": {4: (3, 1), 6: (1, 3)},
    "time-exceeded": {4: (11, 0), 6: (3, 0)},
}
"""Type and code (RFC 792, RFC 4443)."""
_ETHERNET = 14
_RST_ACK = 0x14


class SimulatedWire:
    """The lab's end of a link to the node: what is sent is handled at once."""

    def __init__(self, name: str, kernel: Kernel) -> None:
        self.name = name
        self.lab_mac, self.node_mac = _MACS[name]
        self.queue: deque[bytes] = deque()
        """Frames that have left the node and wait to be received."""
        self._kernel = kernel

    def send(self, frames: NDArray[np.uint8]) -> None:
        """Send the rows of ``frames``."""
        for frame in frames:
            self._kernel.take(frame.tobytes(), self.name)

    def receive(self, limit: int = 2048) -> Frames | None:
        """Take up to ``limit`` frames; ``None`` where there are none."""
        taken = [self.queue.popleft() for _ in range(min(limit, len(self.queue)))]
        if not taken:
            return None
        lengths = np.array([len(frame) for frame in taken], np.int64)
        padded = b"".join(frame.ljust(lengths.max(), b"\0") for frame in taken)
        data = np.frombuffer(padded, np.uint8).reshape(len(taken), -1)
        return Frames(data, lengths, np.full(len(taken), time.time_ns()))

    def wait(self, timeout: float) -> None:
        """Do at once what the node does while it is waited for."""
        self._kernel.waiting(timeout)


class Kernel:
    """A network stack between a pod and an external wire, whose proxy is ``rule``; ``seed`` is of
    the ports that it draws.
    """

    def __init__(self, rule: Rule, seed: int = 0) -> None:
        self.rule = rule
        self.wires = {name: SimulatedWire(name, self) for name in _MACS}
        self.leaving: Callable[[str, bytes], Iterable[bytes]] = lambda _wire, frame: [frame]
        """What a frame that leaves on a wire becomes: a test makes faults of it."""
        self.waiting: Callable[[float], object] = lambda _seconds: None
        """What the node does while somebody waits: its proxy may sync."""
        self._sockets = Sockets(self.output)
        self.socket = self._sockets.socket
        """Opens a socket as a process on the node does: see clusters.simulated.sockets."""
        self._random = random.Random(seed)
        self._flows: dict[tuple[int, End, End], Ends] = {}
        self._begun: dict[tuple[int, End, End], tuple[Attempt, Place, Deliver | Pass]] = {}
        self._own = {self.address(family).packed for family in FAMILIES}

    @staticmethod
    def address(family: Family) -> IPAddress:
        """The node's InternalIP."""
        return node_address(0, family)

    def forget_connections(self) -> None:
        """Empty the table of flows."""
        self._flows.clear()
        self._begun.clear()

    def review(self, keep: Keep) -> None:
        """Forget the flows that do not go on."""
        for key in [key for key, begun in self._begun.items() if not keep(*begun)]:
            number, client, target = key
            seen, endpoint = self._flows.pop((number, client, target))
            del self._flows[number, endpoint, seen]
            del self._begun[key]

    def take(self, frame: bytes, wire: str) -> None:
        """Handle a frame that has come from the lab; one that no kernel would take is dropped.

        Raises UnsupportedError for fragments.
        """
        packet = Packet(bytearray(frame[_ETHERNET:]))
        if packet.is_fragment:
            raise UnsupportedError("a simulated node does not put fragments together")
        if packet.is_intact() and self._translate(packet, wire):
            self._route(packet)

    def output(self, packet: Packet) -> None:
        """Send what a process on the node has made."""
        if self._translate(packet, None):
            self._route(packet, hops=0)

    def _translate(self, packet: Packet, wire: str | None) -> bool:
        """Have a packet from a wire, or the node itself, follow its flow; whether it goes on."""
        if packet.protocol not in PROTOCOLS:
            self._relate(packet)
        elif translated := self._flows.get((packet.protocol, *packet.ends)):
            packet.readdress(*translated)
        elif packet.opens:
            return self._begin(packet, wire)
        return True

    def _begin(self, packet: Packet, wire: str | None) -> bool:
        """Begin a flow, as the rule decides; whether it goes anywhere."""
        client, target = map(socket_address, packet.ends)
        attempt = Attempt(PROTOCOLS[packet.protocol], client, target)
        place = _place(packet.family, client.address, wire)
        decision = self.rule(attempt, place)
        match decision:
            case Deliver(endpoint, source):
                address = packet.ends[0][:-2] if source is None else source.packed
                ends = address, endpoint.address.packed + endpoint.port.to_bytes(2)
                self._track(packet, *ends, (attempt, place, decision))
            case Pass():
                ends = packet.ends[0][:-2], packet.ends[1]
                self._track(packet, *ends, (attempt, place, decision))
            case Refuse(how):
                self._refuse(packet, how)
            case Answer(made):
                self._route(Packet(bytearray(made(bytes(packet.data)))))
        return isinstance(decision, Deliver | Pass)

    def _track(
        self,
        packet: Packet,
        source: bytes,
        endpoint: End,
        begun: tuple[Attempt, Place, Deliver | Pass],
    ) -> None:
        """Have the endpoint see ``source`` with the client's port, or another if that is in use or
        the source is the node's: a masqueraded connection gets a port of its own.
        """
        client, target = packet.ends
        seen = source + (client[-2:] if source == client[:-2] else self._port())
        while (packet.protocol, endpoint, seen) in self._flows:
            seen = source + self._port()
        self._flows[packet.protocol, client, target] = seen, endpoint
        self._flows[packet.protocol, endpoint, seen] = target, client
        self._begun[packet.protocol, client, target] = begun
        packet.readdress(seen, endpoint)

    def _port(self) -> bytes:
        """An unprivileged port, drawn as Linux does (net/netfilter/nf_nat_core.c)."""
        return (1024 + self._random.getrandbits(16) % (65536 - 1024)).to_bytes(2)

    def _relate(self, error: Packet) -> None:
        """Translate an ICMP error, as the packet that it quotes was, to whom that came from."""
        if (quoted := error.quoted) is None:
            return
        sender, receiver = quoted.ends
        if turned := self._flows.get((quoted.protocol, receiver, sender)):
            source, destination = turned
            quoted.readdress(destination, source)
            error.data[error.header + 8 :] = quoted.data
            kept = error.addresses[0] if source == receiver else source[:-2]
            error.set_addresses(kept, destination[:-2])

    def _route(self, packet: Packet, hops: int = 1) -> None:
        """Send a packet on its way, or take it where it is the node's."""
        destination = packet.addresses[1]
        if destination in self._own or _is_loopback(destination):
            if not self._sockets.take(packet) and packet.opens:  # nobody listens
                self._refuse(packet, "reset" if packet.protocol == TCP else "port-unreachable")
        elif packet.hop(hops):
            self._send(_wire_to(destination), packet.sealed())
        elif packet.protocol in PROTOCOLS:  # no error about another one (RFC 1122, 3.2.2)
            self._refuse(packet, "time-exceeded")

    def _refuse(self, packet: Packet, how: str) -> None:
        """Refuse a packet: by an error of the node's, or in the name of its destination."""
        source, destination = packet.addresses
        if how == "reset":
            ports, sequence = packet.segment[2:4] + packet.segment[:2], packet.segment[4:8]
            expected = (int.from_bytes(sequence) + 1) & 0xFFFFFFFF
            rest = struct.pack("!IIBBHHH", 0, expected, 5 << 4, _RST_ACK, 0, 0, 0)
            self._route(Packet.made(destination, source, TCP, ports + rest))
        else:
            version = packet.version
            head = bytes([*_ERRORS[how][version], 0, 0, 0, 0, 0, 0])
            own = self.address(packet.family).packed
            error = Packet.made(own, source, ICMP[version], head + packet.data)
            self._relate(error)
            self._route(error)

    def _send(self, wire: str, packet: bytes) -> None:
        link = self.wires[wire]
        ethertype = b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd"
        link.queue.extend(self.leaving(wire, link.lab_mac + link.node_mac + ethertype + packet))


def _is_loopback(address: bytes) -> bool:
    return address[0] == 127 if len(address) == 4 else address == bytes(15) + b"\1"


@functools.lru_cache(maxsize=1 << 16)
def _wire_to(destination: bytes) -> str:
    """The wire on which an address is: that of the node's own pods, or the other."""
    address = ipaddress.ip_address(destination)
    return POD if address in pod_cidr(0, family_of(address)) else EXTERNAL


def _place(family: Family, client: IPAddress, wire: str | None) -> Place:
    """Where a client is, by the wire that its packet has come from and by its address."""
    if wire is None:
        return "node"
    if wire == POD:
        return "pod"
    if client in NODE_NETWORKS[family]:
        return "remote-node"
    return "remote-pod" if client in CLUSTER_CIDRS[family] else "outside"
