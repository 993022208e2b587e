"""The canary, before a proxy that does what it is told when somebody waits for it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from clusters.addresses import FAMILIES, Family
from fixtures.hosts import Hosts
from fixtures.settle import Canary

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from clusters.addresses import IPAddress
    from clusters.api import Api
    from clusters.provider import NodeUnderTest
    from fixtures.lab import Lab

NODE = SimpleNamespace(
    name="node",
    proxy=SimpleNamespace(stepwise=True, running=True),
    system=SimpleNamespace(emulated=False, check=lambda: None),
)
"""A node whose proxy changes one thing after another."""


class Stepwise:
    """An API, and a lab around a node whose proxy syncs whenever somebody waits."""

    def __init__(self) -> None:
        self.specs: dict[str, dict[str, Any]] = {}
        """What Services and slices were last told, by resource and name."""
        self.in_force: dict[str, dict[str, Any]] = {}
        self.changes = 0
        """How often something was changed."""
        self.knocked: list[str] = []

    def create(self, resource: str, body: dict[str, Any]) -> dict[str, Any]:
        name = body["metadata"]["name"]
        self.specs[f"{resource}/{name}"] = body.get("spec", body)
        return {"spec": {"clusterIP": "10.96.0.4" if name.endswith("4") else "fd00:96::6"}}

    def patch_all(self, changes: Iterable[tuple[str, str, dict[str, Any]]]) -> None:
        for resource, name, change in changes:
            self.specs[f"{resource}/{name}"] = change.get("spec", change)
        self.changes += 1

    def wait(self, _seconds: float) -> None:
        self.in_force = dict(self.specs)

    def knocking(
        self, family: Family, _client: IPAddress, address: IPAddress, port: int, target: int
    ) -> Generator[bool, None, None]:
        self.knocked.append(str(address))
        service, endpoints = (
            f"services/canary-node-{family}",
            f"endpointslices/canary-node-{family}",
        )
        while True:
            spec = self.in_force.get(service.lower(), {"ports": [{}], "externalIPs": []})
            if port == 9:  # an external IP
                yield str(address) not in spec["externalIPs"]
            else:
                there = self.in_force.get(endpoints.lower(), {"ports": [{}]})
                ports = (spec["ports"][0].get("port"), there["ports"][0].get("port"))
                yield ports == (port, target)

    def external_ip(self, family: Family) -> str:
        (address,) = self.specs[f"services/canary-node-{family.lower()}"]["externalIPs"]
        return str(address)


@pytest.fixture
def around() -> Stepwise:
    """What is around the node."""
    return Stepwise()


@pytest.fixture
def canary(around: Stepwise) -> Canary:
    """The canary, which the proxy has not seen yet."""
    return Canary(cast("Api", around), cast("NodeUnderTest", NODE), cast("Lab", around), Hosts())


@pytest.mark.parametrize("before", [(), ("IPv6",), ("IPv6", "IPv6"), ("IPv4", "IPv6")])
def test_the_address_given_up_is_the_one_that_the_family_had(
    around: Stepwise, canary: Canary, before: tuple[Family, ...]
) -> None:
    """What tells that a stepwise proxy is done is an address that it had, however often the other
    family has settled alone since: one change is enough.
    """
    canary.settle(removed=False, started=True)
    for family in before:
        canary.settle(families=[family], removed=False)
    had, changes = around.external_ip("IPv4"), around.changes
    around.knocked.clear()
    canary.settle(families=["IPv4"], removed=False)
    assert had in around.knocked
    assert around.external_ip("IPv4") != had
    assert around.changes == changes + 2  # the slice, and then the Service


def test_a_proxy_that_has_just_started_is_asked_once(around: Stepwise, canary: Canary) -> None:
    """It shows the canary as it is before the address that it is to give up is exchanged."""
    canary.settle(families=FAMILIES, removed=False, started=True)
    assert around.changes == 2
