"""Mutants of kube-proxy in any mode that read Services and EndpointSlices wrongly: what the API
server sends it is altered on its way (see ``tests.mutants.between.api``).

``mutate`` takes one thing and what it is: an object of ``services``, ``endpointslices`` or
``nodes``, or, as a ``request``, path and query of what kube-proxy asks for. It returns what is to
stand in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from tests.mutants.faults.misread import (
    families_ignored,
    labels_ignored,
    namespaces_ignored,
    nobodys,
    protocols_ignored,
    slice_ports_guessed,
)
from tests.mutants.mutant import Mutant

Object = dict[str, Any]

ZONE_LABEL = "topology.kubernetes.io/zone"

ZONE = "zone-a"
"""That of the node under test."""

NOBODY = "nobody"
"""No node and no zone has this name."""


def _mutant(
    name: str, breaks: str, mutate: Callable[[Any, str], list[Any]], *killed_by: str
) -> Mutant:
    return Mutant(name, breaks, killed_by, mutate, of="objects")


def _services(edit: Callable[[Object, list[Object]], None]) -> Callable[[Any, str], list[Any]]:
    """Edit each Service: its spec, and the entries in its load balancer's status."""

    def mutate(thing: Any, kind: str) -> list[Any]:
        if kind == "services":
            balancer = thing.get("status", {}).get("loadBalancer", {})
            edit(thing["spec"], balancer.get("ingress", []))
        return [thing]

    return mutate


def _slices(edit: Callable[[list[Object]], object]) -> Callable[[Any, str], list[Any]]:
    """Edit the endpoints of each EndpointSlice."""

    def mutate(thing: Any, kind: str) -> list[Any]:
        if kind == "endpointslices" and thing["endpoints"]:
            edit(thing["endpoints"])
        return [thing]

    return mutate


def _zone_said(zone: str | None) -> Callable[[Any, str], list[Any]]:
    """Have the node be in that zone, or in none, whatever its labels say."""

    def mutate(thing: Any, kind: str) -> list[Any]:
        if kind == "nodes":
            labels = thing["metadata"].setdefault("labels", {})
            labels.pop(ZONE_LABEL, None)
            labels.update({ZONE_LABEL: zone} if zone else {})
        return [thing]

    return mutate


def _each(edit: Callable[[Object], object]) -> Callable[[Any, str], list[Any]]:
    """Edit each endpoint of each EndpointSlice."""

    def every(endpoints: list[Object]) -> None:
        for each in endpoints:
            said: Object = {"hints": {}, "conditions": {}} | each
            edit(said)
            each.clear()
            each.update({name: value for name, value in said.items() if value != {}})

    return _slices(every)


# --- hints ----------------------------------------------------------------------------------------


def _zones(endpoint: Object) -> list[str]:
    return [each["name"] for each in endpoint.get("hints", {}).get("forZones") or ()]


def _safeguards_turned(endpoints: list[Object]) -> None:
    """What is not ready must have hints, or there are none; what has none for nodes, though others
    have, is for nobody.
    """
    hinted = [bool(each.get("hints")) for each in endpoints]
    ready = [each.get("conditions", {}).get("ready") is not False for each in endpoints]
    if not all(has or is_ready for has, is_ready in zip(hinted, ready, strict=True)):
        for each in endpoints:
            each.pop("hints", None)
    elif any("forNodes" in each.get("hints", {}) for each in endpoints):
        for each in endpoints:
            each.setdefault("hints", {}).setdefault("forNodes", [{"name": NOBODY}])


def _elsewhere_left_out(endpoints: list[Object]) -> None:
    endpoints[:] = [each for each in endpoints if not _zones(each) or ZONE in _zones(each)]


def _own_zone_hinted(endpoint: Object) -> None:
    if not endpoint["hints"]:
        endpoint["hints"] = {"forZones": [{"name": endpoint.get("zone") or NOBODY}]}


# --- conditions -----------------------------------------------------------------------------------


def _ready_misread(endpoint: Object) -> None:
    conditions = endpoint["conditions"]
    conditions["ready"] = conditions.get("ready") is True and not conditions.get("terminating")


# --- source ranges --------------------------------------------------------------------------------


def _one_range(spec: Object, _: list[Object]) -> None:
    if "loadBalancerSourceRanges" in spec:
        spec["loadBalancerSourceRanges"] = spec["loadBalancerSourceRanges"][:1]


def _ranges_of_all(spec: Object, _: list[Object]) -> None:
    """Whoever has ranges is served at the load balancer's IP alone."""
    if spec.get("loadBalancerSourceRanges"):
        spec.pop("externalIPs", None)
        spec["clusterIPs"] = list(map(nobodys, spec["clusterIPs"]))
        spec["clusterIP"] = spec["clusterIPs"][0]
        for port in spec["ports"]:
            port.pop("nodePort", None)


def _annotation_read(thing: Any, kind: str) -> list[Any]:
    annotations = thing["metadata"].get("annotations", {}) if kind == "services" else {}
    if ranges := annotations.get("service.beta.kubernetes.io/load-balancer-source-ranges"):
        thing["spec"].setdefault("loadBalancerSourceRanges", ranges.split(","))
    return [thing]


# --- external addresses ---------------------------------------------------------------------------


def _modes_set(mode: str) -> Callable[[Any, str], list[Any]]:
    def edit(_: Object, ingress: list[Object]) -> None:
        for each in ingress:
            if "ip" in each:
                each["ipMode"] = mode

    return _services(edit)


def _plain_alone(spec: Object, ingress: list[Object]) -> None:
    """The IP of a load balancer counts that has one in each family, of its Service's own kind."""
    modes = {each.get("ipMode") for each in ingress}
    versions = [ip_address(each["ip"]).version for each in ingress if "ip" in each]
    several = len(versions) > len(set(versions)) or len(versions) < len(ingress)
    bare = not all("nodePort" in port for port in spec["ports"])
    if "Proxy" in modes or (ingress and not versions):
        spec.pop("externalIPs", None)
        for port in spec["ports"]:
            port.pop("nodePort", None)
    if "Proxy" in modes or several or bare or "loadBalancerClass" in spec:
        ingress.clear()


def _external_ips_as_balancers(spec: Object, ingress: list[Object]) -> None:
    ingress += [{"ip": each} for each in spec.get("externalIPs", ())]


def _policy_ignored(spec: Object, _: list[Object]) -> None:
    if "externalTrafficPolicy" in spec:
        spec["externalTrafficPolicy"] = "Cluster"


def _internal_policy_everywhere(spec: Object, _: list[Object]) -> None:
    if "externalTrafficPolicy" in spec and spec.get("internalTrafficPolicy") == "Local":
        spec["externalTrafficPolicy"] = "Local"


def _ports_ignored(spec: Object, _: list[Object]) -> None:
    spec["ports"] = [
        each
        for each in spec.get("ports") or ()
        if each["protocol"] != "SCTP" and "appProtocol" not in each
    ]


MUTANTS = (
    _mutant(
        "zone-hints-ignored",
        "hints for zones are not followed",
        _each(lambda each: each["hints"].pop("forZones", None)),
        *(
            "topo-node-fallback-zone",
            "topo-nodeport-lb",
            "topo-mixed-merge",
            "topo-prefer-same-zone",
            "topo-per-port",
            "topo-per-family",
            "topo-established",
            "topo-zone-hints",
            "topo-multi-hints",
            "topo-unannotated",
        ),
    ),
    _mutant(
        "node-hints-ignored",
        "hints for nodes are not followed",
        _each(lambda each: each["hints"].pop("forNodes", None)),
        *("topo-node-hints", "topo-node-recover"),
    ),
    _mutant(
        "safeguards-turned",
        "hints need those of unready endpoints, and hints for nodes need no other endpoint's",
        _slices(_safeguards_turned),
        *("topo-unready-ignored", "topo-node-hint-partial"),
    ),
    _mutant(
        "hinted-elsewhere-left-out",
        "endpoints that are hinted for other zones are never given anything",
        _slices(_elsewhere_left_out),
        *("topo-local-ignores", "topo-terminating-ignored", "topo-no-drop", "topo-no-match"),
    ),
    _mutant(
        "own-zone-hinted",
        "endpoints without hints are taken to be hinted for the zone that they are in",
        _each(_own_zone_hinted),
        *("topo-hints-authoritative", "topo-missing-hint"),
    ),
    _mutant(
        "readiness-misread",
        "endpoints are ready only if that is said, and they are not terminating",
        _each(_ready_misread),
        *("term-publish-notready", "term-nil-ready"),
    ),
    _mutant(
        "conditions-ignored",
        "all endpoints are taken for ready",
        _each(lambda each: each["conditions"].update(ready=True)),
        *("term-publish-off", "term-unready-nonterm", "term-nil-serving", "term-nil-terminating"),
        *("term-from-terminating-pod", "term-hcnp", "topo-only-unready-in-zone"),
    ),
    _mutant(
        "places-unknown",
        "no endpoint is known to be on the node",
        _each(lambda each: each.pop("nodeName", None)),
        *("itp-local-only", "masq-itp-local-node", "hc-np-200", "hc-np-not-dnat"),
        "hc-np-families",
    ),
    _mutant(
        "source-ranges-ignored",
        "nobody is outside of source ranges",
        _services(lambda spec, _: spec.pop("loadBalancerSourceRanges", None)),
        *("lbsr-deny", "lbsr-pods-subject", "lbsr-host-subject", "lbsr-multi-vip", "lbsr-udp"),
        *("lbsr-whitespace", "lbsr-family-hole", "ds-lbsr-split"),
    ),
    _mutant(
        "zone-for-good",
        "the zone of its node is always the same",
        _zone_said(ZONE),
        *("topo-label-change", "topo-no-zone-label", "topo-other-labels"),
    ),
    _mutant(
        "zone-unknown", "the zone of its node is unknown", _zone_said(None), "topo-zone-at-start"
    ),
    _mutant(
        "first-range-alone",
        "of several source ranges the first counts alone",
        _services(_one_range),
        *("lbsr-allow", "lbsr-multi", "lbsr-zero-cidr"),
    ),
    _mutant(
        "ranges-of-all-frontends",
        "where there are source ranges, nobody is served but at the load balancer's IP",
        _services(_ranges_of_all),
        *("lbsr-clusterip-unfiltered", "eip-no-lbsr", "np-lbsr-bypass"),
    ),
    _mutant(
        "vip-as-proxy",
        "load balancers take all connections to their IPs themselves",
        _modes_set("Proxy"),
        *("ipm-vip-default", "lbip-capture-external", "lbip-capture-pod", "lbip-capture-host"),
        *("lbip-masq-cluster", "lbip-on-iface", "lbsr-node-ip", "ds-lb-split"),
    ),
    _mutant(
        "proxy-as-vip",
        "load balancers take no connection to their IPs themselves",
        _modes_set("VIP"),
        *("ipm-proxy", "ipm-proxy-lbsr"),
    ),
    _mutant(
        "plain-balancers-alone",
        "a load balancer is served only with one IP in each family, nodePorts and no class or mode",
        _services(_plain_alone),
        *("lbip-multi-ingress", "lbip-hostname-mixed", "lbip-no-nodeports"),
        "lbip-hostname-only",
        *("lbip-no-nodeports-local", "lbip-class-ignored", "ipm-proxy-nodeport", "ipm-mixed"),
    ),
    _mutant(
        "external-ips-ignored",
        "external IPs are not served",
        _services(lambda spec, _: spec.pop("externalIPs", None)),
        *("eip-capture-external", "eip-capture-pod", "eip-capture-host"),
        *("proto-tcp-np-lb", "proto-udp-np-lb"),
        *("eip-any-type", "eip-multi", "eip-masq-cluster", "eip-is-node-ip", "eip-claimant-goes"),
    ),
    _mutant(
        "external-ips-as-balancers",
        "external IPs are a load balancer's, too, where there is one",
        _services(_external_ips_as_balancers),
        "eip-gate-off",
    ),
    _mutant(
        "annotation-as-ranges",
        "source ranges are read from the annotation, too",
        _annotation_read,
        "lbsr-annotation",
    ),
    _mutant(
        "local-as-cluster",
        "externalTrafficPolicy is taken for Cluster",
        _services(_policy_ignored),
        *("eip-local-policy", "eip-etp-on-clusterip-type", "lbsr-etp-local", "etp-local-src"),
        *("masq-etp-local-pod", "masq-ext-local"),
    ),
    _mutant(
        "internal-policy-everywhere",
        "where internalTrafficPolicy is Local, externalTrafficPolicy is taken for Local, too",
        _services(_internal_policy_everywhere),
        "np-itp-ignored",
    ),
    _mutant(
        "families-ignored",
        "Services of IPv4 are served over IPv6, too",
        families_ignored,
        *("ds-eip-split", "lbip-other-family-ignored", "np-singlestack-other-family"),
        "cip-slice-other-family",
    ),
    _mutant(
        "protocols-ignored",
        "the ports of a Service are served over TCP and UDP, whichever they are for",
        protocols_ignored,
        "cip-proto-mismatch",
    ),
    _mutant(
        "namespaces-ignored",
        "all Services of a name are one, whatever their namespaces are",
        namespaces_ignored,
        "cip-namespace-isolation",
    ),
    _mutant(
        "services-misread",
        "Services that are another proxy's or stand for a name are served, none in an added range",
        labels_ignored,
        *("sec-proxy-name-label", "sec-proxy-name-toggle", "cip-externalname-ignored"),
        *("cip-extra-servicecidr", "cip-vip-outside-cidr"),
    ),
    _mutant(
        "some-ports-ignored",
        "ports of SCTP, and those that name an application, are not served",
        _services(_ports_ignored),
        *("proto-sctp-np-lb", "proto-appprotocol"),
    ),
    _mutant(
        "slice-ports-guessed",
        "ports of slices are found by a part of their names, and numbers guessed",
        slice_ports_guessed,
        *("proto-named-port-case", "cip-slice-nil-port"),
    ),
)
