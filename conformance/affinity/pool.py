"""What tests of session affinity have in common.

Crowds are so large that chance can neither pass nor fail them: 64 clients that choose among three
endpoints at random all choose alike, or all as before, once in 10^30 times.
"""

from __future__ import annotations

from collections.abc import Collection

import pytest

from fixtures.clients.client import Crowd
from fixtures.judge.judgement import Judge
from fixtures.judge.statistics import consistent, spread, tally
from fixtures.services.services import Service
from fixtures.world.fixtures import World
from specification.addresses import Family
from specification.attempts import SocketAddress

TCP_ONLY = pytest.mark.parametrize("protocol", ["TCP"])
FROM_OUTSIDE = pytest.mark.parametrize("vantage", ["outside"])
DOCS = "docs: Virtual IPs and service proxies, session affinity"
E2E = "e2e: service 'session affinity"
HOUR = 3600
CLIENTS = 64

Choices = list[SocketAddress]
"""The endpoint of each client of a crowd."""


def choices(crowd: Crowd, at: SocketAddress) -> Choices:
    """The endpoint of one new connection of each client; all of them must be answered."""
    sample = crowd.connect(at.address, at.port)
    assert sample.words == {"answered": len(crowd)}, sample
    return [endpoint for endpoint in sample.chosen if endpoint]


def sticky_choices(
    judge: Judge, crowd: Crowd, at: SocketAddress, endpoints: Collection[SocketAddress]
) -> Choices:
    """The endpoint of each client, once it is known that clients differ, that each of them keeps
    its endpoint, and that these are none but the ones given.
    """
    chosen = choices(crowd, at)
    assert set(chosen) <= set(endpoints), f"{set(chosen)} chosen, {set(endpoints)} allowed"
    judge(spread, tally(chosen, sorted(endpoints)))
    judge(consistent, [*enumerate(chosen), *enumerate(choices(crowd, at))], len(endpoints))
    return chosen


def node_port(web: Service, world: World, family: Family) -> SocketAddress:
    """The node's own address and the Service's nodePort."""
    return SocketAddress(world.node.address(family), web.node_port())
