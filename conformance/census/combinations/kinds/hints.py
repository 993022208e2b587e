"""Hints of EndpointSlices."""

from __future__ import annotations

from conformance.census.combinations.kinds.words import decided, local, ready, served
from conformance.census.decision import Decision


def hinted_for_the_node(each: Decision) -> bool:
    """All ready endpoints have hints for nodes, and some for this one."""
    return decided(each, "hinted_for_this_node")


def hinted_without_asking(each: Decision) -> bool:
    """Hints decide, and the Service is not annotated for it."""
    asked = each.service.asks_for_hints
    return not asked and decided(each, "hinted_for_this_node", "hinted_for_this_zone")


def some_hinted_for_nodes(each: Decision) -> bool:
    """Some ready endpoints have hints for nodes, and others none."""
    with_hints = {bool(entry.for_nodes) for entry in ready(each)}
    return decided(each, "ready") and not local(each) and len(with_hints) == 2


def hinted_for_other_nodes(each: Decision) -> bool:
    """All ready endpoints have hints for nodes, but none for this one, and zones decide."""
    nodes = all(entry.for_nodes for entry in ready(each))
    return nodes and decided(each, "hinted_for_this_zone")


def hinted_from_outside(each: Decision) -> bool:
    """Hints decide at an external frontend."""
    return each.external and decided(each, "hinted_for_this_node", "hinted_for_this_zone")


def hinted_under_local(each: Decision) -> bool:
    """A policy Local binds, and all ready endpoints have hints."""
    hinted = all(entry.for_zones or entry.for_nodes for entry in ready(each))
    return local(each) and decided(each, "ready") and hinted


def hinted_under_one_policy(each: Decision) -> bool:
    """One policy is Local and the other Cluster, and all ready endpoints have hints."""
    service = each.service
    policies = {service.internal_traffic_policy, service.external_traffic_policy}
    hinted = all(entry.for_zones for entry in ready(each))
    return service.exposed and len(policies) == 2 and hinted and decided(each, "ready")


def unready_without_hints(each: Decision) -> bool:
    """Hints decide, and an endpoint that is not ready has none."""
    bare = any(
        entry.ready is False and not (entry.for_zones or entry.for_nodes)
        for entry in each.service.endpoints
    )
    return bare and decided(each, "hinted_for_this_node", "hinted_for_this_zone")


def hinted_and_terminating(each: Decision) -> bool:
    """No endpoint is ready, some serve while they terminate, and there are hints."""
    hinted = any(entry.for_zones for entry in each.service.endpoints)
    return hinted and served(each) and decided(each, "terminating_but_serving")


def distribution_without_hints(each: Decision) -> bool:
    """The field trafficDistribution is set, and no endpoint has a hint."""
    bare = not any(entry.for_zones or entry.for_nodes for entry in each.service.endpoints)
    return each.service.traffic_distribution is not None and bare and decided(each, "ready")


def distributed_within_the_zone(each: Decision) -> bool:
    """The field trafficDistribution asks for the client's zone, and hints for it decide."""
    return each.service.traffic_distribution is not None and decided(each, "hinted_for_this_zone")


def hinted_and_usable(each: Decision) -> bool:
    """Some endpoint has a hint, for whichever zone or node, and some may be chosen."""
    hinted = any(entry.for_zones or entry.for_nodes for entry in each.service.endpoints)
    return hinted and served(each)
