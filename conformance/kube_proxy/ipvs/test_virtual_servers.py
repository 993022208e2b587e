"""IPVS mode from inside: virtual addresses, virtual servers and real servers."""

from __future__ import annotations

from clusters.inspection.ipvs import VirtualServer
from conformance.kube_proxy.ipvs.frontends import (
    DUMMY,
    PORTS,
    bound,
    links,
    own_addresses,
    servers,
    servers_at,
    virtual_addresses,
)
from conformance.vocabulary import (
    LOAD_BALANCER_IPS,
    Client,
    Family,
    Ingress,
    IPAddress,
    Service,
    Services,
    ServiceSpec,
    World,
    api,
    arranged,
    expect,
    in_ipvs,
    kep,
    over,
    source,
)

of_every_kind = arranged(3, shared=True, ports=PORTS, exposed=True)
"""A Service with every kind of frontend, a port of each protocol, and three endpoints of which one
is on the node.
"""


@in_ipvs("ipvs-dummy", source("pkg/proxy/ipvs/README.md"))
@arranged(lambda service: [service.spec(1, exposed=True), service.spec(1)])
def test_virtual_addresses_are_on_a_dummy_device(
    webs: list[Service], world: World, family: Family
) -> None:
    """The dummy device kube-ipvs0, which must be down, must carry every cluster IP, external IP and
    load balancer's IP, each as a single address, and must give up those that no Service has any
    more.
    """
    web, other = webs
    addresses = virtual_addresses(web)
    device = links(world.node)[DUMMY]
    assert device["linkinfo"]["info_kind"] == "dummy", device
    assert "UP" not in device["flags"], device
    assert addresses | {other.cluster_ip} <= bound(world.node)
    inet = {"IPv4": "inet", "IPv6": "inet6"}[family]
    of_family = [each for each in device["addr_info"] if each["family"] == inet]
    whole = other.cluster_ip.max_prefixlen
    assert {each["prefixlen"] for each in of_family} == {whole}, device
    web.delete()
    left = bound(world.node)
    assert not addresses & left, left
    assert other.cluster_ip in left


@in_ipvs("ipm-proxy-ipvs-noaddr", kep(1860), api("Service", "status.loadBalancer.ingress.ipMode"))
def test_address_of_a_proxying_load_balancer_is_left_alone(
    service: Services, world: World, family: Family
) -> None:
    """A load balancer's IP whose ipMode is Proxy must not be on kube-ipvs0 nor have a virtual
    server, while one whose ipMode is VIP must be there and have one.
    """
    network = LOAD_BALANCER_IPS[family]
    proxied, virtual = network[73], network[74]
    service(1, load_balancer_ips=[Ingress(proxied, "Proxy"), Ingress(virtual, "VIP")])
    assert {proxied, virtual} & bound(world.node) == {virtual}
    found = servers_at(world.node, {proxied, virtual})
    assert {address for _, address, _ in found} == {str(virtual)}, found


@in_ipvs("ipvs-vs-per-frontend", source("pkg/proxy/ipvs/README.md"))
@of_every_kind
def test_each_virtual_address_and_port_has_a_virtual_server(web: Service, world: World) -> None:
    """For each port of a Service there must be one virtual server at the cluster IP, at each
    external IP and at each load balancer's IP, of the port's protocol, and no other at these
    addresses, and each must take real servers in turn (rr), unless another scheduler is configured.
    """
    addresses = virtual_addresses(web)
    found = servers_at(world.node, addresses)
    assert found.keys() == {
        (port.protocol, str(address), port.number) for port in PORTS for address in addresses
    }
    assert {each.scheduler for each in found.values()} == {"rr"}, found


@in_ipvs(
    "ipvs-nodeport-addrs",
    source("pkg/proxy/ipvs/README.md"),
    source("pkg/proxy/ipvs/proxier_test.go", "TestNodePortIPv4"),
)
@of_every_kind
def test_node_ports_have_a_virtual_server_at_each_address_of_the_node(
    web: Service, world: World, family: Family
) -> None:
    """A nodePort must have one virtual server at each of the node's addresses, but none at those of
    kube-ipvs0 and of the loopback interface, nor at link-local ones.
    """
    addresses = own_addresses(world.node, family)
    assert world.node.address(family) in addresses
    ports = {(port.protocol, web.node_port(port.name)) for port in PORTS}
    found = {
        (protocol, address, port)
        for (protocol, address, port), server in servers(world.node).items()
        if (protocol, port) in ports and (":" in str(server.address)) == (family == "IPv6")
    }
    assert found == {
        (protocol, str(address), port) for protocol, port in ports for address in addresses
    }


def servers_of(web: Service, addresses: set[IPAddress], world: World) -> list[VirtualServer]:
    """The virtual servers of a Service's only port, of which there is one at each address."""
    ports = {("TCP", web.port), ("TCP", web.node_port())}
    found = [
        each
        for each in servers_at(world.node, addresses).values()
        if (each.protocol, each.port) in ports
    ]
    assert len(found) == len(addresses), found
    return found


def _two_ready(service: Services) -> ServiceSpec:
    unready = service.endpoint("pod", ready=False)
    return service.spec(
        [service.endpoint("pod"), service.endpoint("remote-pod", 1), unready], type="NodePort"
    )


@in_ipvs("ipvs-rs-masq", source("pkg/proxy/ipvs/README.md"))
@arranged(_two_ready)
def test_ready_endpoints_are_the_real_servers(
    service: Services, web: Service, world: World, family: Family
) -> None:
    """The real servers of a virtual server must be exactly the Service's ready endpoints, each with
    its target port, forwarding by NAT and the weight 1.
    """
    addresses = {web.cluster_ip, *own_addresses(world.node, family)}

    def assert_first_two_served() -> None:
        expected = {(str(address), port) for address, port in (web.socket(0), web.socket(1))}
        for server in servers_of(web, addresses, world):
            assert {(each.address, each.port) for each in server.real_servers} == expected, server
            how = {(each.forwarding, each.weight) for each in server.real_servers}
            assert how == {("masquerade", 1)}, server.real_servers

    assert_first_two_served()
    web.set_endpoints(
        [web.endpoint(1), service.endpoint("pod"), service.endpoint("pod", ready=False)]
    )
    assert_first_two_served()


@in_ipvs(
    "ipvs-persist",
    source("pkg/proxy/ipvs/README.md"),
    source("pkg/proxy/ipvs/proxier_test.go", "TestSessionAffinity"),
)
@arranged(2, session_affinity=1234, exposed=True)
def test_affinity_makes_virtual_servers_persistent(
    web: Service, world: World, family: Family
) -> None:
    """With ClientIP affinity every virtual server of a Service must be persistent for the timeout,
    and tell clients apart by their whole address (mask 255.255.255.255, in IPv6 128); with affinity
    None none must be.
    """
    addresses = virtual_addresses(web) | own_addresses(world.node, family)

    def persistence() -> set[tuple[int | None, str | None]]:
        found = servers_of(web, addresses, world)
        return {(each.persistence, each.netmask) for each in found}

    mask = {"IPv4": "255.255.255.255", "IPv6": "128"}[family]
    assert persistence() == {(1234, mask)}
    web.update(session_affinity="None")
    assert persistence() == {(None, None)}


@in_ipvs("hc-np-ipvs-vip", source("pkg/proxy/ipvs/proxier.go", "KUBE-IPVS-FILTER"))
@over(protocol="TCP")
@arranged(["pod"], type="LoadBalancer", external_traffic_policy="Local")
def test_health_checks_are_answered_at_virtual_addresses(
    service: Services, web: Service, client: Client
) -> None:
    """The healthCheckNodePort of a Service must be open at its cluster IP, too, unlike other ports
    of processes on the node.
    """
    service.settle(syncs=2)
    expect(client.connect(web.cluster_ip, web.health_check_node_port)).answered()
