"""Requirements, unchanged, on a node in memory: those that notice a proxy which is bent in one way
are met by one that is not.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.sctp import SCTP

from conformance.clusterip import (
    test_delivery,
    test_endpoint_changes,
    test_packets,
    test_service_changes,
    test_slices,
)
from conformance.integrity import conftest as integrity
from conformance.integrity import test_contents, test_headers, test_others
from conformance.masquerade import test_masquerade
from conformance.no_endpoints import test_no_endpoints
from conformance.nodeport import test_nodeport
from conformance.traffic_policy import test_traffic_policy
from fixtures.lab.hosts import Hosts
from fixtures.lab.lab import Lab
from fixtures.services.canary import Canary
from fixtures.services.stage import Stage
from fixtures.world import fixtures
from fixtures.world.world import World
from tests.engine.simulated import SimulatedNode
from tests.engine.tools import (
    altering,
    ends_otherwise,
    longer,
    set_of,
    together,
    without_options,
    wrong_sum,
)
from tests.services.memory import Bent, MemoryApi, MemoryProxy

if TYPE_CHECKING:
    from types import ModuleType

    from clusters.contract import Cluster, Node
    from tests.engine.tools import Alter

MODULES: list[ModuleType] = [
    *(test_delivery, test_slices, test_endpoint_changes, test_service_changes, test_packets),
    *(test_no_endpoints, test_traffic_policy, test_nodeport, test_masquerade),
    *(test_headers, test_contents, test_others),
]

NOTICED: dict[str, str] = {
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

ALTERED: dict[str, tuple[Alter, str]] = {
    "hop limits are the same": (
        together(set_of(IP, ttl=64), set_of(IPv6, hlim=64)),
        "pkt-hop-limit",
    ),
    "everything is expedited": (
        together(set_of(IP, tos=46 << 2), set_of(IPv6, tc=46 << 2)),
        "pkt-dscp pkt-ecn",
    ),
    "a label is given": (set_of(IPv6, fl=0x12345), "pkt-flow-label"),
    "everything may be fragmented": (set_of(IP, flags=0), "pkt-fragmentation"),
    "a byte is appended": (longer, "pkt-length"),
    "windows are narrow": (set_of(TCP, window=1), "pkt-tcp-header"),
    "options are stripped": (without_options, "pkt-tcp-header"),
    "the last bit is another": (ends_otherwise, "pkt-payload pkt-sctp-chunks"),
    "the sum of IPv4 is wrong": (wrong_sum(IP), "pkt-ip-checksum"),
    "the sum of TCP is wrong": (wrong_sum(TCP), "pkt-tcp-checksum"),
    "the sum of UDP is wrong": (wrong_sum(UDP), "pkt-udp-checksum pkt-udp-no-checksum"),
    "UDP has no sum": (wrong_sum(UDP, 0), "pkt-udp-checksum"),
    "the sum of SCTP is wrong": (wrong_sum(SCTP), "pkt-sctp-checksum"),
}
"""What a node does to packets, and the requirements that must notice."""


def _requirement(test: object) -> str:
    marks = [mark for mark in getattr(test, "pytestmark", ()) if mark.name == "requirement"]
    return str(marks[0].args[0]) if marks else ""


_ALL = {_requirement(test): test for module in MODULES for test in vars(module).values()}
_BENT = NOTICED | {name: ids for name, (_, ids) in ALTERED.items()}
_IDS = sorted({each for ids in _BENT.values() for each in ids.split()})
for _id in _IDS:
    if _id.startswith("pkt-"):  # what their modules say of all of them
        integrity.with_all_frontends(_ALL[_id])
globals().update({f"test_{each.replace('-', '_')}": _ALL[each] for each in _IDS})


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each of them on a straight proxy, and on those that it must not be content with."""
    found = _requirement(metafunc.function)
    noticed = [bent for bent, ids in _BENT.items() if found in ids.split()]
    fails = pytest.mark.xfail(strict=True, raises=AssertionError, reason="bent")
    bent = ["", *(pytest.param(each, marks=fails) for each in noticed)]
    metafunc.parametrize("bent", bent, ids=["straight", *noticed])


@pytest.fixture
def world(bent: str, monkeypatch: pytest.MonkeyPatch) -> World:
    """All that tests ask for, in memory."""
    monkeypatch.setattr("fixtures.services.canary.TIMEOUT", 10.0)  # nothing takes time here
    api, hosts = MemoryApi(), Hosts()
    straight = bent not in NOTICED
    proxy = MemoryProxy(api, "simulated", "" if straight else cast("Bent", bent))
    node = SimulatedNode(proxy, seed=1)
    if bent in ALTERED:
        node.leaving = altering(ALTERED[bent][0])
    node.waiting = lambda _seconds: proxy.sync()
    running = SimpleNamespace(running=True, stepwise=False)
    seen = cast("Node", node)
    monkeypatch.setattr(node, "proxy", running, raising=False)
    lab = Lab(seen, seed=1)
    cluster = cast("Cluster", SimpleNamespace(api=api))
    canary = Canary(api, seen, lab, hosts)
    return World(cluster, seen, lab, hosts, canary, Stage(api, canary))


family, node, lab = fixtures.family, fixtures.node, fixtures.lab
draw, frontends, send = integrity.draw, integrity.frontends, integrity.send
