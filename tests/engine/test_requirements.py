"""Requirements, unchanged, on a node in memory: those that notice a proxy which is bent in one way
are met by one that is not.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from conformance.clusterip import (
    test_delivery,
    test_endpoint_changes,
    test_packets,
    test_service_changes,
    test_slices,
)
from conformance.masquerade import test_masquerade
from conformance.no_endpoints import test_no_endpoints
from conformance.nodeport import test_nodeport
from conformance.traffic_policy import test_traffic_policy
from fixtures.lab.hosts import Hosts
from fixtures.lab.lab import Lab
from fixtures.services.canary import Canary
from fixtures.services.shelf import Shelf
from fixtures.world import fixtures
from fixtures.world.world import World
from tests.engine.simulated import SimulatedNode
from tests.services.memory import Bent, MemoryApi, MemoryProxy

if TYPE_CHECKING:
    from types import ModuleType

    from clusters.contract import Cluster, Node

MODULES: list[ModuleType] = [
    *(test_delivery, test_slices, test_endpoint_changes, test_service_changes, test_packets),
    *(test_no_endpoints, test_traffic_policy, test_nodeport, test_masquerade),
]

NOTICED: dict[Bent, str] = {
    "an unready endpoint counts": """
        cip-new-avoid-removed noep-0-to-n noep-evicted""",
    "the first slice counts alone": """
        cip-same-port-diff-proto cip-slice-delete cip-slice-dup-move cip-slice-relabel
        cip-slice-label-removed cip-slice-gains-headless cip-port-key-name
        cip-named-targetport-per-ep cip-multi-slice-merge cip-multi-slice-ports cip-slice-dedupe""",
    "names of ports are ignored": """
        cip-port-remap cip-multiport cip-port-add cip-port-key-name cip-multi-slice-ports
        noep-per-port""",
    "protocols are alike": """
        cip-same-port-diff-proto noep-proto-indep np-same-number-tcp-udp""",
    "namespaces are alike": "cip-namespace-isolation",
    "labels of slices are ignored": """
        cip-slice-relabel cip-slice-label-removed cip-slice-no-svc-label""",
    "nothing is refused": """
        noep-cip-tcp noep-cip-udp noep-icmp-source noep-nodeport noep-per-port noep-proto-indep
        noep-0-to-n noep-n-to-0 noep-evicted noep-no-slice noep-established
        noep-no-conntrack-poison itp-local-no-eps-reject noep-reject-vs-drop""",
    "policies are ignored": """
        itp-local-only itp-local-none-drop noep-reject-vs-drop masq-ext-local""",
    "nothing is masqueraded": """
        cip-from-external cip-from-endpoint np-masq-cluster masq-ext-cip masq-ext-cluster
        masq-hairpin masq-udp-sctp""",
    "everything is masqueraded": """
        cip-no-snat-pod cip-sport-preserved masq-pod-cip masq-ext-local masq-udp-sctp""",
}
"""Requirements that must notice each way of being wrong."""


def _requirement(test: object) -> str:
    marks = [mark for mark in getattr(test, "pytestmark", ()) if mark.name == "requirement"]
    return str(marks[0].args[0]) if marks else ""


_ALL = {_requirement(test): test for module in MODULES for test in vars(module).values()}
_IDS = sorted({each for ids in NOTICED.values() for each in ids.split()})
globals().update({f"test_{each.replace('-', '_')}": _ALL[each] for each in _IDS})


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each of them on a straight proxy, and on those that it must not be content with."""
    found = _requirement(metafunc.function)
    noticed = [bent for bent, ids in NOTICED.items() if found in ids.split()]
    fails = pytest.mark.xfail(strict=True, raises=AssertionError, reason="bent")
    bent = ["", *(pytest.param(each, marks=fails) for each in noticed)]
    metafunc.parametrize("bent", bent, ids=["straight", *noticed])


@pytest.fixture
def world(bent: Bent, monkeypatch: pytest.MonkeyPatch) -> World:
    """All that tests ask for, in memory."""
    monkeypatch.setattr("fixtures.services.canary.TIMEOUT", 10.0)  # nothing takes time here
    api, hosts = MemoryApi(), Hosts()
    proxy = MemoryProxy(api, "simulated", bent)
    node = SimulatedNode(proxy, seed=1)
    node.waiting = lambda _seconds: proxy.sync()
    running = SimpleNamespace(running=True, stepwise=False)
    seen = cast("Node", node)
    monkeypatch.setattr(node, "proxy", running, raising=False)
    lab = Lab(seen, seed=1)
    cluster = cast("Cluster", SimpleNamespace(api=api))
    return World(cluster, seen, lab, hosts, Canary(api, seen, lab, hosts), Shelf(api))


family, node, lab = fixtures.family, fixtures.node, fixtures.lab
