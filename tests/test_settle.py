"""The canary, with a node and an API that only note what they are told."""

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


class Known:
    """An API that knows what it was told, and a lab that finds every change in force at once."""

    def __init__(self) -> None:
        self.external_ips: dict[str, str] = {}
        """By the Service's name."""
        self.knocked: list[IPAddress] = []

    def create(self, resource: str, body: dict[str, Any]) -> dict[str, Any]:
        if resource == "services":
            self._note(body["metadata"]["name"], body["spec"])
        return {"spec": {"clusterIP": "10.96.0.9"}}

    def patch_all(self, changes: Iterable[tuple[str, str, dict[str, Any]]]) -> None:
        for resource, name, change in changes:
            if resource == "services":
                self._note(name, change["spec"])

    def knocking(
        self, _family: Family, _source: IPAddress, address: IPAddress, _port: int, _target: int
    ) -> Generator[bool, None, None]:
        self.knocked.append(address)
        while True:
            yield True

    def _note(self, name: str, spec: dict[str, Any]) -> None:
        (self.external_ips[name],) = spec["externalIPs"]


NODE = SimpleNamespace(
    name="node", proxy=SimpleNamespace(stepwise=True), system=SimpleNamespace(emulated=False)
)
"""A node whose proxy changes one thing after another."""


@pytest.mark.parametrize("before", [(), ("IPv6",), ("IPv6", "IPv6"), ("IPv4", "IPv6")])
def test_the_address_given_up_is_the_one_that_the_family_had(before: tuple[Family, ...]) -> None:
    """What tells that a stepwise proxy is done is an address that it had, however often the other
    family has settled alone since.
    """
    known = Known()
    canary = Canary(cast("Api", known), cast("NodeUnderTest", NODE), cast("Lab", known), Hosts())
    canary.settle(families=FAMILIES, removed=False)
    for family in before:
        canary.settle(families=[family], removed=False)
    had = known.external_ips["canary-node-ipv4"]
    known.knocked.clear()
    canary.settle(families=["IPv4"], removed=False)
    assert had in map(str, known.knocked)
    assert known.external_ips["canary-node-ipv4"] != had
