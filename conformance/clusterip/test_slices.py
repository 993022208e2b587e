"""ClusterIP: which endpoints a Service has, by its EndpointSlices."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.vocabulary import (
    FAMILIES,
    Budget,
    Client,
    Family,
    Judge,
    LabClient,
    Pool,
    Port,
    Service,
    Services,
    ServiceSpec,
    Slice,
    World,
    api,
    arranged,
    docs,
    e2e,
    expect,
    future_conformance,
    kep,
    over,
    requirement,
    sample_size,
    tally,
    uniform,
)

_SIZES = (1, 3, 2)
"""Endpoints of slices."""


@requirement(
    "cip-targetport-from-slice",
    docs("service", "Services without selectors"),
    future_conformance("named targetPorts"),
    conformance="1.41",
)
@pytest.mark.parametrize("target", [9999, "elsewhere"])
@over(protocol="TCP")
@arranged(1)
def test_target_port_is_that_of_the_slice(web: Service, client: Client, target: int | str) -> None:
    """The target port must be taken from the EndpointSlice; targetPort in the Service's spec, a
    number or a name, must have no influence on it.
    """
    web.update(ports=[Port(protocol=client.protocol, target_port=target)])
    expect(client.connect(*web.frontend)).delivered(to=web.socket(0))


def _named_apart(service: Services) -> ServiceSpec:
    """Three ports, of which two have a slice."""
    ports = [Port(80 + n, 8080, name=name) for n, name in enumerate("abc")]
    slices = [Slice((service.endpoint(),), (port,)) for port in ports[:2]]
    return service.spec(ports=ports, slices=slices)


@requirement("cip-port-key-name", docs("endpoint-slices"))
@over(protocol="TCP")
@arranged(_named_apart)
def test_ports_are_matched_by_name(web: Service, client: Client, assert_pool: Pool) -> None:
    """A port of a Service must get the endpoints of those slice ports that have its name, even if
    slice ports of other names have the same number, and none if no slice port has its name.
    """
    *served, bare = web.spec.ports
    for port in served:
        assert_pool(web.cluster_ip, port.number, web.endpoints_of(port.name))
    expect(client.connect(web.cluster_ip, bare.number)).unserved()


@requirement("cip-unnamed-port", api("EndpointSlice", "ports.name"))
@over(protocol="UDP")
@arranged(lambda service: service.spec(1, ports=[Port(protocol=service.protocol, name="")]))
def test_unnamed_port_is_served(web: Service, client: Client) -> None:
    """A Service with one unnamed port must be served by slice ports whose name is the empty
    string.
    """
    expect(client.connect(*web.frontend)).delivered(to=web.socket(0))


def _numbered_apart(service: Services) -> ServiceSpec:
    """Three slices that give one port three numbers."""
    slices = [Slice((service.endpoint(),), (Port(target=8080 + n),)) for n in range(3)]
    return service.spec(ports=[Port()], slices=slices)


@requirement(
    "cip-named-targetport-per-ep",
    e2e("service", "endpoints with named targetPorts that resolve to different ports"),
    future_conformance("named targetPorts that resolve to different ports"),
    conformance="1.41",
)
@over(protocol="TCP")
@arranged(_numbered_apart)
def test_endpoints_have_port_numbers_of_their_own(web: Service, assert_pool: Pool) -> None:
    """Where slices of one Service give a port name different numbers, each endpoint must be reached
    on its own number.
    """
    assert {endpoint.port for endpoint in web.endpoints} == {8080, 8081, 8082}
    assert_pool(*web.frontend, web.endpoints)


def _of_sizes(service: Services) -> ServiceSpec:
    return service.spec(slices=[Slice(tuple(service.endpoints(size))) for size in _SIZES])


@requirement(
    "cip-multi-slice-merge",
    kep(752),
    e2e("endpointslice", "multiple endpoint IPs specified in multiple EndpointSlices"),
)
@over(protocol="TCP")
@arranged(_of_sizes)
def test_slices_are_merged(web: Service, assert_pool: Pool) -> None:
    """The endpoints of all EndpointSlices of a Service must be served as one pool."""
    assert len(web.endpoints) == sum(_SIZES)
    assert_pool(*web.frontend, web.endpoints)


def _one_slice_for_each_port(service: Services) -> ServiceSpec:
    ports = [Port(80 + n, 8080 + n, name=f"p{n}") for n in range(2)]
    endpoints = tuple(service.endpoints(2))
    return service.spec(ports=ports, slices=[Slice(endpoints, (port,)) for port in ports])


@requirement(
    "cip-multi-slice-ports",
    e2e("endpointslice", "multiple ports specified in multiple EndpointSlices"),
)
@over(protocol="TCP")
@arranged(_one_slice_for_each_port)
def test_ports_may_live_in_different_slices(web: Service, assert_pool: Pool) -> None:
    """Where the ports of a Service, with the same endpoints, are in different EndpointSlices, each
    port must be served by the endpoints of its slices.
    """
    for port in web.spec.ports:
        assert_pool(web.cluster_ip, port.number, web.endpoints_of(port.name))


def _one_twice(service: Services) -> ServiceSpec:
    twice, *others = service.endpoints(3)
    return service.spec(slices=[Slice((twice, others[0])), Slice((others[1], twice))])


@requirement("cip-slice-dedupe", docs("endpoint-slices", "duplicate endpoints"), kep(752))
@over(protocol="TCP")
@arranged(_one_twice)
def test_duplicates_count_once(web: Service, client: Client, budget: Budget, judge: Judge) -> None:
    """An address and port that several EndpointSlices of a Service list must be treated as one
    endpoint, with no larger share of the connections than the others.
    """
    # counted twice, it would get two connections out of four instead of one out of three
    sample = client.connect_many(*web.frontend, sample_size(3, 0.5, budget.alpha))
    expect(sample).delivered()
    judge(uniform, tally(sample.chosen, sorted(web.endpoints)))


def _of_several_addresses(service: Services) -> ServiceSpec:
    more = tuple(service.endpoint().host for _ in range(2))
    return service.spec([service.endpoint(more_hosts=more), service.endpoint()])


@requirement(
    "cip-first-address-only",
    api("EndpointSlice", "endpoints.addresses", "consumers should use the first"),
)
@over(protocol="TCP")
@arranged(_of_several_addresses)
def test_only_the_first_address_counts(web: Service, assert_pool: Pool) -> None:
    """Of several addresses of one endpoint in an EndpointSlice only the first must be used."""
    assert_pool(*web.frontend, web.endpoints)


@requirement("cip-slice-no-svc-label", docs("endpoint-slices", "ownership"))
@over(protocol="TCP")
@arranged(2)
def test_slice_without_service_label_is_ignored(
    service: Services, web: Service, assert_pool: Pool
) -> None:
    """An EndpointSlice without the label kubernetes.io/service-name must be ignored, whatever its
    name and owner are.
    """
    owner = web.object["metadata"]["uid"]
    web.add_slices(Slice(tuple(service.endpoints(2)), service_name=None, owner=owner))
    assert_pool(*web.frontend, web.endpoints)


def _of_the_other_family(service: Services) -> ServiceSpec:
    (other,) = set(FAMILIES) - {service.family}
    slices = [Slice(tuple(service.endpoints(2)), address_types=(other,))]
    return service.spec(slices=slices, families=FAMILIES)


@requirement("cip-slice-other-family", kep(752), kep(2438))
@over(protocol="TCP")
@arranged(_of_the_other_family)
def test_slices_of_the_other_family_do_not_count(
    web: Service, client: LabClient, world: World, family: Family
) -> None:
    """EndpointSlices of one address type must not feed the cluster IP of the other family: it has
    no endpoints then, while that of their own family is served.
    """
    (other,) = set(FAMILIES) - {family}
    neighbour = LabClient(world.lab, client.host, other, client.protocol)
    expect(neighbour.connect(web.cluster_ip_of(other), web.port)).answered()
    expect(client.connect(*web.frontend)).unserved()


@requirement("cip-slice-fqdn-ignored", api("EndpointSlice", "addressType", "FQDN"), kep(752))
@over(protocol="TCP")
@arranged(2)
def test_slices_of_names_are_ignored(service: Services, web: Service, assert_pool: Pool) -> None:
    """An EndpointSlice of the address type FQDN must be ignored."""
    web.add_slices(Slice((service.endpoint(),), address_types=("FQDN",)))
    assert_pool(*web.frontend, web.endpoints)


@requirement("cip-order-independent", docs("endpoint-slices"))
@pytest.mark.parametrize("first", ["service", "slices"])
@over(protocol="TCP")
def test_order_of_arrival_does_not_matter(service: Services, first: str, assert_pool: Pool) -> None:
    """A Service must be served alike whether it or its EndpointSlices became known first."""
    spec = service.spec(endpoints=2)
    alone = {"service": replace(spec, slices=()), "slices": replace(spec, slices_only=True)}
    (web,) = service.create([alone[first]])
    web.become(spec)
    assert_pool(*web.frontend, web.endpoints)


@requirement("cip-selectorless-slice", docs("service", "Services without selectors"))
@over(protocol="TCP")
@arranged(["outside", "pod"])
def test_endpoints_may_be_outside_the_cluster(web: Service, assert_pool: Pool) -> None:
    """A Service without selector must reach the endpoints of manually written EndpointSlices, those
    with addresses outside of every pod CIDR and on no node included.
    """
    assert_pool(*web.frontend, web.endpoints)
