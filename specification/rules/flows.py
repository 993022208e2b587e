"""Flows: what is right for the next packet of a connection that was there before a change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from specification.attempts import Attempt, SocketAddress
from specification.places import Place
from specification.rules.allowed import Allowed, allowed
from specification.rules.case import Case, clause
from specification.rules.endpoints import Candidate, candidates, eligible
from specification.rules.ranges import outside_the_source_ranges
from specification.rules.sources import Seen
from specification.rules.state import State


@dataclass(frozen=True)
class Flow:
    """A TCP or SCTP connection, or datagrams between the same two ends."""

    attempt: Attempt
    """As its first packet was sent."""
    endpoint: SocketAddress | None
    """Who has got it; ``None`` where its frontend had no endpoint, and it was sent all the same."""
    seen: Seen = "client"
    """Whose address the endpoint has seen."""


@clause("ct-tcp-never", "cip-keep-on-ep-unready", "cip-keep-on-ep-add")
def connections_stay_with_a_listed_endpoint(case: Case, listed: Candidate | None) -> bool:
    """An established connection must stay with its endpoint, whatever the conditions, policies and
    hints have become, as long as EndpointSlices list it.

    Source: docs, Virtual IPs and Service Proxies; KEP-1669; docs, Pod Lifecycle, termination.
    """
    return case.attempt.protocol != "UDP" and listed is not None


@clause("cip-keep-on-ep-removed")
def connections_outlive_their_endpoint(case: Case, listed: Candidate | None) -> bool:
    """An established TCP connection may go on after its endpoint was taken out of all
    EndpointSlices, until either end closes it.

    Source: docs, Virtual IPs and Service Proxies; API, discovery/v1 (removed pods may still run).
    """
    claimed = "established-outlives-endpoint" in case.state.features
    return case.attempt.protocol == "TCP" and listed is None and claimed


@clause("ct-udp-keep-live")
def datagrams_stay_with_who_serves(case: Case, listed: Candidate | None) -> bool:
    """Datagrams of known ends must stay with an endpoint that serves, while new ones might still
    get it, or it terminates.

    Source: kube-proxy's unit tests, TestCleanStaleEntries; KEP-1669.
    """
    if case.attempt.protocol != "UDP" or listed is None or not listed.serving:
        return False
    return listed.terminating or listed in eligible(case)


@clause("ct-udp-serving-unready", "ct-udp-policy-change")
def datagrams_stay_while_anybody_serves(case: Case, listed: Candidate | None) -> bool:
    """They may stay with any endpoint that serves, though new ones avoid it.

    Source: kube-proxy's unit tests, TestCleanStaleEntries.
    """
    claimed = "conservative-udp-cleanup" in case.state.features
    return case.attempt.protocol == "UDP" and listed is not None and listed.serving and claimed


@clause(
    *("ct-udp-ep-removed-cip", "ct-udp-ep-unserving", "ct-udp-port-change", "ct-udp-itp-local"),
    *("ct-udp-zero-eps", "ct-udp-zero-eps-np", "ct-udp-keep-live"),
)
def datagrams_leave_who_serves_no_longer(case: Case, listed: Candidate | None) -> bool:
    """Datagrams of known ends must not be sent to an endpoint any more that has gone, or neither is
    ready nor serves: they are new ones.

    Source: kube-proxy's unit tests, TestCleanStaleEntries; kubernetes#139628.
    """
    alive = listed is not None and (listed.ready or listed.serving)
    return case.attempt.protocol == "UDP" and not alive


def goes_on(state: State, flow: Flow, place: Place, *, since: Iterable[State] = ()) -> Allowed:
    """What is right for the next packet of a flow, ``state`` being in force by now; ``since`` are
    the states that a proxy may have seen after the packet before: how many of them it has is a
    matter of its haste, and what need not go on in one of them need not go on at all.

    Where nobody has got it before, it is a new one (ct-udp-unreplied). What has become of frontends
    that have gone and of source ranges says nothing about flows that are there.
    """
    case = Case(state, flow.attempt, place)
    if flow.endpoint is None:
        return allowed(state, flow.attempt, place)
    if not case.addressed:
        return Allowed(undecided="the frontend has gone")
    if "ranges-for-new-connections" not in state.features and outside_the_source_ranges(case):
        return Allowed(undecided="source ranges shut the client out by now")
    found = candidates(state, case.frontend, case.family)
    listed = next((each for each in found if each.at == flow.endpoint), None)
    if datagrams_leave_who_serves_no_longer(case, listed):
        right = allowed(state, flow.attempt, place)
    elif not all(goes_on(each, flow, place).deliveries.keys() == {flow.endpoint} for each in since):
        right = Allowed(undecided="the flow may have ended in between")
    elif (
        connections_stay_with_a_listed_endpoint(case, listed)
        or connections_outlive_their_endpoint(case, listed)
        or datagrams_stay_with_who_serves(case, listed)
        or datagrams_stay_while_anybody_serves(case, listed)
    ):
        right = Allowed({flow.endpoint: flow.seen})
    else:
        right = Allowed(undecided="the flow may be ended, or go on")
    return replace(right, because=(*case.because, *right.because))
