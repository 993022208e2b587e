"""Places: where a host is, which node it is on, and so what its address is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from specification.addresses import OUTSIDE, Family, IPAddress, family_of, node_address, pod_cidr

Place = Literal["pod", "remote-pod", "remote-node", "outside", "node"]
"""A pod on the node under test, a pod on another node, another node itself, a host outside the
cluster, the node under test itself.
"""


Vantage = Literal["pod", "remote-pod", "outside", "node"]
"""Where a client is: a pod on the node under test, a pod on another node, outside the cluster, a
process on the node.
"""

LAB_NODES = ("lab-1", "lab-2")
"""Names of the nodes that the lab plays; they are the cluster's nodes number 1 and 2."""

ZONES = ("zone-a", "zone-a", "zone-b")
"""Zone of each node of a cluster: the node under test, and the two that the lab plays."""


@dataclass(frozen=True)
class Host:
    """One host of the lab: the address number ``number`` of a network; ``node`` is the cluster's
    node it is on.
    """

    place: Place
    number: int
    node: int = 0
    own: tuple[IPAddress, ...] = ()
    """The addresses of the node under test, at the place ``node``."""

    def address(self, family: Family) -> IPAddress:
        """The host's address of that family."""
        if self.place == "node":
            return {family_of(address): address for address in self.own}[family]
        if self.place == "outside":
            return OUTSIDE[family][self.number]
        if self.place == "remote-node":
            return node_address(self.node, family)
        return pod_cidr(self.node, family)[self.number]

    @property
    def wire(self) -> str:
        """The wire that the host's packets come from; ``LookupError`` for the node under test."""
        if self.place == "node":
            raise LookupError("the node under test is on no wire of the lab's")
        return "pod" if self.place == "pod" else "external"

    def node_name(self, node_under_test: str) -> str | None:
        """The name of the node that the host is on; ``None`` outside the cluster."""
        if self.place == "outside":
            return None
        return LAB_NODES[self.node - 1] if self.node else node_under_test

    @property
    def zone(self) -> str | None:
        """The zone of the host's node; ``None`` outside the cluster."""
        return None if self.place == "outside" else ZONES[self.node]
