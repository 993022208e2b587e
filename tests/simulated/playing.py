"""A node in memory on which sequences of operations are played."""

from __future__ import annotations

import itertools

from clusters import implementation
from clusters.simulated.judged import IMPLEMENTATION
from clusters.simulated.substrate import Simulated
from conformance.census.sequences.playing import Player
from fixtures.world.world import furnish
from specification.addresses import FAMILIES


def player(seed: int) -> Player:
    """What plays them there."""
    described = implementation.load(str(IMPLEMENTATION))
    cluster = Simulated(described, seed).cluster("specification")
    node = cluster.node()
    node.proxy.start()
    world = furnish(cluster, node, seed)
    numbers = itertools.count()
    services = world.services(lambda: f"service-{next(numbers)}", "IPv4", "TCP", FAMILIES)
    return Player(world, services, described.claimed("specification"))
