"""All sequences of a run, played on the node of a mode: how much was decided, what was wrong."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from conformance.census.census import summed
from conformance.census.decision import Decision
from conformance.census.kinds import Kind
from conformance.census.manifest import manifest
from conformance.census.sequences.carried import Carried
from conformance.census.sequences.looking import Interest, Looks
from conformance.census.sequences.operations import Outage, Restart, numbered
from conformance.census.sequences.playing import Player
from conformance.census.sequences.shortening import Steps, shortened
from fixtures.judge.expect import UnexpectedOutcomeError
from reports.records.results import Statistic

SHORTENING: Final = 30.0
"""Seconds that may pass in all while sequences are shortened."""


@dataclass(frozen=True)
class Wrong:
    """A decision that is wrong, and what was done before."""

    decision: Decision
    steps: Steps
    number: int
    """Of the Service that it is about, in the sequence."""


@dataclass
class Tally:
    """What was decided of one kind."""

    decided: int = 0
    tries: int = 0
    chance: float = 0.0
    wrong: list[Wrong] = field(default_factory=list)


class Session:
    """Sequences that are played one after the other, each to its end or until something is wrong.

    Decisions that a requirement of its own tells (``told``) are left out.
    """

    def __init__(
        self, player: Player, told: Kind, seed: int, *, slots: int, processes: bool
    ) -> None:
        self._player = player
        self._told = told
        self._seed = seed
        self._slots = slots
        self._processes = processes
        self._left = SHORTENING
        self._plays = 0
        self.tallies = {"new": Tally(), "TCP": Tally(), "UDP": Tally()}
        """Of new connections, and of the messages of flows by their protocol."""
        self.operations = 0
        """How many were done."""
        self.outages = 0
        """How many of them took the API server away."""

    @property
    def wrong(self) -> bool:
        """Whether there was a wrong decision."""
        return bool(self._all_wrong)

    @property
    def _all_wrong(self) -> list[Wrong]:
        """The wrong decisions of all kinds."""
        return [wrong for each in self.tallies.values() for wrong in each.wrong]

    @property
    def enough(self) -> bool:
        """Whether there was a decision of every kind, or a wrong one."""
        return self.wrong or all(each.decided for each in self.tallies.values())

    def run(self, sequences: Iterable[Steps]) -> None:
        """Play them."""
        for steps in sequences:
            for done, decided in self._played(steps):
                self.operations += len(steps[done - 1])
                self.outages += Outage() in steps[done - 1]
                for each in decided:
                    tally = self.tallies[_kind(each)]
                    tally.decided += 1
                    tally.tries += each.tries
                    tally.chance += each.chance
                    if each.wrong:
                        number = self._player.number(each.service.name)
                        tally.wrong.append(Wrong(each, steps[:done], number))

    def _played(
        self, steps: Steps, interest: Interest | None = None
    ) -> Iterator[tuple[int, Sequence[Decision]]]:
        """After how many steps what was decided; up to the first after which something is wrong."""
        self._player.begin(self._slots)
        self._plays += 1
        draw = random.Random(f"{self._seed} {self._plays}")
        looks = Looks(self._player.world, draw, processes=self._processes, interest=interest)
        for done, step in enumerate(steps, 1):
            seen = looks.at(self._player.step(step), started=Restart() in step)
            decided = [e for e in seen if not e.allowed.undecided and not self._told(e)]
            yield done, decided
            if any(each.wrong for each in decided):
                return

    def hold(self, kind: str, repeat: str, *, shorten: bool = True) -> Statistic:
        """Demand that all decisions of a kind are right; what is to be recorded of them.

        Raises:
            UnexpectedOutcomeError: one is wrong; the notes say after which operations, the fewest
                that were found while there was time to ``shorten`` them, and how to ``repeat`` it.
            LookupError: none was decided, so that nothing would be looked at, and none of another
                kind is wrong, which would tell why.
        """
        tally = self.tallies[kind]
        # where new connections are wrong, there may be no flow to look at
        wrong = tally.wrong if tally.decided else self._all_wrong
        if not (tally.decided or wrong):
            raise LookupError(f"{self.operations} operations have led to no decision of that kind")
        if not wrong:
            away = f", {self.outages} of them outages of the API server" if self.outages else ""
            what = f"decisions after {self.operations:,} operations{away}"
            return summed(tally.decided, tally.tries, tally.chance, what)
        first = min(wrong, key=lambda e: (sum(map(len, e.steps)), e.decision.effort))
        problem = UnexpectedOutcomeError(
            f"{first.decision}: {first.decision.allowed}",
            f"{first.decision.wrong} (in {len(wrong)} places)",
        )
        for each in [*(self._shortened(first) if shorten else ()), f"Repeat it: {repeat}"]:
            problem.add_note(each)
        raise problem

    def _shortened(self, wrong: Wrong) -> list[str]:
        """The fewest operations after which it is wrong, and what is wrong then."""
        interest, last, began = Interest(wrong.decision), wrong.decision, time.monotonic()

        def replay(steps: Steps) -> int:
            nonlocal last
            for done, decided in self._played(steps, interest):
                for each in decided:
                    if each.wrong and interest.like(each):
                        last = each
                        return done
            return 0

        found = shortened(wrong.steps, wrong.number, replay, self._left)
        self._left -= time.monotonic() - began
        if not found:
            words = "It was not wrong when all that was done until then was done once more:"
            return [words, *numbered(wrong.steps)]
        said = f"It is wrong after these operations, of {sum(map(len, wrong.steps))}:"
        return [
            said,
            *numbered(found),
            f"{last}: {last.allowed}",
            last.wrong,
            manifest(last.service, self._player.world.node.name),
        ]


def _kind(each: Decision) -> str:
    return each.attempt.protocol if isinstance(each, Carried) else "new"
