"""Session affinity while endpoints, traffic policies and the proxy come and go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from conformance.affinity.pool import CLIENTS, HOUR, choices, kept_choices, sticky_choices
from conformance.vocabulary import (
    Crowds,
    Endpoint,
    Judge,
    Lab,
    Place,
    Service,
    Services,
    ServiceSpec,
    SocketAddress,
    TrafficPolicy,
    World,
    arranged,
    docs,
    e2e,
    issue,
    kep,
    over,
    requirement,
)
from specification.services import TOPOLOGY_MODE


def assert_left_at_once(
    judge: Judge, crowd: Crowds, web: Service, change: Callable[[Endpoint], Endpoint | None]
) -> None:
    """Clients of an endpoint that ``change`` makes unusable (or removes: None) meet another one in
    their next connection already, and keep that.
    """
    clients, lost = crowd(CLIENTS), web.socket(0)
    before = sticky_choices(judge, clients, web.frontend, web.endpoints)
    assert lost in before, "no client to lose its endpoint"
    left = web.endpoints - {lost}
    first, *others = web.spec.endpoints
    changed = change(first)
    web.set_endpoints([*([changed] if changed else []), *others])
    after = sticky_choices(judge, clients, web.frontend, left)
    kept = [old == new for old, new in zip(before, after, strict=True) if old != lost]
    assert all(kept), f"{kept.count(False)} clients lost an endpoint that is still there"


_TWO_HERE_TWO_ELSEWHERE: list[Place] = ["pod", "pod", "remote-pod", "remote-pod"]


def _balanced(service: Services) -> list[ServiceSpec]:
    """One for each external traffic policy, with two endpoints here and one elsewhere."""
    places: list[Place] = ["pod", "pod", "remote-pod"]
    policies: tuple[TrafficPolicy, ...] = ("Cluster", "Local")
    return [service.spec(places, exposed=True, external_traffic_policy=each) for each in policies]


@requirement(
    "aff-switch-external",
    e2e("loadbalancer", "switch session affinity for LoadBalancer service"),
    e2e("service", "switch session affinity for NodePort service"),
)
@over(vantage="outside", protocol="TCP")
@arranged(_balanced)
def test_affinity_of_external_frontends_is_switched(
    service: Services, webs: list[Service], crowd: Crowds, judge: Judge
) -> None:
    """Switching session affinity of a Service on, and off again, must take effect for new
    connections to its nodePort and to its load balancer's IP, under either externalTrafficPolicy.
    """
    clients = crowd(CLIENTS)
    asked = [(web, at) for web in webs for at in web.external_frontends[:2]]

    def assert_free(web: Service, at: SocketAddress) -> None:
        first, again = choices(clients, at), choices(clients.reversed(), at)[::-1]
        assert first != again, f"clients of {web} are bound at {at}"

    def switch(affinity: str) -> None:
        for web in webs:
            web.update(session_affinity=affinity, settle=False)
        service.settle()

    for web, at in asked:
        assert_free(web, at)
    switch("ClientIP")
    for web, at in asked:
        here = {web.socket(0), web.socket(1)}
        local = web.spec.external_traffic_policy == "Local"
        sticky_choices(judge, clients, at, here if local else web.endpoints)
    switch("None")
    for web, at in asked:
        assert_free(web, at)


@requirement("aff-ep-removed", issue(71809))
@arranged(session_affinity=HOUR)
def test_client_of_a_removed_endpoint_gets_another(
    web: Service, crowd: Crowds, judge: Judge
) -> None:
    """When the endpoint of a client is removed, its next connection must go to another endpoint,
    at once.
    """
    assert_left_at_once(judge, crowd, web, lambda _: None)


@requirement("aff-ep-unready", docs("endpoint-slices", "ready"))
@over(protocol="TCP")
@arranged(session_affinity=HOUR)
def test_client_of_an_unready_endpoint_gets_another(
    web: Service, crowd: Crowds, judge: Judge
) -> None:
    """When the endpoint of a client turns unready, its next connection must go to another endpoint,
    at once.
    """
    assert_left_at_once(judge, crowd, web, lambda each: replace(each, ready=False))


@requirement("aff-ep-terminating", kep(1669))
@over(protocol="TCP")
@arranged(session_affinity=HOUR)
def test_client_of_a_terminating_endpoint_gets_another(
    web: Service, crowd: Crowds, judge: Judge
) -> None:
    """When the endpoint of a client turns terminating while others are ready, its next connection
    must go to one of these, at once.
    """
    assert_left_at_once(
        judge,
        crowd,
        web,
        lambda each: replace(each, ready=False, serving=True, terminating=True),
    )


@requirement("aff-ep-topology-excluded", docs("topology-aware-routing"))
@over(protocol="TCP")
@arranged(4, session_affinity=HOUR, annotations=TOPOLOGY_MODE)
@pytest.mark.usefixtures("zone_known")
def test_affinity_does_not_lead_out_of_the_zone(web: Service, crowd: Crowds, judge: Judge) -> None:
    """An endpoint that topology hints exclude on this node must not be chosen for being the one
    that a client had before.
    """
    clients = crowd(CLIENTS)
    sticky_choices(judge, clients, web.frontend, web.endpoints)
    zones = ("zone-a", "zone-a", "zone-b", "zone-b")
    old = web.spec.endpoints
    web.set_endpoints(
        replace(endpoint, for_zones=(zone,)) for endpoint, zone in zip(old, zones, strict=True)
    )
    sticky_choices(judge, clients, web.frontend, {web.socket(0), web.socket(1)})


@requirement("aff-survives-other-ep-change", docs("virtual-ips", "session affinity"))
@over(protocol="TCP")
@arranged(session_affinity=HOUR)
def test_affinity_survives_changes_of_other_endpoints(
    service: Services, web: Service, crowd: Crowds, judge: Judge
) -> None:
    """Adding or removing one endpoint must leave the clients of all others where they are."""
    clients = crowd(CLIENTS)
    before = sticky_choices(judge, clients, web.frontend, web.endpoints)
    old = web.spec.endpoints
    web.set_endpoints([service.endpoint("pod"), *old])
    assert choices(clients, web.frontend) == before, "a client moved when an endpoint was added"
    web.set_endpoints(old)
    assert choices(clients, web.frontend) == before, "a client moved when that one was removed"


@requirement("aff-conditions-recover", issue(71809))
@over(protocol="TCP")
@arranged(session_affinity=HOUR)
def test_no_connection_follows_affinity_to_a_dead_endpoint(
    web: Service, crowd: Crowds, lab: Lab
) -> None:
    """While endpoints come and go, affinity to one that is gone must not cost a client a single
    failed connection, nor keep clients away from one that is back.
    """
    clients = crowd(CLIENTS)
    old = web.spec.endpoints
    for gone in (0, 1):
        present = choices(clients, web.frontend)  # all are answered
        assert web.socket(gone) in present, "no client has the endpoint that shall go"
        dead = web.socket(gone)
        lab.silent.add(dead.address)
        web.set_endpoints([each for each in old if each is not old[gone]])
        assert dead not in choices(clients, web.frontend)
        lab.silent.clear()
        web.set_endpoints(old)
        newcomers = choices(crowd(CLIENTS), web.frontend)
        assert dead in newcomers, f"no new client is sent to {dead}, which is back"


@requirement("aff-ep-returns", docs("virtual-ips", "session affinity"))
@over(protocol="TCP")
@arranged(session_affinity=HOUR)
def test_affinity_to_an_endpoint_that_has_come_back(
    web: Service, crowd: Crowds, judge: Judge
) -> None:
    """When the endpoint of a client has gone and come back, the client may be given it or another,
    but all of its next connections must go to the same one, and other clients must keep theirs.
    """
    clients, old, lost = crowd(CLIENTS), web.spec.endpoints, web.socket(0)
    before = sticky_choices(judge, clients, web.frontend, web.endpoints)
    web.set_endpoints(old[1:])
    web.set_endpoints(old)
    after = kept_choices(judge, clients, web.frontend, web.endpoints)
    pairs = zip(before, after, strict=True)
    moved = sum(first != then for first, then in pairs if first != lost)
    assert not moved, f"{moved} clients of endpoints that never went have moved"


@requirement("aff-etp-local", issue(55429))
@over(vantage="outside", protocol="TCP")
@arranged(_TWO_HERE_TWO_ELSEWHERE, session_affinity=HOUR, type="NodePort")
def test_affinity_stays_within_external_policy_local(
    web: Service, crowd: Crowds, judge: Judge
) -> None:
    """With external traffic policy Local, affinity must be confined to endpoints on the node: a
    client that had a remote endpoint before is given a local one.
    """
    clients = crowd(CLIENTS)
    sticky_choices(judge, clients, web.at_node, web.endpoints)
    web.update(external_traffic_policy="Local")
    local = {web.socket(0), web.socket(1)}
    sticky_choices(judge, clients, web.at_node, local)


@requirement("aff-itp-local", kep(2086))
@over(protocol="TCP")
@arranged(_TWO_HERE_TWO_ELSEWHERE, session_affinity=HOUR)
def test_affinity_stays_within_internal_policy_local(
    web: Service, crowd: Crowds, judge: Judge
) -> None:
    """With internal traffic policy Local, affinity must be confined to endpoints on the node: a
    client that had a remote endpoint before is given a local one.
    """
    clients = crowd(CLIENTS)
    sticky_choices(judge, clients, web.frontend, web.endpoints)
    web.update(internal_traffic_policy="Local")
    sticky_choices(judge, clients, web.frontend, {web.socket(0), web.socket(1)})


@requirement(
    "aff-survives-resync",
    docs("virtual-ips", note="rules stay while the proxy is away"),
    feature="affinity-survives-restart",
)
@over(protocol="TCP")
@arranged(session_affinity=HOUR)
def test_affinity_survives_a_restart_of_the_proxy(
    service: Services, web: Service, crowd: Crowds, world: World, judge: Judge
) -> None:
    """A restart of the proxy, and the full sync that follows, must leave clients at their
    endpoints.
    """
    clients = crowd(CLIENTS)
    before = sticky_choices(judge, clients, web.frontend, web.endpoints)
    world.node.proxy.restart()
    service.settle()
    moved = sum(old != new for old, new in zip(before, choices(clients, web.frontend), strict=True))
    assert not moved, f"{moved} of {CLIENTS} clients have another endpoint after the restart"
