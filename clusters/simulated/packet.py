"""Packets as a kernel handles them: looked at, translated in place, sealed."""

from __future__ import annotations

import functools
import ipaddress
import struct
from collections.abc import Callable
from typing import Final

from scapy.layers import sctp

from specification.addresses import FAMILIES
from specification.attempts import SocketAddress
from specification.services import Protocol

End = bytes
"""An address and a port, as they are in packets."""

Ends = tuple[End, End]

TCP, UDP, SCTP = 6, 17, 132
PROTOCOLS: Final[dict[int, Protocol]] = {TCP: "TCP", UDP: "UDP", SCTP: "SCTP"}
ICMP: Final = {4: 1, 6: 58}
"""Numbers of protocols (IANA), ICMP's by the version of IP."""

_FRAGMENT = 44  # IPv6-Frag
_SHORTEST = {TCP: 20, UDP: 8, SCTP: 16, 1: 8, 58: 8}  # bytes of a segment that is looked at
_SUMS = {TCP: 16, UDP: 6, 1: 2, 58: 2}  # where in a segment its checksum is
_ERRORS = {4: (3, 11, 12), 6: (1, 2, 3, 4)}  # types of ICMP that quote a packet
_crc32c: Callable[[bytes], int] = sctp.crc32c


class Packet:
    """An IP packet without options or extension headers, to be looked at and altered in place."""

    def __init__(self, data: bytearray) -> None:
        self.data = data
        self.version = data[0] >> 4 if data else 0
        self.family = FAMILIES[self.version == 6]
        self._at, self._width, self.header, protocol = (
            (12, 4, 20, 9) if self.version == 4 else (8, 16, 40, 6)
        )
        complete = self.version in (4, 6) and len(data) >= self.header + 8
        self.protocol = data[protocol] if complete else -1

    @classmethod
    def made(cls, source: bytes, destination: bytes, protocol: int, segment: bytes) -> Packet:
        """A packet with a segment, whose checksum is filled in (but SCTP's)."""
        if len(source) == 4:
            length = 20 + len(segment)
            header = struct.pack("!BBHHHBBH", 0x45, 0, length, 0, 0, 64, protocol, 0)
        else:
            header = struct.pack("!IHBB", 6 << 28, len(segment), protocol, 64)
        packet = cls(bytearray(header + source + destination + segment))
        packet._put(packet.header + _SUMS[protocol], -_sum(packet._pseudo() + segment))
        return packet

    @property
    def addresses(self) -> tuple[bytes, bytes]:
        """Source and destination."""
        middle = self._at + self._width
        return bytes(self.data[self._at : middle]), bytes(self.data[middle : middle + self._width])

    @property
    def ends(self) -> Ends:
        """Source and destination with their ports."""
        at, width, header = self._at, self._width, self.header
        source, destination = self.data[at : at + width], self.data[at + width : at + 2 * width]
        ports = self.data[header : header + 4]
        return bytes(source + ports[:2]), bytes(destination + ports[2:])

    @property
    def segment(self) -> bytes:
        """What follows the IP header."""
        return bytes(self.data[self.header :])

    @property
    def is_fragment(self) -> bool:
        """Whether it is a part of a packet."""
        if self.version == 4:
            return bool(int.from_bytes(self.data[6:8]) & 0x3FFF)
        return self.protocol == _FRAGMENT

    @property
    def opens(self) -> bool:
        """Whether it may open a connection: a SYN, a datagram, an INIT."""
        if self.protocol == TCP:
            return self.segment[13] & 0x12 == 0x02
        return self.protocol == UDP or (self.protocol == SCTP and self.segment[12:13] == b"\1")

    def is_intact(self) -> bool:
        """Whether it is whole and without options or fragments, and its checksums are right."""
        if self.protocol < 0:
            return False
        length = (
            int.from_bytes(self.data[2:4])
            if self.version == 4
            else 40 + int.from_bytes(self.data[4:6])
        )
        del self.data[length:]  # what pads a short frame
        if len(self.data) < max(length, self.header + _SHORTEST.get(self.protocol, 0)):
            return False
        if self.version == 4:
            fragment = int.from_bytes(self.data[6:8]) & 0x3FFF
            if self.data[0] != 0x45 or fragment or _sum(self.data[:20]):
                return False
        if self.protocol not in _SHORTEST:
            return True
        if self.protocol == SCTP:
            return self.data[self.header + 8 : self.header + 12] == self._crc()
        unsummed = self.version == 4 and self.protocol == UDP and self.segment[6:8] == b"\0\0"
        return unsummed or _sum(self._pseudo() + self.segment) == 0

    @property
    def quoted(self) -> Packet | None:
        """The packet that an ICMP error is about, as far as it is quoted; ``None`` for others."""
        error = self.protocol == ICMP[self.version] and self.segment[0] in _ERRORS[self.version]
        quoted = Packet(self.data[self.header + 8 :]) if error else None
        return quoted if quoted and quoted.protocol in PROTOCOLS else None

    def set_addresses(self, source: bytes, destination: bytes) -> None:
        """Give it other addresses."""
        self.data[self._at : self._at + 2 * self._width] = source + destination

    def readdress(self, source: End, destination: End) -> None:
        """Give it other ends, and have its transport checksum follow (RFC 1624)."""
        before = b"".join(self.ends)
        self.set_addresses(source[:-2], destination[:-2])
        self.data[self.header : self.header + 4] = source[-2:] + destination[-2:]
        place = self.header + (16 if self.protocol == TCP else 6)
        old = int.from_bytes(self.data[place : place + 2])
        if self.protocol == SCTP:
            self.data[self.header + 8 : self.header + 12] = self._crc()
        elif len(self.data) >= place + 2 and (old or self.protocol == TCP):
            self._put(place, old + _sum(before) - _sum(source + destination))

    def hop(self, count: int = 1) -> bool:
        """Whether its time to live lasts for another hop, or ``count``, which is taken off."""
        place = 8 if self.version == 4 else 7
        self.data[place] = max(self.data[place] - count, 0)
        return self.data[place] > 0

    def sealed(self) -> bytes:
        """The packet, with those checksums filled in that the node writes anew."""
        if self.version == 4:
            self.data[10:12] = b"\0\0"
            self._put(10, -_sum(self.data[:20]))
        if self.protocol == ICMP[self.version]:
            self.data[self.header + 2 : self.header + 4] = b"\0\0"
            self._put(self.header + 2, -_sum(self._pseudo() + self.segment))
        return bytes(self.data)

    def _put(self, place: int, checksum: int) -> None:
        self.data[place : place + 2] = (checksum % 0xFFFF or 0xFFFF).to_bytes(2)

    def _pseudo(self) -> bytes:
        """The pseudo header that a transport checksum covers too."""
        if self.protocol == ICMP[4]:
            return b""
        rest = struct.pack("!II", len(self.segment), self.protocol)
        return b"".join(self.addresses) + rest

    def _crc(self) -> bytes:
        segment = self.segment
        return _crc32c(segment[:8] + bytes(4) + segment[12:]).to_bytes(4)


def _sum(data: bytes | bytearray) -> int:
    """The one's complement sum of RFC 1071, in which 0 and 0xFFFF are one."""
    return int.from_bytes(data + bytes(len(data) % 2)) % 0xFFFF


@functools.lru_cache(maxsize=1 << 16)
def socket_address(end: End) -> SocketAddress:
    """An end as a value."""
    return SocketAddress(ipaddress.ip_address(end[:-2]), int.from_bytes(end[-2:]))
