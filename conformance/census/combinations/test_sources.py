"""Whose address endpoints see, of every Service."""

from __future__ import annotations

from conformance.census.combinations.kinds import sources
from conformance.census.conftest import Hold
from conformance.vocabulary import docs, requirement, setting, source


@requirement(
    "masq-pod-np",
    source(
        "pkg/proxy/iptables/proxier_test.go", "TestInternalExternalMasquerade 'pod to NodePort'"
    ),
    feature="external-masquerade-of-pods",
)
def test_pods_at_node_ports(hold: Hold) -> None:
    """Under externalTrafficPolicy Cluster, an endpoint must see a pod's connection to a nodePort
    come from the node's address.
    """
    hold(sources.pod_at_a_node_port)


@requirement(
    "masq-pod-lb",
    source("pkg/proxy/iptables/proxier_test.go", "TestInternalExternalMasquerade 'pod to LB'"),
    feature="external-masquerade-of-pods",
)
def test_pods_at_external_addresses(hold: Hold) -> None:
    """Under externalTrafficPolicy Cluster, an endpoint must see a pod's connection to an external
    IP or a load balancer's IP come from the node's address.
    """
    hold(sources.pod_at_an_address_of_a_service)


@requirement(
    "masq-detect-clustercidr",
    setting("KubeProxyConfiguration.clusterCIDR"),
    docs("kube-proxy", note="--cluster-cidr"),
    source("pkg/proxy/util/localdetector_test.go", "TestDetectLocalByCIDR"),
    feature="cluster-ip-masquerade",
)
def test_networks_of_pods(hold: Hold) -> None:
    """With detectLocalMode ClusterCIDR, whoever has an address in the cluster's network of pods
    must be seen at the endpoints of a cluster IP by that address, and whoever has none must be seen
    there by the node's.
    """
    hold(sources.told_by_its_network)
