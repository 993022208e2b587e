"""Many datagram sockets at once, on this machine's loopback."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from clusters import netns
from clusters.sockets import Datagrams, Streams, bind_to_free

HERE = "127.0.0.1"


def test_each_has_a_port_of_its_own() -> None:
    """Linux gives a free port to several datagram sockets at a time that may share it."""
    sockets = Datagrams(socket.AF_INET, HERE, (0,) * 900)
    assert len(set(sockets.ports())) == 900
    sockets.close()


def test_what_has_come_is_told_apart() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((HERE, 0))
        sockets = Datagrams(socket.AF_INET, HERE, (0, 0, 0))
        nobody = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        nobody.bind((HERE, 0))
        closed = nobody.getsockname()
        nobody.close()
        sockets.send((server.getsockname(), server.getsockname(), closed), (b"one", b"two", b"3"))
        for _ in range(2):
            data, sender = server.recvfrom(16)
            if data == b"one":
                server.sendto(b"answer", sender)
        first, second, third = sockets.received()
        assert (first, second) == (("answer", ()), ("", ()))
        assert third[0] == "refused"
        (error,) = third[1]
        assert struct.unpack_from("IBBB", error)[1:] == (2, 3, 3)  # ICMP, port unreachable
        assert ip_address(error[20:24]) == ip_address(HERE)
        server.sendto(b"late", (HERE, sockets.ports()[1]))
        assert sockets.received()[1] == ("answer", ())
        sockets.close()


def test_a_port_may_be_asked_for_again_at_once() -> None:
    ports = Datagrams(socket.AF_INET, HERE, (0,))
    (port,) = ports.ports()
    for _ in range(2):
        again = Datagrams(socket.AF_INET, HERE, (0,))
        again.close()
    ports.close()
    same = Datagrams(socket.AF_INET, HERE, (port,))
    assert same.ports() == (port,)
    same.close()


def test_a_port_that_somebody_has_is_passed_over() -> None:
    with socket.socket() as other, socket.socket() as free, socket.socket() as end:
        other.bind((HERE, 0))
        taken = other.getsockname()[1]
        free.bind((HERE, 0))
        wanted = free.getsockname()[1]
        free.close()
        assert bind_to_free(end, HERE, iter([taken, taken, wanted])) == wanted
        with socket.socket() as late, pytest.raises(OSError, match="none of the ports is free"):
            bind_to_free(late, HERE, [taken, wanted])


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address to which connect(2) says at once that nobody can be reached there."""
    address = "100.91.0.1"
    netns.configure(None, [f"route add unreachable {address}"])
    yield address
    netns.configure(None, [f"route delete unreachable {address}"])


def test_who_is_turned_away_at_once_is_refused(nowhere: str) -> None:
    datagrams = Datagrams(socket.AF_INET, HERE, (0, 0))
    streams = Streams(socket.AF_INET, HERE, ((nowhere, 9),), tuple(range(40_000, 40_100)))
    try:
        datagrams.send(((nowhere, 9), (HERE, 9)), (b"?", b"?"))
        time.sleep(0.05)
        assert [what for what, _ in datagrams.received()] == ["refused", "refused"]
        assert [what for what, _ in streams.received()] == ["refused"]
    finally:
        datagrams.close()
        streams.close()
