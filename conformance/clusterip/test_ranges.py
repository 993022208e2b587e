"""ClusterIP: addresses from ranges that are added to the cluster, and taken away."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator

import pytest

from conformance.vocabulary import (
    FAMILIES,
    Family,
    Pool,
    Service,
    Services,
    e2e,
    kep,
    networks,
    over,
    requirement,
)
from specification.errors import RefusedError

_ADDED = networks("10.97.0.0/24", "fd00:97::/120")
_NUMBERS = itertools.count(11)
"""Of addresses in it: one that was left when its range was taken away is not given again."""
_KNOWN = 20.0  # seconds in which an API server knows a range
_LOOK = 0.05  # seconds between two looks


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
