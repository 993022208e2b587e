"""Connections that stay: the numbers that conntrack would check, and when a flow is broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from scapy.layers.inet import TCP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from clusters.simulated.kernel import Drop
from tests.engine.tools import PORT, VIPS, Rules, client, delivery, host

if TYPE_CHECKING:
    from clusters.simulated.node import SimulatedNode
    from fixtures.clients.flows import Flows
    from fixtures.lab.lab import Lab
    from specification.addresses import Family
    from specification.services import Protocol

Ends = tuple[str, int, str, int]


class Tracker:
    """Both ends' stacks (RFC 9293): what a segment of each direction must say, by what it has seen
    on one wire.
    """

    def __init__(self, lab: Lab, wire: str) -> None:
        self.flags: dict[Ends, list[str]] = {}
        """The flags of each direction's segments, in order."""
        self._next: dict[Ends, int] = {}
        for seen in lab.history:
            for row in range(len(seen.frames) if seen.wire == wire else 0):
                packet = Ether(seen.frames[row])
                if TCP in packet:
                    self._see(packet.payload.src, packet.payload.dst, packet[TCP])

    def _see(self, source: str, destination: str, segment: TCP) -> None:
        here = (source, segment.sport, destination, segment.dport)
        there = (destination, segment.dport, source, segment.sport)
        flags = str(segment.flags)
        if "S" not in flags:
            assert segment.seq == self._next[here], (here, flags)
        if flags != "S":
            assert segment.ack == self._next[there], (here, flags)
        length = len(segment[Raw].load) if Raw in segment else 0
        self._next[here] = (segment.seq + length + ("S" in flags)) & 0xFFFFFFFF
        self.flags.setdefault(here, []).append(flags)


@pytest.mark.parametrize("masquerade", [False, True])
def test_tcp_connections_are_those_of_two_stacks(
    lab: Lab, rules: Rules, family: Family, masquerade: bool
) -> None:
    """Handshake, then a message each way as often as asked: at the client, and at the endpoint."""
    rules.always(delivery("remote-pod", 256, family, masquerade=masquerade))
    flows = client(lab, "pod", family).open(VIPS[family], PORT, count=9)
    for _ in range(3):
        sample = flows.exchange()
        assert flows.broken(sample) == []
        assert sample.is_answered.all()
        assert (sample.replies == 1).all()
    for wire in ("pod", "external"):
        directions = Tracker(lab, wire).flags
        assert len(directions) == 18
        out = [each for ends, each in directions.items() if ends[3] in (PORT, 8080)]
        back = [each for ends, each in directions.items() if ends[1] in (PORT, 8080)]
        assert out == [["S", "A", "PA", "PA", "PA"]] * 9
        assert back == [["SA", "PA", "PA", "PA"]] * 9


def test_a_message_that_was_not_answered_is_sent_again(
    lab: Lab, rules: Rules, family: Family
) -> None:
    """The numbers go on where the other end has acknowledged, flow by flow."""
    there = host("remote-pod", 256, family)
    rules.always(delivery("remote-pod", 256, family))
    flows = client(lab, "pod", family).open(VIPS[family], PORT, count=2)
    flows.exchange()
    lab.silent.add(there.address)
    assert flows.broken(flows.exchange()) == [0, 1]
    lab.silent.clear()
    assert flows.broken(flows.exchange()) == []
    sent = [
        Ether(seen.frames[row])[TCP]
        for seen in lab.history
        for row in range(len(seen.frames) if seen.wire == "pod" and seen.sent else 0)
        if TCP in Ether(seen.frames[row])
    ]
    numbers = [segment.seq for segment in sent if segment.flags == "PA" and segment.dport == PORT]
    first, second = numbers[0], numbers[1]
    assert numbers == [first, second, first + 8, second + 8, first + 8, second + 8]


def opened(lab: Lab, rules: Rules, family: Family, protocol: Protocol = "TCP") -> Flows:
    """Flows to two endpoints in turn."""
    turns = [delivery("remote-pod", number, family, masquerade=True) for number in (256, 257)]
    rules.decisions = lambda at: [turns[at.port % 2]]
    flows = client(lab, "pod", family, protocol).open(VIPS[family], PORT, count=6)
    assert set(flows.endpoints) == {turn.endpoint for turn in turns}
    return flows


@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
def test_flows_of_a_silent_endpoint_are_broken(
    lab: Lab, rules: Rules, family: Family, protocol: Protocol
) -> None:
    flows = opened(lab, rules, family, protocol)
    dead = host("remote-pod", 257, family)
    lab.silent.add(dead.address)
    broken = flows.broken(flows.exchange())
    assert broken == [number for number in range(6) if flows.endpoints[number] == dead]


def test_flows_of_a_closed_host_stay(lab: Lab, rules: Rules, family: Family) -> None:
    """A host that closes its ports resets new connections; it says nothing to data."""
    flows = opened(lab, rules, family)
    lab.closed.add(host("remote-pod", 257, family).address)
    probe = client(lab, "pod", family).connect(*host("remote-pod", 257, family))
    assert probe.reply
    assert probe.reply.kind == "reset"
    assert len(flows.broken(flows.exchange())) == 3


def test_flows_that_moved_are_broken_although_they_are_answered(
    lab: Lab, node: SimulatedNode, rules: Rules, family: Family
) -> None:
    flows = opened(lab, rules, family, "UDP")
    node.forget_connections()
    rules.always(delivery("remote-pod", 256, family, masquerade=True))
    sample = flows.exchange()
    assert sample.is_answered.all()
    moved = host("remote-pod", 257, family)
    assert flows.broken(sample) == [n for n in range(6) if flows.endpoints[n] == moved]


def test_flows_that_the_node_has_forgotten_are_broken(
    lab: Lab, node: SimulatedNode, rules: Rules, family: Family
) -> None:
    """A segment of no flow that is known goes untranslated to nobody."""
    flows = opened(lab, rules, family)
    node.forget_connections()
    assert flows.broken(flows.exchange()) == list(range(6))


def test_a_flow_that_never_opened_is_broken_once_it_is(
    lab: Lab, rules: Rules, family: Family
) -> None:
    rules.always(Drop())
    flows = client(lab, "pod", family, "UDP").open(VIPS[family], PORT)
    assert flows.endpoints == [None]
    rules.always(delivery("remote-pod", 256, family))
    assert flows.broken(flows.exchange()) == [0]


def test_associations_stay_at_their_init(lab: Lab, rules: Rules, family: Family) -> None:
    rules.always(delivery("remote-pod", 256, family))
    flows = client(lab, "pod", family, "SCTP").open(VIPS[family], PORT, count=2)
    sample = flows.exchange()
    assert flows.broken(sample) == []
    assert sample.client_ports.tolist() == flows.opened.client_ports.tolist()
    assert not set(sample.ids) & set(flows.opened.ids)


# --- resets ---------------------------------------------------------------------------------------


def test_an_endpoints_reset_is_the_flows(
    lab: Lab, node: SimulatedNode, rules: Rules, family: Family
) -> None:
    """A reset of an established connection bears no id: it is known by its client."""
    flows = opened(lab, rules, family)
    dead = host("remote-pod", 257, family).address

    def reset(_wire: str, frame: bytes) -> list[bytes]:
        packet = Ether(frame)
        if TCP in packet and packet[TCP].flags == "PA" and packet.payload.src == str(VIPS[family]):
            packet[TCP].flags, packet[TCP].ack = "RA", 0
            packet[TCP].remove_payload()
            return [bytes(packet)]
        return [frame]

    node.leaving = reset
    lab.silent.add(dead)
    sample = flows.exchange()
    replies = [probe.reply and probe.reply.kind for probe in sample]
    assert replies == [
        None if endpoint and endpoint.address == dead else "reset" for endpoint in flows.endpoints
    ]
    assert flows.broken(sample) == list(range(6))


def test_a_stray_that_is_translated_resets_nothing(lab: Lab, rules: Rules, family: Family) -> None:
    rules.always(delivery("remote-pod", 256, family))
    flows = client(lab, "pod", family).open(VIPS[family], PORT)
    assert not flows.reset_by_stray(100_000)


def test_a_stray_that_is_not_translated_resets_the_flow(
    lab: Lab, node: SimulatedNode, rules: Rules, family: Family
) -> None:
    """The client sees a segment of a connection that it does not have, and resets that."""
    rules.always(delivery("remote-pod", 256, family))
    flows = client(lab, "pod", family).open(VIPS[family], PORT)
    node.forget_connections()
    assert flows.reset_by_stray(100_000)


def test_a_reset_that_goes_elsewhere_resets_nothing(
    lab: Lab, node: SimulatedNode, rules: Rules, family: Family
) -> None:
    """The client resets what it does not know, but the endpoint never hears of it."""
    rules.always(delivery("remote-pod", 256, family))
    flows = client(lab, "pod", family).open(VIPS[family], PORT)
    node.forget_connections()

    def elsewhere(_wire: str, frame: bytes) -> list[bytes]:
        packet = Ether(frame)
        if TCP in packet and "R" in str(packet[TCP].flags):
            packet.payload.dst = str(host("remote-pod", 999, family).address)
        return [bytes(packet)]

    node.leaving = elsewhere
    assert not flows.reset_by_stray(100_000)


def test_a_stray_that_is_dropped_resets_nothing(
    lab: Lab, node: SimulatedNode, rules: Rules, family: Family
) -> None:
    rules.always(delivery("remote-pod", 256, family))
    flows = client(lab, "pod", family).open(VIPS[family], PORT)
    node.leaving = lambda _wire, frame: [frame] if TCP not in Ether(frame) else []
    assert not flows.reset_by_stray(100_000)


def test_a_flow_that_never_opened_has_no_strays(lab: Lab, rules: Rules) -> None:
    rules.always(Drop())
    flows = client(lab, "pod", "IPv4").open(VIPS["IPv4"], PORT)
    with pytest.raises(ValueError, match="never opened"):
        flows.reset_by_stray(1)
