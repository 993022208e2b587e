"""Connection tracking: what becomes of UDP flows whose Service, or port, goes."""

from __future__ import annotations

from dataclasses import replace

from conformance.vocabulary import (
    BOTH,
    FLOWS,
    LabClient,
    Service,
    Services,
    ServiceSpec,
    SocketAddress,
    World,
    arranged,
    expect,
    issue,
    over,
    requirement,
    source,
    two,
)

_STREAM, _DATAGRAMS = BOTH


def _to_be_taken_away(service: Services) -> list[ServiceSpec]:
    """One that will be deleted, one that its EndpointSlices outlive, two whose port will change."""
    ports = ([_DATAGRAMS], [_DATAGRAMS], BOTH, [_DATAGRAMS])
    return [service.spec(2, exposed=True, ports=each) for each in ports]


@requirement("ct-udp-deleted", issue(141371))
@over(protocol="UDP")
@arranged(_to_be_taken_away)
def test_flow_does_not_outlive_its_service(
    service: Services, webs: list[Service], client: LabClient, world: World
) -> None:
    """When a UDP Service is deleted, with its EndpointSlices or without, or its UDP port is removed
    or gets another number, a client that keeps sending to its cluster IP, load balancer's IP or
    external IP from the same port must no longer reach its endpoints.
    """
    (host,) = world.hosts("outside")
    stranger = LabClient(world.lab, host, client.family, client.protocol)
    flows = []
    for web in webs:
        _, *others = web.external_frontends  # what is known of a nodePort may be another's
        at = SocketAddress(web.cluster_ip, _DATAGRAMS.number)
        flows += [(web, at, client.open(*at, FLOWS))]
        flows += [(web, each, stranger.open(*each, FLOWS)) for each in others]
    for web, _, flow in flows:
        expect(flow.opened).delivered(to=web.endpoints_of(_DATAGRAMS.name))
    deleted, alone, fewer, renumbered = webs
    deleted.delete(settle=False)
    alone.update(slices_only=True, settle=False)
    fewer.update(ports=[_STREAM], settle=False)
    renumbered.update(ports=[replace(_DATAGRAMS, number=81)], settle=False)
    service.settle(removed=True, syncs=2)
    for _, at, flow in flows:
        expect(flow.exchange(), f"at {at}").unserved()


@requirement("ct-udp-readdressed", source("pkg/proxy/conntrack/cleanup.go", "CleanStaleEntries"))
@over(protocol="UDP")
@arranged(two)
def test_flow_finds_who_has_its_address_by_now(
    service: Services, webs: list[Service], client: LabClient
) -> None:
    """When a UDP Service is deleted, and it or another one is created with its address and gets
    other endpoints, a client that keeps sending there from the same port must be served by these.
    """
    flows = [client.open(*web.frontend, FLOWS) for web in webs]
    for web, flow in zip(webs, flows, strict=True):
        expect(flow.opened).delivered(to=web)
    for web in webs:
        web.delete(settle=False)
    service.settle(removed=True, syncs=2)
    for flow in flows:
        flow.exchange()  # nothing is promised of these messages
    same, other = (service.spec(2, cluster_ips=web.cluster_ips) for web in webs)
    specs = [same.named(webs[0].name), other]
    found = service.create([replace(each, slices=()) for each in specs])
    for web, spec in zip(found, specs, strict=True):
        web.update(slices=spec.slices, settle=False)  # as a controller does, who comes after it
    service.settle(syncs=2)
    for web, flow in zip(found, flows, strict=True):
        expect(flow.exchange()).delivered(to=web)
