"""A node or its tools without one IP family: what kube-proxy does with the other."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator
from functools import partial
from typing import Any, Final

from conformance.kube_proxy.nftables.chains import own_tables
from conformance.kube_proxy.process.starts import assert_refuses, search_path, without_ipv6
from conformance.kube_proxy.process.told import HEALTH, told
from conformance.vocabulary import (
    FAMILIES,
    LabClient,
    Node,
    Services,
    World,
    by_time,
    expect,
    in_iptables,
    in_nftables,
    over,
    requirement,
    source,
)

_LATE = 5.0  # seconds after IPv4 in which IPv6 would be served, too
_SOON = 30.0  # seconds after a start in which both families should have been synchronised
_LOOK = 0.2  # seconds between looks
_SUPPORT: Final = source("cmd/kube-proxy/app/server_linux.go", "platformCheckSupported")

_IPV4 = over(family="IPv4", protocol="TCP")


def _looks(seconds: float) -> Iterator[None]:
    """Once, and then again and again for so many seconds."""
    end = time.monotonic() + seconds
    yield
    while time.monotonic() < end:
        time.sleep(_LOOK)
        yield


def _assert_ipv4_alone(
    service: Services, client: LabClient, world: World, seconds: float = 0.0
) -> None:
    """A new dual-stack Service is served in IPv4, and left alone in IPv6; for some seconds where a
    sync of its own would serve it there.
    """
    web = service(1, families=FAMILIES, settle=False)
    service.settle()
    at = web.cluster_ip_of("IPv4")
    expect(client.connect(at, web.port)).delivered(to=web)
    other = LabClient(world.lab, client.host, "IPv6", client.protocol)
    for _ in _looks(seconds):
        expect(other.connect(web.cluster_ip_of("IPv6"), web.port)).unserved()


@requirement("ds-node-no-v6", _SUPPORT, feature="kube-proxy-modes")
@_IPV4
def test_nodewithout_ipv6(
    service: Services, client: LabClient, world: World, bare_node: Node
) -> None:
    """On a node where IPv6 is disabled, kube-proxy must serve IPv4, and must program nothing for
    IPv6.
    """
    bare_node.proxy.start(wrapper=without_ipv6(bare_node))
    _assert_ipv4_alone(service, client, world, seconds=_LATE)


@in_nftables("nft-ip6-ctl", _SUPPORT, source("pkg/proxy/nftables/proxier.go", "NewProxier"))
@_IPV4
def test_single_family_has_the_only_table(
    service: Services, client: LabClient, world: World, bare_node: Node
) -> None:
    """On a node where IPv6 is disabled, kube-proxy must have its table in family ip alone."""
    bare_node.proxy.start(wrapper=without_ipv6(bare_node))
    _assert_ipv4_alone(service, client, world, seconds=_LATE)
    assert own_tables(bare_node) == {"table ip kube-proxy"}


@in_iptables("ds-secondary-degrade", _SUPPORT)
@_IPV4
def test_secondary_family_without_its_program(
    service: Services, client: LabClient, world: World, bare_node: Node
) -> None:
    """Where ip6tables does not work and the node's primary family is IPv4, kube-proxy must serve
    IPv4 alone.
    """
    bare_node.proxy.start(environment={"PATH": search_path(bare_node, "ip6tables")})
    _assert_ipv4_alone(service, client, world)


@in_iptables("ds-primary-unsupported", _SUPPORT)
def test_primary_family_without_its_program(bare_node: Node) -> None:
    """Where iptables does not work and the node's primary family is IPv4, kube-proxy must end with
    an error that says so.
    """
    search = search_path(bare_node, "iptables")
    assert_refuses(bare_node, "no support for primary IP family", "IPv4", PATH=search)


@in_iptables("ds-isolated-sync", source("pkg/proxy/metaproxier/meta_proxier.go"))
@_IPV4
def test_families_fail_by_themselves(
    service: Services, client: LabClient, world: World, bare_node: Node
) -> None:
    """Where nothing can be programmed for IPv6, changes must still come into force for IPv4."""
    search = search_path(bare_node, "ip6tables-restore")
    bare_node.proxy.start(environment={"PATH": search}, ready=False)
    _assert_ipv4_alone(service, client, world)


def _health_by_family(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(told(node, HEALTH, "/healthz").body).get("status", {})
    return found


def _tells_of(node: Node, families: Collection[str]) -> bool:
    return _health_by_family(node).keys() >= set(families)


@requirement(
    "ds-health-per-family",
    source("pkg/proxy/healthcheck/proxy_health.go", "ProxyHealth"),
    feature="health-by-family",
)
def test_health_is_told_by_family(bare_node: Node) -> None:
    """What kube-proxy tells of its health must have an entry for each family that it serves, which
    says whether it is healthy and when it was last updated, and none for another.
    """
    proxy = bare_node.proxy
    for served, wrapper, seconds in (
        (FAMILIES, (), 0.0),
        (("IPv4",), without_ipv6(bare_node), _LATE),
    ):
        proxy.start(wrapper=wrapper)
        by_time("it tells of the families", partial(_tells_of, bare_node, served), _SOON)
        for _ in _looks(seconds):
            found = _health_by_family(bare_node)
            assert found.keys() == set(served), found
            assert all(each["healthy"] and each["lastUpdated"] for each in found.values()), found
        proxy.stop()
