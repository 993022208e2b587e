"""Lifecycle: what happens to traffic while the proxy restarts, is down, or was."""

from __future__ import annotations

from typing import Any

from conformance.vocabulary import (
    BOTH,
    FAMILIES,
    SERVICE_RANGES,
    Flows,
    LabClient,
    Sample,
    Service,
    Services,
    ServiceSpec,
    SocketAddress,
    World,
    arranged,
    at_node,
    client_of_each_kind,
    down,
    during,
    e2e,
    expect,
    family_of,
    over,
    requirement,
    source,
)


def everybody(world: World) -> list[LabClient]:
    """A pod and a host outside, in each family and over each protocol."""
    return client_of_each_kind(world) + client_of_each_kind(world, "outside")


def frontends(web: Service, world: World, client: LabClient) -> list[SocketAddress]:
    """What a client sends to: a pod to the cluster IP; who is outside to the nodePort and to the
    load balancer's IP, where there are such.
    """
    if client.host.place == "pod":
        return [SocketAddress(web.cluster_ip_of(client.family), web.port)]
    ips = [each.ip for each in web.spec.ingress if each.ip and family_of(each.ip) == client.family]
    return [at_node(world, web, client), *(SocketAddress(each, web.port) for each in ips)]


def connect_each(web: Service, world: World) -> list[Sample]:
    """Eight new connections of each client."""
    return [
        each.connect_many(*frontend, 8)
        for each in everybody(world)
        for frontend in frontends(web, world, each)
    ]


def open_each(web: Service, world: World) -> list[Flows]:
    """Eight flows of each kind to a new Service with three endpoints."""
    flows = [
        client.open(*frontend, 8)
        for client in everybody(world)
        for frontend in frontends(web, world, client)
    ]
    for flow in flows:
        expect(flow.opened).delivered()
    return flows


@requirement("life-restart-existing", e2e("service", "work after restarting kube-proxy"))
@over(families=FAMILIES, protocols=["TCP", "UDP"])
@arranged(3, ports=BOTH, exposed=True)
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
@arranged(3, ports=BOTH, exposed=True)
def test_restart_fails_no_new_connection(service: Services, web: Service, world: World) -> None:
    """While the proxy is restarted every new connection to a Service must be answered."""
    rounds = during(world.node.proxy.restart, lambda: connect_each(web, world))
    service.settle()
    rounds.append(connect_each(web, world))
    for number, samples in enumerate(rounds):
        for sample in samples:
            expect(sample, f"round {number} of {len(rounds)}").delivered()


@requirement(
    "life-stop-keeps-rules",
    source("cmd/kube-proxy/app/server.go", "nothing is removed at exit"),
    feature="rules-outlive-proxy",
)
@over(families=FAMILIES, protocols=["TCP", "UDP"])
@arranged(3, ports=BOTH, exposed=True)
def test_killed_proxy_leaves_services_as_they_are(web: Service, world: World) -> None:
    """When the proxy is killed, existing connections must go on and new ones must be answered for
    as long as it is down.
    """
    flows = open_each(web, world)
    with down(world.node.proxy, kill=True):
        assert not world.node.proxy.running
        for flow in flows:
            expect(flow.exchange()).kept(flow)
        for sample in connect_each(web, world):
            expect(sample).delivered()


def _about_to_change(service: Services) -> list[ServiceSpec]:
    """One whose endpoint will be another, one that nobody outside may use, one that all may."""
    nobody = {"load_balancer_source_ranges": tuple(SERVICE_RANGES.values())}
    kinds: tuple[dict[str, Any], ...] = ({}, nobody, {})
    return [service.spec(1, ports=BOTH, exposed=True, **fields) for fields in kinds]


@requirement(
    "life-restart-missed-changes",
    source("pkg/proxy/iptables/proxier.go", "the first sync after a start is a full one"),
)
@over(families=FAMILIES, protocols=["TCP", "UDP"])
@arranged(_about_to_change)
def test_changes_made_while_the_proxy_is_down_are_in_force_after_its_start(
    service: Services, webs: list[Service], world: World
) -> None:
    """A Service that was created, an endpoint that was replaced, and loadBalancerSourceRanges that
    were changed while the proxy was down must be in force once it is back.
    """
    replaced, freed, limited = webs
    with down(world.node.proxy):
        replaced.set_endpoints([service.endpoint("remote-pod", 1)], settle=False)
        created = service(endpoints=1, ports=BOTH, exposed=True, settle=False)
        ranges = freed.spec.load_balancer_source_ranges
        freed.update(load_balancer_source_ranges=(), settle=False)
        limited.update(load_balancer_source_ranges=ranges, settle=False)
    service.settle()
    for web in (replaced, created, freed):
        for client in everybody(world):
            for frontend in frontends(web, world, client):
                sample = client.connect_many(*frontend, 8)
                expect(sample).delivered(to=web.socket(0, client.family))
    for client in client_of_each_kind(world, "outside"):
        *_, balancer = frontends(limited, world, client)
        expect(client.connect(*balancer), "shut out by now").dropped()


@requirement(
    "sync-relist-delete",
    source("staging/src/k8s.io/client-go/tools/cache/reflector.go", "ListAndWatch"),
)
@over(families=FAMILIES, protocols=["TCP", "UDP"])
@arranged(lambda service: [service.spec(1, ports=BOTH, exposed=True) for _ in range(2)])
def test_objects_deleted_while_the_proxy_is_down_are_gone_after_its_start(
    service: Services, webs: list[Service], world: World
) -> None:
    """A Service that was deleted while the proxy was down must be served no longer once it is back,
    and connections to another one whose EndpointSlices were deleted must be refused.
    """
    deleted, emptied = webs
    for web in webs:
        for sample in connect_each(web, world):
            expect(sample).delivered()
    with down(world.node.proxy):
        deleted.delete(settle=False)
        emptied.drop_slice(0, settle=False)
    service.settle()
    for sample in connect_each(deleted, world):
        expect(sample, "the Service is deleted").unserved()
    for sample in connect_each(emptied, world):
        expect(sample, "no endpoint is left").refused(icmp=True)
