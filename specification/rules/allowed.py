"""What is right: of one attempt in one state, the set of outcomes that are allowed.

An attempt is addressed to a frontend or to none; a frontend has endpoints, some of which count in
the state that they are in, or none do; who is delivered is seen from one address or another.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from specification.addresses import IPAddress
from specification.attempts import Attempt, SocketAddress
from specification.outcomes import Delivered, Dropped, PassedThrough, Probe, Rejected
from specification.places import Place
from specification.rules import affinity, refusals, sources, undecided
from specification.rules.case import Case
from specification.rules.endpoints import eligible
from specification.rules.ranges import (
    outside_the_source_ranges,
    sent_by_the_node_from_the_balancers_ip,
)
from specification.rules.sources import Seen
from specification.rules.state import State


@dataclass(frozen=True)
class Allowed:
    """The outcomes that are right, any of them."""

    deliveries: Mapping[SocketAddress, Seen] = field(default_factory=dict)
    """Which endpoints may get it, and whose address each of them sees."""
    refused: bool = False
    dropped: bool = False
    passed: bool = False
    """Left to the node's routing, or to the node itself, untouched."""
    undecided: str = ""
    """Why nothing is decided here, if so."""
    because: tuple[str, ...] = ()
    """The clauses that had a say."""

    def __str__(self) -> str:
        if self.undecided:
            return f"anything: {self.undecided}"
        said = []
        for seen in sorted(set(self.deliveries.values())):
            who = sorted(map(str, (at for at, each in self.deliveries.items() if each == seen)))
            words = {"client": "the client", "node": "the node", "either": "either"}[seen]
            said.append(f"delivered to {' or '.join(who)}, seen from {words}")
        said += [word for word in ("refused", "dropped", "passed on") if self._may(word)]
        return ", or ".join(said)

    def permits(self, probe: Probe, own: Collection[IPAddress]) -> bool:
        """Whether what became of a probe is among them; ``own`` are the node's addresses.

        A delivery must be answered from the very address that the client had addressed, unless the
        endpoint was shown the client's own and both are beyond the node: then the answer need not
        come by it. Who answers although nobody was reached is right about nothing that is decided.
        """
        if self.undecided:
            return True
        match probe.outcome:
            case Delivered(endpoint=endpoint, source=source):
                seen = self.deliveries.get(endpoint)
                kept, node = source.address == probe.client.address, source.address in own
                right = {"client": kept, "node": node, "either": kept or node, None: False}
                past_node = probe.reply is not None and probe.reply.past_node
                return right[seen] and (probe.answered or (kept and past_node))
            case Rejected():
                return self.refused
            case Dropped():
                return self.dropped
            case PassedThrough(source=source):
                return self.passed and source.address == probe.client.address
        return False

    def _may(self, word: str) -> bool:
        return {"refused": self.refused, "dropped": self.dropped, "passed on": self.passed}[word]


def allowed(state: State, attempt: Attempt, place: Place) -> Allowed:
    """What is right for a new connection in a settled state. Pure: equal arguments, equal answers.

    ``place`` says where the client is: a proxy sees its address alone, but answers find their own
    way.
    """
    case = Case(state, attempt, place)
    if refusals.loopback_from_elsewhere(case):
        right = Allowed(dropped=True)
    elif why := undecided.reason(case):
        right = Allowed(undecided=why)
    else:
        right = _addressed(case) if case.addressed else _unaddressed(case)
    return replace(right, because=tuple(dict.fromkeys(case.because)))


def _addressed(case: Case) -> Allowed:
    if outside_the_source_ranges(case) and not sent_by_the_node_from_the_balancers_ip(case):
        return Allowed(dropped=True, refused=refusals.no_endpoint_anywhere(case))
    pool = eligible(case)
    if not pool and refusals.no_endpoint_anywhere(case):
        return Allowed(refused=True)
    if not pool:
        kept_away = refusals.a_policy_keeps_from_endpoints_elsewhere(case)
        return Allowed(dropped=kept_away, refused="policy-drops" not in case.state.features)
    pool = affinity.remembered(case, pool) or pool
    return Allowed({each.at: sources.seen(case, each) for each in pool})


def _unaddressed(case: Case) -> Allowed:
    features = case.state.features
    if refusals.unserved_port_of_a_cluster_ip(case):
        both = ("unserved-port-passed", "unserved-port-rejected")
        claimed = [each for each in both if each in features] or both
        return Allowed(
            refused="unserved-port-rejected" in claimed, passed="unserved-port-passed" in claimed
        )
    if refusals.unserved_port_of_an_external_address(case):
        return Allowed(refused="unserved-port-passed" not in features, passed=True)
    if refusals.unallocated_cluster_ip(case):
        return Allowed(dropped=True, passed="unallocated-ip-dropped" not in features)
    if refusals.nobody_listens_at_the_node(case):
        return Allowed(refused=True)
    return Allowed(passed=refusals.not_a_services(case))
