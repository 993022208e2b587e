"""IP families."""

from __future__ import annotations

from conformance.census.combinations.kinds.load_balancers import captured
from conformance.census.combinations.kinds.source_ranges import admitted
from conformance.census.combinations.kinds.words import decided, served
from conformance.census.decision import Decision
from specification.addresses import FAMILIES, family_of


def _dual(each: Decision) -> bool:
    return set(each.service.families) == set(FAMILIES)


def ipv6_alone(each: Decision) -> bool:
    """A Service whose only family is IPv6."""
    return each.service.families == ("IPv6",) and served(each)


def one_family(each: Decision) -> bool:
    """A Service of one family, on a node that has both."""
    return len(each.service.families) == 1 and served(each)


def both_families(each: Decision) -> bool:
    """A Service of both families, at any of its frontends."""
    return _dual(each) and served(each)


def ipv6_first(each: Decision) -> bool:
    """A Service of both families whose primary one is IPv6."""
    return each.service.families == FAMILIES[::-1] and served(each)


def endpoints_of_the_other_family(each: Decision) -> bool:
    """A family without endpoints, of a Service that has some of the other family."""
    family = family_of(each.attempt.target.address)
    types = {kind for part in each.service.slices for kind in each.service.types_of(part)}
    lone = _dual(each) and bool(each.service.endpoints) and family not in types
    return lone and decided(each, "no_endpoint_anywhere")


def balancers_ips_of_both_families(each: Decision) -> bool:
    """A load balancer's IP of a Service that has such of both families."""
    return _dual(each) and captured(each)


def ranges_by_family(each: Decision) -> bool:
    """The load balancer's IP of a dual-stack Service with source ranges, by a client that is in
    none of them, or in one of its family.
    """
    shut_out = decided(each, "outside_the_source_ranges") and each.vantage != "node"
    return _dual(each) and (admitted(each) or shut_out)


def affinity_of_the_secondary_family(each: Decision) -> bool:
    """A Service with session affinity, at an address of its secondary family."""
    family = family_of(each.attempt.target.address)
    secondary = _dual(each) and family == each.service.families[1]
    return secondary and each.sticky and served(each)
