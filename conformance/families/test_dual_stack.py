"""Services of both IP families: what becomes of one family leaves the other alone."""

from __future__ import annotations

import contextlib
from ipaddress import ip_address

from conformance.vocabulary import (
    FAMILIES,
    Client,
    Endpoint,
    Family,
    LabClient,
    NodeServer,
    Protocol,
    Service,
    Services,
    ServiceSpec,
    Shape,
    SocketAddress,
    World,
    arranged,
    clients_of,
    docs,
    e2e,
    expect,
    itself,
    kep,
    over,
    requirement,
    rfc,
)

_LARGE = 1_200
"""Bytes of a request."""


def _assert_served(web: Service, client: Client, family: Family) -> None:
    probe = client.connect(web.cluster_ip_of(family), web.port)
    expect(probe).delivered(to=web.endpoints_of(web.spec.ports[0].name, family))


@requirement("ds-add-secondary", kep(2438), docs("dual-stack", "on existing Services"))
@over(protocol="TCP")
@arranged(2)
def test_a_family_is_added(web: Service, client: LabClient, family: Family, world: World) -> None:
    """When a Service of one family gets the other one, too, it must be served in both, and
    connections that there were must go on.
    """
    (other,) = set(FAMILIES) - {family}
    flows = client.open(*web.frontend, 4)
    expect(flows.opened).delivered(to=web)
    web.update(families=(family, other))
    expect(flows.exchange()).kept(flows)
    for each in clients_of(world, client.protocol):
        _assert_served(web, each, each.family)


@requirement("ds-del-secondary", kep(2438), docs("dual-stack", "from dual-stack to single-stack"))
@over(protocol="TCP")
def test_the_second_family_is_removed(
    service: Services, client: LabClient, family: Family, world: World
) -> None:
    """When a dual-stack Service loses its second family, it must no longer be served in that, and
    still must be in the first, where connections must go on.
    """
    (other,) = set(FAMILIES) - {family}
    web = service(2, families=(family, other))
    was = web.cluster_ip_of(other)
    flows = client.open(*web.frontend, 4)
    expect(flows.opened).delivered(to=web)
    (second,) = (each for each in clients_of(world, client.protocol) if each.family == other)
    _assert_served(web, second, other)
    web.update(families=(family,))
    expect(flows.exchange()).kept(flows)
    _assert_served(web, client, family)
    expect(second.connect(was, web.port)).unserved()


@requirement("ds-update-eps", e2e("dual_stack", "update endpoints: http", "update endpoints: udp"))
@over(families=FAMILIES, protocols=["TCP", "UDP"])
@arranged(2)
def test_endpoints_change_in_both_families(
    service: Services, web: Service, world: World, protocol: Protocol
) -> None:
    """When the endpoints of a dual-stack Service change, new connections must go to the new ones in
    both families.
    """
    clients = clients_of(world, protocol)
    for client in clients:
        _assert_served(web, client, client.family)
    web.set_endpoints([service.endpoint("pod"), service.endpoint("remote-pod", 1)])
    for client in clients:
        _assert_served(web, client, client.family)


def _here(service: Services) -> ServiceSpec:
    return service.spec([Endpoint(itself(service.node))])


@requirement("ds-hostnetwork", e2e("dual_stack", "service endpoints using hostNetwork"))
@over(families=FAMILIES, protocols=["TCP", "UDP"])
@arranged(_here)
def test_the_node_is_an_endpoint_in_both_families(
    web: Service, world: World, protocol: Protocol
) -> None:
    """An endpoint in the host's network must be reached in both families of a dual-stack
    Service.
    """
    with contextlib.ExitStack() as stack:
        for family in FAMILIES:
            at = SocketAddress(world.node.address(family), 8080)
            stack.enter_context(NodeServer(world.lab, world.node, protocol, at))
        for client in clients_of(world, protocol):
            _assert_served(web, client, client.family)


@requirement("ds-large", e2e("dual_stack", "large requests: http", "large requests: udp"))
@over(families=FAMILIES, protocols=["TCP", "UDP"])
@arranged(["pod", "remote-pod"])
def test_large_requests_in_both_families(web: Service, world: World, protocol: Protocol) -> None:
    """Requests and answers of more than a thousand bytes must arrive whole in both families of a
    dual-stack Service.
    """
    with world.lab.shaped(Shape(more=bytes(range(256)) * 5)):
        for client in clients_of(world, protocol):
            flows = client.open(web.cluster_ip_of(client.family), web.port)
            expect(flows.opened).delivered(to=web.endpoints_of("web", client.family))
            expect(flows.exchange()).kept(flows)


@requirement("ds-v4mapped", rfc(6890, "2.2.3"), rfc(4038, "4.2"))
@over(family="IPv4")
@arranged(1)
def test_mapped_addresses_are_nobodys(web: Service, client: LabClient, world: World) -> None:
    """A packet to the IPv6 address that an IPv4 cluster IP is mapped to (::ffff:0:0/96) must not
    reach an endpoint of the Service.
    """
    expect(client.connect(*web.frontend)).delivered(to=web)
    mapped = ip_address(f"::ffff:{web.cluster_ip}")
    stranger = LabClient(world.lab, client.host, "IPv6", client.protocol)
    expect(stranger.connect(mapped, web.port)).unserved()
