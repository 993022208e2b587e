"""Health check node ports, by which load balancers learn which nodes have endpoints."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from conformance.vocabulary import (
    Family,
    Health,
    Place,
    Service,
    Services,
    World,
    arranged,
    by_time,
    health,
    kep,
    over,
    requirement,
    source,
)

_PATIENCE = 30.0  # seconds for another node's proxy to answer at all, which settles by itself

Asked = Callable[[int], Health | None]

pytestmark = over(protocol="TCP")


@pytest.fixture
def asked(world: World, family: Family) -> Asked:
    """What the node answers at a healthCheckNodePort, once all is in force: the proxy opens ports
    after it has programmed the rules.
    """

    def ask(port: int) -> Health | None:
        world.canary.settle(syncs=2, families=[family])
        return health(world.node.system, family, port)

    return ask


def balanced(*places: Place) -> pytest.MarkDecorator:
    """A Service for load balancers, with an endpoint at each place, that keeps to local ones."""
    return arranged(places, type="LoadBalancer", external_traffic_policy="Local")


@requirement("hc-np-200", kep(3836), source("pkg/proxy/healthcheck/service_health.go"))
@balanced("pod", "pod", "remote-pod")
def test_node_with_endpoints_is_healthy(web: Service, asked: Asked) -> None:
    """The healthCheckNodePort of a LoadBalancer Service with externalTrafficPolicy Local must
    answer 200 on a node that has ready endpoints of it, and count those.
    """
    assert asked(web.health_check_node_port) == Health(200, 2)


@requirement("hc-np-503", kep(3836), source("pkg/proxy/healthcheck/service_health.go"))
@balanced("pod", "remote-pod")
def test_node_without_endpoints_is_not_healthy(
    service: Services, web: Service, asked: Asked
) -> None:
    """The healthCheckNodePort of a Service must answer 503 on a node whose last ready endpoint of
    the Service has gone, though other nodes have some.
    """
    assert asked(web.health_check_node_port) == Health(200, 1)
    web.set_endpoints([service.endpoint("remote-pod", 1)])
    assert asked(web.health_check_node_port) == Health(503, 0)


@requirement(
    "hc-np-term-503", kep(3836), source("pkg/proxy/healthcheck/service_health.go"), kep(1669)
)
@balanced("pod")
def test_node_with_terminating_endpoints_alone_is_not_healthy(
    service: Services, web: Service, asked: Asked
) -> None:
    """The healthCheckNodePort of a Service must answer 503 on a node whose endpoints of the Service
    are all terminating, though they still serve.
    """
    assert asked(web.health_check_node_port) == Health(200, 1)
    web.set_endpoints([service.endpoint(ready=False, serving=True, terminating=True)])
    assert asked(web.health_check_node_port) == Health(503, 0)


@requirement("hc-np-only-when", kep(3836), source("pkg/proxy/healthcheck/service_health.go"))
@balanced("pod")
def test_port_is_closed_where_no_node_is_preferred(web: Service, asked: Asked) -> None:
    """The healthCheckNodePort of a Service must be closed when the Service's externalTrafficPolicy
    becomes Cluster, and when the Service is deleted.
    """
    port = web.health_check_node_port
    assert asked(port) == Health(200, 1)
    web.update(external_traffic_policy="Cluster")
    assert asked(port) is None
    web.update(external_traffic_policy="Local", health_check_node_port=port)
    assert asked(port) == Health(200, 1)
    web.delete()
    assert asked(port) is None


@requirement("hc-np-not-dnat", kep(3836), source("pkg/proxy/healthcheck/service_health.go"))
@balanced("remote-pod", "remote-pod")
def test_each_node_answers_for_itself(
    service: Services, web: Service, asked: Asked, world: World, family: Family
) -> None:
    """Every node must answer at a healthCheckNodePort for itself alone: what other nodes have
    counts nowhere but there.
    """
    assert asked(web.health_check_node_port) == Health(503, 0)
    web.set_endpoints([service.endpoint(), service.endpoint("remote-pod", 1)])
    assert asked(web.health_check_node_port) == Health(200, 1)
    port = web.health_check_node_port
    for other in world.cluster.others:
        look = partial(health, other, family, port)
        answer = by_time(f"{other} opens port {port}", look, _PATIENCE)
        assert answer == Health(503, 0), other
