"""The API's objects that stand for a specification."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest

from specification.addresses import EXTERNAL_IPS, FAMILIES, SERVICE_RANGES, Family, pod_cidr
from specification.objects import endpoint_slices, service, status
from specification.places import Host
from specification.services import HEADLESS, Endpoint, Ingress, Port, ServiceSpec, Slice

if TYPE_CHECKING:
    from specification.services import Object

NODE = "the-node"
HERE, THERE, FAR = Host("pod", 300), Host("remote-pod", 301, 1), Host("remote-pod", 302, 2)
OUT, OTHER_NODE = Host("outside", 303), Host("remote-node", 0, 2)
VIP, EXTERNAL = SERVICE_RANGES["IPv4"][7], EXTERNAL_IPS["IPv4"][9]

BARE: Object = {"labels": {}, "annotations": {}}
PLAIN = ServiceSpec(slices=(Slice((Endpoint(HERE),)),)).named("web-1")
SINGLE = replace(PLAIN, families=("IPv4",), slices=())


@pytest.mark.parametrize("families", [("IPv4",), ("IPv6",), FAMILIES])
def test_the_plainest_service(families: tuple[Family, ...]) -> None:
    spec = replace(PLAIN, families=families)
    policy = "SingleStack" if len(families) == 1 else "RequireDualStack"
    assert service(spec) == {
        "metadata": {"name": "web-1", **BARE},
        "spec": {
            "type": "ClusterIP",
            "ports": [{"name": "web", "port": 80, "protocol": "TCP"}],
            "ipFamilyPolicy": policy,
            "ipFamilies": list(families),
            "internalTrafficPolicy": "Cluster",
            "sessionAffinity": "None",
            "sessionAffinityConfig": None,
        },
    }
    assert status(spec) == {}
    assert endpoint_slices(spec, NODE) == {
        f"web-1-0-{family.lower()}": {
            "metadata": {
                "name": f"web-1-0-{family.lower()}",
                "labels": {"kubernetes.io/service-name": "web-1"},
                "annotations": {},
            },
            "addressType": family,
            "ports": [{"name": "web", "port": 8080, "protocol": "TCP"}],
            "endpoints": [
                {
                    "addresses": [str(pod_cidr(0, family)[300])],
                    "conditions": {"ready": True},
                    "nodeName": NODE,
                    "zone": "zone-a",
                }
            ],
        }
        for family in families
    }


OWN: Object = {"nodeName": NODE, "zone": "zone-a"}
READY: Object = {"conditions": {"ready": True}}
ENTRIES: list[tuple[Endpoint, Object]] = [
    (Endpoint(THERE), {**READY, "nodeName": "lab-1", "zone": "zone-a"}),
    (Endpoint(FAR), {**READY, "nodeName": "lab-2", "zone": "zone-b"}),
    (Endpoint(OUT), READY),
    (
        Endpoint(OTHER_NODE, ready=False),
        {"conditions": {"ready": False}, "nodeName": "lab-2", "zone": "zone-b"},
    ),
    (Endpoint(HERE, ready=None), OWN),
    (Endpoint(HERE, node_name=None), {**READY, "zone": "zone-a"}),
    (Endpoint(HERE, node_name="other", zone=None), {**READY, "nodeName": "other"}),
    (Endpoint(OUT, zone="zone-b"), {**READY, "zone": "zone-b"}),
    (
        Endpoint(HERE, ready=False, serving=True, terminating=True),
        {"conditions": {"ready": False, "serving": True, "terminating": True}, **OWN},
    ),
    (
        Endpoint(HERE, serving=False, terminating=False),
        {"conditions": {"ready": True, "serving": False, "terminating": False}, **OWN},
    ),
    (
        Endpoint(HERE, for_zones=("zone-a", "zone-b"), for_nodes=("n",)),
        {
            **READY,
            **OWN,
            "hints": {
                "forZones": [{"name": "zone-a"}, {"name": "zone-b"}],
                "forNodes": [{"name": "n"}],
            },
        },
    ),
]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("endpoint", "expected"), ENTRIES)
def test_entries_say_what_was_asked_and_nothing_else(
    family: Family, endpoint: Endpoint, expected: Object
) -> None:
    addresses = [str(endpoint.host.address(family))]
    assert entry(endpoint, family) == {"addresses": addresses, **expected}


@pytest.mark.parametrize("family", FAMILIES)
def test_an_entry_has_all_of_its_addresses(family: Family) -> None:
    addresses = entry(Endpoint(HERE, more_hosts=(THERE, OUT)), family)["addresses"]
    assert addresses == [str(host.address(family)) for host in (HERE, THERE, OUT)]


def entry(endpoint: Endpoint, family: Family) -> Any:
    spec = replace(PLAIN, slices=(Slice((endpoint,), name="s"),))
    return endpoint_slices(spec, NODE)[f"s-{family.lower()}"]["endpoints"][0]


def test_slices_are_those_asked_for() -> None:
    dns, web = Port(53, 5353, "UDP", "dns"), Port(name="")
    slices = (
        Slice((Endpoint(HERE),), (dns, replace(web, target=None))),
        Slice((Endpoint(FAR),), address_types=("FQDN", "IPv6"), labels={HEADLESS: ""}),
        Slice(service_name="other", annotations={"when": "now"}, address_types=("IPv4",)),
        Slice(service_name=None, owner="uid", address_types=("IPv4",), ports=()),
    )
    spec = replace(SINGLE, ports=(dns,), slices=slices).named("")
    made = endpoint_slices(spec, NODE)
    assert list(made) == [
        "web-1-0-ipv4",
        "web-1-1-ipv6",
        "web-1-1-fqdn",
        "web-1-2-ipv4",
        "web-1-3-ipv4",
    ]
    assert made["web-1-0-ipv4"]["ports"] == [
        {"name": "dns", "port": 5353, "protocol": "UDP"},
        {"name": "", "protocol": "TCP"},
    ]
    names = made["web-1-1-fqdn"]
    assert names["addressType"] == "FQDN"
    assert names["endpoints"][0]["addresses"] == ["remote-pod-302.example"]
    mine = {"kubernetes.io/service-name": "web-1", HEADLESS: ""}
    assert names["metadata"] == {**BARE, "name": "web-1-1-fqdn", "labels": mine}
    assert made["web-1-2-ipv4"]["metadata"] == {
        "name": "web-1-2-ipv4",
        "labels": {"kubernetes.io/service-name": "other"},
        "annotations": {"when": "now"},
    }
    owner = {"apiVersion": "v1", "kind": "Service", "name": "web-1", "uid": "uid"}
    assert made["web-1-3-ipv4"]["metadata"] == {
        **BARE,
        "name": "web-1-3-ipv4",
        "ownerReferences": [owner],
    }
    assert made["web-1-3-ipv4"]["ports"] == []


def test_a_slice_gets_a_name_that_no_other_has() -> None:
    spec = ServiceSpec(name="a", slices=(Slice(name="a-1"), Slice(), Slice(), Slice(name="a-0")))
    assert [each.name for each in spec.named("b").slices] == ["a-1", "a-2", "a-3", "a-0"]
    assert ServiceSpec().named("b").name == "b"


EXPOSED = replace(
    SINGLE,
    type="LoadBalancer",
    ports=(Port(node_port=30053, target_port="named", app_protocol="http"),),
    external_ips=(EXTERNAL,),
    external_traffic_policy="Local",
    health_check_node_port=30001,
    load_balancer_source_ranges=(ip_network("10.0.0.0/8"), " 2001:DB8::/32 "),
    load_balancer_class="example.com/other",
    allocate_load_balancer_node_ports=False,
    load_balancer_ips=(EXTERNAL, Ingress(EXTERNAL, "Proxy"), Ingress(hostname="lb.example")),
)
POLICY = {"externalTrafficPolicy": "Local"}
BALANCED = {
    "loadBalancerSourceRanges": ["10.0.0.0/8", " 2001:DB8::/32 "],
    "loadBalancerClass": "example.com/other",
    "allocateLoadBalancerNodePorts": False,
}
PORT = {"name": "web", "port": 80, "protocol": "TCP"}
AS_SAID = {"targetPort": "named", "appProtocol": "http"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {**POLICY, **BALANCED, "healthCheckNodePort": 30001}),
        ({"external_traffic_policy": "Cluster"}, {"externalTrafficPolicy": "Cluster", **BALANCED}),
        ({"type": "NodePort"}, POLICY),
        ({"type": "ClusterIP"}, POLICY),
        ({"type": "ClusterIP", "external_ips": ()}, {}),
    ],
    ids=["LoadBalancer", "Cluster", "NodePort", "externalIPs", "ClusterIP"],
)
def test_a_service_has_what_its_type_has(changes: dict[str, Any], expected: Object) -> None:
    """The rest waits for another type: the API server would refuse it."""
    spec = replace(EXPOSED, **changes)
    common: Object = {**service(SINGLE)["spec"], "type": spec.type}
    on_nodes = {} if spec.type == "ClusterIP" else {"nodePort": 30053}
    ports = [{**PORT, **AS_SAID, **on_nodes}]
    external = {"externalIPs": [str(EXTERNAL)]} if spec.external_ips else {}
    assert service(spec)["spec"] == {**common, "ports": ports, **external, **expected}
    ingress = [
        {"ip": str(EXTERNAL)},
        {"ip": str(EXTERNAL), "ipMode": "Proxy"},
        {"hostname": "lb.example"},
    ]
    balanced = {"loadBalancer": {"ingress": ingress}} if spec.type == "LoadBalancer" else {}
    assert status(spec) == balanced


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"cluster_ips": [VIP]}, {"clusterIP": str(VIP), "clusterIPs": [str(VIP)]}),
        ({"headless": True}, {"clusterIP": "None", "clusterIPs": ["None"]}),
        ({"session_affinity": "ClientIP"}, {"sessionAffinity": "ClientIP"}),
        (
            {"session_affinity": 77},
            {
                "sessionAffinity": "ClientIP",
                "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 77}},
            },
        ),
        ({"internal_traffic_policy": "Local"}, {"internalTrafficPolicy": "Local"}),
        ({"traffic_distribution": "PreferClose"}, {"trafficDistribution": "PreferClose"}),
        ({"publish_not_ready_addresses": True}, {"publishNotReadyAddresses": True}),
        (
            {"type": "ExternalName", "external_name": "other.example", "cluster_ips": [VIP]},
            {
                "type": "ExternalName",
                "externalName": "other.example",
                "clusterIP": None,
                "clusterIPs": None,
                "ipFamilies": None,
                "ipFamilyPolicy": None,
                "internalTrafficPolicy": None,
            },
        ),
    ],
    ids=lambda value: " ".join(value) if "_" in str(value) or "headless" in value else "",
)
def test_a_field_is_a_field(changes: dict[str, Any], expected: Object) -> None:
    plain, changed = service(SINGLE)["spec"], service(replace(SINGLE, **changes))["spec"]
    if "session_affinity" in changes:
        del plain["sessionAffinityConfig"]
    assert changed == {**plain, **expected}


def test_labels_and_annotations_are_metadata() -> None:
    spec = replace(SINGLE, labels={"a": "b"}, annotations={"c": "d"})
    metadata = {"name": "web-1", "labels": {"a": "b"}, "annotations": {"c": "d"}}
    assert service(spec)["metadata"] == metadata
