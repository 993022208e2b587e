"""kube-proxy starts while the API server is away, or tells it a half of what there is."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import pytest

from clusters.contract import Proxy
from conformance.kube_proxy.process.relay import Relay
from conformance.vocabulary import (
    BOTH,
    FAMILIES,
    Service,
    Services,
    World,
    arranged,
    by_time,
    client_of_each_kind,
    expect,
    over,
    requirement,
    source,
)

_SOON: Final = 240.0  # seconds after which a proxy should have done what it does at its start
_AGAIN: Final = 3  # so often has one asked that has understood that nobody answers
_dual_stack = over(families=FAMILIES, protocols=["TCP", "UDP"])


@pytest.fixture
def relay(world: World) -> Iterator[Relay]:
    """A way to the API server, for a proxy that the test starts, and that does not outlive it."""
    made = Relay(world.cluster.api.client.configuration)
    yield made
    world.node.proxy.kill()  # whichever test comes next starts it anew
    made.close()


def _over(relay: Relay, world: World) -> dict[str, Any]:
    """A configuration by which the proxy reaches the API server over a relay."""
    server = f"http://{_own_address(world)}:{relay.port}"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "relay", "cluster": {"server": server}}],
        "contexts": [{"name": "relay", "context": {"cluster": "relay"}}],
        "current-context": "relay",
    }
    file = world.node.proxy.directory / "kubeconfig-of-relay"
    world.node.write(file, json.dumps(content))
    return {"clientConnection": {"kubeconfig": str(file)}}


def _own_address(world: World) -> str:
    """Ours, as the node reaches it over the management wire."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.connect((world.node.management_address, 9))
        address: str = end.getsockname()[0]
        return address


def _assert_served(web: Service, world: World, position: int) -> None:
    """New connections of all kinds reach that endpoint."""
    for client in client_of_each_kind(world):
        sample = client.connect_many(web.cluster_ip_of(client.family), web.port, 8)
        expect(sample).delivered(to=web.socket(position, client.family))


@requirement(
    "life-slow-apiserver",
    source("cmd/kube-proxy/app/server.go", "newProxyServer"),
    source("pkg/proxy/iptables/proxier.go", "isInitialized"),
    feature="kube-proxy-modes",
)
@_dual_stack
@arranged(1, ports=BOTH)
def test_start_without_an_api_server(
    service: Services, web: Service, world: World, relay: Relay
) -> None:
    """A kube-proxy that starts while the API server cannot be reached must leave what it has
    programmed before in force, must wait, and must program what there is then as soon as it can be
    reached.
    """
    proxy = world.node.proxy
    proxy.stop()
    relay.open = False
    proxy.start(_over(relay, world), ready=False)
    by_time("it asks again and again", lambda: relay.turned_away >= _AGAIN, _SOON)
    assert proxy.running, proxy.log_since(world.log_before)
    _assert_served(web, world, 0)
    web.set_endpoints([service.endpoint()], settle=False)
    relay.open = True
    world.canary.settle(removed=False, started=True)
    _assert_served(web, world, 0)


def _asked_again(relay: Relay, before: int) -> bool:
    return relay.kept_back > before


def _told(proxy: Proxy, position: int, what: str) -> bool:
    """The log says, from there on, that all there is of that is known."""
    lines = proxy.log_since(position).splitlines()
    return any("Caches are synced" in line and what in line for line in lines)


@requirement(
    "life-wait-sync",
    source("pkg/proxy/iptables/proxier.go", "isInitialized"),
    source("pkg/proxy/nftables/proxier.go", "isInitialized"),
    source("pkg/proxy/ipvs/proxier.go", "isInitialized"),
    feature="kube-proxy-modes",
)
@_dual_stack
@arranged(1, ports=BOTH)
def test_start_with_a_half_of_the_objects(
    service: Services, web: Service, world: World, relay: Relay
) -> None:
    """A kube-proxy that starts, and is told either what Services there are or what EndpointSlices,
    must leave what it has programmed before in force until it is told both.
    """
    proxy = world.node.proxy
    for held, others in (
        ("/endpointslices", "service config"),
        ("/services", "endpoint slice config"),
    ):
        proxy.stop()
        relay.held, before = held, relay.kept_back
        position = proxy.log_position()
        proxy.start(_over(relay, world), ready=False)
        by_time(f"it asks for {held}", partial(_asked_again, relay, before), _SOON)
        by_time(f"it has all for its {others}", partial(_told, proxy, position, others), _SOON)
        _assert_served(web, world, 0)
        web.set_endpoints([service.endpoint()], settle=False)
        relay.held = None
        world.canary.settle(removed=False, started=True)
        _assert_served(web, world, 0)
