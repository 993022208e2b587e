"""What the tests of the modes' insides share: the rules of one family, read from the kernel."""

from __future__ import annotations

import pytest

from conformance.kube_proxy.iptables.chains import Chains
from conformance.kube_proxy.nftables.chains import IP, Ruleset
from conformance.vocabulary import OUTSIDE, Family, Protocol, World, arranged


@pytest.fixture
def protocol() -> Protocol:
    """Rules have the same shape for every protocol: TCP, unless a test lists other ports."""
    return "TCP"


@pytest.fixture
def chains(world: World, family: Family) -> Chains:
    """The chains of a table of iptables or ip6tables as they are now: ``chains("nat")``."""
    version = {"IPv4": 4, "IPv6": 6}[family]
    return lambda table: world.node.host.iptables.chains(table, version)


@pytest.fixture
def ruleset(world: World, family: Family) -> Ruleset:
    """The table of the family that kube-proxy has in nftables mode, as it is now."""
    return lambda: world.node.host.nftables.table(IP[family], "kube-proxy")


with_all_frontends = arranged(
    ["pod", "pod", "remote-pod"],
    load_balancer_source_ranges=tuple(OUTSIDE.values()),
    external_traffic_policy="Local",
    exposed=True,
)
"""A Service with every kind of frontend and each traffic policy: two endpoints here, one elsewhere.
"""
