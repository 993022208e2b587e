"""ClusterIP: what EndpointSlices may say of an endpoint that is odd, or said twice."""

from __future__ import annotations

from dataclasses import replace

from conformance.vocabulary import (
    Endpoint,
    Pool,
    Port,
    Service,
    Services,
    ServiceSpec,
    Slice,
    api,
    arranged,
    docs,
    issue,
    kep,
    over,
    requirement,
    source,
)


def _without_a_number(service: Services) -> list[ServiceSpec]:
    """Slices that say the number of a port, beside some that have none, or 0."""
    port = Port(protocol=service.protocol)
    return [
        service.spec(
            slices=[
                Slice((service.endpoint(),)),
                Slice((service.endpoint(),), (replace(port, target=number),)),
            ]
        )
        for number in (None, 0)
    ]


@requirement(
    "cip-slice-nil-port",
    api("EndpointSlice", "ports.port"),
    source("pkg/proxy/endpointslicecache.go", "addEndpoints"),
)
@over(protocol="TCP")
@arranged(_without_a_number)
def test_slices_without_a_port_number_give_no_endpoints(
    webs: list[Service], assert_pool: Pool
) -> None:
    """An EndpointSlice that gives a port no number, or the number 0, must give that port of the
    Service no endpoint.
    """
    for web in webs:
        assert_pool(*web.frontend, web.endpoints)


def _address_used_again(service: Services) -> list[ServiceSpec]:
    """A pod that is terminating, and a running one that has its address by now, in either order,
    beside another.
    """
    gone, other = service.endpoint(ready=False, serving=True, terminating=True), service.endpoint()
    both = [gone, Endpoint(gone.host)]
    return [
        service.spec(slices=[Slice((each,)) for each in (*listed, other)])
        for listed in (both, both[::-1])
    ]


@requirement(
    "cip-podip-reuse-terminating",
    issue(135593),
    source("pkg/proxy/endpointslicecache.go", "addEndpoints"),
    feature="reused-addresses",
)
@over(protocol="TCP")
@arranged(_address_used_again)
def test_running_endpoint_wins_over_a_terminating_one(
    webs: list[Service], assert_pool: Pool
) -> None:
    """Where a running endpoint has the address and port of one that is terminating, new connections
    must be sent to it as to any ready one.
    """
    for web in webs:
        assert_pool(*web.frontend, web.endpoints)


def _twice(service: Services) -> ServiceSpec:
    """An endpoint in two slices, beside another."""
    moving, other = service.endpoints(2)
    return service.spec(slices=[Slice((moving, other)), Slice((moving,))])


@requirement("cip-slice-dup-conflict", kep(752), docs("endpoint-slices", "duplicate endpoints"))
@over(protocol="TCP")
@arranged(_twice)
def test_slices_that_disagreed_may_agree_again(web: Service, assert_pool: Pool) -> None:
    """Where two EndpointSlices have said different things of one endpoint, and agree again, new
    connections must be sent to it, or not, as both say.
    """
    moving, other = web.spec.slices[0].endpoints
    unready = replace(moving, ready=False)
    for now, expected in ((unready, {web.socket(1)}), (moving, web.endpoints)):
        web.change_slice(0, endpoints=(now, other))
        web.change_slice(1, endpoints=(now,))
        assert_pool(*web.frontend, expected)
