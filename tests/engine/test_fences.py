"""Fences: what was sent before one has been handled, and what came back is out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from scapy.layers.inet import IP, UDP
from scapy.packet import Raw

from clusters.simulated.kernel import Drop, Refuse
from fixtures.lab import lab as engine
from specification.addresses import node_address
from specification.errors import NodeError, WireError
from specification.outcomes import Dropped
from tests.engine.tools import (
    ETHERNET,
    PORT,
    VIPS,
    Rules,
    client,
    delivery,
    is_fence,
)

if TYPE_CHECKING:
    from clusters.simulated.node import SimulatedNode
    from fixtures.lab.lab import Lab
    from specification.addresses import Family


def fences(lab: Lab, wire: str) -> list[int]:
    """The numbers of the fences that have come in on a wire."""
    seen = [seen for seen in lab.history if seen.wire == wire and not seen.sent]
    found = (each.frames[row] for each in seen for row in range(len(each.frames)))
    return [int.from_bytes(frame[-4:]) for frame in found if is_fence(frame)]


@pytest.mark.parametrize(("count", "pieces"), [(1, 1), (512, 1), (513, 2), (1500, 3)])
def test_each_piece_has_a_fence(
    lab: Lab, node: SimulatedNode, rules: Rules, count: int, pieces: int
) -> None:
    """So many fences on the way out, and then a round that brings nothing new."""
    node.system.keeps_order = True
    rules.always(Drop())
    sample = client(lab, "pod", "IPv4").connect_many(VIPS["IPv4"], PORT, count)
    assert sample.words == {"dropped": count}
    assert fences(lab, "external") == list(range(1, pieces + 2))
    assert fences(lab, "pod") == [pieces + 1]


@pytest.mark.parametrize(("count", "pieces"), [(1, 1), (128, 1), (129, 2), (300, 3)])
def test_each_piece_has_a_fence_each_way(lab: Lab, rules: Rules, count: int, pieces: int) -> None:
    """One after the other, where links keep no common order, but for the last, which whole rounds
    follow until two bring nothing new.
    """
    rules.always(Drop())
    sample = client(lab, "pod", "IPv4").connect_many(VIPS["IPv4"], PORT, count)
    assert sample.words == {"dropped": count}
    rounds = [2 * pieces, 2 * pieces + 1]
    assert fences(lab, "external") == [*range(1, 2 * pieces, 2), *rounds]
    assert fences(lab, "pod") == [*range(2, 2 * pieces, 2), *rounds]


def test_what_waits_for_the_fence_is_seen(
    lab: Lab, node: SimulatedNode, rules: Rules, family: Family
) -> None:
    """A node may keep everything back until a fence pushes it out, round after round: here the
    request to a pod beside the client in the first, its answer in the second.
    """
    kept: list[bytes] = []

    def late(wire: str, frame: bytes) -> list[bytes]:
        if wire != "pod":
            return [frame]
        kept.append(frame)
        if not is_fence(frame):
            return []
        pushed = kept.copy()
        kept.clear()
        return pushed

    node.leaving = late
    rules.always(delivery("pod", 256, family))
    sample = client(lab, "pod", family).connect_many(VIPS[family], PORT, 5)
    assert sample.words == {"answered": 5}
    assert len(fences(lab, "pod")) == 4


def test_one_quiet_round_is_enough_where_links_keep_one_order(
    lab: Lab, node: SimulatedNode
) -> None:
    node.system.keeps_order = True
    lab.settle()
    assert len(fences(lab, "external")) == 1


def test_what_is_handled_but_has_not_come_out_is_seen(
    lab: Lab, node: SimulatedNode, rules: Rules, family: Family
) -> None:
    """A machine's cards hand on what they have in no common order: here the external one keeps the
    answer while a round of fences passes.
    """
    kept: list[bytes] = []
    rounds: list[bytes] = []

    def late(wire: str, frame: bytes) -> list[bytes]:
        if wire != "external":
            return [frame]
        if not is_fence(frame):
            kept.append(frame)
            return []
        rounds.extend([frame] if kept else [])
        return [*kept, frame] if len(rounds) == 2 else [frame]

    node.leaving = late
    rules.always(delivery("pod", 256, family))
    probe = client(lab, "outside", family).connect(VIPS[family], PORT)
    assert probe.answered, probe


def test_no_more_refusals_wait_to_leave_than_a_kernel_keeps(
    lab: Lab, node: SimulatedNode, rules: Rules, family: Family
) -> None:
    """A card may keep all that leaves by it until a fence pushes it out, and a kernel discards what
    its socket has no room for.
    """
    waiting, count = list[bytes](), 3 * engine._FEW + 1

    def late(wire: str, frame: bytes) -> list[bytes]:
        if wire != "external":
            return [frame]
        if not is_fence(frame):
            waiting.extend([frame] if len(waiting) < engine._FEW else [])
            return []
        pushed = waiting.copy()
        waiting.clear()
        return [*pushed, frame]

    node.leaving = late
    rules.always(Refuse())
    sample = client(lab, "outside", family).connect_many(VIPS[family], PORT, count)
    assert sample.words == {"refused": count}


def test_a_fence_of_another_time_counts_for_nothing(
    lab: Lab, node: SimulatedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_FENCE_TIMEOUT", 0.01)
    lab.settle()
    first, _ = (seen.frames[0] for seen in lab.history if seen.wire == "pod" and not seen.sent)
    node.leaving = lambda wire, frame: [first if wire == "pod" and is_fence(frame) else frame]
    with pytest.raises(WireError, match="has forwarded nothing for"):
        lab.settle()


def test_a_masqueraded_fence_counts(lab: Lab, node: SimulatedNode, rules: Rules) -> None:
    """A proxy that masquerades what it should not is no broken wire."""
    node.leaving = lambda _wire, frame: [frame[:26] + node_address(0, "IPv4").packed + frame[30:]]
    rules.always(Drop())
    assert client(lab, "pod", "IPv4").connect(VIPS["IPv4"], PORT).outcome == Dropped()


def test_a_node_that_forwards_nothing_cannot_be_judged(
    lab: Lab, node: SimulatedNode, rules: Rules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_FENCE_TIMEOUT", 0.01)
    node.leaving = lambda _wire, _frame: []
    rules.always(Refuse())
    with pytest.raises(WireError, match="simulated has forwarded nothing for"):
        client(lab, "pod", "IPv4").connect(VIPS["IPv4"], PORT)


def test_a_node_that_has_ended_is_asked_for_its_reason(
    lab: Lab, node: SimulatedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended() -> None:
        raise NodeError("it says: kernel panic")

    node.leaving = lambda _wire, _frame: []
    monkeypatch.setattr(node.system, "check", ended)
    with pytest.raises(NodeError, match="kernel panic"):
        client(lab, "pod", "IPv4").connect(VIPS["IPv4"], PORT)


def test_somebody_who_answers_without_end_is_told_of(
    lab: Lab, node: SimulatedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each fence brings another packet, and so another round."""
    monkeypatch.setattr(engine, "_FENCE_TIMEOUT", 0.05)
    more = bytes(ETHERNET / IP(dst="10.128.1.44") / UDP(dport=53) / Raw(b"more"))
    node.leaving = lambda wire, frame: [frame, more] if wire == "pod" else [frame]
    with pytest.raises(WireError, match="somebody answers without end"):
        client(lab, "pod", "IPv4").connect(VIPS["IPv4"], PORT)
