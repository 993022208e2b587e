"""The lab's accounting: late and lost frames, what belongs to nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from clusters.simulated.kernel import Drop, Pass, Refuse
from clusters.wires import Frames
from fixtures.lab import history
from fixtures.lab import lab as engine
from fixtures.lab.frames import MAGIC, Kind, parse
from specification.addresses import FAMILIES
from specification.attempts import SocketAddress
from specification.errors import WireError
from specification.outcomes import AnsweredUnseen, Dropped, PassedThrough, Reply
from tests.engine.tools import (
    ANSWER,
    PORT,
    VIPS,
    Rules,
    Table,
    client,
    delivery,
    frames,
    host,
    is_fence,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from clusters.simulated.node import SimulatedNode
    from fixtures.lab.lab import Lab
    from specification.addresses import Family
    from specification.places import Place
    from specification.services import Protocol


# --- who answers whom, by which way ---------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["TCP", "UDP", "SCTP"])
@pytest.mark.parametrize("masquerade", [False, True])
@pytest.mark.parametrize("endpoint", ["pod", "remote-pod", "outside"])
@pytest.mark.parametrize("place", ["pod", "remote-pod", "outside"])
def test_answers_come_by_the_node_only_where_a_network_leads_them_there(
    lab: Lab,
    rules: Rules,
    family: Family,
    protocol: Protocol,
    place: Place,
    endpoint: Place,
    masquerade: bool,
) -> None:
    rules.always(delivery(endpoint, 256, family, masquerade=masquerade))
    here, frontend = client(lab, place, family, protocol), SocketAddress(VIPS[family], PORT)
    sample = here.connect_many(*frontend, 4)
    past = "pod" not in (place, endpoint) and not masquerade
    reply = Reply("answer", host(endpoint, 256, family) if past else frontend, past_node=past)
    assert {(probe.reply, probe.answered) for probe in sample} == {(reply, not past)}
    assert sample.words == {"answered past the node" if past else "answered": 4}


@pytest.mark.parametrize("place", ["pod", "remote-pod", "outside"])
def test_what_passes_through_is_answered_whichever_way(
    lab: Lab, family: Family, place: Place
) -> None:
    target = host("remote-pod", 256, family)
    probe = client(lab, place, family).connect(*target)
    assert isinstance(probe.outcome, PassedThrough)
    assert probe.reply == Reply("answer", target, past_node=place != "pod")
    assert probe.answered


@pytest.mark.parametrize("protocol", ["TCP", "UDP", "SCTP"])
def test_an_answer_of_the_nodes_own_is_no_silence(
    lab: Lab, rules: Rules, family: Family, protocol: Protocol
) -> None:
    rules.always(ANSWER)
    probe = client(lab, "pod", family, protocol).connect(VIPS[family], PORT)
    assert probe.outcome == AnsweredUnseen(Reply("answer", SocketAddress(VIPS[family], PORT)))
    assert probe.answered
    assert not probe.unserved


@pytest.mark.parametrize(
    ("told", "meant"), [(MAGIC + b"\1", b"anything"), (MAGIC + b"\1", MAGIC + b"\0")]
)
def test_strangers_answer_as_they_please(
    lab: Lab, node: SimulatedNode, rules: Rules, family: Family, told: bytes, meant: bytes
) -> None:
    """A datagram is an answer whatever it carries, the client's own included."""
    rules.always(ANSWER)
    node.leaving = lambda _wire, frame: [frame.replace(told, meant[: len(told)])]
    sample = client(lab, "pod", family, "UDP").connect_many(VIPS[family], PORT, 4)
    assert sample.words == {"answered by somebody unseen": 4}
    assert sample.is_answered.all()


@pytest.mark.parametrize("protocol", ["TCP", "UDP", "SCTP"])
@pytest.mark.parametrize("told", [MAGIC + b"\1", b"anything"])
def test_a_late_answer_of_a_stranger_is_no_silence(
    lab: Lab, node: SimulatedNode, rules: Rules, family: Family, protocol: Protocol, told: bytes
) -> None:
    """A process on the node may be slower than the node's fence."""
    held: list[bytes] = []

    def hold(wire: str, frame: bytes) -> list[bytes]:
        if wire == "external" or is_fence(frame):
            return [frame]
        held.append(frame.replace(MAGIC + b"\1", told[:4]))
        return []

    rules.always(ANSWER)
    node.leaving = hold
    sample = client(lab, "pod", family, protocol).connect_many(VIPS[family], PORT, 2)
    assert sample.words == {"dropped": 2}
    lab.settle()
    node.wires["pod"].queue.append(held[1])
    with pytest.raises(WireError, match="somebody answers, slower than"):
        lab.settle()


# --- losses ---------------------------------------------------------------------------------------


def losing(node: SimulatedNode, wire: str, number: int) -> Callable[[str, bytes], Iterable[bytes]]:
    """A link that loses the packet of that number, fences not counted."""
    passed = 0

    def leave(name: str, frame: bytes) -> list[bytes]:
        nonlocal passed
        if name == wire and not is_fence(frame):
            passed += 1
            if passed == number:
                node.lost += 1
                return []
        return [frame]

    return leave


@pytest.mark.parametrize("wire", ["pod", "external"])
def test_a_lost_frame_is_no_verdict(
    lab: Lab, node: SimulatedNode, rules: Rules, family: Family, wire: str
) -> None:
    """Neither the request nor the answer that the machine loses may pass for the node's doing."""
    rules.always(delivery("remote-pod", 256, family))
    node.leaving = losing(node, wire, 3)
    with pytest.raises(WireError, match="dropped 1 frames"):
        client(lab, "pod", family).connect_many(VIPS[family], PORT, 8)


def test_what_the_node_drops_is_no_loss(lab: Lab, rules: Rules, family: Family) -> None:
    rules.always(Drop())
    assert client(lab, "pod", family).connect(VIPS[family], PORT).outcome == Dropped()


def test_unasked_packets_may_be_lost_too(lab: Lab, node: SimulatedNode, rules: Rules) -> None:
    """Acknowledgements, and what others send, are accounted for by losses alone."""
    rules.always(delivery("remote-pod", 256, "IPv4"))
    node.leaving = losing(node, "external", 2)
    with pytest.raises(WireError):
        client(lab, "pod", "IPv4").open(VIPS["IPv4"], PORT)


# --- who a packet belongs to ----------------------------------------------------------------------


def test_strangers_are_noted_when_they_are_watched(lab: Lab, family: Family) -> None:
    """Packets of no batch, with their wire: those that reach hosts, and those that come back."""
    here, there = client(lab, "pod", family, "UDP"), host("outside", 7, family, 53)
    packets = Table(family, seed=1, count=2)
    packets.sources, packets.destinations = [here.address], [there.address]
    packets.destination_ports = [there.port]
    frame = packets.build("UDP", Kind.REQUEST, reply=False)[0]
    lab.send_raw("pod", frame)
    lab.settle()
    with lab.watching() as strangers:
        lab.send_raw("pod", frame)
        lab.settle()
        here.connect(*there)
    (out, asked), (back, answered) = strangers
    assert (out, asked.kind.tolist(), asked.destination_port.tolist()) == ("external", [0], [53])
    assert (back, answered.kind.tolist(), answered.source_port.tolist()) == ("pod", [1], [53])
    lab.send_raw("pod", frame)
    lab.settle()
    assert len(strangers) == 2


def test_a_batch_takes_only_what_is_its_own(lab: Lab, family: Family) -> None:
    """Not a packet of another protocol or family, nor an id before its first or after its last."""
    sample = client(lab, "pod", family, "UDP").connect_many(VIPS[family], PORT, 4)
    first, other = int(sample.ids[0]), FAMILIES[family == "IPv4"]
    cases: list[tuple[Protocol, Family, list[int], list[int]]] = [
        ("UDP", family, [first, first + 3], [0, 3]),
        ("UDP", family, [first - 1, first + 4], [-1, -1]),
        ("TCP", family, [first, first + 1], [-1, -1]),
        ("UDP", other, [first, first + 1], [-1, -1]),
    ]
    for protocol, of, ids, rows in cases:
        table = Table(of, seed=1, count=2)
        table.ids = ids
        (packets,) = parse(frames(*table.build(protocol, Kind.REQUEST, reply=False)))
        assert sample.rows_of(packets).tolist() == rows
        packets.id = np.full(2, -1)
        assert sample.rows_of(packets).tolist() == [-1, -1]


# --- what else it offers --------------------------------------------------------------------------


def test_knocking_tells_when_a_target_port_is_reached(
    lab: Lab, rules: Rules, family: Family
) -> None:
    there = delivery("remote-pod", 256, family)
    here = client(lab, "pod", family).address
    steps = lab.knocking(family, here, VIPS[family], PORT, 8080)
    seen = []
    for decision in (Drop(), Pass(), Refuse(), there, Drop()):
        rules.always(decision)
        seen.append(next(steps))
    assert seen == [False, False, False, True, True]  # once there, it was there
    other = lab.knocking(family, here, VIPS[family], PORT, 8081)
    rules.always(there)
    assert [next(other) for _ in range(40)] == [False] * 40
    steps.close()
    other.close()
    assert lab._open == []


def test_ids_and_ports_are_fresh(lab: Lab) -> None:
    ids = [*lab.ids(3), *lab.ids(5)]
    assert ids == list(range(ids[0], ids[0] + 8))
    lab._next_id = engine._HIGHEST_ID - 2
    (low, high) = lab.ids(2)
    assert (low, high) == (engine._HIGHEST_ID - 2, engine._HIGHEST_ID - 1)
    assert lab.ids(1)[0] < engine._HIGHEST_ID
    ports = np.concatenate([lab.ports(30_000), lab.ports(14_000)])
    assert sorted(ports) == list(range(20_000, 64_000))
    assert lab.ports(1)[0] == ports[0]


def test_history_is_in_order_and_has_an_end(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "ROOM", 50)
    client(lab, "pod", "IPv4").connect_many(VIPS["IPv4"], PORT, 30)
    client(lab, "outside", "IPv4").connect(VIPS["IPv4"], PORT)
    kept = sum(len(seen.frames) for seen in lab.history)
    assert kept <= 50
    times = [int(seen.frames.time[0]) for seen in lab.history]
    assert times == sorted(times)
    lab.history.clear()
    assert list(lab.history) == []


def test_listeners_see_every_frame_and_keep_the_lab_waiting(lab: Lab) -> None:
    """What a listener has dealt with counts as news: another round follows."""
    seen: list[tuple[str, int]] = []

    def listen(wire: str, frames: Frames) -> int:
        seen.append((wire, len(frames)))
        return int(len(seen) < 5)

    lab.listeners.append(listen)
    lab.settle()
    assert seen == [("pod", 1), ("external", 1)] * 4
