"""The series that kube-proxy has of its own: in which modes, of which type, with which labels."""

from __future__ import annotations

from typing import Final, NamedTuple

ALL: Final = frozenset({"iptables", "nftables", "ipvs"})
_PARTIAL: Final = frozenset({"iptables", "nftables"})
_RESTORED: Final = frozenset({"iptables", "ipvs"})
_IPTABLES: Final = frozenset({"iptables"})
_NFTABLES: Final = frozenset({"nftables"})


class Series(NamedTuple):
    """One metric, without how all their names begin."""

    name: str
    type: str
    labels: frozenset[str] = frozenset({"ip_family"})
    modes: frozenset[str] = ALL


_NONE: Final = frozenset[str]()
_CODE: Final = frozenset({"code"})
_TABLE: Final = frozenset({"ip_family", "table"})
_POLICY: Final = frozenset({"ip_family", "traffic_policy"})

SERIES: Final = (
    Series("sync_proxy_rules_duration_seconds", "histogram"),
    Series("sync_full_proxy_rules_duration_seconds", "histogram", modes=_PARTIAL),
    Series("sync_partial_proxy_rules_duration_seconds", "histogram", modes=_PARTIAL),
    Series("sync_proxy_rules_last_timestamp_seconds", "gauge"),
    Series("sync_proxy_rules_last_queued_timestamp_seconds", "gauge"),
    Series("network_programming_duration_seconds", "histogram"),
    Series("sync_proxy_rules_endpoint_changes_pending", "gauge", _NONE),
    Series("sync_proxy_rules_endpoint_changes_total", "counter", _NONE),
    Series("sync_proxy_rules_service_changes_pending", "gauge", _NONE),
    Series("sync_proxy_rules_service_changes_total", "counter", _NONE),
    Series("sync_proxy_rules_no_local_endpoints_total", "gauge", _POLICY),
    Series("proxy_healthz_total", "counter", _CODE),
    Series("proxy_livez_total", "counter", _CODE),
    Series("conntrack_reconciler_sync_duration_seconds", "histogram"),
    Series("conntrack_reconciler_deleted_entries_total", "counter"),
    Series("sync_proxy_rules_iptables_total", "gauge", _TABLE, _IPTABLES),
    Series("sync_proxy_rules_iptables_last", "gauge", _TABLE, _IPTABLES),
    Series("iptables_ct_state_invalid_dropped_packets_total", "counter", _NONE, _IPTABLES),
    Series("iptables_localhost_nodeports_accepted_packets_total", "counter", _NONE, _IPTABLES),
)

FAILURES: Final = (
    Series("sync_proxy_rules_iptables_restore_failures_total", "counter", modes=_RESTORED),
    Series("sync_proxy_rules_iptables_partial_restore_failures_total", "counter", modes=_IPTABLES),
    Series("sync_proxy_rules_nftables_sync_failures_total", "counter", modes=_NFTABLES),
    Series("sync_proxy_rules_nftables_cleanup_failures_total", "counter", modes=_NFTABLES),
)
"""With their label, these begin with the first failure."""
