"""The objects of the Kubernetes API that stand for a ``ServiceSpec``: built here and nowhere else.

A member that is ``None`` is to be absent, whatever the API server has filled in there; one that is
missing is the API server's choice.
"""

from __future__ import annotations

from collections.abc import Mapping

from specification.places import Host
from specification.services import (
    SERVICE_NAME,
    AddressType,
    Endpoint,
    Object,
    Port,
    ServiceSpec,
    Slice,
)


def service(spec: ServiceSpec) -> Object:
    """The Service, without its status."""
    return {
        "metadata": _metadata(spec.name, spec.labels, spec.annotations),
        "spec": {
            "type": spec.type,
            "ports": [_service_port(port, spec) for port in spec.ports],
            **_cluster_ips(spec),
            **_affinity(spec),
            **_external(spec),
            **_filled(
                trafficDistribution=spec.traffic_distribution,
                publishNotReadyAddresses=spec.publish_not_ready_addresses,
            ),
        },
    }


def status(spec: ServiceSpec) -> Object:
    """The Service's status: what its load balancer has written."""
    entries = [
        _known(ip=each.ip and str(each.ip), ipMode=each.ip_mode, hostname=each.hostname)
        for each in spec.ingress
    ]
    return {"loadBalancer": {"ingress": entries}} if entries else {}


def endpoint_slices(spec: ServiceSpec, node_under_test: str) -> dict[str, Object]:
    """The EndpointSlices by name; ``spec.named`` must have given them theirs."""
    return {
        f"{part.name}-{each.lower()}": _endpoint_slice(spec, part, each, node_under_test)
        for part in spec.slices
        for each in spec.types_of(part)
    }


def _metadata(name: str, labels: Mapping[str, str], annotations: Mapping[str, str]) -> Object:
    """Maps are there even if empty: then a patch removes nothing that somebody else has added."""
    return {"name": name, "labels": dict(labels), "annotations": dict(annotations)}


def _filled(**members: object) -> Object:
    """The members that say something."""
    return {name: value for name, value in members.items() if value}


def _known(**members: object) -> Object:
    """The members that are not ``None``."""
    return {name: value for name, value in members.items() if value is not None}


def _service_port(port: Port, spec: ServiceSpec) -> Object:
    on_nodes = port.node_port if spec.type in ("NodePort", "LoadBalancer") else None
    return {
        "name": port.name,
        "port": port.number,
        "protocol": port.protocol,
        **_known(nodePort=on_nodes, targetPort=port.target_port, appProtocol=port.app_protocol),
    }


def _cluster_ips(spec: ServiceSpec) -> Object:
    """What the Service has within the cluster."""
    if spec.type == "ExternalName":
        none = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy")
        return {**dict.fromkeys(none), "externalName": spec.external_name}
    addresses = ["None"] if spec.headless else [str(address) for address in spec.cluster_ips]
    return {
        "ipFamilyPolicy": "SingleStack" if len(spec.families) == 1 else "RequireDualStack",
        "ipFamilies": list(spec.families),
        "internalTrafficPolicy": spec.internal_traffic_policy,
        **({"clusterIP": addresses[0], "clusterIPs": addresses} if addresses else {}),
    }


def _affinity(spec: ServiceSpec) -> Object:
    if spec.session_affinity == "None":
        return {"sessionAffinity": "None", "sessionAffinityConfig": None}
    if spec.session_affinity == "ClientIP":
        return {"sessionAffinity": "ClientIP"}
    seconds = {"clientIP": {"timeoutSeconds": spec.session_affinity}}
    return {"sessionAffinity": "ClientIP", "sessionAffinityConfig": seconds}


def _external(spec: ServiceSpec) -> Object:
    """What the Service has for the world outside, as far as its type has it."""
    found = _filled(externalIPs=[str(address) for address in spec.external_ips])
    if spec.exposed:
        found["externalTrafficPolicy"] = spec.external_traffic_policy
    if spec.type == "LoadBalancer":
        found |= _filled(
            loadBalancerSourceRanges=[str(each) for each in spec.load_balancer_source_ranges],
            loadBalancerClass=spec.load_balancer_class,
        )
        if not spec.allocate_load_balancer_node_ports:
            found["allocateLoadBalancerNodePorts"] = False
        if spec.external_traffic_policy == "Local":
            found |= _filled(healthCheckNodePort=spec.health_check_node_port)
    return found


def _endpoint_slice(spec: ServiceSpec, part: Slice, kind: AddressType, node: str) -> Object:
    owner = spec.owner_of(part)
    labels = {**({SERVICE_NAME: owner} if owner is not None else {}), **part.labels}
    metadata = _metadata(f"{part.name}-{kind.lower()}", labels, part.annotations)
    if part.owner:
        reference = {"apiVersion": "v1", "kind": "Service", "name": spec.name, "uid": part.owner}
        metadata["ownerReferences"] = [reference]
    return {
        "metadata": metadata,
        "addressType": kind,
        "ports": [
            {"name": port.name, "protocol": port.protocol, **_known(port=port.target)}
            for port in spec.ports_of(part)
        ],
        "endpoints": [_entry(endpoint, kind, node) for endpoint in part.endpoints],
    }


def _entry(endpoint: Endpoint, kind: AddressType, node: str) -> Object:
    hints = _filled(
        forZones=[{"name": zone} for zone in endpoint.for_zones],
        forNodes=[{"name": name} for name in endpoint.for_nodes],
    )
    host = endpoint.host
    return {
        "addresses": [_address(each, kind) for each in (host, *endpoint.more_hosts)],
        **_filled(
            conditions=_known(
                ready=endpoint.ready, serving=endpoint.serving, terminating=endpoint.terminating
            ),
            hints=hints,
        ),
        **_known(
            nodeName=host.node_name(node) if endpoint.node_name == "" else endpoint.node_name,
            zone=host.zone if endpoint.zone == "" else endpoint.zone,
        ),
    }


def _address(host: Host, kind: AddressType) -> str:
    return f"{host.place}-{host.number}.example" if kind == "FQDN" else str(host.address(kind))
