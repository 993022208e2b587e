"""Source ranges of load balancers."""

from __future__ import annotations

from conformance.census.combinations.kinds.load_balancers import captured
from conformance.census.combinations.kinds.words import (
    at_an_external_ip,
    decided,
    entry_of,
    modes,
    outside_its_ranges,
    served,
)
from conformance.census.decision import Decision


def _ranged(each: Decision) -> bool:
    return bool(each.service.load_balancer_source_ranges)


def _shut_out(each: Decision) -> bool:
    return decided(each, "outside_the_source_ranges")


def _admitted(each: Decision) -> bool:
    entry = entry_of(each)
    bound = entry is not None and entry.ip_mode != "Proxy"
    return _ranged(each) and bound and served(each) and not _shut_out(each)


def admitted(each: Decision) -> bool:
    """A load balancer's IP, by a client in the source ranges."""
    return _admitted(each)


def shut_out(each: Decision) -> bool:
    """A load balancer's IP, from outside the cluster, by a client in none of the ranges."""
    return _shut_out(each) and each.vantage == "outside"


def pod_shut_out(each: Decision) -> bool:
    """The same by a pod."""
    return _shut_out(each) and each.vantage in ("pod", "remote-pod")


def node_shut_out(each: Decision) -> bool:
    """The same by a process on the node."""
    return _shut_out(each) and each.vantage == "node"


def shut_out_at_the_second(each: Decision) -> bool:
    """Both of a Service's load balancer IPs, by a client off the node in none of the ranges."""
    return _shut_out(each) and not node_shut_out(each) and modes(each) == {None, "VIP"}


def datagrams_shut_out(each: Decision) -> bool:
    """Datagrams and SCTP, by a client off the node in none of the ranges."""
    return _shut_out(each) and not node_shut_out(each) and each.attempt.protocol != "TCP"


def one_of_several_ranges(each: Decision) -> bool:
    """Two ranges of the family, in one of which the client is."""
    return _admitted(each) and len(each.service.load_balancer_source_ranges) > 2


def admitted_by_zero(each: Decision) -> bool:
    """A range of length 0 beside one in which the client is not."""
    ranges = map(str, each.service.load_balancer_source_ranges)
    return _admitted(each) and any(entry.endswith("/0") for entry in ranges)


def admitted_under_local(each: Decision) -> bool:
    """A client from outside in the ranges, under externalTrafficPolicy Local."""
    return _admitted(each) and decided(each, "external_policy_is_local")


def cluster_ip_unfiltered(each: Decision) -> bool:
    """A cluster IP, by a client in none of the Service's ranges."""
    return each.frontend.kind == "cluster-ip" and served(each) and outside_its_ranges(each)


def external_ip_unfiltered(each: Decision) -> bool:
    """An external IP, by a client in none of the Service's ranges."""
    return at_an_external_ip(each) and served(each) and outside_its_ranges(each)


def node_port_unfiltered(each: Decision) -> bool:
    """A nodePort, by a client in none of the Service's ranges."""
    return each.frontend.kind == "node-port" and served(each) and outside_its_ranges(each)


def ranges_with_blanks(each: Decision) -> bool:
    """A load balancer's IP of a Service whose ranges have blanks around them."""
    ranges = map(str, each.service.load_balancer_source_ranges)
    blank = any(entry != entry.strip() for entry in ranges)
    return blank and (_admitted(each) or (_shut_out(each) and not node_shut_out(each)))


def annotated(each: Decision) -> bool:
    """A load balancer's IP of a Service whose ranges are an annotation alone."""
    return captured(each) and bool(each.service.annotations)
