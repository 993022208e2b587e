"""Connection tracking: UDP flows leave endpoints that are gone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.vocabulary import (
    BOTH,
    FAMILIES,
    SERVICE_RANGES,
    Client,
    Flows,
    LabClient,
    Service,
    Services,
    SocketAddress,
    World,
    api,
    arranged,
    between_looks,
    client_of_each_kind,
    docs,
    down,
    e2e,
    expect,
    issue,
    over,
    requirement,
    source,
)


def assert_moves(client: LabClient, web: Service, frontend: SocketAddress) -> None:
    """Sixteen flows to a frontend; the endpoint of the first is removed."""
    flows = client.open(*frontend, 16)
    expect(flows.opened).delivered(to=web)
    removed = flows.endpoints[0]
    left = [each for n, each in enumerate(web.spec.endpoints) if web.socket(n) != removed]
    web.set_endpoints(left, syncs=2)
    expect(flows.exchange(), f"{removed} is removed").delivered(to=web)


def flows_to_all(web: Service, client: LabClient, world: World) -> dict[SocketAddress, Flows]:
    """Flows by frontend: from a pod to the cluster IP, from outside to nodePort, load balancer's IP
    and external IP.
    """
    (host,) = world.hosts("outside")
    stranger = LabClient(world.lab, host, client.family, client.protocol)
    outside = {each: stranger.open(*each, 8) for each in web.external_frontends}
    return {web.frontend: client.open(*web.frontend, 8), **outside}


@requirement(
    "ct-udp-ep-removed-cip",
    e2e("conntrack", "server pod cycles for a ClusterIP service"),
    source("pkg/proxy/conntrack/cleanup_test.go", "TestCleanStaleEntries"),
)
@over(protocol="UDP")
@arranged(2)
def test_udp_flow_to_cluster_ip_leaves_a_removed_endpoint(web: Service, client: LabClient) -> None:
    """When an endpoint of a UDP Service is removed and others remain, a client that keeps sending
    to the cluster IP from the same port must be served by one that remains.
    """
    assert_moves(client, web, web.frontend)


@requirement(
    "ct-udp-ep-removed-np",
    e2e("conntrack", "server pod cycles for a NodePort service"),
    source("pkg/proxy/conntrack/cleanup_test.go", "TestCleanStaleEntries"),
)
@over(vantage="outside", protocol="UDP")
@arranged(2, type="NodePort")
def test_udp_flow_to_node_port_leaves_a_removed_endpoint(web: Service, client: LabClient) -> None:
    """When an endpoint of a UDP Service is removed and others remain, a client that keeps sending
    to the nodePort from the same port must be served by one that remains.
    """
    assert_moves(client, web, web.at_node)


@requirement(
    "ct-udp-ep-removed-lb",
    e2e("loadbalancer", "preserve UDP traffic when server pod cycles"),
    source("pkg/proxy/conntrack/cleanup_test.go", "TestCleanStaleEntries"),
)
@over(vantage="outside", protocol="UDP")
@arranged(2, exposed=True)
def test_udp_flow_to_load_balancer_ip_leaves_a_removed_endpoint(
    web: Service, client: LabClient
) -> None:
    """When an endpoint of a UDP Service is removed and others remain, a client that keeps sending
    to the load balancer's IP from the same port must be served by one that remains.
    """
    _, balancer, _ = web.external_frontends
    assert_moves(client, web, balancer)


@requirement(
    "ct-udp-ep-removed-eip", source("pkg/proxy/conntrack/cleanup_test.go", "TestCleanStaleEntries")
)
@over(vantage="outside", protocol="UDP")
@arranged(2, exposed=True, type="ClusterIP")
def test_udp_flow_to_external_ip_leaves_a_removed_endpoint(web: Service, client: LabClient) -> None:
    """When an endpoint of a UDP Service is removed and others remain, a client that keeps sending
    to an external IP from the same port must be served by one that remains.
    """
    (external,) = web.external_frontends
    assert_moves(client, web, external)


@requirement(
    "ct-udp-ep-unserving",
    source("pkg/proxy/conntrack/cleanup_test.go", "TestCleanStaleEntries"),
    api("EndpointSlice", "endpoints.conditions.serving"),
)
@over(protocol="UDP")
@arranged(2)
def test_udp_flow_leaves_an_endpoint_that_serves_no_longer(web: Service, client: LabClient) -> None:
    """When an endpoint of a UDP Service is listed on but neither ready nor serving, and others
    remain, a client that keeps sending from the same port must be served by one that remains.
    """
    flows = client.open(*web.frontend, 16)
    expect(flows.opened).delivered(to=web)
    ended = int(flows.endpoints[0] == web.socket(1))
    web.change_endpoint(ended, ready=False, serving=False, syncs=2)
    expect(flows.exchange()).delivered(to=web.socket(1 - ended))


@requirement("ct-udp-itp-local", e2e("conntrack", "InternalTrafficPolicy set to Local"))
@over(protocol="UDP")
@arranged(["pod", "remote-pod"], internal_traffic_policy="Local")
def test_udp_flow_moves_to_the_new_local_endpoint(
    service: Services, web: Service, client: LabClient
) -> None:
    """When the only local endpoint of a UDP Service with internalTrafficPolicy Local is replaced, a
    client that keeps sending from the same port must be served by the new local endpoint.
    """
    flows = client.open(*web.frontend, 16)
    expect(flows.opened).delivered(to=web.socket(0), reply="any")
    web.set_endpoints([service.endpoint("pod"), web.endpoint(1)], syncs=2)
    expect(flows.exchange()).delivered(to=web.socket(0))


@requirement("ct-udp-host-client", e2e("conntrack", "client is hostNetwork"))
@over(vantage="node", protocol="UDP")
@arranged(1)
def test_udp_flow_from_the_node_leaves_a_removed_endpoint(
    service: Services, web: Service, client: Client
) -> None:
    """When an endpoint of a UDP Service is removed and others remain, a process on the node that
    keeps sending from the same port must be served by one that remains.
    """
    first = client.connect(*web.frontend)
    expect(first).answered()
    web.set_endpoints([service.endpoint("remote-pod", 2)], syncs=2)
    after = client.connect(*web.frontend, source_port=first.client.port)
    assert after.client == first.client, after
    expect(after).delivered(to=web)


@requirement("ct-udp-port-change", e2e("conntrack", "target port changes"), issue(130542))
@over(protocol="UDP")
@arranged(2, exposed=True)
def test_udp_flow_follows_the_target_port(web: Service, client: LabClient, world: World) -> None:
    """When the target port of a UDP Service's endpoints changes, a client that keeps sending from
    the same port must be served at the new one, whichever frontend it sends to.
    """
    flows = flows_to_all(web, client, world)
    for flow in flows.values():
        expect(flow.opened).delivered(to=web, reply="any")
    web.update(ports=[replace(web.spec.ports[0], target=9090)], syncs=2)
    for frontend, flow in flows.items():
        expect(flow.exchange(), f"at {frontend}").delivered(to=web)


@requirement("ct-udp-unreplied", e2e("conntrack", "initial unready endpoints get ready"))
@over(protocol="UDP")
@arranged(lambda service: service.spec([service.endpoint("pod", ready=False)], exposed=True))
def test_udp_flow_begun_too_early_is_served_when_an_endpoint_gets_ready(
    web: Service, client: LabClient, world: World
) -> None:
    """A client that sends to a UDP Service without ready endpoint, and goes on from the same port,
    must be served once an endpoint gets ready, whichever frontend it sends to.
    """
    flows = flows_to_all(web, client, world)
    for flow in flows.values():
        expect(flow.opened).unserved()
    with between_looks(world.canary, lambda: [each.exchange() for each in flows.values()]):
        web.change_endpoint(0, ready=True, syncs=2)
    for frontend, flow in flows.items():
        expect(flow.exchange(), f"at {frontend}").delivered(to=web.socket(0))


@requirement("ct-udp-zero-eps", issue(139628))
@over(protocol="UDP")
@arranged(1, exposed=True)
def test_udp_flow_ends_with_the_last_endpoint(
    web: Service, client: LabClient, world: World
) -> None:
    """When a UDP Service loses its last endpoint, a client that keeps sending to its cluster IP, a
    load balancer's IP or an external IP from the same port must no longer reach it, and must be
    refused.
    """
    flows = flows_to_all(web, client, world)
    del flows[web.at_node]  # what is known of a port of the node may be another's
    for flow in flows.values():
        expect(flow.opened).delivered(to=web.socket(0), reply="any")
    web.set_endpoints([], syncs=2)
    expect(client.connect(*web.frontend), "a new flow").refused(icmp=True)
    for frontend, flow in flows.items():
        expect(flow.exchange(), f"at {frontend}").refused(icmp=True)


@requirement(
    "ct-restart-stale",
    source("pkg/proxy/conntrack/cleanup.go", "cleanup by desired state"),
    feature="stale-conntrack-on-restart",
)
@over(families=FAMILIES, protocols=["TCP", "UDP"])
@arranged(1, ports=BOTH)
def test_restart_removes_entries_that_became_stale(
    service: Services, web: Service, world: World
) -> None:
    """When an endpoint of a UDP Service is removed while the proxy is down, and others remain, a
    client that keeps sending from the same port must be served by one that remains once the proxy
    is back.
    """
    clients = [each for each in client_of_each_kind(world) if each.protocol == "UDP"]
    flows = [each.open(web.cluster_ip_of(each.family), web.port, 8) for each in clients]
    for flow in flows:
        expect(flow.opened).delivered()
    remaining = service.endpoint("remote-pod", 1)
    with down(world.node.proxy):
        web.set_endpoints([remaining], settle=False)
    service.settle(syncs=2)
    for client, flow in zip(clients, flows, strict=True):
        expect(flow.exchange()).delivered(to=web.socket(0, client.family))


@requirement(
    "ct-restart-zero-eps",
    issue(139628),
    source("pkg/proxy/conntrack/cleanup.go", "cleanup by desired state"),
    feature="stale-conntrack-on-restart",
)
@over(protocol="UDP")
@pytest.mark.parametrize("others", ["others-have-some", "none-is-left"])
@arranged(1, alone=True)
def test_restart_removes_entries_of_a_service_without_endpoints(
    service: Services, web: Service, client: LabClient, world: World, others: str
) -> None:
    """When a UDP Service loses its last endpoint while the proxy is down, a client that keeps
    sending from the same port must be refused once the proxy is back, whether or not another UDP
    Service has endpoints.
    """
    if others == "others-have-some":
        service(["remote-pod"])
    flows = client.open(*web.frontend, 8)
    expect(flows.opened).delivered(to=web.socket(0))
    with down(world.node.proxy):
        web.set_endpoints([], settle=False)
    service.settle(syncs=2)
    expect(client.connect(*web.frontend), "a new flow").refused(icmp=True)
    expect(flows.exchange(), "the last endpoint is removed").refused(icmp=True)


@requirement(
    "ct-udp-zero-eps-np",
    issue(139628),
    source("pkg/proxy/conntrack/cleanup.go", "NodePort entries without endpoints are skipped"),
)
@over(vantage="outside", protocol="UDP")
@arranged(1, type="NodePort")
def test_udp_flow_to_node_port_ends_with_the_last_endpoint(web: Service, client: LabClient) -> None:
    """When a UDP Service loses its last endpoint, a client that keeps sending to its nodePort from
    the same port must not reach that endpoint any more.
    """
    flows = client.open(*web.at_node, 4)
    expect(flows.opened).delivered(to=web)
    web.set_endpoints([], syncs=2)
    expect(flows.exchange(), "the last endpoint is removed").unserved()


@requirement("ct-service-no-bypass", docs("service"))
@over(protocol="TCP")
def test_connection_after_too_early_a_one_is_served(service: Services, client: Client) -> None:
    """A client that addresses a cluster IP before its Service exists must be served on a new
    connection once it does.
    """
    vip = SERVICE_RANGES[client.family][201]
    expect(client.connect(vip, 80)).unserved()
    web = service(endpoints=2, cluster_ips=[vip])
    expect(client.connect(*web.frontend)).delivered(to=web)
