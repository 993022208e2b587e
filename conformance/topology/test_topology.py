"""Topology: hints of EndpointSlices keep connections in the zone where that leaves an endpoint."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.vocabulary import (
    FAMILIES,
    FLOWS,
    Family,
    Place,
    Pool,
    Port,
    Service,
    Services,
    ServiceSpec,
    Slice,
    World,
    api,
    arranged,
    clients_of,
    docs,
    e2e,
    expect,
    kep,
    over,
    requirement,
    source,
)
from specification.places import LAB_NODES, ZONES
from specification.services import TOPOLOGY_MODE

_HERE, _THERE, _ELSEWHERE = "zone-a", "zone-b", "zone-c"
"""The zone of the node under test, that of another node, and one without any node."""

pytestmark = [over(protocol="TCP"), pytest.mark.usefixtures("zone_known")]


def _hinted(*zones: str | tuple[str, ...], ready: bool = True) -> pytest.MarkDecorator:
    """Arrange for each zone, or some of them, an endpoint whose hint names it; the first is
    ``ready`` or not. All run in another zone than the node under test: what counts is the hint.
    """

    def hinted(service: Services) -> ServiceSpec:
        named = [(each,) if isinstance(each, str) else each for each in zones]
        one, *others = [service.endpoint("remote-pod", 2, for_zones=each) for each in named]
        return service.spec(
            [replace(one, ready=ready), *others],
            traffic_distribution="PreferClose",
            annotations=TOPOLOGY_MODE,
        )

    return arranged(hinted)


def _assert_chosen(assert_pool: Pool, web: Service, *positions: int) -> None:
    """Connections are answered by the endpoints at these positions, by each and by no other."""
    assert_pool(*web.frontend, [web.socket(position) for position in positions])


@requirement("topo-zone-hints", docs("topology-aware-routing"), kep(2433), kep(4444))
@over(vantage=["pod", "node"])
@_hinted(_HERE, _THERE, _HERE, _ELSEWHERE)
def test_hints_keep_connections_in_the_zone(web: Service, assert_pool: Pool) -> None:
    """Where every ready endpoint of a Service has a hint for zones, new connections must be sent to
    those endpoints whose hint names the zone of the node, to all of them and to no other.
    """
    _assert_chosen(assert_pool, web, 0, 2)


@requirement("topo-multi-hints", api("EndpointSlice", "endpoints.hints.forZones"))
@_hinted((_THERE, _HERE), _HERE, _ELSEWHERE)
def test_a_hint_may_name_several_zones(web: Service, assert_pool: Pool) -> None:
    """An endpoint whose hint names several zones must be used in each of them."""
    _assert_chosen(assert_pool, web, 0, 1)


@requirement("topo-missing-hint", docs("topology-aware-routing", "safeguards"), kep(2433))
@_hinted(_HERE, _THERE, ())
def test_hints_are_ignored_where_an_endpoint_has_none(web: Service, assert_pool: Pool) -> None:
    """Where any ready endpoint of a Service has no hint, hints must be ignored: new connections are
    sent to all of its ready endpoints.
    """
    _assert_chosen(assert_pool, web, 0, 1, 2)


@requirement("topo-no-match", docs("topology-aware-routing", "safeguards"), kep(2433))
@_hinted(_THERE, _ELSEWHERE)
def test_hints_leave_no_zone_without_endpoints(web: Service, assert_pool: Pool) -> None:
    """Where no hint names the zone of the node, hints must be ignored: new connections are sent to
    all ready endpoints.
    """
    _assert_chosen(assert_pool, web, 0, 1)


@requirement("topo-only-unready-in-zone", docs("topology-aware-routing", "safeguards"), kep(2433))
@_hinted(_HERE, _THERE, _ELSEWHERE, ready=False)
def test_unready_endpoints_do_not_count_for_a_zone(web: Service, assert_pool: Pool) -> None:
    """Where no ready endpoint's hint names the zone of the node, although that of an unready one
    does, new connections must be sent to all ready endpoints, and to no unready one.
    """
    _assert_chosen(assert_pool, web, 1, 2)


def _ports_apart(service: Services) -> ServiceSpec:
    """Two ports, each with endpoints of its own, of which those of the first have hints."""
    ports = [Port(80 + n, 8080 + n, name=f"p{n}") for n in range(2)]
    hints: list[tuple[str, ...]] = [(_HERE,), (_THERE,)]
    hinted = tuple(service.endpoint("remote-pod", 2, for_zones=zones) for zones in hints)
    plain = tuple(service.endpoints(2))
    slices = [Slice(each, (port,)) for each, port in zip((hinted, plain), ports, strict=True)]
    return service.spec(ports=ports, slices=slices, annotations=TOPOLOGY_MODE)


@requirement("topo-per-port", source("pkg/proxy/topology.go", "CategorizeEndpoints"))
@arranged(_ports_apart)
def test_hints_count_for_their_port(web: Service, assert_pool: Pool) -> None:
    """Whether hints are followed must be decided for each port of a Service on its own: where the
    endpoints of one port have no hints, those of another must be followed all the same.
    """
    first, second = web.spec.ports
    assert_pool(web.cluster_ip, first.number, [web.socket(0)])
    assert_pool(web.cluster_ip, second.number, web.endpoints_of(second.name))


def _families_apart(service: Services) -> ServiceSpec:
    """The same endpoints in both families, with hints in the first alone."""
    zones: list[tuple[str, ...]] = [(_HERE,), (_THERE,)]
    hinted = tuple(service.endpoint("remote-pod", 2, for_zones=each) for each in zones)
    plain = tuple(replace(each, for_zones=()) for each in hinted)
    slices = [
        Slice(each, address_types=(kind,))
        for each, kind in zip((hinted, plain), FAMILIES, strict=True)
    ]
    return service.spec(slices=slices, families=FAMILIES, annotations=TOPOLOGY_MODE)


@requirement("topo-per-family", kep(2433), source("pkg/proxy/topology.go", "CategorizeEndpoints"))
@arranged(_families_apart)
def test_hints_count_for_their_family(web: Service, assert_pool: Pool, family: Family) -> None:
    """Whether hints are followed must be decided for each IP family on its own: where the endpoints
    of one family have no hints, those of the other must be followed all the same.
    """
    _assert_chosen(assert_pool, web, *([0] if family == FAMILIES[0] else [0, 1]))


@requirement("topo-hint-change", kep(2433))
@_hinted(_HERE, _THERE)
def test_new_hints_hold_for_new_connections(web: Service, assert_pool: Pool) -> None:
    """When hints change, or are removed, the next connections must be sent as the new ones say."""
    _assert_chosen(assert_pool, web, 0)
    first, second = web.spec.endpoints
    web.set_endpoints([replace(first, for_zones=(_THERE,)), replace(second, for_zones=(_HERE,))])
    _assert_chosen(assert_pool, web, 1)
    web.set_endpoints([replace(first, for_zones=()), replace(second, for_zones=())])
    _assert_chosen(assert_pool, web, 0, 1)


@requirement("topo-established", docs("virtual-ips"), kep(2433))
@over(families=FAMILIES)
@arranged(2, annotations=TOPOLOGY_MODE)
def test_new_hints_leave_connections_alone(web: Service, world: World) -> None:
    """When hints come that exclude the endpoint of an established TCP connection, the connection
    must go on with that endpoint.
    """
    clients = clients_of(world, "TCP")
    flows = [each.open(web.cluster_ip_of(each.family), web.port, 2 * FLOWS) for each in clients]
    first, second = web.spec.endpoints
    web.set_endpoints([replace(first, for_zones=(_HERE,)), replace(second, for_zones=(_THERE,))])
    for client, flow in zip(clients, flows, strict=True):
        expect(flow.exchange()).kept(flow)
        new = client.connect_many(web.cluster_ip_of(client.family), web.port, FLOWS)
        expect(new).delivered(to=web.socket(0, client.family))


def _on_each_node(service: Services) -> ServiceSpec:
    """An endpoint on each node, with hints for its node and its zone."""
    places: tuple[Place, ...] = ("pod", "remote-pod", "remote-pod")
    nodes = (service.node.name, *LAB_NODES)
    listed = (
        service.endpoint(place, number, for_zones=(zone,), for_nodes=(node,))
        for number, (place, node, zone) in enumerate(zip(places, nodes, ZONES, strict=True))
    )
    return service.spec(list(listed))


@requirement(
    "topo-node-recover",
    kep(3015),
    e2e("traffic_distribution", "fall back when the endpoint becomes unavailable"),
    feature="node-hints",
)
@over(family="IPv6")
@arranged(_on_each_node)
def test_connections_return_to_their_node(web: Service, assert_pool: Pool) -> None:
    """When the only endpoint that is hinted for the node gets unready, new connections must go to
    those of its zone, and once it is ready again to that one alone.
    """
    _assert_chosen(assert_pool, web, 0)
    for ready, chosen in ((False, 1), (True, 0)):
        web.change_endpoint(0, ready=ready)
        _assert_chosen(assert_pool, web, chosen)
