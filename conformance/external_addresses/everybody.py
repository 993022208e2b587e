"""Clients of both families, over TCP and UDP, in a pod and outside; what becomes of all of them at
one kind of address.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

from conformance.vocabulary import (
    Expectation,
    Ingress,
    IPAddress,
    LabClient,
    Protocol,
    Service,
    SocketAddress,
    World,
    client_of_each_kind,
    expect,
    family_of,
)

PROTOCOLS: list[Protocol] = ["TCP", "UDP"]

Listed = Iterable[IPAddress | Ingress | str]
"""Addresses as a Service lists them: one of each family."""


def of_all_kinds(world: World) -> list[LabClient]:
    """A pod and a host outside, in each family and over each protocol."""
    return client_of_each_kind(world) + client_of_each_kind(world, "outside")


def outside(clients: Iterable[LabClient]) -> list[LabClient]:
    """Those that are no pods."""
    return [each for each in clients if each.host.place == "outside"]


def at(listed: Listed, client: LabClient, port: int = 80) -> SocketAddress:
    """The address of the client's family, and a port."""
    found = (each.ip if isinstance(each, Ingress) else ip_address(str(each)) for each in listed)
    (address,) = (each for each in found if each and family_of(each) == client.family)
    return SocketAddress(address, port)


def asked(client: LabClient, listed: Listed) -> Expectation:
    """What a client sees that connects there."""
    who = f"{client.protocol} over {client.family} from {client.host.place}"
    return expect(client.connect(*at(listed, client)), who)


def serves(web: Service, clients: Iterable[LabClient], listed: Listed) -> None:
    """All clients get to the Service's endpoints there."""
    named = {each.protocol: each.name for each in web.spec.ports}
    for each in clients:
        asked(each, listed).delivered(to=web.endpoints_of(named[each.protocol], each.family))


def leaves_alone(clients: Iterable[LabClient], listed: Listed) -> None:
    """What all clients send there leaves the node as it was."""
    for each in clients:
        asked(each, listed).passed_through(untouched=True, reply="any")
