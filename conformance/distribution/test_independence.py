"""Distribution: choices that know nothing of each other."""

from __future__ import annotations

import numpy as np
import pytest

from conformance.distribution.shares import shares_of
from conformance.vocabulary import (
    WEB_AND_ADMIN,
    Budget,
    Family,
    Judge,
    LabClient,
    Pool,
    Service,
    Services,
    ServiceSpec,
    SocketAddress,
    Vantage,
    World,
    all_hit,
    arranged,
    docs,
    independent,
    issue,
    over,
    requirement,
    sample_size,
    sample_to_hit_all,
)


@requirement("lb-multiport-independent", issue(103000))
@over(protocol="TCP")
@arranged(3, shared=True, ports=WEB_AND_ADMIN)
def test_ports_of_a_service_choose_independently(
    web: Service, client: LabClient, judge: Judge, budget: Budget
) -> None:
    """The endpoint chosen on one port of a Service must not determine the one chosen on another:
    every combination of endpoints occurs.
    """
    frontends = [SocketAddress(web.cluster_ip, port.number) for port in web.spec.ports]
    # in an irregular order, so that proxies that take turns on each port pass too
    order = np.random.default_rng(0).integers(0, 2, 6 * sample_to_hit_all(9, budget.alpha))
    sample = client.connect_to_each([frontends[which] for which in order])
    pools = [sorted(web.endpoints_of(port.name)) for port in web.spec.ports]
    shares_of(sample, [*pools[0], *pools[1]])
    pairs = {(first, second): 0 for first in pools[0] for second in pools[1]}
    for position in np.flatnonzero(np.diff(order) == 1):  # from the first port to the second
        first, second = sample.chosen[position], sample.chosen[position + 1]
        assert first in pools[0], f"{first} does not belong to port {frontends[0]}"
        assert second in pools[1], f"{second} does not belong to port {frontends[1]}"
        pairs[first, second] += 1
    judge(all_hit, pairs)


def _alike(service: Services) -> list[ServiceSpec]:
    """Two Services with the same endpoints."""
    endpoints = service.endpoints(3)
    return [service.spec(endpoints), service.spec(endpoints)]


@requirement(
    "lb-svc-independent",
    docs("virtual-ips", note="a backend is chosen at random"),
    feature="independent-choice",
)
@over(protocol="TCP")
@arranged(_alike)
def test_services_choose_independently(
    webs: list[Service], client: LabClient, judge: Judge, budget: Budget
) -> None:
    """The endpoint chosen for a connection to one Service must not depend on those chosen for
    another Service with the same endpoints.
    """
    count = sample_size(9, 0.5, budget.alpha / 2)  # two tables are judged at once
    sample = client.connect_to_each([web.frontend for web in webs] * count)
    shares_of(sample, webs[0].endpoints)
    endpoints = sorted(webs[0].endpoints)
    judge(independent, sample.chosen[::2], sample.chosen[1::2], (endpoints, endpoints))


@requirement(
    "lb-port-independent",
    docs("virtual-ips", note="a backend is chosen at random"),
    feature="independent-choice",
)
@over(protocol="TCP")
@pytest.mark.parametrize("other", ["client", "service"])
@arranged(_alike)
def test_a_clients_port_does_not_decide(
    webs: list[Service], world: World, family: Family, judge: Judge, budget: Budget, other: str
) -> None:
    """The endpoints of connections that come from the same port must not depend on each other where
    the client, or the Service, is another one.
    """
    lab = world.lab
    first, second = (LabClient(lab, host, family, "TCP") for host in world.hosts("pod", 2))
    ports = lab.ports(sample_size(9, 0.5, budget.alpha / 2))  # two tables are judged at once
    ends = [(first, webs[0]), (second, webs[0]) if other == "client" else (first, webs[1])]
    samples = [
        client.connect_many(*web.frontend, len(ports), source_ports=ports) for client, web in ends
    ]
    for sample in samples:
        shares_of(sample, webs[0].endpoints)
    endpoints = sorted(webs[0].endpoints)
    judge(independent, samples[0].chosen, samples[1].chosen, (endpoints, endpoints))


@requirement("lb-frontends-independent", docs("service", "publishing Services"))
@over(vantage=["pod", "outside"])
@arranged(3, exposed=True)
def test_frontends_share_their_endpoints(web: Service, vantage: Vantage, assert_pool: Pool) -> None:
    """The cluster IP, the nodePort, every external IP and every load balancer IP of one Service
    port must all lead to every one of its endpoints.
    """
    # a cluster IP is for clients in the cluster
    for frontend in web.external_frontends if vantage == "outside" else web.frontends:
        assert_pool(*frontend, web.endpoints)
