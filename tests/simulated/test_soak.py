"""Lives of a proxy on a node in memory."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import pytest

from conformance.census.sequences.drawing import Size
from conformance.census.sequences.session import Session
from conformance.census.soak import lives
from conformance.census.soak.lives import Lives
from fixtures.world.world import World
from tests.simulated.playing import player


def test_lives_end_with_a_restart_and_are_looked_at_in_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, starts = player(3), list[str]()
    proxy, size = made.world.node.proxy, Size(length=20)
    restart = proxy.restart

    def counted(config: Mapping[str, object] | None = None) -> None:
        starts.append("start")
        restart(config)

    def looked_at(world: World) -> Mapping[str, float]:
        there = world.cluster.api.list_all("services")
        return {"Services": float(sum("sequence" in each["metadata"]["name"] for each in there))}

    clock = itertools.count()
    monkeypatch.setattr(lives, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(proxy, "restart", counted)
    monkeypatch.setattr(lives, "looked_at", looked_at)
    found = Lives(made.world, made, size, 3)
    for number in range(1, 3):
        session = Session(made, lambda _: False, number, slots=size.slots, processes=True)
        found.live(session, 2.0)
        assert len(starts) == number
        assert session.hold("new", "").passed
        assert not session.wrong
    samples = found.samples["Services"]
    assert {each.life for each in samples} == {1, 2}
    assert {each.value for each in samples} == {0}
    first = [each.operations for each in samples if each.life == 1]
    assert first == sorted(set(first))
