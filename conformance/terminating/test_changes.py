"""Endpoints that begin to terminate, and what becomes of connections meanwhile."""

from __future__ import annotations

from dataclasses import replace

from conformance.vocabulary import (
    ATTEMPTS,
    BOTH,
    FAMILIES,
    FLOWS,
    Client,
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
    ending,
    expect,
    kep,
    over,
    requirement,
    source,
)

dual = over(families=FAMILIES, protocols=["TCP", "UDP"])


@requirement("term-recover", kep(1669))
@dual
@arranged(
    lambda service: service.spec([*map(ending, service.endpoints(2))], type="NodePort", ports=BOTH)
)
def test_ready_endpoint_takes_over(web: Service, service: Services, world: World) -> None:
    """Where all endpoints of a Service are terminating and still serve, new connections must be
    sent to an endpoint that becomes ready, and to the terminating ones no longer.
    """
    asked = [
        *(
            (each, SocketAddress(web.cluster_ip_of(each.family), web.port))
            for each in client_of_each_kind(world)
        ),
        *((each, at_node(world, web, each)) for each in client_of_each_kind(world, "outside")),
    ]
    for client, at in asked:
        expect(client.connect(*at)).delivered(to=web.endpoints_of("web", client.family))
    web.set_endpoints([*web.spec.endpoints, service.endpoint("remote-pod", 1)])
    for client, at in asked:
        expect(client.connect_many(*at, ATTEMPTS)).delivered(to=web.socket(2, client.family))


@requirement("term-established", docs("virtual-ips"), e2e("pod_lifecycle", "terminating pods"))
@dual
@arranged(2, type="NodePort", ports=BOTH)
def test_connections_outlive_readiness(web: Service, world: World) -> None:
    """Established TCP connections, by the cluster IP and by the nodePort, must stay with an
    endpoint that begins to terminate, while new ones are sent to those that are ready.
    """
    pods, strangers = clients_of(world, "TCP"), clients_of(world, "TCP", "outside")
    asked = [
        *((each, SocketAddress(web.cluster_ip_of(each.family), web.port)) for each in pods),
        *((each, at_node(world, web, each)) for each in strangers),
    ]
    opened = [client.open(*at, count=FLOWS) for client, at in asked]
    for flows in opened:
        expect(flows.opened).delivered()
    web.set_endpoints([*map(ending, web.spec.endpoints[:1]), *web.spec.endpoints[1:]])
    for (client, at), flows in zip(asked, opened, strict=True):
        expect(client.connect_many(*at, ATTEMPTS)).delivered(to=web.socket(1, client.family))
        expect(flows.exchange()).kept(flows)


@requirement(
    "term-unready-then-removed",
    source("pkg/proxy/endpointslicecache.go"),
    docs("endpoint-slices", "conditions"),
)
@dual
@arranged(3, ports=BOTH)
def test_endpoint_leaves_in_two_steps(web: Service, world: World) -> None:
    """Once an endpoint that was no longer ready, and then terminating, is taken out of the
    EndpointSlice, new connections must be sent to exactly the others.
    """
    first, *others = web.spec.endpoints
    web.set_endpoints([replace(first, ready=False), *others])
    web.set_endpoints([replace(first, ready=False, serving=False, terminating=True), *others])
    web.set_endpoints(others)
    for client in client_of_each_kind(world):
        expected = {web.socket(each, client.family) for each in range(2)}
        sample = client.connect_many(web.cluster_ip_of(client.family), web.port, 48)
        expect(sample).delivered(to=expected)
        assert set(sample.counts) == expected, f"{sample.counts}, {sample}"


@requirement("term-from-terminating-pod", e2e("pod_lifecycle", "terminating pods"))
@over(protocol=["TCP", "UDP"])
@arranged(
    lambda service: [
        service.spec([ending(service.endpoint("pod")), service.endpoint("remote-pod")]),
        service.spec(["remote-pod"]),
    ]
)
def test_terminating_pod_is_a_client(webs: list[Service], client: Client, world: World) -> None:
    """A pod that is terminating must be able to open connections to Services: to the one of which
    it is an endpoint, and to others.
    """
    web, other = webs
    pod = LabClient(world.lab, web.endpoint(0).host, client.family, client.protocol)
    sample = pod.connect_many(*web.frontend, ATTEMPTS)
    expect(sample).delivered(to=web.socket(1), seen_from=pod.address)
    expect(pod.connect(*other.frontend)).delivered(to=other, seen_from=pod.address)
