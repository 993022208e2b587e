"""Processes on the node that listen at the number of a nodePort."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from conformance.vocabulary import FAMILIES, Client, NodeServer, SocketAddress, World


@contextmanager
def listening(world: World, client: Client, at: SocketAddress) -> Iterator[None]:
    """A process on the node listens there while the block runs, in the client's protocol.

    The number may have been the healthCheckNodePort of a Service that is gone, which a proxy closes
    only after it has programmed the rules; and what listens for one family may keep the number from
    the other.
    """
    world.canary.settle(syncs=2, families=FAMILIES)
    with NodeServer(world.lab, world.node, client.protocol, at):
        yield
