"""A node in memory and the lab around it."""

from __future__ import annotations

from ipaddress import ip_address
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from fixtures.clients.client import LabClient
from fixtures.lab.lab import Lab
from fixtures.lab.simulated import Decision, Deliver, Pass, Rule, SimulatedNode
from specification.addresses import FAMILIES, Family, IPAddress
from specification.attempts import SocketAddress
from specification.places import Host

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clusters.contract import Node
    from specification.places import Place
    from specification.services import Protocol

VIPS: dict[Family, IPAddress] = {
    "IPv4": ip_address("10.96.0.10"),
    "IPv6": ip_address("fd00:96::10"),
}
"""A cluster IP of each family."""

PORT = 80


class Rules:
    """A proxy's rules for ``VIPS`` at ``PORT``: what may become of a connection to them; all else
    passes.
    """

    def __init__(self) -> None:
        self.decisions: Callable[[SocketAddress], Sequence[Decision]] = lambda _client: [Pass()]
        self.asked: list[tuple[Family, Protocol, SocketAddress, SocketAddress]] = []
        """What was asked about the cluster IPs."""

    def __call__(
        self, family: Family, protocol: Protocol, client: SocketAddress, target: SocketAddress
    ) -> Sequence[Decision]:
        if target != (VIPS[family], PORT):
            return [Pass()]
        self.asked.append((family, protocol, client, target))
        return self.decisions(client)

    def always(self, *decisions: Decision) -> None:
        """Decide so from now on, whoever the client is."""
        self.decisions = lambda _client: decisions


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run one case of each requirement, in each family where its proxy is straight, and from a
    vantage that the lab plays.
    """
    chosen: dict[tuple[object, ...], pytest.Item] = {}
    left: list[pytest.Item] = []
    for item in items:
        params = getattr(item, "callspec", SimpleNamespace(params={})).params
        if "bent" in params:
            family = "" if params["bent"] else params["family"]
            key = item.name.partition("[")[0], params["bent"], family
            if params.get("vantage") == "node" or chosen.setdefault(key, item) is not item:
                left.append(item)
    items[:] = [item for item in items if item not in left]
    config.hook.pytest_deselected(items=left)


@pytest.fixture
def rules() -> Rules:
    """The rules of the node's proxy."""
    return Rules()


@pytest.fixture
def node(rules: Rules) -> SimulatedNode:
    """A node in memory."""
    rule: Rule = rules
    return SimulatedNode(rule, seed=1)


@pytest.fixture
def lab(node: SimulatedNode) -> Lab:
    """The lab around it."""
    return Lab(cast("Node", node), seed=1)


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> Family:
    """Both IP families in turn."""
    return cast("Family", request.param)


def host(place: Place, number: int, family: Family, port: int = 8080) -> SocketAddress:
    """A port of a lab host."""
    node = 0 if place in ("pod", "outside") else 1
    return SocketAddress(Host(place, number, node).address(family), port)


def delivery(place: Place, number: int, family: Family, *, masquerade: bool = False) -> Deliver:
    """Delivery to a lab host, as the node where ``masquerade`` holds."""
    source = Host("remote-node", 0, 0).address(family) if masquerade else None
    return Deliver(host(place, number, family), source)


def client(lab: Lab, place: Place, family: Family, protocol: Protocol = "TCP") -> LabClient:
    """A client at ``place``: the host number 300."""
    return LabClient(lab, Host(place, 300, int(place == "remote-pod")), family, protocol)
