"""Distribution: what sticks to the endpoint that was chosen once, many at once and in clashes."""

from __future__ import annotations

import numpy as np
import pytest

from conformance.distribution.shares import shares_of
from conformance.vocabulary import (
    Budget,
    Client,
    Crowds,
    Judge,
    Lab,
    LabClient,
    Service,
    Services,
    ServiceSpec,
    SocketAddress,
    all_hit,
    arranged,
    docs,
    expect,
    issue,
    kep,
    over,
    requirement,
    sample_size,
    sample_to_hit_all,
    share,
    spread,
)


@requirement("lb-per-conn", docs("virtual-ips"))
@arranged(4, shared=True)
def test_packets_of_a_connection_stay_together(
    web: Service, client: LabClient, judge: Judge
) -> None:
    """All packets of one connection (for UDP: of one pair of addresses and ports) must go to the
    endpoint that was chosen for the first of them.
    """
    flows = client.open(*web.frontend, 64)
    judge(spread, shares_of(flows.opened, web.endpoints))
    for message in range(16):
        expect(flows.exchange(), f"message {message}").kept(flows)


@requirement("lb-udp-tuple-sticks", docs("virtual-ips"))
@over(protocol="UDP")
@pytest.mark.parametrize("answers", ["answered", "unanswered"])
@arranged(3, shared=True)
def test_datagrams_from_one_port_stay_together(
    web: Service, client: LabClient, lab: Lab, judge: Judge, budget: Budget, answers: str
) -> None:
    """Datagrams from one source port must go to one endpoint as long as the node remembers the
    first of them, answered or not, while other source ports are given other endpoints.
    """
    if answers == "unanswered":
        lab.silent |= {endpoint.address for endpoint in web.endpoints}
    count = sample_to_hit_all(3, budget.alpha)
    first = client.connect_many(*web.frontend, count)
    expect(first).delivered(reply="any")
    assert first.is_served.all() == (answers == "answered"), first
    judge(all_hit, {endpoint: first.counts[endpoint] for endpoint in web.endpoints})
    for _ in range(8):
        again = client.connect_many(*web.frontend, count, source_ports=first.client_ports)
        assert again.chosen == first.chosen, again


@requirement("lb-sctp-assoc", kep(614), feature="sctp")
@over(protocol="SCTP")
@arranged(3, shared=True)
def test_sctp_balances_by_association(
    web: Service, client: LabClient, judge: Judge, budget: Budget
) -> None:
    """Each SCTP association must be given one endpoint, which gets all of its packets; new
    associations must be spread over all endpoints.
    """
    associations = client.open(*web.frontend, sample_to_hit_all(3, budget.alpha))
    judge(all_hit, shares_of(associations.opened, web.endpoints))
    for _ in range(4):
        expect(associations.exchange()).kept(associations)


@requirement("lb-no-retry", docs("virtual-ips"))
@over(protocol="TCP")
@arranged(2, shared=True)
def test_silent_endpoint_is_not_replaced(
    web: Service, client: LabClient, lab: Lab, judge: Judge, budget: Budget
) -> None:
    """When the chosen endpoint does not answer, the proxy must not send the connection to another
    one: with one silent endpoint of two, half of the attempts stay unanswered, and a client's
    repeated SYN goes to the same endpoint again.
    """
    silent = web.socket(0)
    lab.silent.add(silent.address)
    count = sample_size(2, 0.5, budget.alpha)
    sample = client.connect_many(*web.frontend, count)
    assert (sample.arrivals == 1).all(), f"not each SYN reached one endpoint, once: {sample}"
    unanswered = np.array([endpoint == silent for endpoint in sample.chosen])
    assert (sample.is_answered != unanswered).all(), sample
    judge(share, int(unanswered.sum()), count, 0.5)
    ports = sample.client_ports[unanswered]
    for _ in range(3):
        again = client.connect_many(*web.frontend, len(ports), source_ports=ports)
        expect(again).delivered(to=silent, reply="any")


@requirement(
    "lb-concurrency",
    docs("virtual-ips", note="each client gets the answers to its own"),
    feature="bursts",
)
@arranged(3, type="NodePort", shared=True)
def test_burst_of_connections_is_kept_apart(web: Service, crowd: Crowds) -> None:
    """In a burst of thousands of connections from many clients, each must reach one endpoint, once,
    and each answer must come back to the client and port that asked, also where sources are masked.
    """
    clients = crowd(512)
    for frontend in web.frontends:
        for _ in range(4):
            burst = clients.connect(*frontend)
            shares_of(burst, web.endpoints)
            assert (burst.arrivals == 1).all(), burst
            assert (burst.replies == 1).all(), burst
            assert not burst.misdirected.any(), burst


@requirement("lb-same-tuple-vip-podip", issue(90042), feature="source-port-reuse")
@over(protocol="TCP")
@arranged(["remote-pod"])
def test_one_source_port_towards_service_and_endpoint(
    web: Service, client: LabClient, lab: Lab
) -> None:
    """A client that uses one source port for a connection to a cluster IP and for one to the
    endpoint behind it must get two working connections, in whatever order it opens them.
    """
    assert_both_work(client, lab, web.frontend, web.socket(0))
    assert_both_work(client, lab, web.socket(0), web.frontend)


def _with_one_endpoint(service: Services) -> list[ServiceSpec]:
    """Two Services with the same endpoint."""
    only = [service.endpoint("remote-pod", 1)]
    return [service.spec(only), service.spec(only)]


@requirement("lb-same-tuple-host", issue(90042), feature="source-port-reuse")
@over(vantage="node", protocol="UDP")
@arranged(lambda service: [service.spec(["remote-pod"]) for _ in range(2)])
def test_one_source_port_of_a_process_towards_service_and_endpoint(
    webs: list[Service], client: Client
) -> None:
    """A process on the node that uses one source port for datagrams to a cluster IP and to the
    endpoint behind it must be answered by either, again and again, in whatever order it begins.
    """
    for turn, web in enumerate(webs):
        targets = [web.frontend, web.socket(0)][:: -1 if turn else 1]
        port = client.connect(*targets[0]).client.port
        for target in targets[1:] + targets * 2:
            expect(client.connect(*target, source_port=port)).answered()


@requirement("lb-same-tuple-two-vips", issue(90042), feature="source-port-reuse")
@over(protocol="TCP")
@arranged(_with_one_endpoint)
def test_one_source_port_towards_two_services(
    webs: list[Service], client: LabClient, lab: Lab
) -> None:
    """A client that uses one source port for connections to two cluster IPs with the same single
    endpoint must get two working connections.
    """
    first, second = webs
    assert_both_work(client, lab, first.frontend, second.frontend)


def assert_both_work(
    client: LabClient, lab: Lab, first: SocketAddress, second: SocketAddress
) -> None:
    """Connections from one port to both are opened and carry messages at the same time."""
    port = lab.ports(1)
    flows = []
    for target in (first, second):
        flows.append(client.open(*target, source_ports=port))
        expect(flows[-1].opened).answered()
    for flow in flows * 2:
        expect(flow.exchange()).kept(flow)
