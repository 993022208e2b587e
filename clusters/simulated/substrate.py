"""A cluster in memory: an API that stores objects, nodes that are simulated, and the specification
for a proxy. It needs no kernel, no privileges and no programs.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple, cast

from clusters.registration import register
from clusters.simulated.api import MemoryApi
from clusters.simulated.kernel import Pass
from clusters.simulated.node import SimulatedNode
from clusters.simulated.proxy import SpecifiedProxy
from specification.places import LAB_NODES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clusters.api import Api
    from clusters.contract import Node, System
    from clusters.implementation import Implementation


class SimulatedCluster(NamedTuple):
    """See clusters.contract.Cluster."""

    api: Api
    node: Callable[[], Node]
    others: Sequence[System] = ()


class Simulated:
    """See clusters.contract.Substrate; ``seed`` is of all that nodes and proxies draw."""

    def __init__(self, implementation: Implementation, seed: int) -> None:
        self._implementation = implementation
        self._seed = seed
        self._api = MemoryApi()
        self._nodes = 0
        for position, name in enumerate(LAB_NODES, start=1):
            register(self._api, name, position)

    def cluster(self, mode: str) -> SimulatedCluster:
        """See Substrate."""
        return SimulatedCluster(self._api, partial(self._node, mode))

    def close(self) -> None:
        """See Substrate."""
        self._api.close()

    def _node(self, mode: str) -> Node:
        name = f"simulated-{self._nodes}"
        self._nodes += 1
        register(self._api, name, 0)
        node = SimulatedNode(lambda *_: Pass(), self._seed, name)
        proxy = SpecifiedProxy(self._implementation, mode, self._api, name, self._seed)
        proxy.join(node)
        node.proxy = proxy
        return cast("Node", node)
