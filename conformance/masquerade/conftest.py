"""What the tests of masquerading share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conformance.vocabulary import Family, IPAddress, World, having


@pytest.fixture
def second_address(world: World, family: Family) -> Iterator[IPAddress]:
    """Another address of the node, on an interface that leads nowhere, while a test runs."""
    address = world.hosts("outside")[0].address(family)
    with having(world.node, address):
        yield address
