"""What kube-proxy counts of changes and syncs: each series is moved by what it tells of, and by
nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from conformance.kube_proxy.telemetry import story
from conformance.kube_proxy.telemetry.story import FAMILY, OTHER, Move, Story
from conformance.vocabulary import (
    FAMILIES,
    World,
    docs,
    in_iptables,
    in_nftables,
    kep,
    requirement,
    source,
)

_METRICS = source("pkg/proxy/metrics/metrics.go")
_SYNCS = "sync_proxy_rules_duration_seconds_count"
_FULL = "sync_full_proxy_rules_duration_seconds_count"
_PARTIAL = "sync_partial_proxy_rules_duration_seconds_count"
_LAST = "sync_proxy_rules_last_timestamp_seconds"
_QUEUED = "sync_proxy_rules_last_queued_timestamp_seconds"
_PROGRAMMED = "network_programming_duration_seconds"
_RESTORES = "sync_proxy_rules_iptables_restore_failures_total"
_PARTIAL_RESTORES = "sync_proxy_rules_iptables_partial_restore_failures_total"
_TRANSACTIONS = "sync_proxy_rules_nftables_sync_failures_total"
_CLEANUPS = "sync_proxy_rules_nftables_cleanup_failures_total"
_WRITTEN, _OWNED = "sync_proxy_rules_iptables_last", "sync_proxy_rules_iptables_total"


@pytest.fixture(scope="module")
def told(shared_world: World, names: Callable[[], str]) -> Story:
    """The story, played once for all tests."""
    return story.play(shared_world, shared_world.services(names, FAMILY, "TCP", (FAMILY,)))


def _assert_grown(told: Story, name: str, wanted: Callable[[Move], float]) -> None:
    """With each move a metric has grown, over all families, by what is wanted."""
    found = {what: move.grown(name) for what, move in told}
    assert found == {what: wanted(move) for what, move in told}


@requirement("met-sync-duration", _METRICS, feature="metrics-by-family")
def test_syncs_are_counted(told: Story) -> None:
    """sync_proxy_rules_duration_seconds must get one sample with each sync of a family, one that
    fails too, and none with those of the other.
    """
    found = {what: move.grown(_SYNCS, ip_family=FAMILY) for what, move in told}
    assert found == {what: move.syncs for what, move in told}
    assert told.whole.grown(_SYNCS, ip_family=OTHER) == 0


@requirement(
    "met-sync-noop",
    source("pkg/proxy/servicechangetracker.go", "Update"),
    source("cmd/kube-proxy/app/server.go", "noHeadlessEndpoints"),
    feature="kube-proxy-modes",
)
def test_nothing_is_synchronised_for_what_no_rule_depends_on(told: Story) -> None:
    """No sync must be queued or made for labels and annotations of a Service that say nothing of
    how it is served, or for a headless Service and its EndpointSlices.
    """
    move = told.moves["nothing relevant"]
    assert move.grown(_SYNCS) == 0
    assert move.grown(_QUEUED) == 0


@requirement("met-full-partial", kep(3453), _METRICS, feature="partial-syncs")
def test_full_and_partial_syncs_are_told_apart(told: Story) -> None:
    """The first sync after a start, and the first after one that has failed, must be samples of
    sync_full_proxy_rules_duration_seconds, and those for changes to a Service or its endpoints of
    sync_partial_proxy_rules_duration_seconds.
    """
    assert told.whole.before(_FULL) > 0
    mended = {what: float(what == "after failure") for what, _ in told}
    assert {what: move.grown(_FULL) for what, move in told} == mended
    partial = {what: move.syncs - mended[what] for what, move in told}
    assert {what: move.grown(_PARTIAL) for what, move in told} == partial


@requirement("met-last-timestamp", kep(3836), _METRICS, feature="metrics-by-family")
def test_time_of_the_last_sync_is_told(told: Story) -> None:
    """sync_proxy_rules_last_timestamp_seconds must move to the time of each sync of its family that
    succeeds, and must stay with all else, such as one that fails.
    """
    moved = {what: move.grown(_LAST, ip_family=FAMILY) > 0 for what, move in told}
    assert moved == {what: move.syncs > 0 and what != "failure" for what, move in told}
    assert told.whole.grown(_LAST, ip_family=OTHER) == 0
    began, ended = told.clock
    assert began <= told.moves["triggered"].after(_LAST, ip_family=FAMILY) < ended + 1
    assert began <= told.whole.after(_LAST, ip_family=FAMILY) < ended + 1


@requirement("met-queued-timestamp", kep(3836), _METRICS, feature="metrics-by-family")
def test_time_of_the_last_change_is_told(told: Story) -> None:
    """sync_proxy_rules_last_queued_timestamp_seconds must move to the time of each change of its
    family that is to be synchronised, and must stay with all else.
    """
    moved = {what: move.grown(_QUEUED, ip_family=FAMILY) > 0 for what, move in told}
    assert moved == {what: move.syncs > 0 for what, move in told}
    assert told.whole.grown(_QUEUED, ip_family=OTHER) == 0
    began, ended = told.clock
    assert began <= told.moves["triggered"].after(_QUEUED, ip_family=FAMILY) < ended + 1
    assert began <= told.whole.after(_QUEUED, ip_family=FAMILY) < ended + 1


@requirement("met-queued-gt-last", kep(3836), _METRICS, feature="metrics-by-family")
def test_stall_is_told(told: Story) -> None:
    """While changes wait for a sync that does not end, or after one that has failed,
    sync_proxy_rules_last_queued_timestamp_seconds must be later than
    sync_proxy_rules_last_timestamp_seconds, and must not be when all changes are in force.
    """
    scrapes = {what: move.after for what, move in told} | {"while stalled": told.stalled}
    late = {
        what: found(_QUEUED, ip_family=FAMILY) > found(_LAST, ip_family=FAMILY)
        for what, found in scrapes.items()
    }
    assert late == {what: what in ("while stalled", "failure") for what in scrapes}


@requirement(
    "met-net-prog",
    source("pkg/proxy/endpointschangetracker_test.go", "TestLastChangeTriggerTime"),
    feature="metrics-by-family",
)
def test_time_to_program_the_network_is_told(told: Story) -> None:
    """network_programming_duration_seconds must get one sample, of the family, with each change of
    an EndpointSlice whose annotation says that it was triggered after kube-proxy's start, and of
    the time from then until the sync.
    """
    move = told.moves["triggered"]
    grown = {
        what: move.grown(f"{_PROGRAMMED}_{what}", ip_family=FAMILY) for what in ("count", "sum")
    }
    least, most = told.delays
    assert grown["count"] == move.triggered
    assert least <= grown["sum"] <= most


@requirement(
    "met-net-prog-none",
    source("pkg/proxy/endpointschangetracker.go", "EndpointSliceUpdate"),
    feature="kube-proxy-modes",
)
def test_time_to_program_the_network_is_told_of_nothing_else(told: Story) -> None:
    """network_programming_duration_seconds must get no sample with a change that does not say when
    it was triggered, or that it was before kube-proxy's start, with an EndpointSlice's deletion,
    with changes to Services, and with a sync that fails.
    """
    found = {what: each.grown(f"{_PROGRAMMED}_count") for what, each in told}
    assert found == {what: each.triggered or 0 for what, each in told}


@requirement(
    "met-ep-changes",
    _METRICS,
    source("pkg/proxy/endpointschangetracker.go"),
    feature="kube-proxy-modes",
)
def test_changes_of_endpoint_slices_are_counted(told: Story) -> None:
    """sync_proxy_rules_endpoint_changes_total must grow by one with each EndpointSlice that is
    created, changed or deleted, whether or not anything follows from it.
    """
    _assert_grown(told, "sync_proxy_rules_endpoint_changes_total", lambda move: move.slices)


@requirement(
    "met-svc-changes",
    _METRICS,
    source("pkg/proxy/servicechangetracker.go"),
    feature="kube-proxy-modes",
)
def test_changes_of_services_are_counted(told: Story) -> None:
    """sync_proxy_rules_service_changes_total must grow by one, in each family that kube-proxy
    serves, with each Service that is created, changed or deleted, whether or not anything follows
    from it.
    """
    _assert_grown(
        told, "sync_proxy_rules_service_changes_total", lambda move: len(FAMILIES) * move.services
    )


@requirement("met-pending-zero", _METRICS, feature="kube-proxy-modes")
def test_nothing_is_pending_when_all_is_done(told: Story) -> None:
    """sync_proxy_rules_service_changes_pending and sync_proxy_rules_endpoint_changes_pending must
    be 0 whenever no change waits for a sync.
    """
    for kind in ("service", "endpoint"):
        name = f"sync_proxy_rules_{kind}_changes_pending"
        scrapes = {what: move.after(name) for what, move in told}
        assert scrapes == dict.fromkeys(scrapes, 0.0), name


@requirement("met-ep-pending", _METRICS, feature="kube-proxy-modes")
def test_changes_of_endpoint_slices_are_pending(told: Story) -> None:
    """While a sync does not end, sync_proxy_rules_endpoint_changes_pending must be the number of
    changes to EndpointSlices that wait for the next.
    """
    assert told.stalled("sync_proxy_rules_endpoint_changes_pending") == 1


@requirement("met-svc-pending", _METRICS, feature="kube-proxy-modes")
def test_changes_of_services_are_pending(told: Story) -> None:
    """While a sync does not end, sync_proxy_rules_service_changes_pending must be the number of
    Services whose changes wait for the next.
    """
    assert told.stalled("sync_proxy_rules_service_changes_pending") == 1


@requirement("met-ipt-restore-fail", kep(3453), _METRICS, feature="iptables-restore")
def test_failures_of_iptables_restore_are_counted(told: Story) -> None:
    """sync_proxy_rules_iptables_restore_failures_total must be 0 until iptables-restore fails, and
    must grow by one with each sync in which it does.
    """
    assert told.whole.before(_RESTORES) == 0
    _assert_grown(told, _RESTORES, lambda move: move is told.moves["failure"])


@in_iptables("met-ipt-partial-fail", kep(3453), _METRICS)
def test_failures_of_partial_syncs_are_counted(told: Story) -> None:
    """sync_proxy_rules_iptables_partial_restore_failures_total must be 0 until iptables-restore
    fails in a partial sync, and must grow by one with each in which it does.
    """
    assert told.whole.before(_PARTIAL_RESTORES) == 0
    _assert_grown(told, _PARTIAL_RESTORES, lambda move: move is told.moves["failure"])


@in_iptables("met-ipt-last", kep(3453), _METRICS)
def test_rules_written_last_are_counted(told: Story) -> None:
    """sync_proxy_rules_iptables_last must be the number of rules of a table that the last sync has
    written: in table nat all of sync_proxy_rules_iptables_total after a full one, and fewer after a
    partial one.
    """
    partial, full = told.moves["Service"].after, told.moves["after failure"].after
    for found, fewer in ((partial, True), (full, False)):
        written, owned = (found(each, table="nat") for each in (_WRITTEN, _OWNED))
        assert 0 < written <= owned
        assert (written < owned) is fewer


@in_nftables("met-nft-sync-fail", kep(3866), _METRICS)
def test_failures_of_transactions_are_counted(told: Story) -> None:
    """sync_proxy_rules_nftables_sync_failures_total must be 0 until a transaction of nft fails, and
    must grow by one with each sync in which one does.
    """
    assert told.whole.before(_TRANSACTIONS) == 0
    _assert_grown(told, _TRANSACTIONS, lambda move: move is told.moves["failure"])


@requirement(
    "met-monotonic",
    docs("metrics"),
    feature="kube-proxy-modes",
)
def test_counters_never_decrease(told: Story) -> None:
    """Counters, and the counts of histograms, must neither decrease nor go away while kube-proxy
    runs.
    """
    scrapes = [each for _, move in told for each in (move.before, move.after)]
    assert scrapes[0].cumulative()
    for earlier, later in pairwise(scrapes):
        now = later.cumulative()
        less = {
            sample: (value, now.get(sample))
            for sample, value in earlier.cumulative().items()
            if now.get(sample, -1.0) < value
        }
        assert not less
