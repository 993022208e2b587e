"""Rounds of connections while something changes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from conformance.vocabulary import (
    Endpoint,
    FewOfManyError,
    LabClient,
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

FEW = 3
"""Connections of a test that may be lost by chance where a change strikes what is under way (see
findings/nft-map-replaced-midway.sh): one is in some 40 tests, two were seen once. Who serves nobody
for 0.1 ms at each change loses more.
"""


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
    """Demand that every connection of every round is delivered; that very few of all are left
    untranslated, so that the node refuses them or sends them on, is told apart: no more than
    ``FEW``, and no two of one round.

    Raises:
        FewOfManyError: it is so of these, and nothing else is wrong.
        UnexpectedOutcomeError: anything else.
    """
    wrong, apart = [], True
    for number, sample in enumerate(samples):
        try:
            expect(sample, f"round {number} of {len(samples)}").delivered(to=to)
        except UnexpectedOutcomeError as problem:
            wrong.append(problem)
            left = sum(isinstance(each.outcome, Rejected | PassedThrough) for each in sample)
            apart &= problem.count == left == 1
    if wrong:
        first = wrong[0]
        if apart and len(wrong) <= FEW:
            seen = f"in {len(wrong)} of {len(samples)} rounds one: {first.comparison.seen}"
            raise FewOfManyError(first.comparison.expected, seen)
        raise first
