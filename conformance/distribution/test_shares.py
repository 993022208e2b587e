"""Distribution: how many of the new connections each endpoint of a Service is given.

Sample sizes come from the skew that a sample must show with probability 0.9999, see
fixtures.judge.statistics.
"""

from __future__ import annotations

import pytest

from conformance.distribution.shares import shares_of
from conformance.vocabulary import (
    Budget,
    Client,
    Judge,
    Pool,
    Service,
    Services,
    ServiceSpec,
    Slice,
    all_hit,
    arranged,
    docs,
    e2e,
    over,
    requirement,
    sample_size,
    sample_to_hit_all,
    source,
    successive,
    uniform,
)

_SKEWS = {2: 0.1, 3: 0.2, 5: 0.3, 10: 0.75}
"""By the number of endpoints, which skew is seen: the fewer, the cheaper it is to look closely."""


@requirement("lb-all-eps-hit", docs("service"), e2e("networking", "Granular Checks: Services"))
@arranged(10, shared=True)
def test_every_endpoint_gets_connections(web: Service, assert_pool: Pool) -> None:
    """Without session affinity and topology, every ready endpoint of a Service must be given some
    of the new connections, whichever node it is on.
    """
    assert_pool(*web.frontend, web.endpoints)


@requirement(
    "lb-uniform", docs("virtual-ips", "proxy mode iptables"), feature="uniform-distribution"
)
@arranged(lambda service: [service.spec(count) for count in _SKEWS])
def test_endpoints_are_chosen_uniformly(
    webs: list[Service], client: Client, judge: Judge, budget: Budget
) -> None:
    """Each of n ready endpoints must be given 1/n of the new connections."""
    for web, (n, skew) in zip(webs, _SKEWS.items(), strict=True):
        count = sample_size(n, skew, budget.alpha)
        sample = client.connect_many(*web.frontend, count)
        judge(uniform, shares_of(sample, web.endpoints))


@requirement(
    "lb-independence",
    docs("virtual-ips", note="a backend is chosen at random"),
    feature="independent-choice",
)
@over(protocol="TCP")
@arranged(3, shared=True)
def test_successive_choices_are_independent(
    web: Service, client: Client, judge: Judge, budget: Budget
) -> None:
    """The endpoint of a new connection must not depend on the endpoints of the connections before
    it: there are no turns, no streaks and no fixed cycle.
    """
    pairs = sample_size(9, 0.5, budget.alpha / 2)  # two tables are judged at once
    sample = client.connect_many(*web.frontend, 2 * pairs)
    shares_of(sample, web.endpoints)
    for lag in (1, 2, 3):
        judge(successive, sample.chosen, sorted(web.endpoints), lag=lag)


@requirement("lb-single-ep", docs("service"))
@arranged(1, shared=True)
def test_single_endpoint_gets_every_connection(web: Service, client: Client) -> None:
    """The only ready endpoint of a Service must be given every new connection, and none may be
    lost.
    """
    # shows a loss of 1 % with probability 0.9999
    sample = client.connect_many(*web.frontend, 1000)
    assert shares_of(sample, web.endpoints) == {web.socket(0): 1000}, sample


@requirement(
    "lb-large-n",
    docs("virtual-ips"),
    source("pkg/proxy/iptables/proxier_test.go", "TestComputeProbability"),
    feature="uniform-distribution",
)
@over(protocol="TCP")
@pytest.mark.parametrize(("family", "endpoints"), [("IPv6", 100), ("IPv4", 1000)])
@arranged(lambda service, endpoints: service.spec(endpoints))
def test_many_endpoints_are_chosen_uniformly(
    web: Service, client: Client, judge: Judge, budget: Budget, endpoints: int
) -> None:
    """New connections must be spread uniformly over a hundred and over a thousand endpoints, and
    reach every one of them.
    """
    count = max(sample_to_hit_all(endpoints, budget.alpha), sample_size(100, 0.9, budget.alpha))
    sample = client.connect_many(*web.frontend, count)
    shares = shares_of(sample, web.endpoints)
    judge(all_hit, shares)
    judge(uniform, shares)


@requirement("lb-after-add", docs("virtual-ips"))
@arranged(3)
def test_added_endpoint_gets_its_share(
    service: Services, web: Service, client: Client, judge: Judge, budget: Budget
) -> None:
    """After an endpoint has been added to n others, each of the n + 1 must be given the same share
    of the new connections, and none of them may fail.
    """
    count = sample_size(4, 0.5, budget.alpha)
    shares_of(client.connect_many(*web.frontend, 100), web.endpoints)
    web.set_endpoints([*web.spec.endpoints, service.endpoint("remote-pod", 1)])
    sample = client.connect_many(*web.frontend, count)
    judge(uniform, shares_of(sample, web.endpoints))


@requirement("lb-after-remove", docs("virtual-ips"))
@arranged(4)
def test_rest_shares_what_a_removed_endpoint_got(
    web: Service, client: Client, judge: Judge, budget: Budget
) -> None:
    """After one of n endpoints has been removed, each of the other n - 1 must be given the same
    share of the new connections, the removed one none, and none of them may fail.
    """
    count = sample_size(3, 0.5, budget.alpha)
    shares_of(client.connect_many(*web.frontend, 100), web.endpoints)
    web.set_endpoints(web.spec.endpoints[1:])
    sample = client.connect_many(*web.frontend, count)
    judge(uniform, shares_of(sample, web.endpoints))


def _one_and_four(service: Services) -> list[ServiceSpec]:
    """A Service with a slice of one endpoint and one of four, everywhere, and another Service with
    the first of these.
    """
    few = (service.endpoint("pod"),)
    many = service.spec(["pod", "remote-pod", "remote-pod", "outside"]).endpoints
    return [service.spec(slices=[Slice(few), Slice(many)]), service.spec(few)]


@requirement("lb-weights-equal", docs("endpoint-slices", note="there are no weights"))
@over(protocol="TCP")
@arranged(_one_and_four)
def test_endpoints_have_equal_weight(
    webs: list[Service], client: Client, judge: Judge, budget: Budget
) -> None:
    """Every ready endpoint must be given the same share of the new connections: wherever it is,
    however many endpoints share its EndpointSlice, and whatever other Services it belongs to.
    """
    web, _ = webs
    count = sample_size(5, 0.2, budget.alpha)
    sample = client.connect_many(*web.frontend, count)
    judge(uniform, shares_of(sample, web.endpoints))
