"""Mutants that count something else than what they tell of."""

from __future__ import annotations

from tests.mutants.faults.program.insertion import Insertion, after, before, instead, mutant

_NFTABLES = "pkg/proxy/nftables/proxier.go"
_IPTABLES = "pkg/proxy/iptables/proxier.go"
_SERVICES = "pkg/proxy/servicechangetracker.go"
_SLICES = "pkg/proxy/endpointschangetracker.go"
_METRICS = "pkg/proxy/metrics/metrics.go"
_SERVER = "cmd/kube-proxy/app/server.go"

_FAMILY = "WithLabelValues(string(proxier.ipFamily))"
_OBSERVED = f"{_FAMILY}.Observe(metrics.SinceInSeconds(start))"
_SYNCED = f"metrics.SyncProxyRulesLatency.{_OBSERVED}"
_FULL = f"metrics.SyncFullProxyRulesLatency.{_OBSERVED}"
_LAST = f"metrics.SyncProxyRulesLastTimestamp.{_FAMILY}.SetToCurrentTime()"
_QUEUED = f"metrics.SyncProxyRulesLastQueuedTimestamp.{_FAMILY}.SetToCurrentTime()"
_RUN = "proxier.syncRunner.Run()"
_FAILED = f"metrics.NFTablesSyncFailuresTotal.{_FAMILY}.Inc()"
_RESTORED = f"metrics.IPTablesRestoreFailuresTotal.{_FAMILY}.Inc()"
_PARTLY_RESTORED = f"metrics.IPTablesPartialRestoreFailuresTotal.{_FAMILY}.Inc()"
_NOT_CLEANED = f"metrics.NFTablesCleanupFailuresTotal.{_FAMILY}.Inc()"
_CLEARED = (
    "metrics.ReconcileConntrackFlowsLatency.WithLabelValues(string(ipFamily))"
    ".Observe(metrics.SinceInSeconds(start))"
)
_HANDLER = 'proxyMux.Handle("/metrics", legacyregistry.Handler())'
_OF_NAT = "WithLabelValues(string(utiliptables.TableNAT), string(proxier.ipFamily))"
_NAT_TOTAL = f"metrics.IPTablesRulesTotal.{_OF_NAT}"
_NAT_LAST = f"metrics.IPTablesRulesLastSync.{_OF_NAT}"
_ALL = "Set(float64(proxier.natRules.Lines() + skippedNatRules.Lines() - deletedChains))"


def _none_here(policy: str) -> Insertion:
    """Adds what should be set."""
    gauge = (
        "metrics.SyncProxyRulesNoLocalEndpointsTotal"
        f'.WithLabelValues("{policy.lower()}", string(proxier.ipFamily))'
    )
    number = f"float64(serviceNoLocalEndpointsTotal{policy})"
    return instead(_NFTABLES, f"{gauge}.Set({number})", f"{gauge}.Add({number})")


def _twice(file: str, line: str) -> Insertion:
    return before(file, line, line)


COMMON = (
    mutant(
        "syncs-of-both-families",
        "each sync counts as one of IPv6, too",
        [
            before(
                _NFTABLES,
                _SYNCED,
                'metrics.SyncProxyRulesLatency.WithLabelValues("IPv6").Observe(0)',
            )
        ],
        "met-sync-duration",
    ),
    mutant(
        "every-change-synchronised",
        "a sync follows each change of a Service, whether or not any rule depends on it",
        [before(_SERVICES, "return len(sct.items) > 0", "return true")],
        *("met-sync-noop", "met-sync-duration"),
    ),
    mutant(
        "full-as-partial",
        "full syncs count as partial ones, too",
        [before(_NFTABLES, _FULL, f"metrics.SyncPartialProxyRulesLatency.{_FAMILY}.Observe(0)")],
        "met-full-partial",
    ),
    mutant(
        "failures-as-syncs",
        "the time of the last sync is that of one that has failed",
        [after(_NFTABLES, _FAILED, _LAST)],
        *("met-last-timestamp", "met-queued-gt-last"),
    ),
    mutant(
        "changes-not-queued",
        "the time of the last change is that of the start",
        [instead(_NFTABLES, f"{_QUEUED}\n{_RUN}", _RUN)],
        *("met-queued-timestamp", "met-queued-gt-last"),
    ),
    mutant(
        "milliseconds",
        "the time to program the network is told in milliseconds",
        [
            after(
                _NFTABLES,
                "latency := metrics.SinceInSeconds(lastChangeTriggerTime)",
                "latency *= 1000",
            )
        ],
        "met-net-prog",
    ),
    mutant(
        "triggered-when-heard",
        "each change of a slice was triggered when it is heard of",
        [
            before(
                _SLICES,
                "if removeSlice {",
                "ect.lastChangeTriggerTimes[namespacedName] ="
                " append(ect.lastChangeTriggerTimes[namespacedName], time.Now())",
            )
        ],
        *("met-net-prog-none", "met-net-prog"),
    ),
    mutant(
        "changes-counted-twice",
        "changes of Services and slices are counted twice",
        [
            _twice(_SLICES, "metrics.EndpointChangesTotal.Inc()"),
            _twice(_SERVICES, "metrics.ServiceChangesTotal.Inc()"),
        ],
        *("met-ep-changes", "met-svc-changes"),
    ),
    mutant(
        "pending-for-good",
        "changes of slices are pending after they are written, too",
        [instead(_SLICES, "metrics.EndpointChangesPending.Set(0)")],
        *("met-pending-zero", "met-ep-pending"),
    ),
    mutant(
        "pending-untold",
        "no change of a slice is pending",
        [instead(_SLICES, "metrics.EndpointChangesPending.Inc()")],
        "met-ep-pending",
    ),
    mutant(
        "failures-counted-twice",
        "a failed sync is counted twice",
        [
            _twice(_NFTABLES, _FAILED),
            _twice(_IPTABLES, _RESTORED),
            _twice(_IPTABLES, _PARTLY_RESTORED),
        ],
        "met-nft-sync-fail",
    ),
    mutant(
        "counted-anew",
        "syncs are counted anew with each",
        [before(_NFTABLES, _SYNCED, "metrics.SyncProxyRulesLatency.Reset()")],
        *("met-monotonic", "met-sync-duration"),
    ),
    mutant(
        "never-fewer",
        "Services without an endpoint here are added up from sync to sync",
        [_none_here("Internal"), _none_here("External")],
        *("met-no-local-eps", "met-no-local-eps-dec"),
    ),
    mutant(
        "clearing-untold",
        "the time to clear up flows is not told",
        [instead("pkg/proxy/conntrack/cleanup.go", _CLEARED)],
        "met-ct-duration",
    ),
    mutant(
        "always-cleared",
        "stale flows are looked for after each change of endpoints",
        [
            after(
                _SLICES,
                "result.UpdatedServices.Insert(nn)",
                "result.ConntrackCleanupRequired = true",
            )
        ],
        "ct-udp-trigger",
    ),
    mutant(
        "cleanup-failures-untold",
        "chains that cannot be deleted are not counted",
        [instead(_NFTABLES, _NOT_CLEANED)],
        "met-nft-cleanup-fail",
    ),
    mutant(
        "series-missing",
        "pending changes are not told of",
        [instead(_METRICS, "legacyregistry.MustRegister(EndpointChangesPending)")],
        *("met-present", "met-ep-pending"),
    ),
    mutant(
        "series-of-another-mode",
        "failures of iptables-restore are told of in nftables mode",
        [
            after(
                _METRICS,
                "case kubeproxyconfig.ProxyModeNFTables:",
                "legacyregistry.MustRegister(IPTablesRestoreFailuresTotal);"
                ' IPTablesRestoreFailuresTotal.WithLabelValues("IPv4").Add(0)',
            )
        ],
        "met-absent-other-mode",
    ),
    mutant(
        "third-family",
        "the time of the last sync is told of a family that there is not",
        [
            after(
                _NFTABLES,
                _LAST,
                'metrics.SyncProxyRulesLastTimestamp.WithLabelValues("4").SetToCurrentTime()',
            )
        ],
        "met-family-label",
    ),
    mutant(
        "text-alone",
        "metrics are told as text, whatever the asker accepts",
        [
            instead(
                _SERVER,
                _HANDLER,
                'proxyMux.HandleFunc("/metrics", func(w http.ResponseWriter, r *http.Request)'
                ' { r.Header.Del("Accept"); legacyregistry.Handler().ServeHTTP(w, r) })',
            )
        ],
        "met-formats",
    ),
    mutant(
        "release-untold",
        "kubernetes_build_info is not told",
        [
            before(
                _SERVER,
                "fn := func(ctx context.Context) {\nvar err error",
                "whole := proxyMux; proxyMux = mux.NewPathRecorderMux(kubeProxy);"
                ' proxyMux.HandlePrefix("/", mutants.Without("kubernetes_build_info", whole))',
            )
        ],
        "met-build-info",
    ),
)

OF_IPTABLES = (
    next(each for each in COMMON if each.name == "failures-counted-twice")._replace(
        killed_by=("met-ipt-restore-fail", "met-ipt-partial-fail")
    ),
    mutant(
        "last-as-total",
        "all rules are taken for written with each sync",
        [
            after(
                _IPTABLES,
                f"{_NAT_LAST}.Set(float64(proxier.natRules.Lines() - deletedChains))",
                f"{_NAT_LAST}.{_ALL}",
            )
        ],
        "met-ipt-last",
    ),
    mutant(
        "total-as-last",
        "rules that a sync does not write are not counted",
        [
            after(
                _IPTABLES,
                f"{_NAT_TOTAL}.{_ALL}",
                f"{_NAT_TOTAL}.Set(float64(proxier.natRules.Lines()))",
            )
        ],
        "met-ipt-total",
    ),
)
