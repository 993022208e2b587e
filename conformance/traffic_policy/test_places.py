"""Traffic policies and places: which endpoints are the node's own, and which clients are inside."""

from __future__ import annotations

from conformance.vocabulary import (
    ATTEMPTS,
    Client,
    Endpoint,
    LabClient,
    NodeServer,
    Service,
    Services,
    ServiceSpec,
    SocketAddress,
    Vantage,
    World,
    arranged,
    docs,
    e2e,
    expect,
    issue,
    itself,
    kep,
    over,
    requirement,
    source,
)


def _of_nodes(service: Services) -> ServiceSpec:
    """Endpoints in the hosts' networks: of the node under test, and of another."""
    ends = [Endpoint(itself(service.node)), service.endpoint("remote-node", 1)]
    return service.spec(ends, internal_traffic_policy="Local")


@requirement(
    "itp-hostnet-ep",
    kep(2086),
    e2e("service", "respect internalTrafficPolicy=Local Pod and Node, to Pod (hostNetwork: true)"),
)
@over(protocol="TCP", vantage=["pod", "node"])
@arranged(_of_nodes)
def test_endpoints_of_the_hosts_network(web: Service, client: Client, world: World) -> None:
    """Under internalTrafficPolicy Local, an endpoint in the network of its host must count as the
    node's own where its nodeName says so, and new connections must be sent to it alone.
    """
    server = SocketAddress(world.node.address(client.family), 8080)
    with NodeServer(world.lab, world.node, client.protocol, server):
        expect(client.connect_many(*web.frontend, ATTEMPTS)).delivered(to=server)


def _of_the_node(service: Services) -> list[ServiceSpec]:
    """Under either policy, with the node itself as the only endpoint."""
    return [
        service.spec([Endpoint(itself(service.node))], exposed=True, external_traffic_policy=policy)
        for policy in ("Cluster", "Local")
    ]


@requirement(
    "etp-hostnet-ep",
    docs("virtual-ips", "external traffic policy"),
    e2e("networking", "service endpoints using hostNetwork"),
)
@over(vantage=["pod", "outside", "node"])
@arranged(_of_the_node)
def test_external_frontends_of_the_hosts_network(
    webs: list[Service], client: Client, world: World
) -> None:
    """Under either externalTrafficPolicy, an endpoint in the network of its host must be reached by
    the nodePort, by external IPs and by load balancers' IPs: from outside, by pods and by processes
    on the node.
    """
    server = SocketAddress(world.node.address(client.family), 8080)
    with NodeServer(world.lab, world.node, client.protocol, server):
        for web in webs:
            for frontend in web.external_frontends:
                expect(client.connect(*frontend)).delivered(to=server)


def _by_name(service: Services) -> ServiceSpec:
    """A pod here of which no node is said, and one elsewhere that is said to be here."""
    ends = [
        service.endpoint("pod", node_name=None),
        service.endpoint("remote-pod", 1, node_name=service.node.name),
    ]
    return service.spec(
        ends,
        type="NodePort",
        internal_traffic_policy="Local",
        external_traffic_policy="Local",
    )


@requirement(
    "itp-locality-nodename", kep(752), source("pkg/proxy/endpointslicecache.go", "isLocal")
)
@over(protocol="TCP", vantage=["pod", "outside"])
@arranged(_by_name)
def test_endpoints_are_here_by_name(web: Service, client: LabClient, vantage: Vantage) -> None:
    """Under a policy Local, internal or external, the node's own endpoints must be those whose
    nodeName in the EndpointSlice is the node's, whatever their addresses are, and one without a
    nodeName must be none of them.
    """
    at = web.frontend if vantage == "pod" else web.at_node
    sample = client.connect_many(*at, ATTEMPTS)
    expect(sample).delivered(to=web.socket(1), reply="any")


def _here_and_there(service: Services) -> list[ServiceSpec]:
    return [
        service.spec([place], type="NodePort", external_traffic_policy="Local")
        for place in ("pod", "remote-pod")
    ]


@requirement(
    "etp-remote-host-nodeport",
    docs("virtual-ips", "external traffic policy"),
    e2e("service", "NodePort and HealthCheckNodePort correctly when ExternalTrafficPolicy changes"),
)
@over(protocol="TCP")
@arranged(_here_and_there)
def test_other_nodes_are_outside(webs: list[Service], client: LabClient, world: World) -> None:
    """Under externalTrafficPolicy Local, what a process on another node sends to the nodePort must
    be sent to the node's own endpoints, which see its own address, and to nobody where there are
    none.
    """
    here, there = webs
    (host,) = world.hosts("remote-node")
    process = LabClient(world.lab, host, client.family, client.protocol)
    expect(process.connect(*here.at_node)).delivered(to=here, seen_from=process.address)
    expect(process.connect(*there.at_node)).kept_out()


@requirement(
    "etp-remote-pod-nodeport",
    docs("source-ip", "Services with type NodePort"),
    issue(74383),
)
@over(vantage="remote-pod")
@arranged(["remote-pod"], exposed=True, external_traffic_policy="Local")
def test_pods_of_other_nodes(web: Service, client: LabClient, world: World) -> None:
    """Under externalTrafficPolicy Local, what a pod of another node sends to this node's external
    frontends must not be sent to an endpoint elsewhere as from the pod itself, whom the endpoint
    would answer past this node: it is delivered to nobody, or comes from the node's address.
    """
    node = world.node.address(client.family)
    for frontend in web.external_frontends:
        probe = client.connect(*frontend)
        if probe.endpoint in web.endpoints:
            expect(probe).delivered(to=web, seen_from=node)
        else:
            expect(probe).kept_out()


@requirement("etp-local-hairpin", docs("virtual-ips", "external traffic policy"))
@arranged(["pod"], exposed=True, external_traffic_policy="Local")
def test_pod_reaches_itself_under_local(web: Service, client: LabClient, world: World) -> None:
    """Under externalTrafficPolicy Local, too, a pod that is the endpoint of a Service must reach
    itself by its external frontends, and see the connection come from the node's address.
    """
    pod = LabClient(world.lab, web.endpoint(0).host, client.family, client.protocol)
    node = world.node.address(client.family)
    for frontend in web.external_frontends:
        expect(pod.connect(*frontend)).delivered(to=web, seen_from=node)
