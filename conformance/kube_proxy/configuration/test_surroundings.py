"""What kube-proxy finds on its node, and at the API, with which it must not start."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from clusters.registration import write_addresses
from conformance.kube_proxy.configuration.conftest import Refuses
from conformance.kube_proxy.process.starts import assert_refuses, without_ipv6
from conformance.vocabulary import (
    CLUSTER_CIDRS,
    Node,
    World,
    networks,
    requirement,
    setting,
    source,
)

_CHECK: Final = source("cmd/kube-proxy/app/server.go", "checkBadIPConfig")
_NAME = "of-another-family"
_FURTHER: Final = networks("192.0.2.240/28", "2001:db8:0:1::1:0/112")


@requirement(
    "cfg-family-mismatch",
    setting("KubeProxyConfiguration.clusterCIDR"),
    _CHECK,
    feature="kube-proxy-modes",
)
def test_networks_of_the_other_family(bare_node: Node) -> None:
    """Where clusterCIDR names networks of the other family than the node's primary one alone,
    kube-proxy must say so in its log, and must refuse to start where it serves one family.
    """
    proxy = bare_node.proxy
    configuration = {"clusterCIDR": str(CLUSTER_CIDRS["IPv6"])}
    said = "clusterCIDRs contains only IPv6 addresses"
    position = proxy.log_position()
    proxy.start(configuration)
    assert said in proxy.log_since(position)
    proxy.stop()
    proxy.cleanup()
    wrapper = without_ipv6(bare_node)
    assert_refuses(bare_node, said, configuration=configuration, wrapper=wrapper)


@contextmanager
def _another_node(world: World) -> Iterator[str]:
    """The name of a Node with an address of IPv4, and pods of IPv6."""
    api, network = world.cluster.api, str(_FURTHER["IPv6"])
    spec = {"podCIDR": network, "podCIDRs": [network]}
    api.create("nodes", {"metadata": {"name": _NAME}, "spec": spec})
    try:
        write_addresses(api, _NAME, [_FURTHER["IPv4"][1]])
        yield _NAME
    finally:
        api.delete("nodes", _NAME)


@requirement(
    "cfg-nodecidr-family",
    setting("KubeProxyConfiguration.detectLocalMode"),
    _CHECK,
    feature="kube-proxy-modes",
)
def test_pods_of_the_other_family(world: World, refuses: Refuses) -> None:
    """With detectLocalMode NodeCIDR, kube-proxy must refuse to start where all podCIDRs of its Node
    are of the other family than the Node's primary address, and must say so.
    """
    with _another_node(world) as name:
        refuses(
            {"detectLocalMode": "NodeCIDR", "hostnameOverride": name},
            "node.spec.podCIDRs contains only IPv6 addresses",
        )


_SAID: Final = {
    "iptables": "iptables is not available on this host",
    "ipvs": "iptables is not available on this host",
    "nftables": "could not find nftables",
}


@requirement(
    "cfg-no-iptables",
    source("cmd/kube-proxy/app/server_linux.go", "platformCheckSupported"),
    source("pkg/proxy/nftables/supported.go"),
    feature="kube-proxy-modes",
)
def test_nothing_to_program_with(bare_node: Node, mode: str) -> None:
    """Where the programs are missing by which its mode programs the kernel, kube-proxy must refuse
    to start, and must say so.
    """
    wrapper = ("sh", "-c", 'PATH=/nowhere exec "$@"', "sh")
    assert_refuses(bare_node, _SAID[mode], wrapper=wrapper)
