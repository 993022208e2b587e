"""The timeout of session affinity, on both sides of its edge: see conformance.affinity.timeline."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from conformance.affinity.pool import CLIENTS
from conformance.affinity.timeline import DEFAULT_TIMEOUT, TIMEOUT, Group, Records, Timeline
from conformance.vocabulary import (
    Family,
    Protocol,
    Service,
    World,
    api,
    arranged,
    e2e,
    issue,
    over,
    requirement,
)


@pytest.fixture(scope="module")
def timeline(shared_world: World, names: Callable[[], str]) -> Timeline:
    """The records of what clients met when they came again before and after the timeout."""
    return Timeline(shared_world, names)


@pytest.fixture
def record_of(timeline: Timeline, family: Family, protocol: Protocol) -> Records:
    """What became of a group of clients, in the test's family and protocol."""
    return partial(timeline, family=family, protocol=protocol)


@requirement("aff-timeout-min-hold", e2e("service", "session affinity timeout work ..."))
def test_affinity_holds_within_the_timeout(record_of: Records) -> None:
    """A client that comes again before timeoutSeconds are over must be given the same endpoint."""
    record = record_of("regular")
    record.require_within(TIMEOUT, 0, 1)
    assert not record.moved(0, 1), f"{record.moved(0, 1)} of {CLIENTS} clients moved too early"


@requirement("aff-timeout-expire", e2e("service", "session affinity timeout work ..."))
def test_affinity_ends_after_the_timeout(record_of: Records) -> None:
    """A client that comes again when timeoutSeconds are over must not be bound to the endpoint that
    it had, be it a pod at the cluster IP or somebody outside at the nodePort.
    """
    groups: tuple[Group, ...] = ("idle", "strangers")
    for group in groups:
        record = record_of(group)
        record.require_beyond(TIMEOUT, 0, -1)
        assert record.moved(0, -1), f"none of {CLIENTS} {group} has moved after the timeout"


@requirement("aff-refresh-new-conn", issue(110302))
def test_new_connections_prolong_affinity(record_of: Records) -> None:
    """Each new connection must start the timeout anew: a client that keeps coming before it is over
    keeps its endpoint for longer than timeoutSeconds.
    """
    record = record_of("regular")
    record.require_within(TIMEOUT, 0, 1)
    record.require_within(TIMEOUT, 1, 2)
    record.require_beyond(TIMEOUT, 0, 2)
    assert not record.moved(0, 2), f"{record.moved(0, 2)} of {CLIENTS} clients moved too early"


@requirement("aff-default-timeout", api("Service", "spec.sessionAffinityConfig"))
@over(protocol="TCP")
@arranged(session_affinity="ClientIP")
def test_default_timeout_is_three_hours(record_of: Records, web: Service) -> None:
    """Session affinity without timeoutSeconds must last for the 10800 seconds that the API server
    fills in: for longer than shorter ones that are told.
    """
    config = web.object["spec"]["sessionAffinityConfig"]
    assert config == {"clientIP": {"timeoutSeconds": DEFAULT_TIMEOUT}}
    record = record_of("default")
    record.require_beyond(TIMEOUT, 0, -1)
    assert not record.moved(0, -1), f"{record.moved(0, -1)} of {CLIENTS} clients moved too early"


@requirement(
    "aff-timeout-change",
    api("Service", "spec.sessionAffinityConfig"),
    feature="affinity-timeout-change",
)
def test_changed_timeout_takes_effect(record_of: Records) -> None:
    """A change of timeoutSeconds must take effect for connections that are made after it, also of
    clients that had an endpoint before.
    """
    shortened = record_of("shortened")
    shortened.require_beyond(TIMEOUT, 1, -1)
    assert shortened.moved(1, -1), f"none of {CLIENTS} clients has moved after the new timeout"
    lengthened = record_of("lengthened")
    lengthened.require_beyond(TIMEOUT, 1, -1)
    moved = lengthened.moved(1, -1)
    assert not moved, f"{moved} of {CLIENTS} clients have moved before the new timeout"
