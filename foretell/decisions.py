"""What the specification decides about a shape on each side, and where the two differ."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from conformance.census.combinations import imagined
from conformance.census.decision import Decision
from foretell.shapes import NODE, Shape
from foretell.side import Side
from specification.attempts import Attempt
from specification.places import ZONES, Vantage
from specification.rules.allowed import Allowed, allowed
from specification.rules.case import CLAUSES
from specification.rules.frontends import Frontend
from specification.rules.state import Node, State


class Asked(frozenset[str]):
    """Features that note which of all there are anybody has asked for."""

    def __init__(self, *_: object) -> None:
        self.asked: set[str] = set()

    def __contains__(self, name: Any) -> bool:
        self.asked.add(name)
        return super().__contains__(name)


@dataclass(frozen=True)
class Differing:
    """A decision that is another one on the other side."""

    was: Decision
    will: Decision
    features: frozenset[str]
    """Those that one side alone claims and that were asked for; none where the configuration
    decides.
    """


class _Known:
    """What is right for a shape on a side."""

    def __init__(self, shape: Shape, side: Side) -> None:
        self._features = Asked(side.features)
        node = Node(NODE, imagined.ADDRESSES, ZONES[0] if shape.zoned else None)
        self.state = State((shape.spec,), node, side.configuration, self._features)

    def decision(self, aim: Frontend, attempt: Attempt, vantage: Vantage) -> Decision:
        """What is right of an attempt."""
        return Decision(aim, attempt, vantage, allowed(self.state, attempt, vantage), "")

    def asked(self, aim: Frontend, attempt: Attempt, vantage: Vantage) -> set[str]:
        """The features that have a say in that."""
        self._features.asked.clear()
        self.decision(aim, attempt, vantage)
        return set(self._features.asked)


@functools.cache
def decided(shape: Shape, side: Side) -> tuple[Decision, ...]:
    """What is right of all that clients can send to a Service of that shape, or take for it."""
    known = _Known(shape, side)
    return tuple(known.decision(*each) for each in imagined.attempts(known.state))


@functools.cache
def differing(shape: Shape, before: Side, after: Side) -> tuple[Differing, ...]:
    """The decisions about a shape that are not the same on both sides, each once."""
    two = [_Known(shape, side) for side in (before, after)]
    split = before.features ^ after.features
    tried = {
        (aim.kind, attempt, vantage): (aim, attempt, vantage)
        for known in two
        for aim, attempt, vantage in imagined.attempts(known.state)
    }
    found = list[Differing]()
    for each in tried.values():
        was, will = (known.decision(*each) for known in two)
        if str(was.allowed) != str(will.allowed):
            asked = set[str]().union(*(known.asked(*each) for known in two))
            found.append(Differing(was, will, frozenset(split & asked)))
    return tuple(found)


def left_open(shape: Shape, before: Side, after: Side) -> Iterator[Decision]:
    """The decisions about a shape that may be one thing or another on both sides, each once."""
    there = _Known(shape, after)
    for each in decided(shape, before):
        if _is_open(each.allowed):
            same = there.decision(each.frontend, each.attempt, each.vantage)
            if str(same.allowed) == str(each.allowed):
                yield each


def _is_open(right: Allowed) -> bool:
    sources = [*{*right.deliveries.values()}]
    ways = [*sources, *filter(None, (right.refused, right.dropped, right.passed))]
    return bool(right.undecided) or len(ways) > 1 or "either" in sources


def stated_by(clauses: Iterable[str]) -> Iterator[str]:
    """The requirements that test clauses of the specification."""
    for name in clauses:
        yield from CLAUSES[name].requirements
