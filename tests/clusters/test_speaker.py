"""Processes on a node, and what becomes of their connections where somebody there relays them."""

from __future__ import annotations

import contextlib
import socket
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import pytest

from fixtures.clients import speaker
from fixtures.clients.node_client import NodeClient
from fixtures.clients.speaker import Speaker
from fixtures.lab.hosts import Hosts
from specification.addresses import LOOPBACK, Family, IPAddress
from specification.attempts import SocketAddress
from specification.errors import WireError
from specification.outcomes import AnsweredUnseen, Dropped, PassedThrough, Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fixtures.lab.lab import Lab

    Serve = Callable[[socket.socket], object]

_DOMAINS: Final = {"IPv4": socket.AF_INET, "IPv6": socket.AF_INET6}
_PATIENCE: Final = 10.0
_MESSAGE: Final = 8  # bytes


@pytest.fixture(params=["IPv4", "IPv6"])
def family(request: pytest.FixtureRequest) -> Family:
    """Each family in turn."""
    chosen: Family = request.param
    return chosen


@pytest.fixture
def host(family: Family) -> IPAddress:
    """A host elsewhere."""
    return Hosts()("remote-pod")[0].address(family)


@pytest.fixture
def process(lab: Lab, family: Family) -> Iterator[Speaker]:
    """A process at the loopback address."""
    with Speaker(lab, lab.node, family, LOOPBACK[family]) as process:
        yield process


@contextlib.contextmanager
def listening(lab: Lab, family: Family, serve: Serve) -> Iterator[tuple[int, Future[None]]]:
    """Somebody on the node accepts one connection at the loopback address, and does with it what
    ``serve`` does: the port, and when it is done.
    """
    with (
        lab.node.system.socket(_DOMAINS[family], socket.SOCK_STREAM) as port,
        ThreadPoolExecutor(1) as pool,
    ):
        port.bind((str(LOOPBACK[family]), 0))
        port.listen()
        port.settimeout(_PATIENCE)

        def accept() -> None:
            end, _ = port.accept()
            with end:
                end.settimeout(_PATIENCE)
                serve(end)

        yield port.getsockname()[1], pool.submit(accept)


def relay(lab: Lab, family: Family, host: IPAddress) -> Serve:
    """What hands each message on to a host, and its answer back, until either end has gone."""

    def serve(end: socket.socket) -> None:
        with lab.node.system.socket(_DOMAINS[family], socket.SOCK_STREAM) as other:
            other.settimeout(_PATIENCE)
            other.connect((str(host), 8080))
            with contextlib.suppress(ConnectionResetError):
                while message := end.recv(_MESSAGE):
                    other.sendall(message)
                    end.sendall(other.recv(_MESSAGE))
                    asked.append(message)
            with pytest.raises(ConnectionResetError):
                other.recv(_MESSAGE)

    asked: list[bytes] = []
    return serve


def test_what_is_relayed_is_known_where_it_comes(
    lab: Lab, process: Speaker, family: Family, host: IPAddress
) -> None:
    with listening(lab, family, relay(lab, family, host)) as (port, done):
        probe = process.connect(process.address, port)
        done.result(_PATIENCE)
    assert probe.endpoint == SocketAddress(host, 8080)
    assert probe.answered
    assert probe.source is not None
    assert probe.source.address == lab.node.address(family)
    assert probe.source != probe.client


def test_a_connection_that_stays_says_more(
    lab: Lab, process: Speaker, family: Family, host: IPAddress
) -> None:
    with listening(lab, family, relay(lab, family, host)) as (port, done):
        with process.open(process.address, port) as say:
            first, second = say(), say()
        done.result(_PATIENCE)
    assert first == second
    assert first.endpoint == SocketAddress(host, 8080)


@pytest.mark.parametrize(
    "serve",
    [lambda _: None, lambda end: end.recv(_MESSAGE), lambda end: end.sendall(bytes(_MESSAGE))],
    ids=["ends", "ends when something is said", "answers something else"],
)
def test_who_relays_nothing_is_somebody_unseen(
    lab: Lab, process: Speaker, family: Family, serve: Serve
) -> None:
    with listening(lab, family, serve) as (port, _):
        assert isinstance(process.connect(process.address, port).outcome, AnsweredUnseen)


def test_who_hands_on_but_answers_nothing_is_told(
    lab: Lab, process: Speaker, family: Family, host: IPAddress
) -> None:
    def one_way(end: socket.socket) -> None:
        with lab.node.system.socket(_DOMAINS[family], socket.SOCK_STREAM) as other:
            other.connect((str(host), 8080))
            other.sendall(end.recv(_MESSAGE))
            other.recv(_MESSAGE)

    with listening(lab, family, one_way) as (port, _):
        probe = process.connect(process.address, port)
    assert probe.endpoint == SocketAddress(host, 8080)
    assert probe.reply is None


def test_who_neither_answers_nor_ends_cannot_be_judged(
    lab: Lab, process: Speaker, family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speaker, "_PATIENCE", 0.05)

    def wait(end: socket.socket) -> None:
        with contextlib.suppress(ConnectionResetError):
            while end.recv(_MESSAGE):
                pass

    with listening(lab, family, wait) as (port, _), pytest.raises(WireError, match="nor left"):
        process.connect(process.address, port)


def test_without_a_relay_it_is_a_client_like_any_other(
    lab: Lab, process: Speaker, family: Family, host: IPAddress
) -> None:
    refused = process.connect(process.address, 9)
    assert refused.outcome == Rejected("reset", process.address)
    with Speaker(lab, lab.node, family) as other:
        sample = other.connect_many(host, 8080, 3)
        assert {type(each.outcome) for each in sample} == {PassedThrough}
        assert sample.is_answered.all()
        lab.silent.add(host)
        assert other.connect(host, 8080).outcome == Dropped()


def test_associations_begin_at_a_process(lab: Lab, family: Family, host: IPAddress) -> None:
    with NodeClient(lab, lab.node, family, "SCTP") as process:
        sample = process.connect_many(host, 8080, 3)
        assert {type(each.outcome) for each in sample} == {PassedThrough}
        assert sample.is_answered.all()
        assert len(set(sample.client_ports)) == 3
        lab.silent.add(host)
        (silent,) = process.connect_many(host, 8080, 1)
    assert isinstance(silent.outcome, PassedThrough)
    assert silent.reply is None
