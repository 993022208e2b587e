"""Kubernetes objects of the kinds that are looked at, checked: what the API server would refuse
makes no sense here, either.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final, Literal

import msgspec

from foretell.manifests.text import Object, Place
from specification import reading
from specification.addresses import Family, IPAddress
from specification.errors import ManifestError, misfit
from specification.services import (
    AddressType,
    Protocol,
    ServiceSpec,
    ServiceType,
    TrafficPolicy,
)

_ZONE: Final = "topology.kubernetes.io/zone"


@dataclass(frozen=True)
class Node:
    """What is looked at of a Node."""

    name: str
    zone: str | None
    addresses: tuple[IPAddress, ...]


def _as_in_the_api(name: str) -> str:
    """The name of a field: ``cluster_ips`` is ``clusterIPs``."""
    first, *rest = name.split("_")
    return first + "".join({"ip": "IP", "ips": "IPs"}.get(each, each.title()) for each in rest)


class _Object(msgspec.Struct, rename=_as_in_the_api):
    """What is looked at of an object; the rest may be anything."""


class _Metadata(_Object):
    name: str
    namespace: str = "default"
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class _ServicePort(_Object):
    port: int
    name: str = ""
    protocol: Protocol = "TCP"
    node_port: int | None = None


class _Ingress(_Object):
    ip: str | None = None
    hostname: str | None = None
    ip_mode: Literal["VIP", "Proxy"] | None = None


class _Balancer(_Object):
    ingress: list[_Ingress] = []


class _Status(_Object):
    load_balancer: _Balancer | None = None


class _ClientIP(_Object):
    timeout_seconds: int | None = None


class _AffinityConfig(_Object):
    client_ip: _ClientIP | None = None


class _ServiceSpec(_Object):
    type: ServiceType = "ClusterIP"
    ports: list[_ServicePort] = []
    cluster_ip: str = ""
    cluster_ips: list[str] = []
    ip_families: list[Family] = []
    external_ips: list[str] = []
    load_balancer_source_ranges: list[str] = []
    session_affinity: Literal["None", "ClientIP"] = "None"
    session_affinity_config: _AffinityConfig | None = None
    internal_traffic_policy: TrafficPolicy = "Cluster"
    external_traffic_policy: TrafficPolicy = "Cluster"
    traffic_distribution: str | None = None
    publish_not_ready_addresses: bool = False


class _Service(_Object):
    metadata: _Metadata
    spec: _ServiceSpec
    status: _Status | None = None


class _Conditions(_Object):
    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class _Named(_Object):
    name: str


class _Hints(_Object):
    for_zones: list[_Named] = []
    for_nodes: list[_Named] = []


class _Entry(_Object):
    addresses: list[str]
    conditions: _Conditions | None = None
    hints: _Hints | None = None
    node_name: str | None = None
    zone: str | None = None


class _SlicePort(_Object):
    port: int | None = None
    name: str = ""
    protocol: Protocol = "TCP"


class _EndpointSlice(_Object):
    metadata: _Metadata
    address_type: AddressType
    endpoints: list[_Entry] = []
    ports: list[_SlicePort] = []


class _Address(_Object):
    type: str
    address: str


class _NodeStatus(_Object):
    addresses: list[_Address] = []


class _Node(_Object):
    metadata: _Metadata
    status: _NodeStatus | None = None


_KINDS: Final[dict[str, tuple[str, type[msgspec.Struct]]]] = {
    "Service": ("v1", _Service),
    "EndpointSlice": ("discovery.k8s.io/v1", _EndpointSlice),
    "Node": ("v1", _Node),
}


def made(place: Place, body: Object) -> ServiceSpec | Node | None:
    """A Service, an EndpointSlice (as a Service of nothing else) or a Node; ``None`` for an object
    of another kind.

    Raises:
        ManifestError: it is of one of these kinds, and makes no sense.
    """
    kind = str(body.get("kind"))
    if kind not in _KINDS:
        return None
    version, struct = _KINDS[kind]
    where = f"{place}: {kind}{_name(body.get('metadata'))}"
    if body.get("apiVersion") != version:
        raise ManifestError(
            f"{where}: apiVersion {version} is needed, not {body.get('apiVersion')}"
        )
    try:
        match msgspec.convert(body, struct):
            case _Service(spec=spec):
                for each in spec.external_ips:
                    ip_address(each)
                for each in spec.load_balancer_source_ranges:
                    ip_network(each.strip())
                return reading.service(body)
            case _EndpointSlice():
                return reading.endpoint_slice(body)
            case _Node(metadata=metadata, status=status):
                listed = status.addresses if status else []
                own = (ip_address(each.address) for each in listed if each.type.endswith("IP"))
                return Node(metadata.name, metadata.labels.get(_ZONE), tuple(own))
    except msgspec.ValidationError as problem:
        raise ManifestError(f"{where}: {misfit(problem, body)}") from problem
    except ValueError as problem:  # an address that is none
        raise ManifestError(f"{where}: {problem}") from problem
    raise AssertionError(kind)


def _name(metadata: object) -> str:
    if not isinstance(metadata, dict):
        return ""
    return f" {metadata.get('namespace', 'default')}/{metadata.get('name', '?')}"
