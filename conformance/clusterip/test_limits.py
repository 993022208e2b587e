"""ClusterIP: what a Service proxy must leave alone or keep out."""

from __future__ import annotations

import socket

from conformance.vocabulary import (
    Client,
    Family,
    LabClient,
    Neighbours,
    Place,
    Port,
    Probe,
    Protocol,
    Services,
    Vantage,
    World,
    docs,
    e2e,
    expect,
    issue,
    kep,
    over,
    requirement,
    setting,
    source,
)

_UNSERVED = 4321


def _probe_unserved(service: Services, client: Client) -> Probe:
    """A connection to a port that a served cluster IP does not have."""
    web = service(endpoints=1)
    expect(client.connect(*web.frontend)).answered()
    return client.connect(web.cluster_ip, _UNSERVED)


@requirement("cip-unserved-port", kep(3866, "cluster IP behaviour"))
@over(
    {"vantage": "pod", "protocol": ["TCP", "UDP"]},
    {"vantage": "outside", "protocol": "TCP"},
)
def test_port_that_a_service_does_not_have(service: Services, client: Client) -> None:
    """Traffic to a cluster IP on a port that the Service does not define must not reach any
    endpoint, nor be answered.
    """
    expect(_probe_unserved(service, client)).unserved()


@requirement(
    "cip-unserved-port-passed",
    docs("virtual-ips", "proxy mode iptables"),
    kep(3866, "cluster IP behaviour"),
    feature="unserved-port-passed",
)
def test_port_that_a_service_does_not_have_is_left_to_routing(
    service: Services, client: Client
) -> None:
    """Traffic to a cluster IP on a port that the Service does not define must follow the node's
    routes as if there were no Service.
    """
    probe = _probe_unserved(service, client)
    expect(probe).passed_through(untouched=True, wire="external", reply="any")


@requirement(
    "cip-unserved-port-rejected",
    docs("virtual-ips", "proxy mode nftables"),
    kep(3866, "cluster IP behaviour"),
    feature="unserved-port-rejected",
)
@over({"vantage": "pod", "protocol": "TCP"}, {"vantage": "outside", "protocol": "UDP"})
def test_port_that_a_service_does_not_have_is_rejected(service: Services, client: Client) -> None:
    """Traffic to a cluster IP on a port that the Service does not define must be rejected with ICMP
    port unreachable.
    """
    expect(_probe_unserved(service, client)).refused(icmp=True)


@requirement(
    "cip-unallocated-ip",
    docs("virtual-ips", "proxy mode nftables"),
    kep(3866, "cluster IP behaviour"),
    feature="unallocated-ip-dropped",
)
@over(protocol="TCP")
def test_cluster_ip_of_no_service_is_dropped(service: Services, client: Client) -> None:
    """Traffic to an address of the Service range that no Service has, or has any longer, must be
    dropped on the node.
    """
    web = service(endpoints=1)
    web.delete()
    expect(client.connect(*web.frontend)).dropped()


@requirement(
    "cip-proto-mismatch",
    source("pkg/proxy/iptables/proxier_test.go", "'TCP-only port does not match UDP traffic'"),
)
def test_other_protocols_do_not_match(service: Services, client: LabClient) -> None:
    """Traffic of one protocol must not be delivered to a Service port of another protocol with the
    same number.
    """
    web = service.shared(endpoints=1)
    expect(client.connect(*web.frontend)).answered()
    protocols: set[Protocol] = {"TCP", "UDP", "SCTP"}
    for other in protocols - {client.protocol}:
        expect(client.connect(*web.frontend, protocol=other)).unserved()


@requirement(
    "cip-no-cross-service",
    source("pkg/proxy/iptables/proxier_test.go", "'svc1 does not accept svc2's ports'"),
)
@over(protocol="TCP")
def test_ports_of_another_service_do_not_match(service: Services, client: Client) -> None:
    """A cluster IP must not accept the port numbers of other Services, nor of its own endpoints."""
    protocol = client.protocol
    one, two = service.create(
        [
            service.spec(1, ports=[Port(81, 8081, protocol)]),
            service.spec(1, ports=[Port(82, 8082, protocol)]),
        ]
    )
    for web, wrong in ((one, 82), (two, 81), (one, 8081), (two, 8082)):
        expect(client.connect(*web.frontend)).answered()
        expect(client.connect(web.cluster_ip, wrong)).unserved()


@requirement("cip-host-svc-via-vip", issue(72236))
@over(protocol="UDP")
def test_cluster_ip_does_not_lead_to_the_node(
    service: Services, client: Client, world: World, family: Family
) -> None:
    """A process that listens on all addresses of the node must not become reachable by a cluster
    IP.
    """
    web = service.shared(endpoints=1)
    domain = socket.AF_INET if family == "IPv4" else socket.AF_INET6
    with world.node.system.socket(domain, socket.SOCK_DGRAM) as listener:
        listener.setblocking(False)
        listener.bind(("", _UNSERVED))
        client.connect(world.node.address(family), _UNSERVED)
        assert listener.recv(64), "the node's process is out of reach anyway"
        probe = client.connect(web.cluster_ip, _UNSERVED)
        try:
            got = listener.recvfrom(64)
        except BlockingIOError:
            got = None
        assert got is None, f"the node's process has got {got}: {probe}"


@requirement("cip-headless-ignored", docs("service", "headless Services"))
@over(protocol="TCP")
def test_headless_service_has_no_effect(service: Services, client: Client) -> None:
    """A headless Service must have no effect on traffic to the addresses of its endpoints, on its
    port or on their target port.
    """
    headless = service.shared(endpoints=2, headless=True)
    for endpoint in headless.endpoints:
        for port in (endpoint.port, headless.port):
            expect(client.connect(endpoint.address, port)).passed_through(untouched=True)


@requirement("cip-nonsvc-untouched", docs("networking"), e2e("no_snat", "pods without SNAT"))
@over(
    {"vantage": "pod", "protocol": ["TCP", "UDP"]},
    {"vantage": "remote-pod", "protocol": "UDP"},
    {"vantage": "outside", "protocol": "TCP"},
)
def test_other_traffic_is_untouched(
    service: Services, client: Client, world: World, vantage: Vantage
) -> None:
    """Traffic to an address that is no Service's, of a pod, a node or a host outside the cluster,
    must be translated in neither its destination nor its source, even where a Service uses the same
    port number.
    """
    web = service.shared(endpoints=1)
    places: list[Place] = ["pod"]
    if vantage == "pod":
        places += ["remote-pod", "remote-node", "outside"]
    for place in places:
        other = world.hosts(place)[0].address(client.family)
        expect(client.connect(other, web.port)).passed_through(untouched=True)
    node = world.node.address(client.family)
    expect(client.connect(node, web.port)).rejected(by=node)


@requirement(
    "cip-arp-silent", setting("KubeProxyIPVSConfiguration.strictARP"), feature="silent-cluster-ips"
)
@over(protocol="TCP")
def test_node_does_not_claim_cluster_ips(service: Services, world: World, family: Family) -> None:
    """The node must not answer ARP requests or neighbour solicitations for a cluster IP on its
    external link.
    """
    web = service.shared(endpoints=1)
    neighbours = Neighbours(world.lab, "external")
    assert neighbours.ask(world.node.address(family)) == [world.node.wires["external"].node_mac]
    assert neighbours.ask(web.cluster_ip) == []
