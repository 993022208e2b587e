"""Frames that the suite builds, as scapy dissects them: every protocol, family and kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scapy.compat import raw
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.layers.sctp import SCTP, SCTPChunkInit, SCTPChunkInitAck

from fixtures.lab.checksums import crc32c
from fixtures.lab.frames import MAGIC, Kind, build
from fixtures.lab.sample import to_bytes
from specification.addresses import FAMILIES, Family
from specification.services import Protocol
from tests.engine.tools import LAB, NODE, Table, recomputed

if TYPE_CHECKING:
    from scapy.packet import Packet


TRANSPORT: dict[str, Any] = {"TCP": TCP, "UDP": UDP, "SCTP": SCTP}

KINDS: list[tuple[Protocol, int]] = [
    ("TCP", Kind.REQUEST),
    ("TCP", Kind.ANSWER),
    ("TCP", Kind.RESET),
    ("TCP", Kind.DATA),
    ("TCP", Kind.ACKNOWLEDGE),
    ("UDP", Kind.REQUEST),
    ("UDP", Kind.ANSWER),
    ("SCTP", Kind.REQUEST),
    ("SCTP", Kind.ANSWER),
]
"""Every kind of packet that the lab sends."""

FLAGS = {
    Kind.REQUEST: "S",
    Kind.ANSWER: "SA",
    Kind.RESET: "RA",
    Kind.DATA: "PA",
    Kind.ACKNOWLEDGE: "A",
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("protocol", "kind"), KINDS)
def test_frame_says_what_it_was_asked_to(family: Family, protocol: Protocol, kind: int) -> None:
    table = Table(family, seed=kind)
    for row, frame in enumerate(table.build(protocol, kind, reply=kind == Kind.ANSWER)):
        packet = Ether(frame)
        assert (packet.src, packet.dst) == (LAB.hex(":"), NODE.hex(":"))
        network = packet[IP] if family == "IPv4" else packet[IPv6]
        assert network.src == str(table.sources[row])
        assert network.dst == str(table.destinations[row])
        assert (network.ttl if family == "IPv4" else network.hlim) == 64
        assert family == "IPv6" or network.flags == "DF"
        segment = packet[TRANSPORT[protocol]]
        assert segment.sport == table.source_ports[row]
        assert segment.dport == table.destination_ports[row]
        check = {"TCP": check_tcp, "UDP": check_udp, "SCTP": check_sctp}[protocol]
        check(segment, table, row, kind)


def check_tcp(segment: Packet, table: Table, row: int, kind: int) -> None:
    opens = kind == Kind.REQUEST
    assert segment.flags == FLAGS[kind]
    assert segment.seq == (table.ids if opens else table.sequences)[row]
    assert segment.ack == table.acknowledgements[row]
    assert segment.window == (0 if kind == Kind.RESET else 64240)
    data = MAGIC + b"\0" + table.ids[row].to_bytes(4)
    assert raw(segment.payload) == (data if kind == Kind.DATA else b"")


def check_udp(segment: Packet, table: Table, row: int, kind: int) -> None:
    back = bytes([kind == Kind.ANSWER])
    assert raw(segment.payload) == MAGIC + back + table.ids[row].to_bytes(4)


def check_sctp(segment: Packet, table: Table, row: int, kind: int) -> None:
    chunk = segment[SCTPChunkInit if kind == Kind.REQUEST else SCTPChunkInitAck]
    assert segment.tag == (0 if kind == Kind.REQUEST else table.ids[row])  # RFC 9260, 8.5.1
    assert chunk.init_tag == table.ids[row]
    assert (chunk.n_out_streams, chunk.n_in_streams) == (1, 1)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("protocol", "kind"), KINDS)
def test_lengths_and_checksums_are_scapys(family: Family, protocol: Protocol, kind: int) -> None:
    for reply in (False, True):
        for frame in Table(family, seed=7).build(protocol, kind, reply=reply):
            assert frame == recomputed(frame)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_datagram_whose_checksum_is_zero_says_so_by_ones(family: Family) -> None:
    """RFC 768: a checksum of zero would mean that there is none."""
    frame = Table(family, seed=1, count=2).build("UDP", Kind.REQUEST, reply=False)[0]
    end = len(frame)
    begin = int.from_bytes(frame[end - 2 :]) + int.from_bytes(frame[end - 10 : end - 8])
    table = Table(family, seed=1, count=2)
    table.ids[0] += begin % 0xFFFF  # the last two bytes take up what the rest sums up to
    changed = table.build("UDP", Kind.REQUEST, reply=False)[0]
    assert changed[end - 10 : end - 8] == b"\xff\xff"
    assert changed == recomputed(changed)


def test_checksums_hold_for_many(family: Family) -> None:
    """With every carry: the sum over what is covered, the checksum included, is all ones."""
    table = Table(family, seed=5, count=5000)
    at, length = (26, 8) if family == "IPv4" else (22, 32)
    for frame in table.build("UDP", Kind.REQUEST, reply=False):
        segment = frame[at + length :]
        covered = frame[at:] + len(segment).to_bytes(4) + (17).to_bytes(4)
        assert int.from_bytes(covered) % 0xFFFF == 0
        assert family == "IPv6" or int.from_bytes(frame[14:34]) % 0xFFFF == 0


def test_crc32c_is_that_of_its_check_value() -> None:
    """RFC 3720, B.4, and the check value of every catalogue of CRCs."""
    rows = {
        b"123456789": 0xE3069283,
        bytes(32): 0x8A9136AA,
        b"\xff" * 32: 0x62A8AB43,
        bytes(range(32)): 0x46DD794E,
    }
    for data, expected in rows.items():
        table = np.frombuffer(data * 2, np.uint8).reshape(2, -1)
        assert crc32c(table).tolist() == [expected, expected]
    assert crc32c(np.zeros((0, 8), np.uint8)).tolist() == []


def test_one_address_serves_every_row() -> None:
    table = Table("IPv4", seed=3, count=5)
    frames = build(
        "IPv4",
        "TCP",
        Kind.REQUEST,
        (LAB, NODE),
        to_bytes(table.sources[:1]),
        to_bytes(table.destinations),
        np.array(table.source_ports),
        np.array([80]),
        np.array(table.ids),
    )
    packets = [Ether(frame.tobytes())[IP] for frame in frames]
    assert {packet.src for packet in packets} == {str(table.sources[0])}
    assert [packet.dst for packet in packets] == [str(each) for each in table.destinations]
    assert {packet[TCP].dport for packet in packets} == {80}
