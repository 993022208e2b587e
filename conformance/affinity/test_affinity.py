"""Session affinity: with sessionAffinity ClientIP, a client keeps its endpoint."""

from __future__ import annotations

import pytest

from conformance.affinity.pool import CLIENTS, HOUR, choices, sticky_choices
from conformance.vocabulary import (
    FAMILIES,
    WEB_AND_ADMIN,
    Client,
    Crowd,
    Crowds,
    Judge,
    NodeClient,
    Pool,
    Service,
    Services,
    ServiceSpec,
    SocketAddress,
    TrafficPolicy,
    World,
    api,
    arranged,
    consistent,
    docs,
    e2e,
    expect,
    issue,
    kep,
    linux,
    over,
    requirement,
    source,
)

# --- on, off, and whose ---------------------------------------------------------------------------


@requirement(
    "aff-clientip-sticky",
    docs("virtual-ips", "session affinity"),
    e2e("service", "session affinity work ... clusterIP"),
)
@over(protocol="TCP")
@arranged(session_affinity=HOUR)
def test_client_keeps_its_endpoint(web: Service, client: Client, judge: Judge) -> None:
    """With session affinity ClientIP, all new connections from one client address within the
    timeout must go to the same endpoint.
    """
    sample = client.connect_many(*web.frontend, CLIENTS)
    expect(sample).delivered()
    judge(consistent, [(client.address, endpoint) for endpoint in sample.chosen], 3)


@requirement("aff-udp", e2e("networking", "client IP based ... affinity: udp"))
@over(protocol="UDP")
@arranged(session_affinity=HOUR)
def test_client_keeps_its_endpoint_over_udp(web: Service, crowd: Crowds, judge: Judge) -> None:
    """With session affinity ClientIP, datagrams from one client address must go to the same
    endpoint, whatever ports they come from.
    """
    sticky_choices(judge, crowd(CLIENTS), web.frontend, web.endpoints)


@requirement("aff-sctp", kep(614), source("pkg/proxy/nftables/proxier_test.go"), feature="sctp")
@over(protocol="SCTP")
@arranged(session_affinity=HOUR)
def test_client_keeps_its_endpoint_over_sctp(web: Service, crowd: Crowds, judge: Judge) -> None:
    """With session affinity ClientIP, SCTP associations from one client address must go to the same
    endpoint.
    """
    sticky_choices(judge, crowd(CLIENTS), web.frontend, web.endpoints)


@requirement("aff-none-spreads", docs("virtual-ips", "session affinity"))
@over(protocol="TCP")
@arranged(session_affinity="None", shared=True)
def test_without_affinity_connections_spread(web: Service, assert_pool: Pool) -> None:
    """With session affinity None, connections from one client address must be spread over all
    endpoints.
    """
    assert_pool(*web.frontend, web.endpoints)


@requirement("aff-enable-live", e2e("service", "session affinity ... switch session affinity"))
@over(protocol="TCP")
@arranged()
def test_affinity_is_switched_on(web: Service, crowd: Crowds, judge: Judge) -> None:
    """Switching session affinity of a Service from None to ClientIP must take effect for new
    connections.
    """
    clients = crowd(CLIENTS)
    assert choices(clients, web.frontend) != choices(clients, web.frontend), "no need to switch"
    web.update(session_affinity="ClientIP")
    sticky_choices(judge, clients, web.frontend, web.endpoints)


@requirement("aff-disable-live", e2e("service", "session affinity ... switch session affinity"))
@over(protocol="TCP")
@arranged(session_affinity=HOUR)
def test_affinity_is_switched_off(web: Service, client: Client, assert_pool: Pool) -> None:
    """Switching session affinity of a Service from ClientIP to None must have new connections of a
    client that had kept its endpoint be spread over all endpoints.
    """
    bound = client.connect_many(*web.frontend, 16)
    assert len(bound.counts) == 1, f"no need to switch: {bound.counts}"
    web.update(session_affinity="None")
    assert_pool(*web.frontend, web.endpoints)


@requirement("aff-per-client", docs("virtual-ips", "session affinity"))
@over(protocol="TCP")
@arranged(session_affinity=HOUR)
def test_clients_choose_for_themselves(web: Service, crowd: Crowds, judge: Judge) -> None:
    """Clients of different addresses must be given endpoints independently of each other, and each
    must keep its own.
    """
    sticky_choices(judge, crowd(CLIENTS), web.frontend, web.endpoints)


@requirement("aff-single-ep", source("pkg/proxy/ipvs/proxier_test.go", "TestSessionAffinity"))
@over(protocol="TCP")
@arranged(1, session_affinity=HOUR)
def test_affinity_to_the_only_endpoint(web: Service, crowd: Crowds) -> None:
    """A Service with session affinity ClientIP and a single endpoint must send all connections of
    all clients to it.
    """
    clients = crowd(CLIENTS)
    for _ in range(3):
        assert set(choices(clients, web.frontend)) == web.endpoints


@requirement("aff-hostnet-clients-share", api("Service", "spec.sessionAffinity"))
@over(vantage="node", protocol="TCP")
@arranged(session_affinity=HOUR)
def test_processes_on_the_node_share_an_endpoint(
    web: Service, client: Client, world: World, judge: Judge
) -> None:
    """All processes that share the node's network, and so its address, must be one client: they get
    the same endpoint.
    """
    with NodeClient(world.lab, world.node, client.family, "TCP") as other:
        samples = [each.connect_many(*web.frontend, 8) for each in (client, other) * 2]
    for sample in samples:
        expect(sample).delivered()
    met = [(client.address, endpoint) for sample in samples for endpoint in sample.chosen]
    judge(consistent, met, 3)


@requirement(
    "aff-many-clients",
    linux("net/netfilter/xt_recent.c", "ip_list_tot"),
    feature="affinity-many-clients",
)
@over(protocol="TCP")
@arranged(2, session_affinity=HOUR)
def test_hundreds_of_clients_keep_their_endpoint(web: Service, crowd: Crowds, judge: Judge) -> None:
    """Session affinity must hold for hundreds of clients of one endpoint."""
    sticky_choices(judge, crowd(1000), web.frontend, web.endpoints)


# --- what affinity does not reach across ----------------------------------------------------------


@requirement("aff-not-cross-port", issue(103000))
@over(protocol="TCP")
@arranged(3, ports=WEB_AND_ADMIN, session_affinity=HOUR)
def test_affinity_is_per_service_port(web: Service, crowd: Crowds, judge: Judge) -> None:
    """Affinity must be kept for each Service port on its own: the endpoint of a client on one port
    does not determine its endpoint on another.
    """
    clients = crowd(CLIENTS)
    chosen = [
        sticky_choices(
            judge, visitors, SocketAddress(web.cluster_ip, port.number), web.endpoints_of(port.name)
        )
        for port, visitors in zip(WEB_AND_ADMIN, (clients, clients.reversed()), strict=True)
    ]
    pairs = zip(chosen[0], chosen[1][::-1], strict=True)
    differ = sum(first.address != second.address for first, second in pairs)
    assert differ, f"all {CLIENTS} clients have the same endpoint on both ports"


@requirement("aff-not-cross-family", kep(563))
@over(family="IPv4", protocol="TCP")
@arranged(session_affinity=HOUR, families=FAMILIES)
def test_affinity_is_per_family(web: Service, world: World, judge: Judge) -> None:
    """Affinity must be kept for each IP family on its own: the endpoint of a dual-stack client over
    IPv4 does not determine its endpoint over IPv6.
    """
    hosts = world.hosts("pod", CLIENTS)
    met = []
    for family, turn in zip(FAMILIES, (1, -1), strict=True):
        at = SocketAddress(web.cluster_ip_of(family), web.port)
        endpoints = [web.socket(position, family) for position in range(3)]
        clients = Crowd(world.lab, hosts[::turn], family, "TCP")
        chosen = sticky_choices(judge, clients, at, endpoints)[::turn]
        met.append([endpoints.index(endpoint) for endpoint in chosen])
    assert met[0] != met[1], f"all {CLIENTS} clients have the same endpoint in both families"


# --- other frontends, and traffic policies --------------------------------------------------------


@requirement("aff-nodeport", e2e("service", "session affinity work for NodePort service"))
@over(vantage="outside", protocol="TCP")
@arranged(session_affinity=HOUR, type="NodePort")
def test_affinity_through_node_port(web: Service, crowd: Crowds, judge: Judge) -> None:
    """Session affinity must hold for clients outside the cluster that use a nodePort."""
    sticky_choices(judge, crowd(CLIENTS), web.at_node, web.endpoints)


def _balanced(service: Services, policy: TrafficPolicy) -> ServiceSpec:
    return service.spec(
        ["pod", "pod", "remote-pod"],
        exposed=True,
        session_affinity=HOUR,
        external_traffic_policy=policy,
    )


@requirement("aff-lb", e2e("loadbalancer", "session affinity work for LB"))
@over(vantage="outside", protocol="TCP")
@pytest.mark.parametrize("policy", ["Cluster", "Local"])
@arranged(_balanced)
def test_affinity_through_load_balancer(
    web: Service, crowd: Crowds, judge: Judge, policy: TrafficPolicy
) -> None:
    """Session affinity must hold for clients outside the cluster that use a load balancer IP, with
    either external traffic policy.
    """
    allowed = web.endpoints if policy == "Cluster" else {web.socket(0), web.socket(1)}
    _, balancer, _ = web.external_frontends
    sticky_choices(judge, crowd(CLIENTS), balancer, allowed)


@requirement("aff-presnat-key", docs("virtual-ips", "session affinity"))
@over(vantage="outside", protocol="TCP")
@arranged(["remote-pod", "remote-pod", "remote-pod"], session_affinity=HOUR, type="NodePort")
def test_masked_clients_remain_distinct(web: Service, crowd: Crowds, judge: Judge) -> None:
    """The client that affinity is for must be the one that the packet came from, also where its
    address is replaced by the node's on the way to the endpoint.
    """
    at, clients = web.at_node, crowd(CLIENTS)
    masked = clients.connect(*at)
    expect(masked, "clients are masked").delivered(seen_from=at.address, reply="any")
    sticky_choices(judge, clients, at, web.endpoints)
