"""What kube-proxy counts: Services without endpoints on the node, rules, flows, packets."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from conformance.kube_proxy.iptables.chains import Chains
from conformance.kube_proxy.nftables.chains import Ruleset, base_name, chain_of
from conformance.vocabulary import (
    FAMILIES,
    FLOWS,
    LOOPBACK,
    Family,
    LabClient,
    NodeClient,
    Place,
    Service,
    Services,
    TrafficPolicy,
    World,
    arranged,
    docs,
    e2e,
    expect,
    in_iptables,
    in_nftables,
    kep,
    over,
    requirement,
    source,
)

_PREFIX = "kubeproxy_"
_FOREIGN = "not-of-kube-proxy"
_AGE = 1.01  # seconds: what became stale a second ago is deleted

Metric = Callable[..., float]
"""The value of a metric of kube-proxy's, with these labels besides that of the test's family."""

Counted = Callable[[], Metric]
"""All metrics, once all is in force and done with."""


@pytest.fixture
def counted(service: Services, world: World, family: Family) -> Counted:
    """Reads metrics."""
    world.cluster.api.finish_deletions()  # Services of tests before count as well
    service.removed = True

    def read() -> Metric:
        service.settle(syncs=2)
        found = world.node.proxy.metrics()

        def value(name: str, **labels: str) -> float:
            said = sorted({**labels, "ip_family": family}.items())
            text = ",".join(f'{label}="{value}"' for label, value in said)
            return found.get(f"{_PREFIX}{name}{{{text}}}", 0.0)

        return value

    return read


_NONE_HERE = "sync_proxy_rules_no_local_endpoints_total"

_Policies = tuple[TrafficPolicy, TrafficPolicy]
"""Internal and external."""

_CASES: tuple[tuple[_Policies, tuple[Place, ...], _Policies | None], ...] = (
    (("Local", "Cluster"), ("pod", "remote-pod"), ("Cluster", "Local")),
    (("Cluster", "Local"), ("pod", "remote-pod"), ("Local", "Local")),
    (("Cluster", "Cluster"), ("remote-pod",), ("Local", "Cluster")),
    (("Local", "Local"), (), None),
    (("Local", "Local"), ("pod",), None),
)
"""None that a policy leaves without an endpoint here, of those that have any; and the policies that
some have later, when their endpoints are elsewhere.
"""


def _without_endpoints_here(counted: Counted) -> tuple[float, float]:
    metric = counted()
    inside, outside = (metric(_NONE_HERE, traffic_policy=each) for each in ("internal", "external"))
    return inside, outside


@requirement(
    "met-no-local-eps",
    kep(2086),
    source("pkg/proxy/iptables/proxier_test.go", "TestNoEndpointsMetric"),
    source("pkg/proxy/ipvs/proxier_test.go", "TestNoEndpointsMetric"),
    feature="kube-proxy-modes",
)
def test_services_without_endpoints_here_are_counted(service: Services, counted: Counted) -> None:
    """sync_proxy_rules_no_local_endpoints_total must count, for each traffic policy, the Services
    that it leaves without an endpoint on the node though there are some elsewhere, and neither
    those that have one on the node nor those that have none anywhere.
    """
    internal, external = _without_endpoints_here(counted)
    specs = [
        service.spec(
            places, type="NodePort", internal_traffic_policy=inside, external_traffic_policy=outside
        )
        for (inside, outside), places, _ in _CASES
    ]
    webs = service.create(specs, settle=False)
    assert _without_endpoints_here(counted) == (internal, external)
    for web, (*_, later) in zip(webs, _CASES, strict=True):
        if later:
            inside, outside = later
            web.set_endpoints([service.endpoint("remote-pod", 1)], settle=False)
            web.update(
                internal_traffic_policy=inside, external_traffic_policy=outside, settle=False
            )
    assert _without_endpoints_here(counted) == (internal + 2, external + 2)


@requirement(
    "met-no-local-eps-dec",
    kep(2086),
    source("pkg/proxy/metrics/metrics.go"),
    feature="kube-proxy-modes",
)
@over(family="IPv4")
@arranged(["remote-pod"], type="NodePort", internal_traffic_policy="Local")
def test_deleted_services_are_counted_no_longer(web: Service, counted: Counted) -> None:
    """sync_proxy_rules_no_local_endpoints_total must not count a Service that is deleted."""
    internal, external = _without_endpoints_here(counted)
    web.delete(settle=False)
    assert _without_endpoints_here(counted) == (internal - 1, external)


@requirement(
    "met-ct-deleted",
    source("pkg/proxy/conntrack/cleanup_test.go", "TestCleanStaleEntries"),
    feature="conservative-udp-cleanup",
)
@over(protocol="UDP")
@arranged(2)
def test_deleted_flows_are_counted(web: Service, client: LabClient, counted: Counted) -> None:
    """conntrack_reconciler_deleted_entries_total must grow by the number of flows that kube-proxy
    has deleted since their endpoint is gone.
    """
    flows = client.open(*web.frontend, 4 * FLOWS)
    stale = flows.endpoints.count(web.socket(0))
    assert stale, flows.opened
    name = "conntrack_reconciler_deleted_entries_total"
    before = counted()(name)
    web.set_endpoints([web.endpoint(1)], settle=False)
    assert counted()(name) == before + stale


@requirement(
    "met-ct-duration",
    source("pkg/proxy/metrics/metrics.go", "ReconcileConntrackFlowsLatency"),
    feature="kube-proxy-modes",
)
@over(protocol="UDP", family="IPv4")
@arranged(2)
def test_time_to_clear_up_is_told(web: Service, counted: Counted) -> None:
    """conntrack_reconciler_sync_duration_seconds must get a sample whenever kube-proxy has looked
    for stale flows.
    """
    name = "conntrack_reconciler_sync_duration_seconds_count"
    before = counted()(name)
    web.set_endpoints([web.endpoint(1)], settle=False)
    assert counted()(name) > before


@in_iptables(
    "met-ipt-total",
    source("pkg/proxy/iptables/proxier_test.go", "TestProxierMetricsIPTablesTotalRules"),
)
def test_rules_are_counted(service: Services, counted: Counted, chains: Chains) -> None:
    """sync_proxy_rules_iptables_total must tell of tables nat and filter how many rules kube-proxy
    has in them: it must grow with a Service and shrink without it as the rules do.
    """

    def numbers() -> list[tuple[float, int]]:
        metric = counted()
        return [
            (
                metric("sync_proxy_rules_iptables_total", table=table),
                sum(len(each.rules) for name, each in chains(table).items() if "KUBE-" in name),
            )
            for table in ("nat", "filter")
        ]

    before = numbers()
    specs = [service.spec(3, exposed=True), service.spec(0)]
    webs = service.create(specs, settle=False)
    more = numbers()
    for web in webs:
        web.delete(settle=False)
    for (first, were), (then, are), (last, left) in zip(before, more, numbers(), strict=True):
        assert are > were
        assert (then - first, last - first) == (are - were, left - were)


@in_iptables(
    "met-ipt-localhost-np",
    e2e("kube_proxy", "update metric for tracking accepted packets destined for localhost"),
)
@over(family="IPv4")
@arranged(1, type="NodePort")
def test_packets_to_local_node_ports_are_counted(web: Service, world: World) -> None:
    """kubeproxy_iptables_localhost_nodeports_accepted_packets_total must grow with each connection
    of a process on the node to a nodePort at a loopback address.
    """
    name = f"{_PREFIX}iptables_localhost_nodeports_accepted_packets_total"

    def accepted() -> float:
        return world.node.proxy.metrics().get(name, 0)

    before = accepted()
    with NodeClient(world.lab, world.node, "IPv4", "TCP", LOOPBACK["IPv4"]) as process:
        for _ in range(3):
            expect(process.connect(LOOPBACK["IPv4"], web.node_port())).delivered(to=web)
    assert accepted() == before + 3


@in_iptables(
    "met-ipt-ctinvalid",
    docs("metrics"),
    source("pkg/proxy/metrics/metrics.go", "IPTablesCTStateInvalidDroppedNFAcctCounter"),
)
@over(protocol="TCP", family=FAMILIES)
@arranged(["remote-pod"])
def test_dropped_invalid_packets_are_counted(web: Service, client: LabClient, world: World) -> None:
    """kubeproxy_iptables_ct_state_invalid_dropped_packets_total must grow with each packet that is
    dropped since connection tracking takes it for invalid, and with no other.
    """
    name = f"{_PREFIX}iptables_ct_state_invalid_dropped_packets_total"

    def dropped() -> float:
        return world.node.proxy.metrics().get(name, 0)

    before = dropped()
    flows = client.open(*web.frontend)
    expect(flows.exchange()).kept(flows)
    assert dropped() == before
    for _ in range(3):
        flows.stray(1 << 30)
    assert dropped() == before + 3


@in_nftables(
    "met-nft-cleanup-fail",
    kep(3866),
    source("pkg/proxy/metrics/metrics.go", "NFTablesCleanupFailuresTotal"),
)
@over(family="IPv4", protocol="TCP")
@arranged(2)
def test_failures_to_clear_up_are_counted(
    service: Services, web: Service, world: World, ruleset: Ruleset
) -> None:
    """sync_proxy_rules_nftables_cleanup_failures_total must grow when the chains of Services that
    are gone cannot be deleted, and must not when they can.
    """
    name = f"{_PREFIX}sync_proxy_rules_nftables_cleanup_failures_total"

    def failures() -> float:
        service.settle(syncs=2)
        found = world.node.proxy.metrics()
        return sum(value for key, value in found.items() if key.partition("{")[0] == name)

    chain = chain_of(ruleset(), "service", base_name(web)).name
    table = ["ip", "kube-proxy"]
    before = failures()
    world.node.run(["nft", "add", "chain", *table, _FOREIGN])
    world.node.run(["nft", "add", "rule", *table, _FOREIGN, "jump", chain])
    try:
        web.delete()
        time.sleep(_AGE)  # it is the age of the chain that counts: there is nothing to wait for
        failed = failures() - before
    finally:
        world.node.run(["nft", "delete", "chain", *table, _FOREIGN])
    time.sleep(_AGE)
    mended = failures() - before
    assert failed > 0
    assert chain not in ruleset().chains
    assert mended == failed
