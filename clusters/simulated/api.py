"""A Kubernetes API in memory."""

from __future__ import annotations

import copy
import itertools
import json
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, cast

from clusters.api import Api
from specification.addresses import FAMILIES, SERVICE_RANGES, family_of
from specification.errors import RefusedError
from specification.rules.affinity import TIMEOUT

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from specification.services import Object

SERVICES, SLICES = "/api/v1", "/apis/discovery.k8s.io/v1"


NOWHERE = {
    "clusters": [{"name": "memory", "cluster": {"server": "http://memory"}}],
    "contexts": [{"name": "memory", "context": {"cluster": "memory"}}],
    "current-context": "memory",
}
"""A kubeconfig for an API that asks no server."""


class _InTurn:
    """Stands in for a pool of threads: what is many at once is done in the order of the calls."""

    map = staticmethod(map)

    def shutdown(self) -> None:
        """Nothing is to be ended."""


class MemoryApi(Api):
    """Stores what is written, and fills in what an API server allocates."""

    def __init__(self) -> None:
        super().__init__(NOWHERE)
        self._pool = cast("ThreadPoolExecutor", _InTurn())
        self.objects: dict[str, Object] = {}
        """What is stored, by path."""
        self.requests: list[tuple[str, str, Object | None]] = []
        """Method, path and body of every request, as it came."""
        self.events: list[tuple[str, Object | None]] = []
        """What a watch shows: a path, and the object there after each write."""
        self._addresses, self._node_ports = itertools.count(20), itertools.count(30_100)

    def of(self, resource: str) -> list[Object]:
        """All objects of a resource, in every namespace."""
        return [body for path, body in self.objects.items() if resource_of(path) == resource]

    def _request(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        content_type: str = "application/json",  # noqa: ARG002  (there is one kind of patch)
        *,
        missing: bool = False,
    ) -> bytes:
        self.requests.append((method, path, copy.deepcopy(body)))
        path = path.partition("?")[0]
        if method == "GET" and path not in self.objects:
            inside = [each for at, each in self.objects.items() if at.startswith(f"{path}/")]
            return json.dumps({"items": inside}).encode()
        target = path.removesuffix("/status")
        if method == "POST" and body is not None:
            target = f"{path}/{body['metadata']['name']}"
            self._create(target, body)
        elif target not in self.objects:
            if missing:
                return b""
            raise RefusedError(f"{target} not found", 404)
        elif method == "PATCH" and body is not None:
            own = {"status"} if path.endswith("/status") else set(body) - {"status"}
            _merge(self.objects[target], {key: body[key] for key in own & set(body)})
            if resource_of(target) == "services":
                self._allocate(self.objects[target]["spec"])
        stored = self.objects.pop(target) if method == "DELETE" else self.objects[target]
        if method != "GET":
            self.events.append((target, copy.deepcopy(self.objects.get(target))))
        return json.dumps(stored).encode()

    def _create(self, path: str, wanted: Object) -> None:
        if path in self.objects:
            raise RefusedError(f"{path} already exists", 409)
        body: Object = {}
        _merge(body, copy.deepcopy(wanted))  # a member that is null is none
        body["metadata"]["uid"] = f"uid-{len(self.events)}"
        if "/namespaces/" in path:
            body["metadata"]["namespace"] = path.split("/namespaces/")[1].split("/", maxsplit=1)[0]
        if resource_of(path) == "services":
            self._allocate(body["spec"])
            self._check_ranges(body["spec"])
        self.objects[path] = body

    def _check_ranges(self, spec: Object) -> None:
        """Refuse a new Service that has a cluster IP of no ServiceCIDR (KEP-1880)."""
        added = (each for body in self.of("servicecidrs") for each in body["spec"]["cidrs"])
        ranges = [*SERVICE_RANGES.values(), *map(ip_network, added)]
        for address in set(spec.get("clusterIPs", ())) - {"None"}:
            if not any(ip_address(address) in each for each in ranges):
                raise RefusedError(f"{address} is in no range of cluster IPs", 422)

    def _allocate(self, spec: Object) -> None:
        """Fill in what was left to the API server: type, cluster IPs, nodePorts, policies."""
        if spec.get("type") == "ExternalName":
            return
        dual = spec.get("ipFamilyPolicy") == "RequireDualStack"
        families = spec.get("ipFamilies") or (list(FAMILIES) if dual else ["IPv4"])
        spec.setdefault("type", "ClusterIP")
        if "clusterIPs" not in spec:
            number = next(self._addresses)
            given = spec.get("clusterIP")
            fresh = [str(SERVICE_RANGES[each][number]) for each in families]
            spec["clusterIPs"] = [given] if given else fresh
            spec["clusterIP"] = spec["clusterIPs"][0]
        elif "None" not in spec["clusterIPs"]:
            had = {family_of(ip_address(each)): each for each in spec["clusterIPs"]}
            number = next(self._addresses) if not had.keys() >= {*families} else 0
            spec["clusterIPs"] = [
                had.get(each, str(SERVICE_RANGES[each][number])) for each in families
            ]
            spec["clusterIP"] = spec["clusterIPs"][0]
        if spec.get("sessionAffinity") == "ClientIP":
            spec.setdefault("sessionAffinityConfig", {"clientIP": {"timeoutSeconds": TIMEOUT}})
        if (spec["type"], spec.get("externalTrafficPolicy")) == ("LoadBalancer", "Local"):
            spec["healthCheckNodePort"] = spec.get("healthCheckNodePort") or next(self._node_ports)
        else:
            spec.pop("healthCheckNodePort", None)
        allocated = spec.get("allocateLoadBalancerNodePorts", True)
        for port in spec.get("ports", ()):
            if spec["type"] not in ("NodePort", "LoadBalancer"):
                port.pop("nodePort", None)
            elif spec["type"] == "NodePort" or allocated:
                port["nodePort"] = port.get("nodePort") or next(self._node_ports)


def _merge(target: Object, patch: Object) -> None:
    """RFC 7386."""
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            _merge(target.setdefault(key, {}), value)
        else:
            target[key] = value


def resource_of(path: str) -> str:
    """The resource of an object, by its path."""
    return path.split("/")[-2]
