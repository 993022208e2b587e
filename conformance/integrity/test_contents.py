"""Integrity: what packets carry through a proxy, that their checksums are right, and that whatever
a client may send is served.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest

from conformance.integrity.conftest import Send, varied, with_all_frontends
from conformance.vocabulary import (
    MTU,
    Family,
    LabClient,
    Protocol,
    Service,
    Shape,
    SocketAddress,
    expect,
    over,
    requirement,
    rfc,
)
from specification.packets import (
    IP_CHECKSUM,
    PAYLOAD,
    SCTP_CHECKSUM,
    TCP_CHECKSUM,
    UDP_CHECKSUM,
)

pytestmark = [over(vantage=["pod", "outside"]), with_all_frontends]

_HEADERS = {"IPv4": 20, "IPv6": 40, "TCP": 20, "UDP": 8}
_OWN = 8  # bytes of payload that the lab itself writes
_FTP_DATA = 20
_DISCARD = 9  # the lab's own port, by which it knows that the node is done


def _sizes(draw: random.Random, family: Family, protocol: Protocol) -> Iterator[int]:
    """Bytes of payload behind the lab's own: of all orders, odd and even, up to the MTU."""
    largest = MTU - _HEADERS[family] - _HEADERS[protocol] - _OWN
    yield from (0, 1, 2, 7, 8, 500, 1000, largest - 1, largest)
    yield from (draw.randrange(largest) for _ in range(3))


@requirement(PAYLOAD.id, *PAYLOAD.references)
def test_the_payload_is_kept(
    send: Send, draw: random.Random, family: Family, protocol: Protocol
) -> None:
    """The payload of TCP segments and datagrams of every size up to the MTU must arrive byte for
    byte as it was sent, at the endpoint and back at the client.
    """
    shapes = []
    for turn, size in enumerate(_sizes(draw, family, protocol)):
        payload = draw.randbytes(size) if turn % 3 else bytes([0xFF * (turn % 2)]) * size
        shapes.append(varied(draw, family, more=payload))
    send(PAYLOAD, shapes)


@requirement(IP_CHECKSUM.id, *IP_CHECKSUM.references)
@over(family="IPv4")
def test_the_checksum_of_ip_is_right(send: Send, draw: random.Random, family: Family) -> None:
    """IPv4 packets of a connection to a Service must leave the node with a header checksum that is
    right, in both directions.
    """
    send(IP_CHECKSUM, [varied(draw, family) for _ in range(12)])


@requirement(TCP_CHECKSUM.id, *TCP_CHECKSUM.references)
@over(protocol="TCP")
def test_the_checksum_of_tcp_is_right(send: Send, draw: random.Random, family: Family) -> None:
    """TCP segments of a connection to a Service must leave the node with a checksum that is right,
    in both directions.
    """
    sizes = _sizes(draw, family, "TCP")
    send(TCP_CHECKSUM, [varied(draw, family, more=draw.randbytes(size)) for size in sizes])


@requirement(UDP_CHECKSUM.id, *UDP_CHECKSUM.references)
@over(protocol="UDP")
def test_the_checksum_of_udp_is_right(send: Send, draw: random.Random, family: Family) -> None:
    """Datagrams to a Service and back must leave the node with a checksum that is right, and over
    IPv6 never without one.
    """
    sizes = _sizes(draw, family, "UDP")
    send(UDP_CHECKSUM, [varied(draw, family, more=draw.randbytes(size)) for size in sizes])


@requirement("pkt-udp-no-checksum", rfc(1122, "4.1.3.4"), rfc(3022, "4.2"))
@over(family="IPv4", protocol="UDP")
def test_datagrams_without_a_checksum_are_served(
    send: Send, draw: random.Random, family: Family
) -> None:
    """Datagrams over IPv4 that have no checksum must be delivered to an endpoint of the Service and
    answered like any other, without a checksum or with one that is right.
    """
    sizes = _sizes(draw, family, "UDP")
    shapes = [varied(draw, family, more=draw.randbytes(size), summed=False) for size in sizes]
    send(UDP_CHECKSUM, shapes)


@requirement(SCTP_CHECKSUM.id, *SCTP_CHECKSUM.references, feature="sctp")
@over(protocol="SCTP")
def test_the_checksum_of_sctp_is_right(send: Send, draw: random.Random) -> None:
    """SCTP packets to a Service and back must leave the node with a CRC32c that is right."""
    send(SCTP_CHECKSUM, [Shape(dscp=draw.randrange(64)) for _ in range(4)])


@requirement("pkt-client-ports", rfc(6056, "3.2"), rfc(9293, "3.1"))
@pytest.mark.parametrize("ports", ["ftp-data", "all-others"])
def test_a_client_may_have_any_port(
    web: Service,
    frontends: list[SocketAddress],
    client: LabClient,
    draw: random.Random,
    ports: str,
) -> None:
    """A connection to a Service must be served whichever port its client has, from 1 to 65535, the
    well-known ones among them.
    """
    if ports == "ftp-data":
        frontend = draw.choice(frontends)
        expect(client.connect(*frontend, source_port=_FTP_DATA)).delivered(to=web)
        return
    low = [port for port in range(1, 1024) if port not in (_DISCARD, _FTP_DATA)]
    high = [65535, *draw.sample(range(1024, 65535), 255)]
    draw.shuffle(low)
    for turn, frontend in enumerate(frontends):
        own = np.array([*low[turn :: len(frontends)], *high[turn :: len(frontends)]])
        expect(client.connect_many(*frontend, len(own), source_ports=own)).delivered(to=web)
