"""ClusterIP: connections to a Service's cluster IP reach its endpoints."""

from __future__ import annotations

from collections.abc import Callable

from conformance.vocabulary import (
    ATTEMPTS,
    BOTH,
    Client,
    Endpoint,
    LabClient,
    NodeServer,
    Pool,
    Port,
    Protocol,
    Services,
    Slice,
    SocketAddress,
    Vantage,
    World,
    docs,
    e2e,
    expect,
    itself,
    kep,
    over,
    requirement,
    source,
)


@requirement(
    "cip-tcp-dnat",
    docs("service", "type ClusterIP"),
    e2e("service", "serve a basic endpoint from pods"),
)
@over(protocol="TCP")
def test_tcp_connection_to_cluster_ip_reaches_an_endpoint(
    service: Services, client: Client
) -> None:
    """A TCP connection opened to a Service's cluster IP and port must be delivered to one ready
    endpoint of that Service port.
    """
    web = service.shared(endpoints=3)
    expect(client.connect_many(*web.frontend, ATTEMPTS)).delivered(to=web)


@requirement("cip-udp-dnat", docs("service"), e2e("networking", "pod-Service: udp"))
@over(protocol="UDP")
def test_datagram_to_cluster_ip_reaches_an_endpoint(service: Services, client: Client) -> None:
    """A UDP datagram sent to a Service's cluster IP and port must be delivered to one ready
    endpoint of that Service port.
    """
    web = service.shared(endpoints=3)
    expect(client.connect_many(*web.frontend, ATTEMPTS)).delivered(to=web)


@requirement("cip-sctp-dnat", kep(614), e2e("networking", "pod-Service: sctp"), feature="sctp")
@over(protocol="SCTP")
def test_sctp_init_to_cluster_ip_reaches_an_endpoint(service: Services, client: Client) -> None:
    """An SCTP INIT sent to a Service's cluster IP and port must be delivered to one ready endpoint
    of that Service port, and the INIT-ACK must come back from the cluster IP and port.
    """
    web = service.shared(endpoints=3)
    expect(client.connect_many(*web.frontend, ATTEMPTS)).delivered(to=web)


@requirement("cip-port-remap", docs("service", "port definitions"))
def test_endpoint_is_reached_on_its_target_port(service: Services, client: Client) -> None:
    """The destination port at the endpoint must be the one that the EndpointSlice gives the port of
    that name, whatever the Service's own port number is.
    """
    ports = [
        Port(1, 65535, client.protocol, "up"),
        Port(65535, 1, client.protocol, "down"),
        Port(7777, 7777, client.protocol, "same"),
    ]
    web = service.shared(endpoints=1, ports=ports)
    for port in ports:
        probe = client.connect(web.cluster_ip, port.number)
        (endpoint,) = web.endpoints_of(port.name)
        expect(probe).delivered(to=endpoint)


@requirement(
    "cip-multiport",
    docs("service", "multi-port Services"),
    e2e("service", "serve multiport endpoints"),
)
@over(protocol="TCP")
def test_each_port_of_a_service_is_served(
    service: Services, client: Client, assert_pool: Pool
) -> None:
    """Each port of a multi-port Service must be served on its own, with its own target port, by all
    of its endpoints.
    """
    ports = [Port(80 + n, 8080 + n, client.protocol, f"p{n}") for n in range(3)]
    web = service.shared(endpoints=2, ports=ports)
    for port in ports:
        assert_pool(web.cluster_ip, port.number, web.endpoints_of(port.name))


@requirement(
    "cip-same-port-diff-proto", docs("service"), e2e("service", "same port and different protocols")
)
@over(protocol="TCP")
def test_protocols_on_one_port_number_are_apart(service: Services, client: LabClient) -> None:
    """TCP and UDP ports of a Service that share a port number must be routed independently, each to
    its own endpoints and target port.
    """
    protocols: tuple[Protocol, ...] = ("TCP", "UDP")
    ports = [Port(53, 5353 + n, each, each.lower()) for n, each in enumerate(protocols)]
    slices = [Slice((service.endpoint("pod"),), (port,)) for port in ports]
    web = service(ports=ports, slices=slices)
    for port in ports:
        for _ in range(ATTEMPTS):
            probe = client.connect(web.cluster_ip, port.number, protocol=port.protocol)
            expect(probe).delivered(to=web.endpoints_of(port.name))


@requirement("cip-from-host", docs("virtual-ips"), e2e("networking", "node-Service"))
@over(vantage="node")
def test_process_on_the_node_reaches_a_cluster_ip(service: Services, client: Client) -> None:
    """A process on the node, in the node's own network namespace, must be able to use a cluster IP,
    whether the endpoint is on this node or on another.
    """
    here, elsewhere = service.endpoint("pod"), service.endpoint("remote-pod", node=1)
    for web in service.create([service.spec([here]), service.spec([elsewhere])]):
        expect(client.connect(*web.frontend)).delivered(to=web.socket(0))


@requirement(
    "cip-from-external",
    docs("virtual-ips"),
    source("pkg/proxy/iptables/proxier.go", "masquerading of off-cluster traffic to cluster IPs"),
    feature="external-clients",
)
@over(protocol="TCP", vantage=["outside"])
def test_cluster_ip_can_be_used_through_the_node(service: Services, assert_pool: Pool) -> None:
    """A host outside the cluster that routes cluster IPs to the node must reach the Service's
    endpoints and be answered from the cluster IP.
    """
    web = service.shared(endpoints=2)
    assert_pool(*web.frontend, web.endpoints)


@requirement("cip-from-endpoint", docs("virtual-ips"), e2e("networking", "endpoint-Service"))
def test_endpoint_can_use_its_own_service(
    service: Services, client: LabClient, assert_pool: Pool
) -> None:
    """A pod that is an endpoint of a Service must be able to use that Service, and where it is
    chosen itself must see another source than its own address, or its answers would never leave it.
    """
    others = [service.endpoint("pod"), service.endpoint("remote-pod")]
    web = service([Endpoint(client.host), *others])
    for probe in assert_pool(*web.frontend, web.endpoints):
        if probe.endpoint == web.socket(0):
            assert probe.source is not None
            assert probe.source.address != client.address, probe


@requirement("cip-ep-offnode", e2e("networking", "pod-Service"))
@over(protocol="TCP")
def test_endpoints_on_other_nodes_are_reached(service: Services, assert_pool: Pool) -> None:
    """An endpoint on another node must be sent packets addressed to the endpoint's own address,
    which leave the node on its way to other nodes.
    """
    web = service([service.endpoint("remote-pod", node=node) for node in (1, 2)])
    for probe in assert_pool(*web.frontend, web.endpoints):
        expect(probe).delivered(to=web, wire="external")


@requirement("cip-ep-hostnetwork", e2e("networking", "service endpoints using hostNetwork"))
@over(vantage=["pod", "outside", "node"])
def test_endpoints_with_a_node_address_are_reached(
    service: Services, client: Client, world: World, vantage: Vantage
) -> None:
    """An endpoint whose address is that of a node (a pod in the host's network), of this node or of
    another, must be reached: by pods and processes of the node at the cluster IP, from outside at
    the nodePort.
    """
    hosts = [itself(world.node), *world.hosts("remote-node", node=1)]
    webs = service.create([service.spec([Endpoint(host)], type="NodePort") for host in hosts])
    server = SocketAddress(world.node.address(client.family), 8080)
    with NodeServer(world.lab, world.node, client.protocol, server):
        for web in webs:
            probe = client.connect(*(web.at_node if vantage == "outside" else web.frontend))
            expect(probe).delivered(to=web.socket(0))


@requirement(
    "cip-many-services-same-eps", e2e("networking", "multiple endpoint-Services with same selector")
)
@over(protocol="TCP")
def test_many_services_share_endpoints(service: Services, client: LabClient) -> None:
    """Several Services with the same endpoints, over TCP and over UDP, must all work at the same
    time.
    """
    endpoints = service.endpoints(2)
    specs = [service.spec(endpoints, ports=[port]) for port in BOTH for _ in range(4)]
    for web in service.create(specs):
        (port,) = web.spec.ports
        expect(client.connect(*web.frontend, protocol=port.protocol)).delivered(to=web)


@requirement(
    "cip-namespace-isolation", docs("namespaces"), source("pkg/proxy/types.go", "ServicePortName")
)
@over(protocol="TCP")
def test_namesakes_in_two_namespaces_are_apart(
    service: Services, assert_pool: Pool, names: Callable[[], str]
) -> None:
    """Services of the same name in two namespaces must each have their own endpoints only, and the
    deletion of one must leave the other served.
    """
    name, namespace = names(), f"namespace-{names()}"
    service.api.create("namespaces", {"metadata": {"name": namespace}})
    here, there = service.create(
        [service.spec(2, name=name), service.spec(2, name=name, namespace=namespace)]
    )
    for web in (here, there):
        assert_pool(*web.frontend, web.endpoints)
    there.delete()
    assert_pool(*here.frontend, here.endpoints)
