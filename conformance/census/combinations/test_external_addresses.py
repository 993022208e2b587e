"""Load balancers' IPs and external IPs: which the node serves, for whom, and at which ports."""

from __future__ import annotations

from conformance.census.combinations.kinds import external_ips, left_alone, load_balancers
from conformance.census.conftest import Hold
from conformance.vocabulary import api, docs, e2e, kep, requirement, source


@requirement("ipm-vip-default", kep(1860), api("Service", "status.loadBalancer.ingress.ipMode"))
def test_load_balancers_ip(hold: Hold) -> None:
    """A load balancer's IP must be served by the node unless its ipMode is Proxy."""
    hold(load_balancers.captured)


@requirement(
    "lbip-capture-external",
    docs("service", "type LoadBalancer"),
    source("pkg/proxy/iptables/proxier_test.go", "TestLoadBalancer"),
)
def test_load_balancers_ip_from_outside(hold: Hold) -> None:
    """New connections from outside the cluster to a load balancer's IP that come to the
    node must be sent to an endpoint.
    """
    hold(load_balancers.captured_from_outside)


@requirement("lbip-capture-pod", kep(1860))
def test_load_balancers_ip_from_pods(hold: Hold) -> None:
    """Pods' new connections to a load balancer's IP must be sent to an endpoint by the
    node, and not to the load balancer.
    """
    hold(load_balancers.captured_from_pods)


@requirement("lbip-capture-host", kep(1860))
def test_load_balancers_ip_from_the_node(hold: Hold) -> None:
    """What processes on the node send to a load balancer's IP must be sent to an endpoint,
    and not to the load balancer.
    """
    hold(load_balancers.captured_from_the_node)


@requirement("lbip-multi-ingress", source("pkg/proxy/iptables/proxier_test.go", "TestLoadBalancer"))
def test_either_load_balancers_ip(hold: Hold) -> None:
    """Every IP that the status of a Service lists for its load balancer must be served."""
    hold(load_balancers.one_of_two_balancers_ips)


@requirement("lbip-hostname-mixed", source("pkg/proxy/serviceport.go", "newBaseServiceInfo"))
def test_load_balancer_with_a_hostname(hold: Hold) -> None:
    """A load balancer's IP must be served where the status of the Service lists a hostname,
    too.
    """
    hold(load_balancers.beside_a_hostname)


@requirement(
    "lbip-no-nodeports",
    docs("service", "type LoadBalancer"),
    e2e("loadbalancer", "without NodePort"),
)
def test_load_balancer_without_node_ports(hold: Hold) -> None:
    """A load balancer's IP must be served where the Service has no nodePorts."""
    hold(load_balancers.without_node_ports)


@requirement("lbip-no-nodeports-local", docs("service", "type LoadBalancer"))
def test_load_balancer_without_node_ports_under_local(hold: Hold) -> None:
    """Under externalTrafficPolicy Local, too, a load balancer's IP must be served where the
    Service has no nodePorts.
    """
    hold(load_balancers.without_node_ports_under_local)


@requirement("lbip-hostname-only", source("pkg/proxy/serviceport.go", "newBaseServiceInfo"))
def test_load_balancer_with_a_hostname_alone(hold: Hold) -> None:
    """The cluster IP, the nodePort and the external IPs of a Service must be served where its
    load balancer has a hostname and no IP.
    """
    hold(load_balancers.beside_a_hostname_alone)


@requirement(
    "lbip-masq-cluster",
    docs("source-ip", "Services with type LoadBalancer"),
    source("pkg/proxy/iptables/proxier_test.go", "TestExternalTrafficPolicyCluster"),
)
def test_load_balancers_ip_under_cluster(hold: Hold) -> None:
    """Under externalTrafficPolicy Cluster, endpoints must see connections from outside to a
    load balancer's IP come from the node's address, wherever the endpoints are.
    """
    hold(load_balancers.captured_as_the_node)


@requirement("lbip-other-port", kep(3866))
def test_other_port_of_a_load_balancers_ip(hold: Hold) -> None:
    """What is sent to a load balancer's IP at a port that the Service does not have must reach
    none of its endpoints.
    """
    hold(load_balancers.unserved_at_a_balancers_ip)


@requirement("lbip-class-ignored", kep(1959))
def test_load_balancer_of_a_class(hold: Hold) -> None:
    """A Service's loadBalancerClass must have no influence on how its load balancer's IP is
    served.
    """
    hold(load_balancers.of_a_class)


@requirement(
    "ipm-proxy",
    kep(1860),
    source("pkg/proxy/iptables/proxier_test.go", "TestLoadBalancerIngressRouteTypeProxy"),
)
def test_load_balancer_takes_it_itself(hold: Hold) -> None:
    """What is sent to a load balancer's IP whose ipMode is Proxy must leave the node
    untouched.
    """
    hold(load_balancers.balancer_takes_it_itself)


@requirement("ipm-proxy-nodeport", kep(1860))
def test_other_frontends_beside_ip_mode_proxy(hold: Hold) -> None:
    """The ipMode Proxy of a load balancer's IP must have no influence on the cluster IP,
    the nodePort and the external IPs of the Service.
    """
    hold(load_balancers.beside_a_proxy)


@requirement("ipm-mixed", kep(1860))
def test_ip_mode_by_entry(hold: Hold) -> None:
    """A load balancer's IP must be served although that of another entry in the status of
    the Service has the ipMode Proxy.
    """
    hold(load_balancers.one_mode_each)


@requirement("np-lbip-nodeport", source("pkg/proxy/nftables/proxier.go", "service-nodeports"))
def test_node_port_at_external_addresses(hold: Hold) -> None:
    """The number of a Service's nodePort must not lead to its endpoints at external IPs and
    load balancers' IPs.
    """
    hold(load_balancers.node_port_at_a_balancers_ip)


@requirement("eip-unserved-port", kep(3866))
def test_other_port_of_an_external_ip(hold: Hold) -> None:
    """What is sent to a Service's external IP at a port that the Service does not have must
    reach none of its endpoints.
    """
    hold(load_balancers.unserved_at_an_external_ip)


@requirement("eip-capture-external", docs("service", "external IPs"))
def test_external_ip_from_outside(hold: Hold) -> None:
    """New connections from outside the cluster to a Service's external IP that come to the
    node must be sent to an endpoint.
    """
    hold(external_ips.external_from_outside)


@requirement("eip-capture-pod", e2e("service", "ExternalIP"))
def test_external_ip_from_pods(hold: Hold) -> None:
    """Pods' new connections to a Service's external IP must be sent to an endpoint."""
    hold(external_ips.external_from_pods)


@requirement("eip-capture-host", docs("service", "external IPs"))
def test_external_ip_from_the_node(hold: Hold) -> None:
    """What processes on the node send to a Service's external IP must be sent to an
    endpoint.
    """
    hold(external_ips.external_from_the_node)


@requirement(
    "eip-local-policy",
    source("pkg/proxy/iptables/proxier_test.go", "TestExternalTrafficPolicyLocal"),
)
def test_external_ip_under_local(hold: Hold) -> None:
    """Under externalTrafficPolicy Local, new connections from outside to a Service's
    external IP must be sent to the node's own endpoints alone, and be seen there by the
    client's own address.
    """
    hold(external_ips.external_under_local)


@requirement("eip-any-type", docs("service", "external IPs"))
def test_external_ip_of_any_type(hold: Hold) -> None:
    """Services of the types ClusterIP, NodePort and LoadBalancer must be served at their
    external IPs.
    """
    hold(external_ips.external_of_any_type)


@requirement("eip-multi", docs("service", "external IPs"))
def test_either_external_ip(hold: Hold) -> None:
    """Each of a Service's external IPs must be served."""
    hold(external_ips.either_external_ip)


@requirement(
    "eip-masq-cluster",
    source("pkg/proxy/iptables/proxier_test.go", "TestExternalTrafficPolicyCluster"),
)
def test_external_ip_under_cluster(hold: Hold) -> None:
    """Under externalTrafficPolicy Cluster, endpoints must see connections from outside to an
    external IP come from the node's address, wherever the endpoints are.
    """
    hold(external_ips.external_as_the_node)


@requirement("eip-etp-on-clusterip-type", api("Service", "spec.externalTrafficPolicy"))
def test_external_ip_of_type_cluster_ip(hold: Hold) -> None:
    """A Service's externalTrafficPolicy must be followed at its external IPs where its type
    is ClusterIP, too.
    """
    hold(external_ips.external_of_a_cluster_ip_service)


@requirement("ds-eip-split", source("pkg/proxy/serviceport.go", "newBaseServiceInfo"))
def test_addresses_of_the_other_family(hold: Hold) -> None:
    """External IPs and load balancers' IPs of a family that the Service does not have must
    not lead to its endpoints.
    """
    hold(left_alone.of_the_other_family)


@requirement("lbip-other-family-ignored", source("pkg/proxy/serviceport.go", "newBaseServiceInfo"))
def test_load_balancers_ip_of_the_other_family(hold: Hold) -> None:
    """A load balancer's IP of a family that the Service does not have must not lead to its
    endpoints.
    """
    hold(left_alone.balancers_ip_of_the_other_family)


@requirement("sec-proxy-name-label", kep(2447), e2e("service", "service-proxy-name"))
def test_services_of_another_proxy(hold: Hold) -> None:
    """What is sent to the addresses and nodePorts of a Service that is labelled for another
    proxy must not be sent to its endpoints.
    """
    hold(left_alone.another_proxys)
