"""Objects of the Kubernetes API as the specification has them: what specification.objects builds,
read again, with what the API server has filled in. What it has not, has the API's default.
"""

from __future__ import annotations

from ipaddress import ip_address

from specification.addresses import family_of
from specification.places import Host
from specification.services import (
    SERVICE_NAME,
    Endpoint,
    Ingress,
    Object,
    Port,
    ServiceSpec,
    SessionAffinity,
    Slice,
)


def service(body: Object) -> ServiceSpec:
    """A Service, without its EndpointSlices."""
    metadata, spec = body["metadata"], body["spec"]
    balancer = body.get("status", {}).get("loadBalancer", {})
    given = spec.get("clusterIPs") or list(filter(None, [spec.get("clusterIP")]))
    cluster_ips = tuple(ip_address(each) for each in given if each != "None")
    return ServiceSpec(
        name=metadata["name"],
        namespace=metadata.get("namespace", "default"),
        type=spec.get("type", "ClusterIP"),
        ports=tuple(
            Port(
                each["port"],
                protocol=each.get("protocol", "TCP"),
                name=each.get("name", ""),
                node_port=each.get("nodePort"),
            )
            for each in spec.get("ports", ())
        ),
        families=tuple(spec.get("ipFamilies") or map(family_of, cluster_ips)),
        cluster_ips=cluster_ips,
        headless="None" in given,
        external_ips=tuple(spec.get("externalIPs", ())),
        load_balancer_ips=tuple(_ingress(each) for each in balancer.get("ingress", ())),
        load_balancer_source_ranges=tuple(spec.get("loadBalancerSourceRanges", ())),
        session_affinity=_affinity(spec),
        internal_traffic_policy=spec.get("internalTrafficPolicy", "Cluster"),
        external_traffic_policy=spec.get("externalTrafficPolicy", "Cluster"),
        traffic_distribution=spec.get("trafficDistribution"),
        publish_not_ready_addresses=spec.get("publishNotReadyAddresses", False),
        labels=metadata.get("labels", {}),
        annotations=metadata.get("annotations", {}),
    )


def endpoint_slice(body: Object) -> ServiceSpec:
    """An EndpointSlice, written beside no Service: whose it is, its label says."""
    metadata, kind = body["metadata"], body["addressType"]
    labels = dict(metadata.get("labels", {}))
    part = Slice(
        # the addresses of an FQDN slice are names, and nobody's
        tuple(_endpoint(each) for each in body.get("endpoints") or ()) if kind != "FQDN" else (),
        tuple(
            Port(0, each.get("port"), each.get("protocol", "TCP"), each.get("name", ""))
            for each in body.get("ports") or ()
        ),
        (kind,),
        name=metadata["name"],
        service_name=labels.pop(SERVICE_NAME, None),
        labels=labels,
    )
    namespace = metadata.get("namespace", "default")
    return ServiceSpec(namespace=namespace, slices=(part,), slices_only=True)


def _ingress(entry: Object) -> Ingress:
    address = entry.get("ip")
    return Ingress(address and ip_address(address), entry.get("ipMode"), entry.get("hostname"))


def _affinity(spec: Object) -> SessionAffinity:
    if spec.get("sessionAffinity", "None") == "None":
        return "None"
    configured = (spec.get("sessionAffinityConfig") or {}).get("clientIP", {})
    seconds: int | None = configured.get("timeoutSeconds")
    return seconds or "ClientIP"


def _endpoint(entry: Object) -> Endpoint:
    conditions, hints = entry.get("conditions") or {}, entry.get("hints") or {}
    first, *more = (host(each) for each in entry["addresses"])
    return Endpoint(
        first,
        conditions.get("ready"),
        conditions.get("serving"),
        conditions.get("terminating"),
        for_zones=tuple(each["name"] for each in hints.get("forZones", ())),
        for_nodes=tuple(each["name"] for each in hints.get("forNodes", ())),
        more_hosts=tuple(more),
        node_name=entry.get("nodeName"),
        zone=entry.get("zone"),
    )


def host(address: str) -> Host:
    """Whoever has that address; where that is, the slice says."""
    return Host("node", 0, own=(ip_address(address),))
