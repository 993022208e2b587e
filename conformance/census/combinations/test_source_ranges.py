"""Source ranges: who may send to a load balancer's IP, and to what else."""

from __future__ import annotations

from conformance.census.combinations import kinds
from conformance.census.conftest import Hold
from conformance.vocabulary import api, e2e, kep, requirement, source


@requirement(
    "lbsr-allow",
    api("Service", "spec.loadBalancerSourceRanges"),
    source("pkg/proxy/iptables/proxier_test.go", "TestLoadBalancer"),
)
def test_inside(hold: Hold) -> None:
    """A client in one of a Service's loadBalancerSourceRanges must be served at the load
    balancer's IP.
    """
    hold(kinds.admitted)


@requirement(
    "lbsr-deny",
    api("Service", "spec.loadBalancerSourceRanges"),
    e2e("loadbalancer", "source ranges"),
)
def test_outside(hold: Hold) -> None:
    """A client outside the cluster that is in none of a Service's loadBalancerSourceRanges
    must not get through to its endpoints by the load balancer's IP, nor leave the node by
    it.
    """
    hold(kinds.shut_out)


@requirement(
    "lbsr-pods-subject",
    source("pkg/proxy/iptables/proxier_test.go", "TestLoadBalancer"),
    e2e("loadbalancer", "source ranges"),
)
def test_pods(hold: Hold) -> None:
    """Pods that are in none of a Service's loadBalancerSourceRanges must not get through by
    the load balancer's IP, either.
    """
    hold(kinds.pod_shut_out)


@requirement("lbsr-host-subject", source("pkg/proxy/iptables/proxier.go", "KUBE-PROXY-FIREWALL"))
def test_the_node(hold: Hold) -> None:
    """Processes on the node must not get through by the load balancer's IP, either, where
    the node is in none of the Service's loadBalancerSourceRanges.
    """
    hold(kinds.node_shut_out)


@requirement("lbsr-multi", api("Service", "spec.loadBalancerSourceRanges"))
def test_several(hold: Hold) -> None:
    """A client that is in one of several loadBalancerSourceRanges must be served at the
    load balancer's IP.
    """
    hold(kinds.one_of_several_ranges)


@requirement("lbsr-zero-cidr", source("pkg/proxy/iptables/proxier_test.go", "TestLoadBalancer"))
def test_everybody(hold: Hold) -> None:
    """A range of all addresses among a Service's loadBalancerSourceRanges must open the
    load balancer's IP to every client of its family.
    """
    hold(kinds.admitted_by_zero)


@requirement("lbsr-multi-vip", source("pkg/proxy/iptables/proxier_test.go", "TestLoadBalancer"))
def test_either_ip(hold: Hold) -> None:
    """A Service's loadBalancerSourceRanges must be enforced at every load balancer's IP of
    it.
    """
    hold(kinds.shut_out_at_the_second)


@requirement("lbsr-udp", api("Service", "spec.loadBalancerSourceRanges"))
def test_datagrams(hold: Hold) -> None:
    """A Service's loadBalancerSourceRanges must be enforced whatever the protocol is."""
    hold(kinds.datagrams_shut_out)


@requirement("lbsr-etp-local", api("Service", "spec.loadBalancerSourceRanges"))
def test_local_policy(hold: Hold) -> None:
    """Under externalTrafficPolicy Local, a client from outside in one of the
    loadBalancerSourceRanges must be sent to the node's own endpoints, and be seen there by
    its own address.
    """
    hold(kinds.admitted_under_local)


@requirement("lbsr-clusterip-unfiltered", api("Service", "spec.loadBalancerSourceRanges"))
def test_cluster_ips(hold: Hold) -> None:
    """A Service's loadBalancerSourceRanges must not keep clients from its cluster IP."""
    hold(kinds.cluster_ip_unfiltered)


@requirement("eip-no-lbsr", api("Service", "spec.loadBalancerSourceRanges"))
def test_external_ips(hold: Hold) -> None:
    """A Service's loadBalancerSourceRanges must not keep clients from its external IPs."""
    hold(kinds.external_ip_unfiltered)


@requirement("np-lbsr-bypass", source("pkg/proxy/iptables/proxier_test.go", "TestLoadBalancer"))
def test_node_ports(hold: Hold) -> None:
    """A Service's loadBalancerSourceRanges must not keep clients from its nodePort."""
    hold(kinds.node_port_unfiltered)


@requirement("ipm-proxy-lbsr", kep(1860))
def test_left_to_the_load_balancer(hold: Hold) -> None:
    """A Service's loadBalancerSourceRanges must not be enforced at a load balancer's IP
    whose ipMode is Proxy.
    """
    hold(kinds.balancer_takes_it_whatever_the_ranges)
