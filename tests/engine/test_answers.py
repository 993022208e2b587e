"""Answers: doubled, gone astray, from the wrong address, by somebody unseen, past the node, and by
the lab's own servers.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach, IPv6
from scapy.layers.l2 import Ether
from scapy.layers.sctp import SCTP
from scapy.packet import Raw

from clusters.simulated import packet as simulated
from clusters.simulated.kernel import Answer, Decision, Drop, Refuse
from fixtures.judge.expect import expect
from fixtures.lab.frames import MAGIC
from specification.attempts import SocketAddress
from specification.outcomes import AnsweredUnseen, Delivered, Dropped, Rejected, Reply
from tests.engine.tools import ANSWER, ETHERNET, PORT, VIPS, Rules, client, delivery, host, is_fence

if TYPE_CHECKING:
    from collections.abc import Callable

    from scapy.packet import Packet

    from clusters.simulated.node import SimulatedNode
    from fixtures.lab.lab import Lab
    from specification.addresses import Family
    from specification.services import Protocol

PROTOCOLS = pytest.mark.parametrize("protocol", ["TCP", "UDP", "SCTP"])


def altering(node: SimulatedNode, wire: str, change: Callable[[Packet], None]) -> None:
    """Have the node alter the packets that leave it on a wire, fences apart."""

    def leave(name: str, frame: bytes) -> list[bytes]:
        if name != wire or is_fence(frame):
            return [frame]
        packet = Ether(frame)
        change(packet)
        return [bytes(packet)]

    node.leaving = leave


def doubling(node: SimulatedNode, wire: str) -> None:
    """Have the node send twice what leaves it on a wire."""
    node.leaving = lambda name, frame: [frame] * (1 + (name == wire))


def transport(packet: Packet) -> Packet:
    """The segment, whose checksum is written anew."""
    segment: Packet = next(packet[layer] for layer in (TCP, UDP, SCTP) if layer in packet)
    del segment.chksum
    return segment


@PROTOCOLS
def test_doubled_packets_are_counted(
    lab: Lab, node: SimulatedNode, rules: Rules, family: Family, protocol: Protocol
) -> None:
    """Each copy of a request that arrives, and each copy of an answer that comes back."""
    rules.always(delivery("remote-pod", 256, family))
    here = client(lab, "pod", family, protocol)
    doubling(node, "external")
    sample = here.connect_many(VIPS[family], PORT, 6)
    assert (sample.arrivals.tolist(), sample.replies.tolist()) == ([2] * 6, [2] * 6)
    doubling(node, "pod")
    sample = here.connect_many(VIPS[family], PORT, 6)
    assert (sample.arrivals.tolist(), sample.replies.tolist()) == ([1] * 6, [2] * 6)
    assert sample.is_served.all()


@PROTOCOLS
@pytest.mark.parametrize("what", ["port", "address"])
def test_an_answer_to_somebody_else_is_misdirected(
    lab: Lab, node: SimulatedNode, rules: Rules, family: Family, protocol: Protocol, what: str
) -> None:
    """It is no answer to the client, and it is not forgotten."""

    def astray(packet: Packet) -> None:
        if what == "port":
            transport(packet).dport = 4
        else:
            packet.payload.dst = str(host("pod", 999, family).address)

    rules.always(delivery("remote-pod", 256, family))
    altering(node, "pod", astray)
    sample = client(lab, "pod", family, protocol).connect_many(VIPS[family], PORT, 4)
    assert (sample.misdirected.tolist(), sample.replies.tolist()) == ([1] * 4, [0] * 4)
    assert sample.words == {"delivered, not answered": 4}
    assert sample[0].reply is None


@PROTOCOLS
@pytest.mark.parametrize("what", ["port", "address"])
def test_an_answer_from_elsewhere_is_none(
    lab: Lab, node: SimulatedNode, rules: Rules, family: Family, protocol: Protocol, what: str
) -> None:
    """The client sees it come, from where it comes."""
    stranger = host("remote-pod", 999, family).address
    wrong = SocketAddress(VIPS[family], 81) if what == "port" else SocketAddress(stranger, PORT)

    def elsewhere(packet: Packet) -> None:
        packet.payload.src = str(wrong.address)
        transport(packet).sport = wrong.port

    rules.always(delivery("remote-pod", 256, family))
    altering(node, "pod", elsewhere)
    sample = client(lab, "pod", family, protocol).connect_many(VIPS[family], PORT, 4)
    assert not sample.is_answered.any()
    assert sample[0].reply == Reply("answer", wrong)
    assert not sample[0].answered


@PROTOCOLS
def test_an_answer_by_the_node_itself_is_by_somebody_unseen(
    lab: Lab, rules: Rules, family: Family, protocol: Protocol
) -> None:
    """Never silence."""
    rules.always(ANSWER)
    sample = client(lab, "pod", family, protocol).connect_many(VIPS[family], PORT, 40)
    assert sample.words == {"answered by somebody unseen": 40}
    frontend = SocketAddress(VIPS[family], PORT)
    assert sample[0].outcome == AnsweredUnseen(Reply("answer", frontend))


def test_a_sample_tells_its_probes_apart(lab: Lab, rules: Rules, family: Family) -> None:
    """Each has its own outcome, in the order of sending."""
    there = delivery("remote-pod", 256, family)
    turns: list[Decision] = [there, Refuse(), Drop(), Refuse("reset"), ANSWER, there]
    rules.decisions = lambda at: [turns[at.port % 6]]
    sample = client(lab, "pod", family).connect_many(VIPS[family], PORT, 600)
    kinds = [type(turns[probe.client.port % 6]).__name__ for probe in sample]
    expected = {
        "Deliver": Delivered,
        "Refuse": Rejected,
        "Drop": Dropped,
        "Answer": AnsweredUnseen,
    }
    assert [type(probe.outcome) for probe in sample] == [expected[kind] for kind in kinds]
    assert sample.words == {
        "answered": 200,
        "refused": 100,
        "rejected otherwise": 100,
        "dropped": 100,
        "answered by somebody unseen": 100,
    }


def test_hosts_elsewhere_are_answered_past_the_node(lab: Lab, rules: Rules, family: Family) -> None:
    """Where the endpoint is elsewhere too, and sees the client's own address; else through it."""
    here = client(lab, "outside", family)
    rules.always(delivery("remote-pod", 256, family))
    probe = here.connect(VIPS[family], PORT)
    assert probe.reply == Reply("answer", host("remote-pod", 256, family), past_node=True)
    assert not probe.answered
    for decision in (
        delivery("remote-pod", 256, family, masquerade=True),
        delivery("pod", 1, family),
    ):
        rules.always(decision)
        assert here.connect(VIPS[family], PORT).answered


# --- refusals -------------------------------------------------------------------------------------


def quoted(packet: Packet, family: Family) -> Packet:
    """What an ICMP error quotes, and its checksum is written anew."""
    error = packet[ICMP if family == "IPv4" else ICMPv6DestUnreach]
    error.chksum = error.cksum = None
    inner: Packet = error.payload
    return inner


CHANGES = ["client", "client port", "target", "target port", "outer destination"]


@pytest.mark.parametrize("what", CHANGES)
def test_a_refusal_that_no_client_would_know_is_none(
    lab: Lab, node: SimulatedNode, rules: Rules, family: Family, what: str
) -> None:
    """A stack looks its socket up by what an error quotes, and gets the errors sent to it alone."""
    other = str(host("pod", 999, family).address)

    def alter(packet: Packet) -> None:
        inner = quoted(packet, family)
        if what == "client":
            inner.src = packet.payload.dst = other
        elif what == "target":
            inner.dst = other
        elif what == "outer destination":
            packet.payload.dst = other
        else:
            setattr(inner.payload, "sport" if what == "client port" else "dport", 4)

    rules.always(Refuse())
    here = client(lab, "pod", family)
    expect(here.connect(VIPS[family], PORT)).refused(icmp=True)
    altering(node, "pod", alter)
    probe = here.connect(VIPS[family], PORT)
    assert probe.outcome == Dropped()


def test_the_last_refusal_counts_and_each_is_counted(
    lab: Lab, node: SimulatedNode, rules: Rules, family: Family
) -> None:
    rules.always(Refuse())
    doubling(node, "pod")
    sample = client(lab, "pod", family).connect_many(VIPS[family], PORT, 3)
    assert sample.replies.tolist() == [2] * 3
    assert sample.words == {"refused": 3}


def test_whoever_refuses_is_named(
    lab: Lab, node: SimulatedNode, rules: Rules, family: Family
) -> None:
    """By the address that the error comes from, whatever it quotes."""
    router = ip_address("192.0.2.1" if family == "IPv4" else "2001:db8:0:1::1")

    def alter(packet: Packet) -> None:
        quoted(packet, family)
        packet[IP if family == "IPv4" else IPv6].src = str(router)

    rules.always(Refuse())
    altering(node, "pod", alter)
    probe = client(lab, "pod", family).connect(VIPS[family], PORT)
    assert probe.outcome == Rejected("port-unreachable", router)


@PROTOCOLS
def test_a_refusal_may_quote_as_little_as_is_allowed(
    lab: Lab, rules: Rules, family: Family, protocol: Protocol
) -> None:
    """RFC 792 promises the header and 64 bits of the segment; a datagram has its id behind them."""

    def refused(data: bytes) -> bytes:
        packet = simulated.Packet(bytearray(data))
        kind = b"\3\3" if packet.version == 4 else b"\1\4"
        quoted = bytes(packet.data[: packet.header + 8])
        source, destination = packet.addresses
        error = kind + bytes(6) + quoted
        return bytes(
            simulated.Packet.made(destination, source, simulated.ICMP[packet.version], error).data
        )

    rules.always(Answer(refused))
    sample = client(lab, "pod", family, protocol).connect_many(VIPS[family], PORT, 3)
    assert sample.words == {"refused": 3}
    assert sample.replies.tolist() == [1] * 3


# --- the servers on lab hosts ---------------------------------------------------------------------


def test_servers_are_open_silent_or_closed(lab: Lab, family: Family) -> None:
    targets = [host("remote-pod", number, family) for number in (1, 2, 3)]
    lab.silent.add(targets[1].address)
    lab.closed.add(targets[2].address)
    sample = client(lab, "pod", family).connect_to_each(targets)
    replies = [probe.reply and probe.reply.kind for probe in sample]
    assert replies == ["answer", None, "reset"]
    assert [probe.answered for probe in sample] == [True, False, False]
    udp = client(lab, "pod", family, "UDP").connect_to_each(targets)
    assert [probe.answered for probe in udp] == [True, False, False]


def test_a_closed_port_resets_as_a_stack_does(lab: Lab, family: Family) -> None:
    """A SYN without an acknowledgement: sequence zero, all acknowledged (RFC 9293, 3.10.7.1)."""
    there = host("remote-pod", 3, family)
    lab.closed.add(there.address)
    client(lab, "pod", family).connect(*there)
    sent = [Ether(seen.frames[0]) for seen in lab.history if seen.sent]
    syn, reset = (packet[TCP] for packet in sent if TCP in packet)
    assert (str(reset.flags), reset.seq, reset.ack) == ("RA", 0, syn.seq + 1)


def test_hosts_answer_only_what_is_ours(lab: Lab, family: Family) -> None:
    """Of datagrams those that bear an id: others may be answers, and would never end."""
    ends = client(lab, "pod", family).address, host("outside", 7, family).address
    network = (IP if family == "IPv4" else IPv6)(src=str(ends[0]), dst=str(ends[1]))
    lab.send_raw("pod", bytes(ETHERNET / network / UDP(sport=53, dport=53) / Raw(b"a DNS query")))
    lab.settle()
    sent = [seen.wire for seen in lab.history if seen.sent and not is_fence(seen.frames[0])]
    assert sent == ["pod"]


def test_hosts_answer_for_themselves_only(lab: Lab, family: Family) -> None:
    """What passes through to an address that no host of the lab has is not answered."""
    probe = client(lab, "pod", family).connect(VIPS[family], PORT)
    assert probe.reply is None


def test_a_datagram_of_ours_is_answered_once(lab: Lab, rules: Rules, family: Family) -> None:
    """Servers answer what asks, never an answer: two of them would go on for ever."""
    rules.always(delivery("remote-pod", 256, family))
    here = client(lab, "pod", family, "UDP")
    probe = here.connect(VIPS[family], PORT)
    assert isinstance(probe.outcome, Delivered)
    sent = [seen for seen in lab.history if seen.sent and MAGIC in seen.frames[0]]
    assert [each.wire for each in sent if not is_fence(each.frames[0])] == ["pod", "external"]
