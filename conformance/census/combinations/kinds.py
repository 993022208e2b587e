"""Kinds of decisions of the wide census: what each of its requirements looks at. The clauses of the
specification that had a say tell them apart.
"""

from __future__ import annotations

import inspect
import sys
from ipaddress import ip_network
from typing import Final

from conformance.census.census import Decision
from conformance.census.kinds import Kind
from specification.addresses import family_of
from specification.rules.frontends import PROXY_NAME
from specification.services import Endpoint, Ingress


def _decided(each: Decision, *clauses: str) -> bool:
    """Whether one of these clauses had a say."""
    return any(clause in each.allowed.because for clause in clauses)


def _served(each: Decision) -> bool:
    """Whether endpoints may get it."""
    return bool(each.allowed.deliveries)


def _addressed(each: Decision) -> bool:
    """Whether it is addressed to a frontend, and endpoints decide."""
    return _served(each) or _decided(each, "no_endpoint_anywhere")


def _ready(each: Decision) -> list[Endpoint]:
    return [entry for entry in each.service.endpoints if entry.ready is not False]


def _at_a_balancers_ip(each: Decision) -> bool:
    return each.frontend.kind == "load-balancer-ip"


def _at_an_external_ip(each: Decision) -> bool:
    return each.frontend.kind == "external-ip"


def _entry(each: Decision) -> Ingress | None:
    """The entry of a load balancer's IP that it is sent to."""
    address = each.attempt.target.address
    found = (entry for entry in each.service.ingress if entry.ip == address)
    return next(found, None) if _at_a_balancers_ip(each) else None


def _modes(each: Decision) -> set[str | None]:
    return {entry.ip_mode for entry in each.service.ingress if entry.ip}


def _local(each: Decision) -> bool:
    """Whether a policy Local binds it."""
    return _decided(each, "internal_policy_is_local", "external_policy_is_local")


# --- hints ----------------------------------------------------------------------------------------


def hinted_for_the_node(each: Decision) -> bool:
    """All ready endpoints have hints for nodes, and some for this one."""
    return _decided(each, "hinted_for_this_node")


def some_hinted_for_nodes(each: Decision) -> bool:
    """Some ready endpoints have hints for nodes, and others none."""
    with_hints = {bool(entry.for_nodes) for entry in _ready(each)}
    return _decided(each, "ready") and not _local(each) and len(with_hints) == 2


def hinted_for_other_nodes(each: Decision) -> bool:
    """All ready endpoints have hints for nodes, but none for this one, and zones decide."""
    nodes = all(entry.for_nodes for entry in _ready(each))
    return nodes and _decided(each, "hinted_for_this_zone")


def hinted_from_outside(each: Decision) -> bool:
    """Hints decide at an external frontend."""
    return each.external and _decided(each, "hinted_for_this_node", "hinted_for_this_zone")


def hinted_under_local(each: Decision) -> bool:
    """A policy Local binds, and all ready endpoints have hints."""
    hinted = all(entry.for_zones or entry.for_nodes for entry in _ready(each))
    return _local(each) and _decided(each, "ready") and hinted


def hinted_under_one_policy(each: Decision) -> bool:
    """One policy is Local and the other Cluster, and all ready endpoints have hints."""
    service = each.service
    policies = {service.internal_traffic_policy, service.external_traffic_policy}
    hinted = all(entry.for_zones for entry in _ready(each))
    return service.exposed and len(policies) == 2 and hinted and _decided(each, "ready")


def unready_without_hints(each: Decision) -> bool:
    """Hints decide, and an endpoint that is not ready has none."""
    bare = any(
        entry.ready is False and not (entry.for_zones or entry.for_nodes)
        for entry in each.service.endpoints
    )
    return bare and _decided(each, "hinted_for_this_node", "hinted_for_this_zone")


def hinted_and_terminating(each: Decision) -> bool:
    """No endpoint is ready, some serve while they terminate, and there are hints."""
    hinted = any(entry.for_zones for entry in each.service.endpoints)
    return hinted and _served(each) and _decided(each, "terminating_but_serving")


def distribution_without_hints(each: Decision) -> bool:
    """The field trafficDistribution is set, and no endpoint has a hint."""
    bare = not any(entry.for_zones or entry.for_nodes for entry in each.service.endpoints)
    return each.service.traffic_distribution is not None and bare and _decided(each, "ready")


# --- conditions of endpoints ----------------------------------------------------------------------


def published(each: Decision) -> bool:
    """A ready endpoint is terminating, and does not serve."""
    return _decided(each, "ready") and any(entry.terminating for entry in _ready(each))


def published_in_vain(each: Decision) -> bool:
    """The field publishNotReadyAddresses is set, but no endpoint is published as ready."""
    none = not _ready(each) and bool(each.service.endpoints)
    return each.service.publish_not_ready_addresses and none and _addressed(each)


def unknown(each: Decision) -> bool:
    """Nothing is said about an endpoint."""
    nothing = any(entry.ready is None for entry in each.service.endpoints)
    return nothing and _decided(each, "ready")


def serving_though_not_ready(each: Decision) -> bool:
    """An endpoint is not ready, serves, and is not terminating."""
    listed = ((e.ready, e.serving, e.terminating) for e in each.service.endpoints)
    return _addressed(each) and (False, True, False) in listed


# --- source ranges --------------------------------------------------------------------------------


def _ranged(each: Decision) -> bool:
    return bool(each.service.load_balancer_source_ranges)


def _shut_out(each: Decision) -> bool:
    return _decided(each, "outside_the_source_ranges")


def _admitted(each: Decision) -> bool:
    entry = _entry(each)
    bound = entry is not None and entry.ip_mode != "Proxy"
    return _ranged(each) and bound and _served(each) and not _shut_out(each)


def _outside_its_ranges(each: Decision) -> bool:
    """Whether its client is in none of the Service's source ranges."""
    client = each.attempt.client.address
    ranges = [ip_network(str(entry)) for entry in each.service.load_balancer_source_ranges]
    family = [entry for entry in ranges if entry.version == client.version]
    return bool(family) and not any(client in entry for entry in family)


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
    return _shut_out(each) and not node_shut_out(each) and _modes(each) == {None, "VIP"}


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
    return _admitted(each) and _decided(each, "external_policy_is_local")


def cluster_ip_unfiltered(each: Decision) -> bool:
    """A cluster IP, by a client in none of the Service's ranges."""
    return each.frontend.kind == "cluster-ip" and _served(each) and _outside_its_ranges(each)


def external_ip_unfiltered(each: Decision) -> bool:
    """An external IP, by a client in none of the Service's ranges."""
    return _at_an_external_ip(each) and _served(each) and _outside_its_ranges(each)


def node_port_unfiltered(each: Decision) -> bool:
    """A nodePort, by a client in none of the Service's ranges."""
    return each.frontend.kind == "node-port" and _served(each) and _outside_its_ranges(each)


# --- load balancers' IPs --------------------------------------------------------------------------


def captured(each: Decision) -> bool:
    """A load balancer's IP without ipMode, of which the API server makes VIP."""
    return _at_a_balancers_ip(each) and _served(each)


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
    return captured(each) and _modes(each) == {None, "VIP"}


def beside_a_hostname(each: Decision) -> bool:
    """A load balancer's IP of a Service that has a hostname, too."""
    return captured(each) and any(entry.hostname for entry in each.service.ingress)


def balancer_takes_it_itself(each: Decision) -> bool:
    """A load balancer's IP whose ipMode is Proxy."""
    entry = _entry(each)
    return entry is not None and entry.ip_mode == "Proxy" and not each.service.labels


def balancer_takes_it_whatever_the_ranges(each: Decision) -> bool:
    """The same, by a client in none of the Service's ranges."""
    return balancer_takes_it_itself(each) and _outside_its_ranges(each)


def beside_a_proxy(each: Decision) -> bool:
    """What is no load balancer's IP, of a Service that has one whose ipMode is Proxy."""
    return "Proxy" in _modes(each) and not _at_a_balancers_ip(each) and _served(each)


def one_mode_each(each: Decision) -> bool:
    """The IP that is the node's to serve, of a Service that has one of each ipMode."""
    return _modes(each) == {None, "Proxy"} and captured(each)


def without_node_ports(each: Decision) -> bool:
    """A load balancer's IP of a Service without nodePorts."""
    return captured(each) and each.frontend.port.node_port is None


def without_node_ports_under_local(each: Decision) -> bool:
    """The same from outside, under externalTrafficPolicy Local."""
    return without_node_ports(each) and _decided(each, "external_policy_is_local")


def of_a_class(each: Decision) -> bool:
    """A load balancer's IP of a Service with a loadBalancerClass."""
    return captured(each) and each.service.load_balancer_class is not None


def node_port_at_a_balancers_ip(each: Decision) -> bool:
    """The number of the nodePort, at a load balancer's IP or an external IP."""
    unserved = _decided(each, "unserved_port_of_an_external_address")
    return unserved and each.attempt.target.port == each.frontend.port.node_port


def unserved_at_an_external_ip(each: Decision) -> bool:
    """A port that the Service does not have, at its external IP."""
    return _at_an_external_ip(each) and _decided(each, "unserved_port_of_an_external_address")


# --- external IPs ---------------------------------------------------------------------------------


def external_from_outside(each: Decision) -> bool:
    """An external IP, from outside the cluster."""
    return _at_an_external_ip(each) and _served(each) and each.vantage == "outside"


def external_from_pods(each: Decision) -> bool:
    """An external IP, from pods."""
    return _at_an_external_ip(each) and _served(each) and each.vantage in ("pod", "remote-pod")


def external_from_the_node(each: Decision) -> bool:
    """An external IP, from a process on the node."""
    return _at_an_external_ip(each) and _served(each) and each.vantage == "node"


def external_of_a_cluster_ip_service(each: Decision) -> bool:
    """The external IP of a Service of type ClusterIP, from outside, under Local."""
    plain = each.service.type == "ClusterIP"
    return external_from_outside(each) and plain and _decided(each, "external_policy_is_local")


def external_under_local(each: Decision) -> bool:
    """An external IP from outside, under externalTrafficPolicy Local."""
    return external_from_outside(each) and _decided(each, "external_policy_is_local")


def sctp_at_external_frontends(each: Decision) -> bool:
    """SCTP at what clients outside the cluster may use."""
    return each.attempt.protocol == "SCTP" and each.external and _served(each)


# --- other proxies' Services ----------------------------------------------------------------------


def another_proxys(each: Decision) -> bool:
    """A Service that is labelled for another proxy."""
    return PROXY_NAME in each.service.labels


def of_the_other_family(each: Decision) -> bool:
    """An external IP or a load balancer's IP of a family that the Service does not have."""
    family = family_of(each.attempt.target.address)
    return each.external and family not in each.service.families


def told_elsewhere(each: Decision) -> bool:
    """What a requirement of the census of policies has to itself."""
    theirs = each.vantage == "node" and (_at_an_external_ip(each) or _at_a_balancers_ip(each))
    nobody = theirs and _decided(each, "no_endpoint_anywhere")
    return nobody or _decided(each, "from_inside", "a_policy_keeps_from_endpoints_elsewhere")


ALL: Final[dict[str, Kind]] = {
    name: found
    for name, found in inspect.getmembers(sys.modules[__name__], inspect.isfunction)
    if found.__module__ == __name__ and name[0] != "_" and found is not told_elsewhere
}
"""All by name; each is a requirement's."""

OF_THE_NODE: Final = ("captured_from_the_node", "external_from_the_node", "node_shut_out")
"""Those that need a process on the node."""
