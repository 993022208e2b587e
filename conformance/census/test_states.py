"""The states of endpoints, in every combination with each other and with traffic policies."""

from __future__ import annotations

from conformance.census import kinds
from conformance.census.conftest import Hold
from conformance.vocabulary import docs, e2e, kep, requirement, source


@requirement("term-ready-only", kep(1669), docs("virtual-ips", "traffic policies"))
def test_ready_ones_first(hold: Hold) -> None:
    """While a ready endpoint may be chosen, no new connection must be sent to one that is
    terminating, though it still serves.
    """
    hold(kinds.terminating_beside_ready)


@requirement(
    "term-fallback-cluster",
    kep(1669),
    e2e("service", "fallback to terminating endpoints when there are no ready endpoints"),
)
def test_terminating_ones_in_the_cluster(hold: Hold) -> None:
    """Where no endpoint of a Service is ready, new connections that no policy Local binds must be
    sent to those that serve while they terminate.
    """
    hold(kinds.terminating_alone)


@requirement(
    "term-fallback-local",
    kep(1669),
    e2e("service", "fallback to local terminating endpoints when there are no ready endpoints"),
)
def test_terminating_ones_here(hold: Hold) -> None:
    """Where a policy Local binds and no endpoint on the node is ready, new connections must be sent
    to those on the node that serve while they terminate, even if others elsewhere are ready.
    """
    hold(kinds.terminating_alone_here)


@requirement("term-local-indep", source("pkg/proxy/topology_test.go", "TestCategorizeEndpoints"))
def test_fallbacks_of_two_policies(hold: Hold) -> None:
    """Where one traffic policy of a Service is Local and the other Cluster, the ready endpoints are
    elsewhere and one on the node serves while it terminates, new connections must be sent to the
    latter by what the first policy rules, and to the former by what the second does.
    """
    hold(kinds.fallbacks_of_two_policies)


@requirement(
    "term-not-serving",
    source("pkg/proxy/iptables/proxier_test.go", "TestTerminatingEndpointsTrafficPolicyCluster"),
)
def test_terminating_and_not_serving(hold: Hold) -> None:
    """An endpoint that is terminating and does not serve must never be given a new connection."""
    hold(kinds.terminating_and_not_serving)


@requirement("term-unready", source("pkg/proxy/topology.go", "CategorizeEndpoints"))
def test_not_ready(hold: Hold) -> None:
    """An endpoint that is neither ready nor terminating must never be given a new connection."""
    hold(kinds.not_ready)


@requirement("noep-lb", source("pkg/proxy/iptables/proxier_test.go", "TestNoEndpointsReject"))
def test_nobody_at_a_load_balancers_ip(hold: Hold) -> None:
    """New connections to the load balancer's IP of a Service without an endpoint that may be chosen
    must be refused at once.
    """
    hold(kinds.nobody_at_a_load_balancers_ip)


@requirement("noep-eip", source("pkg/proxy/iptables/proxier_test.go", "TestNoEndpointsReject"))
def test_nobody_at_an_external_ip(hold: Hold) -> None:
    """New connections to the external IP of a Service without an endpoint that may be chosen must
    be refused at once.
    """
    hold(kinds.nobody_at_an_external_ip)


@requirement(
    "noep-host-ext",
    docs("virtual-ips"),
    source("pkg/proxy/nftables/proxier.go", "the chain of Services without endpoints, in output"),
)
def test_node_at_an_address_without_endpoints(hold: Hold) -> None:
    """What a process on the node sends to the external IP or the load balancer's IP of a Service
    without an endpoint that may be chosen must be refused at once.
    """
    hold(kinds.node_at_an_address_without_endpoints)
