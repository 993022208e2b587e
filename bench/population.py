"""The Services that a bench is made with: so many, each with its EndpointSlice, and nothing else.

They are IPv4 alone (a proxy works twice for both families) and their endpoints are pods on other
nodes, which the lab plays. Which endpoints a Service has follows from its number.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING, Final

from fixtures.services.writes import difference, make_all
from fixtures.world.latency import trigger_time
from specification.attempts import SocketAddress
from specification.places import Host
from specification.services import SERVICE_NAME, Endpoint, Port, ServiceSpec, Slice

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from clusters.api import Api
    from fixtures.services.writes import Write
    from specification.addresses import IPAddress

ENDPOINTS: Final = 2
"""Endpoints of each Service."""

PORT: Final = 80
TARGET: Final = 8080

_PODS: Final = 60_000  # pods on the other node, in a /16
_FIRST_POD: Final = 256
_PIECE: Final = 500  # Services between two words about how far it is


def pod(number: int) -> Host:
    """The other node's pod of that number; they come round after 60,000."""
    return Host("remote-pod", _FIRST_POD + number % _PODS, node=1)


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

    def endpoints(self, count: int = ENDPOINTS) -> list[Host]:
        """The endpoints that it has, or would have if it had more of them."""
        return [pod(self.number * ENDPOINTS + position) for position in range(count)]

    def spec(
        self, endpoints: Sequence[Host] = (), annotations: Mapping[str, str] | None = None
    ) -> ServiceSpec:
        """The Service with its slice, which is annotated so."""
        listed = tuple(Endpoint(host, zone=None) for host in endpoints)
        part = Slice(listed, name=self.name, annotations=annotations or {})
        return ServiceSpec(
            name=self.name,
            ports=(Port(PORT, TARGET),),
            slices=(part,),
            families=("IPv4",),
            cluster_ips=(self.address,) if int(self.address) else (),
        )


_Step = tuple[ServiceSpec | None, ServiceSpec | None]
"""A Service as it is, and as it is to be."""


def _writes(steps: Iterable[_Step]) -> list[Write]:
    node = "the node under test, on which no endpoint is"
    return [write for old, new in steps for write in difference(old, new, node)]


def _alone(spec: ServiceSpec) -> ServiceSpec:
    """Its slice without the Service."""
    return replace(spec, slices_only=True)


def _listing(target: Target, endpoints: Sequence[Host]) -> _Step:
    """Its slice lists these endpoints, whatever it lists now."""
    return target.spec(), target.spec(endpoints, trigger_time())


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
        make_all(self._api, _writes((each.spec(), None) for each in self.targets))
        self.targets = []

    def withdraw(self, targets: Iterable[Target]) -> None:
        """Delete these Services, at once; their slices stay."""
        specs = [each.spec() for each in targets]
        make_all(self._api, _writes((spec, _alone(spec)) for spec in specs))

    def restore(self, targets: Iterable[Target]) -> None:
        """Make these Services again, at once, with the addresses that they had."""
        specs = [each.spec() for each in targets]
        make_all(self._api, _writes((_alone(spec), spec) for spec in specs))

    def repair(self) -> None:
        """Have every Service with its endpoints as it was made, whatever a change that was given up
        has left of it.
        """
        there = {each["metadata"]["name"] for each in self._api.list_all("services")}
        self.restore(target for target in self.targets if target.name not in there)
        listed = {
            each["metadata"]["labels"][SERVICE_NAME]: [
                entry["addresses"][0] for entry in each["endpoints"] or ()
            ]
            for each in self._api.list_all("endpointslices", selector=SERVICE_NAME)
        }
        self.write_back(
            target
            for target in self.targets
            if listed[target.name] != [str(each.address("IPv4")) for each in target.endpoints()]
        )

    def write(self, target: Target, endpoints: Sequence[Host]) -> None:
        """Have the Service's slice list these endpoints."""
        for each in _writes([_listing(target, endpoints)]):
            each.make(self._api)

    def write_back(self, targets: Iterable[Target]) -> None:
        """Have the Services' slices list the endpoints that they were made with."""
        make_all(self._api, _writes(_listing(each, each.endpoints()) for each in targets))

    def grow(self, size: int, endpoints: int = ENDPOINTS) -> None:
        """Have ``size`` Services, made in pieces; those that are there already stay.

        A slice comes before its Service: a proxy that runs does not see Services without endpoints.
        """
        while len(self.targets) < size:
            numbers = range(len(self.targets), min(len(self.targets) + _PIECE, size))
            unborn = [Target(f"{self._prefix}-{n}", n, IPv4Address(0)) for n in numbers]
            specs = [each.spec(each.endpoints(endpoints)) for each in unborn]
            make_all(self._api, _writes((None, _alone(spec)) for spec in specs))
            services = _writes((_alone(spec), spec) for spec in specs)
            self.targets += [
                replace(each, address=ip_address(answer["spec"]["clusterIP"]))
                for each, answer in zip(unborn, make_all(self._api, services), strict=True)
            ]
