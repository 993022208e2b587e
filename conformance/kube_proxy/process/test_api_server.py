"""kube-proxy starts while the API server is away, or tells it a half of what there is."""

from __future__ import annotations

import copy
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from kubernetes.client import FlowcontrolApiserverV1Api

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
from specification.errors import RefusedError

_SOON: Final = 60.0  # seconds after which a proxy should have done what it does at its start
_LOOK: Final = 0.1  # seconds between looks
_AGAIN: Final = 3  # so often has one asked that has understood that nobody answers
_SOMEBODY: Final = "system:kube-proxy"
"""As whom kube-proxy is known to an API server by default: not an administrator, whom no rule
binds.
"""
_LEVEL: Final = "kube-proxy-conformance"
_TOO_MANY: Final = 429

_dual_stack = over(families=FAMILIES, protocols=["TCP", "UDP"])


def _kubeconfig(
    world: World, server: str | None = None, user: str | None = None
) -> dict[str, Any]:
    """A configuration by which the proxy reaches the API server at another address, or as another
    user; it is in a file of its own.
    """
    content = copy.deepcopy(dict(world.cluster.api.kubeconfig))
    cluster, known = content["clusters"][0]["cluster"], content["users"][0]["user"]
    if server:
        cluster["tls-server-name"] = urlsplit(cluster["server"]).hostname
        cluster["server"] = server
    if user:
        known["as"] = user
    file = world.node.proxy.directory / "other-kubeconfig"
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
def test_start_without_an_api_server(service: Services, web: Service, world: World) -> None:
    """A kube-proxy that starts while the API server cannot be reached must leave what it has
    programmed before in force, must wait, and must program what there is then as soon as it can be
    reached.
    """
    proxy, address = world.node.proxy, urlsplit(world.cluster.api.client.configuration.host)
    proxy.stop()
    try:
        with Relay((str(address.hostname), address.port or 443)) as relay:
            relay.close()
            via = _kubeconfig(world, f"https://{_own_address(world)}:{relay.port}")
            proxy.start(via, ready=False)
            by_time(
                "it asks for the API again and again",
                lambda: relay.turned_away >= _AGAIN,
                _SOON,
            )
            assert proxy.running, proxy.log_since(world.log_before)
            _assert_served(web, world, 0)
            web.set_endpoints([service.endpoint()], settle=False)
            relay.open()
            world.canary.settle(removed=False, started=True)
            _assert_served(web, world, 0)
            proxy.kill()
    finally:
        proxy.kill()  # whichever test comes next starts it anew


@contextmanager
def _held(world: World, group: str, resource: str) -> Iterator[None]:
    """While the block runs, the API server refuses to tell ``_SOMEBODY`` what there is of a
    resource: so many requests at once are none (API priority and fairness).
    """
    flows = FlowcontrolApiserverV1Api(world.cluster.api.client)
    limited = {
        "nominalConcurrencyShares": 0,
        "borrowingLimitPercent": 0,
        "limitResponse": {"type": "Reject"},
    }
    level = {"metadata": {"name": _LEVEL}, "spec": {"type": "Limited", "limited": limited}}
    rule = {
        "subjects": [{"kind": "User", "user": {"name": _SOMEBODY}}],
        "resourceRules": [
            {
                "verbs": ["list", "watch"],
                "apiGroups": [group],
                "resources": [resource],
                "namespaces": ["*"],
                "clusterScope": True,
            }
        ],
    }
    schema = {
        "metadata": {"name": _LEVEL},
        "spec": {
            "priorityLevelConfiguration": {"name": _LEVEL},
            "matchingPrecedence": 2,
            "rules": [rule],
        },
    }
    flows.create_priority_level_configuration(level)
    try:
        flows.create_flow_schema(schema)
        _await_refusal(world, resource)
        yield
    finally:
        flows.delete_flow_schema(_LEVEL)
        flows.delete_priority_level_configuration(_LEVEL)


def _await_refusal(world: World, resource: str) -> None:
    """Return when the API server does as it was told; RuntimeError where it does not."""
    deadline = time.monotonic() + _SOON
    while time.monotonic() < deadline:
        try:
            world.cluster.api.list_all(resource, user=_SOMEBODY)
        except RefusedError as refusal:
            if refusal.status == _TOO_MANY:
                return
            raise
        time.sleep(_LOOK)
    raise RuntimeError(f"the API server goes on telling what {resource} there are")


@requirement(
    "life-wait-sync",
    source("pkg/proxy/iptables/proxier.go", "isInitialized"),
    source("pkg/proxy/nftables/proxier.go", "isInitialized"),
    source("pkg/proxy/ipvs/proxier.go", "isInitialized"),
    feature="kube-proxy-modes",
)
@_dual_stack
@arranged(1, ports=BOTH)
def test_start_with_a_half_of_the_objects(service: Services, web: Service, world: World) -> None:
    """A kube-proxy that starts, and is told either what Services there are or what EndpointSlices,
    must leave what it has programmed before in force until it is told both.
    """
    proxy = world.node.proxy
    try:
        for group, resource, told in (
            ("discovery.k8s.io", "endpointslices", "service config"),
            ("", "services", "endpoint slice config"),
        ):
            proxy.stop()
            with _held(world, group, resource):
                position = proxy.log_position()
                proxy.start(_kubeconfig(world, user=_SOMEBODY), ready=False)

                def heard(position: int = position, told: str = told) -> bool:
                    lines = proxy.log_since(position).splitlines()
                    return any("Caches are synced" in line and told in line for line in lines)

                by_time(f"it has been told all for its {told}", heard, _SOON)
                _assert_served(web, world, 0)
                web.set_endpoints([service.endpoint()], settle=False)
            world.canary.settle(removed=False, started=True)
            _assert_served(web, world, 0)
    finally:
        proxy.kill()  # whichever test comes next starts it anew
