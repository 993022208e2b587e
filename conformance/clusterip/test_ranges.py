"""ClusterIP: addresses from ranges that are added to the cluster, and taken away."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from conformance.vocabulary import (
    FAMILIES,
    Client,
    Dropped,
    Family,
    IPAddress,
    Pool,
    Service,
    Services,
    World,
    by_time,
    e2e,
    expect,
    kep,
    networks,
    over,
    requirement,
    source,
)
from fixtures.world import zone
from specification.errors import RefusedError
from specification.places import ZONES

_ADDED = networks("10.97.0.0/24", "fd00:97::/120")
_NUMBERS = itertools.count(11)
"""Of addresses in it: one that was left when its range was taken away is not given again."""
_KNOWN = 20.0  # seconds in which an API server knows a range
_LOOK = 0.05  # seconds between two looks
_HEARD = 240.0  # seconds in which a proxy has heard of a range, and written all anew since


@pytest.fixture
def take_away(service: Services, names: Callable[[], str]) -> Iterator[Callable[[], None]]:
    """There is a ServiceCIDR more, until this is called or the test ends: from then on, no Service
    that names no cluster IP is given one of it.
    """
    name, left = f"added-{names()}", [True]

    def delete() -> None:
        if left:
            left.clear()
            service.api.delete("servicecidrs", name)
            for family in FAMILIES:
                _await_refusal(service, family)

    cidrs = [str(_ADDED[each]) for each in FAMILIES]
    service.api.create("servicecidrs", {"metadata": {"name": name}, "spec": {"cidrs": cidrs}})
    yield delete
    delete()


def _await_refusal(service: Services, family: Family) -> None:
    """Return when the API server gives no addresses of the added range any more."""
    spec = service.spec(1, families=(family,), cluster_ips=(_ADDED[family][next(_NUMBERS)],))
    deadline = time.monotonic() + _KNOWN
    with contextlib.suppress(RefusedError):
        while time.monotonic() < deadline:
            service.create([spec], settle=False)[0].delete(settle=False)
            time.sleep(_LOOK)
        raise TimeoutError(f"a ServiceCIDR was deleted {_KNOWN:.0f} s ago and is in use still")


def _there(service: Services) -> Service:
    """A Service in the added range, as soon as the API server knows that."""
    address = _ADDED[service.family][next(_NUMBERS)]
    deadline = time.monotonic() + _KNOWN
    while True:
        try:
            return service(2, cluster_ips=[address])
        except RefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_LOOK)


@requirement("cip-extra-servicecidr", kep(1880), e2e("service_cidrs", "create Services"))
@over(protocol="TCP")
@pytest.mark.usefixtures("take_away")
def test_service_in_an_added_range_is_served(service: Services, assert_pool: Pool) -> None:
    """A Service whose cluster IP is in the range of a ServiceCIDR that was added to the cluster
    must be served.
    """
    web = _there(service)
    assert_pool(*web.frontend, web.endpoints)


@requirement("cip-vip-outside-cidr", kep(1880))
@over(family="IPv6", protocol="TCP")
def test_service_outside_all_ranges_is_served(
    service: Services, assert_pool: Pool, take_away: Callable[[], None]
) -> None:
    """A Service whose cluster IP is in the range of no ServiceCIDR any more must be served on,
    changes of its endpoints included.
    """
    web = _there(service)
    assert_pool(*web.frontend, web.endpoints)
    take_away()
    web.set_endpoints([web.endpoint(0), service.endpoint()])
    assert_pool(*web.frontend, web.endpoints)


def _is_dropped_anew(world: World, client: Client, address: IPAddress) -> bool:
    """Whether packets to an address are dropped once the proxy has written everything: the node
    gets another zone, and then its own.
    """
    for name in (ZONES[-1], ZONES[0]):
        zone.label(world, name)
    world.canary.settle(syncs=2)
    return isinstance(client.connect(address, 80).outcome, Dropped)


@requirement(
    "sync-servicecidr-nft",
    kep(1880),
    source("pkg/proxy/nftables/proxier.go", "OnServiceCIDRsChanged"),
    feature="added-ranges-dropped",
)
@over(protocol="TCP")
def test_free_address_of_an_added_range_is_dropped(
    world: World, client: Client, family: Family, take_away: Callable[[], None]
) -> None:
    """Packets to an address that no Service has must be dropped where it is in the range of a
    ServiceCIDR that was added to the cluster, and must be left to routing again where that was
    taken away: each with the next sync that writes everything.
    """
    free = _ADDED[family][next(_NUMBERS)]
    dropped = partial(_is_dropped_anew, world, client, free)
    by_time("what is for a free address is dropped", dropped, _HEARD)
    expect(client.connect(free, 80)).dropped()
    take_away()
    by_time("what is for it is dropped no longer", lambda: not dropped(), _HEARD)
    expect(client.connect(free, 80)).passed_through(reply="any")
