"""New connections while a node is switched, by every frontend."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from conformance.census import census
from conformance.census.decision import Decision
from fixtures.clients.client import LabClient
from fixtures.clients.node_client import NodeClient
from fixtures.lab.sample import same_ends
from reports.records.base import Interval
from reports.records.migration import Opened
from specification.attempts import Attempt, SocketAddress
from specification.rules.allowed import Allowed, allowed

if TYPE_CHECKING:
    from fixtures.lab.frames import Mask
    from fixtures.lab.sample import Sample
    from specification.places import Vantage
    from specification.rules.frontends import Frontend
    from specification.rules.state import State

IsKnown = Callable[[Decision], bool]
"""Whether a decision is known to be got wrong by the proxy in one of the modes."""

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
        found = [
            (aim, census.in_words(sample[row : row + _PER_TRY]), rights[row // _PER_TRY])
            for aim, row in zip(self.aims, range(0, len(sample), _PER_TRY), strict=True)
            if wrong[row // _PER_TRY]
        ]
        return wrong, [
            f"{aim.kind} {aim.at} from {self.vantage}: {words}, where right is {right}"
            for aim, words, right in found
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
        if wrong.any():
            wrong = wrong & census.judge(sample, self._after, self._own)[0]
        return wrong & ~self._left_out

    def _became(self, sample: Sample, row: int) -> str:
        known = {*self._before[row].deliveries, *self._after[row].deliveries}
        if sample.is_delivered[row]:
            there = sample.chosen[row] in known
            return "answered otherwise" if there else "delivered to a wrong endpoint"
        if sample.is_passed[row]:
            return "passed on"
        if sample.is_unseen[row]:
            return "answered by somebody unseen"
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

    def opened(self) -> Iterator[Opened]:
        """What became of them, by kind of frontend."""
        taken = list(self.judged())
        for kind in dict.fromkeys(self.kinds.tolist()):
            own = self.kinds == kind
            words = Counter(
                word
                for _, _, wrong, became in taken
                for mine, word in zip(own[wrong].tolist(), became, strict=True)
                if mine
            )
            yield Opened(
                protocol=self.client.protocol,
                family=self.client.family,
                vantage=self.vantage,
                frontend=kind,
                tried=int(own.sum()) * len(taken),
                failed=words.total(),
                window=_window(
                    [(sent, done, (wrong & own).any()) for sent, done, wrong, _ in taken]
                ),
                became=dict(words),
            )


def _window(taken: Sequence[tuple[float, float, bool]]) -> Interval | None:
    """From the first failure to the last: of each volley when it was sent, when all had come of it,
    and whether any of it failed.
    """
    failing = [number for number, (_, _, failed) in enumerate(taken) if failed]
    if not failing:
        return None
    first, last = failing[0], failing[-1]
    least = taken[last][0] - taken[first][0]
    before = taken[max(first - 1, 0)][0]
    after = taken[last + 1][1] if last + 1 < len(taken) else np.inf
    return Interval(least, after - before)
