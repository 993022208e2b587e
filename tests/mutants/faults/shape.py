"""Faults that a proxy can have in several modes, and the requirements that must notice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from specification.addresses import SERVICE_RANGES, node_address
from tests.mutants.mutant import Mutant

NODE = (str(node_address(0, "IPv4")), f"[{node_address(0, 'IPv6')}]")
"""The node's own addresses, IPv4 and IPv6, as they are written before a port."""

RANGES = tuple(map(str, SERVICE_RANGES.values()))
"""Where cluster IPs are, IPv4 and IPv6."""

MAPPED = f"::ffff:{SERVICE_RANGES['IPv4'].network_address}/112"
"""The addresses of IPv6 that the cluster IPs of IPv4 are mapped to."""

HEALTH_PORT = 10256
"""Where kube-proxy itself listens on the node (TCP): somebody to answer whom the lab does not
see."""


class _Fault(NamedTuple):
    """What is wrong, and what kills it."""

    breaks: str
    killed_by: tuple[str, ...]
    by_census: tuple[str, ...] = ()
    """Those that look at a census, which is taken once for a proxy."""


_FAULTS: dict[str, _Fault] = {
    "last-never-chosen": _Fault(
        "the last of several endpoints is never chosen", ("lb-all-eps-hit",)
    ),
    "only-first-chosen": _Fault("every connection goes to the first endpoint", ("lb-all-eps-hit",)),
    "cyclic-choice": _Fault(
        "endpoints take turns instead of being chosen at random", ("lb-independence",)
    ),
    "affinity-ignored": _Fault(
        "a new connection does not get the endpoint that its client had",
        ("aff-clientip-sticky", "aff-ep-returns"),
    ),
    "affinity-endless": _Fault(
        "a client keeps its endpoint beyond the timeout", ("aff-timeout-expire",)
    ),
    "nodeport-not-masqueraded": _Fault(
        "connections to a NodePort keep their client's address",
        ("np-masq-cluster", "masq-reply-symmetric"),
        by_census=("masq-pod-np", "masq-pod-lb"),
    ),
    "pods-masqueraded": _Fault(
        "connections of pods to a cluster IP are masqueraded",
        ("cip-no-snat-pod",),
        by_census=("masq-detect-clustercidr",),
    ),
    "hairpin-not-masqueraded": _Fault(
        "a pod that is sent to itself sees itself as the client", ("masq-hairpin", "np-hairpin")
    ),
    "reject-as-drop": _Fault(
        "connections to a Service without endpoints are dropped instead of rejected",
        ("noep-cip-tcp",),
        by_census=("np-noep", "ds-one-family-eps"),
    ),
    "drop-as-reject": _Fault(
        "what a traffic policy excludes is rejected instead of dropped", ("noep-reject-vs-drop",)
    ),
    "drop-as-pass": _Fault(
        "what a traffic policy excludes is passed on instead of dropped",
        (),
        by_census=("etp-local-none-drop", "itp-local-states-drop"),
    ),
    "external-policy-ignored": _Fault(
        "under externalTrafficPolicy Local clients outside get endpoints on every node",
        ("etp-remote-host-nodeport",),
        by_census=(
            "etp-local-only",
            "etp-local-none-drop",
            "etp-both-local",
            "term-remote-suppresses-reject",
            "term-local-indep",
        ),
    ),
    "internal-policy-ignored": _Fault(
        "under internalTrafficPolicy Local clients get endpoints on every node",
        ("itp-locality-nodename",),
        by_census=(
            "itp-local-states",
            "etp-both-local",
            "itp-host-client",
            "itp-external-client-cip",
        ),
    ),
    "pods-not-short-cut": _Fault(
        "externalTrafficPolicy Local binds pods as it binds clients outside",
        (),
        by_census=("etp-pod-shortcircuit", "etp-pod-no-local"),
    ),
    "node-not-short-cut": _Fault(
        "externalTrafficPolicy Local binds processes on the node as it binds clients outside",
        (),
        by_census=("etp-host-shortcircuit",),
    ),
    "wrong-target-port": _Fault(
        "connections arrive at the port after the target port",
        ("cip-tcp-dnat", "proto-sctp-same-port"),
        by_census=("np-multi-port", "np-dualstack-both", "ds-single-on-dual"),
    ),
    "udp-as-tcp": _Fault("the rules of UDP ports match TCP", ("cip-udp-dnat",)),
    "ipv6-missing": _Fault(
        "cluster IPs of IPv6 are not served",
        ("cip-tcp-dnat", "ds-large", "ds-add-secondary"),
        by_census=("ds-v6-only", "ds-both", "ds-order", "ds-affinity"),
    ),
    "node-unserved": _Fault("processes on the node get no Service", ("cip-from-host",)),
    "endpoints-frozen": _Fault(
        "a Service keeps the endpoints that it first had",
        ("lb-after-remove", "ds-update-eps", "sync-apiserver-outage", "sync-watch-bookmark"),
    ),
    "host-network-unserved": _Fault(
        "an endpoint that has the address of the node under test is not served",
        (
            "cip-ep-hostnetwork",
            "itp-hostnet-ep",
            "etp-hostnet-ep",
            "masq-hairpin-hostnet",
            "ds-hostnetwork",
        ),
    ),
    "leak": _Fault(
        "what no Service takes of the traffic to cluster IPs is led to a process on the node",
        (
            "cip-unserved-port",
            "cip-no-cross-service",
            "cip-delete",
            "cip-port-del",
            "cip-port-del-proto",
            "cip-to-externalname",
            "np-vip-nodeport",
            "cip-port-key-name",
            "sync-relist-delete",
            "itp-local-none-drop",
        ),
    ),
    "never-deleted": _Fault("a deleted Service is served on", ("cip-delete", "ds-del-secondary")),
}
"""Each by the mutants' name."""


def fault(
    name: str,
    mutate: Callable[[Any, Any], Any],
    cases: str = "",
    *more: str,
    censuses: bool = True,
) -> Mutant:
    """The mutant of one mode that has the fault of that name; ``more`` kill it in this mode. Where
    no census is taken with it, those that look at one do not.
    """
    breaks, killed_by, by_census = _FAULTS[name]
    if censuses:
        killed_by += by_census
    return Mutant(name, breaks, (*killed_by, *more), mutate, cases)
