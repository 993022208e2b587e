"""The API server is away, has forgotten, or has told a half: as a proxy starts, and as it runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

import pytest

from conformance.vocabulary import (
    BOTH,
    FAMILIES,
    Family,
    Sample,
    Service,
    Services,
    ServiceSpec,
    SocketAddress,
    World,
    arranged,
    by_time,
    client_of_each_kind,
    docs,
    during,
    e2e,
    expect,
    flows_of_each_kind,
    over,
    requirement,
    source,
)
from fixtures.record.recorder import OPTIONS
from fixtures.world.relay import WATCHED, Relay, asked, on_the_way
from specification.errors import UnsupportedError

_SOON: Final = 240.0  # seconds after which a proxy should have asked, and asked again
_EARLY: Final = 3.0  # seconds in which one that does not wait would have programmed something

_REFLECTOR: Final = source("staging/src/k8s.io/client-go/tools/cache/reflector.go", "ListAndWatch")

pytestmark = over(families=FAMILIES, protocols=["TCP", "UDP"])


@pytest.fixture
def relay(world: World, pytestconfig: pytest.Config) -> Iterator[Relay]:
    """The way to the API server of whichever proxy the test starts: none runs as it begins, and
    none is left.

    Raises:
        UnsupportedError: a pod has the proxy's way to the API server, on a node of kind.
    """
    if pytestconfig.stash[OPTIONS].kind:
        raise UnsupportedError("a pod starts the proxy here, and knows its API server")
    with on_the_way(world) as made:
        yield made


def _start(world: World) -> None:
    """Start the proxy, and return when all is in force."""
    world.node.proxy.start()
    world.canary.settle(removed=False, started=True)


def _settle_anew(service: Services) -> None:
    """Return when all is in force that the proxy finds out when it lists all objects anew. These it
    takes over one after the other, the canary's change perhaps first; a second change of the canary
    comes after them.
    """
    service.settle(syncs=2)


Endpoints = dict[Family, SocketAddress]
"""Where new connections of each family are to go."""


def _endpoints(web: Service) -> Endpoints:
    return {family: web.socket(0, family) for family in FAMILIES}


def _connect(web: Service, world: World) -> list[tuple[Family, Sample]]:
    """New connections of each kind to a cluster IP."""
    return [
        (client.family, client.connect_many(web.cluster_ip_of(client.family), web.port, 8))
        for client in client_of_each_kind(world)
    ]


def _assert_served(web: Service, world: World, by: Endpoints | None = None) -> None:
    """New connections of each kind reach the endpoint, or those named."""
    for family, sample in _connect(web, world):
        expect(sample).delivered(to=(by or _endpoints(web))[family])


def _assert_gone(web: Service, world: World) -> None:
    """New connections of each kind are left alone."""
    for _, sample in _connect(web, world):
        expect(sample, "the Service is deleted").unserved()


def _single(service: Services, count: int) -> list[ServiceSpec]:
    return [service.spec(1, ports=BOTH) for _ in range(count)]


@requirement("sync-apiserver-outage", e2e("service", "work after restarting apiserver"), _REFLECTOR)
@arranged(lambda service: _single(service, 3))
def test_api_server_is_away(
    service: Services, webs: list[Service], world: World, relay: Relay
) -> None:
    """While the API server cannot be reached, Services must be served as they were when it could
    be; and once it can be again, as they are by then.
    """
    steady, replaced, deleted = webs
    _start(world)
    flows = flows_of_each_kind(steady, world)
    old = [_endpoints(web) for web in webs]
    with relay.treating("refused") as counts:
        asked(counts)
        replaced.set_endpoints([service.endpoint()], settle=False)
        deleted.delete(settle=False)
        created = service(1, ports=BOTH, settle=False)
        asked(counts, times=3)
        for web, endpoints in zip(webs, old, strict=True):
            _assert_served(web, world, endpoints)
        for flow in flows:
            expect(flow.exchange()).kept(flow)
    _settle_anew(service)
    for web in (steady, replaced, created):
        _assert_served(web, world)
    _assert_gone(deleted, world)
    for flow in flows:
        expect(flow.exchange()).kept(flow)


@requirement("sync-watch-bookmark", docs("api-concepts", "410 Gone responses"), _REFLECTOR)
@arranged(lambda service: _single(service, 3))
def test_history_is_forgotten(
    service: Services, webs: list[Service], world: World, relay: Relay
) -> None:
    """A proxy whose watches cannot go on, since the API server has forgotten what came after the
    version that it knows (410 Gone), must find out what there is by then; meanwhile every new
    connection to a Service that has not changed must be answered.
    """
    steady, replaced, deleted = webs
    _start(world)
    service.settle()  # its watches have shown something: it would not go on with others
    _assert_served(steady, world)

    def forget() -> None:
        with relay.treating("forgotten") as counts:
            replaced.set_endpoints([service.endpoint()], settle=False)
            deleted.delete(settle=False)
            asked(counts)

    rounds = during(forget, lambda: _connect(steady, world))
    _settle_anew(service)
    rounds.append(_connect(steady, world))
    for number, samples in enumerate(rounds):
        for family, sample in samples:
            to = _endpoints(steady)[family]
            expect(sample, f"round {number} of {len(rounds)}").delivered(to=to)
    _assert_served(replaced, world)
    _assert_gone(deleted, world)


@requirement(
    "life-slow-apiserver",
    source("pkg/proxy/iptables/proxier.go", "isInitialized"),
    feature="rules-outlive-proxy",
)
@arranged(1, ports=BOTH)
def test_start_without_an_api_server(
    service: Services, web: Service, world: World, relay: Relay
) -> None:
    """Where a proxy starts while the API server cannot be reached, Services must be served as it
    has programmed them before; and once the API server can be reached, as they are by then.
    """
    proxy, old = world.node.proxy, _endpoints(web)
    with relay.treating("refused") as counts:
        proxy.start(ready=False)
        by_time("it asks again and again", lambda: counts.total() >= 3, _SOON)
        web.set_endpoints([service.endpoint()], settle=False)
        _assert_served(web, world, old)
    if not proxy.running:  # it may leave it to others to try again
        proxy.start(ready=False)
    world.canary.settle(removed=False, started=True)
    _assert_served(web, world)


@requirement(
    "life-wait-sync",
    source("pkg/proxy/iptables/proxier.go", "isInitialized"),
    source("pkg/proxy/nftables/proxier.go", "isInitialized"),
    source("pkg/proxy/ipvs/proxier.go", "isInitialized"),
    feature="rules-outlive-proxy",
)
@arranged(1, ports=BOTH)
def test_start_with_a_half_of_the_objects(
    service: Services, web: Service, world: World, relay: Relay
) -> None:
    """Where a proxy that starts has been told what Services there are but not what EndpointSlices,
    or these but not those, Services must be served as it has programmed them before until it has
    been told both.
    """
    for missing in WATCHED:
        old = _endpoints(web)
        world.node.proxy.stop()
        with relay.treating("held", missing) as counts:
            world.node.proxy.start(ready=False)
            asked(counts, [missing])
            web.set_endpoints([service.endpoint()], settle=False)
            deadline = time.monotonic() + _EARLY
            while time.monotonic() < deadline:
                _assert_served(web, world, old)
        world.canary.settle(removed=False, started=True)
        _assert_served(web, world)
