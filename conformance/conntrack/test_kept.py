"""Connection tracking: what is still valid stays."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pytest

from conformance.vocabulary import (
    BOTH,
    FAMILIES,
    UDP_TIMEOUT,
    Endpoint,
    LabClient,
    Port,
    Service,
    Services,
    TimingError,
    World,
    arranged,
    client_of_each_kind,
    docs,
    e2e,
    expect,
    issue,
    over,
    requirement,
    source,
    two,
)

_NUMBER = 30053
"""Of a nodePort and of a port."""


@requirement(
    "ct-udp-keep-live",
    docs("virtual-ips"),
    source("pkg/proxy/conntrack/cleanup_test.go", "TestCleanStaleEntries"),
)
@over(protocol="UDP")
@arranged(3)
def test_udp_flows_to_serving_endpoints_stay(
    service: Services, web: Service, client: LabClient
) -> None:
    """When endpoints of a UDP Service are added, removed or begin to terminate while they still
    serve, the flows to all other endpoints, and to those that terminate, must stay with them.
    """
    flows = client.open(*web.frontend, 48)
    assert set(flows.endpoints) == web.endpoints, flows.opened
    _, ending, staying = web.spec.endpoints
    removed = web.socket(0)
    terminating = replace(ending, ready=False, serving=True, terminating=True)
    web.set_endpoints([terminating, staying, service.endpoint("remote-pod", 1)], syncs=2)
    moved = [
        number for number in flows.broken(flows.exchange()) if flows.endpoints[number] != removed
    ]
    assert not moved, f"flows {moved} to endpoints that still serve were moved"


@requirement(
    "ct-udp-keep-other-svc",
    source("pkg/proxy/conntrack/cleanup_test.go", "TestCleanStaleEntries"),
    issue(49881),
)
@over(protocol="UDP")
@arranged(two)
def test_flows_of_others_stay(
    service: Services, webs: list[Service], client: LabClient, world: World
) -> None:
    """When the endpoints of a UDP Service change, UDP flows of other Services, and those that
    belong to no Service, must go on as before.
    """
    changing, other = webs
    stranger = world.hosts("outside")[0].address(client.family)
    flows = [
        client.open(*other.frontend, 16),
        client.open(stranger, changing.port, 4),
        client.open(stranger, 8080, 4),
    ]
    for flow in flows:
        expect(flow.opened).answered()
    changing.set_endpoints([service.endpoint("remote-pod", 1)], syncs=2)
    for flow in flows:
        expect(flow.exchange()).kept(flow)


def _with_one_number(service: Services) -> list[Service]:
    """One whose nodePort has the number that the other one's port has."""
    exposed = Port(80, 8080, "UDP", "web", node_port=_NUMBER)
    made = service.create(
        [
            service.spec(2, ports=[exposed], type="NodePort"),
            service.spec(3, ports=[Port(_NUMBER, 8080, "UDP")]),
        ],
        settle=False,
    )
    service.settle(syncs=2)
    return made


def _assert_flows_stay(
    client: LabClient, changing: Service, other: Service, endpoints: Sequence[Endpoint]
) -> None:
    flows = client.open(other.cluster_ip, _NUMBER, 16)
    expect(flows.opened).delivered()
    changing.set_endpoints(endpoints, syncs=2)
    expect(flows.exchange()).kept(flows)


@requirement("ct-np-port-clash", source("pkg/proxy/conntrack/cleanup.go", "CleanStaleEntries"))
@over(protocol="UDP")
def test_udp_flow_survives_an_equal_node_port_number(service: Services, client: LabClient) -> None:
    """When the endpoints of a UDP Service change, flows to another Service whose port has the
    number of the first one's nodePort must stay with their endpoints.
    """
    changing, other = _with_one_number(service)
    _assert_flows_stay(client, changing, other, [service.endpoint("remote-pod", 1)])


@requirement("ct-np-port-clash-last", issue(139628))
@over(protocol="UDP")
def test_udp_flow_survives_the_last_endpoint_of_a_node_port(
    service: Services, client: LabClient
) -> None:
    """When a UDP Service loses its last endpoint, flows to another Service whose port has the
    number of the first one's nodePort must stay with their endpoints.
    """
    changing, other = _with_one_number(service)
    _assert_flows_stay(client, changing, other, [])


@requirement(
    "ct-udp-serving-unready",
    source("pkg/proxy/conntrack/cleanup.go", "CleanStaleEntries"),
    feature="conservative-udp-cleanup",
)
@over(protocol="UDP")
@arranged(2)
def test_udp_flow_to_unready_but_serving_endpoint_stays(web: Service, client: LabClient) -> None:
    """When an endpoint of a UDP Service is no longer ready but still serving, new flows must avoid
    it and flows to it must stay with it.
    """
    flows = client.open(*web.frontend, 48)
    assert set(flows.endpoints) == web.endpoints, flows.opened
    web.change_endpoint(0, ready=False, serving=True, syncs=2)
    expect(flows.exchange()).kept(flows)
    expect(client.connect_many(*web.frontend, 32)).delivered(to=web.socket(1), reply="any")


@requirement(
    "ct-udp-policy-change",
    source("pkg/proxy/conntrack/cleanup.go", "CleanStaleEntries"),
    feature="conservative-udp-cleanup",
)
@over(protocol="UDP")
@arranged(["pod", "remote-pod"])
def test_udp_flow_outlives_a_change_of_policy(
    service: Services, web: Service, client: LabClient
) -> None:
    """When the traffic policy of a UDP Service changes so that it no longer takes a serving
    endpoint, flows to that endpoint must stay with it.
    """
    flows = client.open(*web.frontend, 48)
    assert set(flows.endpoints) == web.endpoints, flows.opened
    web.update(internal_traffic_policy="Local")
    web.set_endpoints([*web.spec.endpoints, service.endpoint("remote-pod", 2)], syncs=2)
    expect(client.connect_many(*web.frontend, 32)).delivered(to=web.socket(0), reply="any")
    expect(flows.exchange()).kept(flows)


@requirement(
    "ct-tcp-never",
    docs("virtual-ips"),
    source("pkg/proxy/conntrack/cleanup.go"),
    feature="established-outlives-endpoint",
)
@over(protocol="TCP")
@arranged(2, ports=BOTH)
def test_tcp_connections_are_never_ended(
    service: Services, web: Service, client: LabClient
) -> None:
    """Established TCP connections of a Service with UDP ports besides must go on when their
    endpoints, and when the whole Service, go.
    """
    flows = client.open(*web.frontend, 16)
    expect(flows.opened).delivered()
    web.set_endpoints([service.endpoint("remote-pod", 1)], syncs=2)
    expect(flows.exchange(), "when the endpoints were removed").kept(flows)
    web.delete(syncs=2)
    expect(flows.exchange(), "when the Service was deleted").kept(flows)


@requirement(
    "ct-restart-keep", source("pkg/proxy/conntrack/cleanup.go", "cleanup by desired state")
)
@over(families=FAMILIES, protocols=["TCP", "UDP"])
@arranged(3, ports=BOTH)
def test_restart_keeps_valid_flows(service: Services, web: Service, world: World) -> None:
    """A restart of the proxy must leave flows to endpoints that serve with them."""
    clients = client_of_each_kind(world)
    last = time.monotonic()
    flows = [each.open(web.cluster_ip_of(each.family), web.port, 16) for each in clients]
    for flow in flows:
        expect(flow.opened).delivered()
    for step in (world.node.proxy.restart, partial(service.settle, syncs=2)):
        step()
        before, last = last, time.monotonic()
        after = [flow.exchange() for flow in flows]
        if time.monotonic() - before > UDP_TIMEOUT:
            raise TimingError("it took so long that the kernel forgets UDP flows by itself")
        for flow, sample in zip(flows, after, strict=True):
            expect(sample).kept(flow)


@requirement(
    "ct-invalid-no-reset", e2e("conntrack", "drop INVALID conntrack entries"), issue(74839)
)
@over(protocol="TCP")
@pytest.mark.parametrize("segment", ["behind", "ahead"])
@arranged(["remote-pod"])
def test_segment_out_of_window_resets_no_connection(
    web: Service, client: LabClient, segment: str
) -> None:
    """A TCP segment from an endpoint that is far behind or far ahead of its connection's window
    must not lead to a reset of the connection.
    """
    flows = client.open(*web.frontend)
    expect(flows.exchange()).kept(flows)
    offset = {"behind": -100_000, "ahead": 1 << 30}[segment]
    reset = flows.reset_by_stray(offset)
    assert not reset, (
        f"a segment {abs(offset)} bytes {segment} came to the client with the endpoint's own"
        f" address, and the client's reset reached the endpoint: {flows.opened[0]}"
    )
    expect(flows.exchange()).kept(flows)
