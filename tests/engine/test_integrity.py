"""Whatever a node does to a packet that it must not do is noticed, and nothing else is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.sctp import SCTP

from clusters.wires import Frames
from fixtures.clients.flows import Flows
from fixtures.lab.checksums import internet_checksum, sums_up
from fixtures.lab.frames import NUMBERS, Kind, parse
from fixtures.lab.integrity import Integrity, Sent
from fixtures.lab.lab import Lab
from specification.packets import (
    DSCP,
    ECN,
    FIELDS,
    FLOW_LABEL,
    FRAGMENTATION,
    HOP_LIMIT,
    IP_CHECKSUM,
    LENGTH,
    LINK,
    PAYLOAD,
    PLAIN,
    RULES,
    SCTP_CHECKSUM,
    SCTP_HEADER,
    TCP_CHECKSUM,
    TCP_HEADER,
    UDP_CHECKSUM,
    Rule,
    Shape,
)
from tests.engine.tools import (
    ANSWER,
    PORT,
    VIPS,
    Rules,
    altering,
    client,
    delivery,
    ends_otherwise,
    frames,
    is_fence,
    longer,
    recomputed,
    set_of,
    without_options,
    wrong_sum,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scapy.packet import Packet

    from clusters.simulated.node import SimulatedNode
    from specification.addresses import Family
    from specification.services import Protocol
    from tests.engine.tools import Alter

OPTIONS = b"\2\4\5\xb4\1\3\3\7"
SHAPES = {
    "plain": PLAIN,
    "odd": Shape(46, 1, 9, 0x12345, 77, 0xC0, 4321, 3, OPTIONS, b"payload", summed=False),
    "large": Shape(flow_label=0xFFFFF, identification=0xFFFF, more=bytes(range(256)) * 5),
}


def send(lab: Lab, family: Family, protocol: Protocol, shape: Shape = PLAIN) -> int:
    """Open connections and send a message on each; how many packets came out of the node."""
    with lab.shaped(shape):
        opened = client(lab, "pod", family, protocol).connect_many(VIPS[family], PORT, 5)
        if protocol == "SCTP":
            return 10
        Flows(lab, "pod", opened).exchange()
    return 25 if protocol == "TCP" else 20


def broken(lab: Lab) -> set[Rule]:
    return set(lab.integrity.violations)


@pytest.mark.parametrize("protocol", NUMBERS)
@pytest.mark.parametrize("masquerade", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_only_translated_is_right(
    lab: Lab, rules: Rules, family: Family, protocol: Protocol, masquerade: bool, shape: str
) -> None:
    """Every packet is held, and nothing is found."""
    rules.always(
        delivery("remote-pod", 256, family, masquerade=masquerade),
        delivery("pod", 257, family, masquerade=masquerade),
    )
    expected = send(lab, family, protocol, SHAPES[shape])
    assert lab.integrity.held == expected
    assert broken(lab) == set()


# --- each rule ------------------------------------------------------------------------------------


ALTERED: list[tuple[Rule, Family, Protocol, Alter]] = [
    (HOP_LIMIT, "IPv4", "TCP", set_of(IP, ttl=64)),
    (HOP_LIMIT, "IPv4", "UDP", set_of(IP, ttl=62)),
    (HOP_LIMIT, "IPv6", "TCP", set_of(IPv6, hlim=255)),
    (DSCP, "IPv4", "TCP", set_of(IP, tos=46 << 2)),
    (DSCP, "IPv6", "UDP", set_of(IPv6, tc=46 << 2)),
    (ECN, "IPv4", "SCTP", set_of(IP, tos=3)),
    (ECN, "IPv6", "TCP", set_of(IPv6, tc=1)),
    (FLOW_LABEL, "IPv6", "TCP", set_of(IPv6, fl=0x12345)),
    (FLOW_LABEL, "IPv6", "UDP", set_of(IPv6, fl=0)),
    (FRAGMENTATION, "IPv4", "TCP", set_of(IP, flags="DF")),
    (FRAGMENTATION, "IPv4", "UDP", set_of(IP, flags="MF")),
    (LENGTH, "IPv4", "UDP", longer),
    (LENGTH, "IPv6", "TCP", longer),
    (TCP_HEADER, "IPv4", "TCP", set_of(TCP, window=1)),
    (TCP_HEADER, "IPv6", "TCP", set_of(TCP, urgptr=9)),
    (TCP_HEADER, "IPv4", "TCP", set_of(TCP, reserved=1)),
    (TCP_HEADER, "IPv6", "TCP", without_options),
    (PAYLOAD, "IPv4", "TCP", ends_otherwise),
    (PAYLOAD, "IPv6", "UDP", ends_otherwise),
    (SCTP_HEADER, "IPv4", "SCTP", ends_otherwise),
    (IP_CHECKSUM, "IPv4", "TCP", wrong_sum(IP)),
    (IP_CHECKSUM, "IPv4", "SCTP", wrong_sum(IP)),
    (TCP_CHECKSUM, "IPv4", "TCP", wrong_sum(TCP)),
    (TCP_CHECKSUM, "IPv6", "TCP", wrong_sum(TCP)),
    (UDP_CHECKSUM, "IPv4", "UDP", wrong_sum(UDP)),
    (UDP_CHECKSUM, "IPv6", "UDP", wrong_sum(UDP)),
    (SCTP_CHECKSUM, "IPv4", "SCTP", wrong_sum(SCTP)),
    (SCTP_CHECKSUM, "IPv6", "SCTP", wrong_sum(SCTP)),
]
LABELLED = Shape(flow_label=0x54321, identification=99, options=OPTIONS, more=b"more than ids")


def test_every_rule_is_seen_to_fail() -> None:
    assert {rule for rule, *_ in ALTERED} | {LINK} == set(RULES)


@pytest.mark.parametrize("wire", ["external", "pod"])
@pytest.mark.parametrize(("rule", "family", "protocol", "alter"), ALTERED)
def test_each_alteration_is_noticed(
    lab: Lab,
    node: SimulatedNode,
    rules: Rules,
    rule: Rule,
    family: Family,
    protocol: Protocol,
    alter: Alter,
    wire: str,
) -> None:
    """In requests and in answers, by its own rule, and with both packets as evidence."""
    rules.always(delivery("remote-pod", 256, family))
    node.leaving = altering(alter, wire)
    send(lab, family, protocol, LABELLED)
    if alter is without_options:  # which are in the way of all that follows
        assert {rule, LENGTH} <= broken(lab)
    elif alter is longer:
        assert {rule} == broken(lab) - {UDP_CHECKSUM, TCP_CHECKSUM}
    else:
        assert {rule} == broken(lab)
    violation = lab.integrity.violations[rule]
    assert f"{family} {protocol}" in violation.seen
    assert f"on the {wire} wire" in violation.seen
    for known in (violation.sent, violation.received):
        assert known.hex() in str(violation)
    sent = [
        seen.frames[row] for seen in lab.history if seen.sent for row in range(len(seen.frames))
    ]
    assert violation.sent in sent


def test_the_fields_of_each_header_are_whole() -> None:
    """No bit of a header is forgotten, or has two rules."""
    lengths = {"IPv4": 160, "IPv6": 320, "TCP": 160, "UDP": 64, "SCTP": 96}
    for header, fields in FIELDS.items():
        bits = [bit for field in fields for bit in range(field.start, field.start + field.bits)]
        assert bits == list(range(lengths[header])), header


# --- what may be ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "alter", "family"),
    [
        (PLAIN, set_of(IP, id=4242), "IPv4"),
        (PLAIN, set_of(IPv6, fl=0x12345), "IPv6"),
    ],
)
def test_what_a_node_may_do_is_no_fault(
    lab: Lab, node: SimulatedNode, rules: Rules, shape: Shape, alter: Alter, family: Family
) -> None:
    """Number datagrams that cannot be fragmented; label packets that have no label."""
    rules.always(delivery("remote-pod", 256, family))
    node.leaving = altering(alter, "external")
    send(lab, family, "UDP", shape)
    assert broken(lab) == set()


@pytest.mark.parametrize("masquerade", [False, True])
def test_whoever_translates_the_source_may_number_anew(
    lab: Lab, node: SimulatedNode, rules: Rules, masquerade: bool
) -> None:
    rules.always(delivery("remote-pod", 256, "IPv4", masquerade=masquerade))
    node.leaving = altering(set_of(IP, id=4242), "external")
    send(lab, "IPv4", "UDP", LABELLED)
    assert broken(lab) == (set() if masquerade else {FRAGMENTATION})


@pytest.mark.parametrize(
    ("summed", "checksum", "fault"),
    [(False, "kept", False), (False, "right", False), (True, "none", True), (False, "odd", True)],
)
def test_a_datagram_without_a_checksum(
    lab: Lab, node: SimulatedNode, rules: Rules, summed: bool, checksum: str, fault: bool
) -> None:
    """It may get a right one; one that has a checksum must not lose it."""

    def alter(frame: Packet) -> bytes:
        if checksum == "right":
            return recomputed(bytes(frame))
        frame[UDP].chksum = {"kept": frame[UDP].chksum, "none": 0, "odd": 7}[checksum]
        return bytes(frame)

    rules.always(delivery("remote-pod", 256, "IPv4"))
    node.leaving = altering(alter, "external")
    send(lab, "IPv4", "UDP", Shape(summed=summed))
    assert broken(lab) == ({UDP_CHECKSUM} if fault else set())


def test_over_ipv6_no_datagram_is_without_a_checksum(
    lab: Lab, node: SimulatedNode, rules: Rules
) -> None:
    rules.always(delivery("remote-pod", 256, "IPv6"))
    node.leaving = altering(wrong_sum(UDP, 0), "external")
    send(lab, "IPv6", "UDP")
    assert broken(lab) == {UDP_CHECKSUM}


def test_an_echo_is_not_its_request(
    lab: Lab, node: SimulatedNode, rules: Rules, family: Family
) -> None:
    """A process that sends back what it got has made a packet of its own."""
    rules.always(ANSWER)
    node.leaving = lambda _wire, frame: [frame.replace(b"kpc\1", b"kpc\0")]
    client(lab, "pod", family, "UDP").connect_many(VIPS[family], PORT, 4)
    assert broken(lab) == set()
    assert lab.integrity.held == 0


@pytest.mark.parametrize(("wire", "other"), [("external", "pod"), ("pod", "external")])
def test_a_packet_on_the_wrong_link_is_noticed(
    lab: Lab, node: SimulatedNode, rules: Rules, family: Family, wire: str, other: str
) -> None:
    """It comes all the same, and is answered."""

    def leaving(leaves: str, frame: bytes) -> list[bytes]:
        if leaves != wire or is_fence(frame):
            return [frame]
        node.wires[other].queue.append(frame)
        return []

    rules.always(delivery("pod", 256, family), delivery("remote-pod", 256, family))
    node.leaving = leaving
    send(lab, family, "TCP")
    assert broken(lab) == {LINK}
    seen = lab.integrity.violations[LINK].seen
    assert f"on the {other} wire" in seen


def test_a_packet_that_is_cut_is_noticed(lab: Lab, node: SimulatedNode, rules: Rules) -> None:
    rules.always(delivery("remote-pod", 256, "IPv4"))
    node.leaving = lambda _wire, frame: [frame if is_fence(frame) else frame[:-3]]
    send(lab, "IPv4", "UDP", Shape(more=bytes(40)))
    assert LENGTH in broken(lab)


# --- how it is told -------------------------------------------------------------------------------


def test_the_first_of_each_rule_is_remembered(lab: Lab, node: SimulatedNode, rules: Rules) -> None:
    rules.always(delivery("remote-pod", 256, "IPv4"))
    node.leaving = altering(set_of(IP, tos=46 << 2), "external")
    send(lab, "IPv4", "TCP")
    (violation,) = lab.integrity.violations.values()
    assert re.fullmatch(
        r"0x0 became 0x2e in the DSCP of IPv4 TCP, in 5 of 5 packets at once, on the external wire"
        r" at \d\d:\d\d:\d\d\.\d{6}",
        violation.seen,
    )
    node.leaving = altering(set_of(IP, tos=8 << 2), "external")
    send(lab, "IPv4", "TCP")
    assert lab.integrity.told() == [violation]
    assert lab.integrity.told() == []


def test_a_long_field_is_shown_from_where_it_differs(
    lab: Lab, node: SimulatedNode, rules: Rules
) -> None:
    rules.always(delivery("remote-pod", 256, "IPv6"))
    node.leaving = altering(ends_otherwise, "pod")
    send(lab, "IPv6", "UDP", Shape(more=bytes(100)))
    seen = lab.integrity.violations[PAYLOAD].seen
    assert seen.startswith("from byte 107 on, 00 became 01 in the payload of IPv6 UDP")


def test_checksums_that_a_card_is_to_fill_in_are_not_held(family: Family) -> None:
    sent, came = (TCP(sport=1, dport=2, seq=77, flags="S", chksum=each) for each in (1, 2))
    ipv4 = family == "IPv4"
    out = frames((IP(ttl=64) if ipv4 else IPv6(hlim=64)) / sent)
    received = frames((IP(ttl=63) if ipv4 else IPv6(hlim=63)) / came)
    unfilled: list[tuple[NDArray[np.bool_] | None, set[Rule]]] = [
        (None, {TCP_CHECKSUM}),
        (np.array([True]), set()),
    ]
    for unsummed, expected in unfilled:
        integrity = Integrity()
        integrity.expect(Sent(family, "TCP", Kind.REQUEST, np.array([77]), out.data))
        seen = Frames(received.data, received.length, received.time, unsummed)
        (packets,) = parse(seen)
        integrity.hold("external", packets, seen)
        assert integrity.held == 1
        assert set(integrity.violations) == expected


def test_what_is_out_is_forgotten() -> None:
    """An id that comes again, long after, is another packet's."""
    sent = frames(IP() / TCP(seq=77, flags="S"))
    integrity = Integrity()
    integrity.expect(Sent("IPv4", "TCP", Kind.REQUEST, np.array([77]), sent.data))
    integrity.all_out()
    (packets,) = parse(sent)
    integrity.hold("pod", packets, sent)
    assert integrity.held == 0


def test_frames_are_found_in_whatever_order_they_were_sent() -> None:
    every = [frames(IP(ttl=64) / TCP(seq=number, flags="S")) for number in (9, 3, 7)]
    integrity = Integrity()
    data = np.concatenate([each.data for each in every])
    integrity.expect(Sent("IPv4", "TCP", Kind.REQUEST, np.array([9, 3, 7]), data))
    for number in (3, 7, 9):
        seen = frames(IP(ttl=63) / TCP(seq=number, flags="S"))
        (packets,) = parse(seen)
        integrity.hold("external", packets, seen)
    assert integrity.held == 3
    assert integrity.violations == {}


@pytest.mark.parametrize("width", [20, 21, 22, 23, 24, 1480])
def test_sums_are_those_of_the_checksum(width: int) -> None:
    table = np.random.default_rng(width).integers(0, 256, (200, width), dtype=np.uint8)
    table[0] = 0xFF
    table[:, :2] = 0
    checksums = internet_checksum(table, 17 + width)
    table[:, :2] = checksums.astype(">u2")[:, None].view(np.uint8)
    assert sums_up(table, 17 + width).all()
    table[:, 2] ^= 1
    assert not sums_up(table, 17 + width).any()
