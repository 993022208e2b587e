"""What is not this proxy's to serve."""

from __future__ import annotations

from conformance.census.combinations.kinds.words import at_a_balancers_ip
from conformance.census.decision import Decision
from specification.addresses import family_of
from specification.rules.frontends import PROXY_NAME


def another_proxys(each: Decision) -> bool:
    """A Service that is labelled for another proxy."""
    return PROXY_NAME in each.service.labels


def of_the_other_family(each: Decision) -> bool:
    """An external IP or a load balancer's IP of a family that the Service does not have."""
    family, number = family_of(each.attempt.target.address), each.frontend.kind == "node-port"
    return each.external and not number and family not in each.service.families


def balancers_ip_of_the_other_family(each: Decision) -> bool:
    """A load balancer's IP of a family that the Service does not have."""
    return at_a_balancers_ip(each) and of_the_other_family(each)
