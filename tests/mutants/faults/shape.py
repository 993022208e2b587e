"""Faults that a proxy can have in several modes, and the requirements that must notice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from specification.addresses import SERVICE_RANGES, node_address
from tests.mutants.mutant import Mutant

NODE = (str(node_address(0, "IPv4")), f"[{node_address(0, 'IPv6')}]")
"""The node's own addresses, IPv4 and IPv6, as they are written before a port."""

RANGES = tuple(map(str, SERVICE_RANGES.values()))
"""Where cluster IPs are, IPv4 and IPv6."""

HEALTH_PORT = 10256
"""Where kube-proxy itself listens on the node (TCP): somebody to answer whom the lab does not
see."""

_FAULTS: dict[str, tuple[str, ...]] = {
    "last-never-chosen": ("the last of several endpoints is never chosen", "lb-all-eps-hit"),
    "only-first-chosen": ("every connection goes to the first endpoint", "lb-all-eps-hit"),
    "cyclic-choice": ("endpoints take turns instead of being chosen at random", "lb-independence"),
    "affinity-ignored": (
        "a new connection does not get the endpoint that its client had",
        "aff-clientip-sticky",
    ),
    "affinity-endless": ("a client keeps its endpoint beyond the timeout", "aff-timeout-expire"),
    "nodeport-not-masqueraded": (
        "connections to a NodePort keep their client's address",
        "np-masq-cluster",
    ),
    "pods-masqueraded": ("connections of pods to a cluster IP are masqueraded", "cip-no-snat-pod"),
    "hairpin-not-masqueraded": (
        "a pod that is sent to itself sees itself as the client",
        "masq-hairpin",
    ),
    "reject-as-drop": (
        "connections to a Service without endpoints are dropped instead of rejected",
        "noep-cip-tcp",
    ),
    "drop-as-reject": (
        "what a traffic policy excludes is rejected instead of dropped",
        "noep-reject-vs-drop",
    ),
    "drop-as-pass": (
        "what a traffic policy excludes is passed on instead of dropped",
        "etp-local-none-drop",
        "itp-local-states-drop",
    ),
    "external-policy-ignored": (
        "under externalTrafficPolicy Local clients outside get endpoints on every node",
        "etp-local-only",
        "etp-local-none-drop",
        "etp-both-local",
    ),
    "internal-policy-ignored": (
        "under internalTrafficPolicy Local clients get endpoints on every node",
        "itp-local-states",
        "etp-both-local",
    ),
    "pods-not-short-cut": (
        "externalTrafficPolicy Local binds pods as it binds clients outside",
        "etp-pod-shortcircuit",
    ),
    "node-not-short-cut": (
        "externalTrafficPolicy Local binds processes on the node as it binds clients outside",
        "etp-host-shortcircuit",
    ),
    "wrong-target-port": ("connections arrive at the port after the target port", "cip-tcp-dnat"),
    "udp-as-tcp": ("the rules of UDP ports match TCP", "cip-udp-dnat"),
    "ipv6-missing": ("cluster IPs of IPv6 are not served", "cip-tcp-dnat"),
    "node-unserved": ("processes on the node get no Service", "cip-from-host"),
    "endpoints-frozen": ("a Service keeps the endpoints that it first had", "lb-after-remove"),
    "host-network-unserved": (
        "an endpoint that has the address of the node under test is not served",
        "cip-ep-hostnetwork",
    ),
    "leak": (
        "what no Service takes of the traffic to cluster IPs is led to a process on the node",
        "cip-unserved-port",
        "cip-no-cross-service",
        "cip-delete",
        "cip-port-del",
        "cip-to-externalname",
        "np-vip-nodeport",
        "cip-port-key-name",
        "sync-relist-delete",
        "itp-local-none-drop",
    ),
    "never-deleted": ("a deleted Service is served on", "cip-delete"),
}
"""What is wrong, and what kills it, by the mutant's name."""


def fault(name: str, mutate: Callable[[Any, Any], Any], cases: str = "", *more: str) -> Mutant:
    """The mutant of one mode that has the fault of that name; ``more`` kill it in this mode."""
    breaks, *killed_by = _FAULTS[name]
    return Mutant(name, breaks, (*killed_by, *more), mutate, cases)
