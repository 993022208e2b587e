"""ClusterIP: endpoints come, go and move, and connections follow, or stay where they are."""

from __future__ import annotations

from dataclasses import replace

from conformance.vocabulary import (
    FLOWS,
    HEADLESS,
    Client,
    LabClient,
    Pool,
    Service,
    Services,
    ServiceSpec,
    Slice,
    arranged,
    docs,
    e2e,
    expect,
    future_conformance,
    kep,
    over,
    requirement,
    source,
)


def _three_and_a_late_one(service: Services) -> ServiceSpec:
    return service.spec([*service.endpoints(3), service.endpoint(ready=False)])


def _two_slices(service: Services) -> ServiceSpec:
    """Slices that have one endpoint in common."""
    first, both, second = service.endpoints(3)
    return service.spec(slices=[Slice((first, both)), Slice((both, second))])


@requirement("cip-keep-on-ep-add", docs("virtual-ips"), kep(3866))
@arranged(2)
def test_connections_stay_when_endpoints_are_added(
    service: Services, web: Service, client: LabClient, assert_pool: Pool
) -> None:
    """Adding endpoints to a Service must neither move nor break its established connections."""
    flows = client.open(*web.frontend, FLOWS)
    expect(flows.opened).delivered()
    web.set_endpoints([web.endpoint(0), web.endpoint(1), *service.endpoints(3)], syncs=2)
    expect(flows.exchange()).kept(flows)
    assert_pool(*web.frontend, web.endpoints)


@requirement("cip-keep-on-ep-unready", docs("service", "endpoints"), e2e("pod_lifecycle"))
@over(protocol="TCP")
@arranged(1)
def test_connections_stay_when_their_endpoint_turns_unready(
    service: Services, web: Service, client: LabClient
) -> None:
    """A TCP connection must stay with its endpoint when that turns unready, while new connections
    go elsewhere.
    """
    flows = client.open(*web.frontend, FLOWS)
    expect(flows.opened).delivered()
    web.set_endpoints([replace(web.endpoint(0), ready=False), service.endpoint()], syncs=2)
    expect(flows.exchange()).kept(flows)
    expect(client.connect(*web.frontend)).delivered(to=web.socket(1), reply="any")


@requirement(
    "cip-keep-on-ep-removed",
    source("pkg/proxy/conntrack/cleanup.go", "TCP connections are left alone"),
    feature="established-outlives-endpoint",
)
@over(protocol="TCP")
@arranged(1)
def test_connections_stay_when_their_endpoint_is_removed(
    service: Services, web: Service, client: LabClient
) -> None:
    """A TCP connection must continue after its endpoint has been removed from the EndpointSlices,
    as long as both sides keep it up, while new connections go elsewhere.
    """
    flows = client.open(*web.frontend, FLOWS)
    expect(flows.opened).delivered()
    web.set_endpoints([service.endpoint()], syncs=2)
    for _ in range(3):
        expect(flows.exchange()).kept(flows)
    expect(client.connect(*web.frontend)).delivered(to=web.socket(0), reply="any")


@requirement(
    "cip-new-avoid-removed",
    docs("endpoint-slices", "conditions"),
    e2e("networking", "update endpoints"),
)
@arranged(_three_and_a_late_one)
def test_new_connections_avoid_what_is_gone(
    service: Services, web: Service, assert_pool: Pool
) -> None:
    """New connections must not be sent to an endpoint that has been removed or has turned unready,
    and must be sent to one that has been added or has turned ready.
    """
    first, _, third, late = web.spec.endpoints
    ready = {web.socket(position) for position in (0, 1, 2)}
    assert_pool(*web.frontend, ready)
    changed = [replace(first, ready=False), third, replace(late, ready=True), service.endpoint()]
    web.set_endpoints(changed)
    ready = {web.socket(position) for position in (1, 2, 3)}
    assert_pool(*web.frontend, ready)


@requirement("cip-ep-ip-change", docs("endpoint-slices"))
@over(protocol="UDP")
@arranged(1)
def test_new_connections_follow_a_new_address(
    service: Services, web: Service, client: Client
) -> None:
    """Replacing the address of an endpoint must send new connections to the new address."""
    expect(client.connect(*web.frontend)).delivered(to=web.socket(0), reply="any")
    web.set_endpoints([service.endpoint()])
    expect(client.connect_many(*web.frontend, FLOWS)).delivered(to=web.socket(0))


@requirement(
    "cip-targetport-change",
    docs("endpoint-slices"),
    e2e("conntrack", "target port changes"),
    future_conformance("a pod that maps the named port to another container port"),
    conformance="1.41",
)
@over(protocol="TCP")
@arranged(1)
def test_new_connections_follow_a_new_target_port(web: Service, client: Client) -> None:
    """Changing the port number in the EndpointSlices must send new connections to the new one."""
    expect(client.connect(*web.frontend)).delivered(to=web.socket(0), reply="any")
    web.update(ports=[replace(web.spec.ports[0], target=9090)])
    assert web.socket(0).port == 9090
    expect(client.connect_many(*web.frontend, FLOWS)).delivered(to=web.socket(0))


@requirement("cip-slice-delete", docs("endpoint-slices"))
@over(protocol="TCP")
@arranged(_two_slices)
def test_deleted_slice_takes_its_endpoints_along(web: Service, assert_pool: Pool) -> None:
    """When one of several EndpointSlices of a Service is deleted, exactly its endpoints must no
    longer be served, but an endpoint that another slice lists too must.
    """
    assert_pool(*web.frontend, web.endpoints)
    web.drop_slice(1)
    assert_pool(*web.frontend, web.endpoints)


@requirement("cip-slice-dup-move", kep(752), docs("endpoint-slices", "duplicate endpoints"))
@over(protocol="TCP")
@arranged(lambda service: service.spec(slices=[Slice((service.endpoint(),)), Slice()]))
def test_endpoint_may_move_between_slices(web: Service, client: LabClient) -> None:
    """While an endpoint moves from one EndpointSlice to another and is listed in at least one of
    them, the Service must not lose it, nor the connections to it.
    """
    moving = web.spec.endpoints
    flows = client.open(*web.frontend, FLOWS)
    for position, endpoints in ((1, moving), (0, ())):
        web.change_slice(position, endpoints=endpoints, syncs=2)
        expect(client.connect(*web.frontend)).delivered(to=web, reply="any")
        expect(flows.exchange()).kept(flows)


def _two_services(service: Services) -> list[ServiceSpec]:
    """Two Services, the first with a second slice that is about to change its labels."""
    slices = [Slice(tuple(service.endpoints(2))) for _ in range(3)]
    return [service.spec(slices=slices[:2]), service.spec(slices=slices[2:])]


@requirement(
    "cip-slice-relabel", docs("endpoint-slices", "ownership"), feature="slice-label-changes"
)
@over(protocol="TCP")
@arranged(_two_services)
def test_relabelled_slice_changes_sides(webs: list[Service], assert_pool: Pool) -> None:
    """When the label kubernetes.io/service-name of an EndpointSlice is changed to another Service,
    its endpoints must leave the first Service and join the second.
    """
    left, right = webs
    assert_pool(*left.frontend, left.endpoints)
    left.change_slice(1, service_name=right.name)
    assert_pool(*right.frontend, right.endpoints)
    assert_pool(*left.frontend, left.endpoints)


@requirement(
    "cip-slice-label-removed", docs("endpoint-slices", "ownership"), feature="slice-label-changes"
)
@over(protocol="TCP")
@arranged(_two_services)
def test_unlabelled_slice_is_withdrawn(webs: list[Service], assert_pool: Pool) -> None:
    """When the label kubernetes.io/service-name is removed from an EndpointSlice, its endpoints
    must leave the Service.
    """
    left, _ = webs
    assert_pool(*left.frontend, left.endpoints)
    left.change_slice(1, service_name=None)
    assert_pool(*left.frontend, left.endpoints)


@requirement(
    "cip-slice-gains-headless",
    docs("endpoint-slices"),
    e2e("service", "implement service.kubernetes.io/headless"),
    feature="slice-label-changes",
)
@over(protocol="TCP")
@arranged(_two_services)
def test_slice_labelled_headless_is_withdrawn(webs: list[Service], assert_pool: Pool) -> None:
    """When an EndpointSlice is given the label service.kubernetes.io/headless, its endpoints must
    leave the Service.
    """
    left, _ = webs
    assert_pool(*left.frontend, left.endpoints)
    left.change_slice(1, labels={HEADLESS: ""})
    assert_pool(*left.frontend, left.endpoints)
