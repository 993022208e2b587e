"""Masquerading: whose connections keep their source, and whose seem to come from the node."""

from __future__ import annotations

import numpy as np

from conformance.vocabulary import (
    Budget,
    Client,
    Endpoint,
    IPAddress,
    Judge,
    LabClient,
    NodeClient,
    Service,
    Services,
    ServiceSpec,
    SocketAddress,
    World,
    arranged,
    docs,
    e2e,
    expect,
    here_and_there,
    issue,
    kep,
    over,
    requirement,
    rfc,
    sample_size,
    source,
    uniform,
)


@requirement(
    "masq-pod-cip",
    docs("source-ip", "Services with type ClusterIP"),
    e2e("service", "preserve source pod IP for traffic thru service cluster IP"),
)
@arranged(here_and_there)
def test_pods_keep_their_address(webs: list[Service], client: Client) -> None:
    """An endpoint must see a connection from a pod of the node to the cluster IP come from the
    pod's own address, whether it is on the node itself or elsewhere.
    """
    for web in webs:
        expect(client.connect(*web.frontend)).delivered(to=web, seen_from=client.address)


@requirement(
    "masq-ext-cip",
    docs("kube-proxy", note="--cluster-cidr"),
    source(
        "pkg/proxy/iptables/proxier_test.go",
        "TestInternalExternalMasquerade 'external to ClusterIP'",
    ),
    feature="cluster-ip-masquerade",
)
@over(vantage="outside")
@arranged(here_and_there)
def test_strangers_to_cluster_ip_are_masqueraded(
    webs: list[Service], client: Client, world: World
) -> None:
    """An endpoint must see a connection that a client which is no pod makes to the cluster IP,
    through the node, come from the node's address.
    """
    for web in webs:
        probe = client.connect(*web.frontend)
        expect(probe).delivered(to=web, seen_from=world.node.address(client.family))


@requirement(
    "masq-node-cip",
    source(
        "pkg/proxy/iptables/proxier_test.go", "TestInternalExternalMasquerade 'node to ClusterIP'"
    ),
    feature="cluster-ip-masquerade",
)
@arranged(["remote-pod"])
def test_processes_on_the_node_are_masqueraded(
    web: Service, client: Client, world: World, second_address: IPAddress
) -> None:
    """An endpoint must see a connection of a process on the node to the cluster IP come from the
    address of the interface that leads to it, whichever of the node's addresses the process uses.
    """
    identity = client.family, client.protocol
    with NodeClient(world.lab, world.node, *identity, second_address) as process:
        probe = process.connect(*web.frontend)
    assert probe.client.address == second_address
    expect(probe).delivered(to=web, seen_from=world.node.address(client.family))


@requirement(
    "masq-ext-cluster",
    docs("source-ip"),
    source("pkg/proxy/iptables/proxier_test.go", "TestExternalTrafficPolicyCluster"),
)
@over(vantage="outside")
@arranged(["remote-pod"], exposed=True)
def test_external_clients_are_masqueraded(web: Service, client: Client) -> None:
    """Under externalTrafficPolicy Cluster, an endpoint must see a connection from outside to a
    nodePort, a load balancer IP or an external IP come from the node's address, so that its replies
    return through the node.
    """
    for frontend in web.external_frontends:
        expect(client.connect(*frontend)).delivered(to=web, seen_from=web.at_node.address)


@requirement(
    "masq-ext-local",
    docs("virtual-ips", "external traffic policy"),
    source("pkg/proxy/iptables/proxier_test.go", "TestExternalTrafficPolicyLocal"),
)
@over(vantage="outside")
@arranged(["pod"], external_traffic_policy="Local", exposed=True)
def test_local_policy_keeps_the_external_client(web: Service, client: Client) -> None:
    """Under externalTrafficPolicy Local, an endpoint must see a connection from outside to a
    nodePort, a load balancer IP or an external IP come from the client's own address.
    """
    for frontend in web.external_frontends:
        expect(client.connect(*frontend)).delivered(to=web, seen_from=client.address)


@requirement(
    "masq-hairpin", e2e("service", "allow pods to hairpin back to themselves through services")
)
def test_pod_reaches_itself_through_its_service(service: Services, client: LabClient) -> None:
    """A pod that connects to a Service of which it is itself the endpoint, by cluster IP, nodePort,
    load balancer IP or external IP, must reach itself and see the connection come from the node's
    address, so that its answer returns through the node.
    """
    web = service([Endpoint(client.host)], exposed=True)
    for frontend in web.frontends:
        expect(client.connect(*frontend)).delivered(to=web, seen_from=web.at_node.address)


@requirement(
    "masq-hairpin-not-direct",
    source("pkg/proxy/iptables/proxier.go", "masquerade of hairpin connections after DNAT only"),
)
@over(protocol="TCP")
def test_endpoints_talk_to_each_other_directly(service: Services, client: LabClient) -> None:
    """A connection from a pod to its own address or to that of another pod on the node, past any
    Service, must not be masqueraded, although both are endpoints of one.
    """
    web = service([Endpoint(client.host), service.endpoint("pod")])
    for endpoint in web.endpoints:
        _assert_untouched(client, endpoint)


@requirement(
    "masq-only-marked",
    docs("virtual-ips"),
    source("pkg/proxy/iptables/proxier_test.go", "TestOverallIPTablesRules"),
)
@over(vantage=["pod", "outside"], protocol="TCP")
@arranged(2, type="NodePort", shared=True)
def test_other_traffic_keeps_its_source(web: Service, client: Client, world: World) -> None:
    """A connection that is not to a Service must pass the node with source and destination,
    addresses and ports, unchanged.
    """
    others = [
        SocketAddress(host.address(client.family), web.port)
        for place in ("pod", "remote-pod", "remote-node", "outside")
        for host in world.hosts(place)
    ]
    for target in (*others, *web.endpoints):
        _assert_untouched(client, target)


def _assert_untouched(client: Client, target: SocketAddress) -> None:
    expect(client.connect(*target)).passed_through(untouched=True)


def _under_either_policy(service: Services) -> list[ServiceSpec]:
    """Without a policy, with an endpoint here or elsewhere; under each policy Local."""
    return [
        *here_and_there(service),
        service.spec(["pod"], internal_traffic_policy="Local"),
        service.spec(["pod"], external_traffic_policy="Local", type="NodePort"),
    ]


@requirement(
    "masq-all",
    docs("kube-proxy", note="--masquerade-all"),
    source("pkg/proxy/iptables/proxier_test.go", "TestInternalExternalMasquerade 'masqueradeAll'"),
    feature="masquerade-all",
)
@over(
    vantage=["pod", "outside"],
    protocol="TCP",
    configuration={
        "masqueradeAll": {"iptables": {"masqueradeAll": True}, "nftables": {"masqueradeAll": True}}
    },
)
@arranged(_under_either_policy)
def test_everybody_can_be_masqueraded(webs: list[Service], client: Client, world: World) -> None:
    """With masqueradeAll, an endpoint must see every connection to the cluster IP, also those of
    pods, come from the node's address, whatever the traffic policies are.
    """
    for web in webs:
        probe = client.connect(*web.frontend)
        expect(probe).delivered(to=web, seen_from=world.node.address(client.family))


@requirement(
    "masq-udp-sctp",
    kep(614),
    e2e("networking", "function for endpoint-Service: sctp"),
    feature="sctp",
)
@over(protocol="SCTP")
def test_sctp_is_masqueraded_like_tcp(service: Services, client: LabClient, world: World) -> None:
    """SCTP associations must be masqueraded as TCP connections are: those of pods to the cluster IP
    are not, those of pods to themselves and those from outside to the nodePort are.
    """
    node = world.node.address(client.family)
    web, mirror = service.create(
        [
            service.spec([service.endpoint("remote-pod", 1)], type="NodePort"),
            service.spec([Endpoint(client.host)]),
        ]
    )
    stranger = LabClient(world.lab, world.hosts("outside")[0], client.family, client.protocol)
    expect(client.connect(*web.frontend)).delivered(to=web, seen_from=client.address)
    expect(client.connect(*mirror.frontend)).delivered(to=mirror, seen_from=node)
    expect(stranger.connect(*web.at_node)).delivered(to=web, seen_from=node)


_RANGE = 4096  # ports; linux draws from 1024 to 65535 by a 16 bit number modulo their count, which
# favours the lowest 1024 so that all ranges are equally probable, the incomplete first one too


@requirement(
    "masq-random-port",
    source("pkg/proxy/iptables/proxier_test.go", "TestOverallIPTablesRules (--random-fully)"),
    feature="masquerade-random-port",
)
@over(vantage="outside", protocol="TCP")
@arranged(["remote-pod"], type="NodePort")
def test_masqueraded_ports_are_random(
    web: Service, client: Client, budget: Budget, judge: Judge
) -> None:
    """The source ports of masqueraded connections must be drawn at random from all unprivileged
    ports, so that connections set up at the same time do not race for one port.
    """
    ranges = 65_536 // _RANGE
    count = sample_size(ranges, 1.0, budget.alpha)
    sample = client.connect_many(*web.at_node, count)
    expect(sample).delivered()
    counts = np.bincount(sample.source_ports // _RANGE, minlength=ranges)
    judge(uniform, counts.tolist(), name=f"uniform over {ranges} ranges of ports")


@requirement("lb-masq-host-clash", rfc(3022, "2.2"), issue(71305))
@over(protocol="UDP")
@arranged(["remote-pod"], type="NodePort")
def test_clients_may_use_the_source_port_of_a_process(
    web: Service, client: Client, world: World
) -> None:
    """Where a process on the node talks to an endpoint's own address, and clients outside use the
    process' source port for connections to the nodePort, all must be answered, and the endpoint
    must see each come from another port.
    """
    identity = client.family, client.protocol
    with NodeClient(world.lab, world.node, *identity) as process:
        own = process.connect(*web.socket(0))
        expect(own).answered()
        port = own.client.port
        hosts = world.hosts("outside", 8)
        others = [LabClient(world.lab, host, *identity) for host in hosts]
        probes = [each.connect(*web.at_node, source_port=port) for each in others]
        for probe in probes:
            expect(probe).delivered(to=web, seen_from=web.at_node.address)
        assert len({own.client, *(probe.source for probe in probes)}) == len(probes) + 1, probes
        again = process.connect(*web.socket(0), source_port=port)
        expect(again).answered(seen_from=own.client)


@requirement(
    "lb-masq-port-clash",
    rfc(3022, "2.2"),
    source("pkg/proxy/iptables/proxier.go", "masquerade --random-fully"),
)
@arranged(["remote-pod"], type="NodePort")
def test_clients_may_use_the_same_source_port(web: Service, client: Client, world: World) -> None:
    """Connections of several clients from the same source port, masqueraded on their way to the
    same endpoint, must all succeed: the endpoint sees each come from another port.
    """
    clients = [
        LabClient(world.lab, host, client.family, client.protocol)
        for host in world.hosts("outside", 16)
    ]
    probes = [each.connect(*web.at_node, source_port=34_568) for each in clients]
    for probe in probes:
        expect(probe).delivered(to=web, seen_from=web.at_node.address)
    assert len({probe.source for probe in probes}) == len(probes), probes
