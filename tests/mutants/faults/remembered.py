"""Mutants of kube-proxy that do not forget what an object was: what the API server sends is altered
on its way, as in ``tests.mutants.faults.objects``, to what it sent of the same object before.
"""

from __future__ import annotations

from typing import Any

from tests.mutants.mutant import Mutant

_AT_FIRST: dict[tuple[str, str], Any] = {}
"""What each EndpointSlice and each Service was when it was told for the first time, by its uid: its
endpoints, or its spec; and its status.
"""


def _endpoints(thing: Any, kind: str) -> list[Any]:
    if kind == "endpointslices":
        first = _AT_FIRST.setdefault((kind, thing["metadata"]["uid"]), thing["endpoints"])
        thing["endpoints"] = first
    return [thing]


def _services(thing: Any, kind: str) -> list[Any]:
    if kind == "services":
        uid, status = thing["metadata"]["uid"], thing.get("status")
        balancer = (status or {}).get("loadBalancer", {})
        if thing["spec"].get("type") != "LoadBalancer" or balancer.get("ingress"):  # it is said
            status = _AT_FIRST.setdefault(("status", uid), status)
        thing.update({} if status is None else {"status": status})
        thing["spec"] = _AT_FIRST.setdefault((kind, uid), thing["spec"])
    return [thing]


MUTANTS = (
    Mutant(
        "endpoints-remembered",
        "an EndpointSlice has the endpoints that it had at first",
        (
            "seq-decisions",
            *("itp-recovers", "itp-keep-established", "etp-local-drop-new-only"),
            *("etp-lb-target-nodes", "term-recover", "term-established"),
            "term-unready-then-removed",
            *("cip-slice-dup-conflict", "ct-udp-partial-family"),
            *("aff-ep-removed", "aff-ep-unready", "aff-ep-terminating", "aff-conditions-recover"),
            "aff-ep-topology-excluded",
            *("cip-new-avoid-removed", "cip-ep-ip-change", "lb-after-add", "topo-hint-change"),
            *("ct-udp-ep-removed-cip", "ct-udp-ep-removed-np", "ct-udp-ep-removed-lb"),
            *("ct-udp-ep-removed-eip", "ct-udp-ep-unserving", "ct-udp-itp-local"),
            *("ct-udp-host-client", "ct-udp-unreplied"),
            *("hc-np-503", "hc-np-term-503"),
            *("noep-0-to-n", "noep-n-to-0", "noep-no-conntrack-poison", "sync-coalesce-final"),
            "met-ct-deleted",
        ),
        _endpoints,
        of="objects",
    ),
    Mutant(
        "services-remembered",
        "a Service is what it was at first",
        (
            *("lbip-added", "lbip-removed", "ipm-switch", "eip-add-remove"),
            *("lbsr-update", "lbsr-clear", "lbsr-established"),
            *("itp-live-switch", "etp-switch-live", "etp-local-established"),
            *("aff-enable-live", "aff-disable-live", "aff-etp-local", "aff-itp-local"),
            *("cip-port-add", "cip-port-rename", "cip-port-renumber", "cip-from-externalname"),
            *("np-change", "np-remove", "np-add", "hc-np-only-when"),
            *("aff-switch-external", "np-from-externalname", "met-no-local-eps"),
        ),
        _services,
        of="objects",
    ),
)
