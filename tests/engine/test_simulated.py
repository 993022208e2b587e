"""The node in memory, as scapy sees it: one that is wrong itself would prove nothing."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach, IPv6
from scapy.layers.l2 import Ether
from scapy.layers.sctp import SCTP, SCTPChunkInit
from scapy.packet import Raw

from clusters.simulated.kernel import Drop, Refuse
from clusters.simulated.node import SimulatedNode
from fixtures.lab import icmp
from fixtures.lab.frames import NUMBERS
from fixtures.lab.lab import Lab
from specification.addresses import FAMILIES, Family, node_address
from specification.attempts import Attempt, SocketAddress
from specification.errors import UnsupportedError
from specification.outcomes import Delivered, Dropped, PassedThrough, Rejected
from specification.packets import Shape
from specification.services import Protocol
from tests.engine.tools import (
    ETHERNET,
    PORT,
    VIPS,
    Rules,
    client,
    delivery,
    host,
    recomputed,
)

if TYPE_CHECKING:
    from specification.places import Place

EVERY = list(product(FAMILIES, NUMBERS))


def left(lab: Lab, wire: str) -> list[bytes]:
    """Frames of the last request that left the node on a wire, without the fences."""
    frames = [
        seen.frames[row]
        for seen in lab.history
        if seen.wire == wire and not seen.sent
        for row in range(len(seen.frames))
    ]
    return [frame for frame in frames if not (UDP in Ether(frame) and Ether(frame)[UDP].dport == 9)]


@pytest.mark.parametrize(("family", "protocol"), EVERY)
@pytest.mark.parametrize("masquerade", [False, True])
def test_what_it_forwards_is_whole(
    lab: Lab, rules: Rules, family: Family, protocol: Protocol, masquerade: bool
) -> None:
    """Both ways: addresses and ports are the translated ones, checksums right, one hop gone."""
    rules.always(delivery("remote-pod", 256, family, masquerade=masquerade))
    here, far = client(lab, "pod", family, protocol), host("remote-pod", 256, family)
    sample = here.connect_many(VIPS[family], PORT, 20)
    assert sample.is_answered.all(), sample
    seen = node_address(0, family) if masquerade else here.address
    requests, answers = left(lab, "external"), left(lab, "pod")
    assert len(requests) == len(answers) == 20
    for frame, probe in zip(requests, sample, strict=True):
        assert isinstance(probe.outcome, Delivered)
        assert (probe.endpoint, probe.outcome.wire) == (far, "external")
        packet = Ether(frame).payload
        assert frame == recomputed(frame)
        assert (packet.src, packet.dst) == (str(seen), str(far.address))
        assert packet.payload.dport == far.port
        assert (packet.ttl if family == "IPv4" else packet.hlim) == 63
    for frame, probe in zip(answers, sample, strict=True):
        packet = Ether(frame).payload
        assert frame == recomputed(frame)
        assert (packet.src, packet.dst) == (str(VIPS[family]), str(here.address))
        assert (packet.payload.sport, packet.payload.dport) == (PORT, probe.client.port)


@pytest.mark.parametrize(("family", "protocol"), EVERY)
def test_it_refuses_as_kernels_do(
    lab: Lab, rules: Rules, family: Family, protocol: Protocol
) -> None:
    rules.always(Refuse())
    probe = client(lab, "pod", family, protocol).connect(VIPS[family], PORT)
    assert probe.outcome == Rejected("port-unreachable", node_address(0, family))
    (frame,) = left(lab, "pod")
    assert frame == recomputed(frame)
    icmp = Ether(frame)[ICMP if family == "IPv4" else ICMPv6DestUnreach]
    assert (icmp.type, icmp.code) == ((3, 3) if family == "IPv4" else (1, 4))
    sent = next(seen.frames[0] for seen in lab.history if seen.sent)
    assert bytes(icmp.payload) == sent[14:]


def test_other_refusals(lab: Lab, rules: Rules, family: Family) -> None:
    here = client(lab, "pod", family)
    rules.always(Refuse("unreachable"))
    probe = here.connect(VIPS[family], PORT)
    assert probe.outcome == Rejected("unreachable", node_address(0, family))
    rules.always(Refuse("reset"))
    assert here.connect(VIPS[family], PORT).outcome == Rejected("reset", VIPS[family])
    assert here.connect(node_address(0, family), 22).outcome == Rejected(
        "reset", node_address(0, family)
    )
    rules.always(Drop())
    assert here.connect(VIPS[family], PORT).outcome == Dropped()


def test_what_passes_goes_where_it_belongs(lab: Lab, family: Family) -> None:
    here = client(lab, "pod", family)
    vip = here.connect(VIPS[family], PORT)
    assert vip.outcome == PassedThrough(vip.client, "external", None)
    wires: dict[Place, str] = {"pod": "pod", "remote-pod": "external", "outside": "external"}
    for place, wire in wires.items():
        target = host(place, 999, family)
        probe = here.connect(*target)
        assert isinstance(probe.outcome, PassedThrough)
        assert probe.outcome.wire == wire
        assert probe.answered


def test_clients_behind_its_address_are_told_apart(lab: Lab, rules: Rules, family: Family) -> None:
    """Two clients with one port, masqueraded, and one client with one port at two targets."""
    rules.always(delivery("remote-pod", 256, family, masquerade=True))
    probes = [
        client(lab, place, family).connect(VIPS[family], PORT, source_port=30_000)
        for place in ("pod", "remote-pod")
    ]
    assert all(probe.answered for probe in probes)
    assert len({probe.source for probe in probes}) == 2
    rules.always(delivery("remote-pod", 256, family))
    here = client(lab, "pod", family)
    direct = here.connect(*host("remote-pod", 256, family), source_port=30_001)
    translated = here.connect(VIPS[family], PORT, source_port=30_001)
    assert direct.answered
    assert translated.answered
    assert direct.source != translated.source


def test_a_flow_keeps_its_endpoint_until_it_is_forgotten(
    lab: Lab, node: SimulatedNode, rules: Rules, family: Family
) -> None:
    here = client(lab, "pod", family, "UDP")

    def endpoint() -> SocketAddress | None:
        return here.connect(VIPS[family], PORT, source_port=5353).endpoint

    rules.always(delivery("pod", 400, family))
    assert endpoint() == host("pod", 400, family)
    rules.always(delivery("pod", 401, family))
    assert endpoint() == host("pod", 400, family)
    node.forget_connections()
    assert endpoint() == host("pod", 401, family)


def test_rules_are_asked_once_a_connection(lab: Lab, rules: Rules, family: Family) -> None:
    rules.always(delivery("pod", 400, family))
    here = client(lab, "outside", family)
    flows = here.open(VIPS[family], PORT, count=3)
    flows.exchange()
    opened = [Attempt("TCP", probe.client, probe.target) for probe in flows.opened]
    assert rules.asked == opened


SYN = TCP(sport=30000, dport=8080, flags="S")
BROKEN = {
    "TCP checksum": IP(src="10.128.1.9", dst="198.18.0.9") / TCP(sport=1, dport=2, chksum=1),
    "SCTP checksum": IP(src="10.128.1.9", dst="198.18.0.9")
    / SCTP(sport=1, dport=2, chksum=1)
    / SCTPChunkInit(init_tag=1),
    "IP checksum": IP(src="10.128.1.9", dst="198.18.0.9", chksum=1) / SYN,
    "IPv6 without UDP checksum": IPv6(src="fd00:10::9", dst="2001:db8:0:2::9") / UDP(chksum=0),
    "truncated": IP(src="10.128.1.9", dst="198.18.0.9", len=60) / SYN,
    "no header": IP(src="10.128.1.9", dst="198.18.0.9") / TCP(dataofs=5),
}


@pytest.mark.parametrize("name", BROKEN)
def test_it_takes_no_broken_packet(lab: Lab, node: SimulatedNode, name: str) -> None:
    frame = bytes(ETHERNET / BROKEN[name])
    if name == "no header":
        frame = frame[: 14 + 20 + 12]
    lab.send_raw("pod", frame)
    assert not node.wires["external"].queue
    assert not node.wires["pod"].queue


def test_it_says_that_it_puts_no_fragments_together(lab: Lab) -> None:
    fragment = ETHERNET / IP(src="10.128.1.9", dst="198.18.0.9", frag=4) / SYN
    with pytest.raises(UnsupportedError, match="fragments"):
        lab.send_raw("pod", bytes(fragment))


def test_the_end_of_a_hop_limit_is_told_as_the_client_knows_it(
    lab: Lab, node: SimulatedNode, rules: Rules, family: Family
) -> None:
    rules.always(delivery("remote-pod", 400, family))
    with icmp.errors(lab) as errors, lab.shaped(Shape(hop_limit=1)):
        probe = client(lab, "pod", family).connect(VIPS[family], PORT)
    assert isinstance(probe.outcome, Dropped)
    told = [(error.kind, error.quoted_source, error.quoted_target) for error in errors]
    assert told == [("time-exceeded", probe.client, SocketAddress(VIPS[family], PORT))]


def test_it_takes_what_kernels_take(lab: Lab, node: SimulatedNode) -> None:
    """A datagram without a checksum (RFC 768), a short frame that is padded."""
    for segment in (UDP(sport=1, dport=2, chksum=0) / Raw(b"odd"), SYN):
        frame = bytes(ETHERNET / IP(src="10.128.1.9", dst="198.18.0.9") / segment)
        lab.send_raw("pod", frame.ljust(60, b"\0"))
        left = node.wires["external"].queue.popleft()
        assert left[34:] == frame[34:]
        assert left == recomputed(left) or segment.chksum == 0
