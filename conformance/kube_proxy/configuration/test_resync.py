"""What is told again every configSyncPeriod: all objects that there are, changed or not."""

from __future__ import annotations

from functools import partial
from typing import Final

from conformance.kube_proxy.telemetry.scrapes import Scrape, scrape
from conformance.vocabulary import (
    FAMILIES,
    Node,
    Services,
    by_time,
    over,
    requirement,
    setting,
    source,
)

_MODES: Final = ("iptables", "ipvs", "nftables")
_SOON: Final = 240.0  # seconds after which objects should have been gone through
_AGAIN: Final = 3
_HEARD: Final = tuple(f"sync_proxy_rules_{each}_changes_total" for each in ("service", "endpoint"))
_QUEUED: Final = "sync_proxy_rules_last_queued_timestamp_seconds"
_SYNCS: Final = "sync_proxy_rules_duration_seconds_count"


def _gone_through(node: Node, since: Scrape) -> bool:
    """Whether kube-proxy has gone through objects of either kind."""
    now = scrape(node)
    return all(now(each) > since(each) for each in _HEARD)


@requirement(
    "sync-config-sync",
    setting("KubeProxyConfiguration.configSyncPeriod"),
    source("pkg/proxy/servicechangetracker.go", "Update"),
    source("pkg/proxy/endpointschangetracker.go", "EndpointSliceUpdate"),
    feature="kube-proxy-modes",
)
@over(families=FAMILIES, protocol="TCP")
def test_what_is_told_again_is_not_written_again(service: Services, bare_node: Node) -> None:
    """Every configSyncPeriod, kube-proxy must go through all Services and EndpointSlices again, and
    must neither queue nor make a sync where nothing has changed.
    """
    seldom = {mode: {"syncPeriod": "1h"} for mode in _MODES}
    bare_node.proxy.start({"configSyncPeriod": "1s", **seldom})
    service(2)
    by_time("all is written", lambda: scrape(bare_node).written, _SOON)
    before = scrape(bare_node)
    for _ in range(_AGAIN):
        gone_through = partial(_gone_through, bare_node, scrape(bare_node))
        by_time("it goes through all objects again", gone_through, _SOON)
    after = scrape(bare_node)
    grown = {name: after(name) - before(name) for name in (_QUEUED, _SYNCS)}
    assert grown == dict.fromkeys(grown, 0.0)
