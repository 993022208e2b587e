"""What a proxy may leave out: each feature by which an implementation claims requirements."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
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
    Feature("ranges-for-new-connections", "Source ranges bind new connections alone."),
    Feature("external-ips-gate", "External IPs can be switched off."),
    Feature("external-ips-of-nodes", "A node's own address may be an external IP, too."),
    Feature("policy-drops", "What a traffic policy keeps from endpoints elsewhere is dropped."),
    Feature("bursts", "Thousands of connections at once are kept apart."),
    Feature(
        "slice-label-changes", "EndpointSlices may change or lose the labels of their Service."
    ),
    Feature("reused-addresses", "A pod may get the address of one that is still terminating."),
    Feature("shared-addresses", "A host keeps the ports of an address that no Service has there."),
    # --- who is chosen ---
    Feature("unannotated-hints", "Hints are followed whatever annotations a Service has."),
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
    Feature(
        "external-masquerade-of-pods",
        "Under policy Cluster, pods' connections by external frontends come from the node.",
    ),
    Feature(
        "masquerade-of-processes",
        "Processes on the node come from the address that leads to their endpoint.",
    ),
    Feature("external-endpoints", "Endpoints outside the cluster see pods' own addresses."),
    Feature("detect-local", "How pods are told from strangers can be configured."),
    Feature("masquerade-all", "All connections to cluster IPs can be masqueraded."),
    Feature("masquerade-random-port", "Masqueraded connections get random source ports."),
    Feature("one-way-connections", "Connections of which a node sees one direction alone pass it."),
    # --- nodePorts ---
    Feature(
        "node-ports-at-every-address", "By default all of the node's addresses serve nodePorts."
    ),
    Feature(
        "node-ports-at-primary-addresses",
        "By default those of the Node object's addresses serve nodePorts that are the first.",
    ),
    Feature("node-port-addresses", "Which addresses serve nodePorts can be configured."),
    Feature("node-port-addresses-primary", "They can be set to the primary ones by a word."),
    Feature("lone-primary-addresses", "That word stands alone in the configuration.", "mode"),
    Feature(
        "node-port-keywords",
        "That word and others stand beside each other and beside networks.",
        "mode",
    ),
    Feature("localhost-node-ports", "Processes on the node are served at 127.0.0.1, too."),
    Feature("no-localhost-node-ports", "By default nobody is served at 127.0.0.1."),
    Feature(
        "relayed-localhost-node-ports",
        "Processes' TCP connections to 127.0.0.1 and ::1 can be relayed, by a gate (KEP-6032).",
    ),
    Feature("shadowed-listeners", "Processes may listen at the number of a nodePort, in vain."),
    Feature("external-ips-first", "A Service's external IP may be the node's own address."),
    Feature("forwarding-accepted", "What it forwards passes a policy that forwards nothing."),
    Feature("health-checks-accepted", "A healthCheckNodePort passes an INPUT that drops."),
    Feature("translation-before-input", "What is for endpoints elsewhere passes the node's INPUT."),
    # --- addresses without a Service behind them ---
    Feature("silent-cluster-ips", "Nobody answers ARP or neighbour solicitation for a cluster IP."),
    Feature("unserved-port-passed", "Ports that a Service does not have are left to routing."),
    Feature("unserved-port-rejected", "Ports that a Service does not have are refused by ICMP."),
    Feature(
        "unallocated-ip-dropped", "Addresses of the Service range without a Service are dropped."
    ),
    Feature(
        "added-ranges-dropped",
        "So are those in the range of a ServiceCIDR that was added, once all is written anew.",
        "mode",
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
    Feature(
        "node-ips-at-start", "A change of the Node's addresses is logged, and no more.", "mode"
    ),
    Feature("outlives-node", "The deletion of its Node object is logged, and no more.", "mode"),
    Feature(
        "ends-with-node",
        "It ends, to be started anew, when its Node is deleted or has other addresses.",
        "mode",
    ),
    # --- the inside of kube-proxy's modes ---
    Feature("kube-proxy-modes", "It is kube-proxy, with kube-proxy's modes.", "mode"),
    Feature(
        "health-by-family", "What it tells of its health has an entry for each family.", "mode"
    ),
    Feature(
        "configuration-by-fields",
        "It tells at /configz what it goes by, by the fields of its configuration.",
        "mode",
    ),
    Feature("metrics-by-family", "What its metrics tell, they tell of each family.", "mode"),
    Feature(
        "metrics-without-address",
        "It serves no metrics where a flag gives it no address for them.",
        "mode",
    ),
    Feature("partial-syncs", "A change is in force by a sync of what has changed alone.", "mode"),
    Feature("iptables-restore", "Rules are written by iptables-restore, all or some.", "mode"),
    Feature("nodes-to-be-removed", "It tells load balancers that a Node is to be removed.", "mode"),
    Feature("default-mode", "It is the mode that runs where none is configured.", "mode"),
    Feature(
        "default-mode-warning",
        "It is that mode, and warns that another one will be some day.",
        "mode",
    ),
    Feature(
        "mode-switches",
        "A node may switch to another mode that has it: Services and connections go on.",
        "mode",
    ),
    Feature("unbound-cluster-ips", "Cluster IPs are on no interface of the node.", "mode"),
    Feature("iptables-rules", "Services are chains and rules of iptables.", "mode"),
    Feature("nftables-rules", "Services are chains, maps and sets of nftables.", "mode"),
    Feature("ipvs-rules", "Services are virtual servers of IPVS, helped by ipset.", "mode"),
    Feature("ipvs-schedulers", "IPVS's schedulers can be configured.", "mode"),
    Feature("round-robin", "Endpoints take turns, exactly.", "mode"),
)

FEATURES = {feature.name: feature for feature in _ALL}
"""All features by name."""


def unknown(names: Iterable[str]) -> Iterator[str]:
    """What to say of each name that is no feature's, and which was perhaps meant."""
    for name in sorted(set(names) - FEATURES.keys()):
        near = difflib.get_close_matches(name, FEATURES, 1, cutoff=0)
        yield f"no feature is called {name!r}; the nearest is {near[0]!r}"
