"""What a test can be shown afterwards: captures, and ICMP errors about what has arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.utils import PcapReader, RawPcapReader

from clusters.simulated.kernel import Drop, Pass
from fixtures.lab import icmp
from fixtures.lab.icmp import Error
from fixtures.record.evidence import write_pcap
from specification.addresses import ROUTERS
from specification.attempts import SocketAddress
from tests.engine.tools import PORT, VIPS, Rules, client, delivery, host, recomputed

if TYPE_CHECKING:
    from pathlib import Path

    from clusters.simulated.node import SimulatedNode
    from fixtures.lab.lab import Lab
    from specification.addresses import Family
    from specification.services import Protocol

# --- captures -------------------------------------------------------------------------------------


@pytest.mark.parametrize("wire", ["pod", "external"])
def test_a_capture_is_what_was_on_the_wire(
    lab: Lab, rules: Rules, tmp_path: Path, family: Family, wire: str
) -> None:
    """Every frame of that wire, whole, in order, at its nanosecond."""
    rules.always(delivery("remote-pod", 256, family))
    client(lab, "pod", family).connect_many(VIPS[family], PORT, 5)
    write_pcap(tmp_path / "wire.pcap", lab, wire)
    seen = [
        (seen.frames[row], int(seen.frames.time[row]))
        for seen in lab.history
        for row in range(len(seen.frames) if seen.wire == wire else 0)
    ]
    with RawPcapReader(str(tmp_path / "wire.pcap")) as reader:
        assert (reader.nano, reader.linktype) == (True, 1)
        kept = [(data, meta.sec * 10**9 + meta.usec) for data, meta in reader]
    assert kept == seen
    with PcapReader(str(tmp_path / "wire.pcap")) as packets:
        flags = [str(packet[TCP].flags) for packet in packets if TCP in packet]
    assert flags == ["S"] * 5 + ["SA"] * 5


def test_a_capture_of_nothing_can_be_read(lab: Lab, tmp_path: Path) -> None:
    write_pcap(tmp_path / "wire.pcap", lab, "pod")
    with RawPcapReader(str(tmp_path / "wire.pcap")) as reader:
        assert list(reader) == []


# --- ICMP errors ----------------------------------------------------------------------------------

KINDS: list[icmp.Report] = ["port-unreachable", "too-big"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
@pytest.mark.parametrize("masquerade", [False, True])
@pytest.mark.parametrize("from_router", [False, True])
def test_a_report_comes_back_as_the_client_knows_its_packet(
    lab: Lab,
    rules: Rules,
    family: Family,
    protocol: Protocol,
    kind: icmp.Report,
    masquerade: bool,
    from_router: bool,
) -> None:
    """Through a node that translates the quote: from the frontend, about what was sent to it."""
    rules.always(delivery("remote-pod", 256, family, masquerade=masquerade))
    probe = client(lab, "pod", family, protocol).connect(VIPS[family], PORT)
    reporter = ROUTERS[family] if from_router else host("remote-pod", 256, family).address
    (error,) = icmp.report(lab, probe, kind, reporter)
    assert error == Error(
        kind, VIPS[family], probe.client.address, probe.client, SocketAddress(VIPS[family], PORT)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_report_is_whole(lab: Lab, rules: Rules, family: Family, kind: icmp.Report) -> None:
    """As scapy would write it, quoting all that had arrived."""
    rules.always(delivery("remote-pod", 256, family, masquerade=True))
    probe = client(lab, "pod", family).connect(VIPS[family], PORT)
    icmp.report(lab, probe, kind, ROUTERS[family])
    arrived = [seen.frames[0] for seen in lab.history if seen.wire == "external" and not seen.sent]
    sent = [seen.frames[0] for seen in lab.history if seen.wire == "external" and seen.sent]
    (frame,) = (each for each in sent if arrived[0][14:] in each)
    assert frame == recomputed(frame)
    packet = Ether(frame)[IP if family == "IPv4" else IPv6]
    assert probe.source
    assert (packet.src, packet.dst) == (str(ROUTERS[family]), str(probe.source.address))


def test_the_last_packet_of_its_ends_is_reported(lab: Lab, rules: Rules, family: Family) -> None:
    """Where a client's port was used before."""
    rules.always(delivery("remote-pod", 256, family))
    here = client(lab, "pod", family)
    first, second = (here.connect(VIPS[family], PORT, source_port=30_000) for _ in range(2))
    assert first.source == second.source
    icmp.report(lab, second, "too-big", ROUTERS[family])
    arrived = [
        seen.frames[0]
        for seen in lab.history
        if seen.wire == "external" and not seen.sent and TCP in Ether(seen.frames[0])
    ]
    sent = [seen.frames[0] for seen in lab.history if seen.sent]
    assert [any(frame[14:] in each for each in sent) for frame in arrived] == [False, True]


def test_a_report_that_nobody_translates_is_as_it_was_sent(
    lab: Lab, node: SimulatedNode, rules: Rules, family: Family
) -> None:
    """Which is how a test tells such a node."""
    rules.always(delivery("remote-pod", 256, family))
    probe = client(lab, "pod", family).connect(VIPS[family], PORT)
    node.forget_connections()
    there = host("remote-pod", 256, family)
    (error,) = icmp.report(lab, probe, "too-big", ROUTERS[family])
    assert error == Error("too-big", ROUTERS[family], probe.client.address, probe.client, there)


def test_a_report_that_is_dropped_brings_nothing(
    lab: Lab, node: SimulatedNode, rules: Rules, family: Family
) -> None:
    rules.always(delivery("remote-pod", 256, family))
    probe = client(lab, "pod", family).connect(VIPS[family], PORT)
    node.leaving = lambda wire, frame: [frame] if wire == "external" or len(frame) < 60 else []
    assert icmp.report(lab, probe, "port-unreachable", ROUTERS[family]) == []


def test_what_passed_the_node_can_be_reported_too(lab: Lab, rules: Rules, family: Family) -> None:
    rules.always(Pass())
    probe = client(lab, "pod", family).connect(VIPS[family], PORT)
    (error,) = icmp.report(lab, probe, "too-big", ROUTERS[family])
    assert (error.source, error.quoted_target) == (ROUTERS[family], probe.target)


def test_only_what_has_arrived_can_be_reported(lab: Lab, rules: Rules, family: Family) -> None:
    rules.always(Drop())
    here = client(lab, "pod", family)
    with pytest.raises(LookupError):
        icmp.report(lab, here.connect(VIPS[family], PORT), "too-big", ROUTERS[family])
    rules.always(delivery("remote-pod", 256, family))
    probe = here.connect(VIPS[family], PORT)
    lab.history.clear()
    with pytest.raises(LookupError, match="not at hand"):
        icmp.report(lab, probe, "too-big", ROUTERS[family])
