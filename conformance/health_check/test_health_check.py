"""Health check node ports, by which load balancers learn which nodes have endpoints."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from clusters.node import EXTERNAL_INTERFACE
from conformance.vocabulary import (
    FAMILIES,
    Family,
    Health,
    LabClient,
    Place,
    Service,
    Services,
    World,
    arranged,
    by_time,
    docs,
    e2e,
    expect,
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


@requirement("hc-np-families", kep(3836), source("pkg/proxy/healthcheck/service_health.go"))
@over(families=FAMILIES)
@balanced("pod", "pod", "remote-pod")
def test_both_families_are_answered(service: Services, web: Service, world: World) -> None:
    """The healthCheckNodePort of a dual-stack Service must answer at the node's addresses of both
    families.
    """
    service.settle(syncs=2)
    port = web.health_check_node_port
    found = [health(world.node.system, each, port) for each in FAMILIES]
    assert found == [Health(200, 2)] * 2


@requirement(
    "hc-np-firewall",
    source("pkg/proxy/iptables/proxier_test.go", "TestHealthCheckNodePort"),
    source("pkg/proxy/ipvs/proxier_test.go", "TestHealthCheckNodePort"),
    feature="health-checks-accepted",
)
@over(vantage="outside")
@balanced("pod")
def test_port_passes_a_firewall(
    web: Service, client: LabClient, asked: Asked, world: World, family: Family
) -> None:
    """What is sent to a healthCheckNodePort must pass an INPUT that drops what no rule before has
    accepted, and must no longer once externalTrafficPolicy is Cluster.
    """
    own, port = world.node.address(family), web.health_check_node_port
    tool = {"IPv4": "iptables", "IPv6": "ip6tables"}[family]
    rule = ["INPUT", "-i", EXTERNAL_INTERFACE, "-p", "tcp", "--dport", str(port), "-j", "DROP"]
    assert asked(port) == Health(200, 1)
    world.node.run([tool, "-w", "-A", *rule])
    try:
        expect(client.connect(own, port)).answered()
        web.update(external_traffic_policy="Cluster", settle=False)
        assert asked(port) is None
        expect(client.connect(own, port)).dropped()
    finally:
        world.node.run([tool, "-w", "-D", *rule])


@requirement("hc-np-503", kep(3836), source("pkg/proxy/healthcheck/service_health.go"))
@balanced("pod", "remote-pod")
def test_node_without_endpoints_is_not_healthy(
    service: Services, web: Service, asked: Asked
) -> None:
    """The healthCheckNodePort of a Service must answer 503 on a node whose last ready endpoint of
    the Service has gone, though other nodes have some.
    """
    assert asked(web.health_check_node_port) == Health(200, 1)
    web.set_endpoints([service.endpoint("remote-pod", 1)], settle=False)
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
    web.set_endpoints([service.endpoint(ready=False, serving=True, terminating=True)], settle=False)
    assert asked(web.health_check_node_port) == Health(503, 0)


@requirement("hc-np-only-when", kep(3836), source("pkg/proxy/healthcheck/service_health.go"))
@balanced("pod")
def test_port_is_closed_where_no_node_is_preferred(web: Service, asked: Asked) -> None:
    """The healthCheckNodePort of a Service must be closed when the Service's externalTrafficPolicy
    becomes Cluster, and when the Service is deleted.
    """
    port = web.health_check_node_port
    assert asked(port) == Health(200, 1)
    web.update(external_traffic_policy="Cluster", settle=False)
    assert asked(port) is None
    web.update(external_traffic_policy="Local", health_check_node_port=port, settle=False)
    assert asked(port) == Health(200, 1)
    web.delete(settle=False)
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
    web.set_endpoints([service.endpoint(), service.endpoint("remote-pod", 1)], settle=False)
    assert asked(web.health_check_node_port) == Health(200, 1)
    port = web.health_check_node_port
    for other in world.cluster.others:
        look = partial(health, other, family, port)
        answer = by_time(f"{other} opens port {port}", look, _PATIENCE)
        assert answer == Health(503, 0), other


def _serves(client: LabClient, web: Service) -> bool:
    """Whether new connections from outside get to an endpoint here."""
    probe = client.connect(*web.at_node)
    return probe.endpoint in web.endpoints and probe.answered


@requirement(
    "etp-lb-target-nodes",
    docs("virtual-ips", "external traffic policy"),
    e2e("loadbalancer", "only target nodes with endpoints"),
)
@over(vantage="outside")
@balanced("remote-pod")
def test_healthy_nodes_are_those_that_serve(
    service: Services, web: Service, client: LabClient, asked: Asked
) -> None:
    """Under externalTrafficPolicy Local, the healthCheckNodePort of a Service must call the node
    healthy while it serves connections from outside, and not healthy while it does not.
    """
    port = web.health_check_node_port
    assert (asked(port), _serves(client, web)) == (Health(503, 0), False)
    web.set_endpoints([*web.spec.endpoints, service.endpoint("pod")], settle=False)
    assert (asked(port), _serves(client, web)) == (Health(200, 1), True)


@requirement(
    "term-hcnp",
    kep(1669),
    e2e("service", "fail health check node port if there are only terminating endpoints"),
)
@over(vantage="outside")
@arranged(
    lambda service: service.spec(
        [service.endpoint(ready=False, serving=True, terminating=True)],
        type="LoadBalancer",
        external_traffic_policy="Local",
    )
)
def test_terminating_endpoints_serve_on(web: Service, client: LabClient, asked: Asked) -> None:
    """Where all of a node's endpoints are terminating and still serve, connections from outside
    must be sent to them, though the healthCheckNodePort answers 503 already.
    """
    assert asked(web.health_check_node_port) == Health(503, 0)
    expect(client.connect(*web.at_node)).delivered(to=web, seen_from=client.address)
