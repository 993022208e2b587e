"""NodePorts at loopback addresses, for processes on the node whose TCP connections are relayed."""

from __future__ import annotations

from functools import partial
from itertools import product

import pytest

from conformance.nodeport.relays import (
    BESIDE_ALL,
    E2E,
    NAMED,
    OFF,
    PROXIER,
    RELAY,
    UNNAMED,
    heard,
    refused_and_counted,
    relayed,
)
from conformance.vocabulary import (
    ATTEMPTS,
    BOTH,
    FAMILIES,
    Family,
    IPAddress,
    NodeClient,
    Pool,
    Protocol,
    Service,
    Services,
    ServiceSpec,
    SocketAddress,
    World,
    arranged,
    expect,
    issue,
    kep,
    over,
)

pytestmark = pytest.mark.usefixtures("listening")


@pytest.fixture
def client(process: NodeClient) -> NodeClient:
    """A process on the node at the loopback address."""
    return process


# --- whom a connection reaches --------------------------------------------------------------------


@relayed(
    "np-localhost-nft-served",
    kep(6032),
    E2E("should proxy localhost NodePort traffic to backends across nodes"),
    RELAY("TestNoSessionAffinity_SpreadsAcrossEndpoints"),
    PROXIER("Test_useLocalhostNodePortProxy"),
)
@over(protocol="TCP", configuration=NAMED | BESIDE_ALL)
@arranged(["pod", "remote-pod"], type="NodePort")
def test_connections_to_loopback_addresses_are_relayed(
    web: Service, loopback: IPAddress, assert_pool: Pool
) -> None:
    """Where nodePortAddresses names loopback addresses, what a process on the node says by TCP
    connections to a nodePort at 127.0.0.1 or ::1 must reach the endpoints, each of them in turn or
    by chance, here and elsewhere, and their answers must come back.
    """
    assert_pool(loopback, web.node_port(), web.endpoints)


def _hinted(service: Services) -> ServiceSpec:
    """One with an endpoint elsewhere for this node, and one here for another."""
    mine, other = service.node.name, "another-node"
    endpoints = [
        service.endpoint("remote-pod", 1, for_nodes=(mine,)),
        service.endpoint("pod", for_nodes=(other,)),
    ]
    return service.spec(endpoints, type="NodePort", traffic_distribution="PreferSameNode")


def _of_all_kinds(service: Services) -> list[ServiceSpec]:
    """Services whose first endpoint alone may be chosen, and one that has none."""
    usable, unready = service.endpoint("remote-pod"), service.endpoint("pod", ready=False)
    return [
        service.spec([usable, unready], type="NodePort"),
        service.spec(["remote-pod"], type="NodePort", internal_traffic_policy="Local"),
        _hinted(service),
        service.spec([service.endpoint("pod", ready=False)], type="NodePort"),
    ]


@relayed(
    "np-localhost-nft-endpoints", kep(6032, "Service Feature Support"), RELAY("TestNoEndpoints")
)
@over(protocol="TCP", configuration=NAMED)
@arranged(_of_all_kinds)
def test_relays_lead_to_those_endpoints_that_node_ports_lead_to(
    webs: list[Service], process: NodeClient, loopback: IPAddress
) -> None:
    """A connection to a nodePort at a loopback address must be relayed to an endpoint that is ready
    and, where endpoints are hinted for nodes, hinted for this one, whatever the internal traffic
    policy; where none is ready, it must be refused.
    """
    *some, none = webs
    for web in some:
        sample = process.connect_many(loopback, web.node_port(), ATTEMPTS)
        expect(sample).delivered(to=web.socket(0))
    expect(process.connect(loopback, none.node_port())).refused()


def _local(service: Services) -> list[ServiceSpec]:
    """Under externalTrafficPolicy Local, with an endpoint here and without."""
    local = partial(service.spec, type="NodePort", external_traffic_policy="Local")
    return [local(["pod", "remote-pod"]), local(["remote-pod"])]


@relayed("np-localhost-nft-local", kep(6032, "Service Feature Support"), issue(138427))
@over(protocol="TCP", configuration=NAMED)
@arranged(_local)
def test_relays_follow_the_external_traffic_policy(
    webs: list[Service], process: NodeClient, loopback: IPAddress
) -> None:
    """Under externalTrafficPolicy Local, connections to a nodePort at a loopback address must be
    relayed to endpoints on the node alone, and where there is none they must be refused.
    """
    here, elsewhere = webs
    expect(process.connect_many(loopback, here.node_port(), ATTEMPTS)).delivered(to=here.socket(0))
    expect(process.connect(loopback, elsewhere.node_port())).refused()


@relayed(
    "np-localhost-nft-affinity",
    kep(6032, "Service Feature Support"),
    E2E("should honor sessionAffinity=ClientIP for localhost NodePort"),
    RELAY("TestSessionAffinity_PinsToSingleEndpoint"),
    RELAY("TestSessionAffinity_PinnedEndpointRemoved"),
)
@over(protocol="TCP", configuration=NAMED)
@arranged(3, type="NodePort", session_affinity="ClientIP")
def test_affinity_pins_all_processes_to_one_endpoint(
    web: Service, process: NodeClient, loopback: IPAddress
) -> None:
    """With session affinity ClientIP, all connections to a nodePort at a loopback address must be
    relayed to one endpoint, and to one of the others when that is no endpoint any more.
    """
    for left in (3, 2):
        assert len(web.endpoints) == left
        sample = process.connect_many(loopback, web.node_port(), ATTEMPTS)
        expect(sample).delivered(to=web)
        assert len(sample.counts) == 1, sample.counts
        pinned = sample[0].endpoint
        rest = [
            each
            for position, each in enumerate(web.spec.endpoints)
            if web.socket(position) != pinned
        ]
        web.set_endpoints(rest, syncs=2)


# --- what is not relayed --------------------------------------------------------------------------


@relayed(
    "np-localhost-nft-datagrams",
    kep(6032, "Service Feature Support"),
    PROXIER("TestLocalhostNodePortReject"),
)
@over(protocol=["UDP", "SCTP"], configuration=NAMED)
@arranged(type="NodePort")
def test_other_protocols_are_refused_and_counted(
    web: Service, world: World, family: Family, protocol: Protocol
) -> None:
    """What a process sends by UDP or SCTP to a nodePort at a loopback address must be refused with
    ICMP port unreachable, and counted by family and protocol.
    """
    refused_and_counted(world, family, protocol, web.node_port())


@relayed(
    "np-localhost-nft-unnamed",
    kep(6032, "TCP packets are also rejected"),
    PROXIER("TestLocalhostNodePortRejectAll"),
)
@over(families=FAMILIES, protocols=["TCP", "UDP"], configuration=UNNAMED)
@arranged(1, type="NodePort", ports=BOTH)
@pytest.mark.usefixtures("removed")
def test_nothing_is_relayed_from_addresses_that_are_not_named(web: Service, world: World) -> None:
    """Where the gate is on, but nodePortAddresses names no loopback address, what a process sends
    to a nodePort there must be refused with ICMP port unreachable and counted, TCP as well.
    """
    for family, port in product(FAMILIES, BOTH):
        refused_and_counted(world, family, port.protocol, web.node_port(port.name))


@relayed("np-localhost-nft-off", kep(6032, "Feature Enablement and Rollback"), kep(3866))
@over(protocol=["TCP", "UDP"], configuration=OFF)
@arranged(type="NodePort")
def test_loopback_addresses_are_the_nodes_own_without_the_gate(
    web: Service, process: NodeClient, loopback: IPAddress, world: World
) -> None:
    """Where the gate is off, a nodePort must not be served at a loopback address that
    nodePortAddresses names, and a process that listens there must get what is sent there.
    """
    own = SocketAddress(loopback, web.node_port())
    expect(process.connect(*own)).refused()
    expect(heard(world, process.family, process.protocol, own)).passed_through()
