"""Connection tracking: whose flows a change concerns, and whose not."""

from __future__ import annotations

from dataclasses import replace

from conformance.vocabulary import (
    FAMILIES,
    LabClient,
    Port,
    Service,
    Services,
    ServiceSpec,
    Slice,
    World,
    arranged,
    clients_of,
    expect,
    issue,
    over,
    requirement,
    source,
)

_SERVICES = 6


def _at_one_address(service: Services) -> list[ServiceSpec]:
    """Services that share an external IP, each by a port of its own."""
    first = service.spec(2, exposed=True, type="ClusterIP")
    ports = [Port(80 + n, 8080, service.protocol) for n in range(_SERVICES)]
    return [service.spec(2, ports=[each], external_ips=first.external_ips) for each in ports]


@requirement("ct-udp-keep-shared-ip", issue(129982))
@over(protocol="UDP")
@arranged(_at_one_address)
def test_flows_at_other_ports_of_an_address_stay(
    service: Services, webs: list[Service], client: LabClient
) -> None:
    """When the endpoints of one of several UDP Services change that share an external IP by ports
    of their own, and when it is deleted, the flows of the others at that address must stay with
    their endpoints.
    """
    changing, *others = webs
    flows = [client.open(*each.external_frontends[-1], 8) for each in others]
    for web, flow in zip(others, flows, strict=True):
        expect(flow.opened).delivered(to=web)
    changing.set_endpoints([service.endpoint()], syncs=2)
    for flow in flows:
        expect(flow.exchange()).kept(flow)
    changing.delete(syncs=2)
    for flow in flows:
        expect(flow.exchange(), "the Service is deleted").kept(flow)


@requirement("ct-udp-recreated", issue(141371))
@over(protocol="UDP")
@arranged(1, exposed=True, type="ClusterIP")
def test_flow_of_a_deleted_service_does_not_outlive_its_return(
    service: Services, web: Service, client: LabClient, world: World
) -> None:
    """When a UDP Service is deleted, and comes back with the same external IP and no endpoints, a
    client that keeps sending there from the same port must not reach the endpoint of before.
    """
    world.cluster.api.finish_deletions()  # other Services' endpoints that go may end these flows
    frontend = web.external_frontends[-1]
    flows = client.open(*frontend, 4)
    expect(flows.opened).delivered(to=web)
    world.cluster.api.delete_now("services", web.name, web.namespace)
    service.settle(removed=True)  # before its endpoints, which go after it in a cluster
    web.delete(syncs=2)
    service.create([replace(web.spec, slices=())])
    expect(client.connect(*frontend), "a new flow").refused(icmp=True)
    expect(flows.exchange(), "the Service has come back without endpoints").unserved()


def _families_apart(service: Services) -> ServiceSpec:
    """The same endpoints in both families, in slices of their own."""
    listed = tuple(service.endpoints(2))
    slices = [Slice(listed, address_types=(each,)) for each in FAMILIES]
    return service.spec(slices=slices, families=FAMILIES)


@requirement("ct-udp-partial-family", source("pkg/proxy/conntrack/cleanup.go", "CleanStaleEntries"))
@over(protocol="UDP", families=FAMILIES)
@arranged(_families_apart)
def test_flows_of_the_other_family_stay(service: Services, web: Service, world: World) -> None:
    """When the endpoints of a UDP Service change in one IP family, its flows in that family must
    leave those that are gone, and those in the other must stay with theirs.
    """
    changed, other = clients_of(world, "UDP")
    flows = [each.open(web.cluster_ip_of(each.family), web.port, 16) for each in (changed, other)]
    for flow in flows:
        expect(flow.opened).delivered()
    web.change_slice(0, endpoints=(service.endpoint(),), syncs=2)
    expect(flows[0].exchange(), "in the family that changed").delivered(to=web.socket(0, "IPv4"))
    expect(flows[1].exchange(), "in the other family").kept(flows[1])
