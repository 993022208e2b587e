"""Frames as the suite understands them: what scapy builds, what the suite itself builds, ICMP
errors, and what it must leave alone.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import numpy as np
import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_Router_Alert
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6EchoRequest,
    ICMPv6ND_NS,
    ICMPv6PacketTooBig,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
)
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.layers.sctp import SCTP, SCTPChunkData, SCTPChunkInit, SCTPChunkInitAck
from scapy.packet import Packet, Raw

from clusters.wires import Frames
from fixtures.lab.frames import MAGIC, Kind, Packets, parse
from specification.addresses import FAMILIES, Family
from specification.services import Protocol
from tests.engine.test_frames_built import KINDS
from tests.engine.tools import ETHERNET, MAC, TIME, Table, frames

A, B, ROUTER = (
    {"IPv4": "10.128.1.5", "IPv6": "fd00:10::105"},
    {"IPv4": "10.96.0.9", "IPv6": "fd00:96::9"},
    {"IPv4": "192.0.2.1", "IPv6": "2001:db8:0:1::1"},
)
ID = 0x12345678
MARKED = MAGIC + b"\0" + ID.to_bytes(4)
BACK = MAGIC + b"\1" + ID.to_bytes(4)


def network(family: Family, source: str = "", destination: str = "", **fields: Any) -> Packet:
    layer = IP if family == "IPv4" else IPv6
    return layer(src=source or A[family], dst=destination or B[family], **fields)


def one(packet: Packet) -> Packets:
    (packets,) = parse(frames(packet))
    assert len(packets) == 1
    return packets


def addresses(packets: Packets) -> tuple[str, str, str]:
    columns = packets.source[0], packets.destination[0], packets.reporter[0]
    source, destination, reporter = (str(ip_address(each.tobytes())) for each in columns)
    return source, destination, reporter


def tcp(flags: str, payload: bytes = b"", **fields: Any) -> Packet:
    return TCP(sport=1, dport=2, seq=ID, ack=ID + 1, flags=flags, **fields) / Raw(payload)


TCP_KINDS = [
    (tcp("S"), Kind.REQUEST, ID, 0),
    (tcp("SEC"), Kind.REQUEST, ID, 0),  # a SYN that offers ECN (RFC 3168)
    (tcp("SA"), Kind.ANSWER, ID, 0),
    (tcp("SAE"), Kind.ANSWER, ID, 0),
    (tcp("R"), Kind.RESET, ID, 0),
    (tcp("RA"), Kind.RESET, ID, 0),
    (tcp("A"), Kind.ACKNOWLEDGE, -1, 0),
    (tcp("FA"), Kind.OTHER, -1, 1),
    (tcp("F"), Kind.OTHER, -1, 1),
    (tcp(""), Kind.OTHER, -1, 0),
    (tcp("PA", MARKED), Kind.DATA, ID, 8),
    (tcp("PA", BACK), Kind.ANSWER, ID, 8),
    (tcp("A", MARKED), Kind.DATA, ID, 8),
    (tcp("FPA", MARKED), Kind.DATA, ID, 9),
    (tcp("FPA", BACK), Kind.ANSWER, ID, 9),
    (tcp("RA", MARKED), Kind.RESET, ID, 8),
    (tcp("PA", b"GET / HTTP/1.1\r\n"), Kind.DATA, -1, 16),
    (tcp("S", options=[("MSS", 1460), ("SAckOK", b"")]), Kind.REQUEST, ID, 0),
    (tcp("SA", options=[("MSS", 1460), ("Timestamp", (1, 2))]), Kind.ANSWER, ID, 0),
    (tcp("A", options=[("Timestamp", (1, 2))]), Kind.ACKNOWLEDGE, -1, 0),
    (tcp("PA", MARKED, options=[("Timestamp", (1, 2))]), Kind.DATA, -1, 8),
    (tcp("PA", b"x"), Kind.DATA, -1, 1),
]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("case", range(len(TCP_KINDS)))
def test_tcp_segments(family: Family, case: int) -> None:
    segment, kind, number, size = TCP_KINDS[case]
    packets = one(network(family) / segment)
    assert (packets.family, packets.protocol) == (family, "TCP")
    assert packets.kind.tolist() == [kind]
    assert addresses(packets) == (A[family], B[family], A[family])
    assert (packets.source_port.tolist(), packets.destination_port.tolist()) == ([1], [2])
    assert (packets.sequence.tolist(), packets.acknowledgement.tolist()) == ([ID], [ID + 1])
    assert packets.id.tolist() == [number]
    assert packets.size.tolist() == [size]
    assert packets.time.tolist() == [TIME]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("payload", "kind", "number"),
    [
        (MARKED, Kind.REQUEST, ID),
        (MARKED + b"more", Kind.REQUEST, ID),
        (BACK, Kind.ANSWER, ID),
        (b"", Kind.REQUEST, -1),
        (MAGIC, Kind.REQUEST, -1),
        (b"a DNS query, say", Kind.REQUEST, -1),
    ],
)
def test_datagrams(family: Family, payload: bytes, kind: int, number: int) -> None:
    packets = one(network(family) / UDP(sport=53, dport=65535) / Raw(payload))
    assert (packets.family, packets.protocol) == (family, "UDP")
    assert packets.kind.tolist() == [kind]
    assert packets.id.tolist() == [number]
    assert addresses(packets) == (A[family], B[family], A[family])
    assert (packets.source_port.tolist(), packets.destination_port.tolist()) == ([53], [65535])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("chunk", "kind", "number"),
    [
        (SCTPChunkInit(init_tag=ID), Kind.REQUEST, ID),
        (SCTPChunkInitAck(init_tag=5), Kind.ANSWER, 99),
        (SCTPChunkData(data=b"data"), Kind.OTHER, -1),
    ],
)
def test_chunks(family: Family, chunk: Packet, kind: int, number: int) -> None:
    packets = one(network(family) / SCTP(sport=7, dport=9, tag=99) / chunk)
    assert (packets.family, packets.protocol) == (family, "SCTP")
    assert packets.kind.tolist() == [kind]
    assert packets.id.tolist() == [number]
    assert (packets.source_port.tolist(), packets.destination_port.tolist()) == ([7], [9])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("protocol", "kind"), KINDS)
def test_what_is_built_is_understood(family: Family, protocol: Protocol, kind: int) -> None:
    """The id of a request comes back in its answer as the answer's sender knows it."""
    table = Table(family, seed=11)
    if protocol == "TCP" and kind in (Kind.ANSWER, Kind.RESET):
        table.acknowledgements = [(number + 1) & 0xFFFFFFFF for number in table.ids]
    built = table.build(protocol, kind, reply=kind == Kind.ANSWER)
    (packets,) = parse(frames(*built))
    assert (packets.family, packets.protocol) == (family, protocol)
    assert packets.kind.tolist() == [kind] * len(built)
    assert packets.source.tobytes() == b"".join(each.packed for each in table.sources)
    assert packets.destination.tobytes() == b"".join(each.packed for each in table.destinations)
    assert packets.source_port.tolist() == table.source_ports
    assert packets.destination_port.tolist() == table.destination_ports
    assert packets.id.tolist() == ([-1] * len(built) if kind == Kind.ACKNOWLEDGE else table.ids)
    assert packets.time.tolist() == [TIME + row for row in range(len(built))]
    if protocol == "TCP":
        sequences = table.ids if kind == Kind.REQUEST else table.sequences
        assert packets.sequence.tolist() == sequences
        assert packets.acknowledgement.tolist() == table.acknowledgements
        assert packets.size.tolist() == [8 * (kind == Kind.DATA)] * len(built)


# --- ICMP errors ----------------------------------------------------------------------------------


def error(family: Family, code: int, quoted: Packet | bytes) -> Packet:
    outer = network(family, ROUTER[family], A[family])
    icmp = ICMP(type=3, code=code) if family == "IPv4" else ICMPv6DestUnreach(code=code)
    return outer / icmp / (Raw(quoted) if isinstance(quoted, bytes) else quoted)


QUOTED: list[tuple[Protocol, Packet]] = [
    ("TCP", TCP(sport=30000, dport=80, seq=ID, flags="S")),
    ("UDP", UDP(sport=30000, dport=80) / Raw(MARKED)),
    ("SCTP", SCTP(sport=30000, dport=80) / SCTPChunkInit(init_tag=ID)),
]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("protocol", "segment"), QUOTED)
@pytest.mark.parametrize("code", [0, 1, 3, 4, 13])
def test_an_error_answers_what_it_quotes(
    family: Family, protocol: Protocol, segment: Packet, code: int
) -> None:
    """Its ends are those of the quoted packet turned round, whoever sent it."""
    packets = one(error(family, code, network(family) / segment))
    assert (packets.family, packets.protocol) == (family, protocol)
    assert packets.kind.tolist() == [Kind.UNREACHABLE]
    assert packets.id.tolist() == [ID]
    assert packets.sequence.tolist() == [code]
    assert addresses(packets) == (B[family], A[family], ROUTER[family])
    assert (packets.source_port.tolist(), packets.destination_port.tolist()) == ([80], [30000])
    assert packets.time.tolist() == [TIME]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_shortest_quote_of_a_syn_names_it(family: Family) -> None:
    """RFC 792 promises 64 bits of the segment: ports and sequence number."""
    quoted = bytes(network(family) / TCP(sport=30000, dport=80, seq=ID, flags="S"))
    packets = one(error(family, 3, quoted[: (20 if family == "IPv4" else 40) + 8]))
    assert packets.id.tolist() == [ID]
    assert (packets.source_port.tolist(), packets.destination_port.tolist()) == ([80], [30000])


@pytest.mark.parametrize(
    "packet",
    [
        IP() / ICMP(type=8) / Raw(bytes(64)),
        IP() / ICMP(type=3, code=3) / IP(proto=47) / Raw(bytes(8)),
        IP() / ICMP(type=11) / IP() / UDP() / Raw(MARKED),
        IPv6() / ICMPv6EchoRequest(data=bytes(64)),
        IPv6() / ICMPv6PacketTooBig() / IPv6() / UDP() / Raw(MARKED),
        IPv6() / ICMPv6ND_NS(tgt="fd00::1"),
    ],
    ids=lambda packet: packet.summary(),
)
def test_other_icmp_is_left_out(packet: Packet) -> None:
    assert parse(frames(packet)) == []


# --- odd frames -----------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("protocol", "segment"), QUOTED)
def test_a_truncated_frame_is_never_somebody_elses(
    family: Family, protocol: Protocol, segment: Packet
) -> None:
    """However short it is, nothing is made up but zeros, and no other id."""
    whole = bytes(ETHERNET / network(family) / segment)
    quote = bytes(ETHERNET / error(family, 3, network(family) / segment))
    width = 4 if family == "IPv4" else 16
    for frame in (whole, quote):
        for length in range(1, len(frame)):
            for packets in parse(frames(frame, cut=length)):
                assert packets.source.shape == packets.destination.shape == (1, width)
                assert packets.reporter.shape == (1, width)
                known = {ID, -1} | {ID >> bits << bits for bits in (8, 16, 24, 32)}
                assert set(packets.id.tolist()) <= known


ODD = [
    ETHERNET / IP(dst="10.0.0.1") / ICMP(type=3) / IP(src="10.0.0.2") / UDP() / Raw(MARKED),
    ETHERNET
    / IPv6(dst="fd00::1")
    / ICMPv6DestUnreach()
    / IPv6(src="fd00::2")
    / UDP()
    / Raw(MARKED),
    ETHERNET / ARP(),
    ETHERNET / Dot1Q(vlan=5) / IP() / UDP() / Raw(MARKED),
    Ether(src=MAC, dst=MAC, type=0x88CC) / Raw(bytes(80)),
    ETHERNET / IP(proto=47) / Raw(bytes(40)),
    ETHERNET / IPv6(nh=59),
    ETHERNET / IPv6() / IPv6ExtHdrDestOpt() / UDP() / Raw(MARKED),
    ETHERNET / IPv6() / IPv6ExtHdrFragment(offset=4) / UDP() / Raw(MARKED),
    ETHERNET / IP(options=[IPOption_Router_Alert()]) / UDP() / Raw(MARKED),
    ETHERNET / IP(frag=10) / UDP() / Raw(MARKED),
    ETHERNET / IP(options=[IPOption_Router_Alert()]) / ICMP(type=3) / IP() / UDP() / Raw(MARKED),
    ETHERNET / IP() / ICMP(type=3) / IP(options=[IPOption_Router_Alert()]) / UDP() / Raw(MARKED),
]


@pytest.mark.parametrize("packet", ODD, ids=lambda packet: packet.summary())
def test_frames_of_anything_else_are_left_out(packet: Packet) -> None:
    assert parse(frames(bytes(packet))) == []


def test_each_frame_of_a_mixture_is_found() -> None:
    """By family and protocol, in order, whatever lies between and however they are padded."""
    mixture = [
        *(network(family) / segment for family in FAMILIES for _, segment in QUOTED),
        ARP(),
        *(network(family) / segment for family in FAMILIES for _, segment in QUOTED),
        error("IPv6", 4, network("IPv6") / QUOTED[0][1]),
    ]
    found = parse(frames(*mixture))
    assert [(each.family, each.protocol, each.kind.tolist()) for each in found] == [
        *((family, protocol, [0, 0]) for family in FAMILIES for protocol, _ in QUOTED),
        ("IPv6", "TCP", [Kind.UNREACHABLE]),
    ]
    assert {number for each in found for number in each.id.tolist()} == {ID}
    assert found[0].time.tolist() == [TIME, TIME + 7]
    assert found[0].size.tolist() == found[3].size.tolist() == [0, 0]  # what pads is no data


def test_nothing_is_nothing() -> None:
    empty = np.zeros((0, 60), np.uint8)
    assert parse(Frames(empty, np.zeros(0, np.int64), np.zeros(0, np.int64))) == []


def test_rows_are_selected_whole() -> None:
    (packets,) = parse(frames(*Table("IPv4", seed=2, count=6).build("TCP", 0, reply=False)))
    some = packets.where(np.arange(6) % 2 == 1)
    assert len(some) == 3
    for name, column in vars(packets).items():
        chosen = getattr(some, name)
        same = column[1::2].tolist() if isinstance(column, np.ndarray) else column
        assert (chosen.tolist() if isinstance(column, np.ndarray) else chosen) == same
