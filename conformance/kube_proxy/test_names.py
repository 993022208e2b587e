"""Names that kube-proxy is given."""

from __future__ import annotations

import pytest

from conformance.vocabulary import (
    ATTEMPTS,
    LabClient,
    Services,
    World,
    expect,
    over,
    requirement,
    setting,
    source,
)


@pytest.fixture
def shouted(world: World) -> None:
    """kube-proxy is told the name of its node in capitals, between blanks."""
    world.configure({"hostnameOverride": f" {world.node.name.upper()} "})


@requirement(
    "itp-hostname-case",
    setting("KubeProxyConfiguration.hostnameOverride"),
    source("cmd/kube-proxy/app/server.go", "GetHostname"),
    feature="kube-proxy-modes",
)
@over(family="IPv4", protocol="TCP")
@pytest.mark.usefixtures("shouted")
def test_name_of_the_node(service: Services, client: LabClient) -> None:
    """The hostnameOverride of kube-proxy must be trimmed and lower-cased before nodeNames are
    compared with it, so that internalTrafficPolicy Local keeps to the node's own endpoints.
    """
    web = service(["pod", "remote-pod"], internal_traffic_policy="Local")
    expect(client.connect_many(*web.frontend, ATTEMPTS)).delivered(to=web.socket(0))
