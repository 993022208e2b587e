"""Whose address endpoints see."""

from __future__ import annotations

from conformance.census.combinations.kinds.words import decided, served
from conformance.census.decision import Decision


def _pod_under_cluster(each: Decision) -> bool:
    inside = each.vantage in ("pod", "remote-pod")
    return inside and served(each) and decided(each, "external_policy_is_cluster")


def pod_at_a_node_port(each: Decision) -> bool:
    """A pod at a nodePort, under externalTrafficPolicy Cluster."""
    return _pod_under_cluster(each) and each.frontend.kind == "node-port"


def pod_at_an_address_of_a_service(each: Decision) -> bool:
    """A pod at an external IP or a load balancer's IP, under externalTrafficPolicy Cluster."""
    return _pod_under_cluster(each) and each.frontend.kind != "node-port"


def told_by_its_network(each: Decision) -> bool:
    """A cluster IP, by a pod or by who is none."""
    return each.frontend.kind == "cluster-ip" and served(each) and each.vantage != "node"
