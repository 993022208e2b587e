"""Distribution: how new connections are spread over the endpoints of a Service, and what sticks.

Sample sizes come from the skew that a sample must show with probability 0.9999, see
fixtures.judge.statistics.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pytest

from conformance.vocabulary import (
    EXTERNAL_IPS,
    LOAD_BALANCER_IPS,
    Budget,
    Client,
    Crowds,
    Judge,
    Lab,
    LabClient,
    Port,
    Sample,
    Services,
    Slice,
    SocketAddress,
    World,
    all_hit,
    docs,
    e2e,
    independent,
    issue,
    kep,
    numbered,
    over,
    requirement,
    sample_size,
    sample_to_hit_all,
    share,
    source,
    spread,
    successive,
    uniform,
)


def tally(sample: Sample, endpoints: Collection[SocketAddress]) -> dict[SocketAddress, int]:
    """How many connections each endpoint got, once each of them is known to have got an answer
    from one of the endpoints.
    """
    assert sample.words == {"answered": len(sample)}, sample
    strangers = set(sample.counts) - set(endpoints)
    assert not strangers, f"{strangers} are no endpoints of the Service, {sorted(endpoints)} are"
    return {endpoint: sample.counts[endpoint] for endpoint in sorted(endpoints)}


@requirement("lb-all-eps-hit", docs("service"), e2e("networking", "Granular Checks: Services"))
def test_every_endpoint_gets_connections(
    service: Services, client: Client, judge: Judge, budget: Budget
) -> None:
    """Without session affinity and topology, every ready endpoint of a Service must be given some
    of the new connections, whichever node it is on.
    """
    web = service.shared(endpoints=10)
    sample = client.connect_many(web.cluster_ip, web.port, sample_to_hit_all(10, budget.alpha))
    judge(all_hit, tally(sample, web.endpoints))


@requirement(
    "lb-uniform", docs("virtual-ips", "proxy mode iptables"), feature="uniform-distribution"
)
def test_endpoints_are_chosen_uniformly(
    service: Services, client: Client, judge: Judge, budget: Budget
) -> None:
    """Each of n ready endpoints must be given 1/n of the new connections."""
    skews = {2: 0.1, 3: 0.2, 5: 0.3, 10: 0.75}  # the fewer endpoints, the cheaper to look closely
    pools = service.create([service.spec(n) for n in skews])
    for pool, (n, skew) in zip(pools, skews.items(), strict=True):
        count = sample_size(n, skew, budget.alpha)
        sample = client.connect_many(pool.cluster_ip, pool.port, count)
        judge(uniform, tally(sample, pool.endpoints))


@requirement(
    "lb-independence",
    docs("virtual-ips", note="a backend is chosen at random"),
    feature="independent-choice",
)
@over(protocol="TCP")
def test_successive_choices_are_independent(
    service: Services, client: Client, judge: Judge, budget: Budget
) -> None:
    """The endpoint of a new connection must not depend on the endpoints of the connections before
    it: there are no turns, no streaks and no fixed cycle.
    """
    web = service.shared(endpoints=3)
    pairs = sample_size(9, 0.5, budget.alpha / 2)  # two tables are judged at once
    sample = client.connect_many(web.cluster_ip, web.port, 2 * pairs)
    tally(sample, web.endpoints)
    for lag in (1, 2, 3):
        judge(successive, sample.chosen, sorted(web.endpoints), lag=lag)


@requirement("lb-single-ep", docs("service"))
def test_single_endpoint_gets_every_connection(service: Services, client: Client) -> None:
    """The only ready endpoint of a Service must be given every new connection, and none may be
    lost.
    """
    web = service.shared(endpoints=1)
    # shows a loss of 1 % with probability 0.9999
    sample = client.connect_many(web.cluster_ip, web.port, 1000)
    assert tally(sample, web.endpoints) == {web.socket(0): 1000}, sample


@requirement(
    "lb-large-n",
    docs("virtual-ips"),
    source("pkg/proxy/iptables/proxier_test.go", "TestComputeProbability"),
    feature="uniform-distribution",
)
@over(protocol="TCP")
@pytest.mark.parametrize(("family", "endpoints"), [("IPv6", 100), ("IPv4", 1000)])
def test_many_endpoints_are_chosen_uniformly(
    service: Services, client: Client, judge: Judge, budget: Budget, endpoints: int
) -> None:
    """New connections must be spread uniformly over a hundred and over a thousand endpoints, and
    reach every one of them.
    """
    web = service(endpoints=endpoints)
    count = max(sample_to_hit_all(endpoints, budget.alpha), sample_size(100, 0.9, budget.alpha))
    sample = client.connect_many(web.cluster_ip, web.port, count)
    shares = tally(sample, web.endpoints)
    judge(all_hit, shares)
    judge(uniform, shares)


@requirement("lb-after-add", docs("virtual-ips"))
def test_added_endpoint_gets_its_share(
    service: Services, client: Client, judge: Judge, budget: Budget
) -> None:
    """After an endpoint has been added to n others, each of the n + 1 must be given the same share
    of the new connections, and none of them may fail.
    """
    count = sample_size(4, 0.5, budget.alpha)
    web = service(endpoints=3)
    tally(client.connect_many(web.cluster_ip, web.port, 100), web.endpoints)
    web.set_endpoints([*web.spec.endpoints, service.endpoint("remote-pod", 1)])
    sample = client.connect_many(web.cluster_ip, web.port, count)
    judge(uniform, tally(sample, web.endpoints))


@requirement("lb-after-remove", docs("virtual-ips"))
def test_rest_shares_what_a_removed_endpoint_got(
    service: Services, client: Client, judge: Judge, budget: Budget
) -> None:
    """After one of n endpoints has been removed, each of the other n - 1 must be given the same
    share of the new connections, the removed one none, and none of them may fail.
    """
    count = sample_size(3, 0.5, budget.alpha)
    web = service(endpoints=4)
    tally(client.connect_many(web.cluster_ip, web.port, 100), web.endpoints)
    web.set_endpoints(web.spec.endpoints[1:])
    sample = client.connect_many(web.cluster_ip, web.port, count)
    judge(uniform, tally(sample, web.endpoints))


@requirement("lb-weights-equal", docs("endpoint-slices", note="there are no weights"))
@over(protocol="TCP")
def test_endpoints_have_equal_weight(
    service: Services, client: Client, judge: Judge, budget: Budget
) -> None:
    """Every ready endpoint must be given the same share of the new connections: wherever it is,
    however many endpoints share its EndpointSlice, and whatever other Services it belongs to.
    """
    ports = [Port(protocol="TCP")]
    few = (service.endpoint("pod"),)
    many = tuple(
        service.endpoint(place, node)
        for place, node in (("pod", None), ("remote-pod", 1), ("remote-pod", 2), ("outside", None))
    )
    slices = [Slice(few, tuple(ports)), Slice(many, tuple(ports))]
    web, _ = service.create([service.spec(ports=ports, slices=slices), service.spec(few)])
    count = sample_size(5, 0.2, budget.alpha)
    sample = client.connect_many(web.cluster_ip, web.port, count)
    judge(uniform, tally(sample, web.endpoints))


# --- what is chosen once --------------------------------------------------------------------------


@requirement("lb-per-conn", docs("virtual-ips"))
def test_packets_of_a_connection_stay_together(
    service: Services, client: LabClient, judge: Judge
) -> None:
    """All packets of one connection (for UDP: of one pair of addresses and ports) must go to the
    endpoint that was chosen for the first of them.
    """
    web = service.shared(endpoints=4)
    flows = client.open(web.cluster_ip, web.port, 64)
    judge(spread, tally(flows.opened, web.endpoints))
    for message in range(16):
        sample = flows.exchange()
        assert not flows.broken(sample), f"message {message}: {sample}"


@requirement("lb-udp-tuple-sticks", docs("virtual-ips"))
@over(protocol="UDP")
@pytest.mark.parametrize("answers", ["answered", "unanswered"])
def test_datagrams_from_one_port_stay_together(
    service: Services, client: LabClient, lab: Lab, judge: Judge, budget: Budget, answers: str
) -> None:
    """Datagrams from one source port must go to one endpoint as long as the node remembers the
    first of them, answered or not, while other source ports are given other endpoints.
    """
    web = service.shared(endpoints=3)
    if answers == "unanswered":
        lab.silent |= {endpoint.address for endpoint in web.endpoints}
    count = sample_to_hit_all(3, budget.alpha)
    first = client.connect_many(web.cluster_ip, web.port, count)
    assert first.is_delivered.all(), first
    assert first.is_served.all() == (answers == "answered"), first
    judge(all_hit, {endpoint: first.counts[endpoint] for endpoint in web.endpoints})
    for _ in range(8):
        again = client.connect_many(
            web.cluster_ip, web.port, count, source_ports=first.client_ports
        )
        assert again.chosen == first.chosen, again


@requirement("lb-sctp-assoc", kep(614), feature="sctp")
@over(protocol="SCTP")
def test_sctp_balances_by_association(
    service: Services, client: LabClient, judge: Judge, budget: Budget
) -> None:
    """Each SCTP association must be given one endpoint, which gets all of its packets; new
    associations must be spread over all endpoints.
    """
    web = service.shared(endpoints=3)
    associations = client.open(web.cluster_ip, web.port, sample_to_hit_all(3, budget.alpha))
    judge(all_hit, tally(associations.opened, web.endpoints))
    for _ in range(4):
        sample = associations.exchange()
        assert not associations.broken(sample), sample


@requirement("lb-no-retry", docs("virtual-ips"))
@over(protocol="TCP")
def test_silent_endpoint_is_not_replaced(
    service: Services, client: LabClient, lab: Lab, judge: Judge, budget: Budget
) -> None:
    """When the chosen endpoint does not answer, the proxy must not send the connection to another
    one: with one silent endpoint of two, half of the attempts stay unanswered, and a client's
    repeated SYN goes to the same endpoint again.
    """
    web = service.shared(endpoints=2)
    silent = web.socket(0)
    lab.silent.add(silent.address)
    count = sample_size(2, 0.5, budget.alpha)
    sample = client.connect_many(web.cluster_ip, web.port, count)
    assert (sample.arrivals == 1).all(), f"not each SYN reached one endpoint, once: {sample}"
    unanswered = np.array([endpoint == silent for endpoint in sample.chosen])
    assert (sample.is_answered != unanswered).all(), sample
    judge(share, int(unanswered.sum()), count, 0.5)
    ports = sample.client_ports[unanswered]
    for _ in range(3):
        again = client.connect_many(web.cluster_ip, web.port, len(ports), source_ports=ports)
        assert again.counts == {silent: len(ports)}, again


# --- choices that know nothing of each other ------------------------------------------------------


@requirement("lb-multiport-independent", issue(103000))
@over(protocol="TCP")
def test_ports_of_a_service_choose_independently(
    service: Services, client: LabClient, judge: Judge, budget: Budget
) -> None:
    """The endpoint chosen on one port of a Service must not determine the one chosen on another:
    every combination of endpoints occurs.
    """
    ports = [Port(80, 8080, name="web"), Port(81, 8081, name="admin")]
    web = service.shared(endpoints=3, ports=ports)
    frontends = [SocketAddress(web.cluster_ip, port.number) for port in ports]
    # in an irregular order, so that proxies that take turns on each port pass too
    order = np.random.default_rng(0).integers(0, 2, 6 * sample_to_hit_all(9, budget.alpha))
    sample = client.connect_to_each([frontends[which] for which in order])
    pools = [sorted(web.endpoints_of(port.name)) for port in ports]
    tally(sample, [*pools[0], *pools[1]])
    pairs = {(web, admin): 0 for web in pools[0] for admin in pools[1]}
    for position in np.flatnonzero(np.diff(order) == 1):  # from the first port to the second
        first, second = sample.chosen[position], sample.chosen[position + 1]
        assert first in pools[0], f"{first} does not belong to port {frontends[0]}"
        assert second in pools[1], f"{second} does not belong to port {frontends[1]}"
        pairs[first, second] += 1
    judge(all_hit, pairs)


@requirement(
    "lb-svc-independent",
    docs("virtual-ips", note="a backend is chosen at random"),
    feature="independent-choice",
)
@over(protocol="TCP")
def test_services_choose_independently(
    service: Services, client: LabClient, judge: Judge, budget: Budget
) -> None:
    """The endpoint chosen for a connection to one Service must not depend on those chosen for
    another Service with the same endpoints.
    """
    shared = service.endpoints(3)
    pools = service.create([service.spec(shared), service.spec(shared)])
    count = sample_size(9, 0.5, budget.alpha / 2)  # two tables are judged at once
    sample = client.connect_to_each([pool.frontend for pool in pools] * count)
    tally(sample, pools[0].endpoints)
    endpoints = sorted(pools[0].endpoints)
    judge(independent, sample.chosen[::2], sample.chosen[1::2], (endpoints, endpoints))


@requirement("lb-frontends-independent", docs("service", "publishing Services"))
@over(vantage=["pod", "outside"])
def test_frontends_share_their_endpoints(
    service: Services, client: LabClient, world: World, judge: Judge, budget: Budget
) -> None:
    """The cluster IP, the nodePort, every external IP and every load balancer IP of one Service
    port must all lead to every one of its endpoints.
    """
    chosen, family = 7, client.family
    web = service(
        endpoints=3,
        load_balancer_ips=numbered(LOAD_BALANCER_IPS, chosen).values(),
        external_ips=numbered(EXTERNAL_IPS, chosen).values(),
    )
    frontends = [
        SocketAddress(world.node.address(family), web.node_port()),
        SocketAddress(EXTERNAL_IPS[family][chosen], web.port),
        SocketAddress(LOAD_BALANCER_IPS[family][chosen], web.port),
    ]
    if client.host.place != "outside":  # a cluster IP is for clients in the cluster
        frontends.append(web.frontend)
    count = sample_to_hit_all(3, budget.alpha)
    for frontend in frontends:
        sample = client.connect_many(frontend.address, frontend.port, count)
        judge(all_hit, tally(sample, web.endpoints))


# --- many at once, and clashes --------------------------------------------------------------------


@requirement(
    "lb-concurrency",
    docs("virtual-ips", note="each client gets the answers to its own"),
    feature="bursts",
)
def test_burst_of_connections_is_kept_apart(service: Services, crowd: Crowds, world: World) -> None:
    """In a burst of thousands of connections from many clients, each must reach one endpoint, once,
    and each answer must come back to the client and port that asked, also where sources are masked.
    """
    web = service.shared(endpoints=3, type="NodePort")
    clients = crowd(512)
    node = world.node.address(clients.family)
    for address, port in (web.frontend, (node, web.node_port())):
        for _ in range(4):
            burst = clients.connect(address, port)
            tally(burst, web.endpoints)
            assert (burst.arrivals == 1).all(), burst
            assert (burst.replies == 1).all(), burst
            assert not burst.misdirected.any(), burst


@requirement("lb-same-tuple-vip-podip", issue(90042), feature="source-port-reuse")
@over(protocol="TCP")
def test_one_source_port_towards_service_and_endpoint(
    service: Services, client: LabClient, lab: Lab
) -> None:
    """A client that uses one source port for a connection to a cluster IP and for one to the
    endpoint behind it must get two working connections, in whatever order it opens them.
    """
    web = service(endpoints=[service.endpoint("remote-pod", 1)])
    assert_both_work(client, lab, web.frontend, web.socket(0))
    assert_both_work(client, lab, web.socket(0), web.frontend)


@requirement("lb-same-tuple-two-vips", issue(90042), feature="source-port-reuse")
@over(protocol="TCP")
def test_one_source_port_towards_two_services(
    service: Services, client: LabClient, lab: Lab
) -> None:
    """A client that uses one source port for connections to two cluster IPs with the same single
    endpoint must get two working connections.
    """
    only = [service.endpoint("remote-pod", 1)]
    first, second = service.create([service.spec(only), service.spec(only)])
    assert_both_work(client, lab, first.frontend, second.frontend)


def assert_both_work(
    client: LabClient, lab: Lab, first: SocketAddress, second: SocketAddress
) -> None:
    """Connections from one port to both are opened and carry messages at the same time."""
    port = lab.ports(1)
    flows = []
    for target in (first, second):
        flows.append(client.open(target.address, target.port, source_ports=port))
        assert flows[-1].opened.is_answered.all(), list(flows[-1].opened)
    for flow in flows * 2:
        sample = flow.exchange()
        assert not flow.broken(sample), list(sample)
