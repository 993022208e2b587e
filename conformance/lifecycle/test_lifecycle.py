"""Lifecycle: what happens to traffic while the proxy restarts, is down, or was."""

from __future__ import annotations

from conformance.vocabulary import (
    BOTH,
    FAMILIES,
    Flows,
    LabClient,
    Sample,
    Service,
    Services,
    World,
    arranged,
    client_of_each_kind,
    down,
    during,
    e2e,
    expect,
    over,
    requirement,
    source,
)


def connect_each(clients: list[LabClient], web: Service) -> list[Sample]:
    """Eight new connections of each client."""
    return [each.connect_many(web.cluster_ip_of(each.family), web.port, 8) for each in clients]


def open_each(web: Service, world: World) -> list[Flows]:
    """Eight flows of each kind to a new Service with three endpoints."""
    flows = [
        client.open(web.cluster_ip_of(client.family), web.port, 8)
        for client in client_of_each_kind(world)
    ]
    for flow in flows:
        expect(flow.opened).delivered()
    return flows


@requirement("life-restart-existing", e2e("service", "work after restarting kube-proxy"))
@over(families=FAMILIES, protocols=["TCP", "UDP"])
@arranged(3, ports=BOTH)
def test_restart_breaks_no_connection(service: Services, web: Service, world: World) -> None:
    """Connections that exist when the proxy restarts must go on without loss where they were."""
    flows = open_each(web, world)
    rounds = during(world.node.proxy.restart, lambda: [flow.exchange() for flow in flows])
    service.settle(syncs=2)
    rounds.append([flow.exchange() for flow in flows])
    for number, samples in enumerate(rounds):
        for flow, sample in zip(flows, samples, strict=True):
            expect(sample, f"message {number} of {len(rounds)}").kept(flow)


@requirement("life-restart-new", e2e("service", "work after restarting kube-proxy"))
@over(families=FAMILIES, protocols=["TCP", "UDP"])
@arranged(3, ports=BOTH)
def test_restart_fails_no_new_connection(service: Services, web: Service, world: World) -> None:
    """While the proxy is restarted every new connection to a Service must be answered."""
    clients = client_of_each_kind(world)
    rounds = during(world.node.proxy.restart, lambda: connect_each(clients, web))
    service.settle()
    rounds.append(connect_each(clients, web))
    for number, samples in enumerate(rounds):
        for sample in samples:
            expect(sample, f"round {number} of {len(rounds)}").delivered()


@requirement(
    "life-stop-keeps-rules",
    source("cmd/kube-proxy/app/server.go", "nothing is removed at exit"),
    feature="rules-outlive-proxy",
)
@over(families=FAMILIES, protocols=["TCP", "UDP"])
@arranged(3, ports=BOTH)
def test_killed_proxy_leaves_services_as_they_are(web: Service, world: World) -> None:
    """When the proxy is killed, existing connections must go on and new ones must be answered for
    as long as it is down.
    """
    flows = open_each(web, world)
    clients = client_of_each_kind(world)
    with down(world.node.proxy, kill=True):
        assert not world.node.proxy.running
        for flow in flows:
            expect(flow.exchange()).kept(flow)
        for sample in connect_each(clients, web):
            expect(sample).delivered()


@requirement(
    "life-restart-missed-changes",
    source("pkg/proxy/iptables/proxier.go", "the first sync after a start is a full one"),
)
@over(families=FAMILIES, protocols=["TCP", "UDP"])
@arranged(1, ports=BOTH)
def test_changes_made_while_the_proxy_is_down_are_in_force_after_its_start(
    service: Services, web: Service, world: World
) -> None:
    """A Service that was created, and an endpoint that was replaced, while the proxy was down must
    be served once it is back.
    """
    clients = client_of_each_kind(world)
    with down(world.node.proxy):
        web.set_endpoints([service.endpoint("remote-pod", 1)], settle=False)
        created = service(endpoints=1, ports=BOTH, settle=False)
    service.settle()
    for client in clients:
        for each in (web, created):
            sample = client.connect_many(each.cluster_ip_of(client.family), each.port, 8)
            expect(sample).delivered(to=each.socket(0, client.family))


@requirement(
    "sync-relist-delete",
    source("staging/src/k8s.io/client-go/tools/cache/reflector.go", "ListAndWatch"),
)
@over(families=FAMILIES, protocols=["TCP", "UDP"])
@arranged(lambda service: [service.spec(1, ports=BOTH), service.spec(1, ports=BOTH)])
def test_objects_deleted_while_the_proxy_is_down_are_gone_after_its_start(
    service: Services, webs: list[Service], world: World
) -> None:
    """A Service that was deleted while the proxy was down must be served no longer once it is back,
    and connections to another one whose EndpointSlices were deleted must be refused.
    """
    deleted, emptied = webs
    clients = client_of_each_kind(world)
    for web in webs:
        for sample in connect_each(clients, web):
            expect(sample).delivered()
    with down(world.node.proxy):
        deleted.delete(settle=False)
        emptied.drop_slice(0, settle=False)
    service.settle()
    for sample in connect_each(client_of_each_kind(world), deleted):
        expect(sample, "the Service is deleted").unserved()
    for sample in connect_each(client_of_each_kind(world), emptied):
        expect(sample, "no endpoint is left").refused(icmp=True)
