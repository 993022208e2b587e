"""Rounds of connections while something changes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from conformance.vocabulary import (
    Endpoint,
    LabClient,
    OneOfManyError,
    PassedThrough,
    Rejected,
    Sample,
    Service,
    SocketAddress,
    UnexpectedOutcomeError,
    World,
    during,
    expect,
    trigger_time,
)


def often(world: World, times: int) -> int:
    """So many times, or a tenth of it where an emulated processor needs a second for a change."""
    return times // 10 if world.node.system.emulated else times


def write_endpoints(web: Service, endpoints: Sequence[Endpoint], position: int = 0) -> None:
    """Have a slice list ``endpoints``, and say when."""
    listed = tuple(endpoints)
    web.change_slice(position, endpoints=listed, annotations=trigger_time(), settle=False)


def connect_during(
    client: LabClient, frontends: Sequence[SocketAddress], action: Callable[[], object]
) -> list[Sample]:
    """New connections to each of these again and again while ``action`` runs."""
    targets = [each for each in frontends for _ in range(8)]
    return during(action, lambda: client.connect_to_each(targets))


def all_delivered(samples: Sequence[Sample], to: Collection[SocketAddress] | None = None) -> None:
    """Demand that every connection of every round is delivered; that a single one of all is left
    untranslated, so that the node refuses it or sends it on, is told apart.

    Raises:
        OneOfManyError: it is so of one, and nothing else is wrong.
        UnexpectedOutcomeError: anything else.
    """
    wrong = []
    for number, sample in enumerate(samples):
        try:
            expect(sample, f"round {number} of {len(samples)}").delivered(to=to)
        except UnexpectedOutcomeError as problem:
            left = sum(isinstance(each.outcome, Rejected | PassedThrough) for each in sample)
            wrong.append((problem, left))
    if wrong:
        first, left = wrong[0]
        if len(wrong) == first.count == left == 1:
            once = f"in all the rounds once: {first.comparison.seen}"
            raise OneOfManyError(first.comparison.expected, once)
        raise first
