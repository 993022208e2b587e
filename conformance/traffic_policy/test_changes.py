"""Traffic policies that change, and endpoints that come and go under them."""

from __future__ import annotations

from collections.abc import Iterable

from conformance.vocabulary import (
    BOTH,
    FAMILIES,
    FLOWS,
    Flows,
    Health,
    LabClient,
    Service,
    Services,
    SocketAddress,
    World,
    arranged,
    at_node,
    client_of_each_kind,
    clients_of,
    docs,
    e2e,
    expect,
    health,
    kep,
    over,
    requirement,
    source,
)

ENOUGH = 40
"""Connections of which chance leaves out one of two endpoints once in 10^12 times."""

pytestmark = over(families=FAMILIES, protocols=["TCP", "UDP"])


def _reaches(client: LabClient, web: Service, *positions: int) -> None:
    """New connections to the cluster IP get to the endpoints at these positions, and to each."""
    sample = client.connect_many(web.cluster_ip_of(client.family), web.port, ENOUGH)
    expected = {web.socket(each, client.family) for each in positions}
    expect(sample).delivered(to=expected)
    assert set(sample.counts) == expected, f"{sample.counts}, {sample}"


@requirement("itp-live-switch", kep(2086))
@arranged(["pod", "remote-pod"], ports=BOTH)
def test_internal_policy_changes(web: Service, world: World) -> None:
    """Once the internalTrafficPolicy of a Service has become Local, new connections to its cluster
    IP must be sent to the node's own endpoints alone, and once it is Cluster again, to all.
    """
    clients = client_of_each_kind(world)
    for each in clients:
        _reaches(each, web, 0, 1)
    web.update(internal_traffic_policy="Local")
    for each in clients:
        _reaches(each, web, 0)
    web.update(internal_traffic_policy="Cluster")
    for each in clients:
        _reaches(each, web, 0, 1)


@requirement("itp-recovers", kep(2086))
@arranged(["remote-pod"], ports=BOTH, internal_traffic_policy="Local")
def test_local_endpoints_come_and_go(web: Service, service: Services, world: World) -> None:
    """Under internalTrafficPolicy Local, new connections to the cluster IP must be delivered once
    the node gets a ready endpoint of the Service, and to nobody once it has none again.
    """
    clients = client_of_each_kind(world)

    def kept_out() -> None:
        for each in clients:
            expect(each.connect(web.cluster_ip_of(each.family), web.port)).kept_out()

    kept_out()
    there = web.spec.endpoints
    web.set_endpoints([*there, service.endpoint("pod")])
    for each in clients:
        _reaches(each, web, 1)
    web.set_endpoints(there)
    kept_out()


def _open(clients: Iterable[LabClient], targets: Iterable[SocketAddress]) -> list[Flows]:
    opened = [client.open(*at, count=FLOWS) for client, at in zip(clients, targets, strict=True)]
    for flows in opened:
        expect(flows.opened).delivered(reply="any")
    return opened


def _kept_out(opened: Iterable[Flows], clients: Iterable[LabClient]) -> None:
    """Those that were opened go on, while new connections reach nobody."""
    for flows in opened:
        expect(flows.exchange()).kept(flows)
    for flows, client in zip(opened, clients, strict=True):
        expect(client.connect(*flows.opened[0].target)).kept_out()


@requirement("itp-keep-established", docs("virtual-ips"), kep(2086))
@arranged(["pod", "remote-pod"], internal_traffic_policy="Local", ports=BOTH[:1])
def test_internal_connections_outlive_readiness(web: Service, world: World) -> None:
    """Under internalTrafficPolicy Local, established TCP connections to the cluster IP must go on
    when the node's last endpoint is no longer ready, while new ones are delivered to nobody.
    """
    clients = clients_of(world, "TCP")
    at = [SocketAddress(web.cluster_ip_of(each.family), web.port) for each in clients]
    opened = _open(clients, at)
    web.change_endpoint(0, ready=False)
    _kept_out(opened, clients)


@requirement(
    "etp-local-drop-new-only",
    docs("virtual-ips"),
    source("pkg/proxy/iptables/proxier.go", "KUBE-EXTERNAL-SERVICES sees new connections alone"),
)
@arranged(["pod", "remote-pod"], type="NodePort", external_traffic_policy="Local", ports=BOTH[:1])
def test_external_connections_outlive_readiness(web: Service, world: World) -> None:
    """Under externalTrafficPolicy Local, established TCP connections from outside must go on when
    the node's last endpoint is no longer ready, while new ones are delivered to nobody.
    """
    clients = clients_of(world, "TCP", "outside")
    opened = _open(clients, [at_node(world, web, each) for each in clients])
    web.change_endpoint(0, ready=False)
    _kept_out(opened, clients)


@requirement(
    "etp-local-established",
    docs("virtual-ips"),
    source("pkg/proxy/iptables/proxier.go", "KUBE-EXTERNAL-SERVICES sees new connections alone"),
)
@arranged(["remote-pod"], type="NodePort", ports=BOTH[:1])
def test_connections_outlive_the_external_policy(web: Service, world: World) -> None:
    """Established TCP connections from outside to an endpoint elsewhere must go on when the
    externalTrafficPolicy of their Service becomes Local, while new ones are delivered to nobody.
    """
    clients = clients_of(world, "TCP", "outside")
    opened = _open(clients, [at_node(world, web, each) for each in clients])
    web.update(external_traffic_policy="Local")
    _kept_out(opened, clients)


@requirement(
    "etp-switch-live",
    docs("virtual-ips", "external traffic policy"),
    e2e("service", "NodePort and HealthCheckNodePort correctly when ExternalTrafficPolicy changes"),
)
@arranged(["remote-pod"], exposed=True, ports=BOTH)
def test_external_policy_changes(web: Service, service: Services, world: World) -> None:
    """Once the externalTrafficPolicy of a LoadBalancer Service has become Local, new connections
    from outside must be delivered to nobody on a node without endpoints, and its
    healthCheckNodePort must say so; once it is Cluster again, they must be served, and that port
    must be closed.
    """
    strangers = client_of_each_kind(world, "outside")

    def answers(port: int) -> list[Health | None]:
        service.settle(syncs=2)
        return [health(world.node.system, family, port) for family in FAMILIES]

    def served() -> None:
        for each in strangers:
            expect(each.connect(*at_node(world, web, each))).delivered()

    served()
    web.update(external_traffic_policy="Local")
    for each in strangers:
        expect(each.connect(*at_node(world, web, each))).kept_out()
    port = web.health_check_node_port
    assert answers(port) == [Health(503, 0)] * 2
    web.update(external_traffic_policy="Cluster")
    served()
    assert answers(port) == [None] * 2
