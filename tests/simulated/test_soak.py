"""Lives of a proxy on a node in memory."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import cast

import pytest

from conformance.census.sequences.drawing import Size
from conformance.census.sequences.operations import Create, Outage
from conformance.census.sequences.session import Session
from conformance.census.soak import lives
from conformance.census.soak.lives import Lives
from fixtures.world.relay import Relay
from fixtures.world.world import World
from tests.simulated.playing import player


class Asked(Counter[str]):
    """Whatever it is, it has been asked for."""

    def __missing__(self, key: str) -> int:
        return 1


class Absent:
    """Stands for a relay, and knows how often the API server was away."""

    def __init__(self) -> None:
        self.times = 0

    @contextlib.contextmanager
    def treating(self, how: str) -> Iterator[Counter[str]]:
        assert how == "refused"
        self.times += 1
        yield Asked()


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


def test_the_api_server_is_away_in_one_sequence_of_some(monkeypatch: pytest.MonkeyPatch) -> None:
    made, size = player(3), Size(length=20)
    monkeypatch.setattr(lives, "looked_at", lambda _: {})
    for relay in (Absent(), None):  # without one, an outage would be an error
        clock = itertools.count()
        monkeypatch.setattr(lives, "monotonic", lambda clock=clock: float(next(clock)))
        made.relay = cast("Relay", relay)
        session = Session(made, lambda _: False, 3, slots=size.slots, processes=True)
        Lives(made.world, made, size, 3).live(session, 2.0 * lives.OUTAGE)
        assert not session.wrong
        outages = session.outages
        assert outages == (relay.times if relay else 0)
        assert outages == bool(relay)  # one of four sequences, since the clock ticks twice in each
        assert ("1 of them outages" in session.hold("new", "").name) is bool(relay)


def test_an_outage_needs_a_relay() -> None:
    made = player(3)
    made.begin(4)
    with pytest.raises(LookupError, match="nothing stands on the proxy's way"):
        made.step((Outage(), Create(0, {})))
