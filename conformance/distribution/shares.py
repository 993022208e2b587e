"""What tests of distribution have in common: shares of connections that were all answered."""

from __future__ import annotations

from collections.abc import Collection

from conformance.vocabulary import Sample, SocketAddress, expect


def shares_of(sample: Sample, endpoints: Collection[SocketAddress]) -> dict[SocketAddress, int]:
    """How many connections each endpoint got, once each of them is known to have got an answer
    from one of the endpoints.
    """
    expect(sample).delivered(to=endpoints)
    return {endpoint: sample.counts[endpoint] for endpoint in sorted(endpoints)}
