"""NodePorts at loopback addresses that are relayed, and what changes under them."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Final

import pytest

from conformance.nodeport.relays import (
    NAMED,
    OFF,
    RELAY,
    UNNAMED,
    count,
    heard,
    refused_and_counted,
    relayed,
    speaking,
)
from conformance.vocabulary import (
    BOTH,
    FAMILIES,
    LOOPBACK,
    Family,
    IPAddress,
    NodeClient,
    NodeServer,
    Service,
    Services,
    SocketAddress,
    Speaker,
    World,
    arranged,
    by_time,
    expect,
    issue,
    kep,
    over,
)

pytestmark = pytest.mark.usefixtures("listening")

_SECONDS: Final = 5  # within which a proxy that is ready should have programmed what stands


@relayed(
    "np-localhost-nft-delete",
    kep(6032),
    RELAY("TestSyncNodePorts_AddAndRemove"),
    RELAY("TestNoEndpoints"),
    RELAY("TestSyncNodePorts_ListenersGaugeReflectsActiveCount"),
)
@over(protocol="TCP", configuration=NAMED)
@arranged(1, type="NodePort")
def test_relays_come_and_go_with_what_they_are_for(
    service: Services, web: Service, process: NodeClient, loopback: IPAddress, world: World
) -> None:
    """A nodePort must be listened at for as long as its Service has an endpoint, and when it has
    none any more, or is deleted, connections must be refused and the listener be counted no more.
    """
    own, usual = SocketAddress(loopback, web.node_port()), web.spec.endpoints
    world.cluster.api.finish_deletions()  # of Services that other tests had
    service.settle(syncs=2)

    def listeners() -> float:
        return count(world, "listeners", ip_family=process.family)

    standing = listeners()
    expect(process.connect(*own)).delivered(to=web)
    web.set_endpoints((), syncs=2)
    expect(process.connect(*own)).refused()
    assert listeners() == standing - 1
    web.set_endpoints(usual, syncs=2)
    expect(process.connect(*own)).delivered(to=web)
    assert listeners() == standing
    web.delete(syncs=2)
    expect(process.connect(*own)).refused()
    assert listeners() == standing - 1
    expect(heard(world, process.family, "TCP", own)).passed_through()


@relayed("np-localhost-nft-kept", kep(6032), RELAY("TestSyncNodePorts_UpdateEndpoints"))
@over(protocol="TCP", configuration=NAMED)
@arranged(2, type="NodePort")
def test_relayed_connections_outlive_changes(
    service: Services, web: Service, process: Speaker, loopback: IPAddress
) -> None:
    """A connection to a nodePort at a loopback address must go on with its endpoint when other
    Services come and go, and when its own gets and loses other endpoints.
    """
    with process.open(loopback, web.node_port()) as say:
        first = say()
        expect(first).delivered(to=web)
        (mine,) = (
            each
            for position, each in enumerate(web.spec.endpoints)
            if web.socket(position) == first.endpoint
        )
        other = service(1, type="NodePort")
        other.delete(syncs=2)
        expect(say()).delivered(to=first.endpoint, seen_from=first.source)
        web.set_endpoints([mine, service.endpoint()], syncs=2)
        web.set_endpoints([mine], syncs=2)
        expect(say()).delivered(to=first.endpoint, seen_from=first.source)


@relayed(
    "np-localhost-nft-taken",
    kep(6032, "How can a rollout or rollback fail?"),
    RELAY("TestSyncNodePorts_ListenerCreationFailuresCounter"),
)
@over(protocol="TCP", configuration=NAMED)
@arranged(lambda service: [service.spec(0, type="NodePort") for _ in range(2)])
def test_a_listener_that_is_in_the_way_is_harmless(
    service: Services, webs: list[Service], process: Speaker, loopback: IPAddress, world: World
) -> None:
    """Where a process on the node listens at a nodePort's loopback address already, it must keep
    its connections, that must be logged and counted, and the nodePort must be served at the
    node's own address, as other nodePorts must at all of theirs.
    """
    taken, other = webs
    own = SocketAddress(loopback, taken.node_port())
    failures = partial(
        count,
        world,
        "listener_creation_failures_total",
        at_first=0.0,
        ip_family=process.family,
    )
    before = failures()
    position = world.node.proxy.log_position()
    with NodeServer(world.lab, world.node, "TCP", own):
        taken.set_endpoints([service.endpoint("remote-pod")], settle=False)
        other.set_endpoints([service.endpoint("remote-pod")], syncs=2)
        with NodeClient(world.lab, world.node, process.family, "TCP", loopback) as caller:
            expect(caller.connect(*own)).passed_through()
        assert failures() > before
    log = world.node.proxy.log_since(position)
    assert any(line[:1] == "E" and str(own.port) in line for line in log.splitlines()), log
    with NodeClient(world.lab, world.node, process.family, "TCP") as caller:
        expect(caller.connect(*taken.at_node)).delivered(to=taken)
    expect(process.connect(loopback, other.node_port())).delivered(to=other)


def _answered(world: World, family: Family, port: int) -> bool:
    """Whether a process is answered at a nodePort of the loopback address."""
    with speaking(world, family, "TCP") as process:
        return process.connect(process.address, port).answered


@relayed("np-localhost-nft-named-later", kep(6032), issue(142183))
@over(families=FAMILIES, protocols=["TCP"], configuration={"primary at first": UNNAMED["primary"]})
@arranged(1, type="NodePort")
@pytest.mark.usefixtures("removed")
def test_loopback_addresses_can_be_named_later(web: Service, world: World) -> None:
    """When nodePortAddresses comes to name loopback addresses and the proxy is restarted, TCP
    connections to nodePorts there must be relayed, though they were refused before.
    """
    for family in FAMILIES:
        refused_and_counted(world, family, "TCP", web.node_port())
    world.node.proxy.restart(NAMED["localhost"])
    for family in FAMILIES:
        served = partial(_answered, world, family, web.node_port())
        by_time(f"a nodePort is served at {LOOPBACK[family]}", served, _SECONDS)


@relayed("np-localhost-nft-rollback", kep(6032, "Feature Enablement and Rollback"))
@over(families=FAMILIES, protocols=["TCP", "UDP"], configuration=NAMED)
@arranged(1, type="NodePort", ports=BOTH)
def test_a_gate_that_is_switched_off_leaves_nothing(
    service: Services, web: Service, world: World
) -> None:
    """When the gate is switched off and the proxy restarted, what is sent to nodePorts at loopback
    addresses must be neither relayed nor refused any more, but left to processes.
    """
    service.settle(syncs=2)
    for family, port in product(FAMILIES, BOTH):
        with speaking(world, family, port.protocol) as process:
            probe = process.connect(process.address, web.node_port(port.name))
        if port.protocol == "TCP":
            expect(probe).delivered(to=web.socket(0, family))
        else:
            expect(probe).refused(icmp=True)
    try:
        world.node.proxy.restart(OFF["gate off"])
        service.settle(syncs=2)
        for family, port in product(FAMILIES, BOTH):
            own = SocketAddress(LOOPBACK[family], web.node_port(port.name))
            expect(heard(world, family, port.protocol, own)).passed_through()
    finally:
        world.node.proxy.restart(world.configuration)
