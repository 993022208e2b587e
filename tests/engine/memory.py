"""A Kubernetes API in memory, and a Service proxy that follows it: what a node in memory needs for
the suite's own questions.
"""

from __future__ import annotations

import copy
import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubernetes.client import ApiException

from clusters.api import Api
from fixtures.lab.simulated import Decision, Deliver, Drop, Pass, Refuse
from specification.addresses import (
    CLUSTER_CIDRS,
    FAMILIES,
    SERVICE_RANGES,
    Family,
    IPAddress,
    node_address,
    pod_cidr,
)
from specification.attempts import SocketAddress

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from specification.services import Object, Protocol

SERVICES, SLICES = "/api/v1", "/apis/discovery.k8s.io/v1"


class MemoryApi(Api):
    """Stores what is written, and fills in what an API server allocates."""

    def __init__(self) -> None:
        super().__init__("http://memory", Path("/dev/null"))
        self._pool = ThreadPoolExecutor(1)  # one at a time: in the order of the calls
        self.objects: dict[str, Object] = {}
        """What is stored, by path."""
        self.requests: list[tuple[str, str, Object | None]] = []
        """Method, path and body of every request, as it came."""
        self.events: list[tuple[str, Object | None]] = []
        """What a watch shows: a path, and the object there after each write."""
        self._addresses, self._node_ports = itertools.count(20), itertools.count(30_100)

    def of(self, resource: str) -> list[Object]:
        """All objects of a resource, in every namespace."""
        return [body for path, body in self.objects.items() if _resource(path) == resource]

    def _request(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        content_type: str = "application/json",
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
            self._create(target, copy.deepcopy(body))
        elif target not in self.objects:
            if missing:
                return b""
            raise ApiException(404, f"{target} not found")
        elif method == "PATCH" and body is not None:
            assert content_type == "application/merge-patch+json"
            own = {"status"} if path.endswith("/status") else set(body) - {"status"}
            _merge(self.objects[target], {key: body[key] for key in own & set(body)})
        stored = self.objects.pop(target) if method == "DELETE" else self.objects[target]
        if method != "GET":
            self.events.append((target, copy.deepcopy(self.objects.get(target))))
        return json.dumps(stored).encode()

    def _create(self, path: str, body: Object) -> None:
        if path in self.objects:
            raise ApiException(409, f"{path} already exists")
        if "/namespaces/" in path:
            body["metadata"]["namespace"] = path.split("/namespaces/")[1].split("/", maxsplit=1)[0]
        if _resource(path) == "services":
            self._allocate(body["spec"])
        self.objects[path] = body

    def _allocate(self, spec: Object) -> None:
        """Fill in what was left to the API server: type, cluster IPs, nodePorts, policies."""
        dual = spec.get("ipFamilyPolicy") == "RequireDualStack"
        families = list(FAMILIES) if dual else spec.get("ipFamilies", ["IPv4"])
        spec.setdefault("type", "ClusterIP")
        number = next(self._addresses)
        spec.setdefault("clusterIPs", [str(SERVICE_RANGES[each][number]) for each in families])
        spec["clusterIP"] = spec["clusterIPs"][0]
        spec.setdefault("internalTrafficPolicy", "Cluster")
        if spec["type"] != "ClusterIP":
            spec.setdefault("externalTrafficPolicy", "Cluster")
            for port in spec["ports"]:
                port.setdefault("nodePort", next(self._node_ports))


def _merge(target: Object, patch: Object) -> None:
    """RFC 7386."""
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            _merge(target.setdefault(key, {}), value)
        else:
            target[key] = value


def _resource(path: str) -> str:
    return path.split("/")[-2]


class MemoryProxy:
    """The rules that follow from an API's Services for the node of that name, as far as it has
    watched them.
    """

    def __init__(self, api: MemoryApi, node_name: str) -> None:
        self._api = api
        self._node = node_name
        self._seen = {"services": 0, "endpointslices": 0}
        self.known: dict[str, Object] = {}
        """The objects that it knows, by path."""

    def take(self, resource: str, count: int | None = None) -> None:
        """Take over the next ``count`` events of a resource, or all there are."""
        events = [event for event in self._api.events if _resource(event[0]) == resource]
        first = self._seen[resource]
        for path, state in events[first:] if count is None else events[first : first + count]:
            self._seen[resource] += 1
            if state is None:
                self.known.pop(path, None)
            else:
                self.known[path] = state

    def sync(self) -> None:
        """Take everything over."""
        for resource in self._seen:
            self.take(resource)

    def __call__(
        self, family: Family, protocol: Protocol, client: SocketAddress, target: SocketAddress
    ) -> Sequence[Decision]:
        """What may become of a connection."""
        for service in self._of("services"):
            for port in service["spec"]["ports"]:
                if port["protocol"] == protocol:
                    inside = target in _inside(service, port)
                    if inside or target in _outside(service, port, family):
                        return self._serve(service, port, family, client, inside=inside)
        return [Refuse()] if target.address in SERVICE_RANGES[family] else [Pass()]

    def _of(self, resource: str) -> list[Object]:
        return [each for path, each in self.known.items() if _resource(path) == resource]

    def _serve(
        self, service: Object, port: Object, family: Family, client: SocketAddress, *, inside: bool
    ) -> Sequence[Decision]:
        spec = service["spec"]
        near = client.address in CLUSTER_CIDRS[family]
        here = client.address in pod_cidr(0, family)
        policy = spec.get("internalTrafficPolicy" if inside else "externalTrafficPolicy", "Cluster")
        local = policy == "Local" and (inside or not here)
        ready = list(self._endpoints(service, port, family))
        chosen = [entry for entry, on in ready if on == self._node or not local]
        own = node_address(0, family)
        masquerade = not near if inside else policy == "Cluster"
        return [
            Deliver(each, own if masquerade or each.address == client.address else None)
            for each in chosen
        ] or [Drop() if ready else Refuse()]

    def _endpoints(
        self, service: Object, port: Object, family: Family
    ) -> Iterator[tuple[SocketAddress, str | None]]:
        """The endpoints that are ready, with the node that each is on."""
        name = service["metadata"]["namespace"], service["metadata"]["name"]
        for each in self._of("endpointslices"):
            metadata: dict[str, Any] = each["metadata"]
            owner = metadata.get("labels", {}).get("kubernetes.io/service-name")
            if each["addressType"] != family or (metadata["namespace"], owner) != name:
                continue
            for entry in each["ports"]:
                if (entry["name"], entry["protocol"]) == (port["name"], port["protocol"]):
                    for endpoint in each["endpoints"]:
                        if endpoint.get("conditions", {}).get("ready", True):
                            address = ip_address(endpoint["addresses"][0])
                            socket = SocketAddress(address, entry["port"])
                            yield socket, endpoint.get("nodeName")


def _sockets(addresses: Sequence[str | IPAddress], port: int) -> set[SocketAddress]:
    return {SocketAddress(ip_address(str(address)), port) for address in addresses}


def _inside(service: Object, port: Object) -> set[SocketAddress]:
    return _sockets(service["spec"]["clusterIPs"], port["port"])


def _outside(service: Object, port: Object, family: Family) -> set[SocketAddress]:
    spec, balancer = service["spec"], service.get("status", {}).get("loadBalancer", {})
    ingress = [each["ip"] for each in balancer.get("ingress", [])]
    found = _sockets([*spec.get("externalIPs", []), *ingress], port["port"])
    return found | _sockets([node_address(0, family)], port.get("nodePort", 0))
