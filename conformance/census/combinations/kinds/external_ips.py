"""External IPs."""

from __future__ import annotations

from ipaddress import ip_address

from conformance.census.combinations.kinds.words import at_an_external_ip, decided, served
from conformance.census.decision import Decision


def external_from_outside(each: Decision) -> bool:
    """An external IP, from outside the cluster."""
    return at_an_external_ip(each) and served(each) and each.vantage == "outside"


def external_from_pods(each: Decision) -> bool:
    """An external IP, from pods."""
    return at_an_external_ip(each) and served(each) and each.vantage in ("pod", "remote-pod")


def external_from_the_node(each: Decision) -> bool:
    """An external IP, from a process on the node."""
    return at_an_external_ip(each) and served(each) and each.vantage == "node"


def external_of_a_cluster_ip_service(each: Decision) -> bool:
    """The external IP of a Service of type ClusterIP, from outside, under Local."""
    plain = each.service.type == "ClusterIP"
    return external_from_outside(each) and plain and decided(each, "external_policy_is_local")


def external_under_local(each: Decision) -> bool:
    """An external IP from outside, under externalTrafficPolicy Local."""
    return external_from_outside(each) and decided(each, "external_policy_is_local")


def external_of_any_type(each: Decision) -> bool:
    """An external IP, whatever the Service's type is."""
    return at_an_external_ip(each) and served(each)


def either_external_ip(each: Decision) -> bool:
    """Any of several external IPs of one family."""
    family = each.attempt.target.address.version
    versions = [ip_address(str(entry)).version for entry in each.service.external_ips]
    return external_of_any_type(each) and versions.count(family) > 1


def external_as_the_node(each: Decision) -> bool:
    """An external IP from outside, under externalTrafficPolicy Cluster."""
    return external_from_outside(each) and decided(each, "external_policy_is_cluster")
