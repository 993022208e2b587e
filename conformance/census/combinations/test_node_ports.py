"""NodePorts, of every Service that has one."""

from __future__ import annotations

from conformance.census.combinations.kinds import node_ports
from conformance.census.conftest import Hold
from conformance.vocabulary import api, docs, kep, requirement, source


@requirement("np-multi-port", docs("service", "multi-port Services"))
def test_several(hold: Hold) -> None:
    """Each nodePort of a Service that has several must lead to the target port that belongs to
    it.
    """
    hold(node_ports.one_of_several_node_ports)


@requirement("np-dualstack-both", kep(2438), api("Service", "spec.ports.nodePort"))
def test_both_families(hold: Hold) -> None:
    """The nodePort of a dual-stack Service must be served at the node's addresses of both
    families, each by endpoints of its own family.
    """
    hold(node_ports.node_port_of_both_families)


@requirement("np-singlestack-other-family", kep(2438))
def test_other_family(hold: Hold) -> None:
    """The nodePort of a Service of one family must not be served at the node's address of the
    other.
    """
    hold(node_ports.node_port_of_the_other_family)


@requirement(
    "np-itp-ignored",
    kep(2086),
    source("pkg/proxy/iptables/proxier_test.go", "TestInternalExternalMasquerade"),
)
def test_internal_policy(hold: Hold) -> None:
    """Under internalTrafficPolicy Local, a nodePort must be served by endpoints on other nodes, for
    pods too, where externalTrafficPolicy is Cluster.
    """
    hold(node_ports.node_port_under_internal_local)


@requirement("np-noep", source("pkg/proxy/iptables/proxier_test.go", "TestNoEndpointsReject"))
def test_without_endpoints(hold: Hold) -> None:
    """New connections to a nodePort must be refused at once, whoever makes them, where the Service
    has no endpoint anywhere that may be chosen.
    """
    hold(node_ports.node_port_without_endpoints)
