"""NodePorts."""

from __future__ import annotations

from conformance.census.combinations.kinds.words import decided, served
from conformance.census.decision import Decision
from specification.addresses import FAMILIES, family_of


def _at_a_node_port(each: Decision) -> bool:
    return each.frontend.kind == "node-port"


def one_of_several_node_ports(each: Decision) -> bool:
    """A nodePort of a Service that has several."""
    return _at_a_node_port(each) and served(each) and len(each.service.ports) > 1


def node_port_of_both_families(each: Decision) -> bool:
    """The nodePort of a dual-stack Service, at the node's address of either family."""
    dual = set(each.service.families) == set(FAMILIES)
    return _at_a_node_port(each) and served(each) and dual


def node_port_of_the_other_family(each: Decision) -> bool:
    """The number of a nodePort, at the node's address of a family that its Service lacks."""
    family = family_of(each.attempt.target.address)
    return _at_a_node_port(each) and family not in each.service.families


def node_port_under_internal_local(each: Decision) -> bool:
    """A nodePort under internalTrafficPolicy Local alone, with no endpoint on the node."""
    service = each.service
    alone = (service.internal_traffic_policy, service.external_traffic_policy) == (
        "Local",
        "Cluster",
    )
    here = any(entry.host.place == "pod" for entry in service.endpoints)
    return _at_a_node_port(each) and served(each) and alone and not here


def node_port_without_endpoints(each: Decision) -> bool:
    """A nodePort without an endpoint anywhere that may be chosen."""
    return _at_a_node_port(each) and decided(each, "no_endpoint_anywhere")
