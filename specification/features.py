"""What a proxy may leave out: each feature by which an implementation claims requirements."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Level = Literal["core", "extended", "mode", "provisional"]
"""Whom a requirement binds: any Service proxy; one that claims an optional feature; one that claims
to be built like one of kube-proxy's modes; any, from a named release on.
"""


@dataclass(frozen=True)
class Feature:
    """A name that implementations and requirements share, and what is claimed by it."""

    name: str
    sentence: str
    level: Level = "extended"


_ALL = (
    # --- what a proxy may do or leave out ---
    Feature("sctp", "Services have SCTP ports besides TCP and UDP."),
    Feature("external-clients", "Hosts off the node use cluster IPs through it."),
    Feature("icmp-translation", "ICMP errors about a connection quote what the client had sent."),
    Feature("icmp-refusals", "TCP too is refused by ICMP, from the node's own address."),
    Feature("policy-drops", "What a traffic policy keeps from endpoints elsewhere is dropped."),
    Feature("bursts", "Thousands of connections at once are kept apart."),
    Feature(
        "slice-label-changes", "EndpointSlices may change or lose the labels of their Service."
    ),
    # --- who is chosen ---
    Feature("node-hints", "Endpoints may be hinted for nodes (PreferSameNode)."),
    Feature("uniform-distribution", "Each endpoint gets the same share of new connections."),
    Feature("independent-choice", "An endpoint is chosen whatever was chosen before."),
    Feature("affinity-many-clients", "Affinity holds for hundreds of clients of one endpoint."),
    Feature("affinity-survives-restart", "Clients keep their endpoints when the proxy restarts."),
    Feature("affinity-timeout-change", "A changed timeout holds for clients known before, too."),
    # --- whose address is seen ---
    Feature("source-port-preserved", "A source port stays where the source address does."),
    Feature("source-port-reuse", "One source port serves connections to several frontends."),
    Feature("cluster-ip-masquerade", "Strangers' connections to cluster IPs come from the node."),
    Feature("masquerade-all", "All connections to cluster IPs can be masqueraded."),
    Feature("masquerade-random-port", "Masqueraded connections get random source ports."),
    # --- addresses without a Service behind them ---
    Feature("silent-cluster-ips", "Nobody answers ARP or neighbour solicitation for a cluster IP."),
    Feature("unserved-port-passed", "Ports that a Service does not have are left to routing."),
    Feature("unserved-port-rejected", "Ports that a Service does not have are refused by ICMP."),
    Feature(
        "unallocated-ip-dropped", "Addresses of the Service range without a Service are dropped."
    ),
    # --- changes, restarts, memory ---
    Feature("established-outlives-endpoint", "TCP connections outlive their endpoint's removal."),
    Feature(
        "conservative-udp-cleanup", "UDP flows to endpoints that still serve are forgotten never."
    ),
    Feature(
        "stale-conntrack-on-restart", "Flows that became stale while it was down end at a start."
    ),
    Feature("rules-outlive-proxy", "Services work for as long as the proxy is down."),
    Feature("minimal-sync-period", "Changes in quick succession are gathered for minSyncPeriod."),
    # --- the inside of kube-proxy's modes ---
    Feature("kube-proxy-modes", "It is kube-proxy, with kube-proxy's modes.", "mode"),
    Feature("default-mode", "It is the mode that runs where none is configured.", "mode"),
    Feature("unbound-cluster-ips", "Cluster IPs are on no interface of the node.", "mode"),
    Feature("iptables-rules", "Services are chains and rules of iptables.", "mode"),
    Feature("nftables-rules", "Services are chains, maps and sets of nftables.", "mode"),
    Feature("ipvs-rules", "Services are virtual servers of IPVS, helped by ipset.", "mode"),
    Feature("ipvs-schedulers", "IPVS's schedulers can be configured.", "mode"),
    Feature("round-robin", "Endpoints take turns, exactly.", "mode"),
)

FEATURES = {feature.name: feature for feature in _ALL}
"""All features by name."""


def unknown(names: Iterable[str]) -> str | None:
    """What to say of the first name that is no feature's, and which was perhaps meant; ``None``
    where all are known.
    """
    for name in sorted(set(names) - FEATURES.keys()):
        near = difflib.get_close_matches(name, FEATURES, 1, cutoff=0)
        return f"no feature is called {name!r}; the nearest is {near[0]!r}"
    return None
