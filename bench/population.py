"""The Services that a bench is made with: so many, each with its EndpointSlice, and nothing else.

They are IPv4 alone (a proxy works twice for both families) and their endpoints are pods on other
nodes, which the lab plays. Which endpoints a Service has follows from its number.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING, Final

from fixtures.world.latency import trigger_time
from specification.addresses import pod_cidr
from specification.attempts import SocketAddress

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from clusters.api import Api
    from specification.addresses import IPAddress
    from specification.services import Object

ENDPOINTS: Final = 2
"""Endpoints of each Service."""

PORT: Final = 80
TARGET: Final = 8080

_PODS: Final = 60_000  # pods on the other node, in a /16
_FIRST_POD: Final = 256
_PIECE: Final = 500  # Services between two words about how far it is


def pod(number: int) -> IPAddress:
    """The address of the other node's pod of that number; they come round after 60,000."""
    return pod_cidr(1, "IPv4")[_FIRST_POD + number % _PODS]


@dataclass(frozen=True)
class Target:
    """A Service as the bench knows it."""

    name: str
    number: int
    address: IPAddress
    """Its cluster IP."""

    @property
    def socket(self) -> SocketAddress:
        """Cluster IP and port."""
        return SocketAddress(self.address, PORT)

    @property
    def slice_name(self) -> str:
        """The name of its EndpointSlice."""
        return f"{self.name}-0"

    def endpoints(self, count: int = ENDPOINTS) -> list[IPAddress]:
        """The endpoints that it has, or would have if it had more of them."""
        return [pod(self.number * ENDPOINTS + position) for position in range(count)]


def service_object(name: str, address: IPAddress | None = None) -> Object:
    """A Service as the API takes it, with the cluster IP ``address`` where one is wanted."""
    spec: Object = {
        "ipFamilyPolicy": "SingleStack",
        "ipFamilies": ["IPv4"],
        "ports": [{"name": "web", "port": PORT, "protocol": "TCP"}],
    }
    if address is not None:
        spec["clusterIP"] = str(address)
    return {"metadata": {"name": name}, "spec": spec}


def entries(addresses: Sequence[IPAddress]) -> list[Object]:
    """The endpoints of a slice as the API takes them."""
    return [
        {"addresses": [str(address)], "conditions": {"ready": True}, "nodeName": "lab-1"}
        for address in addresses
    ]


def slice_object(target: Target, count: int = ENDPOINTS) -> Object:
    """The EndpointSlice of a Service with so many endpoints."""
    return {
        "metadata": {
            "name": target.slice_name,
            "labels": {"kubernetes.io/service-name": target.name},
        },
        "addressType": "IPv4",
        "ports": [{"name": "web", "port": TARGET, "protocol": "TCP"}],
        "endpoints": entries(target.endpoints(count)),
    }


def _listing(addresses: Sequence[IPAddress]) -> Object:
    return {"metadata": {"annotations": trigger_time()}, "endpoints": entries(addresses)}


class Population:
    """The Services of one API server; ``grow`` adds to them."""

    def __init__(self, api: Api, prefix: str = "bench") -> None:
        self._api = api
        self._prefix = prefix
        self.targets: list[Target] = []

    def __len__(self) -> int:
        return len(self.targets)

    def remove(self) -> None:
        """Have none."""
        for resource in ("services", "endpointslices"):
            names = [t.name if resource == "services" else t.slice_name for t in self.targets]
            self._api.delete_all((resource, name, "default") for name in names)
        self.targets = []

    def repair(self) -> None:
        """Have every Service with its endpoints as it was made, whatever a change that was given up
        has left of it.
        """
        there = {each["metadata"]["name"] for each in self._api.list_all("services")}
        missing = [target for target in self.targets if target.name not in there]
        self._api.create_all(
            ("services", service_object(each.name, each.address), "default") for each in missing
        )
        listed = {
            each["metadata"]["name"]: [entry["addresses"][0] for entry in each["endpoints"] or ()]
            for each in self._api.list_all("endpointslices")
        }
        self.write_back(
            target
            for target in self.targets
            if listed[target.slice_name] != [str(address) for address in target.endpoints()]
        )

    def write(self, target: Target, addresses: Sequence[IPAddress]) -> None:
        """Have the Service's slice list these endpoints."""
        self._api.patch("endpointslices", target.slice_name, _listing(addresses))

    def write_back(self, targets: Iterable[Target]) -> None:
        """Have the Services' slices list the endpoints that they were made with."""
        self._api.patch_all(
            ("endpointslices", each.slice_name, _listing(each.endpoints())) for each in targets
        )

    def grow(self, size: int, endpoints: int = ENDPOINTS) -> None:
        """Have ``size`` Services, made in pieces; those that are there already stay.

        A slice comes before its Service: a proxy that runs does not see Services without endpoints.
        """
        while len(self.targets) < size:
            numbers = range(len(self.targets), min(len(self.targets) + _PIECE, size))
            unborn = [Target(f"{self._prefix}-{n}", n, IPv4Address(0)) for n in numbers]
            self._api.create_all(
                ("endpointslices", slice_object(each, endpoints), "default") for each in unborn
            )
            stored = self._api.create_all(
                ("services", service_object(each.name), "default") for each in unborn
            )
            self.targets += [
                Target(each.name, each.number, ip_address(answer["spec"]["clusterIP"]))
                for each, answer in zip(unborn, stored, strict=True)
            ]
