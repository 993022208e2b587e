"""Sequences of operations, played on a node in memory: a proxy that remembers what it should not,
or forgets what it should not, is noticed, and the sequence is shortened to what shows it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from clusters.simulated import substrate
from clusters.simulated.api import resource_of
from clusters.simulated.kernel import Deliver, Pass
from clusters.simulated.proxy import SpecifiedProxy
from conformance.census.sequences import carried, known
from conformance.census.sequences.drawing import Size, drawn
from conformance.census.sequences.operations import Change, Create, Restart, Step, Zone
from conformance.census.sequences.session import Session
from fixtures.judge.expect import UnexpectedOutcomeError
from fixtures.world import zone
from specification.attempts import Attempt
from specification.places import Place
from specification.rules.frontends import claims
from specification.services import Object, Protocol
from tests.simulated.playing import player

SIZE = Size()
EMPTIED = Change(1, {"endpoints": ""})

Learn = Callable[[Object, Object | None], Object | None]
"""What a proxy makes of what an object was and what it has become, ``None`` where it has gone."""


def _never_deleted(old: Object, new: Object | None) -> Object | None:
    return old if new is None else new


def _endpoints_frozen(old: Object, new: Object | None) -> Object | None:
    return old if new and "endpoints" in new else new


def _addresses_frozen(old: Object, new: Object | None) -> Object | None:
    ips = "externalIPs"
    return new and {**new, **_with_spec(new, {ips: old.get("spec", {}).get(ips, ())})}


def _labels_frozen(old: Object, new: Object | None) -> Object | None:
    labels = old["metadata"].get("labels", {})
    return new and {**new, "metadata": {**new["metadata"], "labels": labels}}


def _ports_kept(old: Object, new: Object | None) -> Object | None:
    if new is None or "spec" not in new:
        return new
    ports = {(each["protocol"], each["port"]): each for each in old["spec"]["ports"]}
    ports |= {(each["protocol"], each["port"]): each for each in new["spec"]["ports"]}
    return {**new, **_with_spec(new, {"ports": list(ports.values())})}


def _with_spec(new: Object, members: Object) -> Object:
    return {"spec": {**new["spec"], **members}} if "clusterIP" in new.get("spec", {}) else {}


REMEMBERING: dict[str, Learn] = {
    "objects are never deleted": _never_deleted,
    "endpoints are frozen": _endpoints_frozen,
    "external IPs are frozen": _addresses_frozen,
    "labels are frozen": _labels_frozen,
    "ports stay": _ports_kept,
}
FLOWS: dict[str, tuple[Protocol, bool]] = {
    "connections end with every change": ("TCP", False),
    "datagrams stay wherever they are": ("UDP", True),
    "datagrams go with every change": ("UDP", False),
}
"""Whether flows of a protocol go on."""


def played(operations: int, seed: int = 3) -> Session:
    """Sequences of so many operations on a node in memory."""
    session = Session(player(seed), lambda _: False, seed, slots=SIZE.slots, processes=True)
    session.run(drawn(seed, operations, SIZE))
    return session


def put(monkeypatch: pytest.MonkeyPatch, proxy: type[SpecifiedProxy]) -> None:
    """Have nodes in memory run another proxy."""
    monkeypatch.setattr(substrate, "SpecifiedProxy", proxy)


def shown(session: Session, kind: str) -> list[str]:
    """The operations that are said to show what is wrong."""
    with pytest.raises(UnexpectedOutcomeError) as caught:
        session.hold(kind, "./conform")
    lines = "\n".join(caught.value.__notes__).splitlines()
    assert lines[-1] == "Repeat it: ./conform"
    return [line for line in lines if re.match(r"\d+\. ", line)]


def test_a_proxy_that_follows_the_specification_is_right() -> None:
    session = played(200)
    held = {kind: session.hold(kind, "") for kind in session.tallies}
    assert session.operations == 200
    assert session.tallies["new"].decided > 1_000
    assert session.tallies["TCP"].decided > 100
    assert session.tallies["UDP"].decided > 100
    assert all(each.passed for each in held.values())
    assert sum(each.alpha or 0 for each in held.values()) < 1e-6


@pytest.mark.parametrize("fault", REMEMBERING)
def test_a_proxy_that_remembers_is_noticed(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Remembering(SpecifiedProxy):
        def learn(self, path: str, body: Object | None) -> None:
            old = self.known.get(path)
            if old and "canary-" not in path and resource_of(path) != "nodes":
                body = REMEMBERING[fault](old, body)
            super().learn(path, body)

    put(monkeypatch, Remembering)
    session = played(200)
    operations = shown(session, "new")
    assert len(operations) == 2, operations


@pytest.mark.parametrize("fault", FLOWS)
def test_a_proxy_that_loses_flows_is_noticed(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    protocol, kept = FLOWS[fault]

    class Losing(SpecifiedProxy):
        def _goes_on(self, attempt: Attempt, place: Place, begun: Deliver | Pass) -> bool:
            return kept if attempt.protocol == protocol else super()._goes_on(attempt, place, begun)

    put(monkeypatch, Losing)
    session = played(200, seed=5)
    operations = shown(session, protocol)
    assert 2 <= len(operations) <= 5, operations  # chance lets some go on, and not again


def test_a_proxy_may_end_what_was_there_when_a_frontend_goes_for_a_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """How much of what is written at once a proxy sees by itself is a matter of its haste."""

    class Hasty(SpecifiedProxy):
        def learn(self, path: str, body: Object | None) -> None:
            super().learn(path, body)
            self._renew()

        def _goes_on(self, attempt: Attempt, place: Place, begun: Deliver | Pass) -> bool:
            gone = (attempt.protocol, attempt.target) not in claims(self._state)
            return not gone and super()._goes_on(attempt, place, begun)

    put(monkeypatch, Hasty)
    session = played(400, seed=5)
    assert session.hold("TCP", "").passed
    assert session.hold("UDP", "").passed


def test_what_was_sent_before_its_frontend_was_there_may_stay_unserved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A kernel does not translate what it knows already, and nothing says that it has to forget."""

    class Persistent(SpecifiedProxy):
        def _goes_on(self, attempt: Attempt, place: Place, begun: Deliver | Pass) -> bool:
            known = isinstance(begun, Pass) and attempt.protocol == "UDP"
            return known or super()._goes_on(attempt, place, begun)

    put(monkeypatch, Persistent)
    session = played(400, seed=5)
    assert session.hold("UDP", "").passed


@pytest.mark.parametrize(
    ("step", "listed", "wrong"),
    [
        ((EMPTIED, Restart()), ["ct-restart-zero-eps"], False),
        ((EMPTIED,), ["ct-restart-zero-eps"], True),
        ((EMPTIED, Restart()), [], True),
    ],
    ids=["listed", "without-a-restart", "not-listed"],
)
def test_what_is_known_of_a_start_without_endpoints_is_told_of_a_start_alone(
    step: Step, listed: list[str], wrong: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unprompted(SpecifiedProxy):
        def _goes_on(self, attempt: Attempt, place: Place, begun: Deliver | Pass) -> bool:
            known = attempt.protocol == "UDP" and not any(
                part.endpoints
                for each in self._state.services
                for part in each.slices
                if any(port.protocol == "UDP" for port in each.ports_of(part))
            )
            return known or super()._goes_on(attempt, place, begun)

    put(monkeypatch, Unprompted)
    session = Session(player(1), known.told(listed), 1, slots=SIZE.slots, processes=True)
    kept, later = (
        Create(1, {"ports": "two and UDP"}),
        Change(1, {"internal_traffic_policy": "Local"}),
    )
    session.run([[(kept,), step, (later,)]])
    assert session.tallies["UDP"].decided or not wrong
    assert bool(session.tallies["UDP"].wrong) == wrong


def test_datagrams_that_were_silent_for_too_long_are_no_flows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A kernel may have forgotten them, however long a change took: nothing is said of them."""

    class Losing(SpecifiedProxy):
        def _goes_on(self, attempt: Attempt, place: Place, begun: Deliver | Pass) -> bool:
            return attempt.protocol == "TCP" and super()._goes_on(attempt, place, begun)

    put(monkeypatch, Losing)
    monkeypatch.setattr(carried, "UDP_TIMEOUT", 0.0)
    session = played(200)
    assert session.tallies["TCP"].decided > 20
    assert session.tallies["UDP"].decided == 0
    assert not session.tallies["UDP"].wrong


def test_a_start_is_told_of_another_zone_than_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is written already would be no change, and a proxy that has missed it would go on
    without.
    """
    made, moves = player(1), list[str]()
    made.begin(SIZE.slots)

    def moved(world: object, web: object, zone: str) -> bool:
        moves.append(zone)
        return True

    monkeypatch.setattr(zone, "move", moved)
    steps: dict[Step, list[str]] = {
        (Restart(),): ["zone-b", "zone-a"],
        (Restart(), Zone("zone-b")): ["zone-c", "zone-b"],
        (Zone("zone-a"), Restart()): ["zone-c", "zone-a"],
    }
    for step, told in steps.items():
        made.step(step)
        assert moves == told
        moves.clear()
