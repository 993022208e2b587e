"""Connection tracking: stale UDP entries go, everything else stays."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from clusters.addresses import EXTERNAL_IPS, LOAD_BALANCER_IPS, SERVICE_RANGES, index
from fixtures.probes import SocketAddress
from fixtures.requirement import CORE, EXTENDED, requirement
from fixtures.services import Port
from fixtures.traffic import between_looks, client_of_each_kind, down

if TYPE_CHECKING:
    from clusters.addresses import Family, IPAddress
    from clusters.inspection.conntrack import Entry
    from clusters.node import Node
    from fixtures.clients import Client
    from fixtures.processes import NodeClient
    from fixtures.services import Service, Services
    from fixtures.world import World

UDP = pytest.mark.parametrize("protocol", ["UDP"])
TCP = pytest.mark.parametrize("protocol", ["TCP"])
OUTSIDE = pytest.mark.parametrize("vantage", ["outside"])
ALL = pytest.mark.parametrize(
    ("family", "protocol"), [pytest.param("IPv4", "TCP", id="dual-stack-TCP-UDP")]
)
"""A single case in which the test itself sees to both families and protocols."""

SINGLE: dict[str, dict[str, Any]] = {
    family: {"ipFamilyPolicy": "SingleStack", "ipFamilies": [family]} for family in ("IPv4", "IPv6")
}
"""Fields of a Service of one family."""

BOTH = (Port(80, 8080, "TCP", "web"), Port(80, 8080, "UDP", "datagrams"))
KUBE_PROXY = "pkg/proxy/conntrack TestCleanStaleEntries"


def entries(node: Node, client: Client) -> dict[tuple[str, object, object], Entry]:
    """A client's tracked flows, by protocol, port and destination."""
    found = node.host.conntrack.entries(client.protocol.lower(), str(client.address))
    return {
        (each.protocol, each.original.source_port, each.original.destination): each
        for each in found
    }


def ids(node: Node, client: Client) -> set[int]:
    """The ids of a client's tracked flows: they change when an entry is made anew."""
    return {each.id for each in entries(node, client).values()}


def assert_moves(client: Client, web: Service, address: IPAddress, port: int) -> None:
    """Sixteen flows to a frontend; the endpoint of the first is removed."""
    flows = client.open(address, port, 16)
    assert flows.opened.is_answered.all(), flows.opened
    removed = flows.endpoints[0]
    assert removed in web.endpoints, flows.opened[0]
    web.set_endpoints(
        [
            endpoint
            for position, endpoint in enumerate(web.wanted.slices[0].endpoints)
            if web.socket(position) != removed
        ],
        syncs=2,
    )
    after = flows.exchange()
    assert set(after.chosen) <= web.endpoints, f"{removed} is removed; {after.counts}, {after}"
    assert after.is_answered.all(), after


@requirement(
    "ct-udp-ep-removed-cip",
    level=CORE,
    reference=f"e2e: conntrack, ClusterIP; {KUBE_PROXY}",
)
@UDP
def test_udp_flow_to_cluster_ip_leaves_a_removed_endpoint(
    service: Services, client: Client
) -> None:
    """When an endpoint of a UDP Service is removed and others remain, a client that keeps sending
    to the cluster IP from the same port is served by one that remains.
    """
    web = service(endpoints=2)
    assert_moves(client, web, web.cluster_ip, web.port)


@requirement(
    "ct-udp-ep-removed-np",
    level=CORE,
    reference=f"e2e: conntrack, NodePort; {KUBE_PROXY}",
)
@UDP
@OUTSIDE
def test_udp_flow_to_node_port_leaves_a_removed_endpoint(
    service: Services, client: Client, world: World
) -> None:
    """When an endpoint of a UDP Service is removed and others remain, a client that keeps sending
    to the nodePort from the same port is served by one that remains.
    """
    web = service(endpoints=2, type="NodePort")
    address = world.node.address(client.family)
    assert_moves(client, web, address, web.node_port())


@requirement(
    "ct-udp-ep-removed-lb",
    level=CORE,
    reference=f"e2e: loadbalancer, UDP; {KUBE_PROXY}",
)
@UDP
@OUTSIDE
def test_udp_flow_to_load_balancer_ip_leaves_a_removed_endpoint(
    service: Services, client: Client
) -> None:
    """When an endpoint of a UDP Service is removed and others remain, a client that keeps sending
    to the load balancer's IP from the same port is served by one that remains.
    """
    balanced = LOAD_BALANCER_IPS[index(client.family)][77]
    web = service(endpoints=2, load_balancer_ips=[balanced])
    assert_moves(client, web, balanced, web.port)


@requirement("ct-udp-ep-removed-eip", level=CORE, reference=KUBE_PROXY)
@UDP
@OUTSIDE
def test_udp_flow_to_external_ip_leaves_a_removed_endpoint(
    service: Services, client: Client
) -> None:
    """When an endpoint of a UDP Service is removed and others remain, a client that keeps sending
    to an external IP from the same port is served by one that remains.
    """
    external = EXTERNAL_IPS[index(client.family)][77]
    web = service(endpoints=2, externalIPs=[str(external)])
    assert_moves(client, web, external, web.port)


@requirement(
    "ct-udp-itp-local", level=CORE, reference="e2e: conntrack, internalTrafficPolicy Local"
)
@UDP
def test_udp_flow_moves_to_the_new_local_endpoint(service: Services, client: Client) -> None:
    """When the only local endpoint of a UDP Service with internalTrafficPolicy Local is replaced,
    a client that keeps sending from the same port is served by the new local endpoint.
    """
    local, remote = service.endpoint("pod"), service.endpoint("remote-pod", 1)
    web = service([local, remote], internalTrafficPolicy="Local")
    flows = client.open(web.cluster_ip, web.port, 16)
    assert set(flows.endpoints) == {web.socket(0)}, flows.opened
    web.set_endpoints([service.endpoint("pod"), remote], syncs=2)
    after = flows.exchange()
    assert set(after.chosen) == {web.socket(0)}, f"{after.counts}, {after}"
    assert after.is_answered.all(), after


@requirement("ct-udp-host-client", level=CORE, reference="e2e: conntrack, client is hostNetwork")
@UDP
@pytest.mark.parametrize("vantage", ["node"])
def test_udp_flow_from_the_node_leaves_a_removed_endpoint(
    service: Services, client: NodeClient
) -> None:
    """When an endpoint of a UDP Service is removed and others remain, a process on the node that
    keeps sending from the same port is served by one that remains.
    """
    web = service(endpoints=1)
    first = client.connect(web.cluster_ip, web.port)
    assert first.answered, first
    web.set_endpoints([service.endpoint("remote-pod", 2)], syncs=2)
    after = client.connect(web.cluster_ip, web.port, source_port=first.client.port)
    assert after.client == first.client, after
    assert after.endpoint in web.endpoints, after
    assert after.answered, after


@requirement(
    "ct-udp-port-change",
    level=CORE,
    reference="e2e: conntrack, target port changes; kubernetes/kubernetes#130542",
)
@UDP
def test_udp_flow_follows_the_target_port(service: Services, client: Client) -> None:
    """When the target port of a UDP Service's endpoints changes, a client that keeps sending from
    the same port is served at the new one.
    """
    web = service(endpoints=2)
    flows = client.open(web.cluster_ip, web.port, 16)
    assert set(flows.endpoints) <= web.endpoints, flows.opened
    web.set_endpoints(web.wanted.slices[0].endpoints, target=9090, syncs=2)
    after = flows.exchange()
    assert set(after.chosen) <= web.endpoints, f"the port is 9090; {after.counts}, {after}"
    assert after.is_answered.all(), after


@requirement(
    "ct-udp-unreplied",
    level=CORE,
    reference="e2e: conntrack, initial unready endpoints get ready",
)
@UDP
def test_udp_flow_begun_too_early_is_served_when_an_endpoint_gets_ready(
    service: Services, client: Client, world: World
) -> None:
    """A client that sends to a UDP Service without ready endpoint, and goes on from the same port,
    is served once an endpoint gets ready.
    """
    web = service([service.endpoint("pod", ready=False)])
    flows = client.open(web.cluster_ip, web.port, 16)
    assert not flows.opened.counts, flows.opened
    with between_looks(world.canary, flows.exchange):
        web.set_endpoints([replace(web.endpoint(0), ready=True)], syncs=2)
    after = flows.exchange()
    assert after.counts == {web.socket(0): 16}, f"{after.counts}, {after}"
    assert after.is_answered.all(), after


@requirement(
    "ct-udp-keep-live", level=CORE, reference=f"docs: Virtual IPs and service proxies; {KUBE_PROXY}"
)
@UDP
def test_udp_flows_to_serving_endpoints_stay(
    service: Services, client: Client, world: World
) -> None:
    """When endpoints of a UDP Service are added, removed or begin to terminate while they still
    serve, the tracked flows to all other endpoints, and to those that terminate, are left alone.
    """
    web = service(endpoints=3)
    flows = client.open(web.cluster_ip, web.port, 48)
    assert set(flows.endpoints) == web.endpoints, flows.opened
    before = entries(world.node, client)
    gone, ending, staying = web.wanted.slices[0].endpoints
    removed = web.socket(0)
    terminating = replace(ending, ready=False, serving=True, terminating=True)
    web.set_endpoints([terminating, staying, service.endpoint("remote-pod", 1)], syncs=2)
    assert gone not in web.wanted.slices[0].endpoints
    after = entries(world.node, client)
    lost = [
        entry
        for key, entry in before.items()
        if entry.endpoint[0] != str(removed.address)
        and (key not in after or after[key].id != entry.id)
    ]
    assert not lost, f"{len(lost)} flows to endpoints that still serve were forgotten: {lost[:3]}"
    moved = [
        number for number in flows.broken(flows.exchange()) if flows.endpoints[number] != removed
    ]
    assert not moved, f"flows {moved} to endpoints that still serve were moved"


@requirement(
    "ct-udp-keep-other-svc",
    level=CORE,
    reference="pkg/proxy/conntrack TestCleanStaleEntries; kubernetes/kubernetes#49881",
)
@UDP
def test_flows_of_others_stay(service: Services, client: Client, world: World) -> None:
    """When the endpoints of a UDP Service change, tracked UDP flows of other Services, and those
    that belong to no Service, are left alone.
    """
    changing, other = service.create([service.wanted(2), service.wanted(2)])
    stranger = world.hosts("outside")[0].address(client.family)
    flows = [
        client.open(other.cluster_ip, other.port, 16),
        client.open(stranger, changing.port, 4),
        client.open(stranger, 8080, 4),
    ]
    for flow in flows:
        assert flow.opened.is_answered.all(), flow.opened
    before = ids(world.node, client)
    assert len(before) == sum(map(len, flows))
    changing.set_endpoints([service.endpoint("remote-pod", 1)], syncs=2)
    after = ids(world.node, client)
    assert before <= after, f"{len(before - after)} flows of others were forgotten"
    assert not flows[0].broken(flows[0].exchange())


@requirement(
    "ct-udp-zero-eps",
    level=CORE,
    reference="https://github.com/kubernetes/kubernetes/issues/139628",
)
@UDP
def test_udp_flow_ends_with_the_last_endpoint(service: Services, client: Client) -> None:
    """When a UDP Service loses its last endpoint, a client that keeps sending from the same port
    no longer reaches it, and is refused.
    """
    web = service(endpoints=1)
    flows = client.open(web.cluster_ip, web.port, 4)
    assert flows.opened.counts == {web.socket(0): 4}, flows.opened
    web.set_endpoints([], syncs=2)
    anew = client.connect(web.cluster_ip, web.port)
    assert anew.refused, f"a new flow is not refused: {anew}"
    after = flows.exchange()
    assert after.is_refused.all(), f"the endpoint is removed; {after.counts}, {after}"


@requirement("ct-np-port-clash", level=CORE, reference="pkg/proxy/conntrack CleanStaleEntries")
@UDP
def test_udp_flow_survives_an_equal_node_port_number(
    service: Services, client: Client, world: World
) -> None:
    """When the endpoints of a UDP Service change, tracked flows to another Service whose port has
    the number of the first one's nodePort are left alone.
    """
    number = 30053
    exposed, other = service.create(
        [
            service.wanted(
                2, ports=[Port(80, 8080, "UDP", "web", node_port=number)], type="NodePort"
            ),
            service.wanted(3, ports=[Port(number, 8080, "UDP")]),
        ]
    )
    flows = client.open(other.cluster_ip, number, 16)
    assert flows.opened.is_answered.all(), flows.opened
    before = ids(world.node, client)
    exposed.set_endpoints([service.endpoint("remote-pod", 1)], syncs=2)
    after = flows.exchange()
    moved = flows.broken(after)
    assert not moved, (
        f"{len(moved)} of {len(flows)} flows were moved to another endpoint: "
        f"{flows.opened.counts} before, {after.counts} after"
    )
    lost = before - ids(world.node, client)
    assert not lost, f"{len(lost)} flows were forgotten"


@requirement(
    "ct-udp-serving-unready",
    level=EXTENDED,
    feature="conservative-udp-cleanup",
    reference="pkg/proxy/conntrack CleanStaleEntries",
)
@UDP
def test_udp_flow_to_unready_but_serving_endpoint_stays(
    service: Services, client: Client, world: World
) -> None:
    """When an endpoint of a UDP Service is no longer ready but still serving, new flows avoid it
    and tracked flows to it are left alone.
    """
    web = service(endpoints=2)
    flows = client.open(web.cluster_ip, web.port, 16)
    assert set(flows.endpoints) == web.endpoints, flows.opened
    before = ids(world.node, client)
    unready, ready = web.wanted.slices[0].endpoints
    web.set_endpoints([replace(unready, ready=False, serving=True), ready], syncs=2)
    assert ids(world.node, client) == before, "flows were forgotten"
    assert not flows.broken(flows.exchange())
    anew = client.connect_many(web.cluster_ip, web.port, 32)
    assert set(anew.counts) == {web.socket(1)}, f"{anew.counts}, {anew}"


@requirement(
    "ct-udp-policy-change",
    level=EXTENDED,
    feature="conservative-udp-cleanup",
    reference="pkg/proxy/conntrack CleanStaleEntries",
)
@UDP
def test_udp_flow_outlives_a_change_of_policy(
    service: Services, client: Client, world: World
) -> None:
    """When the traffic policy of a UDP Service changes so that it no longer takes a serving
    endpoint, tracked flows to that endpoint are left alone.
    """
    local, remote = service.endpoint("pod"), service.endpoint("remote-pod", 1)
    web = service([local, remote])
    flows = client.open(web.cluster_ip, web.port, 16)
    assert set(flows.endpoints) == web.endpoints, flows.opened
    before = ids(world.node, client)
    web.update(internalTrafficPolicy="Local")
    web.set_endpoints([local, remote, service.endpoint("remote-pod", 2)], syncs=2)
    anew = client.connect_many(web.cluster_ip, web.port, 32)
    assert set(anew.counts) == {web.socket(0)}, f"{anew.counts}, {anew}"
    assert not flows.broken(flows.exchange())
    assert ids(world.node, client) >= before, "flows were forgotten"


@requirement(
    "ct-tcp-never",
    level=CORE,
    reference="docs: Virtual IPs and service proxies; pkg/proxy/conntrack",
)
@TCP
def test_tcp_entries_are_never_deleted(service: Services, client: Client, world: World) -> None:
    """Tracked TCP connections are left alone when their endpoint, and when the whole Service,
    goes.
    """
    web = service(endpoints=2, ports=BOTH)
    flows = client.open(web.cluster_ip, web.port, 16)
    assert flows.opened.is_answered.all(), flows.opened
    before = ids(world.node, client)
    assert len(before) == len(flows)
    web.set_endpoints([service.endpoint("remote-pod", 1)], syncs=2)
    assert ids(world.node, client) == before, "forgotten when the endpoints were removed"
    web.delete(syncs=2)
    assert ids(world.node, client) == before, "forgotten when the Service was deleted"


@requirement(
    "ct-restart-keep", level=CORE, reference="pkg/proxy/conntrack: cleanup by desired state"
)
@ALL
def test_restart_keeps_valid_entries(service: Services, world: World) -> None:
    """A restart of the proxy leaves the tracked flows to endpoints that serve alone."""
    web = service(endpoints=3, ports=BOTH)
    clients = client_of_each_kind(world)
    flows = [each.open(web.cluster_ip_of(each.family), web.port, 8) for each in clients]
    for flow in flows:
        assert flow.opened.is_answered.all(), flow.opened
    before = [ids(world.node, each) for each in clients]
    world.node.proxy.restart()
    service.settle(syncs=2)
    for client, flow, known in zip(clients, flows, before, strict=True):
        assert len(known) == len(flow)
        assert ids(world.node, client) == known, f"forgotten: {client.family} {client.protocol}"
        sample = flow.exchange()
        assert not flow.broken(sample), sample


@requirement(
    "ct-restart-stale",
    level=EXTENDED,
    feature="stale-conntrack-on-restart",
    reference="pkg/proxy/conntrack: cleanup by desired state",
)
@ALL
def test_restart_removes_entries_that_became_stale(service: Services, world: World) -> None:
    """When an endpoint of a UDP Service is removed while the proxy is down, and others remain, a
    client that keeps sending from the same port is served by one that remains once the proxy is
    back.
    """
    web = service(endpoints=1, ports=BOTH)
    clients = [each for each in client_of_each_kind(world) if each.protocol == "UDP"]
    flows = [each.open(web.cluster_ip_of(each.family), web.port, 8) for each in clients]
    for flow in flows:
        assert flow.opened.is_answered.all(), flow.opened
    remaining = service.endpoint("remote-pod", 1)
    with down(world.node.proxy):
        web.set_endpoints([remaining], settle=False)
    service.settle(syncs=2)
    for client, flow in zip(clients, flows, strict=True):
        after = flow.exchange()
        expected = SocketAddress(remaining.host.address(client.family), 8080)
        assert after.counts == {expected: len(flow)}, f"{after.counts}, {after}"
        assert after.is_answered.all(), after


@requirement("ct-service-no-bypass", level=CORE, reference="docs: Service")
@TCP
def test_connection_after_too_early_a_one_is_served(
    service: Services, client: Client, family: Family
) -> None:
    """A client that addresses a cluster IP before its Service exists is served on a new connection
    once it does.
    """
    vip = SERVICE_RANGES[index(family)][201]
    early = client.connect(vip, 80)
    assert early.reply is None, early
    web = service(endpoints=2, clusterIP=str(vip), clusterIPs=[str(vip)], **SINGLE[family])
    probe = client.connect(web.cluster_ip, web.port)
    assert probe.endpoint in web.endpoints, probe
    assert probe.answered, probe


@requirement(
    "ct-invalid-no-reset",
    level=CORE,
    reference="e2e: conntrack, drop INVALID conntrack entries; kubernetes/kubernetes#74839",
)
@TCP
@pytest.mark.parametrize("segment", ["behind", "ahead"])
def test_segment_out_of_window_resets_no_connection(
    service: Services, client: Client, segment: str
) -> None:
    """A TCP segment from an endpoint that is far behind or far ahead of its connection's window
    does not lead to a reset of the connection.
    """
    web = service([service.endpoint("remote-pod", 1)])
    flows = client.open(web.cluster_ip, web.port)
    assert not flows.broken(flows.exchange()), flows.opened[0]
    offset = {"behind": -100_000, "ahead": 1 << 30}[segment]
    reset = flows.reset_by_stray(offset)
    assert not reset, (
        f"a segment {abs(offset)} bytes {segment} came to the client with the endpoint's own"
        f" address, and the client's reset reached the endpoint: {flows.opened[0]}"
    )
    assert not flows.broken(flows.exchange()), flows.opened[0]
