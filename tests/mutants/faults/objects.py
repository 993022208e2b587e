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

from specification.addresses import CLUSTER_CIDRS, OUTSIDE, pod_cidr
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
    return Mutant(name, breaks, killed_by, mutate, of_objects=True)


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
        spec["clusterIPs"] = list(map(_nobodys, spec["clusterIPs"]))
        spec["clusterIP"] = spec["clusterIPs"][0]
        for port in spec["ports"]:
            port.pop("nodePort", None)


def _nobodys(address: str) -> str:
    """An address that nobody asks for instead of a cluster IP."""
    ip = ip_address(address)
    outside = OUTSIDE["IPv4" if ip.version == 4 else "IPv6"].network_address
    return str(outside + (int(ip) & 0xFFFF) + 0x10000)


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
    if "Proxy" in modes:
        spec.pop("externalIPs", None)
        for port in spec["ports"]:
            port.pop("nodePort", None)
    if "Proxy" in modes or several or bare or "loadBalancerClass" in spec:
        ingress.clear()


def _policy_ignored(spec: Object, _: list[Object]) -> None:
    if "externalTrafficPolicy" in spec:
        spec["externalTrafficPolicy"] = "Cluster"


def _sctp_ignored(spec: Object, _: list[Object]) -> None:
    spec["ports"] = [each for each in spec["ports"] if each["protocol"] != "SCTP"]


# --- whose business a Service is ------------------------------------------------------------------


def _labels_ignored(thing: Any, kind: str) -> list[Any]:
    if kind == "request":
        path, _, query = thing.partition("?")
        kept = (each for each in query.split("&") if not each.startswith("labelSelector="))
        return [f"{path}?{'&'.join(kept)}" if "/services" in path else thing]
    return [thing]


def _families_ignored(thing: Any, kind: str) -> list[Any]:
    """A Service of IPv4 alone is served in both families, by the same pods."""
    if kind == "services" and thing["spec"].get("ipFamilies") == ["IPv4"]:
        (address,) = thing["spec"]["clusterIPs"]
        low = (OUTSIDE["IPv6"].network_address) + (int(ip_address(address)) & 0xFFFF)
        thing["spec"] |= {"ipFamilies": ["IPv4", "IPv6"], "clusterIPs": [address, str(low)]}
    if kind == "endpointslices" and thing["addressType"] == "IPv4":
        metadata = thing["metadata"]
        named = {"name": f"{metadata['name']}-twin", "uid": f"{metadata.get('uid', '')}-twin"}
        ends = [
            each | {"addresses": [_in_ipv6(each["addresses"][0])]}
            for each in thing["endpoints"] or ()
        ]
        twin = {"metadata": metadata | named, "addressType": "IPv6", "endpoints": ends}
        return [thing, thing | twin]
    return [thing]


def _in_ipv6(address: str) -> str:
    """The other address of a pod."""
    place = int(ip_address(address)) - int(CLUSTER_CIDRS["IPv4"].network_address)
    return str(pod_cidr(place >> 16, "IPv6")[place & 0xFFFF])


MUTANTS = (
    _mutant(
        "zone-hints-ignored",
        "hints for zones are not followed",
        _each(lambda each: each["hints"].pop("forZones", None)),
        *("topo-node-fallback-zone", "topo-nodeport-lb", "topo-mixed-merge"),
    ),
    _mutant(
        "node-hints-ignored",
        "hints for nodes are not followed",
        _each(lambda each: each["hints"].pop("forNodes", None)),
        "topo-node-hints",
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
        *("topo-local-ignores", "topo-terminating-ignored"),
    ),
    _mutant(
        "own-zone-hinted",
        "endpoints without hints are taken to be hinted for the zone that they are in",
        _each(_own_zone_hinted),
        "topo-hints-authoritative",
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
        *("term-publish-off", "term-unready-nonterm"),
    ),
    _mutant(
        "source-ranges-ignored",
        "nobody is outside of source ranges",
        _services(lambda spec, _: spec.pop("loadBalancerSourceRanges", None)),
        *("lbsr-deny", "lbsr-pods-subject", "lbsr-host-subject", "lbsr-multi-vip", "lbsr-udp"),
    ),
    _mutant(
        "zone-for-good",
        "the zone of its node is always the same",
        _zone_said(ZONE),
        "topo-label-change",
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
        *("lbip-no-nodeports-local", "lbip-class-ignored", "ipm-proxy-nodeport", "ipm-mixed"),
    ),
    _mutant(
        "external-ips-ignored",
        "external IPs are not served",
        _services(lambda spec, _: spec.pop("externalIPs", None)),
        *("eip-capture-external", "eip-capture-pod", "eip-capture-host"),
    ),
    _mutant(
        "local-as-cluster",
        "externalTrafficPolicy is taken for Cluster",
        _services(_policy_ignored),
        *("eip-local-policy", "eip-etp-on-clusterip-type", "lbsr-etp-local"),
    ),
    _mutant(
        "families-ignored",
        "Services of IPv4 are served over IPv6, too",
        _families_ignored,
        "ds-eip-split",
    ),
    _mutant(
        "labels-ignored",
        "Services that are labelled for another proxy are served",
        _labels_ignored,
        "sec-proxy-name-label",
    ),
    _mutant("sctp-ignored", "SCTP is not served", _services(_sctp_ignored), "proto-sctp-np-lb"),
)
