"""Load balancers' IPs, and their ipMode."""

from __future__ import annotations

from conformance.census.combinations.kinds.words import (
    at_a_balancers_ip,
    at_an_external_ip,
    decided,
    entry_of,
    modes,
    outside_its_ranges,
    served,
)
from conformance.census.decision import Decision


def captured(each: Decision) -> bool:
    """A load balancer's IP without ipMode, of which the API server makes VIP."""
    return at_a_balancers_ip(each) and served(each)


def captured_from_outside(each: Decision) -> bool:
    """A load balancer's IP, from outside the cluster."""
    return captured(each) and each.vantage == "outside"


def captured_from_pods(each: Decision) -> bool:
    """A load balancer's IP, from pods."""
    return captured(each) and each.vantage in ("pod", "remote-pod")


def captured_from_the_node(each: Decision) -> bool:
    """A load balancer's IP, from a process on the node."""
    return captured(each) and each.vantage == "node"


def one_of_two_balancers_ips(each: Decision) -> bool:
    """Either IP of a Service that has two."""
    return captured(each) and modes(each) == {None, "VIP"}


def beside_a_hostname(each: Decision) -> bool:
    """A load balancer's IP of a Service that has a hostname, too."""
    return captured(each) and any(entry.hostname for entry in each.service.ingress)


def balancer_takes_it_itself(each: Decision) -> bool:
    """A load balancer's IP whose ipMode is Proxy."""
    entry = entry_of(each)
    return entry is not None and entry.ip_mode == "Proxy" and not each.service.labels


def balancer_takes_it_whatever_the_ranges(each: Decision) -> bool:
    """The same, by a client in none of the Service's ranges."""
    return balancer_takes_it_itself(each) and outside_its_ranges(each)


def beside_a_proxy(each: Decision) -> bool:
    """What is no load balancer's IP, of a Service that has one whose ipMode is Proxy."""
    return "Proxy" in modes(each) and not at_a_balancers_ip(each) and served(each)


def one_mode_each(each: Decision) -> bool:
    """The IP that is the node's to serve, of a Service that has one of each ipMode."""
    return modes(each) == {None, "Proxy"} and captured(each)


def without_node_ports(each: Decision) -> bool:
    """A load balancer's IP of a Service without nodePorts."""
    return captured(each) and each.frontend.port.node_port is None


def without_node_ports_under_local(each: Decision) -> bool:
    """The same from outside, under externalTrafficPolicy Local."""
    return without_node_ports(each) and decided(each, "external_policy_is_local")


def of_a_class(each: Decision) -> bool:
    """A load balancer's IP of a Service with a loadBalancerClass."""
    return captured(each) and each.service.load_balancer_class is not None


def node_port_at_a_balancers_ip(each: Decision) -> bool:
    """The number of the nodePort, at a load balancer's IP or an external IP."""
    unserved = decided(each, "unserved_port_of_an_external_address")
    return unserved and each.attempt.target.port == each.frontend.port.node_port


def unserved_at_an_external_ip(each: Decision) -> bool:
    """A port that the Service does not have, at its external IP."""
    return at_an_external_ip(each) and decided(each, "unserved_port_of_an_external_address")


def unserved_at_a_balancers_ip(each: Decision) -> bool:
    """A port that the Service does not have, at its load balancer's IP."""
    return at_a_balancers_ip(each) and decided(each, "unserved_port_of_an_external_address")


def beside_a_hostname_alone(each: Decision) -> bool:
    """What leads to a Service whose load balancer has a hostname, and no IP."""
    names = [entry.ip is None for entry in each.service.ingress]
    return bool(names) and all(names) and served(each)


def captured_as_the_node(each: Decision) -> bool:
    """A load balancer's IP from outside, under externalTrafficPolicy Cluster."""
    return captured_from_outside(each) and decided(each, "external_policy_is_cluster")
