"""Whose address endpoints see of clients that are inside: pods, and processes on the node."""

from __future__ import annotations

from clusters.node import POD_INTERFACE
from conformance.vocabulary import (
    Client,
    Endpoint,
    IPAddress,
    LabClient,
    NodeClient,
    NodeServer,
    Service,
    Services,
    ServiceSpec,
    SocketAddress,
    World,
    arranged,
    docs,
    e2e,
    expect,
    having,
    itself,
    kep,
    node_ports_here_and_there,
    over,
    requirement,
    source,
)

_TEST = "TestInternalExternalMasquerade"


@requirement(
    "masq-node-np-lb",
    source("pkg/proxy/iptables/proxier_test.go", f"{_TEST} 'node to NodePort', 'node to LB'"),
    feature="masquerade-of-processes",
)
@arranged(["remote-pod"], exposed=True)
def test_processes_on_the_node_at_external_frontends(
    web: Service, client: Client, world: World, second_address: IPAddress
) -> None:
    """Under externalTrafficPolicy Cluster, an endpoint must see a connection of a process on the
    node to a nodePort, a load balancer IP or an external IP come from the address of the interface
    that leads to it, whichever of the node's addresses the process uses.
    """
    identity = client.family, client.protocol
    with NodeClient(world.lab, world.node, *identity, second_address) as process:
        for frontend in web.external_frontends:
            probe = process.connect(*frontend)
            expect(probe).delivered(to=web, seen_from=world.node.address(client.family))


@requirement(
    "masq-etp-local-pod",
    docs("virtual-ips", "external traffic policy"),
    source("pkg/proxy/iptables/proxier_test.go", f"{_TEST} 'pod to NodePort with eTP:Local'"),
)
@arranged(["pod"], external_traffic_policy="Local", exposed=True)
def test_pods_under_local_policy(web: Service, client: Client) -> None:
    """Under externalTrafficPolicy Local, an endpoint on the node must see a connection of a pod
    there to a nodePort, a load balancer IP or an external IP come from the pod's own address.
    """
    for frontend in web.external_frontends:
        expect(client.connect(*frontend)).delivered(to=web, seen_from=client.address)


@requirement(
    "masq-etp-local-node",
    source("pkg/proxy/iptables/proxier_test.go", f"{_TEST} 'node to NodePort with eTP:Local'"),
    feature="masquerade-of-processes",
)
@arranged(["pod"], external_traffic_policy="Local", exposed=True)
def test_processes_on_the_node_under_local_policy(
    web: Service, client: Client, world: World
) -> None:
    """Under externalTrafficPolicy Local, an endpoint on the node must see a connection of a process
    there to a nodePort, a load balancer IP or an external IP come from the node's address.
    """
    with NodeClient(world.lab, world.node, client.family, client.protocol) as process:
        for frontend in web.external_frontends:
            probe = process.connect(*frontend)
            expect(probe).delivered(to=web, seen_from=world.node.address(client.family))


@requirement(
    "masq-itp-local-node",
    kep(2086),
    source("pkg/proxy/iptables/proxier_test.go", f"{_TEST} 'node to ClusterIP with iTP:Local'"),
)
@over(vantage="node")
@arranged(["pod", "remote-pod"], internal_traffic_policy="Local")
def test_processes_on_the_node_under_internal_local_policy(
    web: Service, client: Client, world: World
) -> None:
    """Under internalTrafficPolicy Local, a connection of a process on the node to the cluster IP
    must be sent to the node's own endpoint, which sees it come from the node's address.
    """
    sample = client.connect_many(*web.frontend, 16)
    own = world.node.address(client.family)
    expect(sample).delivered(to=web.socket(0), seen_from=own)


def _here(service: Services) -> ServiceSpec:
    return service.spec([Endpoint(itself(service.node))], exposed=True)


@requirement(
    "masq-hairpin-hostnet",
    e2e("networking", "service endpoints using hostNetwork"),
    e2e("service", "internalTrafficPolicy=Local"),
)
@over(vantage="node")
@arranged(_here)
def test_processes_on_the_node_reach_the_node_itself(
    web: Service, client: Client, world: World
) -> None:
    """A process on the node must reach an endpoint whose address is the node's own, by cluster IP,
    nodePort, load balancer IP and external IP.
    """
    server = SocketAddress(world.node.address(client.family), 8080)
    with NodeServer(world.lab, world.node, client.protocol, server):
        for frontend in web.frontends:
            expect(client.connect(*frontend)).delivered(to=web, seen_from=server.address)


@requirement(
    "masq-snat-address",
    source("pkg/proxy/iptables/proxier_test.go", "TestOverallIPTablesRules"),
    feature="kube-proxy-modes",
)
@over(family="IPv6", vantage="outside")
@arranged(node_ports_here_and_there)
def test_the_outgoing_interface_gives_its_address(
    webs: list[Service], client: Client, world: World
) -> None:
    """An endpoint must see a connection that is masqueraded come from the address of the interface
    by which it leaves the node.
    """
    here, there = webs
    # a neighbour of the pods: the kernel prefers the address that has most in common with theirs
    towards_pods = world.hosts("pod")[0].address(client.family)
    with having(world.node, towards_pods, interface=POD_INTERFACE):
        expect(client.connect(*here.at_node)).delivered(to=here, seen_from=towards_pods)
        own = there.at_node.address
        expect(client.connect(*there.at_node)).delivered(to=there, seen_from=own)


@requirement("masq-reply-symmetric", docs("source-ip"), docs("service", "type NodePort"))
@over(vantage="outside", protocol="TCP")
@arranged(["remote-pod"], exposed=True)
def test_answers_return_the_way_that_requests_came(web: Service, client: LabClient) -> None:
    """All that an endpoint on another node, which has a way of its own to the client, sends on a
    connection that came by this node must return by it, and come to the client from the address and
    port that it has addressed.
    """
    for frontend in web.external_frontends:
        flows = client.open(*frontend)
        expect(flows.opened[0]).delivered(to=web, seen_from=web.at_node.address)
        for _ in range(3):
            expect(flows.exchange()).kept(flows)


@requirement(
    "masq-ep-not-pod",
    docs("service", "Services without selectors"),
    source("pkg/proxy/iptables/proxier.go", "KUBE-MARK-MASQ for what is not local"),
    feature="external-endpoints",
)
@arranged(["outside"])
def test_endpoints_outside_see_pods(web: Service, client: Client) -> None:
    """An endpoint outside the cluster must see a pod's connection to the cluster IP come from the
    pod's own address.
    """
    expect(client.connect(*web.frontend)).delivered(to=web, seen_from=client.address)
