"""Flows of processes on a node: what is said of each message is what became of it."""

from __future__ import annotations

import contextlib
import socket
import time
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

import pytest

from fixtures.clients.node_client import NodeClient
from fixtures.clients.node_flows import NodeFlows
from fixtures.judge.expect import expect
from fixtures.lab.frames import PAYLOAD, Kind, Packets, parse
from fixtures.lab.hosts import Hosts
from fixtures.lab.lab import Segment
from migrate.kept import Kept
from specification.attempts import SocketAddress
from specification.outcomes import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clusters.wires import Frames
    from fixtures.lab.lab import Lab
    from specification.addresses import Family, IPAddress
    from specification.services import Protocol

_COUNT: Final = 3
_PATIENCE: Final = 10.0


@contextlib.contextmanager
def ruled(lab: Lab, rule: str, kind: str = "filter", priority: int = -150) -> Iterator[None]:
    """While the block runs, a rule is in force for what the node sends."""
    table = f"""
    table inet flows-{kind} {{
        chain output {{
            type {kind} hook output priority {priority};
            {rule}
        }}
    }}
    """
    lab.node.run(["nft", "-f", "-"], input=table)
    try:
        yield
    finally:
        lab.node.run(["nft", "delete", "table", "inet", f"flows-{kind}"])


@pytest.fixture(params=["IPv4", "IPv6"])
def family(request: pytest.FixtureRequest) -> Family:
    """Each family in turn."""
    chosen: Family = request.param
    return chosen


@pytest.fixture(params=["TCP", "UDP"])
def protocol(request: pytest.FixtureRequest) -> Protocol:
    """Each protocol in turn."""
    chosen: Protocol = request.param
    return chosen


@pytest.fixture
def hosts(family: Family) -> list[IPAddress]:
    """Hosts elsewhere."""
    return [host.address(family) for host in Hosts()("remote-pod", count=_COUNT)]


@pytest.fixture
def targets(lab: Lab, family: Family, hosts: list[IPAddress]) -> Iterator[list[SocketAddress]]:
    """Addresses that the node translates to the hosts'."""
    found = [SocketAddress(host + 0x10000, 80) for host in hosts]
    word = {"IPv4": "ip", "IPv6": "ip6"}[family]
    pairs = ", ".join(f"{one.address} : {host}" for one, host in zip(found, hosts, strict=True))
    rule = f"meta l4proto {{ tcp, udp }} dnat {word} to {word} daddr map {{ {pairs} }}"
    with ruled(lab, f"{rule}:8080", "nat", -100):
        yield found


@pytest.fixture
def client(lab: Lab, family: Family, protocol: Protocol) -> Iterator[NodeClient]:
    """A process on the node."""
    with NodeClient(lab, lab.node, family, protocol) as process:
        yield process


@pytest.fixture
def flows(client: NodeClient, targets: list[SocketAddress]) -> Iterator[NodeFlows]:
    """Its flows, one to each host."""
    with NodeFlows(client, targets) as flows:
        yield flows


def test_who_is_told_where_it_connects_is_refused(
    lab: Lab, client: NodeClient, family: Family
) -> None:
    """As by a program that translates there and knows of nobody: no packet tells."""
    nowhere = ip_address({"IPv4": "100.91.0.1", "IPv6": "2001:db8:91::1"}[family])
    lab.node.run(["ip", "route", "add", "unreachable", str(nowhere)])
    try:
        probe = client.connect(nowhere, 80)
    finally:
        lab.node.run(["ip", "route", "delete", "unreachable", str(nowhere)])
    assert probe.outcome == Rejected("at connect", nowhere)
    expect(probe).refused()
    with pytest.raises(AssertionError, match="refused with ICMP port unreachable"):
        expect(probe).refused(icmp=True)


def test_flows_stay_where_they_are(flows: NodeFlows, hosts: list[IPAddress]) -> None:
    ports = flows.opened.client_ports
    for sample in (flows.opened, flows.exchange(), flows.exchange()):
        assert sample.is_served.all()
        assert sample.chosen == [SocketAddress(host, 8080) for host in hosts]
        assert (sample.client_ports == ports).all()
        assert (sample.source_ports == ports).all()


def test_what_is_dropped_reaches_nobody_and_goes_on_afterwards(
    lab: Lab, flows: NodeFlows, protocol: Protocol
) -> None:
    kept = Kept(flows, "node", ["cluster IP"] * _COUNT)
    kept.exchange()
    with ruled(lab, f"meta l4proto {protocol.lower()} drop"):
        kept.exchange()
        assert not flows.exchange().is_delivered.any()
        kept.exchange()
        (seen,) = kept.seen()
        assert (seen.silent, seen.kept) == (_COUNT, 0)
        assert (kept.patience > 0) == (protocol == "TCP")
    deadline = time.monotonic() + _PATIENCE
    kept.exchange()
    while kept.patience and time.monotonic() < deadline:
        time.sleep(0.02)
        kept.exchange()
    (seen,) = kept.seen()
    assert (seen.kept, seen.stalled, seen.reset, seen.moved) == (_COUNT, _COUNT, 0, 0)
    assert seen.stall
    assert 0 < seen.stall.low <= seen.stall.high


def test_no_port_comes_again_soon(client: NodeClient, targets: list[SocketAddress]) -> None:
    """What conntrack remembers of one connection decides about another from the same port."""
    many = client.connect_to_each(targets * 100)
    single = client.connect_many(targets[0].address, targets[0].port, 50)
    ports = [*many.client_ports.tolist(), *single.client_ports.tolist()]
    assert len({*ports}) == len(ports)
    assert many.is_served.all()


@pytest.mark.parametrize("protocol", ["TCP"], indirect=True)
def test_a_port_of_somebody_else_is_passed_over(
    lab: Lab, client: NodeClient, targets: list[SocketAddress]
) -> None:
    family = socket.AF_INET if client.family == "IPv4" else socket.AF_INET6
    with lab.node.system.socket(family, socket.SOCK_STREAM) as other:
        taken = int(lab.process_ports(1)[0]) + 1
        other.bind((str(client.address), taken))
        assert client.connect_to_each(targets).client_ports.tolist() == [
            taken + 1 + number for number in range(_COUNT)
        ]
    with lab.node.system.socket(family, socket.SOCK_STREAM) as other:
        taken = int(lab.process_ports(1)[0]) + 1
        other.bind((str(client.address), taken))
        probe = client.connect(targets[0].address, targets[0].port)
        assert probe.client.port == taken + 1
        assert probe.answered


@pytest.mark.parametrize("protocol", ["TCP"], indirect=True)
def test_who_resets_is_told_so(
    lab: Lab, client: NodeClient, targets: list[SocketAddress], hosts: list[IPAddress]
) -> None:
    lab.closed.update(hosts[:1])
    try:
        sample = client.connect_to_each(targets)
    finally:
        lab.closed.clear()
    assert sample.is_replied(Kind.RESET).tolist() == [True, False, False]
    assert sample.is_served.tolist() == [False, True, True]


@pytest.mark.parametrize("protocol", ["TCP"], indirect=True)
def test_a_reset_between_two_messages_is_told_and_lasts(lab: Lab, flows: NodeFlows) -> None:
    kept, last = Kept(flows, "node", ["cluster IP"] * _COUNT), list[Packets]()

    def note(_: str, frames: Frames) -> int:
        last.extend(each for each in parse(frames) if (each.kind == Kind.DATA).any())
        return 0

    lab.listeners.append(note)
    kept.exchange()
    lab.listeners.remove(note)
    each = last[-1]
    ends = each.destination, each.source, each.source_port, each.destination_port
    reset = lab.attempts(flows.opened.family, "TCP", *ends)
    numbers = each.acknowledgement + PAYLOAD, each.sequence + each.size
    lab.send_unanswered(reset, "external", Segment(Kind.RESET, *numbers))
    for _ in range(2):
        kept.exchange()
        (seen,) = kept.seen()
        assert (seen.reset, seen.silent, seen.kept) == (len(each), 0, _COUNT - len(each))
        assert kept.patience == 0


def test_errors_are_no_resets(
    lab: Lab, client: NodeClient, targets: list[SocketAddress], family: Family
) -> None:
    word = {"IPv4": "icmp", "IPv6": "icmpv6"}[family]
    with ruled(lab, f"meta l4proto {{tcp, udp}} reject with {word} port-unreachable"):
        sample = client.connect_to_each(targets)
    assert (sample.reply_kind == Kind.UNREACHABLE).all()
    assert not sample.is_delivered.any()


def test_of_whom_nobody_answers_is_not_served(
    lab: Lab, client: NodeClient, targets: list[SocketAddress], hosts: list[IPAddress]
) -> None:
    lab.silent.add(hosts[0])
    try:
        sample = client.connect_to_each(targets)
    finally:
        lab.silent.clear()
    assert sample.is_served.tolist() == [False, True, True]
    assert client.connect_to_each(targets).is_served.all()
