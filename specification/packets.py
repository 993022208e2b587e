"""What a proxy may change in a packet that it hands on, and what it must leave alone.

A Service proxy translates addresses and ports, and a node that forwards takes one hop off. All else
in a packet is between its two ends: each field of the headers has its rule here, and what follows
them has one too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from specification.references import Reference, docs, kep, rfc


@dataclass(frozen=True)
class Shape:
    """What packets are like in all that a proxy must leave alone."""

    dscp: int = 0
    ecn: int = 0
    hop_limit: int = 64
    flow_label: int = 0
    identification: int | None = None
    """That of IPv4 datagrams which may be fragmented; ``None``: they may not, and bear any."""
    flags: int = 0
    """TCP flags besides those that a segment has by its kind: of any with SYN, or with payload."""
    window: int = 64240
    urgent: int = 0
    """The urgent pointer of segments with payload; 0: these are not urgent."""
    options: bytes = b""
    """Those of TCP segments with SYN, in whole words."""
    more: bytes = b""
    """Payload of datagrams and of TCP segments, behind what the lab itself writes there."""
    summed: bool = True
    """Whether UDP over IPv4 has a checksum."""


PLAIN = Shape()

Header = Literal["IPv4", "IPv6", "TCP", "UDP", "SCTP"]

Change = Literal["any", "none", "one less", "recomputed"]
"""What may become of a field: anything (what translation changes), nothing, the number below it, or
whatever makes the sum right."""


@dataclass(frozen=True)
class Rule:
    """One thing that a proxy must not do to a packet; ``id`` is that of the requirement."""

    id: str
    demands: str
    references: tuple[Reference, ...]


HOP_LIMIT = Rule("pkt-hop-limit", "the hop limit is one less", (rfc(8200, "3"), rfc(1812, "5.3.1")))
DSCP = Rule("pkt-dscp", "the DSCP stays as it is", (rfc(2474, "3"),))
ECN = Rule("pkt-ecn", "the ECN bits stay as they are where nothing is congested", (rfc(3168, "5"),))
FLOW_LABEL = Rule(
    "pkt-flow-label", "a flow label that is not zero stays as it is", (rfc(6437, "3"),)
)
FRAGMENTATION = Rule(
    "pkt-fragmentation",
    "whether it may be fragmented, and what tells its fragments, stays as it is",
    (rfc(791, "3.2"), rfc(6864, "4")),
)
LENGTH = Rule(
    "pkt-length",
    "version, protocol and lengths stay as they are",
    (rfc(791, "3.1"), rfc(8200, "3")),
)
TCP_HEADER = Rule(
    "pkt-tcp-header",
    "sequence numbers, flags, window, urgent pointer and options stay as they are",
    (rfc(9293, "3.1"), rfc(3022, "4.1")),
)
SCTP_HEADER = Rule(
    "pkt-sctp-chunks", "the verification tag and all chunks stay as they are", (rfc(9260, "3"),)
)
LINK = Rule(
    "pkt-link",
    "what is for a pod of the node leaves by the pods' link, all else by the external one",
    (rfc(1812, "5.2.4"), docs("networking")),
)
PAYLOAD = Rule("pkt-payload", "the payload stays as it is", (rfc(3022, "4.1"),))
IP_CHECKSUM = Rule("pkt-ip-checksum", "the IPv4 header's checksum is right", (rfc(791, "3.1"),))
TCP_CHECKSUM = Rule(
    "pkt-tcp-checksum", "the TCP checksum is right", (rfc(9293, "3.1"), rfc(3022, "4.2"))
)
UDP_CHECKSUM = Rule(
    "pkt-udp-checksum",
    "the UDP checksum is right, or as absent as it was",
    (rfc(8200, "8.1"), rfc(1122, "4.1.3.4"), rfc(3022, "4.2")),
)
SCTP_CHECKSUM = Rule(
    "pkt-sctp-checksum", "the CRC32c of SCTP is right", (rfc(9260, "6.8"), kep(614))
)

RULES = (
    *(HOP_LIMIT, DSCP, ECN, FLOW_LABEL, FRAGMENTATION, LENGTH, TCP_HEADER, SCTP_HEADER, PAYLOAD),
    *(IP_CHECKSUM, TCP_CHECKSUM, UDP_CHECKSUM, SCTP_CHECKSUM, LINK),
)


@dataclass(frozen=True)
class Field:
    """A field of a header: ``bits`` from bit ``start`` of it on, or all the rest where ``bits`` is
    0.
    """

    name: str
    start: int
    bits: int
    change: Change
    rule: Rule | None = None
    """What is broken where it changes otherwise; ``None`` where it may as it likes."""


def _fixed(rule: Rule, name: str, start: int, bits: int) -> Field:
    return Field(name, start, bits, "none", rule)


def _translated(name: str, start: int, bits: int) -> Field:
    return Field(name, start, bits, "any")


_PORTS = (_translated("source port", 0, 16), _translated("destination port", 16, 16))

FIELDS: dict[Header, tuple[Field, ...]] = {
    "IPv4": (
        _fixed(LENGTH, "version", 0, 4),
        _fixed(LENGTH, "header length", 4, 4),
        _fixed(DSCP, "DSCP", 8, 6),
        _fixed(ECN, "ECN", 14, 2),
        _fixed(LENGTH, "total length", 16, 16),
        _fixed(FRAGMENTATION, "identification", 32, 16),
        _fixed(FRAGMENTATION, "DF and MF", 48, 3),
        _fixed(FRAGMENTATION, "fragment offset", 51, 13),
        Field("time to live", 64, 8, "one less", HOP_LIMIT),
        _fixed(LENGTH, "protocol", 72, 8),
        Field("header checksum", 80, 16, "recomputed", IP_CHECKSUM),
        _translated("source address", 96, 32),
        _translated("destination address", 128, 32),
    ),
    "IPv6": (
        _fixed(LENGTH, "version", 0, 4),
        _fixed(DSCP, "DSCP", 4, 6),
        _fixed(ECN, "ECN", 10, 2),
        _fixed(FLOW_LABEL, "flow label", 12, 20),
        _fixed(LENGTH, "payload length", 32, 16),
        _fixed(LENGTH, "next header", 48, 8),
        Field("hop limit", 56, 8, "one less", HOP_LIMIT),
        _translated("source address", 64, 128),
        _translated("destination address", 192, 128),
    ),
    "TCP": (
        *_PORTS,
        _fixed(TCP_HEADER, "sequence number", 32, 32),
        _fixed(TCP_HEADER, "acknowledgement number", 64, 32),
        _fixed(TCP_HEADER, "data offset", 96, 4),
        _fixed(TCP_HEADER, "flags", 100, 12),
        _fixed(TCP_HEADER, "window", 112, 16),
        Field("checksum", 128, 16, "recomputed", TCP_CHECKSUM),
        _fixed(TCP_HEADER, "urgent pointer", 144, 16),
        _fixed(TCP_HEADER, "options", 160, 0),
    ),
    "UDP": (
        *_PORTS,
        _fixed(LENGTH, "length", 32, 16),
        Field("checksum", 48, 16, "recomputed", UDP_CHECKSUM),
    ),
    "SCTP": (
        *_PORTS,
        _fixed(SCTP_HEADER, "verification tag", 32, 32),
        Field("checksum", 64, 32, "recomputed", SCTP_CHECKSUM),
        _fixed(SCTP_HEADER, "chunks", 96, 0),
    ),
}
"""All of each header, in the order of the wire."""
