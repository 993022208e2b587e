"""Values that fields of kube-proxy's configuration must not have."""

from __future__ import annotations

import re
from typing import Any, Final

from conformance.kube_proxy.configuration.conftest import NO_ADDRESS, Refuses
from conformance.kube_proxy.process.starts import field
from conformance.vocabulary import in_ipvs, requirement, setting, source

_CHECKED: Final = source("pkg/proxy/apis/config/validation/validation.go")
_NOT_NEGATIVE = "must be greater than or equal to 0"


@requirement(
    "cfg-sync-period",
    setting("KubeProxyIPTablesConfiguration.syncPeriod"),
    _CHECKED,
    feature="kube-proxy-modes",
)
def test_sync_period(refuses: Refuses, mode: str) -> None:
    """kube-proxy must refuse to start with a syncPeriod of its mode that is negative, or no
    duration at all.
    """
    refuses(
        {mode: {"syncPeriod": "-1s"}}, field(".SyncPeriod", f"{mode}.syncPeriod"), "greater than 0"
    )
    refuses({mode: {"syncPeriod": "soon"}}, "invalid duration", "soon")


@requirement(
    "cfg-config-sync",
    setting("KubeProxyConfiguration.configSyncPeriod"),
    _CHECKED,
    feature="kube-proxy-modes",
)
def test_config_sync_period(refuses: Refuses) -> None:
    """kube-proxy must refuse to start with a configSyncPeriod that is negative."""
    configuration = {"configSyncPeriod": "-1s"}
    refuses(configuration, field("ConfigSyncPeriod", "configSyncPeriod"), "must be greater than 0")


@requirement(
    "cfg-healthz-addr",
    setting("KubeProxyConfiguration.healthzBindAddress"),
    _CHECKED,
    feature="kube-proxy-modes",
)
def test_address_of_health(refuses: Refuses) -> None:
    """kube-proxy must refuse to start with a healthzBindAddress that is not an IP address with a
    port from 1 to 65535, or without one.
    """
    for bad, why in NO_ADDRESS:
        refuses({"healthzBindAddress": bad}, field("HealthzBindAddress", "healthzBindAddress"), why)


@requirement(
    "cfg-detect-mode",
    setting("KubeProxyConfiguration.detectLocalMode"),
    _CHECKED,
    feature="kube-proxy-modes",
)
def test_mode_of_detection(refuses: Refuses) -> None:
    """For a detectLocalMode that it does not have, kube-proxy must refuse to start, and must name
    that and those that it has.
    """
    modes = ("ClusterCIDR", "NodeCIDR", "BridgeInterface", "InterfaceNamePrefix")
    for bad in ("PodCIDR", "clustercidr"):
        refuses(
            {"detectLocalMode": bad},
            field("DetectLocalMode", "detectLocalMode", "Unsupported value"),
            bad,
            *modes,
        )


@requirement(
    "cfg-detect-bridge",
    setting("DetectLocalConfiguration.bridgeInterface"),
    _CHECKED,
    feature="kube-proxy-modes",
)
def test_bridge_that_is_not_named(refuses: Refuses) -> None:
    """With detectLocalMode BridgeInterface, kube-proxy must refuse to start where
    detectLocal.bridgeInterface is empty.
    """
    configuration = {
        "detectLocalMode": "BridgeInterface",
        "detectLocal": {"interfaceNamePrefix": "pod"},
    }
    refuses(
        configuration, field("InterfaceName", "detectLocal.bridgeInterface"), "must not be empty"
    )


@requirement(
    "cfg-detect-prefix",
    setting("DetectLocalConfiguration.interfaceNamePrefix"),
    _CHECKED,
    feature="kube-proxy-modes",
)
def test_prefix_that_is_not_given(refuses: Refuses) -> None:
    """With detectLocalMode InterfaceNamePrefix, kube-proxy must refuse to start where
    detectLocal.interfaceNamePrefix is empty.
    """
    configuration = {
        "detectLocalMode": "InterfaceNamePrefix",
        "detectLocal": {"bridgeInterface": "pod"},
    }
    refuses(
        configuration,
        field("InterfacePrefix", "detectLocal.interfaceNamePrefix"),
        "must not be empty",
    )


_LIMITS: Final[dict[str, Any]] = {
    "maxPerCore": -1,
    "min": -1,
    "tcpEstablishedTimeout": "-1s",
    "tcpCloseWaitTimeout": "-1s",
    "udpTimeout": "-1s",
    "udpStreamTimeout": "-1s",
}


@requirement(
    "cfg-conntrack-neg",
    setting("KubeProxyConntrackConfiguration"),
    _CHECKED,
    feature="kube-proxy-modes",
)
def test_limits_of_connection_tracking(refuses: Refuses) -> None:
    """kube-proxy must refuse to start where limits or timeouts of connection tracking are negative,
    and must name every one of them.
    """
    types = (re.sub("^tcp|^udp|^.", lambda found: found[0].upper(), name) for name in _LIMITS)
    said = (
        field(f"KubeProxyConntrackConfiguration.{by_type}", f"conntrack.{name}", "Invalid value: ")
        for by_type, name in zip(types, _LIMITS, strict=True)
    )
    refuses({"conntrack": _LIMITS}, *said, _NOT_NEGATIVE)


@requirement(
    "cfg-burst",
    setting("KubeProxyConfiguration.clientConnection"),
    _CHECKED,
    feature="kube-proxy-modes",
)
def test_burst_of_requests(refuses: Refuses) -> None:
    """kube-proxy must refuse to start with a clientConnection.burst that is negative."""
    said = field("Burst", "clientConnection.burst", f"Invalid value: -1: {_NOT_NEGATIVE}")
    refuses({"clientConnection": {"burst": -1}}, said)


@in_ipvs("cfg-ipvs-timeouts", setting("KubeProxyIPVSConfiguration"), _CHECKED)
def test_timeouts_of_ipvs(refuses: Refuses) -> None:
    """In IPVS mode, kube-proxy must refuse to start where a timeout of IPVS is negative, and must
    name every one that is.
    """
    fields = {
        "tcpTimeout": "TCPTimeout",
        "tcpFinTimeout": "TCPFinTimeout",
        "udpTimeout": "UDPTimeout",
    }
    said = (
        field(f"KubeProxyIPVSConfiguration.{by_type}", f"ipvs.{name}")
        for name, by_type in fields.items()
    )
    refuses({"ipvs": dict.fromkeys(fields, "-1s")}, *said, _NOT_NEGATIVE)
