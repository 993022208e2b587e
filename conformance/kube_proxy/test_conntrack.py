"""What kube-proxy sets of the kernel's connection tracking, and when it clears it up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from conformance.kube_proxy.process.starts import assert_refuses
from conformance.vocabulary import (
    BOTH,
    FAMILIES,
    FLOWS,
    LabClient,
    Node,
    Service,
    Services,
    World,
    arranged,
    docs,
    e2e,
    expect,
    in_iptables,
    issue,
    over,
    requirement,
    rfc,
    setting,
    source,
)

_SYSCTLS = Path("/proc/sys/net/netfilter")
_ESTABLISHED = "nf_conntrack_tcp_timeout_established"
_CLOSE_WAIT = "nf_conntrack_tcp_timeout_close_wait"
_LIBERAL = "nf_conntrack_tcp_be_liberal"
_UDP, _STREAM = "nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream"
_NAMES = (_ESTABLISHED, _CLOSE_WAIT, _LIBERAL, _UDP, _STREAM)

_SETTINGS = {
    "tcpEstablishedTimeout": None,
    "tcpCloseWaitTimeout": None,
    "tcpBeLiberal": True,
    "udpTimeout": "45s",
}
"""What is ``None`` is left to kube-proxy, where the suite has set 0 otherwise."""

_SILENCE = {"TCP": 7440 - 5, "UDP": 30 - 5}
"""Seconds, less those that a slow machine takes to look."""
_UNASKED = 54_321  # seconds
_RUNS = "kubeproxy_conntrack_reconciler_sync_duration_seconds_count"


@dataclass(frozen=True)
class Started:
    """What a start with ``_SETTINGS`` has made of the node."""

    before: dict[str, int]
    after: dict[str, int]
    rules: str


@pytest.fixture(scope="module")
def started(shared_world: World) -> Started:
    """Start the proxy with ``_SETTINGS``, once for all tests, and undo what it did to sysctls."""
    node = shared_world.node
    node.proxy.stop()
    node.write(_SYSCTLS / _LIBERAL, "0")
    before = _sysctls(node)
    try:
        node.proxy.start({"conntrack": _SETTINGS})
        shared_world.canary.settle(removed=False, started=True)
        return Started(before, _sysctls(node), node.proxy.rules())
    finally:
        node.proxy.kill()  # whichever test comes next starts it anew
        for name, value in before.items():
            node.write(_SYSCTLS / name, str(value))


def _sysctls(node: Node) -> dict[str, int]:
    return {name: int(node.read(_SYSCTLS / name)) for name in _NAMES}


@requirement(
    "ct-sysctl-established",
    setting("KubeProxyConntrackConfiguration.tcpEstablishedTimeout"),
    source("pkg/proxy/conntrack/sysctls_test.go", "TestSetupConntrack"),
    feature="kube-proxy-modes",
)
def test_established_connections_are_known_for_a_day(started: Started) -> None:
    """Unless conntrack.tcpEstablishedTimeout says otherwise, kube-proxy must have the kernel know
    established TCP connections for 24 hours.
    """
    assert started.after[_ESTABLISHED] == 24 * 3600


@requirement(
    "ct-sysctl-closewait",
    setting("KubeProxyConntrackConfiguration.tcpCloseWaitTimeout"),
    e2e("kube_proxy", "should set TCP CLOSE_WAIT timeout"),
    feature="kube-proxy-modes",
)
def test_half_closed_connections_are_known_for_an_hour(started: Started) -> None:
    """Unless conntrack.tcpCloseWaitTimeout says otherwise, kube-proxy must have the kernel know TCP
    connections that one end has closed for an hour.
    """
    assert started.after[_CLOSE_WAIT] == 3600


@requirement(
    "ct-sysctl-udp",
    setting("KubeProxyConntrackConfiguration.udpTimeout"),
    setting("KubeProxyConntrackConfiguration.udpStreamTimeout"),
    feature="kube-proxy-modes",
)
def test_timeouts_of_datagrams_are_set_where_configured(started: Started) -> None:
    """Of the timeouts for UDP, kube-proxy must set the one that is configured, and must leave the
    other as it is.
    """
    assert started.after[_UDP] == 45
    assert started.after[_STREAM] == started.before[_STREAM]


@requirement(
    "ct-be-liberal",
    setting("KubeProxyConntrackConfiguration.tcpBeLiberal"),
    docs("virtual-ips"),
    feature="kube-proxy-modes",
)
def test_connection_tracking_is_made_liberal(started: Started) -> None:
    """With conntrack.tcpBeLiberal, kube-proxy must have the kernel take TCP segments outside of
    their window for valid.
    """
    assert started.after[_LIBERAL] == 1


@in_iptables(
    "ct-be-liberal-no-drop",
    source("pkg/proxy/iptables/proxier_test.go", "TestDropInvalidRule"),
    issue(117924),
)
def test_nothing_invalid_is_dropped_where_tracking_is_liberal(started: Started) -> None:
    """Where connection tracking is liberal when kube-proxy starts, it must have no rule that drops
    what is invalid.
    """
    assert "KUBE-FORWARD" in started.rules
    assert "--ctstate INVALID" not in started.rules


@in_iptables(
    "ct-invalid-drop",
    source("pkg/proxy/iptables/proxier_test.go", "TestDropInvalidRule"),
    e2e("conntrack", "drop INVALID conntrack entries"),
    issue(74839),
)
@over(protocol="TCP")
@arranged(["remote-pod"])
def test_what_is_invalid_is_not_forwarded(web: Service, client: LabClient) -> None:
    """What connection tracking takes for invalid, such as an endpoint's segment far ahead of its
    connection's window, must not be forwarded.
    """
    flows = client.open(*web.frontend)
    expect(flows.exchange()).kept(flows)
    assert flows.stray(1 << 30) == []


@requirement(
    "ct-sysctl-write-diff",
    source("pkg/proxy/conntrack/sysctls.go", "setIntSysCtl"),
    feature="kube-proxy-modes",
)
def test_what_is_not_configured_is_left_alone(bare_node: Node) -> None:
    """Timeouts of connection tracking that are configured as 0 must stay as they are when
    kube-proxy starts.
    """
    before = bare_node.read(_SYSCTLS / _ESTABLISHED)
    bare_node.write(_SYSCTLS / _ESTABLISHED, str(_UNASKED))
    try:
        bare_node.proxy.start()
        assert _sysctls(bare_node)[_ESTABLISHED] == _UNASKED
    finally:
        bare_node.write(_SYSCTLS / _ESTABLISHED, before)


@requirement(
    "ct-sysctl-fatal",
    source("cmd/kube-proxy/app/server_linux.go", "platformSetup"),
    feature="kube-proxy-modes",
)
def test_refuses_to_start_where_a_sysctl_cannot_be_set(bare_node: Node) -> None:
    """Where the kernel refuses a value of connection tracking that is configured, kube-proxy must
    not start, and must name the sysctl.
    """
    longer_than_a_sysctl = {"conntrack": {"tcpEstablishedTimeout": "2000000h"}}
    assert_refuses(bare_node, _ESTABLISHED, configuration=longer_than_a_sysctl)


@requirement(
    "ct-silent", rfc(5382, "5"), rfc(4787, "4.3"), docs("virtual-ips"), feature="kube-proxy-modes"
)
@over(protocol=["TCP", "UDP"])
@arranged(2)
def test_silent_connections_are_remembered(web: Service, client: LabClient, world: World) -> None:
    """Connection tracking must go on to know an established TCP connection to a Service for two
    hours and four minutes of silence at least, and an answered flow of datagrams for half a minute.
    """
    flows = client.open(*web.frontend, FLOWS)
    expect(flows.opened).delivered(to=web)
    entries = world.node.host.conntrack.entries(
        client.protocol.lower(), destination=str(web.cluster_ip), port=web.port
    )
    known = [entry.timeout or 0 for entry in entries if entry.replied]
    assert len(known) == FLOWS, entries
    assert min(known) >= _SILENCE[client.protocol], entries


@requirement(
    "ct-udp-trigger",
    source("pkg/proxy/endpointschangetracker.go", "ConntrackCleanupRequired"),
    feature="kube-proxy-modes",
)
@over(family="IPv4", protocol="TCP")
@arranged(lambda service: [service.spec(1, ports=[port]) for port in BOTH])
def test_connection_tracking_is_cleared_up_after_changes_of_datagrams_alone(
    service: Services, webs: list[Service], world: World
) -> None:
    """kube-proxy must look for stale flows when endpoints of a UDP Service have changed, and must
    not when those of TCP Services alone have.
    """

    def runs() -> float:
        found = world.node.proxy.metrics()
        return sum(found.get(f'{_RUNS}{{ip_family="{each}"}}', 0.0) for each in FAMILIES)

    stream, datagrams = webs
    service.settle(syncs=2)
    before = runs()
    stream.set_endpoints([service.endpoint()], syncs=2)
    assert runs() == before, "endpoints of a TCP Service have changed"
    datagrams.set_endpoints([service.endpoint()], syncs=2)
    assert runs() > before, "endpoints of a UDP Service have changed"
