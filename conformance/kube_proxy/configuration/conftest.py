"""Starts of kube-proxy that are to fail, or that show what became of its configuration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Protocol

import pytest

from conformance.kube_proxy.configuration.effective import Effective, effective
from conformance.kube_proxy.process import conftest as process
from conformance.kube_proxy.process.starts import Word, assert_refuses
from conformance.vocabulary import Node, World, by_time
from fixtures.record.recorder import OPTIONS

_METRICS = 65_535
_PERIOD = "60s"
_MARK = "0x80000000"
_SECONDS = 240  # after which a proxy that has started should have programmed something


NO_ADDRESS: Final = (
    ("192.0.2.1:0", "must be a valid port"),
    ("192.0.2.1:65536", "must be a valid port"),
    ("localhost:10256", "must be a valid IP"),
    ("localhost", "must be IP:port"),
)
"""What is no address and port, and what is said of it."""


started_by_the_suite = process.started_by_the_suite


class Refuses(Protocol):
    """See ``refuses``."""

    def __call__(self, configuration: dict[str, Any], *words: Word, **environment: str) -> None:
        """Started so, it ends with an error whose line has these words."""


@pytest.fixture
def bare_node(world: World) -> Iterator[Node]:
    """As everywhere, but quick where test after test leaves the node as it should be: without a
    proxy and without anything of it.
    """
    proxy = world.node.proxy
    proxy.stop()
    if proxy.modes_in_kernel():
        proxy.start(ready=False)  # it writes its file anew: --cleanup, too, refuses a bad one
        proxy.kill()
        proxy.cleanup()
        if left := proxy.modes_in_kernel():
            raise RuntimeError(f"{left} are left after a cleanup")
    yield world.node
    proxy.kill()  # whichever test comes next starts it anew


@pytest.fixture
def refuses(bare_node: Node) -> Refuses:
    """Has kube-proxy started with a configuration, laid over that of the suite, which is refused:
    with an error that has all of these words in one line, and with nothing programmed.
    """

    def start(configuration: dict[str, Any], *words: Word, **environment: str) -> None:
        assert_refuses(bare_node, *words, configuration=configuration, **environment)

    return start


@pytest.fixture(scope="session")
def previous(pytestconfig: pytest.Config) -> str:
    """The minor version before that of kube-proxy."""
    version = pytestconfig.stash[OPTIONS].judged().version
    major, minor = version.removeprefix("v").split(".")[:2]
    return f"{major}.{int(minor) - 1}"


@pytest.fixture(scope="module")
def at_bounds(shared_world: World, mode: str, previous: str) -> Effective:
    """What is in force where kube-proxy was started with values at the bounds of what they may be,
    once for all tests.
    """
    node, proxy = shared_world.node, shared_world.node.proxy
    configuration: dict[str, Any] = {
        "metricsBindAddress": f"{node.management_address}:{_METRICS}",
        "nodePortAddresses": ["0.0.0.0/0", "::/0"],
        "oomScoreAdj": 1000,
        "bindAddress": "::",
        "clusterCIDR": "10.0.0.0/8",
        "showHiddenMetricsForVersion": previous,
        "ipvs": {"excludeCIDRs": ["::/0", "192.0.2.1/32"]},
        "iptables": {"masqueradeBit": 31},
        "nftables": {"masqueradeBit": 31},
    }
    configuration[mode] |= {"minSyncPeriod": _PERIOD, "syncPeriod": _PERIOD}
    proxy.stop()
    position = proxy.log_position()
    try:
        proxy.start(configuration)
        by_time(f"rules have the mark {_MARK}", lambda: _MARK in proxy.rules(), _SECONDS)
        return effective(node, _METRICS, position)
    finally:
        proxy.kill()  # whichever test comes next starts it anew
