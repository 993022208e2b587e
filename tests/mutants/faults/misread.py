"""What mutants of objects misread: whose business a Service is, and what its slices' ports are."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Any

from specification.addresses import CLUSTER_CIDRS, OUTSIDE, SERVICE_RANGES, pod_cidr

Object = dict[str, Any]

_OTHER = {"TCP": "UDP", "UDP": "TCP"}

_RANGES = tuple(SERVICE_RANGES.values())


def labels_ignored(thing: Any, kind: str) -> list[Any]:
    if kind == "request":
        path, _, query = thing.partition("?")
        kept = (each for each in query.split("&") if not each.startswith("labelSelector="))
        return [f"{path}?{'&'.join(kept)}" if "/services" in path else thing]
    if kind == "services":
        _misread(thing["spec"])
    return [thing]


def _misread(spec: Object) -> None:
    """What stands for a name is served, and no cluster IP that is in none of the first ranges."""
    if spec["type"] == "ExternalName":
        address = nobodys(spec.get("externalIPs", ["192.0.2.0"])[0])
        spec |= {"type": "ClusterIP", "clusterIPs": [address], "clusterIP": address}
    elif spec["clusterIPs"] != ["None"]:
        spec["clusterIPs"] = [
            each if any(ip_address(each) in known for known in _RANGES) else nobodys(each)
            for each in spec["clusterIPs"]
        ]
        spec["clusterIP"] = spec["clusterIPs"][0]


def families_ignored(thing: Any, kind: str) -> list[Any]:
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


def protocols_ignored(thing: Any, kind: str) -> list[Any]:
    """Each port, of a Service or a slice, has a twin of the other protocol where its number has
    not both.
    """
    if kind in ("services", "endpointslices"):
        ports = (thing["spec"] if kind == "services" else thing).get("ports") or []
        numbers = [each.get("port") for each in ports]
        twins = [
            {
                "name": f"{each.get('name') or ''}-twin",
                "protocol": _OTHER[each["protocol"]],
                "port": each.get("port"),
            }
            for each in ports
            if each["protocol"] in _OTHER and numbers.count(each.get("port")) == 1
        ]
        ports += twins
    return [thing]


def namespaces_ignored(thing: Any, kind: str) -> list[Any]:
    if kind in ("services", "endpointslices"):
        thing["metadata"]["namespace"] = "default"
    return [thing]


def slice_ports_guessed(thing: Any, kind: str) -> list[Any]:
    """Names without what tells several of a kind, and numbers where there are none."""
    if kind == "endpointslices":
        for port in thing["ports"] or ():
            port["name"] = re.sub(r"-?\d*$", "", port.get("name") or "")
            port["port"] = port.get("port") or 8080
    return [thing]


def nobodys(address: str) -> str:
    """An address that nobody asks for instead of a cluster IP."""
    ip = ip_address(address)
    outside = OUTSIDE["IPv4" if ip.version == 4 else "IPv6"].network_address
    return str(outside + (int(ip) & 0xFFFF) + 0x10000)
