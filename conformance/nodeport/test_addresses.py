"""NodePorts: at which of its addresses a node serves them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from clusters.implementation import OWN_ADDRESSES
from clusters.node import EXTERNAL_INTERFACE
from conformance.nodeport.listeners import listening
from conformance.vocabulary import (
    Client,
    Family,
    IPAddress,
    LabClient,
    Service,
    Services,
    SocketAddress,
    World,
    arranged,
    docs,
    expect,
    having,
    kep,
    networks,
    over,
    requirement,
    setting,
    source,
)

_TEST: Final = source("pkg/proxy/iptables/proxier_test.go", "TestNodePorts")
_SETTING: Final = setting("KubeProxyConfiguration.nodePortAddresses")

_FURTHER: Final = networks("192.0.2.240/28", "2001:db8:0:1::1:0/112")
_OTHERS: Final = networks("192.0.2.192/28", "2001:db8:0:1::2:0/112")
"""Parts of the network of the nodes."""

NETWORKS: Final = {
    "two networks": {"nodePortAddresses": [*OWN_ADDRESSES.values(), *map(str, _FURTHER.values())]}
}
KEYWORD: Final = {"primary": {"nodePortAddresses": ["primary"]}}
IPV4_ALONE: Final = {"networks of IPv4": {"nodePortAddresses": [OWN_ADDRESSES["IPv4"]]}}

LATE: Final = 3
"""Number of an address in ``_OTHERS`` that comes while the proxy runs."""


@pytest.fixture(scope="module", autouse=True)
def _addresses(shared_world: World) -> Iterator[None]:
    """The node has an address in each of the networks, before a test has the proxy start."""
    more = [part[family][1] for part in (_FURTHER, _OTHERS) for family in part]
    with having(shared_world.node, *more, interface=EXTERNAL_INTERFACE):
        yield


@pytest.fixture
def further(family: Family) -> IPAddress:
    """An address of the node's in the second of the networks that are configured."""
    return _FURTHER[family][1]


@pytest.fixture
def other(family: Family) -> IPAddress:
    """An address of the node's in none of the networks that are configured."""
    return _OTHERS[family][1]


@requirement(
    "np-addr-default-all",
    docs("virtual-ips", "nodePortAddresses"),
    _SETTING,
    feature="node-ports-at-every-address",
)
@arranged(type="NodePort")
def test_every_address_serves_by_default(
    web: Service, client: Client, further: IPAddress, other: IPAddress
) -> None:
    """Where nodePortAddresses is not set, nodePorts must be served at all addresses of the node."""
    for address in (web.at_node.address, further, other):
        expect(client.connect(address, web.node_port())).delivered(to=web)


@requirement(
    "np-addr-default-primary",
    docs("virtual-ips", "nodePortAddresses"),
    kep(3866),
    feature="node-ports-at-primary-addresses",
)
@arranged(type="NodePort")
def test_primary_addresses_alone_serve_by_default(
    web: Service, client: Client, further: IPAddress
) -> None:
    """Where nodePortAddresses is not set, nodePorts must be served at the node's primary address of
    each family, and at no other.
    """
    expect(client.connect(*web.at_node)).delivered(to=web)
    expect(client.connect(further, web.node_port())).refused()


@requirement(
    "np-addr-new-ip",
    source("pkg/proxy/iptables/proxier.go", "addrtype LOCAL"),
    source("pkg/proxy/ipvs/proxier.go", "node addresses are listed in every sync"),
    feature="node-ports-at-every-address",
)
@over(protocol="TCP")
@arranged(type="NodePort")
def test_new_address_serves(
    service: Services, web: Service, client: Client, family: Family, world: World
) -> None:
    """An address that the node gets while the proxy runs must serve nodePorts, at the latest with
    the next change.
    """
    late = _OTHERS[family][LATE]
    with having(world.node, late, interface=EXTERNAL_INTERFACE):
        service.settle(removed=True)
        expect(client.connect(late, web.node_port())).delivered(to=web)


@requirement("np-addr-cidr", _SETTING, _TEST, feature="node-port-addresses")
@over(vantage=["pod", "outside"], protocol="TCP", configuration=NETWORKS)
@arranged(type="NodePort")
def test_configured_networks_alone_serve(
    web: Service, client: Client, further: IPAddress, other: IPAddress
) -> None:
    """Where nodePortAddresses lists networks, nodePorts must be served at the node's addresses in
    these, and at no other.
    """
    expect(client.connect(further, web.node_port())).delivered(to=web)
    expect(client.connect(other, web.node_port())).refused()


@requirement("np-addr-multi-cidr", _SETTING, _TEST, feature="node-port-addresses")
@over(protocol="UDP", configuration=NETWORKS)
@arranged(type="NodePort")
def test_each_configured_network_serves(web: Service, client: Client, further: IPAddress) -> None:
    """Where nodePortAddresses lists several networks of a family, nodePorts must be served at the
    node's addresses in any of them.
    """
    for address in (web.at_node.address, further):
        expect(client.connect(address, web.node_port())).delivered(to=web)


@requirement(
    "np-secondary-reply",
    _SETTING,
    docs("service", "type NodePort"),
    feature="node-port-addresses",
)
@over(protocol=["TCP", "UDP"], configuration=NETWORKS)
@arranged(["remote-pod"], type="NodePort")
def test_answers_come_from_the_address_that_was_asked(
    web: Service, client: LabClient, further: IPAddress
) -> None:
    """All that a client of a nodePort gets back must come from that address of the node's that it
    has addressed, whichever the node would take by itself.
    """
    flows = client.open(further, web.node_port())
    expect(flows.opened).delivered(to=web)
    expect(flows.exchange()).kept(flows)


@requirement("np-addr-excluded-is-host", _SETTING, _TEST, feature="node-port-addresses")
@over(protocol=["TCP", "UDP"], configuration=NETWORKS)
@arranged(type="NodePort")
def test_other_addresses_are_left_to_processes(
    web: Service, client: Client, other: IPAddress, world: World
) -> None:
    """At an address of the node's that nodePortAddresses leaves out, a process that listens at the
    number of a nodePort must get what is sent there.
    """
    expect(client.connect(*web.at_node)).delivered(to=web)
    at = SocketAddress(other, web.node_port())
    with listening(world, client, at):
        expect(client.connect(*at)).passed_through()


@requirement(
    "np-noep-excluded-ip",
    _SETTING,
    source("pkg/proxy/iptables/proxier.go", "KUBE-EXTERNAL-SERVICES, addrtype LOCAL"),
    feature="node-port-addresses",
)
@over(protocol=["TCP", "UDP"], configuration=NETWORKS)
@arranged(0, type="NodePort")
def test_other_addresses_are_left_to_processes_without_endpoints(
    web: Service, client: Client, other: IPAddress, world: World
) -> None:
    """At an address of the node's that nodePortAddresses leaves out, a process that listens at the
    number of a nodePort must get what is sent there, though the Service has no endpoint.
    """
    expect(client.connect(*web.at_node)).refused()
    at = SocketAddress(other, web.node_port())
    with listening(world, client, at):
        expect(client.connect(*at)).passed_through()


@requirement("np-addr-primary-keyword", _SETTING, kep(3866), feature="node-port-addresses-primary")
@over(protocol="TCP", configuration=KEYWORD)
@arranged(type="NodePort")
def test_primary_addresses_can_be_configured(
    web: Service, client: Client, further: IPAddress, other: IPAddress
) -> None:
    """Where nodePortAddresses is primary, nodePorts must be served at the node's primary address of
    each family, and at no other.
    """
    expect(client.connect(*web.at_node)).delivered(to=web)
    for address in (further, other):
        expect(client.connect(address, web.node_port())).refused()


@requirement(
    "hc-np-bind",
    _SETTING,
    source("pkg/proxy/healthcheck/healthcheck_test.go", "TestServerWithSelectiveListeningAddress"),
    feature="kube-proxy-modes",
)
@over(protocol="TCP", configuration=NETWORKS)
@arranged(["pod"], type="LoadBalancer", external_traffic_policy="Local")
def test_health_checks_are_answered_where_node_ports_are(
    service: Services, web: Service, client: Client, further: IPAddress, other: IPAddress
) -> None:
    """Where nodePortAddresses lists networks, a healthCheckNodePort must be open at the node's
    addresses in these, and at no other.
    """
    service.settle(syncs=2)
    port = web.health_check_node_port
    for address in (web.at_node.address, further):
        expect(client.connect(address, port)).answered()
    expect(client.connect(other, port)).refused()


@requirement(
    "np-addr-one-family-cidr",
    source("pkg/proxy/util/nodeport_addresses.go", "NewNodePortAddresses"),
    feature="kube-proxy-modes",
)
@over(family="IPv6", protocol="TCP", configuration=IPV4_ALONE)
@arranged(type="NodePort")
def test_family_without_networks_serves_everywhere(
    web: Service, client: Client, further: IPAddress, other: IPAddress
) -> None:
    """Where nodePortAddresses lists networks of one family alone, nodePorts must be served at all
    of the node's addresses of the other.
    """
    for address in (web.at_node.address, further, other):
        expect(client.connect(address, web.node_port())).delivered(to=web)
