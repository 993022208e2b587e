"""Traffic while a node is switched: flows that stay open and new connections all the time, by every
frontend, from pods here and elsewhere, from outside, and from processes on the node.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from conformance.census import census
from conformance.census.decision import Decision
from fixtures.clients.client import LabClient
from fixtures.clients.flows import Flows
from fixtures.clients.node_client import NodeClient
from fixtures.lab.frames import Kind
from fixtures.lab.sample import same_ends
from reports.records.base import Interval
from reports.records.migration import FlowsSeen, Opened
from specification.addresses import family_of
from specification.attempts import Attempt, SocketAddress
from specification.rules.allowed import Allowed, allowed

if TYPE_CHECKING:
    from fixtures.lab.frames import Mask
    from fixtures.lab.sample import Sample
    from fixtures.world.world import World
    from specification.addresses import Family
    from specification.places import Vantage
    from specification.rules.frontends import Frontend
    from specification.rules.state import State
    from specification.services import Protocol

IsKnown = Callable[[Decision], bool]
"""Whether a decision is known to be got wrong by the proxy in one of the modes."""

_FLOWS: Final = 2
"""Flows by each frontend, of each client."""
_PER_TRY: Final = 4
"""Where all is looked at once more, so many connections by each frontend."""


class Volleys:
    """New connections of one client, one by each frontend at a time."""

    def __init__(
        self,
        client: LabClient | NodeClient,
        vantage: Vantage,
        aims: Sequence[Frontend],
        states: tuple[State, State],
        known: IsKnown,
    ) -> None:
        """``aims`` are those of the client's family and protocol; of the ``states`` the first is in
        force before the switch, and the second after it; what is ``known`` to come out otherwise
        than is right is left out.
        """
        self.client = client
        self.vantage = vantage
        self._own = states[0].node.addresses
        asked = SocketAddress(client.address, 0)
        rights = {
            aim: tuple(
                allowed(state, Attempt(client.protocol, asked, aim.at), vantage) for state in states
            )
            for aim in aims
        }
        self.aims = [aim for aim in aims if not self._is_open(aim, asked, rights[aim], known)]
        self._before, self._after = ([rights[aim][side] for aim in self.aims] for side in (0, 1))
        self.kinds = np.array([aim.kind for aim in self.aims])
        self._sticky = np.array(
            [aim.service.session_affinity != "None" for aim in self.aims], np.bool_
        )
        self._left_out = np.zeros(len(self.aims), np.bool_)
        self._seen: list[tuple[float, float, Sample]] = []

    def _is_open(
        self, aim: Frontend, asked: SocketAddress, rights: Iterable[Allowed], known: IsKnown
    ) -> bool:
        """Whether it would tell nothing of the switch what becomes of it: that is left open, or is
        known to be wrong.
        """
        attempt = Attempt(self.client.protocol, asked, aim.at)
        decisions = [Decision(aim, attempt, self.vantage, each, "") for each in rights]
        return any(each.allowed.undecided or known(each) for each in decisions)

    def __len__(self) -> int:
        return len(self.aims)

    @property
    def served(self) -> list[Frontend]:
        """The frontends that lead to an endpoint on both sides of the switch."""
        both = zip(self.aims, self._before, self._after, strict=True)
        return [aim for aim, was, will in both if was.deliveries and will.deliveries]

    def fire(self) -> None:
        """Open a connection by each frontend."""
        sent = time.monotonic()
        sample = self.client.connect_to_each([aim.at for aim in self.aims])
        self._seen.append((sent, time.monotonic(), sample))

    def leave_out_wrong(self) -> list[str]:
        """Judge no longer what comes out otherwise than is right before the switch; what that is:
        to be called before it begins.
        """
        self._left_out, said = self._wrong_now(self._before)
        return said

    def wrong_now(self) -> list[str]:
        """Which outcomes are not those that are right after the switch: to be called once that is
        over.
        """
        return self._wrong_now(self._after)[1]

    def _wrong_now(self, rights: Sequence[Allowed]) -> tuple[Mask, list[str]]:
        """Open some by each frontend: which are wrong, and in words."""
        targets = [aim.at for aim in self.aims for _ in range(_PER_TRY)]
        sample = self.client.connect_to_each(targets)
        wrong, _ = census.judge(sample, rights, self._own)
        return wrong, [
            f"{self.aims[number].kind} {self.aims[number].at} from {self.vantage}:"
            f" {sample[number * _PER_TRY].outcome}, where right is {rights[number]}"
            for number in np.flatnonzero(wrong).tolist()
        ]

    def judged(self) -> Iterator[tuple[float, float, Mask, list[str]]]:
        """Of each volley: when it was sent, when all had come of it, which of its connections
        failed, and what became of those.
        """
        for sent, done, sample in self._seen:
            wrong = self._wrong(sample)
            yield (
                sent,
                done,
                wrong,
                [self._became(sample, row) for row in np.flatnonzero(wrong).tolist()],
            )

    def _wrong(self, sample: Sample) -> Mask:
        """Which rows are right neither as before the switch nor as after it."""
        wrong, _ = census.judge(sample, self._before, self._own)
        if wrong.any() and self._before is not self._after:
            wrong = wrong & census.judge(sample, self._after, self._own)[0]
        return wrong & ~self._left_out

    def _became(self, sample: Sample, row: int) -> str:
        known = {*self._before[row].deliveries, *self._after[row].deliveries}
        if sample.is_delivered[row]:
            there = sample.chosen[row] in known
            return "answered otherwise" if there else "delivered to a wrong endpoint"
        if sample.is_passed[row]:
            return "passed on"
        return "dropped" if not sample.replies[row] else "refused"

    def forgotten(self) -> tuple[int, int]:
        """How many clients of Services with affinity got another endpoint after the switch than
        before, and of how many.
        """
        if not self._seen or not self._sticky.any():
            return 0, 0
        first, last = self._seen[0][2], self._seen[-1][2]
        both = first.is_served & last.is_served & self._sticky
        same = same_ends(first.endpoints, first.endpoint_ports, last.endpoints, last.endpoint_ports)
        return int((both & ~same).sum()), int(both.sum())


@dataclass
class Kept:
    """Flows of one client that stay open, some by each frontend."""

    flows: Flows
    vantage: Vantage
    kinds: Sequence[str]
    """Of what they were opened to."""
    there: Mask = field(init=False)
    """Which were answered through the node as they were opened: the others never come by it
    again.
    """
    reset: Mask = field(init=False)
    moved: Mask = field(init=False)
    last: np.ndarray = field(init=False)
    """When each last had an answer: when the message was sent."""
    failing: np.ndarray = field(init=False)
    """When the first message was sent that had none since; not a number where it had one."""
    low: np.ndarray = field(init=False)
    high: np.ndarray = field(init=False)
    """Bounds of the longest time without an answer, in seconds."""

    def __post_init__(self) -> None:
        count = len(self.flows)
        self.there = self.flows.opened.is_served
        self.reset, self.moved = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
        self.last = np.full(count, time.monotonic())
        self.failing = np.full(count, np.nan)
        self.low, self.high = np.zeros(count), np.zeros(count)

    def exchange(self) -> None:
        """Send a message on each, and account for it."""
        sent = time.monotonic()
        sample, opened = self.flows.exchange(), self.flows.opened
        done = time.monotonic()
        there = same_ends(
            sample.endpoints, sample.endpoint_ports, opened.endpoints, opened.endpoint_ports
        )
        self.moved |= sample.is_delivered & ~there
        self.reset |= sample.is_replied(Kind.RESET)
        fine = sample.is_answered & there
        back = fine & ~np.isnan(self.failing)
        self.high[back] = np.maximum(self.high[back], done - self.last[back])
        self.failing[fine] = np.nan
        self.last[fine] = sent
        begun = ~fine & np.isnan(self.failing)
        self.failing[begun] = sent
        self.low[~fine] = np.maximum(self.low[~fine], sent - self.failing[~fine])

    def seen(self) -> Iterator[FlowsSeen]:
        """What became of them, by kind of frontend."""
        dead = self.reset | self.moved | ~np.isnan(self.failing)
        stalled = ~dead & (self.high > 0)
        kinds = np.array(self.kinds)
        for kind in dict.fromkeys(self.kinds):
            own = self.there & (kinds == kind)
            if not own.any():
                continue
            longest = [
                Interval(float(self.low[row]), float(self.high[row]))
                for row in np.flatnonzero(own & stalled)
            ]
            yield FlowsSeen(
                protocol=self.flows.opened.protocol,
                family=self.flows.opened.family,
                vantage=self.vantage,
                frontend=kind,
                opened=int(own.sum()),
                kept=int((own & ~dead).sum()),
                stalled=int((own & stalled).sum()),
                stall=max(longest, key=lambda each: each.high, default=None),
                reset=int((own & self.reset).sum()),
                moved=int((own & self.moved & ~self.reset).sum()),
                silent=int((own & dead & ~self.reset & ~self.moved).sum()),
            )


class Traffic:
    """All that is under way around one node, in one switch."""

    def __init__(
        self,
        world: World,
        states: tuple[State, State],
        aims: Iterable[Frontend],
        vantages: Sequence[Vantage],
        known: IsKnown,
    ) -> None:
        """Open the flows: what leads to an endpoint on both sides of the switch has some."""
        self._processes = ExitStack()
        self.volleys: list[Volleys] = []
        self.flows: list[Kept] = []
        self.rounds = 0
        chosen: dict[tuple[Family, Protocol], list[Frontend]] = {}
        for aim in aims:
            key = family_of(aim.at.address), aim.port.protocol
            chosen.setdefault(key, []).append(aim)
        for (family, protocol), some in chosen.items():
            for vantage in vantages:
                client: LabClient | NodeClient
                if vantage != "node":
                    host = world.hosts(vantage)[0]
                    client = LabClient(world.lab, host, family, protocol)
                elif protocol == "UDP":
                    client = self._processes.enter_context(
                        NodeClient(world.lab, world.node, family, protocol)
                    )
                else:
                    continue
                volleys = Volleys(client, vantage, some, states, known)
                if len(volleys):
                    self.volleys.append(volleys)
                served = volleys.served
                if isinstance(client, LabClient) and served and protocol != "SCTP":
                    self._open(world, client, vantage, served)

    def _open(
        self, world: World, client: LabClient, vantage: Vantage, served: Sequence[Frontend]
    ) -> None:
        each = [aim for aim in served for _ in range(_FLOWS)]
        opened = client.connect_to_each([aim.at for aim in each])
        flows = Flows(world.lab, client.host.wire, opened)
        self.flows.append(Kept(flows, vantage, [aim.kind for aim in each]))

    def round(self) -> None:
        """A message on each flow, and a new connection by each frontend from everywhere."""
        self.rounds += 1
        for flows in self.flows:
            flows.exchange()
        for volleys in self.volleys:
            volleys.fire()

    def seen(self) -> list[FlowsSeen]:
        """What became of the flows."""
        return [each for flows in self.flows for each in flows.seen()]

    def opened(self) -> list[Opened]:
        """What became of the new connections, by kind of frontend and vantage."""
        return [each for volleys in self.volleys for each in _by_kind(volleys)]

    def forgotten(self) -> tuple[int, int]:
        """See Volleys, of all."""
        found = [each.forgotten() for each in self.volleys]
        return sum(one for one, _ in found), sum(of for _, of in found)

    def leave_out_wrong(self) -> list[str]:
        """See Volleys, of all."""
        return [each for volleys in self.volleys for each in volleys.leave_out_wrong()]

    def wrong_now(self) -> list[str]:
        """See Volleys, of all."""
        return [each for volleys in self.volleys for each in volleys.wrong_now()]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._processes.close()


def _by_kind(volleys: Volleys) -> Iterator[Opened]:
    taken = list(volleys.judged())
    for kind in dict.fromkeys(volleys.kinds.tolist()):
        own = volleys.kinds == kind
        words, failed = Counter[str](), 0
        last_fine, begun, ended, over = taken[0][0], 0.0, 0.0, 0.0
        for sent, done, wrong, became in taken:
            mine = wrong & own
            if mine.any():
                failed += int(mine.sum())
                words.update(
                    word
                    for row, word in zip(np.flatnonzero(wrong), became, strict=True)
                    if own[row]
                )
                begun, ended, over = begun or sent, sent, 0.0
            elif not begun:
                last_fine = sent
            else:
                over = over or done
        window = Interval(ended - begun, over - last_fine if over else np.inf) if begun else None
        yield Opened(
            protocol=volleys.client.protocol,
            family=volleys.client.family,
            vantage=volleys.vantage,
            frontend=kind,
            tried=int(own.sum()) * len(taken),
            failed=failed,
            window=window,
            became=dict(words),
        )
