"""What kube-proxy goes by where its configuration says nothing, or what it does not know."""

from __future__ import annotations

from typing import Any, Final

import pytest

from conformance.kube_proxy.configuration.effective import Effective, effective
from conformance.kube_proxy.process.told import METRICS
from conformance.vocabulary import (
    LOOPBACK,
    Client,
    Service,
    World,
    arranged,
    docs,
    expect,
    over,
    requirement,
    setting,
    source,
)

_FILE: Final = source("cmd/kube-proxy/app/options.go", "loadConfig")
_UNKNOWN = "noSuchField"

_NOTHING: Final[dict[str, Any]] = {
    "healthzBindAddress": "",
    "metricsBindAddress": "",
    "configSyncPeriod": "0s",
    "clientConnection": {"qps": 0, "burst": 0},
    "iptables": {"syncPeriod": "0s", "minSyncPeriod": "0s"},
    "ipvs": None,
    "nftables": None,
    _UNKNOWN: {"mode": "unknown"},
}
"""Fields that are absent, zero or empty, all of which is the same; and one that there is not."""

_PERIODS: Final = {"syncPeriod": "30s", "minSyncPeriod": "1s"}
_DEFAULTS: Final[dict[str, Any]] = {
    "bindAddress": "0.0.0.0",
    "healthzBindAddress": "0.0.0.0:10256",
    "metricsBindAddress": "127.0.0.1:10249",
    "bindAddressHardFail": False,
    "enableProfiling": False,
    "configSyncPeriod": "15m0s",
    "detectLocalMode": "ClusterCIDR",
    "oomScoreAdj": -999,
    "showHiddenMetricsForVersion": "",
    "portRange": "",
    "clientConnection": {
        "qps": 5,
        "burst": 10,
        "contentType": "application/vnd.kubernetes.protobuf",
    },
    "iptables": {"masqueradeBit": 14, "masqueradeAll": False, "localhostNodePorts": True},
    "nftables": {"masqueradeBit": 14, "masqueradeAll": False},
    "ipvs": {"scheduler": "", "strictARP": False, "excludeCIDRs": None},
}
_OF_MODES: Final[dict[str, dict[str, Any]]] = {
    "iptables": {"iptables": _PERIODS, "nodePortAddresses": None},
    "nftables": {"nftables": _PERIODS, "nodePortAddresses": ["primary"]},
    "ipvs": {"ipvs": {**_PERIODS, "minSyncPeriod": "0s"}, "nodePortAddresses": None},
}


@pytest.fixture(scope="module")
def by_default(shared_world: World) -> Effective:
    """What is in force where kube-proxy was started with ``_NOTHING``, once for all tests."""
    node, proxy = shared_world.node, shared_world.node.proxy
    proxy.stop()
    position = proxy.log_position()
    try:
        proxy.start(_NOTHING)
        return effective(node, METRICS, position, str(LOOPBACK["IPv4"]))
    finally:
        proxy.kill()  # whichever test comes next starts it anew


def _part(found: Any, like: Any) -> Any:
    """Of what is found, what there is to compare with."""
    if not isinstance(like, dict):
        return found
    return {name: _part(found.get(name), each) for name, each in like.items()}


@requirement(
    "cfg-defaults",
    setting("KubeProxyConfiguration"),
    source("pkg/proxy/apis/config/v1alpha1/defaults.go"),
    source("cmd/kube-proxy/app/server_linux.go", "platformApplyDefaults"),
    feature="configuration-by-fields",
)
def test_defaults(by_default: Effective, mode: str) -> None:
    """Where fields of its configuration are absent, zero or empty, kube-proxy must go by their
    defaults, and must tell these at /configz.
    """
    for wanted in (_DEFAULTS, _OF_MODES[mode]):
        assert _part(by_default.configuration, wanted) == wanted


@requirement(
    "cfg-nodeport-warn",
    docs("kube-proxy", note="--nodeport-addresses"),
    source("cmd/kube-proxy/app/server.go", "checkBadConfig"),
    feature="kube-proxy-modes",
)
def test_node_ports_at_every_address_are_told_of(
    by_default: Effective, shared_world: World, mode: str
) -> None:
    """Where nodePortAddresses is not set and nodePorts are served at all of the node's addresses,
    kube-proxy must say so in its log, and otherwise must not.
    """
    everywhere = shared_world.node.proxy.implementation.claims(mode, "node-ports-at-every-address")
    assert ("nodePortAddresses is unset" in by_default.log) == everywhere


@requirement("cfg-unknown-fields", _FILE, feature="kube-proxy-modes")
def test_unknown_field(by_default: Effective) -> None:
    """Where its configuration has a field that there is not, kube-proxy must start all the same,
    and must name that field in its log.
    """
    lines = by_default.log.splitlines()
    assert any("strict decoding" in line and _UNKNOWN in line for line in lines), by_default.log


@requirement(
    "cfg-portrange-ignored",
    setting("KubeProxyConfiguration.portRange"),
    feature="kube-proxy-modes",
)
@over(
    vantage="outside",
    family="IPv4",
    protocol="TCP",
    configuration={"a portRange without nodePorts": {"portRange": "1-2"}},
)
@arranged(1, type="NodePort")
def test_range_of_ports(web: Service, client: Client) -> None:
    """kube-proxy must serve nodePorts whatever its portRange is."""
    expect(client.connect(*web.at_node)).delivered(to=web)
