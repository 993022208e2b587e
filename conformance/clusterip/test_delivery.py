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
    Service,
    Services,
    ServiceSpec,
    Slice,
    SocketAddress,
    Vantage,
    World,
    arranged,
    docs,
    e2e,
    expect,
    here_and_there,
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
@arranged(3, shared=True)
def test_tcp_connection_to_cluster_ip_reaches_an_endpoint(web: Service, client: Client) -> None:
    """A TCP connection opened to a Service's cluster IP and port must be delivered to one ready
    endpoint of that Service port.
    """
    expect(client.connect_many(*web.frontend, ATTEMPTS)).delivered(to=web)


@requirement("cip-udp-dnat", docs("service"), e2e("networking", "pod-Service: udp"))
@over(protocol="UDP")
@arranged(3, shared=True)
def test_datagram_to_cluster_ip_reaches_an_endpoint(web: Service, client: Client) -> None:
    """A UDP datagram sent to a Service's cluster IP and port must be delivered to one ready
    endpoint of that Service port.
    """
    expect(client.connect_many(*web.frontend, ATTEMPTS)).delivered(to=web)


@requirement("cip-sctp-dnat", kep(614), e2e("networking", "pod-Service: sctp"), feature="sctp")
@over(protocol="SCTP")
@arranged(3, shared=True)
def test_sctp_init_to_cluster_ip_reaches_an_endpoint(web: Service, client: Client) -> None:
    """An SCTP INIT sent to a Service's cluster IP and port must be delivered to one ready endpoint
    of that Service port, and the INIT-ACK must come back from the cluster IP and port.
    """
    expect(client.connect_many(*web.frontend, ATTEMPTS)).delivered(to=web)


def _remapped(service: Services) -> ServiceSpec:
    """Ports at the ends of their range, and one that is its own target."""
    numbers = {"up": (1, 65535), "down": (65535, 1), "same": (7777, 7777)}
    return service.spec(1, ports=[Port(*numbers[n], service.protocol, n) for n in numbers])


@requirement("cip-port-remap", docs("service", "port definitions"))
@arranged(_remapped)
def test_endpoint_is_reached_on_its_target_port(web: Service, client: Client) -> None:
    """The destination port at the endpoint must be the one that the EndpointSlice gives the port of
    that name, whatever the Service's own port number is.
    """
    for port in web.spec.ports:
        probe = client.connect(web.cluster_ip, port.number)
        (endpoint,) = web.endpoints_of(port.name)
        expect(probe).delivered(to=endpoint)


@requirement(
    "cip-multiport",
    docs("service", "multi-port Services"),
    e2e("service", "serve multiport endpoints"),
)
@over(protocol="TCP")
@arranged(2, shared=True, ports=[Port(80 + n, 8080 + n, name=f"p{n}") for n in range(3)])
def test_each_port_of_a_service_is_served(web: Service, assert_pool: Pool) -> None:
    """Each port of a multi-port Service must be served on its own, with its own target port, by all
    of its endpoints.
    """
    for port in web.spec.ports:
        assert_pool(web.cluster_ip, port.number, web.endpoints_of(port.name))


def _one_number(service: Services) -> ServiceSpec:
    """A TCP and a UDP port of one number, each with an endpoint of its own."""
    protocols: tuple[Protocol, ...] = ("TCP", "UDP")
    ports = [Port(53, 5353 + n, each, each.lower()) for n, each in enumerate(protocols)]
    slices = [Slice((service.endpoint("pod"),), (port,)) for port in ports]
    return service.spec(ports=ports, slices=slices)


@requirement(
    "cip-same-port-diff-proto", docs("service"), e2e("service", "same port and different protocols")
)
@over(protocol="TCP")
@arranged(_one_number)
def test_protocols_on_one_port_number_are_apart(web: Service, client: LabClient) -> None:
    """TCP and UDP ports of a Service that share a port number must be routed independently, each to
    its own endpoints and target port.
    """
    for port in web.spec.ports:
        for _ in range(ATTEMPTS):
            probe = client.connect(web.cluster_ip, port.number, protocol=port.protocol)
            expect(probe).delivered(to=web.endpoints_of(port.name))


@requirement("cip-from-host", docs("virtual-ips"), e2e("networking", "node-Service"))
@over(vantage="node")
@arranged(here_and_there)
def test_process_on_the_node_reaches_a_cluster_ip(webs: list[Service], client: Client) -> None:
    """A process on the node, in the node's own network namespace, must be able to use a cluster IP,
    whether the endpoint is on this node or on another.
    """
    for web in webs:
        expect(client.connect(*web.frontend)).delivered(to=web.socket(0))


@requirement(
    "cip-from-external",
    docs("virtual-ips"),
    source("pkg/proxy/iptables/proxier.go", "masquerading of off-cluster traffic to cluster IPs"),
    feature="external-clients",
)
@over(protocol="TCP", vantage=["outside"])
@arranged(2, shared=True)
def test_cluster_ip_can_be_used_through_the_node(web: Service, assert_pool: Pool) -> None:
    """A host outside the cluster that routes cluster IPs to the node must reach the Service's
    endpoints and be answered from the cluster IP.
    """
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
@arranged(["remote-pod", "remote-pod"])
def test_endpoints_on_other_nodes_are_reached(web: Service, assert_pool: Pool) -> None:
    """An endpoint on another node must be sent packets addressed to the endpoint's own address,
    which leave the node on its way to other nodes.
    """
    for probe in assert_pool(*web.frontend, web.endpoints):
        expect(probe).delivered(to=web, wire="external")


def _of_nodes(service: Services) -> list[ServiceSpec]:
    """A Service whose endpoint is the node under test, and one whose is another node."""
    endpoints = [Endpoint(itself(service.node)), service.endpoint("remote-node", 1)]
    return [service.spec([each], type="NodePort") for each in endpoints]


@requirement("cip-ep-hostnetwork", e2e("networking", "service endpoints using hostNetwork"))
@over(vantage=["pod", "outside", "node"])
@arranged(_of_nodes)
def test_endpoints_with_a_node_address_are_reached(
    webs: list[Service], client: Client, world: World, vantage: Vantage
) -> None:
    """An endpoint whose address is that of a node (a pod in the host's network), of this node or of
    another, must be reached: by pods and processes of the node at the cluster IP, whose own
    addresses it must see, and from outside at the nodePort.
    """
    server = SocketAddress(world.node.address(client.family), 8080)
    with NodeServer(world.lab, world.node, client.protocol, server):
        for web in webs:
            if vantage == "outside":
                expect(client.connect(*web.at_node)).delivered(to=web.socket(0))
            else:
                probe = client.connect(*web.frontend)
                expect(probe).delivered(to=web.socket(0), seen_from=client.address)


def _alike(service: Services) -> list[ServiceSpec]:
    endpoints = service.endpoints(2)
    return [service.spec(endpoints, ports=[port]) for port in BOTH for _ in range(4)]


@requirement(
    "cip-many-services-same-eps", e2e("networking", "multiple endpoint-Services with same selector")
)
@over(protocol="TCP")
@arranged(_alike)
def test_many_services_share_endpoints(webs: list[Service], client: LabClient) -> None:
    """Several Services with the same endpoints, over TCP and over UDP, must all work at the same
    time.
    """
    for web in webs:
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


@requirement("cip-long-names", docs("names", "RFC 1123 Label Names"), docs("service"))
@over(protocol="TCP")
def test_names_of_every_length_are_served(
    service: Services, assert_pool: Pool, names: Callable[[], str]
) -> None:
    """Services whose names are as long as the API allows must be served, each of their ports by its
    own endpoints, though long names of Services and of ports differ in the last letter alone.
    """
    name = f"{names()}-".ljust(62, "n")
    ports = [Port(80 + end, 8080 + end, name=f"{'p' * 47}{end}") for end in range(2)]
    webs = service.create([service.spec(2, name=f"{name}{end}", ports=ports) for end in range(2)])
    for web in webs:
        for port in ports:
            assert_pool(web.cluster_ip, port.number, web.endpoints_of(port.name))
