"""Source ranges: who may send to a load balancer's IP."""

from __future__ import annotations

from ipaddress import ip_network

from specification.addresses import IPNetwork
from specification.rules.case import Case, clause


@clause(
    "lbsr-deny",
    "lbsr-allow",
    "lbsr-multi",
    "lbsr-pods-subject",
    "lbsr-host-subject",
    "lbsr-udp",
)
def outside_the_source_ranges(case: Case) -> bool:
    """Whoever is outside of all loadBalancerSourceRanges must not get through to a load balancer's
    IP, by whatever way; other frontends are not concerned.

    Source: API, core/v1 Service.spec.loadBalancerSourceRanges; docs, Service.
    """
    ranges = ranges_of(case)
    return bool(ranges) and not any(case.attempt.client.address in each for each in ranges)


@clause("lbsr-host-subject", "lbsr-deny")
def sent_by_the_node_from_the_balancers_ip(case: Case) -> bool:
    """Where the ranges admit the node itself, it is admitted too with the load balancer's very IP
    as its source, as a node sends to an address that it bears.

    Source: kube-proxy's unit tests, TestLoadBalancer.
    """
    own = case.state.node.primary.get(case.family)
    to_itself = case.attempt.client.address == case.attempt.target.address
    return case.place == "node" and to_itself and any(own in each for each in ranges_of(case))


def ranges_of(case: Case) -> list[IPNetwork]:
    """The source ranges that bind an attempt: those of its family, at a load balancer's IP."""
    if case.frontend.kind != "load-balancer-ip":
        return []
    listed = case.frontend.service.load_balancer_source_ranges
    ranges = (ip_network(str(each).strip(), strict=False) for each in listed)
    return [each for each in ranges if each.version == case.attempt.client.address.version]
