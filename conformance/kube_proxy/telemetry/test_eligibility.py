"""What kube-proxy tells load balancers of a Node that is to be removed, and what it does not."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import pytest

from clusters.registration import write_addresses
from conformance.kube_proxy.process.told import HEALTH, METRICS, told
from conformance.vocabulary import (
    ATTEMPTS,
    FAMILIES,
    FLOWS,
    Family,
    Health,
    LabClient,
    Node,
    Service,
    Services,
    World,
    arranged,
    by_time,
    expect,
    health,
    kep,
    over,
    requirement,
    source,
)
from specification.errors import UnsupportedError

_PROXY: Final = source("pkg/proxy/healthcheck/proxy_health.go", "NodeEligible")

_TO_BE_DELETED: Final = {"key": "ToBeDeletedByClusterAutoscaler", "effect": "NoSchedule"}
_OTHERS: Final = (
    {"key": "DeletionCandidateOfClusterAutoscaler", "effect": "PreferNoSchedule"},
    {"key": "example.com/to-be-deleted", "effect": "NoSchedule"},
)
"""Taints that say nothing of the kind."""

_SECONDS = 240  # after which a proxy should know what its Node says

Taint = Callable[..., None]
"""Writes the Node's taints, besides those that it has anyway, and whether it is unschedulable."""


@pytest.fixture
def taint(world: World) -> Iterator[Taint]:
    """Until the test is over; then kube-proxy knows of none of them any more."""
    api, name = world.cluster.api, world.node.name
    usual = api.get("nodes", name)["spec"].get("taints", [])

    def write(*taints: dict[str, str], unschedulable: bool | None = None) -> None:
        spec = {"taints": [*usual, *taints] or None, "unschedulable": unschedulable}
        api.patch("nodes", name, {"spec": spec})

    yield write
    write()
    _becomes(world.node, http.client.OK)


def _status(node: Node, path: str = "/healthz") -> int:
    return told(node, HEALTH, path).status


def _becomes(node: Node, status: int) -> None:
    """Wait until /healthz answers so."""
    by_time(f"/healthz answers {status}", lambda: _status(node) == status, _SECONDS)


@requirement("hc-z-taint", kep(3836), _PROXY, feature="nodes-to-be-removed")
def test_node_to_be_removed_is_not_healthy(world: World, taint: Taint) -> None:
    """While its Node has the taint ToBeDeletedByClusterAutoscaler, kube-proxy must answer 503 at
    /healthz, and say there that the node is not eligible.
    """
    assert _status(world.node) == http.client.OK
    taint(_TO_BE_DELETED)
    _becomes(world.node, http.client.SERVICE_UNAVAILABLE)
    assert json.loads(told(world.node, HEALTH, "/healthz").body)["nodeEligible"] is False


@requirement("hc-z-untaint", kep(3836), _PROXY, feature="nodes-to-be-removed")
def test_node_that_is_kept_is_healthy_again(world: World, taint: Taint) -> None:
    """When the taint ToBeDeletedByClusterAutoscaler is removed from its Node, kube-proxy must
    answer 200 at /healthz again.
    """
    taint(_TO_BE_DELETED)
    _becomes(world.node, http.client.SERVICE_UNAVAILABLE)
    taint()
    _becomes(world.node, http.client.OK)


@requirement("hc-z-other-taints", kep(3836), _PROXY, feature="nodes-to-be-removed")
def test_other_taints_do_no_harm(world: World, taint: Taint) -> None:
    """While its Node has other taints, or is unschedulable, kube-proxy must answer 200 at /healthz
    as ever.
    """
    taint(*_OTHERS, _TO_BE_DELETED, unschedulable=True)
    _becomes(world.node, http.client.SERVICE_UNAVAILABLE)
    taint(*_OTHERS, unschedulable=True)  # what it answers once it knows of this, it answers to this
    _becomes(world.node, http.client.OK)


@requirement("hc-livez", kep(3836), _PROXY, feature="nodes-to-be-removed")
def test_proxy_is_alive_on_a_node_to_be_removed(world: World, taint: Taint) -> None:
    """While its Node has the taint ToBeDeletedByClusterAutoscaler, kube-proxy must answer 200 at
    /livez, which tells of its own health alone.
    """
    taint(_TO_BE_DELETED)
    _becomes(world.node, http.client.SERVICE_UNAVAILABLE)
    assert _status(world.node, "/livez") == http.client.OK


@requirement("hc-np-taint", kep(3836), _PROXY, feature="nodes-to-be-removed")
@over(protocol="TCP")
@arranged(["pod", "remote-pod"], type="LoadBalancer", external_traffic_policy="Local")
def test_endpoints_of_a_node_to_be_removed_count(
    service: Services, web: Service, world: World, family: Family, taint: Taint
) -> None:
    """While its Node has the taint ToBeDeletedByClusterAutoscaler or another, or is unschedulable,
    kube-proxy must answer at a healthCheckNodePort as ever: its endpoints are on the node still.
    """
    service.settle(syncs=2)
    taint(*_OTHERS, _TO_BE_DELETED, unschedulable=True)
    _becomes(world.node, http.client.SERVICE_UNAVAILABLE)
    assert health(world.node.system, family, web.health_check_node_port) == Health(200, 1)


@requirement("hc-z-dataplane-unaffected", kep(3836), feature="nodes-to-be-removed")
@over(vantage="outside", protocol="TCP")
@arranged(["pod", "remote-pod"], type="NodePort")
def test_node_to_be_removed_serves_on(
    web: Service, client: LabClient, world: World, taint: Taint
) -> None:
    """While its Node has the taint ToBeDeletedByClusterAutoscaler, connections through the node
    must go on, and new ones must be served.
    """
    flows = client.open(*web.at_node, FLOWS)
    expect(flows.opened).delivered(to=web)
    taint(_TO_BE_DELETED)
    _becomes(world.node, http.client.SERVICE_UNAVAILABLE)
    expect(flows.exchange()).kept(flows)
    expect(client.connect_many(*web.at_node, ATTEMPTS)).delivered(to=web)


@contextmanager
def _another(world: World) -> Iterator[str]:
    """Another Node object with the node's addresses, until the block ends; once deleted it stays
    for as long as there is a finalizer.
    """
    api, name = world.cluster.api, f"{world.node.name}-leaving"
    api.create("nodes", {"metadata": {"name": name, "finalizers": ["example.com/leaving"]}})
    try:
        write_addresses(api, name, map(world.node.address, FAMILIES))
        yield name
    finally:
        api.patch("nodes", name, {"metadata": {"finalizers": None}})
        api.delete_now("nodes", name)


def _name_told(node: Node) -> str:
    """The name that kube-proxy takes for its Node's, by its configuration, which it may not tell
    yet when it is ready.
    """

    def answered() -> str:
        with suppress(ConnectionRefusedError):
            return told(node, METRICS, "/configz").body
        return ""

    settings = json.loads(by_time("it tells its configuration", answered, _SECONDS))
    (found,) = settings.values()
    # capitals in older releases
    return str({key.lower(): value for key, value in found.items()}["hostnameoverride"])


@requirement("hc-z-deleted", _PROXY, feature="nodes-to-be-removed")
def test_node_that_is_being_deleted_is_not_healthy(world: World, bare_node: Node) -> None:
    """While its Node is being deleted, kube-proxy must answer 503 at /healthz, and 200 at
    /livez.
    """
    with _another(world) as name:
        bare_node.proxy.start({"hostnameOverride": name})
        if _name_told(bare_node) != name:
            raise UnsupportedError("which Node is its own, the proxy is told by an argument")
        assert _status(bare_node) == http.client.OK
        world.cluster.api.delete("nodes", name)
        _becomes(bare_node, http.client.SERVICE_UNAVAILABLE)
        assert _status(bare_node, "/livez") == http.client.OK
