"""Health check node ports that become others, and that many ask at a time."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from conformance.vocabulary import (
    Family,
    Health,
    Service,
    Services,
    ServiceSpec,
    World,
    api,
    arranged,
    health,
    over,
    requirement,
    source,
)

_SERVICE = source("pkg/proxy/healthcheck/service_health.go")
_DOMAIN = {"IPv4": socket.AF_INET, "IPv6": socket.AF_INET6}
_MANY = 32  # who ask at a time
_PATIENCE = 10.0  # seconds for one answer
_REQUEST = b"GET / HTTP/1.1\r\nHost: node\r\n\r\n"

pytestmark = over(protocol="TCP")


def _two_balanced(service: Services) -> list[ServiceSpec]:
    return [
        service.spec(
            [service.endpoint("pod") for _ in range(count)],
            type="LoadBalancer",
            external_traffic_policy="Local",
        )
        for count in (2, 1)
    ]


@requirement("hc-np-change", api("Service", "spec.healthCheckNodePort"), _SERVICE)
@arranged(_two_balanced)
def test_service_gets_the_port_of_another(
    service: Services, webs: list[Service], world: World, family: Family
) -> None:
    """When a Service gets another healthCheckNodePort, which another Service had, the node must
    answer for the first one there, and must no longer answer at its old port.
    """
    web, gone = webs
    ports = web.health_check_node_port, gone.health_check_node_port

    def answers() -> list[Health | None]:
        service.settle(syncs=2)
        return [health(world.node.system, family, port) for port in ports]

    assert answers() == [Health(200, 2), Health(200, 1)]
    gone.delete(settle=False)
    web.update(external_traffic_policy="Cluster", settle=False)  # with Local it cannot be changed
    web.update(external_traffic_policy="Local", health_check_node_port=ports[1], settle=False)
    assert answers() == [None, Health(200, 2)]


@requirement("hc-np-keepalive", _SERVICE)
@arranged(["pod", "remote-pod"], type="LoadBalancer", external_traffic_policy="Local")
def test_many_ask_at_a_time(service: Services, web: Service, world: World, family: Family) -> None:
    """A healthCheckNodePort must give each of many that ask at the same time an answer, and those
    that ask later, too, though the others keep their connections open.
    """
    service.settle(syncs=2)
    at = str(world.node.address(family)), web.health_check_node_port
    found = []
    with ExitStack() as stack:
        for _ in range(2):
            ends = [
                stack.enter_context(world.node.system.socket(_DOMAIN[family], socket.SOCK_STREAM))
                for _ in range(_MANY)
            ]
            found += _ask(ends, at)
    assert found == [http.client.OK] * 2 * _MANY


def _ask(ends: Sequence[socket.socket], at: tuple[str, int]) -> list[int | str]:
    """The status that each gets once all have connected, or what went wrong."""
    steps: list[Callable[[socket.socket], object]] = [
        lambda end: end.connect(at),
        lambda end: end.sendall(_REQUEST),
    ]
    wrong: dict[socket.socket, str] = {}
    for step in steps:
        for end in ends:
            end.settimeout(_PATIENCE)
            try:
                step(end)
            except OSError as problem:
                wrong[end] = repr(problem)
    return [wrong.get(end) or _read(end) for end in ends]


def _read(end: socket.socket) -> int | str:
    got = http.client.HTTPResponse(end)
    try:
        got.begin()
        got.read()
    except (OSError, http.client.HTTPException) as problem:
        return repr(problem)
    return got.status
