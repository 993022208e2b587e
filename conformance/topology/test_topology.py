"""Topology: hints of EndpointSlices keep connections in the zone where that leaves an endpoint."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.vocabulary import (
    Pool,
    Service,
    Services,
    ServiceSpec,
    api,
    arranged,
    docs,
    kep,
    over,
    requirement,
)

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
            [replace(one, ready=ready), *others], traffic_distribution="PreferClose"
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
