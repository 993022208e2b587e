"""Shortening: the fewest and simplest operations of a sequence after which the same is wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from conformance.census.sequences.operations import (
    PLAIN,
    Change,
    Create,
    Operation,
    Step,
)

TRIED: Final = 24
"""So many simpler sequences are tried at most: there are addresses for so many (playing.TURNS)."""

T = TypeVar("T")
Steps = Sequence[Step]
Replay = Callable[[Steps], int]
"""Plays a sequence; the number of its steps after which the same is wrong, 0 where it never is."""


def shortened(steps: Steps, number: int, replay: Replay, seconds: float) -> Steps:
    """A sequence whose last step shows what is wrong, as short as it was found to be; empty where
    it is not wrong when it is played again. ``number`` is that of the Service which it is about.
    No simpler one is tried when ``seconds`` are over.
    """
    end = time.monotonic() + seconds

    def wrong(tried: Steps) -> Steps:
        return tried[: replay(tried)] if any(tried) else ()

    best, tried = wrong(_about(steps, number)) or wrong(steps), list[Steps]()
    for ways in (_fewer, _without_operations, _plainer):
        untried = ways(best)
        while (
            following := next((each for each in untried if each not in tried), None)
        ) is not None:
            if len(tried) == TRIED or time.monotonic() > end:
                return best
            tried.append(following)
            if shorter := wrong(following):
                best, untried = shorter, ways(shorter)
    return best


def _about(steps: Steps, number: int) -> Steps:
    """What of a sequence is about one Service, the node or its proxy."""
    return _only(steps, lambda each: getattr(each, "number", number) == number)


def _only(steps: Steps, keep: Callable[[Operation], bool]) -> Steps:
    kept = (tuple(filter(keep, step)) for step in steps)
    return tuple(each for each in kept if each)


def _without_operations(steps: Steps) -> Iterator[Steps]:
    for some in _fewer([each for step in steps for each in step]):
        yield _only(steps, partial(_within, set(map(id, some))))


def _within(kept: Collection[int], each: Operation) -> bool:
    return id(each) in kept


def _plainer(steps: Steps) -> Iterator[Steps]:
    """The same operations, one of which says less."""
    for one in (each for step in steps for each in step):
        if not isinstance(one, Create | Change):
            continue
        said = [axis for axis, value in one.row.items() if value != PLAIN[axis]]
        for axes in _fewer(said):
            if axes or isinstance(one, Create):
                less = replace(one, row={axis: one.row[axis] for axis in axes})
                yield tuple(tuple(less if e is one else e for e in step) for step in steps)


def _fewer(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """What is left without some that stand together, the more the earlier."""
    size = len(items)
    while size:
        for first in range(0, len(items), size):
            yield [*items[:first], *items[first + size :]]
        size //= 2
