"""Services that tests have foretold, and who foretells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import yaml

from foretell import configuration, foretold, side
from foretell.configuration import Given
from foretell.manifests import cluster
from foretell.manifests.text import objects
from specification import objects as objects_of

if TYPE_CHECKING:
    from foretell.foretold import Change, Foretold
    from foretell.manifests.cluster import Cluster
    from specification.services import ServiceSpec

Modes = tuple[str, str]
"""A mode and another, from the one to the other."""

IN_MACHINES: Final = "ipvs"
"""The mode whose nodes are machines, which may be emulated: it is seen with ``--every-mutant``."""

LONGEST: Final = 3000
"""Seconds that a run of the suite may take."""


def service(name: str = "web", kind: str = "ClusterIP", **spec: Any) -> dict[str, Any]:
    """A Service as the API has it, with one port unless it says otherwise."""
    ports = [{"name": "web", "port": 80, "protocol": "TCP"}]
    ips = {"clusterIP": "10.96.0.9", "clusterIPs": ["10.96.0.9"], "ipFamilies": ["IPv4"]}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"type": kind, "ports": ports, **ips, **spec},
    }


def endpoints(of: str = "web", *nodes: str | None, protocol: str = "TCP") -> dict[str, Any]:
    """An EndpointSlice with one ready endpoint on each node."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "addressType": "IPv4",
        "metadata": {
            "name": f"{of}-1",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": of},
        },
        "ports": [{"name": "web", "port": 8080, "protocol": protocol}],
        "endpoints": [
            {
                "addresses": [f"10.128.0.{number}"],
                "conditions": {"ready": True},
                **({"nodeName": node} if node else {}),
            }
            for number, node in enumerate(nodes, start=1)
        ],
    }


def node(name: str, zone: str = "", address: str = "192.0.2.10") -> dict[str, Any]:
    """A Node."""
    labels = {"topology.kubernetes.io/zone": zone} if zone else {}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {"addresses": [{"type": "InternalIP", "address": address}]},
    }


def read(*bodies: dict[str, Any]) -> Cluster:
    """What a cluster of these objects has."""
    return cluster.read(objects(yaml.safe_dump_all(bodies).encode(), "a.yaml"))


def between(
    before: str,
    after: str,
    *bodies: dict[str, Any],
    configs: tuple[dict[str, Any], dict[str, Any]] | None = None,
) -> Foretold:
    """What is foretold for these objects from one side to the other."""
    known = read(*bodies)
    given = [Given(each) for each in configs or ()] or [configuration.NONE] * 2
    sides = [
        side.of(side.named(words), each, known.addresses)
        for words, each in zip((before, after), given, strict=True)
    ]
    return foretold.foretell(known, *sides)


def concerning(found: Foretold, name: str = "web") -> dict[str, Change]:
    """The changes for a Service, by their names."""
    return {
        each.name: each
        for each in found.changes
        if any(concerned.name == name for concerned in each.services)
    }


def bodies(spec: ServiceSpec, node_name: str) -> list[dict[str, Any]]:
    """A Service and its EndpointSlices as the API has them."""
    body = {"apiVersion": "v1", "kind": "Service", **objects_of.service(spec)}
    body["status"] = objects_of.status(spec)
    slices = objects_of.endpoint_slices(spec, node_name).values()
    slice_kind = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice"}
    return [body, *({**slice_kind, **each} for each in slices)]
