"""Protocols and ports: packets with more than a link carries, with nothing or with data too early,
and ICMP errors about them.
"""

from __future__ import annotations

import random
from ipaddress import ip_address

import pytest
from scapy.layers.inet import IP, TCP, UDP, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, fragment6
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from conformance.vocabulary import (
    MTU,
    Frames,
    IPAddress,
    LabClient,
    Service,
    Services,
    ServiceSpec,
    SocketAddress,
    UnexpectedOutcomeError,
    Vantage,
    World,
    arranged,
    e2e,
    expect,
    icmp,
    over,
    requirement,
    rfc,
)

_SIZES = (MTU - 27, 8_000)
"""Bytes of payload that take fragments: one more than IPv4 has room for, and many."""
_KINDS: tuple[icmp.Report, ...] = ("port-unreachable", "too-big")
_PIECE = 1_400
"""Bytes of a fragment at most."""


def _behind_the_node(service: Services, vantage: Vantage) -> ServiceSpec:
    """An endpoint on the other wire than the client."""
    return service.spec(["remote-pod" if vantage == "pod" else "pod"], exposed=True)


pytestmark = [over(vantage=["pod", "outside"]), arranged(_behind_the_node, shared=True)]


@pytest.fixture
def frontends(web: Service, vantage: Vantage) -> list[SocketAddress]:
    """What clients at the vantage can send to."""
    return web.frontends if vantage == "pod" else web.external_frontends


@requirement(
    "proto-udp-frag", rfc(791, "3.2"), rfc(8200, "4.5"), e2e("networking", "large requests: udp")
)
@over(protocol="UDP")
def test_datagrams_in_fragments_are_served(
    world: World, web: Service, client: LabClient, frontends: list[SocketAddress]
) -> None:
    """A datagram to a Service that is larger than a link carries, and comes in fragments, must be
    delivered to an endpoint as a whole, and so must its answer to the client.
    """
    for frontend in frontends:
        for size in _SIZES:
            _assert_exchanged(world, client, frontend, web.socket(0), size)


@requirement("proto-udp-zero-len", rfc(768, "Length"), rfc(8085, "3"))
@over(protocol="UDP")
def test_empty_datagrams_are_served(
    world: World, web: Service, client: LabClient, frontends: list[SocketAddress]
) -> None:
    """A datagram to a Service that has no payload must be delivered to an endpoint, and so must its
    answer to the client.
    """
    for frontend in frontends:
        _assert_exchanged(world, client, frontend, web.socket(0), 0)


@requirement("proto-tcp-fastopen-data", rfc(9293, "3.10.7.4"), rfc(7413, "4.2"))
@over(protocol="TCP")
def test_data_may_come_with_the_first_segment(
    world: World, web: Service, client: LabClient, frontends: list[SocketAddress]
) -> None:
    """A TCP segment to a Service that opens a connection and carries data at once must be delivered
    to an endpoint with that data.
    """
    here, payload = client.host.wire, bytes(range(100))
    for frontend in frontends:
        syn = _packet(TCP(flags="S", seq=4711), _end(world, client), frontend, payload)
        _carried(world, (here, "external" if here == "pod" else "pod"), syn, web.socket(0), payload)


@requirement(
    "proto-icmp-err-from-ep", rfc(5508, "4"), rfc(1122, "4.1.3.3"), feature="icmp-translation"
)
@pytest.mark.parametrize("kind", _KINDS)
def test_endpoints_errors_reach_clients_of_every_frontend(
    world: World, web: Service, client: LabClient, frontends: list[SocketAddress], kind: icmp.Report
) -> None:
    """Where an endpoint answers a packet with ICMP port unreachable, or a router before it calls it
    too big, the error must reach the client, and quote the packet as it was sent, whichever
    frontend that was sent to and whether or not the endpoint has seen the client's address.
    """
    _assert_errors_reach_clients(world, web, client, frontends, kind)


@requirement("proto-icmp-err-sctp", rfc(5508, "4"), rfc(9260, "7.3"), feature="sctp")
@pytest.mark.parametrize("kind", _KINDS)
@over(protocol="SCTP")
def test_errors_about_sctp_reach_clients_of_every_frontend(
    world: World, web: Service, client: LabClient, frontends: list[SocketAddress], kind: icmp.Report
) -> None:
    """An ICMP error about an SCTP packet to a Service, port unreachable from the endpoint or packet
    too big from a router before it, must reach the client, and quote the packet as it was sent.
    """
    _assert_errors_reach_clients(world, web, client, frontends, kind)


@requirement(
    "proto-icmp-err-to-ep",
    rfc(5508, "4"),
    rfc(1191, "3"),
    rfc(8201, "4"),
    feature="icmp-translation",
)
def test_errors_about_answers_reach_endpoints(
    world: World, web: Service, client: LabClient, frontends: list[SocketAddress]
) -> None:
    """Where a router before the client calls an answer too big, the ICMP error must reach the
    endpoint, and quote the answer as the endpoint has sent it, whichever frontend its client uses.
    """
    endpoint = web.socket(0)
    router = world.hosts(client.host.place)[0].address(client.family)
    for frontend in frontends:
        probe = client.connect(*frontend)
        expect(probe).delivered(to=endpoint)
        errors = icmp.report(world.lab, probe, "too-big", router, of_answer=True)
        told = [(each.destination, each.quoted_source, each.quoted_target) for each in errors]
        assert told == [(endpoint.address, endpoint, probe.source)], probe


def _assert_errors_reach_clients(
    world: World, web: Service, client: LabClient, frontends: list[SocketAddress], kind: icmp.Report
) -> None:
    endpoint = web.socket(0)
    world.lab.silent.add(endpoint.address)
    reporter = endpoint.address
    if kind == "too-big":
        (router,) = world.hosts(web.endpoint(0).host.place)
        reporter = router.address(client.family)
    for frontend in frontends:
        probe = client.connect(*frontend)
        expect(probe).delivered(to=endpoint, reply="any")
        errors = icmp.report(world.lab, probe, kind, reporter)
        told = [(each.destination, each.quoted_source, each.quoted_target) for each in errors]
        assert told == [(client.address, probe.client, frontend)], probe


def _assert_exchanged(
    world: World, client: LabClient, frontend: SocketAddress, endpoint: SocketAddress, size: int
) -> None:
    """A datagram of that size comes to the endpoint, and another back to the client."""
    here = client.host.wire
    there = "external" if here == "pod" else "pod"
    asking, payload = _end(world, client), random.Random(size).randbytes(size)
    asked = _packet(UDP(), asking, frontend, payload)
    seen = _carried(world, (here, there), asked, endpoint, payload)
    answer = _packet(UDP(), endpoint, seen, payload)
    answering = _carried(world, (there, here), answer, asking, payload)
    if answering != frontend:
        raise UnexpectedOutcomeError(f"an answer from {frontend}", f"one from {answering}")


def _end(world: World, client: LabClient) -> SocketAddress:
    return SocketAddress(client.address, int(world.lab.ports(1)[0]))


def _carried(
    world: World, wires: tuple[str, str], packet: Packet, end: SocketAddress, payload: bytes
) -> SocketAddress:
    """Send a packet in by the first wire; who it is from when it comes out by the second, for that
    end, with all else as it was and with a checksum that is right.
    """
    what = f"{len(payload)} bytes that were sent to {packet.dst}, whole, at {end}"
    came = _come_out(world, wires, packet, end.address)
    if not came:
        raise UnexpectedOutcomeError(what, "nothing")
    data = _together(came)
    source = SocketAddress(ip_address(came[0].src), int.from_bytes(data[:2]))
    if bytes(_packet(packet.payload.copy(), source, end, payload).payload) != data:
        raise UnexpectedOutcomeError(what, f"{len(came)} packets with {data.hex():.200}")
    return source


def _packet(
    transport: Packet, source: SocketAddress, target: SocketAddress, payload: bytes
) -> Packet:
    """A packet between two ends, with a header like ``transport``, lengths and checksums."""
    network = IP if source.address.version == 4 else IPv6
    transport.remove_payload()
    transport.sport, transport.dport, transport.chksum = source.port, target.port, None
    start = network(src=str(source.address), dst=str(target.address))
    return network(bytes(start / transport / Raw(payload)))


def _pieces(whole: Packet) -> list[Packet]:
    """The fragments of a packet, or itself where it fits."""
    if len(whole) <= MTU:
        return [whole]
    if isinstance(whole, IP):
        whole.id = 4711
        return list(fragment(whole, _PIECE))  # type: ignore[no-untyped-call]
    start = IPv6(src=whole.src, dst=whole.dst) / IPv6ExtHdrFragment(id=4711)
    return list(fragment6(start / whole.payload, _PIECE))  # type: ignore[no-untyped-call]


def _come_out(
    world: World, wires: tuple[str, str], whole: Packet, target: IPAddress
) -> list[Packet]:
    """What comes out by the second wire for an address when a packet goes in by the first."""
    inward, network = world.node.wires[wires[0]], type(whole)
    head = Ether(src=inward.lab_mac.hex(":"), dst=inward.node_mac.hex(":"))
    came: list[Packet] = []

    def listen(wire: str, frames: Frames) -> int:
        seen = [frames[row][14:] for row in range(len(frames)) if wire == wires[1]]
        place = slice(16, 20) if network is IP else slice(24, 40)
        found = [network(each) for each in seen if each[place] == target.packed]
        came.extend(found)
        return len(found)

    world.lab.listeners.append(listen)
    try:
        with world.lab.observing(None):
            for piece in _pieces(whole):
                world.lab.send_raw(wires[0], bytes(head / piece))
    finally:
        world.lab.listeners.remove(listen)
    return came


def _together(pieces: list[Packet]) -> bytes:
    """What fragments carry together, from the header of UDP or TCP on."""
    parts = dict[int, bytes]()
    for piece in pieces:
        extension = piece.getlayer(IPv6ExtHdrFragment)
        carrier = extension or piece
        offset = extension.offset if extension else piece.frag if isinstance(piece, IP) else 0
        parts[offset] = bytes(carrier.payload)
    return b"".join(parts[offset] for offset in sorted(parts))
