"""A Kubernetes API in memory, and a Service proxy that follows it: what a node in memory needs for
the suite's own questions.
"""

from __future__ import annotations

import copy
import itertools
import json
from ipaddress import ip_address
from typing import TYPE_CHECKING, Literal, cast

from clusters.api import Api
from specification.addresses import (
    FAMILIES,
    SERVICE_RANGES,
    Family,
    IPAddress,
    node_address,
    pod_cidr,
)
from specification.attempts import SocketAddress
from specification.errors import RefusedError
from tests.engine.simulated import Decision, Deliver, Drop, Pass, Refuse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import ThreadPoolExecutor

    from specification.services import Object, Protocol

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
            self._create(target, body)
        elif target not in self.objects:
            if missing:
                return b""
            raise RefusedError(f"{target} not found", 404)
        elif method == "PATCH" and body is not None:
            assert content_type == "application/merge-patch+json"
            own = {"status"} if path.endswith("/status") else set(body) - {"status"}
            _merge(self.objects[target], {key: body[key] for key in own & set(body)})
            if _resource(target) == "services":
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
        if _resource(path) == "services":
            self._allocate(body["spec"])
        self.objects[path] = body

    def _allocate(self, spec: Object) -> None:
        """Fill in what was left to the API server: type, cluster IPs, nodePorts, policies."""
        if spec.get("type") == "ExternalName":
            return
        dual = spec.get("ipFamilyPolicy") == "RequireDualStack"
        families = list(FAMILIES) if dual else spec.get("ipFamilies", ["IPv4"])
        spec.setdefault("type", "ClusterIP")
        if spec["type"] == "ExternalName":
            spec.pop("clusterIP", None)
            spec.pop("clusterIPs", None)
        elif "clusterIPs" not in spec:
            number = next(self._addresses)
            given = spec.get("clusterIP")
            fresh = [str(SERVICE_RANGES[each][number]) for each in families]
            spec["clusterIPs"] = [given] if given else fresh
            spec["clusterIP"] = spec["clusterIPs"][0]
        for port in spec.get("ports", ()):
            if spec["type"] in ("NodePort", "LoadBalancer"):
                port["nodePort"] = port.get("nodePort") or next(self._node_ports)
            else:
                port.pop("nodePort", None)


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


Bent = Literal[
    "",
    "an unready endpoint counts",
    "the first slice counts alone",
    "the port keeps its number",
    "names of ports are ignored",
    "protocols are alike",
    "namespaces are alike",
    "labels of slices are ignored",
    "nothing is refused",
    "policies are ignored",
    "nothing is masqueraded",
    "everything is masqueraded",
]
"""How a proxy in memory may be wrong: in one way at a time."""


class MemoryProxy:
    """The rules that follow from an API's Services for the node of that name, as far as it has
    watched them, but for what is ``bent``.
    """

    def __init__(self, api: MemoryApi, node_name: str, bent: Bent = "") -> None:
        self._api = api
        self._node = node_name
        self._bent = bent
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
            spec = service["spec"]
            for port in spec.get("ports", ()):
                if port["protocol"] == protocol or self._bent == "protocols are alike":
                    inside = target in _inside(spec, port)
                    if inside or target in _outside(service, port, family):
                        return self._serve(service, port, family, client, inside=inside)
        return [Pass()]

    def _of(self, resource: str) -> list[Object]:
        return [each for path, each in self.known.items() if _resource(path) == resource]

    def _serve(
        self, service: Object, port: Object, family: Family, client: SocketAddress, *, inside: bool
    ) -> Sequence[Decision]:
        here = client.address in pod_cidr(0, family)
        kind = "internalTrafficPolicy" if inside else "externalTrafficPolicy"
        policy = service["spec"].get(kind, "Cluster")
        local = policy == "Local" and (inside or not here) and self._bent != "policies are ignored"
        ready = dict(self._endpoints(service, port, family))
        chosen = [entry for entry, on in ready.items() if on == self._node or not local]
        if not chosen:
            return [Drop() if ready or self._bent == "nothing is refused" else Refuse()]
        decisions = []
        for entry in chosen:
            masquerade = client.address == entry.address or not (here if inside else local)
            if self._bent.endswith("is masqueraded"):
                masquerade = self._bent.startswith("everything")
            decisions.append(Deliver(entry, node_address(0, family) if masquerade else None))
        return decisions

    def _endpoints(
        self, service: Object, port: Object, family: Family
    ) -> Iterator[tuple[SocketAddress, str | None]]:
        """The endpoints that are ready, with the node that each is on."""
        for each in self._slices(service, family):
            for entry in each["ports"]:
                name = entry.get("name", ""), entry["protocol"]
                if self._bent == "names of ports are ignored":
                    name = port["name"], entry["protocol"]
                if name != (port.get("name", ""), port["protocol"]):
                    continue
                number = port if self._bent == "the port keeps its number" else entry
                for endpoint in each["endpoints"]:
                    ready = endpoint.get("conditions", {}).get("ready", True)
                    if ready or self._bent == "an unready endpoint counts":
                        address = ip_address(endpoint["addresses"][0])
                        yield SocketAddress(address, number["port"]), endpoint.get("nodeName")

    def _slices(self, service: Object, family: Family) -> list[Object]:
        """The slices of a Service, in a family."""
        owner = {"kubernetes.io/service-name": service["metadata"]["name"]}
        slices = []
        for each in self._of("endpointslices"):
            labels = each["metadata"].get("labels", {})
            owned = owner.items() <= labels.items()
            if self._bent == "labels of slices are ignored":
                owned = each["metadata"]["name"].startswith(service["metadata"]["name"])
            spaces = each["metadata"]["namespace"], service["metadata"]["namespace"]
            near = spaces[0] == spaces[1] or self._bent == "namespaces are alike"
            headless = "service.kubernetes.io/headless" in labels
            if owned and near and not headless and each["addressType"] == family:
                slices.append(each)
        return slices[: 1 if self._bent == "the first slice counts alone" else None]


def _sockets(addresses: Sequence[str | IPAddress], port: int) -> set[SocketAddress]:
    return {SocketAddress(ip_address(str(address)), port) for address in addresses}


def _inside(spec: Object, port: Object) -> set[SocketAddress]:
    addresses = [each for each in spec.get("clusterIPs", ()) if each != "None"]
    return _sockets(addresses, port["port"])


def _outside(service: Object, port: Object, family: Family) -> set[SocketAddress]:
    spec, balancer = service["spec"], service.get("status", {}).get("loadBalancer", {})
    ingress = [each["ip"] for each in balancer.get("ingress", [])]
    found = _sockets([*spec.get("externalIPs", []), *ingress], port["port"])
    return found | _sockets([node_address(0, family)], port.get("nodePort", 0))
