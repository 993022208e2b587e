"""Sockets in memory: as much of them as a client on the node needs, which is how connections are
opened and datagrams exchanged.
"""

from __future__ import annotations

import errno
import ipaddress
import itertools
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import Self

from clusters.simulated.packet import PROTOCOLS, TCP, UDP, Packet, socket_address
from specification.addresses import IPAddress
from specification.attempts import SocketAddress
from specification.errors import UnsupportedError

_EPHEMERAL = range(32_768, 61_000)  # net.ipv4.ip_local_port_range
_KINDS: dict[int, int] = {socket.SOCK_STREAM: TCP, socket.SOCK_DGRAM: UDP}
_SYN, _RST, _SYN_ACK = 0x02, 0x04, 0x12
_ORIGINS = {4: 2, 6: 3}  # linux/errqueue.h: SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6


class Sockets:
    """The sockets of a node; what they send goes to ``output``."""

    def __init__(self, output: Callable[[Packet], None]) -> None:
        self.output = output
        self.bound: dict[tuple[int, int, int], SimulatedSocket] = {}
        """By version of IP, protocol and port."""
        self.ports = itertools.cycle(_EPHEMERAL)

    def socket(self, family: int, kind: int, _protocol: int = 0) -> SimulatedSocket:
        """A socket; UnsupportedError for another kind than those of TCP and UDP."""
        if kind not in _KINDS:
            raise UnsupportedError("a simulated node has no raw sockets")
        return SimulatedSocket(self, 4 if family == socket.AF_INET else 6, _KINDS[kind])

    def take(self, packet: Packet) -> bool:
        """Hand a packet that is addressed to the node, or an error, to the socket that it is for;
        whether there is one.
        """
        if quoted := packet.quoted:
            sender, receiver = map(socket_address, quoted.ends)
            found = self._find(quoted, sender)
            if found:
                found.refused(receiver, packet)
            return found is not None
        if packet.protocol not in PROTOCOLS:
            return False
        sender, receiver = map(socket_address, packet.ends)
        found = self._find(packet, receiver)
        return found is not None and found.take(packet, sender)

    def _find(self, packet: Packet, own: SocketAddress) -> SimulatedSocket | None:
        found = self.bound.get((packet.version, packet.protocol, own.port))
        return found if found and found.address in (None, own.address) else None


class SimulatedSocket:
    """What of ``socket.socket`` is needed of it; it never blocks."""

    def __init__(self, sockets: Sockets, version: int, protocol: int) -> None:
        self.address: IPAddress | None = None
        """``None``: all of the node's."""
        self._sockets, self._version, self._protocol = sockets, version, protocol
        self._port = 0
        self._peer: SocketAddress | None = None
        self._connected = False
        self._sequence = 0
        self._problem = 0
        self._received: deque[tuple[bytes, SocketAddress]] = deque()
        self._errors: deque[bytes] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the port back."""
        key = self._version, self._protocol, self._port
        if self._sockets.bound.get(key) is self:
            del self._sockets.bound[key]

    def setblocking(self, _: object) -> None:
        """Nothing blocks."""

    settimeout = setblocking

    def setsockopt(self, *_: object) -> None:
        """All errors are reported anyhow."""

    def bind(self, address: tuple[str, int]) -> None:
        """Take a port: of all addresses where the first is empty, a free one where it is 0."""
        self.address = ipaddress.ip_address(address[0]) if address[0] else None
        bound, key = self._sockets.bound, (self._version, self._protocol)
        if address[1] and (*key, address[1]) in bound:
            raise OSError(errno.EADDRINUSE, "Address already in use")
        free = (port for port in self._sockets.ports if (*key, port) not in bound)
        self._port = address[1] or next(free)
        bound[*key, self._port] = self

    def getsockname(self) -> tuple[str, int]:
        """Its address and port."""
        return str(self.address), self._port

    def listen(self, _backlog: int) -> None:
        """Never: nobody here goes on with a connection."""
        raise UnsupportedError("a simulated node has no servers")

    def connect(self, target: tuple[str, int]) -> None:
        """Have datagrams sent there; UnsupportedError for TCP: nobody here waits for its end."""
        if self._protocol == TCP:
            raise UnsupportedError("a simulated node opens connections, and does no more with them")
        self._peer = SocketAddress(ipaddress.ip_address(target[0]), target[1])
        self._connected = True

    def connect_ex(self, target: tuple[str, int]) -> int:
        """Begin to open a TCP connection; none leads from a loopback address to another one."""
        self._peer = SocketAddress(ipaddress.ip_address(target[0]), target[1])
        if self.address and self.address.is_loopback > self._peer.address.is_loopback:
            return errno.EINVAL
        self._sequence = self._port << 8
        rest = struct.pack("!IIBBHHH", self._sequence, 0, 5 << 4, _SYN, 0xFFFF, 0, 0)
        self._send(rest)
        return errno.EINPROGRESS

    def send(self, data: bytes) -> int:
        """Send a datagram."""
        self._send(struct.pack("!HH", 8 + len(data), 0) + data)
        return len(data)

    def recv(self, size: int) -> bytes:
        """The next datagram; ConnectionRefusedError where one of its own was refused,
        BlockingIOError where there is none.
        """
        return self.recvfrom(size)[0]

    def recvfrom(self, size: int) -> tuple[bytes, tuple[str, int]]:
        """The same, and whom it is from."""
        if self._problem:
            self._problem = 0
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        if not self._received:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        data, sender = self._received.popleft()
        return data[:size], (str(sender.address), sender.port)

    def recvmsg(
        self, _size: int, _more: int, _flags: int
    ) -> tuple[bytes, list[tuple[int, int, bytes]], int, None]:
        """The next error of its queue (ip(7), IP_RECVERR); BlockingIOError where there is none."""
        if not self._errors:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        return b"", [(0, 0, self._errors.popleft())], 0, None

    def getsockopt(self, _level: int, _option: int) -> int:
        """Its pending error (SO_ERROR)."""
        problem, self._problem = self._problem, 0
        return problem

    def getpeername(self) -> tuple[str, int]:
        """Whom it is connected to; OSError where to nobody."""
        if not self._connected or self._peer is None:
            raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")
        return str(self._peer.address), self._peer.port

    def take(self, packet: Packet, sender: SocketAddress) -> bool:
        """Take a packet that is addressed to it; whether it is for it."""
        if self._peer not in (None, sender):
            return False
        if self._protocol == UDP:
            self._received.append((packet.segment[8:], sender))
        elif packet.segment[13] & _RST:
            self._problem = errno.ECONNREFUSED
        elif packet.segment[13] & _SYN_ACK == _SYN_ACK:
            self._connected = int.from_bytes(packet.segment[8:12]) == self._sequence + 1
        return True

    def refused(self, target: SocketAddress, error: Packet) -> None:
        """Take an ICMP error about a packet to ``target``."""
        if self._peer != target:
            return
        self._problem = errno.ECONNREFUSED
        kind, code = error.segment[:2]
        reporter = error.addresses[0]
        head = struct.pack("=IBBBBII", self._problem, _ORIGINS[self._version], kind, code, 0, 0, 0)
        family = socket.AF_INET if self._version == 4 else socket.AF_INET6
        space = bytes(2 if self._version == 4 else 6)  # port, and in IPv6 the flow's label
        self._errors.append(head + struct.pack("=H", family) + space + reporter)

    def _send(self, rest: bytes) -> None:
        peer = self._peer
        if peer is None or self.address is None:
            raise OSError(errno.EDESTADDRREQ, "Destination address required")
        ports = self._port.to_bytes(2) + peer.port.to_bytes(2)
        self._sockets.output(
            Packet.made(self.address.packed, peer.address.packed, self._protocol, ports + rest)
        )
