"""What tests of session affinity have in common.

Crowds are so large that chance can neither pass nor fail them: 64 clients that choose among three
endpoints at random all choose alike, or all as before, once in 10^30 times.
"""

from __future__ import annotations

from collections.abc import Collection

from conformance.vocabulary import Crowd, Judge, SocketAddress, consistent, expect, spread, tally

HOUR = 3600
CLIENTS = 64

Choices = list[SocketAddress]
"""The endpoint of each client of a crowd."""


def choices(
    crowd: Crowd, at: SocketAddress, endpoints: Collection[SocketAddress] | None = None
) -> Choices:
    """The endpoint of one new connection of each client; all of them must be answered, by one of
    ``endpoints`` if there are any.
    """
    sample = crowd.connect(*at)
    expect(sample).delivered(to=endpoints)
    return [endpoint for endpoint in sample.chosen if endpoint]


def kept_choices(
    judge: Judge, crowd: Crowd, at: SocketAddress, endpoints: Collection[SocketAddress]
) -> Choices:
    """The endpoint of each client, once it is known that each of them keeps its endpoint, and that
    these are none but the ones given. Of clients that have chosen before, only some may choose
    anew: too few to say how they spread.
    """
    chosen = choices(crowd, at, endpoints)
    judge(consistent, [*enumerate(chosen), *enumerate(choices(crowd, at))], len(endpoints))
    return chosen


def sticky_choices(
    judge: Judge, crowd: Crowd, at: SocketAddress, endpoints: Collection[SocketAddress]
) -> Choices:
    """The same, once it is known that clients differ, too: for clients that choose anew, or that
    have chosen from more endpoints than these.
    """
    chosen = kept_choices(judge, crowd, at, endpoints)
    judge(spread, tally(chosen, sorted(endpoints)))
    return chosen
