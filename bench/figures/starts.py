"""What it costs to start: the full sync, the memory it takes, and the rules that it leaves."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench import costs
from bench.figures.measured import Measured, own_word
from fixtures.world.latency import OwnWord

if TYPE_CHECKING:
    from bench.sites import Site, Sites

_REST = 0.5  # seconds
_LONG = 5.0  # seconds


def measure_starts(sites: Sites, repetitions: int) -> list[Measured]:
    """Start every mode's proxy that often, as far as there is time, on a node where nothing is
    programmed; seconds until the last Service is in force.
    """
    taken: dict[Site, list[float]] = {}
    spent: dict[Site, list[float]] = {}
    tools: dict[Site, float] = {}
    own: dict[Site, dict[str, float]] = {}
    for _ in range(repetitions):
        began = time.monotonic()
        for site in sites.shuffled():
            with costs.ToolMemory(site.node) as memory:
                taken.setdefault(site, []).append(site.start_cold())
            spent.setdefault(site, []).append(costs.cpu_seconds(site.node))
            tools[site] = max(tools.get(site, 0.0), memory.peak)
            own[site] = own_word(OwnWord(site.proxy, since_start=True))
        if not sites.affords(time.monotonic() - began):
            break
    found = []
    for site in sites:
        memory_of_proxy = costs.peak_memory(site.node, site.proxy.pid)
        found += [
            Measured("full-sync", site.mode, "s", taken[site], own=own[site]),
            Measured("cpu-seconds", site.mode, "s", spent[site], "full-sync"),
            Measured("peak-memory", site.mode, "MiB", [memory_of_proxy], "proxy"),
        ]
        if tools[site]:
            found.append(Measured("peak-memory", site.mode, "MiB", [tools[site]], "tools"))
    return found


def measure_rules(sites: Sites) -> list[Measured]:
    """Count the rules of each mode, and the bytes that its own tools print of them."""
    found = []
    for site in sites:
        text = _at_rest(site)
        found += [
            Measured("rules", site.mode, "rules", [costs.rules(text)]),
            Measured("ruleset-bytes", site.mode, "bytes", [len(text.encode())]),
        ]
    return found


def _at_rest(site: Site) -> str:
    """The rules when they stay as they are: a proxy that has just started has the other family's
    yet to write. A listing that takes long ends long after any start.
    """
    count = -1
    while True:
        began = time.monotonic()
        text = site.rules()
        before, count = count, costs.rules(text)
        if count == before or time.monotonic() - began > _LONG:
            return text
        time.sleep(_REST)
