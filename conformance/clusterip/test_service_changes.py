"""ClusterIP: Services and their ports come, go and change."""

from __future__ import annotations

from dataclasses import replace

from conformance.vocabulary import (
    BOTH,
    FAMILIES,
    FLOWS,
    Client,
    LabClient,
    Pool,
    Port,
    Service,
    Services,
    arranged,
    docs,
    e2e,
    expect,
    over,
    requirement,
    source,
    two,
)

_PORTS = tuple(Port(80 + n, 8080 + n, name=f"p{n}") for n in range(2))


@requirement("cip-port-add", e2e("service", "be updated after adding or deleting ports"))
@over(protocol="TCP")
@arranged(2, ports=_PORTS[:1])
def test_added_port_is_served(web: Service, client: LabClient, assert_pool: Pool) -> None:
    """A port added to a Service must be served, and the ports it had must go on, connections
    included.
    """
    old, new = _PORTS
    flows = client.open(web.cluster_ip, old.number, FLOWS)
    expect(client.connect(web.cluster_ip, new.number)).unserved()
    web.update(ports=[old, new])
    assert_pool(web.cluster_ip, new.number, web.endpoints_of(new.name))
    assert_pool(web.cluster_ip, old.number, web.endpoints_of(old.name))
    expect(flows.exchange()).kept(flows)


@requirement("cip-port-del", e2e("service", "be updated after adding or deleting ports"))
@over(protocol="TCP")
@arranged(2, ports=_PORTS)
def test_removed_port_is_not_served(web: Service, client: LabClient, assert_pool: Pool) -> None:
    """A port removed from a Service must no longer lead to its endpoints, while its other ports go
    on, connections included.
    """
    goes, stays = _PORTS
    flows = client.open(web.cluster_ip, stays.number, FLOWS)
    expect(client.connect(web.cluster_ip, goes.number)).answered()
    web.update(ports=[stays])
    expect(client.connect(web.cluster_ip, goes.number)).unserved()
    assert_pool(web.cluster_ip, stays.number, web.endpoints_of(stays.name))
    expect(flows.exchange()).kept(flows)


@requirement("cip-port-del-proto", e2e("service", "same port number but different protocols"))
@over(protocol="TCP")
@arranged(lambda service: [service.spec(2, ports=BOTH) for _ in BOTH])
def test_one_of_two_protocols_at_a_number_goes(
    service: Services, webs: list[Service], client: LabClient
) -> None:
    """When of the TCP and the UDP port that a Service has at one number either is removed, it must
    no longer lead to the endpoints, and the other must.
    """
    for web, stays in zip(webs, BOTH, strict=True):
        web.update(ports=[stays], settle=False)
    service.settle(removed=True)
    for web, stays in zip(webs, BOTH, strict=True):
        for each in BOTH:
            probe = client.connect(web.cluster_ip, each.number, protocol=each.protocol)
            if each == stays:
                expect(probe).delivered(to=web)
            else:
                expect(probe).unserved()


@requirement(
    "cip-port-rename",
    docs("service", "multi-port Services"),
    source("pkg/proxy/endpointschangetracker_test.go", "'rename a port'"),
)
@over(protocol="TCP")
@arranged(2, ports=[Port(name="before")])
def test_renamed_port_is_served(web: Service, client: Client, assert_pool: Pool) -> None:
    """A port that is renamed, in the Service and in its EndpointSlices, must stay served."""
    expect(client.connect(*web.frontend)).answered()
    web.update(ports=[Port(name="after")])
    assert_pool(*web.frontend, web.endpoints)


@requirement(
    "cip-port-renumber",
    docs("service"),
    source("pkg/proxy/endpointschangetracker_test.go", "'renumber a port'"),
)
@over(protocol="TCP")
@arranged(1, ports=[Port(80, 8080)])
def test_renumbered_port_moves(web: Service, client: Client) -> None:
    """When the number of a Service port is changed, the new number must be served and the old one
    must no longer lead to the endpoints.
    """
    expect(client.connect(web.cluster_ip, 80)).answered()
    web.update(ports=[Port(81, 8080)])
    expect(client.connect(web.cluster_ip, 81)).delivered(to=web.socket(0))
    expect(client.connect(web.cluster_ip, 80)).unserved()


@requirement("cip-delete", e2e("service", "be able to up and down services"))
@arranged(2)
def test_deleted_service_is_not_served(web: Service, client: Client) -> None:
    """When a Service is deleted, its cluster IP must no longer lead to its former endpoints, even
    if its EndpointSlices remain.
    """
    expect(client.connect(*web.frontend)).answered()
    web.update(slices_only=True)
    expect(client.connect(*web.frontend)).unserved()


@requirement("cip-recreate", e2e("service", "work after the service has been recreated"))
@over(protocol="TCP")
@arranged(two)
def test_recreated_service_moves_to_its_new_address(
    service: Services, webs: list[Service], client: Client, assert_pool: Pool
) -> None:
    """A Service that is deleted and created again at once under the same name, with another cluster
    IP, must be served at the new address, and the old one must no longer lead to its endpoints.
    """
    web, spare = webs
    expect(client.connect(*web.frontend)).answered()
    spare.delete()
    web.delete(settle=False)
    (new,) = service.create([replace(web.spec, cluster_ips=spare.cluster_ips)])
    assert new.cluster_ip != web.cluster_ip
    assert_pool(*new.frontend, new.endpoints)
    expect(client.connect(*web.frontend)).unserved()


@requirement("cip-vip-reassign", docs("cluster-ip-allocation"))
@arranged(2)
def test_reassigned_cluster_ip_belongs_to_its_new_service(
    service: Services, web: Service, client: Client, assert_pool: Pool
) -> None:
    """A cluster IP that one Service has released and another has got at once must lead to the
    endpoints of the new Service only.
    """
    expect(client.connect(*web.frontend)).answered()
    web.delete(settle=False)
    new = service(endpoints=2, cluster_ips=web.cluster_ips)
    assert new.cluster_ip == web.cluster_ip
    assert_pool(*new.frontend, new.endpoints)


@requirement(
    "cip-to-externalname",
    docs("service", "type ExternalName"),
    e2e("service", "ClusterIP to ExternalName"),
)
@over(protocol="TCP")
@arranged(2)
def test_service_turned_external_name_is_not_served(web: Service, client: Client) -> None:
    """When a Service turns into one of type ExternalName, its former cluster IP must no longer lead
    to its endpoints.
    """
    address = web.cluster_ip
    expect(client.connect(address, web.port)).answered()
    web.update(type="ExternalName", external_name="service.example.com")
    expect(client.connect(address, web.port)).unserved()


@requirement(
    "cip-from-externalname",
    docs("service", "type ExternalName"),
    e2e("service", "ExternalName to ClusterIP"),
)
@over(protocol="TCP")
@arranged(2, families=FAMILIES, type="ExternalName", external_name="service.example.com")
def test_service_turned_cluster_ip_is_served(web: Service, assert_pool: Pool) -> None:
    """When a Service of type ExternalName turns into one of type ClusterIP, its new cluster IP must
    be served.
    """
    web.update(type="ClusterIP")
    assert_pool(*web.frontend, web.endpoints)
