"""Session affinity: with sessionAffinity ClientIP, a client keeps its endpoint.

Crowds are so large that chance can neither pass nor fail them: 64 clients that choose among three
endpoints at random all choose alike, or all as before, once in 10^30 times. Rules about the timeout
share one wait, see fixtures.timeline.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

import pytest

from clusters.addresses import LOAD_BALANCER_IPS, Family, index
from fixtures.clients import PLACES, Client, Crowd, Crowds
from fixtures.frames import Protocol
from fixtures.judgement import Budget, Judge
from fixtures.lab import Lab
from fixtures.probes import SocketAddress
from fixtures.processes import NodeClient
from fixtures.requirement import CORE, EXTENDED, requirement
from fixtures.services import Endpoint, Port, Service, Services
from fixtures.statistics import all_hit, consistent, sample_to_hit_all, spread, tally
from fixtures.timeline import DEFAULT_TIMEOUT, TIMEOUT, Timeline
from fixtures.world import World

TCP_ONLY = pytest.mark.parametrize("protocol", ["TCP"])
FROM_OUTSIDE = pytest.mark.parametrize("vantage", ["outside"])
DOCS = "docs: Virtual IPs and service proxies, session affinity"
E2E = "e2e: service 'session affinity"
HOUR = 3600
CLIENTS = 64

Choices = list[SocketAddress]
"""The endpoint of each client of a crowd."""


def choices(crowd: Crowd, at: SocketAddress) -> Choices:
    """The endpoint of one new connection of each client; all of them must be answered."""
    sample = crowd.connect(at.address, at.port)
    assert sample.words == {"answered": len(crowd)}, sample
    return [endpoint for endpoint in sample.chosen if endpoint]


def sticky_choices(
    judge: Judge, crowd: Crowd, at: SocketAddress, endpoints: Collection[SocketAddress]
) -> Choices:
    """The endpoint of each client, once it is known that clients differ, that each of them keeps
    its endpoint, and that these are none but the ones given.
    """
    chosen = choices(crowd, at)
    assert set(chosen) <= set(endpoints), f"{set(chosen)} chosen, {set(endpoints)} allowed"
    judge(spread, tally(chosen, sorted(endpoints)))
    judge(consistent, [*enumerate(chosen), *enumerate(choices(crowd, at))], len(endpoints))
    return chosen


def node_port(web: Service, world: World, family: Family) -> SocketAddress:
    """The node's own address and the Service's nodePort."""
    return SocketAddress(world.node.address(family), web.node_port())


# --- on, off, and whose ---------------------------------------------------------------------------


@requirement("aff-clientip-sticky", level=CORE, reference=f"{DOCS}; {E2E} work ... clusterIP'")
@TCP_ONLY
def test_client_keeps_its_endpoint(service: Services, client: Client, judge: Judge) -> None:
    """With session affinity ClientIP, all new connections from one client address within the
    timeout must go to the same endpoint.
    """
    web = service(affinity=HOUR)
    sample = client.connect_many(web.cluster_ip, web.port, CLIENTS)
    assert sample.words == {"answered": CLIENTS}, sample
    judge(consistent, [(client.address, endpoint) for endpoint in sample.chosen], 3)


@requirement("aff-udp", level=CORE, reference="e2e: networking 'client IP based ... affinity: udp'")
@pytest.mark.parametrize("protocol", ["UDP"])
def test_client_keeps_its_endpoint_over_udp(service: Services, crowd: Crowds, judge: Judge) -> None:
    """With session affinity ClientIP, datagrams from one client address must go to the same
    endpoint, whatever ports they come from.
    """
    web = service(affinity=HOUR)
    sticky_choices(judge, crowd(CLIENTS), web.frontend, web.endpoints)


@requirement(
    "aff-sctp", level=EXTENDED, feature="sctp", reference="KEP-614; unit test: nftables proxier"
)
@pytest.mark.parametrize("protocol", ["SCTP"])
def test_client_keeps_its_endpoint_over_sctp(
    service: Services, crowd: Crowds, judge: Judge
) -> None:
    """With session affinity ClientIP, SCTP associations from one client address must go to the same
    endpoint.
    """
    web = service(affinity=HOUR)
    sticky_choices(judge, crowd(CLIENTS), web.frontend, web.endpoints)


@requirement("aff-none-spreads", level=CORE, reference=DOCS)
@TCP_ONLY
def test_without_affinity_connections_spread(
    service: Services, client: Client, judge: Judge, budget: Budget
) -> None:
    """With session affinity None, connections from one client address must be spread over all
    endpoints.
    """
    web = service(sessionAffinity="None")
    count = sample_to_hit_all(3, budget.alpha)
    sample = client.connect_many(web.cluster_ip, web.port, count)
    assert sample.words == {"answered": count}, sample
    judge(all_hit, tally(sample.chosen, sorted(web.endpoints)))


@requirement("aff-enable-live", level=CORE, reference=f"{E2E} ... switch session affinity'")
@TCP_ONLY
def test_affinity_is_switched_on(service: Services, crowd: Crowds, judge: Judge) -> None:
    """Switching session affinity of a Service from None to ClientIP must take effect for new
    connections.
    """
    web, clients = service(), crowd(CLIENTS)
    assert choices(clients, web.frontend) != choices(clients, web.frontend), "no need to switch"
    web.update(sessionAffinity="ClientIP")
    sticky_choices(judge, clients, web.frontend, web.endpoints)


@requirement("aff-disable-live", level=CORE, reference=f"{E2E} ... switch session affinity'")
@TCP_ONLY
def test_affinity_is_switched_off(
    service: Services, client: Client, judge: Judge, budget: Budget
) -> None:
    """Switching session affinity of a Service from ClientIP to None must have new connections of a
    client that had kept its endpoint be spread over all endpoints.
    """
    web = service(affinity=HOUR)
    bound = client.connect_many(web.cluster_ip, web.port, 16)
    assert len(bound.counts) == 1, f"no need to switch: {bound.counts}"
    web.update(sessionAffinity="None", sessionAffinityConfig=None)
    count = sample_to_hit_all(3, budget.alpha)
    sample = client.connect_many(web.cluster_ip, web.port, count)
    assert sample.words == {"answered": count}, sample
    judge(all_hit, tally(sample.chosen, sorted(web.endpoints)))


@requirement("aff-per-client", level=CORE, reference=DOCS)
@TCP_ONLY
def test_clients_choose_for_themselves(service: Services, crowd: Crowds, judge: Judge) -> None:
    """Clients of different addresses must be given endpoints independently of each other, and each
    must keep its own.
    """
    web = service(affinity=HOUR)
    sticky_choices(judge, crowd(CLIENTS), web.frontend, web.endpoints)


@requirement("aff-single-ep", level=CORE, reference="unit test: ipvs TestSessionAffinity")
@TCP_ONLY
def test_affinity_to_the_only_endpoint(service: Services, crowd: Crowds) -> None:
    """A Service with session affinity ClientIP and a single endpoint must send all connections of
    all clients to it.
    """
    web, clients = service(1, affinity=HOUR), crowd(CLIENTS)
    for _ in range(3):
        assert set(choices(clients, web.frontend)) == web.endpoints


@requirement("aff-hostnet-clients-share", level=CORE, reference="API: Service, sessionAffinity")
@TCP_ONLY
@pytest.mark.parametrize("vantage", ["node"])
def test_processes_on_the_node_share_an_endpoint(
    service: Services, client: NodeClient, world: World, family: Family, judge: Judge
) -> None:
    """All processes that share the node's network, and so its address, must be one client: they get
    the same endpoint.
    """
    web = service(affinity=HOUR)
    with NodeClient(world.lab, world.node, family, "TCP") as other:
        samples = [each.connect_many(web.cluster_ip, web.port, 8) for each in (client, other) * 2]
    assert all(sample.is_answered.all() for sample in samples), samples
    met = [(client.address, endpoint) for sample in samples for endpoint in sample.chosen]
    judge(consistent, met, 3)


@requirement(
    "aff-many-clients",
    level=EXTENDED,
    feature="affinity-many-clients",
    reference="kernel: xt_recent, ip_list_tot (100 addresses a list, unless the module is told)",
)
@TCP_ONLY
def test_hundreds_of_clients_keep_their_endpoint(
    service: Services, crowd: Crowds, judge: Judge
) -> None:
    """Session affinity must hold for hundreds of clients of one endpoint."""
    web = service(2, affinity=HOUR)
    sticky_choices(judge, crowd(1000), web.frontend, web.endpoints)


# --- what affinity does not reach across ----------------------------------------------------------


@requirement(
    "aff-not-cross-port",
    level=CORE,
    reference="https://github.com/kubernetes/kubernetes/issues/103000",
)
@TCP_ONLY
def test_affinity_is_per_service_port(service: Services, crowd: Crowds, judge: Judge) -> None:
    """Affinity must be kept for each Service port on its own: the endpoint of a client on one port
    does not determine its endpoint on another.
    """
    ports = [Port(80, 8080, name="web"), Port(81, 8081, name="admin")]
    web, clients = service(ports=ports, affinity=HOUR), crowd(CLIENTS)
    chosen = [
        sticky_choices(
            judge, clients, SocketAddress(web.cluster_ip, port.number), web.endpoints_of(port.name)
        )
        for port in ports
    ]
    pairs = zip(*chosen, strict=True)
    differ = sum(first.address != second.address for first, second in pairs)
    assert differ, f"all {CLIENTS} clients have the same endpoint on both ports"


@requirement("aff-not-cross-family", level=CORE, reference="KEP-563")
@TCP_ONLY
@pytest.mark.parametrize("family", ["IPv4"])
def test_affinity_is_per_family(service: Services, world: World, judge: Judge) -> None:
    """Affinity must be kept for each IP family on its own: the endpoint of a dual-stack client over
    IPv4 does not determine its endpoint over IPv6.
    """
    web, hosts = service(affinity=HOUR), world.hosts(PLACES["pod"], CLIENTS)
    met = []
    families: tuple[Family, Family] = ("IPv4", "IPv6")
    for family in families:
        at = SocketAddress(web.cluster_ip_of(family), web.port)
        pool = [each.host.address(family) for each in web.wanted.slices[0].endpoints]
        endpoints = [SocketAddress(address, web.socket(0).port) for address in pool]
        chosen = sticky_choices(judge, Crowd(world.lab, hosts, family, "TCP"), at, endpoints)
        met.append([pool.index(endpoint.address) for endpoint in chosen])
    assert met[0] != met[1], f"all {CLIENTS} clients have the same endpoint in both families"


# --- endpoints that come and go -------------------------------------------------------------------


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
    first, *others = web.wanted.slices[0].endpoints
    changed = change(first)
    web.set_endpoints([*([changed] if changed else []), *others])
    after = sticky_choices(judge, clients, web.frontend, left)
    kept = [old == new for old, new in zip(before, after, strict=True) if old != lost]
    assert all(kept), f"{kept.count(False)} clients lost an endpoint that is still there"


@requirement(
    "aff-ep-removed",
    level=CORE,
    reference="https://github.com/kubernetes/kubernetes/issues/71809",
)
def test_client_of_a_removed_endpoint_gets_another(
    service: Services, crowd: Crowds, judge: Judge
) -> None:
    """When the endpoint of a client is removed, its next connection must go to another endpoint,
    at once.
    """
    assert_left_at_once(judge, crowd, service(affinity=HOUR), lambda _: None)


@requirement("aff-ep-unready", level=CORE, reference="docs: EndpointSlices, ready")
@TCP_ONLY
def test_client_of_an_unready_endpoint_gets_another(
    service: Services, crowd: Crowds, judge: Judge
) -> None:
    """When the endpoint of a client turns unready, its next connection must go to another endpoint,
    at once.
    """
    assert_left_at_once(
        judge, crowd, service(affinity=HOUR), lambda each: replace(each, ready=False)
    )


@requirement("aff-ep-terminating", level=CORE, reference="KEP-1669")
@TCP_ONLY
def test_client_of_a_terminating_endpoint_gets_another(
    service: Services, crowd: Crowds, judge: Judge
) -> None:
    """When the endpoint of a client turns terminating while others are ready, its next connection
    must go to one of these, at once.
    """
    assert_left_at_once(
        judge,
        crowd,
        service(affinity=HOUR),
        lambda each: replace(each, ready=False, serving=True, terminating=True),
    )


@requirement("aff-ep-topology-excluded", level=CORE, reference="docs: Topology Aware Routing")
@TCP_ONLY
def test_affinity_does_not_lead_out_of_the_zone(
    service: Services, crowd: Crowds, judge: Judge
) -> None:
    """An endpoint that topology hints exclude on this node must not be chosen for being the one
    that a client had before.
    """
    web, clients = service(4, affinity=HOUR, trafficDistribution="PreferClose"), crowd(CLIENTS)
    sticky_choices(judge, clients, web.frontend, web.endpoints)
    zones = ("zone-a", "zone-a", "zone-b", "zone-b")
    old = web.wanted.slices[0].endpoints
    web.set_endpoints(
        replace(endpoint, for_zones=(zone,)) for endpoint, zone in zip(old, zones, strict=True)
    )
    sticky_choices(judge, clients, web.frontend, {web.socket(0), web.socket(1)})


@requirement("aff-survives-other-ep-change", level=CORE, reference=DOCS)
@TCP_ONLY
def test_affinity_survives_changes_of_other_endpoints(
    service: Services, crowd: Crowds, judge: Judge
) -> None:
    """Adding or removing one endpoint must leave the clients of all others where they are."""
    web, clients = service(affinity=HOUR), crowd(CLIENTS)
    before = sticky_choices(judge, clients, web.frontend, web.endpoints)
    old = web.wanted.slices[0].endpoints
    web.set_endpoints([service.endpoint("pod"), *old])
    assert choices(clients, web.frontend) == before, "a client moved when an endpoint was added"
    web.set_endpoints(old)
    assert choices(clients, web.frontend) == before, "a client moved when that one was removed"


@requirement(
    "aff-conditions-recover",
    level=CORE,
    reference="https://github.com/kubernetes/kubernetes/issues/71809",
)
@TCP_ONLY
def test_no_connection_follows_affinity_to_a_dead_endpoint(
    service: Services, crowd: Crowds, lab: Lab
) -> None:
    """While endpoints come and go, affinity to one that is gone must not cost a client a single
    failed connection, nor keep clients away from one that is back.
    """
    web, clients = service(affinity=HOUR), crowd(CLIENTS)
    old = web.wanted.slices[0].endpoints
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


# --- other frontends, and traffic policies --------------------------------------------------------


@requirement("aff-nodeport", level=CORE, reference=f"{E2E} work for NodePort service'")
@TCP_ONLY
@FROM_OUTSIDE
def test_affinity_through_node_port(
    service: Services, crowd: Crowds, world: World, family: Family, judge: Judge
) -> None:
    """Session affinity must hold for clients outside the cluster that use a nodePort."""
    web = service(affinity=HOUR, type="NodePort")
    sticky_choices(judge, crowd(CLIENTS), node_port(web, world, family), web.endpoints)


@requirement("aff-lb", level=CORE, reference="e2e: loadbalancer 'session affinity work for LB'")
@TCP_ONLY
@FROM_OUTSIDE
@pytest.mark.parametrize("policy", ["Cluster", "Local"])
def test_affinity_through_load_balancer(
    service: Services, crowd: Crowds, family: Family, judge: Judge, policy: str
) -> None:
    """Session affinity must hold for clients outside the cluster that use a load balancer IP, with
    either external traffic policy.
    """
    endpoints = [service.endpoint("pod"), service.endpoint("pod"), service.endpoint("remote-pod")]
    ips = [network[9] for network in LOAD_BALANCER_IPS]
    web = service(endpoints, affinity=HOUR, load_balancer_ips=ips, externalTrafficPolicy=policy)
    allowed = web.endpoints if policy == "Cluster" else {web.socket(0), web.socket(1)}
    at = SocketAddress(ips[index(family)], web.port)
    sticky_choices(judge, crowd(CLIENTS), at, allowed)


@requirement(
    "aff-etp-local",
    level=CORE,
    reference="https://github.com/kubernetes/kubernetes/issues/55429",
)
@TCP_ONLY
@FROM_OUTSIDE
def test_affinity_stays_within_external_policy_local(
    service: Services, crowd: Crowds, world: World, family: Family, judge: Judge
) -> None:
    """With external traffic policy Local, affinity must be confined to endpoints on the node: a
    client that had a remote endpoint before is given a local one.
    """
    endpoints = [service.endpoint(place) for place in ("pod", "pod", "remote-pod", "remote-pod")]
    web, clients = service(endpoints, affinity=HOUR, type="NodePort"), crowd(CLIENTS)
    sticky_choices(judge, clients, node_port(web, world, family), web.endpoints)
    web.update(externalTrafficPolicy="Local")
    local = {web.socket(0), web.socket(1)}
    sticky_choices(judge, clients, node_port(web, world, family), local)


@requirement("aff-itp-local", level=CORE, reference="KEP-2086")
@TCP_ONLY
def test_affinity_stays_within_internal_policy_local(
    service: Services, crowd: Crowds, judge: Judge
) -> None:
    """With internal traffic policy Local, affinity must be confined to endpoints on the node: a
    client that had a remote endpoint before is given a local one.
    """
    endpoints = [service.endpoint(place) for place in ("pod", "pod", "remote-pod", "remote-pod")]
    web, clients = service(endpoints, affinity=HOUR), crowd(CLIENTS)
    sticky_choices(judge, clients, web.frontend, web.endpoints)
    web.update(internalTrafficPolicy="Local")
    sticky_choices(judge, clients, web.frontend, {web.socket(0), web.socket(1)})


@requirement("aff-presnat-key", level=CORE, reference=DOCS)
@TCP_ONLY
@FROM_OUTSIDE
def test_masked_clients_remain_distinct(
    service: Services, crowd: Crowds, world: World, family: Family, judge: Judge
) -> None:
    """The client that affinity is for must be the one that the packet came from, also where its
    address is replaced by the node's on the way to the endpoint.
    """
    endpoints = [service.endpoint("remote-pod", node) for node in (1, 2, 1)]
    web = service(endpoints, affinity=HOUR, type="NodePort")
    at, clients = node_port(web, world, family), crowd(CLIENTS)
    sources = {
        probe.source.address for probe in clients.connect(at.address, at.port) if probe.source
    }
    assert sources == {world.node.address(family)}, f"clients are not masked: {sources}"
    sticky_choices(judge, clients, at, web.endpoints)


@requirement(
    "aff-survives-resync",
    level=EXTENDED,
    feature="affinity-survives-restart",
    reference="docs: Virtual IPs and service proxies (rules stay while the proxy is away)",
)
@TCP_ONLY
def test_affinity_survives_a_restart_of_the_proxy(
    service: Services, crowd: Crowds, world: World, judge: Judge
) -> None:
    """A restart of the proxy, and the full sync that follows, must leave clients at their
    endpoints.
    """
    web, clients = service(affinity=HOUR), crowd(CLIENTS)
    before = sticky_choices(judge, clients, web.frontend, web.endpoints)
    world.node.proxy.restart()
    service.settle()
    moved = sum(old != new for old, new in zip(before, choices(clients, web.frontend), strict=True))
    assert not moved, f"{moved} of {CLIENTS} clients have another endpoint after the restart"


# --- the timeout ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def timeline(shared_world: World, names: Callable[[], str]) -> Timeline:
    """The records of what clients met when they came again before and after the timeout."""
    return Timeline(shared_world, names)


@requirement("aff-timeout-min-hold", level=CORE, reference=f"{E2E} timeout work ...'")
def test_affinity_holds_within_the_timeout(
    timeline: Timeline, family: Family, protocol: Protocol
) -> None:
    """A client that comes again before timeoutSeconds are over must be given the same endpoint."""
    record = timeline("regular", family, protocol)
    record.require_within(TIMEOUT, 0, 1)
    assert not record.moved(0, 1), f"{record.moved(0, 1)} of {CLIENTS} clients moved too early"


@requirement("aff-timeout-expire", level=CORE, reference=f"{E2E} timeout work ...'")
def test_affinity_ends_after_the_timeout(
    timeline: Timeline, family: Family, protocol: Protocol
) -> None:
    """A client that comes again when timeoutSeconds are over must not be bound to the endpoint that
    it had.
    """
    record = timeline("idle", family, protocol)
    record.require_beyond(TIMEOUT, 0, -1)
    assert record.moved(0, -1), f"none of {CLIENTS} clients has moved after the timeout"


@requirement(
    "aff-refresh-new-conn",
    level=CORE,
    reference="https://github.com/kubernetes/kubernetes/issues/110302",
)
def test_new_connections_prolong_affinity(
    timeline: Timeline, family: Family, protocol: Protocol
) -> None:
    """Each new connection must start the timeout anew: a client that keeps coming before it is over
    keeps its endpoint for longer than timeoutSeconds.
    """
    record = timeline("regular", family, protocol)
    record.require_within(TIMEOUT, 0, 1)
    record.require_within(TIMEOUT, 1, 2)
    record.require_beyond(TIMEOUT, 0, 2)
    assert not record.moved(0, 2), f"{record.moved(0, 2)} of {CLIENTS} clients moved too early"


@requirement("aff-default-timeout", level=CORE, reference="API: Service, sessionAffinityConfig")
@TCP_ONLY
def test_default_timeout_is_three_hours(
    timeline: Timeline, service: Services, family: Family, protocol: Protocol, world: World
) -> None:
    """Session affinity without timeoutSeconds must last for 10800 seconds: that is what the API
    server fills in, and what the timers of the node's packet filter are set to.
    """
    web = service(sessionAffinity="ClientIP")
    config = web.object["spec"]["sessionAffinityConfig"]
    assert config == {"clientIP": {"timeoutSeconds": DEFAULT_TIMEOUT}}
    others = timers(world, web) - {DEFAULT_TIMEOUT}
    assert not others, f"timers of {others} s"
    record = timeline("default", family, protocol)
    record.require_beyond(TIMEOUT, 0, -1)
    assert not record.moved(0, -1), f"{record.moved(0, -1)} of {CLIENTS} clients moved too early"


def timers(world: World, web: Service) -> set[int]:
    """The affinity timers, in seconds, of rules and sets that bear the Service's name. A proxy may
    have others or none: then only the wire speaks.
    """
    host, name = world.node.host, f"{web.namespace}/{web.name}"
    rules = [rule for version in (4, 6) for rule in host.iptables.rules("nat", version=version)]
    sets = [
        each for table in host.nftables.tables for each in host.nftables.table(*table).sets.values()
    ]
    seconds = [rule.option("--seconds") for rule in rules if f"{name}:" in (rule.comment or "")] + [
        each.timeout for each in sets if f"{name}/" in each.name
    ]
    return {int(each) for each in seconds if each}


@requirement(
    "aff-timeout-change",
    level=EXTENDED,
    feature="affinity-timeout-change",
    reference="API: Service, sessionAffinityConfig",
)
def test_changed_timeout_takes_effect(
    timeline: Timeline, family: Family, protocol: Protocol
) -> None:
    """A change of timeoutSeconds must take effect for connections that are made after it, also of
    clients that had an endpoint before.
    """
    shortened = timeline("shortened", family, protocol)
    shortened.require_beyond(TIMEOUT, 1, -1)
    assert shortened.moved(1, -1), f"none of {CLIENTS} clients has moved after the new timeout"
    lengthened = timeline("lengthened", family, protocol)
    lengthened.require_beyond(TIMEOUT, 1, -1)
    moved = lengthened.moved(1, -1)
    assert not moved, f"{moved} of {CLIENTS} clients have moved before the new timeout"
