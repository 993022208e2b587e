"""NodePorts: every node serves a NodePort Service at its own address."""

from __future__ import annotations

from dataclasses import replace

from conformance.vocabulary import (
    ATTEMPTS,
    BOTH,
    FAMILIES,
    LOOPBACK,
    Client,
    LabClient,
    Port,
    Service,
    Services,
    SocketAddress,
    World,
    arranged,
    docs,
    e2e,
    expect,
    issue,
    kep,
    node_ports_here_and_there,
    over,
    requirement,
    rfc,
    source,
)

# The lower end of the range, which the API server hands out last of all by itself.
CHOSEN, OTHER = 30_010, 30_011


@requirement(
    "np-tcp",
    docs("service", "type NodePort"),
    e2e("service", "create a functioning NodePort service"),
)
@over(protocol="TCP")
@arranged(type="NodePort", shared=True)
def test_node_port_delivers_tcp(web: Service, client: Client) -> None:
    """A TCP connection from outside the cluster to the address of a node and the nodePort of a
    Service must be sent to the address and target port of one ready endpoint.
    """
    expect(client.connect(*web.at_node)).delivered(to=web, reply="any")


@requirement("np-udp", docs("service", "type NodePort"), e2e("networking", "basic nodePort: udp"))
@over(protocol="UDP")
@arranged(type="NodePort", shared=True)
def test_node_port_delivers_udp(web: Service, client: Client) -> None:
    """A datagram from outside the cluster to the address of a node and the nodePort of a Service
    must be sent to the address and target port of one ready endpoint.
    """
    expect(client.connect(*web.at_node)).delivered(to=web, reply="any")


@requirement(
    "np-sctp", kep(614), e2e("networking", "function for node-Service: sctp"), feature="sctp"
)
@over(protocol="SCTP")
@arranged(type="NodePort", shared=True)
def test_node_port_delivers_sctp(web: Service, client: Client) -> None:
    """An SCTP association from outside the cluster to the address of a node and the nodePort of a
    Service must be set up with one ready endpoint, at its target port.
    """
    expect(client.connect(*web.at_node)).delivered(to=web)


@requirement("np-any-node", docs("service", "type NodePort"))
@over(protocol="TCP")
@arranged(["remote-pod", "remote-pod"], type="NodePort", external_traffic_policy="Cluster")
def test_node_without_endpoints_serves_the_node_port(web: Service, client: Client) -> None:
    """Every node must serve the nodePort of a Service with externalTrafficPolicy Cluster, also a
    node on which none of its endpoints is.
    """
    expect(client.connect(*web.at_node)).delivered(to=web)


@requirement("np-reply-source", docs("service", "type NodePort"))
@arranged(lambda service: [service.spec([at], type="NodePort") for at in ("pod", "remote-pod")])
def test_replies_come_from_the_node_port(webs: list[Service], client: LabClient) -> None:
    """All that a client of a nodePort gets back, the first answer and what follows on the
    connection, must come from the very node address and nodePort that it has addressed, wherever
    the endpoint is.
    """
    for web in webs:
        flows = client.open(*web.at_node)
        expect(flows.opened[0]).delivered(to=web)
        expect(flows.exchange()).kept(flows)


@requirement(
    "np-remote-dst-untouched",
    docs("service", "type NodePort", "a nodePort belongs to the addresses of the node"),
)
@over(vantage=["pod", "outside"], protocol="TCP")
@arranged(type="NodePort", shared=True)
def test_other_hosts_keep_their_ports(web: Service, client: Client, world: World) -> None:
    """A packet that the node only forwards must not be captured although its destination port is
    the number of a nodePort: it reaches the host that it is addressed to.
    """
    expect(client.connect(*web.at_node)).delivered(to=web)
    for place in ("remote-node", "remote-pod", "outside"):
        (host,) = world.hosts(place)
        expect(client.connect(host.address(client.family), web.node_port())).passed_through()


@requirement(
    "np-vip-nodeport",
    docs("virtual-ips"),
    source("pkg/proxy/iptables/proxier_test.go", "TestNodePorts"),
)
@over(vantage="pod", protocol="TCP")
@arranged(type="NodePort", shared=True)
def test_node_port_is_no_port_of_the_cluster_ip(web: Service, client: Client) -> None:
    """A connection to a Service's cluster IP at the number of its nodePort must not reach any of
    its endpoints.
    """
    expect(client.connect(*web.at_node)).delivered(to=web)
    expect(client.connect(web.cluster_ip, web.node_port())).unserved()


@requirement(
    "np-masq-cluster",
    docs("source-ip", "Services with type NodePort"),
    source("pkg/proxy/iptables/proxier_test.go", "TestExternalTrafficPolicyCluster"),
)
@over(protocol="TCP")
@arranged(["remote-pod"], type="NodePort")
def test_replies_return_through_the_node(web: Service, client: Client) -> None:
    """Under externalTrafficPolicy Cluster, an endpoint on another node must see a connection from
    outside to a nodePort come from an address of the node, so that its replies return through it.
    """
    probe = client.connect(*web.at_node)
    expect(probe).delivered(to=web, seen_from=web.at_node.address, reply="any")


@requirement("np-from-pod", e2e("networking", "function for endpoint-Service"))
@over(vantage="pod")
@arranged(node_ports_here_and_there)
def test_pods_can_use_node_ports(webs: list[Service], client: Client, world: World) -> None:
    """A pod's connection to the nodePort of its own node must be sent to an endpoint; to the
    nodePort of another node it must reach that node, wherever the endpoint is.
    """
    _assert_node_ports_usable(webs, client, world)


@requirement("np-from-host", e2e("networking", "function for node-Service"))
@over(vantage="node")
@arranged(node_ports_here_and_there)
def test_processes_on_nodes_can_use_node_ports(
    webs: list[Service], client: Client, world: World
) -> None:
    """The connection of a process on a node to the nodePort at the node's own address must be sent
    to an endpoint; to the nodePort of another node it must reach that node, wherever the endpoint
    is.
    """
    _assert_node_ports_usable(webs, client, world)


def _assert_node_ports_usable(webs: list[Service], client: Client, world: World) -> None:
    (other,) = world.hosts("remote-node", node=2)
    for web in webs:
        expect(client.connect(*web.at_node)).delivered(to=web)
        elsewhere = client.connect(other.address(client.family), web.node_port())
        expect(elsewhere).passed_through()


@requirement("np-change", e2e("networking", "update nodePort: http", "update nodePort: udp"))
def test_node_port_can_be_changed(service: Services, client: Client) -> None:
    """When the nodePort of a Service is changed, new connections must be served at the new number
    and no longer at the old one.
    """
    port = Port(protocol=service.protocol, node_port=CHOSEN)
    web = service(ports=[port], type="NodePort")
    old = web.at_node
    expect(client.connect(*old)).delivered(to=web)
    web.update(ports=[replace(port, node_port=OTHER)])
    expect(client.connect(old.address, OTHER)).delivered(to=web)
    expect(client.connect(*old)).unserved()


@requirement(
    "np-remove",
    docs("service", "type NodePort"),
    e2e("service", "change the type from NodePort to ExternalName"),
)
@over(protocol="TCP")
@arranged(type="NodePort")
def test_type_can_be_changed_to_cluster_ip(web: Service, client: Client, world: World) -> None:
    """When the type of a Service is changed from NodePort to ClusterIP, its nodePort must no longer
    be served, and its cluster IP still must.
    """
    old = web.at_node
    expect(client.connect(*old)).delivered(to=web)
    web.update(type="ClusterIP")
    expect(client.connect(*old)).unserved()
    pod = LabClient(world.lab, world.hosts("pod")[0], client.family, client.protocol)
    expect(pod.connect(*web.frontend)).delivered(to=web)


@requirement(
    "np-from-externalname", e2e("service", "change the type from ExternalName to NodePort")
)
@over(protocol="TCP")
@arranged(2, families=FAMILIES, type="ExternalName", external_name="service.example.com")
def test_external_name_can_become_a_node_port(web: Service, client: Client) -> None:
    """When a Service of type ExternalName turns into one of type NodePort, its nodePort must be
    served.
    """
    web.update(type="NodePort")
    expect(client.connect_many(*web.at_node, ATTEMPTS)).delivered(to=web)


@requirement("np-delete", e2e("networking", "function for pod-Service"), docs("service"))
@over(protocol="TCP")
@arranged(2, ports=BOTH, exposed=True)
def test_deleted_service_is_served_nowhere(web: Service, client: LabClient) -> None:
    """When a Service is deleted, what is sent to its nodePort, its load balancer's IP or its
    external IP must no longer be sent to its endpoints, over TCP nor over UDP.
    """
    at = {each.protocol: web.node_port(each.name) for each in web.spec.ports}
    frontends = [
        (SocketAddress(each.address, number if each == web.at_node else each.port), protocol)
        for protocol, number in at.items()
        for each in web.external_frontends
    ]
    names = {each.protocol: each.name for each in web.spec.ports}
    for (address, port), protocol in frontends:
        probe = client.connect(address, port, protocol=protocol)
        expect(probe).delivered(to=web.endpoints_of(names[protocol]))
    web.delete()
    for (address, port), protocol in frontends:
        expect(client.connect(address, port, protocol=protocol)).unserved()


@requirement("np-add", e2e("service", "update service type to NodePort"))
@over(protocol="TCP")
def test_type_can_be_changed_to_node_port(service: Services, client: Client, world: World) -> None:
    """When the type of a Service is changed from ClusterIP to NodePort, its nodePort must be
    served.
    """
    web = service(ports=[Port(protocol=service.protocol, node_port=CHOSEN)], type="ClusterIP")
    at_node = SocketAddress(world.node.address(client.family), CHOSEN)
    expect(client.connect(*at_node)).unserved()
    web.update(type="NodePort")
    expect(client.connect(*at_node)).delivered(to=web)


@requirement(
    "np-same-number-tcp-udp",
    e2e("service", "listening on same port number but different protocols"),
)
@over(protocol="TCP")
def test_one_number_serves_tcp_and_udp(service: Services, client: LabClient) -> None:
    """One nodePort number must be able to serve a TCP port and a UDP port: a connection of either
    protocol reaches an endpoint at the target port that belongs to its protocol.
    """
    ports = [
        Port(80, 8000, "TCP", "stream", node_port=CHOSEN),
        Port(80, 9000, "UDP", "datagram", node_port=CHOSEN),
    ]
    web = service(ports=ports, type="NodePort")
    for port in ports:
        probe = client.connect(*web.at_node, protocol=port.protocol)
        expect(probe).delivered(to=web.endpoints_of(port.name))


@requirement("sec-martian-l2", rfc(1122, "3.2.1.3"), rfc(4291, "2.5.3"), issue(90259))
@over(vantage=["pod", "outside"])
@arranged(type="NodePort", shared=True)
def test_loopback_addresses_are_for_the_node_alone(web: Service, client: Client) -> None:
    """What comes to the node over a wire must be dropped if it is addressed to a loopback address,
    also where a proxy has the kernel route such for its nodePorts.
    """
    expect(client.connect(*web.at_node)).delivered(to=web)
    expect(client.connect(LOOPBACK[client.family], web.port)).dropped()
