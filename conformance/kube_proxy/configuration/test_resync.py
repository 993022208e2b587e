"""What is told again every configSyncPeriod: all objects that there are, changed or not."""

from __future__ import annotations

import time
from functools import partial
from typing import Final

from conformance.kube_proxy.process.syncs import BEGUN, DONE, LOGGED, syncs
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
_QUIET: Final = 8.0  # seconds in which a sync that is due has begun: minSyncPeriod is one


def _gone_through(node: Node, since: Scrape) -> bool:
    """Whether kube-proxy has gone through objects of either kind."""
    now = scrape(node)
    return all(now(each) > since(each) for each in _HEARD)


def _grown(now: Scrape, since: Scrape) -> dict[str, float]:
    return {name: now(name) - since(name) for name in (_QUEUED, _SYNCS)}


def _all_is_written(node: Node, position: int) -> bool:
    """Whether nothing is left to do since that position in the log. The time of a last sync alone
    does not tell: it is that of its end, and what came while it was under way waits for the next.
    """
    before = scrape(node)
    time.sleep(_QUIET)
    under_way = len(syncs(node, BEGUN, position)) - len(syncs(node, DONE, position))
    return before.written and not under_way and not any(_grown(scrape(node), before).values())


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
    position = bare_node.proxy.log_position()
    bare_node.proxy.start({"configSyncPeriod": "1s", **seldom, **LOGGED})
    service(2)
    by_time("all is written", partial(_all_is_written, bare_node, position), _SOON)
    before = scrape(bare_node)
    for _ in range(_AGAIN):
        gone_through = partial(_gone_through, bare_node, scrape(bare_node))
        by_time("it goes through all objects again", gone_through, _SOON)
    grown = _grown(scrape(bare_node), before)
    assert grown == dict.fromkeys(grown, 0.0)
