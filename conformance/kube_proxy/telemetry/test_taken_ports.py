"""healthCheckNodePorts that somebody else has."""

from __future__ import annotations

from conformance.kube_proxy.process.starts import taken
from conformance.vocabulary import (
    Client,
    Family,
    Health,
    Object,
    Service,
    Services,
    ServiceSpec,
    World,
    arranged,
    by_time,
    expect,
    health,
    over,
    requirement,
    source,
)

_ANY = {"IPv4": "0.0.0.0", "IPv6": "::"}
_SECONDS = 240  # after which an event should be written


def _two_balanced(service: Services) -> list[ServiceSpec]:
    return [
        service.spec(["pod"], type="LoadBalancer", external_traffic_policy="Local")
        for _ in range(2)
    ]


def _events(world: World, web: Service) -> list[Object]:
    """Those that say that its healthCheckNodePort is not served."""
    fields = f"involvedObject.name={web.name},reason=FailedToStartServiceHealthcheck"
    return world.cluster.api.list_all("events", web.namespace, fields=fields)


@requirement(
    "hc-np-conflict",
    source("pkg/proxy/healthcheck/service_health.go", "SyncServices"),
    feature="kube-proxy-modes",
)
@over(protocol="TCP")
@arranged(_two_balanced)
def test_taken_port_is_told_and_tried_again(
    service: Services, webs: list[Service], client: Client, world: World, family: Family
) -> None:
    """Where the healthCheckNodePort of a Service is taken, kube-proxy must write an event of type
    Warning about the Service, must serve it and all others as ever, and must open the port with the
    first change after it is free.
    """
    web, other = webs
    port, system = web.health_check_node_port, world.node.system
    web.update(external_traffic_policy="Cluster", settle=False)
    service.settle(syncs=2)
    assert health(system, family, port) is None
    known = [each["metadata"]["uid"] for each in _events(world, web)]
    with taken(world.node, _ANY[family], port):
        web.update(external_traffic_policy="Local", health_check_node_port=port, settle=False)
        other.set_endpoints([other.endpoint(0), service.endpoint("pod")], syncs=2)
        assert health(system, family, other.health_check_node_port) == Health(200, 2)
        for each in webs:
            expect(client.connect(*each.frontend)).delivered(to=each)

        def told() -> list[Object]:
            return [one for one in _events(world, web) if one["metadata"]["uid"] not in known]

        event, *_ = by_time("an event about the Service", told, _SECONDS)
        assert event["type"] == "Warning"
    service.settle(syncs=2)
    assert health(system, family, port) == Health(200, 1)
