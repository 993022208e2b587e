"""When kube-proxy calls itself healthy: while it writes what it has to."""

from __future__ import annotations

from typing import Final

import pytest

from conformance.kube_proxy.telemetry.stall import HEALTHY, OK, STALLED, Stall, stall
from conformance.vocabulary import FAMILIES, Services, World, kep, over, requirement, source

_PROXY: Final = source("pkg/proxy/healthcheck/proxy_health.go", "Health")

pytestmark = over(families=FAMILIES, protocol="TCP")


@pytest.fixture(scope="session")
def stalls() -> dict[str, Stall]:
    """What was found out, by mode: all requirements here are judged by it."""
    return {}


@pytest.fixture
def found(stalls: dict[str, Stall], mode: str, world: World, service: Services) -> Stall:
    """What kube-proxy has said before, in and after a stall."""
    if mode not in stalls:
        stalls[mode] = stall(world, service)
    return stalls[mode]


@requirement("hc-z-before-sync", _PROXY, feature="kube-proxy-modes")
def test_starting_proxy_is_healthy(found: Stall) -> None:
    """While kube-proxy has not yet written anything after its start, it must answer 200 at
    /healthz.
    """
    assert not found.served
    assert found.started == OK


@requirement("hc-z-idle-ok", kep(3836, "Non-Goals"), _PROXY, feature="kube-proxy-modes")
def test_idle_proxy_is_healthy(found: Stall) -> None:
    """While it has nothing to write, kube-proxy must answer 200 at /healthz, however long ago it
    wrote something, and though what it does every syncPeriod fails.
    """
    assert (found.written.healthz, found.idle.healthz) == (OK, OK)


@requirement("hc-z-stall", kep(3836, "Non-Goals"), _PROXY, feature="kube-proxy-modes")
def test_stalled_proxy_is_not_healthy(found: Stall) -> None:
    """Once a change of either family has been waiting to be written for twice syncPeriod, and no
    sooner, kube-proxy must answer 503 at /healthz.
    """
    assert (found.written.healthz, found.stalled.healthz) == (OK, STALLED.healthz)
    assert found.waiting >= found.limit


@requirement("hc-z-recovers", _PROXY, feature="kube-proxy-modes")
def test_proxy_recovers(found: Stall) -> None:
    """Once it has written the changes that were waiting, kube-proxy must answer 200 at /healthz
    again, though nothing else has changed since.
    """
    assert (found.stalled.healthz, found.mended.healthz) == (STALLED.healthz, OK)


@requirement("hc-livez-stall", kep(3836), _PROXY, feature="kube-proxy-modes")
def test_stalled_proxy_is_not_alive(found: Stall) -> None:
    """Kube-proxy must answer 503 at /livez while it does not write a change that it has known for
    twice syncPeriod, and 200 before and after.
    """
    said = [each.livez for each in (found.written, found.stalled, found.mended)]
    assert said == [OK, STALLED.livez, OK]


@requirement(
    "hc-np-proxy-unhealthy",
    kep(3836, "Non-Goals"),
    source("pkg/proxy/healthcheck/service_health.go"),
    feature="kube-proxy-modes",
)
def test_stalled_proxy_fails_the_checks_of_services(found: Stall) -> None:
    """While a change is overdue, a healthCheckNodePort must answer 503 though the Service has
    endpoints on the node, which it must go on to count, and 200 before and after.
    """
    said = [each.of_service for each in (found.written, found.stalled, found.mended)]
    assert said == [HEALTHY.of_service, STALLED.of_service, HEALTHY.of_service]
