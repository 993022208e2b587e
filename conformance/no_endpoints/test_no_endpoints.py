"""Services without a usable endpoint: new connections are refused at once, and nothing lingers."""

from __future__ import annotations

from typing import Final

from conformance.vocabulary import (
    LOOPBACK,
    Client,
    LabClient,
    NodeClient,
    Port,
    Protocol,
    Service,
    Services,
    ServiceSpec,
    Slice,
    Vantage,
    World,
    arranged,
    docs,
    e2e,
    expect,
    kep,
    linux,
    man,
    over,
    requirement,
    rfc,
    source,
)

LOCALHOST: Final = LOOPBACK["IPv4"]


@requirement(
    "noep-cip-tcp", docs("virtual-ips"), e2e("service", "be rejected when no endpoints exist")
)
@over(protocol="TCP", vantage=["pod", "remote-pod"])
@arranged(0, shared=True)
def test_tcp_without_endpoints_is_refused(web: Service, client: Client) -> None:
    """A TCP connection to the cluster IP and port of a Service without a usable endpoint must be
    refused at once, by an ICMP error or a reset, and not left to a timeout.
    """
    expect(client.connect(*web.frontend)).refused()


@requirement(
    "noep-cip-udp",
    docs("virtual-ips"),
    source("pkg/proxy/iptables/proxier_test.go", "TestNoEndpointsReject"),
)
@over(protocol="UDP")
@arranged(0, shared=True)
def test_udp_without_endpoints_is_refused(web: Service, client: Client) -> None:
    """A datagram to the cluster IP and port of a Service without a usable endpoint must be refused
    at once with ICMP port unreachable.
    """
    expect(client.connect(*web.frontend)).refused()


@requirement("noep-cip-sctp", kep(614), docs("virtual-ips"), feature="sctp")
@over(protocol="SCTP", vantage=["pod", "outside"])
@arranged(0, shared=True, type="NodePort")
def test_sctp_without_endpoints_is_refused(web: Service, client: Client, vantage: Vantage) -> None:
    """An SCTP association with the cluster IP, or from outside with the nodePort, of a Service
    without a usable endpoint must be refused at once with ICMP port unreachable.
    """
    expect(client.connect(*(web.at_node if vantage == "outside" else web.frontend))).refused()


@requirement("noep-icmpv6", rfc(4443, "3.1"), man("iptables-extensions", "REJECT, --reject-with"))
@over(vantage=["pod", "node"], protocol="UDP", family="IPv6")
@arranged(0, shared=True)
def test_ipv6_refusal_is_port_unreachable(web: Service, client: Client) -> None:
    """Over IPv6, the error that refuses a datagram to a Service without a usable endpoint must be
    ICMPv6 destination unreachable with the code port unreachable.
    """
    expect(client.connect(*web.frontend)).refused(icmp=True)


@requirement(
    "noep-icmp-source",
    source("pkg/proxy/iptables/proxier_test.go", "TestNoEndpointsReject"),
    linux("net/ipv4/netfilter/nf_reject_ipv4.c", "nf_send_unreach"),
    feature="icmp-refusals",
)
@over(vantage=["pod", "outside"], protocol="TCP")
@arranged(0, shared=True)
def test_the_node_refuses_with_icmp(web: Service, client: Client, world: World) -> None:
    """A TCP connection to a Service without a usable endpoint must be refused, as datagrams are,
    with ICMP port unreachable, and the error must come from the node's own address.
    """
    node = world.node.address(client.family)
    expect(client.connect(*web.frontend)).refused(icmp=True, by=node)


@requirement(
    "noep-from-host", docs("virtual-ips"), e2e("service", "be rejected when no endpoints exist")
)
@over(vantage="node")
@arranged(0, shared=True)
def test_processes_on_the_node_are_refused(web: Service, client: Client) -> None:
    """The connection of a process on the node to the cluster IP and port of a Service without a
    usable endpoint must be refused at once.
    """
    expect(client.connect(*web.frontend)).refused()


@requirement(
    "noep-nodeport",
    source(
        "pkg/proxy/iptables/proxier_test.go",
        "TestNoEndpointsReject 'external to NodePort with no endpoints'",
    ),
)
@over(vantage=["pod", "outside"])
@arranged(0, type="NodePort", shared=True)
def test_node_port_without_endpoints_is_refused(web: Service, client: Client) -> None:
    """New connections to the nodePort of a Service without a usable endpoint must be refused at
    once.
    """
    expect(client.connect(*web.at_node)).refused()


@requirement(
    "noep-host-nodeport",
    source("pkg/proxy/iptables/proxier.go", "KUBE-EXTERNAL-SERVICES is jumped to from INPUT"),
)
@over(vantage="node")
@arranged(0, type="NodePort", shared=True)
def test_node_is_refused_at_its_node_port(web: Service, client: Client) -> None:
    """The connection of a process on the node to the nodePort of a Service without a usable
    endpoint, at the node's own address, must be refused at once.
    """
    expect(client.connect(*web.at_node)).refused()


@requirement(
    "noep-localhost-np",
    source("pkg/proxy/iptables/proxier.go", "KUBE-EXTERNAL-SERVICES is jumped to from INPUT"),
)
@over(family="IPv4")
@arranged(0, type="NodePort", shared=True)
def test_loopback_node_port_without_endpoints(
    web: Service, world: World, protocol: Protocol
) -> None:
    """The connection of a process on the node to 127.0.0.1 at the nodePort of a Service without a
    usable endpoint must be refused at once, whether or not nodePorts are served there.
    """
    with NodeClient(world.lab, world.node, "IPv4", protocol, LOCALHOST) as process:
        expect(process.connect(LOCALHOST, web.node_port())).refused()


def _one_port_served(service: Services) -> ServiceSpec:
    """Two ports, of which the first has endpoints."""
    served, bare = Port(80, 8080, "TCP", "served"), Port(81, 8081, "TCP", "bare")
    slices = [Slice(tuple(service.endpoints(2)), (served,))]
    return service.spec(ports=[served, bare], slices=slices)


def _one_protocol_served(service: Services) -> ServiceSpec:
    """TCP and UDP at one port number: the test's protocol first, which has endpoints."""
    ports = {"TCP": Port(53, 8053, "TCP", "stream"), "UDP": Port(53, 8053, "UDP", "datagram")}
    served = ports.pop(service.protocol)
    slices = [Slice(tuple(service.endpoints(2)), (served,))]
    return service.spec(ports=[served, *ports.values()], slices=slices)


@requirement("noep-per-port", docs("endpoint-slices", note="each slice has its own ports"))
@over(protocol="TCP")
@arranged(_one_port_served)
def test_each_port_is_refused_by_itself(web: Service, client: Client) -> None:
    """Where only one port of a Service has endpoints, connections to it must be sent to them, and
    those to the other port must be refused.
    """
    served, bare = web.spec.ports
    expect(client.connect(web.cluster_ip, served.number)).delivered(to=web.endpoints_of("served"))
    expect(client.connect(web.cluster_ip, bare.number)).refused()


@requirement(
    "noep-proto-indep",
    docs("service", "multi-port Services"),
    source("pkg/proxy/types.go", "ServicePortName"),
)
@over(protocol=["TCP", "UDP"])
@arranged(_one_protocol_served)
def test_each_protocol_is_refused_by_itself(web: Service, client: LabClient) -> None:
    """Where a Service has TCP and UDP at the same port number and only one of them has endpoints,
    connections of that protocol must be sent to them, and those of the other must be refused.
    """
    served, bare = web.spec.ports
    probe = client.connect(web.cluster_ip, 53)
    expect(probe).delivered(to=web.endpoints_of(served.name), reply="any")
    expect(client.connect(web.cluster_ip, 53, protocol=bare.protocol)).refused()


@requirement("noep-0-to-n", e2e("service", "be rejected when no endpoints exist"))
@arranged(lambda service: service.spec([service.endpoint(ready=False)]))
def test_first_endpoint_ends_the_refusal(service: Services, web: Service, client: Client) -> None:
    """Once the first endpoint of a Service is ready, new connections must reach it and no longer be
    refused.
    """
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
@arranged(2)
def test_last_endpoint_leaves_a_refusal(web: Service, client: Client) -> None:
    """Once the last endpoint of a Service has gone, new connections must be refused."""
    expect(client.connect(*web.frontend)).delivered(to=web, reply="any")
    web.set_endpoints([])
    expect(client.connect(*web.frontend)).refused()


@requirement("noep-evicted", e2e("service", "be rejected for evicted pods (no endpoints exist)"))
@over(protocol="TCP")
@arranged(
    lambda service: service.spec(
        [service.endpoint("pod", ready=False), service.endpoint("remote-pod", ready=False)]
    )
)
def test_unready_endpoints_are_none(web: Service, client: Client) -> None:
    """Connections to a Service whose EndpointSlices list only endpoints that are not ready, as
    those of evicted pods, must be refused: it has no usable endpoint.
    """
    expect(client.connect(*web.frontend)).refused()


@requirement(
    "noep-no-slice",
    e2e(
        "endpointslice",
        "create and delete Endpoints and EndpointSlices for a Service with a selector specified",
    ),
)
@over(protocol="TCP")
@arranged(slices=[])
def test_no_slice_is_no_endpoint(web: Service, client: Client) -> None:
    """Connections to a Service without any EndpointSlice must be refused: it has no usable
    endpoint.
    """
    expect(client.connect(*web.frontend)).refused()


@requirement(
    "noep-established",
    source(
        "pkg/proxy/iptables/proxier.go", "rules for Services without endpoints match new flows only"
    ),
)
@over(protocol="TCP")
@arranged(2)
def test_established_connections_are_not_refused(web: Service, client: LabClient) -> None:
    """When the last endpoint leaves the EndpointSlices but still runs, established TCP connections
    to it must go on: only new connections are refused.
    """
    flows = client.open(*web.frontend, count=8)
    expect(flows.opened).delivered()
    web.set_endpoints([])
    expect(client.connect(*web.frontend)).refused()
    expect(flows.exchange()).kept(flows)


@requirement("noep-no-conntrack-poison", e2e("conntrack", "initial unready endpoints get ready"))
@over(vantage=["pod", "outside"], protocol="UDP")
@arranged(0, type="NodePort")
def test_refused_datagrams_leave_no_trace(
    service: Services, web: Service, client: Client, vantage: Vantage
) -> None:
    """After datagrams to a Service without a usable endpoint were refused, datagrams from the same
    address and port must reach an endpoint as soon as there is one.
    """
    frontend = web.at_node if vantage == "outside" else web.frontend
    for _ in range(2):
        expect(client.connect(*frontend, source_port=34_567)).refused()
    web.set_endpoints(service.endpoints(2), syncs=2)
    expect(client.connect(*frontend, source_port=34_567)).delivered(to=web)
