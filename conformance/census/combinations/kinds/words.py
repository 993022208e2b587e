"""What kinds of decisions are told apart by."""

from __future__ import annotations

from ipaddress import ip_network

from conformance.census.decision import Decision
from specification.services import Endpoint, Ingress


def decided(each: Decision, *clauses: str) -> bool:
    """Whether one of these clauses had a say."""
    return any(clause in each.allowed.because for clause in clauses)


def served(each: Decision) -> bool:
    """Whether endpoints may get it."""
    return bool(each.allowed.deliveries)


def addressed(each: Decision) -> bool:
    """Whether it is addressed to a frontend, and endpoints decide."""
    return served(each) or decided(each, "no_endpoint_anywhere")


def ready(each: Decision) -> list[Endpoint]:
    """The endpoints that are ready, or may be."""
    return [entry for entry in each.service.endpoints if entry.ready is not False]


def at_a_balancers_ip(each: Decision) -> bool:
    """Whether it is addressed to a load balancer's IP."""
    return each.frontend.kind == "load-balancer-ip"


def at_an_external_ip(each: Decision) -> bool:
    """Whether it is addressed to an external IP."""
    return each.frontend.kind == "external-ip"


def entry_of(each: Decision) -> Ingress | None:
    """The entry of a load balancer's IP that it is sent to."""
    address = each.attempt.target.address
    found = (entry for entry in each.service.ingress if entry.ip == address)
    return next(found, None) if at_a_balancers_ip(each) else None


def modes(each: Decision) -> set[str | None]:
    """The ipModes of the load balancer's IPs that its Service has."""
    return {entry.ip_mode for entry in each.service.ingress if entry.ip}


def local(each: Decision) -> bool:
    """Whether a policy Local binds it."""
    return decided(each, "internal_policy_is_local", "external_policy_is_local")


def outside_its_ranges(each: Decision) -> bool:
    """Whether its client is in none of the Service's source ranges."""
    client = each.attempt.client.address
    ranges = [ip_network(str(entry).strip()) for entry in each.service.load_balancer_source_ranges]
    family = [entry for entry in ranges if entry.version == client.version]
    return bool(family) and not any(client in entry for entry in family)
