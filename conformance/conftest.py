"""What tests of several areas have in common."""

from __future__ import annotations

from collections.abc import Callable, Collection

import pytest

from fixtures.clients.client import Client
from fixtures.judge.statistics import Budget, Statistic, all_hit, sample_to_hit_all
from fixtures.lab.sample import Sample
from specification.addresses import IPAddress
from specification.attempts import SocketAddress

Pool = Callable[[IPAddress, int, Collection[SocketAddress]], Sample]


@pytest.fixture
def assert_pool(client: Client, budget: Budget, judge: Callable[..., Statistic]) -> Pool:
    """Assert that connections are answered by these endpoints, by all of them and no other.

    ``assert_pool(address, port, endpoints)`` makes so many connections that chance leaves out no
    endpoint, and returns them. For proxies that choose at random, take turns, or hash the port.
    """

    def check(address: IPAddress, port: int, endpoints: Collection[SocketAddress]) -> Sample:
        count = max(8, sample_to_hit_all(len(endpoints), budget.alpha))
        sample = client.connect_many(address, port, count)
        assert sample.is_served.all(), (sample, sample[0])
        assert set(sample.counts) <= set(endpoints), (sample.counts, endpoints)
        judge(all_hit, [sample.counts[endpoint] for endpoint in endpoints])
        return sample

    return check
