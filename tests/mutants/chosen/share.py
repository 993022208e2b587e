"""A share of many things, drawn by a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from tests.mutants.mutant import Mutant

T = TypeVar("T")

PARTS: Final = 8
"""A share is one part in eight: each thing is in every eighth share, on average, or more often."""

KILLERS: Final = 4
"""Requirements that are tried with each mutant of a share."""


def share(members: Sequence[T], kind: Callable[[T], str], seed: int) -> list[T]:
    """One part of the members of each kind, at least one of each, in the order that they have."""
    kinds: dict[str, list[int]] = {}
    for place, member in enumerate(members):
        kinds.setdefault(kind(member), []).append(place)
    chosen: set[int] = set()
    for name, places in kinds.items():
        count = -(-len(places) // PARTS)
        chosen.update(random.Random(f"{seed} {name}").sample(places, count))
    return [members[place] for place in sorted(chosen)]


def of_its_killers(mutant: Mutant, seed: int) -> Mutant:
    """The mutant with a few of the requirements that are to kill it, in their order."""
    count = min(KILLERS, len(mutant.killed_by))
    places = random.Random(f"{seed} {mutant.name}").sample(range(len(mutant.killed_by)), count)
    return mutant._replace(killed_by=tuple(mutant.killed_by[place] for place in sorted(places)))


def kind_of(mutant: Mutant) -> str:
    """The kind of its fault: the module that makes it, since that is about one kind of thing which
    is altered.
    """
    return mutant.mutate.__module__


def batches(names: Sequence[str], size: int) -> Iterable[tuple[str, ...]]:
    """The names, so many at a time."""
    return (tuple(names[first : first + size]) for first in range(0, len(names), size))
