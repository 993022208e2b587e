"""Replacement of endpoints under traffic: no client notices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from conformance.sync.rounds import all_delivered, connect_during, often, write_endpoints
from conformance.vocabulary import (
    Endpoint,
    LabClient,
    Service,
    Services,
    ServiceSpec,
    World,
    arranged,
    docs,
    e2e,
    ending,
    kep,
    over,
    requirement,
)

TURNS = 20
"""How often an endpoint is replaced."""

pytestmark = over(protocol="TCP")


def _balanced(service: Services) -> list[ServiceSpec]:
    """Load balancers' Services under either policy, with endpoints that may be chosen under it."""
    return [
        service.spec(["pod"] * 3, exposed=True, external_traffic_policy=policy)
        for policy in ("Cluster", "Local")
    ]


@requirement(
    "lbip-rolling-update",
    kep(1669),
    e2e("loadbalancer", "should not have connectivity disruption during rolling update"),
)
@over(vantage="outside")
@arranged(_balanced)
def test_rolling_update(
    webs: list[Service], service: Services, client: LabClient, world: World
) -> None:
    """While the endpoints of a Service are replaced one after the other, each new one being ready
    before an old one terminates and is removed, every new connection from outside to its load
    balancer's IP must be answered, under either externalTrafficPolicy.
    """
    turns = max(3, often(world, TURNS))
    fresh = [[service.endpoint("pod") for _ in range(turns)] for _ in webs]

    def roll() -> None:
        for turn in range(turns):
            for web, new in zip(webs, fresh, strict=True):
                old, *others = web.spec.endpoints
                write_endpoints(web, [old, *others, new[turn]])
                write_endpoints(web, [ending(old), *others, new[turn]])
                write_endpoints(web, [*others, new[turn]])

    frontends = [each for web in webs for each in web.external_frontends[1:]]
    samples = connect_during(client, frontends, roll)
    service.settle()
    all_delivered(samples)


def _written(web: Service, states: Sequence[Sequence[Endpoint]]) -> None:
    for endpoints in states:
        write_endpoints(web, endpoints)


@requirement("term-no-zero-window", kep(1669))
@arranged(1, type="NodePort")
def test_last_endpoint_begins_to_terminate(
    web: Service, service: Services, client: LabClient, world: World
) -> None:
    """While the only endpoint of a Service begins to terminate and still serves, or becomes ready
    again, every new connection must be answered.
    """
    (only,) = web.spec.endpoints
    states = [[ending(only)], [only]] * max(2, often(world, TURNS))
    frontends = [web.frontend, web.at_node]
    samples = connect_during(client, frontends, lambda: _written(web, states))
    service.settle()
    all_delivered(samples, web.endpoints)


@requirement(
    "term-bluegreen", docs("endpoint-slices", "conditions"), e2e("pod_lifecycle", "zero downtime")
)
@arranged(2)
def test_all_endpoints_are_swapped(
    web: Service, service: Services, client: LabClient, world: World
) -> None:
    """While all endpoints of a Service are swapped, the new ones being listed before they are ready
    and the old ones terminating before they are removed, every new connection must be answered.
    """
    states, old = list[list[Endpoint]](), list(web.spec.endpoints)
    for _ in range(max(2, often(world, TURNS))):
        new = service.endpoints(2)
        states += [
            [*old, *(replace(each, ready=False) for each in new)],
            [*old, *new],
            [*map(ending, old), *new],
            new,
        ]
        old = new
    samples = connect_during(client, [web.frontend], lambda: _written(web, states))
    service.settle()
    all_delivered(samples)
