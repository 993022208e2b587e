"""The decisions of a census: a row for each, in few bytes, since there are some ten thousand."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import msgspec

from reports.records.base import Count, Mode, Part, Record, Seconds, Text

Number = Annotated[int, msgspec.Meta(ge=0)]


class Tally(Part, frozen=True):
    """The decisions that a requirement looks at."""

    decisions: Count
    wrong: Count = 0


class Verdict(Part, frozen=True, kw_only=True):
    """What was decided, and what was seen."""

    allowed: Text
    """What is right: delivered, and seen from whom; refused, dropped, passed on; or anything, and
    why.
    """
    because: tuple[str, ...] = ()
    """The clauses of the specification that had a say."""
    seen: Text
    """What was seen, in the same words. Of a choice that chance or memory has a part in, and of
    which not all is seen, whether it was delivered, and no more.
    """
    endpoints: tuple[Number, ...] = ()
    """Which of the Service's endpoints got it, counted from 1, where all of the choice was seen."""
    right: bool = True
    """Whether all that was seen is allowed, and every endpoint that may be chosen was seen."""


class Row(NamedTuple):
    """One decision: the numbers of its attempt and of its verdict, counted from 0."""

    attempt: Number
    verdict: Number


class State(Part, frozen=True, kw_only=True):
    """A Service of a census, and what was decided about it."""

    name: Text
    about: str
    """What tells it from the others; with the name, the same in each census of a seed."""
    rows: tuple[Row, ...] = ()


class Census(Record, frozen=True, kw_only=True, tag="census"):
    """What a mode did in every state to every attempt."""

    mode: Mode
    name: Text
    seed: int | None = None
    """What the states are drawn by."""
    worker: str = ""
    attempts: tuple[str, ...] = ()
    """Protocol, from where, to what: nothing that another run would number otherwise."""
    verdicts: tuple[Verdict, ...] = ()
    states: tuple[State, ...] = ()
    probes: Count = 0
    """Connections that were tried."""
    seconds: dict[str, Seconds] = msgspec.field(default_factory=dict)
    """What it took one worker, in the order in which it was done: creation, settling, probing,
    judging, removal.
    """

    @property
    def dangling(self) -> bool:
        """Whether a row has a number that stands for nothing."""
        most = len(self.attempts), len(self.verdicts)
        rows = (row for state in self.states for row in state.rows)
        return any(row.attempt >= most[0] or row.verdict >= most[1] for row in rows)

    @property
    def decisions(self) -> int:
        """How many there are."""
        return sum(len(state.rows) for state in self.states)

    @property
    def wrong(self) -> int:
        """How many of them are."""
        bad = {number for number, each in enumerate(self.verdicts) if not each.right}
        return sum(row.verdict in bad for state in self.states for row in state.rows)

    @property
    def rate(self) -> float:
        """Decisions in a second of its worker, all that it took counted; 0 where none is known."""
        spent = sum(self.seconds.values())
        return self.decisions / spent if spent else 0.0
