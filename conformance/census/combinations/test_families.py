"""IP families: Services of one and of both."""

from __future__ import annotations

from conformance.census.combinations.kinds import families
from conformance.census.conftest import Hold
from conformance.vocabulary import api, docs, e2e, kep, requirement, source


@requirement("ds-v6-only", kep(1138), kep(2438))
def test_ipv6_alone(hold: Hold) -> None:
    """A Service whose only family is IPv6 must be served at all of its frontends as one whose only
    family is IPv4 is.
    """
    hold(families.ipv6_alone)


@requirement("ds-single-on-dual", kep(2438), e2e("dual_stack", "create service with cluster ip"))
def test_one_family(hold: Hold) -> None:
    """A Service of one family, be it IPv4 or IPv6, must be served on a node that has both."""
    hold(families.one_family)


@requirement("ds-both", kep(2438), e2e("dual_stack", "function for pod-Service: http"))
def test_both(hold: Hold) -> None:
    """A dual-stack Service must be served at its frontends of both families, each by endpoints of
    its own family.
    """
    hold(families.both_families)


@requirement("ds-order", kep(2438), e2e("dual_stack", "service with ipv6,v4 cluster ip"))
def test_order(hold: Hold) -> None:
    """A dual-stack Service whose primary family is IPv6 must be served as one whose primary family
    is IPv4 is.
    """
    hold(families.ipv6_first)


@requirement("ds-one-family-eps", kep(2438), docs("dual-stack"))
def test_endpoints_of_one_family(hold: Hold) -> None:
    """Where only one family of a dual-stack Service has endpoints, new connections to its frontends
    of the other must be refused at once.
    """
    hold(families.endpoints_of_the_other_family)


@requirement("ds-lb-split", source("pkg/proxy/servicechangetracker_test.go"))
def test_balancers_ips(hold: Hold) -> None:
    """Load balancers' IPs of both families that the status of a dual-stack Service lists must each
    be served, by endpoints of the IP's family.
    """
    hold(families.balancers_ips_of_both_families)


@requirement(
    "ds-lbsr-split",
    api("Service", "spec.loadBalancerSourceRanges"),
    source("pkg/proxy/servicechangetracker_test.go"),
)
def test_ranges(hold: Hold) -> None:
    """A dual-stack Service's loadBalancerSourceRanges must be enforced at load balancers' IPs of
    each family by the ranges of that family, whatever those of the other are.
    """
    hold(families.ranges_by_family)


@requirement("ds-affinity", e2e("dual_stack", "session affinity"))
def test_affinity(hold: Hold) -> None:
    """Under session affinity, a client must stay with one endpoint at a Service's frontends of its
    secondary family, too.
    """
    hold(families.affinity_of_the_secondary_family)
