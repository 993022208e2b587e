"""Source ranges that change, and those of one family."""

from __future__ import annotations

from conformance.external_addresses.everybody import (
    PROTOCOLS,
    asked,
    at,
    outside,
    serves,
)
from conformance.vocabulary import (
    BOTH,
    CLUSTER_CIDRS,
    FAMILIES,
    FLOWS,
    OUTSIDE,
    SERVICE_RANGES,
    LabClient,
    Service,
    World,
    api,
    arranged,
    clients_of,
    e2e,
    expect,
    over,
    requirement,
    source,
)

pytestmark = over(families=FAMILIES, protocols=PROTOCOLS)

_RANGES = api("Service", "spec.loadBalancerSourceRanges")


def _shut_out(clients: list[LabClient], web: Service) -> None:
    for each in clients:
        asked(each, web.spec.load_balancer_ips).dropped()


@requirement("lbsr-update", _RANGES, e2e("loadbalancer", "source ranges"))
@arranged(2, ports=BOTH, exposed=True, load_balancer_source_ranges=tuple(OUTSIDE.values()))
def test_ranges_change(web: Service, clients: list[LabClient]) -> None:
    """Once a Service's loadBalancerSourceRanges are others, new connections to its load balancer's
    IP must be served or kept out by these, and no longer by those that it had.
    """
    strangers = outside(clients)
    pods = [each for each in clients if each not in strangers]
    serves(web, strangers, web.spec.load_balancer_ips)
    _shut_out(pods, web)
    web.update(load_balancer_source_ranges=tuple(CLUSTER_CIDRS.values()))
    serves(web, pods, web.spec.load_balancer_ips)
    _shut_out(strangers, web)


@requirement("lbsr-clear", _RANGES, e2e("loadbalancer", "source ranges"))
@arranged(2, ports=BOTH, exposed=True, load_balancer_source_ranges=tuple(SERVICE_RANGES.values()))
def test_ranges_go(web: Service, clients: list[LabClient]) -> None:
    """Once a Service has no loadBalancerSourceRanges any more, its load balancer's IP must be
    served for everybody.
    """
    _shut_out(clients, web)
    web.update(load_balancer_source_ranges=())
    serves(web, clients, web.spec.load_balancer_ips)


@requirement(
    "lbsr-established",
    source("pkg/proxy/nftables/proxier.go", "the firewall chains see new connections alone"),
    feature="ranges-for-new-connections",
)
@arranged(2, ports=BOTH, exposed=True)
def test_ranges_spare_what_is_established(web: Service, world: World) -> None:
    """Once a Service has loadBalancerSourceRanges, established TCP connections to its load
    balancer's IP must go on although their clients are in none of them.
    """
    strangers = clients_of(world, "TCP", "outside")
    ips = web.spec.load_balancer_ips
    opened = [each.open(*at(ips, each), count=FLOWS) for each in strangers]
    for flows in opened:
        expect(flows.opened).delivered()
    web.update(load_balancer_source_ranges=tuple(SERVICE_RANGES.values()))
    _shut_out(strangers, web)
    for flows in opened:
        expect(flows.exchange()).kept(flows)


@requirement(
    "lbsr-family-hole",
    source("pkg/proxy/serviceport.go", "newBaseServiceInfo"),
    feature="kube-proxy-modes",
)
@arranged(2, ports=BOTH, exposed=True, load_balancer_source_ranges=(SERVICE_RANGES["IPv4"],))
def test_ranges_of_one_family(web: Service, clients: list[LabClient]) -> None:
    """Where all of a Service's loadBalancerSourceRanges are of one family, its load balancer's IP
    of the other family must be served for everybody.
    """
    _shut_out([each for each in clients if each.family == "IPv4"], web)
    served = [each for each in clients if each.family == "IPv6"]
    serves(web, served, web.spec.load_balancer_ips)
