"""A Service as it is handed to others."""

from __future__ import annotations

import yaml

from specification import objects
from specification.services import ServiceSpec


def manifest(service: ServiceSpec, node: str) -> str:
    """A Service and its EndpointSlices as YAML, to be applied elsewhere; its status with it, where
    it has one.
    """
    slices = objects.endpoint_slices(service, node).values()
    status = objects.status(service)
    body = {**objects.service(service), **({"status": status} if status else {})}
    kinds = [("v1", "Service", body)]
    kinds += [("discovery.k8s.io/v1", "EndpointSlice", each) for each in slices]
    return yaml.safe_dump_all(
        ({"apiVersion": version, "kind": kind, **body} for version, kind, body in kinds),
        sort_keys=False,
    )
