"""What of kube-proxy, and of loopback addresses, is within reach of others."""

from __future__ import annotations

import json
import socket
from pathlib import Path

from clusters.implementation import OWN_ADDRESSES
from conformance.kube_proxy.iptables.chains import Chains, jumps
from conformance.kube_proxy.process.told import HEALTH, METRICS, told
from conformance.vocabulary import (
    Client,
    Node,
    World,
    by_time,
    expect,
    in_iptables,
    issue,
    kep,
    over,
    requirement,
    setting,
    source,
)

_ROUTE_LOCALNET = Path("/proc/sys/net/ipv4/conf/all/route_localnet")
_SECONDS = 20  # after which a proxy that is ready should serve its metrics
_TOLD = {"lastUpdated", "currentTime", "nodeEligible", "healthy", "status"}
"""All that an answer about health says."""


@requirement(
    "sec-route-localnet-off",
    setting("KubeProxyIPTablesConfiguration.localhostNodePorts"),
    kep(3866),
    issue(90259),
    feature="kube-proxy-modes",
)
def test_loopback_addresses_are_not_routed(bare_node: Node) -> None:
    """Where nodePorts are not to be served at loopback addresses, kube-proxy must not have the
    kernel route these.
    """
    before = bare_node.read(_ROUTE_LOCALNET)
    bare_node.write(_ROUTE_LOCALNET, "0")
    try:
        bare_node.proxy.start({"iptables": {"localhostNodePorts": False}})
        assert bare_node.read(_ROUTE_LOCALNET).strip() == "0"
    finally:
        bare_node.write(_ROUTE_LOCALNET, before)


@requirement(
    "np-localhost-ipt-routed",
    setting("KubeProxyIPTablesConfiguration.localhostNodePorts"),
    source("pkg/proxy/iptables/proxier.go", "route_localnet"),
    issue(90259),
    feature="localhost-node-ports",
)
def test_loopback_addresses_are_routed_where_they_serve(bare_node: Node) -> None:
    """kube-proxy must have the kernel route loopback addresses where nodePorts are served at them,
    and must not where nodePortAddresses lists none of them.
    """
    unlisted = {"nodePortAddresses": list(OWN_ADDRESSES.values())}
    before = bare_node.read(_ROUTE_LOCALNET)
    bare_node.write(_ROUTE_LOCALNET, "0")
    try:
        for configuration, routed in ((unlisted, "0"), (None, "1")):
            bare_node.proxy.start(configuration)
            assert bare_node.read(_ROUTE_LOCALNET).strip() == routed, configuration
            bare_node.proxy.stop()
    finally:
        bare_node.write(_ROUTE_LOCALNET, before)


@in_iptables("sec-martian-rule", source("pkg/proxy/iptables/proxier.go"), issue(90259))
@over(family="IPv4")
def test_what_is_for_loopback_addresses_is_dropped(chains: Chains) -> None:
    """What is for a loopback address and not from one must be dropped in KUBE-FIREWALL, from INPUT
    and OUTPUT, unless it belongs to a connection that is known or was translated.
    """
    found = chains("filter")
    for hook in ("INPUT", "OUTPUT"):
        assert jumps(found)[hook, "KUBE-FIREWALL", False] == 1
    (rule,) = (each for each in found["KUBE-FIREWALL"].rules if each.jump == "DROP")
    assert "! -s 127.0.0.0/8 -d 127.0.0.0/8" in rule
    assert "! --ctstate RELATED,ESTABLISHED,DNAT" in rule


@requirement(
    "sec-metrics-not-exposed",
    setting("KubeProxyConfiguration.metricsBindAddress"),
    feature="kube-proxy-modes",
)
@over(vantage="outside", family="IPv4", protocol="TCP")
def test_metrics_are_for_the_node_alone(bare_node: Node, client: Client) -> None:
    """Unless metricsBindAddress says otherwise, kube-proxy must serve its metrics to the node
    alone, at a loopback address.
    """
    bare_node.proxy.start({"metricsBindAddress": None})

    def served() -> bool:
        with bare_node.system.socket(socket.AF_INET, socket.SOCK_STREAM) as end:
            return end.connect_ex(("127.0.0.1", METRICS)) == 0

    by_time("metrics are served to the node", served, _SECONDS)
    node = bare_node.address("IPv4")
    expect(client.connect(node, METRICS)).rejected(by=node)


@requirement(
    "sec-healthz-readonly",
    source("pkg/proxy/healthcheck/proxy_health.go"),
    feature="kube-proxy-modes",
)
def test_answers_about_health_tell_nothing_else(world: World) -> None:
    """Who asks kube-proxy for its health, by whichever method and with whichever body, must be told
    that and nothing else.
    """
    answers = []
    for method, body in (("GET", None), ("POST", b'{"nodeEligible": false}'), ("DELETE", None)):
        answer = told(world.node, HEALTH, "/healthz", method, body)
        answers.append((answer.status, set(json.loads(answer.body)) - _TOLD))
    assert answers == [(200, set[str]())] * 3, answers
