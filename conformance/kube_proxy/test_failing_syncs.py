"""Syncs that fail, since the program that writes the rules does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from conformance.kube_proxy.starts import hinderable
from conformance.vocabulary import (
    ATTEMPTS,
    Client,
    Node,
    Service,
    Services,
    World,
    by_time,
    expect,
    in_iptables,
    in_nftables,
    over,
    source,
)

_PROGRAMS = ("nft", "iptables-restore", "ip6tables-restore")
_PERIOD = {mode: {"syncPeriod": "2s"} for mode in ("iptables", "nftables")}
_PATIENCE = 240.0  # seconds in which what is tried again every two seconds must have succeeded

pytestmark = over(protocol="TCP")


Hinder = Callable[[str], AbstractContextManager[None]]


@pytest.fixture
def hinder(bare_node: Node, world: World) -> Hinder:
    """Has the programs fail by which a kube-proxy writes that has been started with them."""
    search, hindered = hinderable(bare_node, *_PROGRAMS)
    bare_node.proxy.start(_PERIOD, environment={"PATH": search})
    world.canary.settle(removed=False, started=True)
    return hindered


def _fail_at(change: Callable[[], object], node: Node) -> None:
    """Make a change, and return when a sync has failed since."""
    before = _failures(node)
    change()
    by_time("a sync has failed", lambda: _failures(node) > before, _PATIENCE)


def _failures(node: Node) -> float:
    """How many syncs have failed, as kube-proxy counts them."""
    metrics = node.proxy.metrics().items()
    return sum(value for name, value in metrics if "_failures_total" in name)


def _new_endpoint(service: Services, web: Service) -> Callable[[], Service]:
    """Replace the endpoint of a Service, without waiting."""
    return lambda: web.set_endpoints([service.endpoint()], settle=False)


def _kept(service: Services, client: Client, node: Node, hinder: Hinder) -> None:
    """A change that cannot be written leaves all as it was."""
    changed, other = service.create([service.spec(1), service.spec(2)])
    old = changed.endpoints
    with hinder("failing"):
        _fail_at(_new_endpoint(service, changed), node)
        expect(client.connect_many(*changed.frontend, ATTEMPTS)).delivered(to=old)
        expect(client.connect_many(*other.frontend, ATTEMPTS)).delivered(to=other)


def _made_up_for(service: Services, client: Client, node: Node, hinder: Hinder) -> None:
    """A change that could not be written comes into force once it can be."""
    web = service(1)
    with hinder("failing"):
        _fail_at(_new_endpoint(service, web), node)
    by_time(
        "the change is in force",
        lambda: client.connect(*web.frontend).endpoint == web.socket(0),
        _PATIENCE,
    )
    expect(client.connect_many(*web.frontend, ATTEMPTS)).delivered(to=web)


@in_iptables("sync-fail-keeps-old", source("pkg/proxy/iptables/proxier.go", "syncProxyRules"))
def test_failing_restore_leaves_rules_as_they_are(
    service: Services, client: Client, node: Node, hinder: Hinder
) -> None:
    """As long as iptables-restore fails, all Services must be served as by the last sync that has
    succeeded.
    """
    _kept(service, client, node, hinder)


@in_nftables("nft-fail-keeps-old", source("pkg/proxy/nftables/proxier.go", "syncProxyRules"))
def test_failing_transaction_leaves_rules_as_they_are(
    service: Services, client: Client, node: Node, hinder: Hinder
) -> None:
    """As long as nft fails, all Services must be served as by the last sync that has succeeded."""
    _kept(service, client, node, hinder)


@in_iptables("sync-fail-retry", source("pkg/proxy/iptables/proxier.go", "syncProxyRules"))
def test_failed_restore_is_made_up_for(
    service: Services, client: Client, node: Node, hinder: Hinder
) -> None:
    """A sync in which iptables-restore has failed must be made up for by syncPeriod after it works
    again, though nothing else has changed.
    """
    _made_up_for(service, client, node, hinder)


@in_nftables("nft-fail-retry", source("pkg/proxy/nftables/proxier.go", "syncProxyRules"))
def test_failed_transaction_is_made_up_for(
    service: Services, client: Client, node: Node, hinder: Hinder
) -> None:
    """A sync in which nft has failed must be made up for by syncPeriod after it works again, though
    nothing else has changed.
    """
    _made_up_for(service, client, node, hinder)
