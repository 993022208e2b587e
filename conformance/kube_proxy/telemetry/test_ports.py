"""Ports of kube-proxy's own: what is served at them, and what it does where one is taken."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from conformance.kube_proxy.process.starts import assert_ends, taken
from conformance.kube_proxy.process.told import HEALTH, METRICS, told
from conformance.vocabulary import (
    Node,
    World,
    answer,
    by_time,
    over,
    requirement,
    setting,
    source,
)

_SERVER: Final = source("cmd/kube-proxy/app/server.go", "serveMetrics")
_PROFILE = "/debug/pprof/"
_SECONDS = 240  # after which a proxy should have tried again what it tries every five seconds


def _status(world: World, path: str) -> int:
    return told(world.node, METRICS, path).status


@requirement("hc-m-endpoints", _SERVER, feature="kube-proxy-modes")
def test_metrics_and_more_are_served(world: World) -> None:
    """At its metricsBindAddress, kube-proxy must answer 200 at /metrics, /metrics/slis, /healthz
    and /configz, and must not serve profiles unless enableProfiling is set.
    """
    paths = ("/metrics", "/metrics/slis", "/healthz", "/configz")
    found = {path: _status(world, path) for path in (*paths, _PROFILE)}
    assert found == {**dict.fromkeys(paths, http.client.OK), _PROFILE: http.client.NOT_FOUND}


@requirement(
    "hc-m-profiling",
    setting("KubeProxyConfiguration.enableProfiling"),
    feature="kube-proxy-modes",
)
@over(configuration={"profiling": {"enableProfiling": True}})
def test_profiles_are_served_where_they_are_asked_for(world: World) -> None:
    """Where enableProfiling is set, kube-proxy must serve profiles at /debug/pprof/ of its
    metricsBindAddress.
    """
    assert _status(world, _PROFILE) == http.client.OK


@requirement("hc-m-configz", _SERVER, feature="kube-proxy-modes")
def test_configuration_is_told(world: World, mode: str) -> None:
    """At /configz of its metricsBindAddress, kube-proxy must tell the configuration that it runs
    with: what it was given, and the defaults of what it was not.
    """
    answered = told(world.node, METRICS, "/configz")
    assert answered.status == http.client.OK
    said = json.loads(answered.body)["kubeproxy.config.k8s.io"]
    found = {name.lower(): value for name, value in said.items()}  # capitals in older releases
    expected: dict[str, Any] = {
        "mode": mode,
        "hostnameoverride": world.node.name,
        "configsyncperiod": "15m0s",
        "bindaddresshardfail": False,
    }
    assert {name: found.get(name) for name in expected} == expected


@contextmanager
def _taken(node: Node) -> Iterator[dict[str, str]]:
    """Somebody else has the port while the block runs; a configuration that asks for it."""
    address = str(node.address("IPv4"))
    with taken(node, address, HEALTH):
        yield {"healthzBindAddress": f"{address}:{HEALTH}"}


@requirement(
    "hc-z-bind-fail",
    source("cmd/kube-proxy/app/server.go", "serveHealthz"),
    feature="kube-proxy-modes",
)
def test_proxy_waits_for_its_port(bare_node: Node) -> None:
    """Where its healthzBindAddress is taken, kube-proxy must run on, say so in its log, and serve
    /healthz there once it is free.
    """
    proxy = bare_node.proxy
    position = proxy.log_position()
    with _taken(bare_node) as configuration:
        proxy.start(configuration, ready=False)
        by_time(
            "the log says that the port is taken",
            lambda: "address already in use" in proxy.log_since(position),
            _SECONDS,
        )
    by_time("/healthz is served", lambda: _answers(bare_node), _SECONDS)
    assert proxy.running


def _answers(node: Node) -> bool:
    found = answer(node.system, "IPv4", HEALTH, "/healthz")
    return found is not None and found.status == http.client.OK


@requirement(
    "hc-z-bind-hard-fail",
    setting("KubeProxyConfiguration.bindAddressHardFail"),
    feature="kube-proxy-modes",
)
def test_proxy_ends_where_its_port_is_taken(bare_node: Node) -> None:
    """Where its healthzBindAddress is taken and bindAddressHardFail is set, kube-proxy must end
    with an error that names the address.
    """
    with _taken(bare_node) as configuration:
        error = f"{configuration['healthzBindAddress']}: bind: address already in use"
        assert_ends(bare_node, error, configuration={**configuration, "bindAddressHardFail": True})
