"""What kube-proxy is told by flags: with a file, and without one."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Final

import pytest

from conformance.kube_proxy.configuration.effective import Effective, effective
from conformance.kube_proxy.process.starts import by_arguments, with_arguments
from conformance.kube_proxy.process.told import HEALTH, METRICS
from conformance.vocabulary import (
    CLUSTER_CIDRS,
    FAMILIES,
    LOOPBACK,
    Node,
    Services,
    StartError,
    World,
    answer_at,
    by_time,
    docs,
    over,
    requirement,
    source,
)

_OPTIONS: Final = source("cmd/kube-proxy/app/options.go", "AddFlags")
_BIT = 5
_PERIODS: Final = ("41s", "600ms")
_CLUSTER: Final = ",".join(map(str, CLUSTER_CIDRS.values()))
_CHANGES = 12
_DEFAULT = 1.0  # seconds of minSyncPeriod that a file without one stands for, or one with 0
_LATE = 3.0  # seconds after its metrics in which a proxy would answer about its health, too
_PATIENCE = 60.0  # seconds for what takes one or two
_LOOK = 0.2  # seconds between looks


def _by_flags(node: Node, mode: str, flags: Mapping[str, str | None]) -> tuple[str, ...]:
    """What starts kube-proxy by flags alone: those that say what the suite's file says, with these
    laid over them; ``None`` removes one.
    """
    implementation, address = node.proxy.implementation, node.management_address
    file = implementation.files[implementation.config]
    assert isinstance(file, dict)
    gates = ",".join(f"{name}={value}" for name, value in file.get("featureGates", {}).items())
    whole = {
        "proxy-mode": mode,
        "kubeconfig": str(node.proxy.directory / "kubeconfig"),
        "hostname-override": node.name,
        "cluster-cidr": _CLUSTER,
        "healthz-bind-address": f"{address}:{HEALTH}",
        "metrics-bind-address": f"{address}:{METRICS}",
        "conntrack-max-per-core": "0",
        "conntrack-min": "0",
        "conntrack-tcp-timeout-established": "0s",
        "conntrack-tcp-timeout-close-wait": "0s",
        "feature-gates": gates or None,
        **flags,
    }
    return by_arguments(*(f"--{name}={each}" for name, each in whole.items() if each is not None))


@pytest.fixture(scope="module")
def by_flags(shared_world: World, mode: str) -> tuple[Effective, str]:
    """What is in force, and the rules that were programmed, where kube-proxy was started by flags,
    once for all tests.
    """
    node, proxy = shared_world.node, shared_world.node.proxy
    proxy.stop()
    position = proxy.log_position()
    flags = {
        "iptables-masquerade-bit": str(_BIT),
        "iptables-sync-period": "41s",
        "iptables-min-sync-period": "600ms",
        "ipvs-sync-period": "43s",
        "ipvs-min-sync-period": "700ms",
        "masquerade-all": "true",
    }
    try:
        proxy.start(wrapper=_by_flags(node, mode, flags))
        shared_world.canary.settle(removed=False, started=True)
        return effective(node, METRICS, position), proxy.rules()
    finally:
        proxy.kill()  # whichever test comes next starts it anew


@requirement(
    "cfg-flag-iptables-period",
    docs("kube-proxy", note="--iptables-sync-period, --ipvs-sync-period"),
    source("cmd/kube-proxy/app/options.go", "processV1Alpha1Flags"),
    feature="configuration-by-fields",
)
def test_periods_by_flags(by_flags: tuple[Effective, str], mode: str) -> None:
    """--iptables-sync-period and --iptables-min-sync-period must set the periods of iptables and of
    nftables mode, and --ipvs-sync-period and --ipvs-min-sync-period must set those of IPVS mode.
    """
    wanted = {"iptables": _PERIODS, "nftables": _PERIODS, "ipvs": ("43s", "700ms")}
    found = by_flags[0].configuration[mode]
    assert (found["syncPeriod"], found["minSyncPeriod"]) == wanted[mode]


@requirement(
    "cfg-nft-bit-file-only",
    docs("kube-proxy", note="--iptables-masquerade-bit"),
    _OPTIONS,
    feature="kube-proxy-modes",
)
def test_masquerade_bit_by_a_flag(by_flags: tuple[Effective, str], mode: str) -> None:
    """By --iptables-masquerade-bit, kube-proxy must mark what is to be masqueraded in iptables and
    in IPVS mode, and must not in nftables mode.
    """
    wanted = {"iptables": _BIT, "nftables": 14, "ipvs": _BIT}[mode]
    marks = {int(each, 16) for each in re.findall(r"0x[0-9a-f]+", by_flags[1])}
    assert {1 << wanted} == marks & {1 << _BIT, 1 << 14}


@requirement(
    "cfg-flag-masq-all",
    docs("kube-proxy", note="--masquerade-all"),
    _OPTIONS,
    feature="configuration-by-fields",
)
def test_everybody_is_masqueraded_by_a_flag(by_flags: tuple[Effective, str], mode: str) -> None:
    """By --masquerade-all, kube-proxy must go by masqueradeAll in every mode."""
    where = "nftables" if mode == "nftables" else "iptables"  # IPVS mode has no field of its own
    assert by_flags[0].configuration[where]["masqueradeAll"]


@requirement(
    "cfg-flags-vs-file",
    docs("kube-proxy", note="--config"),
    source("cmd/kube-proxy/app/options.go", "Complete"),
    feature="configuration-by-fields",
)
def test_flags_beside_a_file(bare_node: Node, mode: str) -> None:
    """Where --config names a file, kube-proxy must go by that and not by other flags, but for
    --hostname-override and those of logging, which must win over the file.
    """
    proxy = bare_node.proxy
    other = next(each for each in proxy.implementation.modes if each != mode)
    flags = (
        f"--proxy-mode={other}",
        "--oom-score-adj=7",
        "--nodeport-addresses=192.0.2.0/24",
        "--cluster-cidr=192.0.2.0/24",
        f"--metrics-bind-address=127.0.0.1:{METRICS}",
        "--feature-gates=NoSuchGate=true",
        f"--hostname-override={bare_node.name}",
        "-v=1",
    )
    position = proxy.log_position()
    configuration = {
        "hostnameOverride": "somebody-else",
        "nodePortAddresses": ["::/0"],
        "oomScoreAdj": 8,
        "logging": {"verbosity": 0},
    }
    proxy.start(configuration, wrapper=with_arguments(*flags))
    found = effective(bare_node, METRICS, position).configuration
    assert (found["mode"], found["oomScoreAdj"], found["nodePortAddresses"]) == (mode, 8, ["::/0"])
    assert found["clusterCIDR"] == _CLUSTER
    assert (found["hostnameOverride"], found["logging"]["verbosity"]) == (bare_node.name, 1)


def _assert_silent(node: Node, port: int) -> None:
    """Nobody answers at this port of the node's, and nobody does for some seconds."""
    end = time.monotonic() + _LATE
    while True:
        for address in (node.management_address, str(LOOPBACK["IPv4"])):
            assert answer_at(node.system, address, port) is None, f"{address} answers at {port}"
        if time.monotonic() > end:
            return
        time.sleep(_LOOK)


@requirement(
    "cfg-metrics-off",
    source("cmd/kube-proxy/app/options.go", "AddFlags", release="v1.36.3"),  # the last to say so
    feature="metrics-without-address",
)
def test_no_metrics_where_no_address_is_given(bare_node: Node, mode: str) -> None:
    """Where --metrics-bind-address is empty, kube-proxy must not serve its metrics."""
    bare_node.proxy.start(wrapper=_by_flags(bare_node, mode, {"metrics-bind-address": ""}))
    _assert_silent(bare_node, METRICS)


@requirement("cfg-metrics-port-zero", _OPTIONS, feature="kube-proxy-modes")
def test_no_metrics_at_port_zero(bare_node: Node, mode: str) -> None:
    """Where --metrics-port is 0, kube-proxy must start, and must not serve its metrics."""
    flags = {"metrics-bind-address": None, "metrics-port": "0"}
    try:
        bare_node.proxy.start(wrapper=_by_flags(bare_node, mode, flags))
    except StartError as problem:
        raise AssertionError(str(problem)) from None
    _assert_silent(bare_node, METRICS)


@requirement("cfg-healthz-port-zero", _OPTIONS, feature="kube-proxy-modes")
def test_no_health_at_port_zero(bare_node: Node, mode: str) -> None:
    """Where --healthz-port is 0, kube-proxy must start, and must not answer about its health."""
    position = bare_node.proxy.log_position()
    flags = {"healthz-bind-address": None, "healthz-port": "0"}
    proxy = bare_node.proxy
    proxy.start(wrapper=_by_flags(bare_node, mode, flags), ready=False)
    effective(bare_node, METRICS, position)

    def knows_its_node() -> bool:
        log = proxy.log_since(position)
        return not proxy.running or bool(re.search("aches are synced.*node config", log))

    by_time("it has heard of its Node", knows_its_node, _PATIENCE)
    _assert_silent(bare_node, HEALTH)
    assert proxy.running, proxy.log_since(position)


@requirement(
    "sync-min-zero",
    docs("virtual-ips", "minSyncPeriod"),
    source("pkg/proxy/apis/config/v1alpha1/defaults.go", "0 in a file is the default"),
    feature="minimal-sync-period",
)
@over(families=FAMILIES, protocol="TCP")
def test_no_change_waits_for_another(
    service: Services, world: World, bare_node: Node, mode: str
) -> None:
    """By --iptables-min-sync-period=0, kube-proxy must apply each change at once in iptables and in
    nftables mode, one that follows another, too.
    """
    bare_node.proxy.start(wrapper=_by_flags(bare_node, mode, {"iptables-min-sync-period": "0"}))
    world.canary.settle(removed=False, started=True)
    web = service(1)
    began = time.monotonic()
    for _ in range(_CHANGES):
        web.set_endpoints([service.endpoint()])
    took = time.monotonic() - began
    # by default, what shows that one is in force is itself applied that much later
    assert took < (_CHANGES - 1) * _DEFAULT, f"{_CHANGES} changes took {took:.1f} s"
