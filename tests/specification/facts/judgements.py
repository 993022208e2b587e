"""What was seen of an attempt, held against what is allowed."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from specification.attempts import SocketAddress
from specification.outcomes import (
    AnsweredUnseen,
    Delivered,
    Dropped,
    Outcome,
    PassedThrough,
    Probe,
    Rejected,
    Reply,
)
from specification.rules.allowed import Allowed

CLIENT, TARGET, NODE, HERE, THERE = (
    SocketAddress(ip_address(f"192.0.2.{number}"), 1000 + number) for number in range(5)
)
OTHER_PORT = SocketAddress(CLIENT.address, 7)
ANSWER, BARE = Reply("answer", TARGET), Reply("answer", HERE)
PAST = Reply("answer", HERE, past_node=True)

KEPT, MASKED = Allowed({HERE: "client"}), Allowed({HERE: "node"})
EITHER, BOTH = Allowed({HERE: "either"}), Allowed({HERE: "client", THERE: "node"})
REFUSED, DROPPED, PASSED = Allowed(refused=True), Allowed(dropped=True), Allowed(passed=True)
OPEN, NOTHING = Allowed(undecided="nobody says"), Allowed()

DELIVERED = Delivered(HERE, CLIENT, "pod", ANSWER)
DELIVERED_MASKED = Delivered(HERE, NODE, "pod", ANSWER)
REJECTED = Rejected("port-unreachable", NODE.address)
THROUGH = PassedThrough(CLIENT, "external", None)
UNSEEN = AnsweredUnseen(ANSWER)


@dataclass(frozen=True)
class Judgement:
    """What is allowed, what was seen, and whether that is right."""

    right: Allowed
    seen: Outcome
    permitted: bool = True

    def __str__(self) -> str:
        return f"{self.right}: {self.seen}"

    @property
    def holds(self) -> bool:
        """Whether it is judged so."""
        probe = Probe("TCP", CLIENT, TARGET, self.seen)
        return self.right.permits(probe, {NODE.address}) is self.permitted


JUDGEMENTS = [
    Judgement(KEPT, DELIVERED),
    Judgement(KEPT, Delivered(HERE, OTHER_PORT, "pod", ANSWER)),
    Judgement(KEPT, DELIVERED_MASKED, False),
    Judgement(MASKED, DELIVERED_MASKED),
    Judgement(MASKED, DELIVERED, False),
    Judgement(MASKED, Delivered(HERE, THERE, "pod", ANSWER), False),
    Judgement(EITHER, DELIVERED),
    Judgement(EITHER, DELIVERED_MASKED),
    Judgement(EITHER, Delivered(HERE, THERE, "pod", ANSWER), False),
    Judgement(KEPT, Delivered(THERE, CLIENT, "external", ANSWER), False),
    Judgement(BOTH, DELIVERED),
    Judgement(BOTH, Delivered(THERE, NODE, "external", ANSWER)),
    Judgement(BOTH, Delivered(THERE, CLIENT, "external", ANSWER), False),
    Judgement(KEPT, Delivered(HERE, CLIENT, "pod", None), False),
    Judgement(KEPT, Delivered(HERE, CLIENT, "pod", BARE), False),
    Judgement(KEPT, Delivered(HERE, CLIENT, "external", PAST)),
    Judgement(MASKED, Delivered(HERE, NODE, "external", PAST), False),
    Judgement(EITHER, Delivered(HERE, NODE, "external", PAST), False),
    *(Judgement(each, DELIVERED, False) for each in (REFUSED, DROPPED, PASSED, NOTHING)),
    *(Judgement(each, REJECTED, each is REFUSED) for each in (REFUSED, DROPPED, PASSED, KEPT)),
    *(Judgement(each, Dropped(), each is DROPPED) for each in (REFUSED, DROPPED, PASSED, KEPT)),
    *(Judgement(each, THROUGH, each is PASSED) for each in (REFUSED, DROPPED, PASSED, KEPT)),
    Judgement(PASSED, PassedThrough(NODE, "external", None), False),
    *(Judgement(each, UNSEEN, False) for each in (REFUSED, DROPPED, PASSED, KEPT)),
    *(Judgement(OPEN, each) for each in (DELIVERED, REJECTED, Dropped(), THROUGH, UNSEEN)),
]
