"""Integrity: packets that open no connection to a Service."""

from __future__ import annotations

import random

import pytest
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from conformance.integrity.conftest import with_all_frontends
from conformance.vocabulary import (
    ATTEMPTS,
    Family,
    Frames,
    IPAddress,
    LabClient,
    Service,
    Shape,
    SocketAddress,
    UnexpectedOutcomeError,
    World,
    docs,
    expect,
    icmp,
    issue,
    over,
    requirement,
    rfc,
)

_OTHERS = {"ESP": 50, "OSPF": 89, "an experiment": 253, "another": 254}
"""Protocols without ports, by number: 253 and 254 are for experiments (RFC 3692)."""


pytestmark = with_all_frontends


@requirement("pkt-every-answer", docs("virtual-ips"))
@over(protocol="UDP", vantage=["pod", "outside"])
def test_every_answer_reaches_the_client(
    web: Service, frontends: list[SocketAddress], client: LabClient
) -> None:
    """However many datagrams an endpoint sends in answer to one, each of them must reach the client
    as coming from the address and port that the client had sent to.
    """
    for frontend in frontends:
        flows = client.open(*frontend, ATTEMPTS)
        expect(flows.opened).delivered(to=web)
        ends = [(probe.target, probe.client) for probe in flows.opened]
        for _ in range(3):
            assert sorted(flows.more_answers()) == sorted(ends), frontend


@requirement("pkt-time-exceeded", rfc(1812, "5.3.1"), rfc(4443, "3.3"), rfc(5508, "4"))
@over(vantage=["pod", "outside"])
def test_the_end_of_a_hop_limit_is_told(
    world: World, frontends: list[SocketAddress], client: LabClient
) -> None:
    """A packet to a Service whose time to live or hop limit ends at the node must be answered with
    ICMP time exceeded, and that must quote the packet as its client had sent it.
    """
    for frontend in frontends:
        with icmp.errors(world.lab) as errors, world.lab.shaped(Shape(hop_limit=1)):
            probe = client.connect(*frontend)
        expect(probe, "a hop limit of 1").unserved()
        told = [(error.kind, error.quoted_source, error.quoted_target) for error in errors]
        assert told == [("time-exceeded", probe.client, frontend)], probe


@requirement("pkt-no-service", docs("networking"))
@over(protocol="TCP")
@pytest.mark.parametrize("outbound", [True, False], ids=["to-elsewhere", "from-elsewhere"])
def test_what_is_no_services_passes(
    world: World, web: Service, draw: random.Random, family: Family, outbound: bool
) -> None:
    """Packets between pods that are no Service's, ICMP echo requests and those of protocols without
    ports, must pass the node unchanged but for the hop that it takes off.
    """
    here, there = (world.hosts(place)[0].address(family) for place in ("pod", "remote-pod"))
    ends, wires = (here, there), ("pod", "external")
    if not outbound:
        ends, wires = ends[::-1], wires[::-1]
    for name, packet in _packets(family, *ends, draw).items():
        came = _forwarded(world, wires, packet)
        if family == "IPv4":
            packet.ttl -= 1
        else:
            packet.hlim -= 1
        if came != [bytes(packet)]:
            seen = ", ".join(each.hex() for each in came) or "nothing"
            what = f"{name} on the {wires[1]} wire, as {bytes(packet).hex()}"
            raise UnexpectedOutcomeError(what, seen)


@requirement("ct-asymmetric", docs("networking"), issue(94861), feature="one-way-connections")
@over(protocol="TCP")
def test_connections_may_pass_one_way_alone(
    world: World, web: Service, draw: random.Random, family: Family
) -> None:
    """A segment that accepts a TCP connection between pods, which is no Service's, must pass the
    node although the one that asked for it went another way.
    """
    here, there = (world.hosts(place)[0].address(family) for place in ("pod", "remote-pod"))
    start = (
        IP(src=str(there), dst=str(here))
        if family == "IPv4"
        else IPv6(src=str(there), dst=str(here))
    )
    segment = TCP(sport=80, dport=draw.randrange(20_000, 60_000), flags="SA", seq=7, ack=8)
    assert len(_forwarded(world, ("external", "pod"), start / segment)) == 1


def _packets(
    family: Family, source: IPAddress, target: IPAddress, draw: random.Random
) -> dict[str, Packet]:
    """A packet of each kind."""
    load = Raw(draw.randbytes(draw.randrange(40, 1000)))
    low, mark = draw.randrange(2, 256), draw.randrange(256)
    start: Packet
    echo: Packet
    if family == "IPv4":
        start, echo = IP(ttl=low, tos=mark, id=draw.randrange(1, 1 << 16)), ICMP(type=8, id=7)
    else:
        start = IPv6(hlim=low, tc=mark, fl=draw.randrange(1 << 20))
        echo = ICMPv6EchoRequest(id=7)
    start.src, start.dst = str(source), str(target)
    made: dict[str, Packet] = {"echo": start / echo / load}
    for name, number in _OTHERS.items():
        made[name] = start / load
        made[name].setfieldval("proto" if family == "IPv4" else "nh", number)
    return made


def _forwarded(world: World, wires: tuple[str, str], packet: Packet) -> list[bytes]:
    """What comes out by the second wire with the addresses of a packet that goes in by the first,
    from its IP header on.
    """
    inward = world.node.wires[wires[0]]
    head = Ether(src=inward.lab_mac.hex(":"), dst=inward.node_mac.hex(":"))
    place = slice(12, 20) if isinstance(packet, IP) else slice(8, 40)
    came: list[bytes] = []

    def listen(wire: str, frames: Frames) -> int:
        seen = [frames[row][14:] for row in range(len(frames)) if wire == wires[1]]
        found = [each for each in seen if each[place] == bytes(packet)[place]]
        came.extend(found)
        return len(found)

    world.lab.listeners.append(listen)
    try:
        with world.lab.observing(None):
            world.lab.send_raw(wires[0], bytes(head / packet))
    finally:
        world.lab.listeners.remove(listen)
    return came
