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
    Service,
    Services,
    ServiceSpec,
    Vantage,
    World,
    arranged,
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


def _probe_unserved(web: Service, client: Client) -> Probe:
    """A connection to a port that a served cluster IP does not have."""
    expect(client.connect(*web.frontend)).answered()
    return client.connect(web.cluster_ip, _UNSERVED)


@requirement("cip-unserved-port", kep(3866, "cluster IP behaviour"))
@over(
    {"vantage": "pod", "protocol": ["TCP", "UDP"]},
    {"vantage": "outside", "protocol": "TCP"},
)
@arranged(1, shared=True)
def test_port_that_a_service_does_not_have(web: Service, client: Client) -> None:
    """Traffic to a cluster IP on a port that the Service does not define must not reach any
    endpoint, nor be answered.
    """
    expect(_probe_unserved(web, client)).unserved()


@requirement(
    "cip-unserved-port-passed",
    docs("virtual-ips", "proxy mode iptables"),
    kep(3866, "cluster IP behaviour"),
    feature="unserved-port-passed",
)
@arranged(1, shared=True)
def test_port_that_a_service_does_not_have_is_left_to_routing(web: Service, client: Client) -> None:
    """Traffic to a cluster IP on a port that the Service does not define must follow the node's
    routes as if there were no Service.
    """
    probe = _probe_unserved(web, client)
    expect(probe).passed_through(untouched=True, wire="external", reply="any")


@requirement(
    "cip-unserved-port-rejected",
    docs("virtual-ips", "proxy mode nftables"),
    kep(3866, "cluster IP behaviour"),
    feature="unserved-port-rejected",
)
@over({"vantage": "pod", "protocol": "TCP"}, {"vantage": "outside", "protocol": "UDP"})
@arranged(1, shared=True, type="NodePort")
def test_port_that_a_service_does_not_have_is_rejected(web: Service, client: Client) -> None:
    """Traffic to a cluster IP on a port that the Service does not define must be rejected with ICMP
    port unreachable.
    """
    expect(_probe_unserved(web, client)).refused(icmp=True)
    expect(client.connect(web.cluster_ip, web.node_port())).refused(icmp=True)


@requirement(
    "cip-unallocated-ip",
    docs("virtual-ips", "proxy mode nftables"),
    kep(3866, "cluster IP behaviour"),
    feature="unallocated-ip-dropped",
)
@over(protocol="TCP")
@arranged(1)
def test_cluster_ip_of_no_service_is_dropped(web: Service, client: Client) -> None:
    """Traffic to an address of the Service range that no Service has, or has any longer, must be
    dropped on the node.
    """
    web.delete()
    expect(client.connect(*web.frontend)).dropped()


@requirement(
    "cip-proto-mismatch",
    source("pkg/proxy/iptables/proxier_test.go", "'TCP-only port does not match UDP traffic'"),
)
@arranged(1, shared=True)
def test_other_protocols_do_not_match(web: Service, client: LabClient) -> None:
    """Traffic of one protocol must not be delivered to a Service port of another protocol with the
    same number.
    """
    expect(client.connect(*web.frontend)).answered()
    protocols: set[Protocol] = {"TCP", "UDP", "SCTP"}
    for other in protocols - {client.protocol}:
        expect(client.connect(*web.frontend, protocol=other)).unserved()


def _of_two_ports(service: Services) -> list[ServiceSpec]:
    return [service.spec(1, ports=[Port(80 + n, 8080 + n)]) for n in (1, 2)]


@requirement(
    "cip-no-cross-service",
    source("pkg/proxy/iptables/proxier_test.go", "'svc1 does not accept svc2's ports'"),
)
@over(protocol="TCP")
@arranged(_of_two_ports)
def test_ports_of_another_service_do_not_match(webs: list[Service], client: Client) -> None:
    """A cluster IP must not accept the port numbers of other Services, nor of its own endpoints."""
    one, two = webs
    for web, wrong in ((one, 82), (two, 81), (one, 8081), (two, 8082)):
        expect(client.connect(*web.frontend)).answered()
        expect(client.connect(web.cluster_ip, wrong)).unserved()


@requirement("cip-host-svc-via-vip", issue(72236))
@over(protocol="UDP")
@arranged(1, shared=True)
def test_cluster_ip_does_not_lead_to_the_node(
    web: Service, client: Client, world: World, family: Family
) -> None:
    """A process that listens on all addresses of the node must not become reachable by a cluster
    IP.
    """
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
@arranged(2, shared=True, headless=True)
def test_headless_service_has_no_effect(web: Service, client: Client) -> None:
    """A headless Service must have no effect on traffic to the addresses of its endpoints, on its
    port or on their target port.
    """
    for endpoint in web.endpoints:
        for port in (endpoint.port, web.port):
            expect(client.connect(endpoint.address, port)).passed_through(untouched=True)


def _of_a_name(service: Services) -> list[ServiceSpec]:
    """A Service that stands for a name, with external IPs and endpoints all the same, and a plain
    one.
    """
    name = "service.example.com"
    return [
        service.spec(2, exposed=True, type=kind, external_name=external)
        for kind, external in (("ExternalName", name), ("ClusterIP", None))
    ]


@requirement(
    "cip-externalname-ignored",
    docs("service", "type ExternalName"),
    source("pkg/proxy/util/utils.go", "ShouldSkipService"),
)
@over(protocol="TCP", vantage=["pod", "outside"])
@arranged(_of_a_name)
def test_service_of_a_name_has_no_effect(webs: list[Service], client: Client) -> None:
    """A Service of type ExternalName must not be served, though it has external IPs and
    EndpointSlices.
    """
    named, plain = webs
    expect(client.connect(*plain.external_frontends[-1])).delivered(to=plain)
    expect(client.connect(*named.external_frontends[-1])).unserved()


@requirement("cip-nonsvc-untouched", docs("networking"), e2e("no_snat", "pods without SNAT"))
@over(
    {"vantage": "pod", "protocol": ["TCP", "UDP"]},
    {"vantage": "remote-pod", "protocol": "UDP"},
    {"vantage": "outside", "protocol": "TCP"},
)
@arranged(1, shared=True)
def test_other_traffic_is_untouched(
    web: Service, client: Client, world: World, vantage: Vantage
) -> None:
    """Traffic to an address that is no Service's, of a pod, a node or a host outside the cluster,
    must be translated in neither its destination nor its source, even where a Service uses the same
    port number.
    """
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
@arranged(1, shared=True)
def test_node_does_not_claim_cluster_ips(web: Service, world: World, family: Family) -> None:
    """The node must not answer ARP requests or neighbour solicitations for a cluster IP on its
    external link.
    """
    neighbours = Neighbours(world.lab, "external")
    assert neighbours.ask(world.node.address(family)) == [world.node.wires["external"].node_mac]
    assert neighbours.ask(web.cluster_ip) == []
