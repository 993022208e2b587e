"""Services without a usable endpoint: new connections are refused at once, and nothing lingers."""

from __future__ import annotations

from conformance.vocabulary import (
    Client,
    LabClient,
    Port,
    Services,
    Slice,
    Vantage,
    World,
    docs,
    e2e,
    expect,
    linux,
    man,
    over,
    requirement,
    rfc,
    source,
)


@requirement(
    "noep-cip-tcp", docs("virtual-ips"), e2e("service", "be rejected when no endpoints exist")
)
@over(protocol="TCP", vantage=["pod", "remote-pod"])
def test_tcp_without_endpoints_is_refused(service: Services, client: Client) -> None:
    """A TCP connection to the cluster IP and port of a Service without a usable endpoint must be
    refused at once, by an ICMP error or a reset, and not left to a timeout.
    """
    web = service.shared(0)
    expect(client.connect(*web.frontend)).refused()


@requirement(
    "noep-cip-udp",
    docs("virtual-ips"),
    source("pkg/proxy/iptables/proxier_test.go", "TestNoEndpointsReject"),
)
@over(protocol="UDP")
def test_udp_without_endpoints_is_refused(service: Services, client: Client) -> None:
    """A datagram to the cluster IP and port of a Service without a usable endpoint must be refused
    at once with ICMP port unreachable.
    """
    web = service.shared(0)
    expect(client.connect(*web.frontend)).refused()


@requirement("noep-icmpv6", rfc(4443, "3.1"), man("iptables-extensions", "REJECT, --reject-with"))
@over(vantage=["pod", "node"], protocol="UDP", family="IPv6")
def test_ipv6_refusal_is_port_unreachable(service: Services, client: Client) -> None:
    """Over IPv6, the error that refuses a datagram to a Service without a usable endpoint must be
    ICMPv6 destination unreachable with the code port unreachable.
    """
    web = service.shared(0)
    expect(client.connect(*web.frontend)).refused(icmp=True)


@requirement(
    "noep-icmp-source",
    source("pkg/proxy/iptables/proxier_test.go", "TestNoEndpointsReject"),
    linux("net/ipv4/netfilter/nf_reject_ipv4.c", "nf_send_unreach"),
    feature="icmp-refusals",
)
@over(vantage=["pod", "outside"], protocol="TCP")
def test_the_node_refuses_with_icmp(service: Services, client: Client, world: World) -> None:
    """A TCP connection to a Service without a usable endpoint must be refused, as datagrams are,
    with ICMP port unreachable, and the error must come from the node's own address.
    """
    web = service.shared(0)
    node = world.node.address(client.family)
    expect(client.connect(*web.frontend)).refused(icmp=True, by=node)


@requirement(
    "noep-from-host", docs("virtual-ips"), e2e("service", "be rejected when no endpoints exist")
)
@over(vantage="node")
def test_processes_on_the_node_are_refused(service: Services, client: Client) -> None:
    """The connection of a process on the node to the cluster IP and port of a Service without a
    usable endpoint must be refused at once.
    """
    web = service.shared(0)
    expect(client.connect(*web.frontend)).refused()


@requirement(
    "noep-nodeport",
    source(
        "pkg/proxy/iptables/proxier_test.go",
        "TestNoEndpointsReject 'external to NodePort with no endpoints'",
    ),
)
@over(vantage="outside")
def test_node_port_without_endpoints_is_refused(service: Services, client: Client) -> None:
    """New connections to the nodePort of a Service without a usable endpoint must be refused at
    once.
    """
    web = service.shared(0, type="NodePort")
    expect(client.connect(*web.at_node)).refused()


@requirement("noep-per-port", docs("endpoint-slices", note="each slice has its own ports"))
@over(protocol="TCP")
def test_each_port_is_refused_by_itself(service: Services, client: Client) -> None:
    """Where only one port of a Service has endpoints, connections to it must be sent to them, and
    those to the other port must be refused.
    """
    served, bare = Port(80, 8080, "TCP", "served"), Port(81, 8081, "TCP", "bare")
    web = service(ports=[served, bare], slices=[Slice(tuple(service.endpoints(2)), (served,))])
    expect(client.connect(web.cluster_ip, served.number)).delivered(to=web.endpoints_of("served"))
    expect(client.connect(web.cluster_ip, bare.number)).refused()


@requirement(
    "noep-proto-indep",
    docs("service", "multi-port Services"),
    source("pkg/proxy/types.go", "ServicePortName"),
)
@over(protocol=["TCP", "UDP"])
def test_each_protocol_is_refused_by_itself(service: Services, client: LabClient) -> None:
    """Where a Service has TCP and UDP at the same port number and only one of them has endpoints,
    connections of that protocol must be sent to them, and those of the other must be refused.
    """
    ports = {"TCP": Port(53, 8053, "TCP", "stream"), "UDP": Port(53, 8053, "UDP", "datagram")}
    served = ports.pop(client.protocol)
    (bare,) = ports.values()
    slices = [Slice(tuple(service.endpoints(2)), (served,))]
    web = service(ports=[served, bare], slices=slices)
    probe = client.connect(web.cluster_ip, 53)
    expect(probe).delivered(to=web.endpoints_of(served.name), reply="any")
    expect(client.connect(web.cluster_ip, 53, protocol=bare.protocol)).refused()


@requirement("noep-0-to-n", e2e("service", "be rejected when no endpoints exist"))
def test_first_endpoint_ends_the_refusal(service: Services, client: Client) -> None:
    """Once the first endpoint of a Service is ready, new connections must reach it and no longer be
    refused.
    """
    web = service([service.endpoint(ready=False)])
    expect(client.connect(*web.frontend)).refused()
    web.set_endpoints(service.endpoints(1))
    expect(client.connect(*web.frontend)).delivered(to=web)


@requirement(
    "noep-n-to-0",
    source(
        "pkg/proxy/iptables/proxier_test.go",
        "TestClusterIPGeneral 'pod to clusterIP after endpoints deleted'",
    ),
)
def test_last_endpoint_leaves_a_refusal(service: Services, client: Client) -> None:
    """Once the last endpoint of a Service has gone, new connections must be refused."""
    web = service(2)
    expect(client.connect(*web.frontend)).delivered(to=web, reply="any")
    web.set_endpoints([])
    expect(client.connect(*web.frontend)).refused()


@requirement("noep-evicted", e2e("service", "be rejected for evicted pods (no endpoints exist)"))
@over(protocol="TCP")
def test_unready_endpoints_are_none(service: Services, client: Client) -> None:
    """Connections to a Service whose EndpointSlices list only endpoints that are not ready, as
    those of evicted pods, must be refused: it has no usable endpoint.
    """
    web = service(
        [service.endpoint("pod", ready=False), service.endpoint("remote-pod", ready=False)]
    )
    expect(client.connect(*web.frontend)).refused()


@requirement(
    "noep-no-slice",
    e2e(
        "endpointslice",
        "create and delete Endpoints and EndpointSlices for a Service with a selector specified",
    ),
)
@over(protocol="TCP")
def test_no_slice_is_no_endpoint(service: Services, client: Client) -> None:
    """Connections to a Service without any EndpointSlice must be refused: it has no usable
    endpoint.
    """
    web = service(slices=[])
    expect(client.connect(*web.frontend)).refused()


@requirement(
    "noep-established",
    source(
        "pkg/proxy/iptables/proxier.go", "rules for Services without endpoints match new flows only"
    ),
)
@over(protocol="TCP")
def test_established_connections_are_not_refused(service: Services, client: LabClient) -> None:
    """When the last endpoint leaves the EndpointSlices but still runs, established TCP connections
    to it must go on: only new connections are refused.
    """
    web = service(2)
    flows = client.open(*web.frontend, count=8)
    expect(flows.opened).delivered()
    web.set_endpoints([])
    expect(client.connect(*web.frontend)).refused()
    expect(flows.exchange()).kept(flows)


@requirement("noep-no-conntrack-poison", e2e("conntrack", "initial unready endpoints get ready"))
@over(vantage=["pod", "outside"], protocol="UDP")
def test_refused_datagrams_leave_no_trace(
    service: Services, client: Client, vantage: Vantage
) -> None:
    """After datagrams to a Service without a usable endpoint were refused, datagrams from the same
    address and port must reach an endpoint as soon as there is one.
    """
    web = service([], type="NodePort")
    frontend = web.at_node if vantage == "outside" else web.frontend
    for _ in range(2):
        expect(client.connect(*frontend, source_port=34_567)).refused()
    web.set_endpoints(service.endpoints(2), syncs=2)
    expect(client.connect(*frontend, source_port=34_567)).delivered(to=web)
