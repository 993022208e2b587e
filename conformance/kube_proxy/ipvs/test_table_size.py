"""How many connections the kernel may know: what only the first network namespace of a machine can
be told, which emulated nodes alone have. kube-proxy does it alike in every mode.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conformance.vocabulary import Node, in_ipvs, setting, source

_MAX = "/proc/sys/net/netfilter/nf_conntrack_max"
_HASH = "/sys/module/nf_conntrack/parameters/hashsize"
_TEST = source("pkg/proxy/conntrack/sysctls_test.go", "TestSetupConntrack")
_MOST = 1_048_576


class Table:
    """The table of connections of a node that has no proxy yet."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.processors = node.read("/proc/cpuinfo").count("processor\t")

    @property
    def sizes(self) -> tuple[int, int]:
        """How many connections it takes, and by how many hashes."""
        return int(self._node.read(_MAX)), int(self._node.read(_HASH))

    def set(self, most: int, hashes: int) -> None:
        """Have it be so large."""
        self._node.write(_HASH, str(hashes))
        self._node.write(_MAX, str(most))

    def begin(self, per_core: int, least: int) -> None:
        """Start kube-proxy with maxPerCore and min."""
        self._node.proxy.restart({"conntrack": {"maxPerCore": per_core, "min": least}})


@pytest.fixture
def table(bare_node: Node) -> Iterator[Table]:
    """Set back after the test."""
    made = Table(bare_node)
    before = made.sizes
    yield made
    bare_node.proxy.stop()
    made.set(*before)


@in_ipvs(
    "ct-sysctl-max",
    setting("KubeProxyConntrackConfiguration.maxPerCore, min"),
    source("pkg/proxy/conntrack/sysctls_test.go", "TestGetConntrackMax"),
    _TEST,
)
def test_table_is_sized_by_processors(table: Table) -> None:
    """At its start kube-proxy must raise nf_conntrack_max to maxPerCore for each processor, but to
    min at least and to 1048576 at most, and must leave it where maxPerCore is 0.
    """
    cases = {
        (50_000, 1): 50_000 * table.processors,
        (1, 60_000): 60_000,
        (_MOST + 1, 1): _MOST,
        (0, 60_000): 10_000,
    }
    for (per_core, least), wanted in cases.items():
        table.set(10_000, 2_560)
        table.begin(per_core, least)
        assert table.sizes[0] == wanted, (per_core, least)


@in_ipvs("ct-max-kept", _TEST)
def test_larger_table_is_left(table: Table) -> None:
    """At its start kube-proxy must not lower nf_conntrack_max."""
    table.set(500_000, 131_072)
    table.begin(1, 60_000)
    assert table.sizes == (500_000, 131_072)


@in_ipvs("ct-hashsize", _TEST)
def test_hashes_are_raised(table: Table) -> None:
    """At its start kube-proxy must raise hashsize to a quarter of the nf_conntrack_max that it
    wants, whether or not that is so already, and must leave it where it is larger.
    """
    for most, hashes, wanted in (
        (10_000, 2_560, 20_480),
        (81_920, 2_560, 20_480),
        (10_000, 40_960, 40_960),
    ):
        table.set(most, hashes)
        table.begin(1, 81_920)
        assert table.sizes == (81_920, wanted), (most, hashes)
