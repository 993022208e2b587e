"""External addresses that several Services have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from conformance.external_addresses.everybody import PROTOCOLS, at, of_all_kinds
from conformance.vocabulary import (
    ATTEMPTS,
    FAMILIES,
    LabClient,
    Port,
    Service,
    Services,
    ServiceSpec,
    Slice,
    UnexpectedOutcomeError,
    World,
    arranged,
    clients_of,
    docs,
    expect,
    issue,
    over,
    requirement,
    source,
)

_PAIRS, _STEPS = 8, 24
"""Pairs of claimants, and changes of another Service: each is a sync, in which it may be decided
anew who is served.
"""


def _sharing(service: Services) -> list[ServiceSpec]:
    """Three at one load balancer's IP, by one port and both protocols, and by another port."""
    first = service.spec(2, exposed=True, external_ips=(), ports=[Port(80, 8080, "TCP")])
    return [
        first,
        *(
            replace(first, ports=(port,), slices=(Slice(tuple(service.endpoints(2))),))
            for port in (Port(80, 8081, "UDP"), Port(81, 8082, "TCP"))
        ),
    ]


@requirement(
    "lbip-shared-ip",
    docs("service", "type LoadBalancer"),
    source("pkg/proxy/servicechangetracker.go"),
)
@over(families=FAMILIES, protocols=PROTOCOLS)
@arranged(_sharing)
def test_load_balancers_ip_is_shared(webs: list[Service], world: World) -> None:
    """Several Services at one load balancer's IP must each be served by their own ports, of
    whichever protocol, and all others must stay served when one of them is deleted.
    """
    clients = of_all_kinds(world)

    def look(served: Sequence[Service]) -> None:
        for web in served:
            (port,) = web.spec.ports
            for each in clients:
                if each.protocol == port.protocol:
                    probe = each.connect(*at(web.spec.load_balancer_ips, each, port.number))
                    expect(probe).delivered(to=web.endpoints_of(port.name, each.family))

    look(webs)
    gone, *left = webs
    ips = gone.spec.load_balancer_ips
    gone.delete()
    look(left)
    for each in clients:
        if each.protocol == "TCP":
            expect(each.connect(*at(ips, each))).unserved()


def _claimants(service: Services) -> list[ServiceSpec]:
    """Pairs of Services, each at one external IP and port of its own."""
    found = list[ServiceSpec]()
    for _ in range(_PAIRS):
        one = service.spec(2, exposed=True, type="ClusterIP", load_balancer_ips=())
        found += [one, replace(one, slices=(Slice(tuple(service.endpoints(2))),))]
    return found


def _in_pairs(webs: Sequence[Service]) -> list[Sequence[Service]]:
    return [webs[each : each + 2] for each in range(0, len(webs), 2)]


def _owner(client: LabClient, webs: Sequence[Service]) -> Service:
    """The one that is served at the external IP of all."""
    sample = client.connect_many(*at(webs[0].spec.external_ips, client), ATTEMPTS)
    whose = {web.name: web for web in webs if set(sample.counts) <= _endpoints(web, client)}
    if len(whose) != 1 or not sample.is_answered.all():
        raise UnexpectedOutcomeError("all delivered to the endpoints of one Service", str(sample))
    (owner,) = whose.values()
    return owner


def _endpoints(web: Service, client: LabClient) -> set[object]:
    return {*web.endpoints_of(web.spec.ports[0].name, client.family)}


@requirement("eip-claimant-goes", docs("service", "external IPs"), issue(69599))
@over(families=FAMILIES, protocols=["TCP"])
@arranged(_claimants, alone=True)  # to 1.30 nothing settles beside them in nftables mode
def test_one_of_two_claimants_goes(webs: list[Service], service: Services, world: World) -> None:
    """Where two Services have one external IP and port, one of them must be served there, and when
    either of them is deleted, or gives the address up, the other must be.
    """
    clients = clients_of(world, "TCP", "outside")
    pairs, leaving = _in_pairs(webs), list[Service]()
    for number, pair in enumerate(pairs):
        served = _owner(clients[0], pair)
        leaving += [each for each in pair if (each is served) == bool(number % 2)]
    for each in leaving[: _PAIRS // 2]:
        each.update(external_ips=(), settle=False)
    service.remove(leaving[_PAIRS // 2 :])
    service.settle(removed=True)
    for client in clients:
        for pair, gone in zip(pairs, leaving, strict=True):
            (left,) = (each for each in pair if each is not gone)
            assert _owner(client, [left]) is left


@requirement("eip-claimant-stays", docs("service", "external IPs"), issue(69599))
@over(family="IPv4", protocol="TCP")
@arranged(lambda service: [*_claimants(service), service.spec(1)], alone=True)
def test_claimants_do_not_change_places(
    webs: list[Service], service: Services, world: World
) -> None:
    """Where two Services have one external IP and port, the one that is served there must stay so
    for as long as neither of them changes, whatever else does.
    """
    *claimants, other = webs
    pairs = _in_pairs(claimants)
    client = clients_of(world, "TCP", "outside")[0]

    def owners() -> list[str]:
        return [_owner(client, pair).name for pair in pairs]

    steps = _STEPS // 3 if world.node.system.emulated else _STEPS
    served, moves = owners(), 0
    for _ in range(steps):
        other.set_endpoints(service.endpoints(1))
        before, served = served, owners()
        moves += sum(one != next_one for one, next_one in zip(before, served, strict=True))
    if moves:
        raise UnexpectedOutcomeError(
            "each of the Services that are served stays so",
            f"{moves} of {len(pairs)} pairs' in {steps} changes of another Service did not",
        )
