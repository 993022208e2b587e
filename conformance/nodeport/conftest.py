"""Where clients of nodePorts are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conformance.nodeport.relays import speaking
from conformance.vocabulary import (
    LOOPBACK,
    Family,
    IPAddress,
    NodeClient,
    Protocol,
    Services,
    World,
)


@pytest.fixture
def vantage() -> str:
    """A client outside the cluster, unless a test parametrises ``vantage``."""
    return "outside"


@pytest.fixture
def loopback(family: Family) -> IPAddress:
    """The loopback address of the family."""
    return LOOPBACK[family]


@pytest.fixture
def process(
    service: Services, world: World, family: Family, protocol: Protocol
) -> Iterator[NodeClient]:
    """A process on the node at the loopback address. What a relay does with a change comes behind
    what packets show of it, and is done with when the next one is in force.
    """
    service.settle()
    with speaking(world, family, protocol) as process:
        yield process


@pytest.fixture
def removed(world: World) -> Iterator[None]:
    """What the proxy has programmed is removed behind the test: the next one would start on it, and
    kube-proxy cannot (np-localhost-nft-named-later).
    """
    yield
    world.node.proxy.stop()
    world.node.proxy.cleanup()


@pytest.fixture
def listening(service: Services) -> None:
    """Relays listen where the test's Services have them: a proxy sees to that after it has written
    its rules.
    """
    service.settle(syncs=2)
