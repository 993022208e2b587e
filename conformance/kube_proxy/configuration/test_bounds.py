"""Values at the bounds of what fields of kube-proxy's configuration may have, and beyond."""

from __future__ import annotations

from typing import Final

from conformance.kube_proxy.configuration.conftest import NO_ADDRESS, Refuses
from conformance.kube_proxy.configuration.effective import Effective
from conformance.kube_proxy.process.starts import field
from conformance.vocabulary import Node, in_ipvs, in_nftables, requirement, setting, source

_CHECKED_AT: Final = "pkg/proxy/apis/config/validation/validation.go"
_CHECKED: Final = source(_CHECKED_AT)
_FROM_0_TO_31 = "must be within the range [0, 31]"


@requirement(
    "cfg-masq-bit",
    setting("KubeProxyIPTablesConfiguration.masqueradeBit"),
    _CHECKED,
    feature="kube-proxy-modes",
)
def test_masquerade_bit(refuses: Refuses) -> None:
    """kube-proxy must refuse to start with an iptables.masqueradeBit that is not within 0 and 31,
    in every mode.
    """
    for bit in (-1, 32):
        said = f"Invalid value: {bit}: {_FROM_0_TO_31}"
        named = field("IPTablesConfiguration.MasqueradeBit", "iptables.masqueradeBit", said)
        refuses({"iptables": {"masqueradeBit": bit}}, named)


@in_nftables("cfg-masq-bit-nft", setting("KubeProxyNFTablesConfiguration.masqueradeBit"), _CHECKED)
def test_masquerade_bit_of_nftables_mode(refuses: Refuses) -> None:
    """In nftables mode, kube-proxy must refuse to start with an nftables.masqueradeBit that is not
    within 0 and 31.
    """
    for bit in (-1, 32):
        said = f"Invalid value: {bit}: {_FROM_0_TO_31}"
        named = field("NFTablesConfiguration.MasqueradeBit", "nftables.masqueradeBit", said)
        refuses({"nftables": {"masqueradeBit": bit}}, named)


@requirement(
    "cfg-min-sync",
    setting("KubeProxyIPTablesConfiguration.minSyncPeriod"),
    _CHECKED,
    feature="kube-proxy-modes",
)
def test_minimal_sync_period(refuses: Refuses, mode: str) -> None:
    """kube-proxy must refuse to start with a minSyncPeriod of its mode that is negative, or longer
    than its syncPeriod.
    """
    refuses(
        {mode: {"minSyncPeriod": "-1ns"}},
        field(".MinSyncPeriod", f"{mode}.minSyncPeriod"),
        "must be greater than",
    )
    periods = {"minSyncPeriod": "61s", "syncPeriod": "60s"}
    refuses({mode: periods}, field(".SyncPeriod", f"{mode}.syncPeriod"), "greater than or equal to")


@requirement(
    "cfg-bind-addr",
    setting("KubeProxyConfiguration.bindAddress"),
    _CHECKED,
    feature="kube-proxy-modes",
)
def test_bind_address(refuses: Refuses) -> None:
    """kube-proxy must refuse to start with a bindAddress that is no IP address."""
    for bad in ("localhost", "192.0.2.1:80"):
        refuses({"bindAddress": bad}, field(".BindAddress", "bindAddress"), bad, "not a valid")


@requirement(
    "cfg-metrics-addr",
    setting("KubeProxyConfiguration.metricsBindAddress"),
    _CHECKED,
    feature="kube-proxy-modes",
)
def test_address_of_metrics(refuses: Refuses) -> None:
    """kube-proxy must refuse to start with a metricsBindAddress that is not an IP address with a
    port from 1 to 65535, or without one.
    """
    for bad, why in NO_ADDRESS:
        refuses({"metricsBindAddress": bad}, field("MetricsBindAddress", "metricsBindAddress"), why)


@requirement(
    "cfg-nodeport-addrs",
    setting("KubeProxyConfiguration.nodePortAddresses"),
    _CHECKED,
    feature="kube-proxy-modes",
)
def test_addresses_of_node_ports(refuses: Refuses) -> None:
    """kube-proxy must refuse to start where an entry of nodePortAddresses is neither a network nor
    a keyword.
    """
    bad = ["192.0.2.1", "192.0.2.0/33", "secondary", ""]
    said = (
        field(f"NodePortAddresses[{number}]", f"nodePortAddresses[{number}]")
        for number in range(1, 1 + len(bad))
    )
    refuses({"nodePortAddresses": ["192.0.2.0/24", *bad]}, *said, "must be a valid CIDR")


@requirement(
    "cfg-nodeport-primary-alone",
    source(_CHECKED_AT, release="v1.36.3"),  # the last that asks for it
    feature="lone-primary-addresses",
)
def test_primary_addresses_stand_alone(refuses: Refuses) -> None:
    """kube-proxy must refuse to start where nodePortAddresses has "primary" beside others."""
    for both in (["primary", "::/0"], ["::/0", "primary"]):
        refuses({"nodePortAddresses": both}, "NodePortAddresses[", "can't use both 'primary'")


@requirement(
    "cfg-nodeport-keywords",
    setting("KubeProxyConfiguration.nodePortAddresses"),
    _CHECKED,
    feature="node-port-keywords",
)
def test_keywords_for_addresses_of_node_ports(refuses: Refuses, bare_node: Node) -> None:
    """kube-proxy must refuse to start where a keyword is twice in nodePortAddresses, and must start
    where each is there beside the others and a network.
    """
    keywords = ["primary", "localhost", "all"]
    for each in keywords:
        twice = {"nodePortAddresses": [each, "192.0.2.0/24", each]}
        said = field("NodePortAddresses[2]", "nodePortAddresses[2]", "Duplicate value")
        refuses(twice, said, each)
    bare_node.proxy.start({"nodePortAddresses": [*keywords, "192.0.2.0/24"]})


@requirement(
    "cfg-cluster-cidr",
    setting("KubeProxyConfiguration.clusterCIDR"),
    _CHECKED,
    feature="kube-proxy-modes",
)
def test_networks_of_pods(refuses: Refuses) -> None:
    """kube-proxy must refuse to start with a clusterCIDR that is no network, two of one family, or
    three.
    """
    for bad in ("10.0.0.0", "10.0.0.0/8,192.168.0.0/16", "10.0.0.0/8,2001:db8::/64,192.168.0.0/16"):
        refuses(
            {"clusterCIDR": bad},
            ("ClusterCIDR", "clusterCIDR:"),
            "Invalid value",
            "CIDR",
            bad.split(",")[-1],
        )


@requirement(
    "cfg-oom", setting("KubeProxyConfiguration.oomScoreAdj"), _CHECKED, feature="kube-proxy-modes"
)
def test_oom_score(refuses: Refuses, at_bounds: Effective) -> None:
    """kube-proxy must give its process an oomScoreAdj of 1000, and must refuse to start with one
    that is not within -1000 and 1000.
    """
    assert at_bounds.oom_score == 1000
    for bad in (-1001, 1001):
        said = f"Invalid value: {bad}: must be within the range [-1000, 1000]"
        refuses({"oomScoreAdj": bad}, field("OOMScoreAdj", "oomScoreAdj", said))


@in_ipvs("cfg-ipvs-exclude", setting("KubeProxyIPVSConfiguration.excludeCIDRs"), _CHECKED)
def test_networks_that_ipvs_mode_leaves_alone(refuses: Refuses) -> None:
    """In IPVS mode, kube-proxy must refuse to start where an entry of ipvs.excludeCIDRs is no
    network.
    """
    bad = ["192.0.2.1", "2001:db8::/129", ""]
    said = (
        field(f"ExcludeCidrs[{number}]", f"ipvs.excludeCIDRs[{number}]")
        for number in range(1, 1 + len(bad))
    )
    refuses({"ipvs": {"excludeCIDRs": ["::/0", *bad]}}, *said, "must be a valid CIDR")


@requirement(
    "cfg-show-hidden",
    setting("KubeProxyConfiguration.showHiddenMetricsForVersion"),
    _CHECKED,
    feature="kube-proxy-modes",
)
def test_hidden_metrics(refuses: Refuses, previous: str) -> None:
    """kube-proxy must refuse to start with a showHiddenMetricsForVersion that is not the minor
    version before its own, and must name that.
    """
    name = "showHiddenMetricsForVersion"
    major, _, minor = previous.partition(".")
    for bad in (f"{major}.{int(minor) + 1}", f"{major}.{int(minor) - 1}"):
        said = field("ShowHiddenMetricsForVersion", name)
        refuses({name: bad}, said, bad, f"'{previous}'")


_LOCKED: Final = ("JobReadyPods", "KubeProxyDrainingTerminatingNodes", "NFTablesProxyMode")
"""Gates that releases have for good: one or another of them each."""


@requirement(
    "cfg-feature-gates",
    setting("KubeProxyConfiguration.featureGates"),
    source("cmd/kube-proxy/app/options.go", "Complete"),
    feature="kube-proxy-modes",
)
def test_gates(refuses: Refuses, at_bounds: Effective) -> None:
    """kube-proxy must refuse to start with a feature gate that it does not know, with a value that
    is neither true nor false, and where one is to be closed that is open for good.
    """
    refuses({"featureGates": {"NoSuchGate": True}}, "unrecognized feature gate", "NoSuchGate")
    refuses({"featureGates": {"AllAlpha": "perhaps"}}, "cannot unmarshal", "featureGates")
    known = 'kubernetes_feature_enabled{name="%s",stage=""} 1'
    locked = next(gate for gate in _LOCKED if known % gate in at_bounds.metrics)
    refuses({"featureGates": {locked: False}}, f"cannot set feature gate {locked} to false")


@requirement(
    "cfg-bounds", setting("KubeProxyConfiguration"), _CHECKED, feature="configuration-by-fields"
)
def test_bounds(at_bounds: Effective, mode: str, previous: str) -> None:
    """kube-proxy must take the values at the bounds of what its fields may have, must go by them,
    and must tell them at /configz.
    """
    found = at_bounds.configuration
    masquerade = "nftables" if mode == "nftables" else "iptables"
    assert found[masquerade]["masqueradeBit"] == 31
    assert found[mode]["minSyncPeriod"] == found[mode]["syncPeriod"] == "1m0s"
    assert found["bindAddress"] == "::"
    assert found["metricsBindAddress"].endswith(":65535")
    assert found["nodePortAddresses"] == ["0.0.0.0/0", "::/0"]
    assert found["clusterCIDR"] == "10.0.0.0/8"
    assert found["oomScoreAdj"] == 1000
    assert found["showHiddenMetricsForVersion"] == previous
    assert found["ipvs"]["excludeCIDRs"] == ["::/0", "192.0.2.1/32"]
