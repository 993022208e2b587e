"""Source ranges: who may send to a load balancer's IP, and to what else."""

from __future__ import annotations

from conformance.census.combinations.kinds import load_balancers, source_ranges
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
    hold(source_ranges.admitted)


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
    hold(source_ranges.shut_out)


@requirement(
    "lbsr-pods-subject",
    source("pkg/proxy/iptables/proxier_test.go", "TestLoadBalancer"),
    e2e("loadbalancer", "source ranges"),
)
def test_pods(hold: Hold) -> None:
    """Pods that are in none of a Service's loadBalancerSourceRanges must not get through by
    the load balancer's IP, either.
    """
    hold(source_ranges.pod_shut_out)


@requirement("lbsr-host-subject", source("pkg/proxy/iptables/proxier.go", "KUBE-PROXY-FIREWALL"))
def test_the_node(hold: Hold) -> None:
    """Processes on the node must not get through by the load balancer's IP, either, where
    the node is in none of the Service's loadBalancerSourceRanges.
    """
    hold(source_ranges.node_shut_out)


@requirement("lbsr-multi", api("Service", "spec.loadBalancerSourceRanges"))
def test_several(hold: Hold) -> None:
    """A client that is in one of several loadBalancerSourceRanges must be served at the
    load balancer's IP.
    """
    hold(source_ranges.one_of_several_ranges)


@requirement("lbsr-zero-cidr", source("pkg/proxy/iptables/proxier_test.go", "TestLoadBalancer"))
def test_everybody(hold: Hold) -> None:
    """A range of all addresses among a Service's loadBalancerSourceRanges must open the
    load balancer's IP to every client of its family.
    """
    hold(source_ranges.admitted_by_zero)


@requirement("lbsr-whitespace", source("pkg/proxy/serviceport.go", "newBaseServiceInfo"))
def test_blanks(hold: Hold) -> None:
    """Blanks around a range, which the API takes, must be of no consequence to whom a
    Service's loadBalancerSourceRanges admit.
    """
    hold(source_ranges.ranges_with_blanks)


@requirement(
    "lbsr-annotation",
    source("pkg/proxy/serviceport.go", "newBaseServiceInfo"),
    feature="kube-proxy-modes",
)
def test_annotation(hold: Hold) -> None:
    """The annotation service.beta.kubernetes.io/load-balancer-source-ranges, which controllers
    of load balancers read, must keep nobody from a load balancer's IP at the node.
    """
    hold(source_ranges.annotated)


@requirement("lbsr-multi-vip", source("pkg/proxy/iptables/proxier_test.go", "TestLoadBalancer"))
def test_either_ip(hold: Hold) -> None:
    """A Service's loadBalancerSourceRanges must be enforced at every load balancer's IP of
    it.
    """
    hold(source_ranges.shut_out_at_the_second)


@requirement("lbsr-udp", api("Service", "spec.loadBalancerSourceRanges"))
def test_datagrams(hold: Hold) -> None:
    """A Service's loadBalancerSourceRanges must be enforced whatever the protocol is."""
    hold(source_ranges.datagrams_shut_out)


@requirement("lbsr-etp-local", api("Service", "spec.loadBalancerSourceRanges"))
def test_local_policy(hold: Hold) -> None:
    """Under externalTrafficPolicy Local, a client from outside in one of the
    loadBalancerSourceRanges must be sent to the node's own endpoints, and be seen there by
    its own address.
    """
    hold(source_ranges.admitted_under_local)


@requirement("lbsr-clusterip-unfiltered", api("Service", "spec.loadBalancerSourceRanges"))
def test_cluster_ips(hold: Hold) -> None:
    """A Service's loadBalancerSourceRanges must not keep clients from its cluster IP."""
    hold(source_ranges.cluster_ip_unfiltered)


@requirement("eip-no-lbsr", api("Service", "spec.loadBalancerSourceRanges"))
def test_external_ips(hold: Hold) -> None:
    """A Service's loadBalancerSourceRanges must not keep clients from its external IPs."""
    hold(source_ranges.external_ip_unfiltered)


@requirement("np-lbsr-bypass", source("pkg/proxy/iptables/proxier_test.go", "TestLoadBalancer"))
def test_node_ports(hold: Hold) -> None:
    """A Service's loadBalancerSourceRanges must not keep clients from its nodePort."""
    hold(source_ranges.node_port_unfiltered)


@requirement("ipm-proxy-lbsr", kep(1860))
def test_left_to_the_load_balancer(hold: Hold) -> None:
    """A Service's loadBalancerSourceRanges must not be enforced at a load balancer's IP
    whose ipMode is Proxy.
    """
    hold(load_balancers.balancer_takes_it_whatever_the_ranges)
