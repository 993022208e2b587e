"""Requirements, unchanged, on a node in memory: those that notice what is done to packets are met
where nothing is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.sctp import SCTP

from clusters import implementation
from clusters.simulated.judged import IMPLEMENTATION
from clusters.simulated.substrate import Simulated
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
from fixtures.world import fixtures
from fixtures.world.world import World, furnish
from tests.engine.tools import (
    altering,
    ends_otherwise,
    longer,
    set_of,
    together,
    without_options,
    wrong_sum,
)

if TYPE_CHECKING:
    from types import ModuleType

    from clusters.simulated.node import SimulatedNode
    from tests.engine.tools import Alter

MODULES: list[ModuleType] = [
    *(test_delivery, test_slices, test_endpoint_changes, test_service_changes, test_packets),
    *(test_no_endpoints, test_traffic_policy, test_nodeport, test_masquerade),
    *(test_headers, test_contents, test_others),
]

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
_BENT = {name: ids for name, (_, ids) in ALTERED.items()}
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
def world(bent: str) -> World:
    """All that tests ask for, in memory."""
    cluster = Simulated(implementation.load(str(IMPLEMENTATION)), seed=1).cluster("specification")
    node = cluster.node()
    if bent:
        cast("SimulatedNode", node).leaving = altering(ALTERED[bent][0])
    node.proxy.start()
    return furnish(cluster, node, seed=1)


family, node, lab = fixtures.family, fixtures.node, fixtures.lab
draw, frontends, send = integrity.draw, integrity.frontends, integrity.send
