"""Traffic policies, in every combination with each other and with the states of endpoints."""

from __future__ import annotations

from conformance.census import kinds
from conformance.census.conftest import Hold
from conformance.vocabulary import docs, e2e, kep, requirement, source


@requirement("itp-cluster-default", kep(2086), docs("virtual-ips", "internal traffic policy"))
def test_internal_cluster(hold: Hold) -> None:
    """Under internalTrafficPolicy Cluster, new connections to the cluster IP must be sent to every
    endpoint of the Service that may be chosen, on whichever node, and to no other.
    """
    hold(kinds.cluster_policy_inside)


@requirement("etp-cluster-default", docs("virtual-ips", "external traffic policy"))
def test_external_cluster(hold: Hold) -> None:
    """Under externalTrafficPolicy Cluster, new connections to the nodePort, to external IPs and to
    load balancers' IPs must be sent to every endpoint of the Service that may be chosen, on
    whichever node, and to no other.
    """
    hold(kinds.cluster_policy_outside)


@requirement("itp-local-states", kep(2086), kep(1669))
def test_internal_local(hold: Hold) -> None:
    """Under internalTrafficPolicy Local, new connections to the cluster IP must be sent to the
    node's own endpoints alone, whatever the states of those on other nodes.
    """
    hold(kinds.local_policy_inside)


@requirement(
    "itp-host-client",
    e2e("service", "respect internalTrafficPolicy=Local Pod and Node, to Pod (hostNetwork: true)"),
)
def test_internal_local_from_the_node(hold: Hold) -> None:
    """Under internalTrafficPolicy Local, what processes on the node send to the cluster IP must be
    sent to the node's own endpoints alone.
    """
    hold(kinds.node_under_local)


@requirement(
    "itp-external-client-cip",
    source(
        "pkg/proxy/iptables/proxier_test.go",
        "TestInternalExternalMasquerade 'external to ClusterIP with iTP:Local'",
    ),
    feature="external-clients",
)
def test_internal_local_from_outside(hold: Hold) -> None:
    """Under internalTrafficPolicy Local, what hosts off the node send to the cluster IP must be
    sent to the node's own endpoints alone.
    """
    hold(kinds.stranger_under_local)


@requirement(
    "etp-local-only",
    docs("virtual-ips", "external traffic policy"),
    e2e("loadbalancer", "only target nodes with endpoints"),
)
def test_external_local(hold: Hold) -> None:
    """Under externalTrafficPolicy Local, new connections from outside to the nodePort, to external
    IPs and to load balancers' IPs must be sent to the node's own endpoints alone.
    """
    hold(kinds.local_policy_outside)


@requirement("etp-local-none-drop", docs("virtual-ips", "external traffic policy"))
def test_external_local_without_endpoints_here(hold: Hold) -> None:
    """Under externalTrafficPolicy Local, a new connection from outside must be delivered to nobody
    where only other nodes have endpoints that may be chosen.
    """
    hold(kinds.nobody_here)


@requirement(
    "term-remote-suppresses-reject",
    kep(1669),
    source("pkg/proxy/iptables/proxier_test.go", "TestTerminatingEndpointsTrafficPolicyLocal"),
)
def test_external_local_with_terminating_endpoints_elsewhere(hold: Hold) -> None:
    """Under externalTrafficPolicy Local, a new connection from outside must be delivered to nobody,
    as where ready endpoints are elsewhere, where all that may be chosen elsewhere are terminating.
    """
    hold(kinds.terminating_elsewhere_alone)


@requirement("itp-local-states-drop", kep(2086))
def test_internal_local_without_endpoints_here(hold: Hold) -> None:
    """Under internalTrafficPolicy Local, a new connection to the cluster IP must be delivered to
    nobody where only other nodes have endpoints that may be chosen, whatever the node's own are.
    """
    hold(kinds.nobody_here_inside)


@requirement("etp-local-no-eps-reject", docs("virtual-ips", "external traffic policy"))
def test_local_without_endpoints_anywhere(hold: Hold) -> None:
    """Under a policy Local too, new connections must be refused at once where the Service has no
    endpoint anywhere that may be chosen.
    """
    hold(kinds.nobody_at_all)


@requirement(
    "etp-pod-shortcircuit",
    docs("virtual-ips", "external traffic policy"),
    source("pkg/proxy/iptables/proxier_test.go", "TestExternalTrafficPolicyLocal"),
)
def test_short_cut_of_pods(hold: Hold) -> None:
    """Under externalTrafficPolicy Local, a pod that sends to an external frontend must be given any
    endpoint of the cluster, and be seen there by its own address.
    """
    hold(kinds.pod_takes_the_short_cut)


@requirement(
    "etp-pod-no-local",
    docs("virtual-ips", "external traffic policy"),
    e2e("loadbalancer", "work from pods"),
)
def test_short_cut_of_pods_without_endpoints_here(hold: Hold) -> None:
    """Under externalTrafficPolicy Local, a pod that sends to an external frontend must be given an
    endpoint elsewhere, and be seen there by its own address, where the node has none.
    """
    hold(kinds.pod_without_endpoints_here)


@requirement(
    "etp-host-shortcircuit",
    docs("virtual-ips", "external traffic policy"),
    source("pkg/proxy/iptables/proxier_test.go", "TestInternalExternalMasquerade"),
)
def test_short_cut_of_the_node(hold: Hold) -> None:
    """Under externalTrafficPolicy Local, a process on the node that sends to an external frontend
    must be given any endpoint of the cluster.
    """
    hold(kinds.node_takes_the_short_cut)


@requirement("etp-not-internal", kep(2086))
def test_external_policy_does_not_rule_cluster_ips(hold: Hold) -> None:
    """The cluster IP of a Service must not be ruled by its externalTrafficPolicy."""
    hold(kinds.external_policy_alone)


@requirement("itp-not-external", kep(2086))
def test_internal_policy_does_not_rule_external_frontends(hold: Hold) -> None:
    """The external frontends of a Service must not be ruled by its internalTrafficPolicy."""
    hold(kinds.internal_policy_alone)


@requirement("etp-both-local", kep(2086), docs("virtual-ips", "traffic policies"))
def test_both_policies(hold: Hold) -> None:
    """Where both traffic policies of a Service are Local, each must rule its own frontends as if
    the other were not.
    """
    hold(kinds.both_policies)
