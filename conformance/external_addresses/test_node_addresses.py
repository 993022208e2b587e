"""External addresses that the node has itself."""

from __future__ import annotations

from ipaddress import ip_network

from clusters.node import EXTERNAL_INTERFACE
from conformance.external_addresses.everybody import PROTOCOLS, at, serves
from conformance.vocabulary import (
    BOTH,
    FAMILIES,
    IPAddress,
    LabClient,
    NodeClient,
    NodeServer,
    Port,
    Service,
    Services,
    SocketAddress,
    World,
    arranged,
    docs,
    expect,
    having,
    over,
    requirement,
    source,
)

_CHOSEN = 30_019
"""A port that is somebody's nodePort, somebody's at an external IP, and a process's."""


def _addresses(web: Service) -> list[IPAddress]:
    """The load balancer's IPs of a Service."""
    return [each.ip for each in web.spec.ingress if each.ip]


@requirement(
    "lbip-on-iface",
    docs("service", "type LoadBalancer"),
    source("pkg/proxy/ipvs/proxier.go", "syncService"),
)
@over(families=FAMILIES, protocols=PROTOCOLS)
@arranged(2, ports=BOTH, exposed=True)
def test_node_bears_a_load_balancers_ip(
    web: Service, clients: list[LabClient], world: World
) -> None:
    """A load balancer's IP must be served whether or not an interface of the node has it: for pods,
    for processes on the node and for clients outside.
    """
    ips = web.spec.load_balancer_ips
    serves(web, clients, ips)
    with having(world.node, *_addresses(web), interface=EXTERNAL_INTERFACE):
        serves(web, clients, ips)
        for each in clients[:4]:
            with NodeClient(world.lab, world.node, each.family, each.protocol) as process:
                named = {port.protocol: port.name for port in web.spec.ports}
                expected = web.endpoints_of(named[each.protocol], each.family)
                expect(process.connect(*at(ips, each))).delivered(to=expected)


@requirement(
    "lbsr-node-ip",
    source(
        "pkg/proxy/iptables/proxier_test.go",
        "TestLoadBalancer 'same node to LB1 ... implicitly allowed'",
    ),
)
@over(protocol="TCP")
def test_node_sends_from_the_load_balancers_ip(
    service: Services, client: LabClient, world: World
) -> None:
    """Where a Service's loadBalancerSourceRanges admit the node, a process on it must be served at
    the load balancer's IP also where its source is that very IP, which the node bears.
    """
    ranges = tuple(ip_network(world.node.address(family)) for family in FAMILIES)
    web = service(2, exposed=True, load_balancer_source_ranges=ranges)
    ips = web.spec.load_balancer_ips
    expect(client.connect(*at(ips, client))).dropped()
    with (
        having(world.node, *_addresses(web), interface=EXTERNAL_INTERFACE),
        NodeClient(
            world.lab, world.node, client.family, client.protocol, at(ips, client).address
        ) as process,
    ):
        expect(process.connect(*at(ips, client))).delivered(to=web)


@requirement(
    "eip-is-node-ip",
    docs("service", "external IPs"),
    source("pkg/proxy/nftables/proxier.go", "service-ips come before service-nodeports"),
    feature="external-ips-of-nodes",
)
@over(protocol="TCP")
def test_external_ip_is_the_nodes(service: Services, client: LabClient, world: World) -> None:
    """An external IP that is the node's own address must be served, before a process on the node
    that listens at that port and before another Service's nodePort of that number.
    """
    address = world.node.address(client.family)
    web, other = service.create(
        [
            service.spec(2, ports=[Port(_CHOSEN)], external_ips=[address]),
            service.spec(2, ports=[Port(node_port=_CHOSEN)], type="NodePort"),
        ]
    )
    (stranger,) = world.hosts("outside")
    outside = LabClient(world.lab, stranger, client.family, client.protocol)
    with NodeServer(world.lab, world.node, "TCP", SocketAddress(address, _CHOSEN)):
        for each in (client, outside):
            expect(each.connect(address, _CHOSEN)).delivered(to=web)
    expect(client.connect(*other.frontend)).delivered(to=other)
