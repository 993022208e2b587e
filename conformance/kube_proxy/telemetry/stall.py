"""A kube-proxy that cannot write what it has to for a while, and what it says of that."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NamedTuple

from conformance.kube_proxy.process.starts import in_front
from conformance.kube_proxy.process.told import HEALTH, told
from conformance.kube_proxy.telemetry.scrapes import scrape
from conformance.vocabulary import (
    FAMILIES,
    Health,
    LabClient,
    Node,
    Service,
    Services,
    Slice,
    World,
    by_time,
    health,
)

OK: Final = 200
UNAVAILABLE: Final = 503

_PROGRAMS = ("iptables-restore", "ip6tables-restore", "nft")
"""By which kube-proxy writes rules, in whichever mode."""

_UNABLE = "unable\n"
_PERIOD = 1  # seconds: syncPeriod
_EMULATED_PERIOD = 3  # where a sync takes longer
_SECONDS = 240  # after which a proxy should say what it ought to


class Said(NamedTuple):
    """What kube-proxy answers at one time."""

    healthz: int
    livez: int
    of_service: Health | None
    """At the healthCheckNodePort of a Service with one endpoint on the node."""


HEALTHY: Final = Said(OK, OK, Health(OK, 1))
STALLED: Final = Said(UNAVAILABLE, UNAVAILABLE, Health(UNAVAILABLE, 1))


@dataclass
class Stall:
    """What it said, from its start on."""

    limit: float
    """For how long a change may wait until that is a stall: twice syncPeriod, in seconds."""
    started: int
    """At /healthz, before it had written anything."""
    served: bool
    """Whether the Service was served then."""
    written: Said
    """When all was in force."""
    idle: Said
    """When it had been unable to write for longer than the limit, while nothing was to be
    written.
    """
    waiting: float
    """For so many seconds at most had a change of one family been waiting when /healthz changed."""
    stalled: Said
    """At that time, or when that was long overdue."""
    mended: Said
    """When it could write again, and /healthz had changed once more, or that was overdue."""


def stall(world: World, service: Services) -> Stall:
    """Start the proxy while it cannot write, let it, keep it from that twice, and end it."""
    node = world.node
    flag = node.proxy.directory / "no-writing"
    period = _EMULATED_PERIOD if node.system.emulated else _PERIOD
    fail = f"""
        case "$*" in
            "-f -" | *--noflush*) [ ! -s {flag} ] || exit 1 ;;
        esac
        exec REAL "$@"
    """
    folder = node.proxy.directory / "unable"
    search = in_front(node, folder, dict.fromkeys(_PROGRAMS, fail))
    mode = {"syncPeriod": f"{period}s"}
    node.proxy.stop()
    node.write(flag, _UNABLE)
    try:
        web = service(
            slices=[Slice((service.endpoint("pod"),), address_types=(each,)) for each in FAMILIES],
            type="LoadBalancer",
            external_traffic_policy="Local",
            settle=False,
        )
        node.proxy.start(
            {"iptables": mode, "ipvs": mode, "nftables": mode},
            environment={"PATH": search},
            ready=False,
        )
        started = by_time("/healthz answers", lambda: _answered(node), _SECONDS)
        served = _serves(world, web)
        node.write(flag, "")
        world.canary.settle(syncs=2, removed=False, started=True)
        by_time("no change waits to be written", lambda: scrape(node).written, _SECONDS)
        written = _said(node, web)
        node.write(flag, _UNABLE)
        time.sleep(2.5 * period)  # whoever thinks it stalled for want of news has time to
        idle = _said(node, web)
        begin = time.monotonic()
        _add_endpoint(service, web)
        _wait(node, UNAVAILABLE)
        waiting = time.monotonic() - begin
        stalled = _said(node, web)
        node.write(flag, "")
        _wait(node, OK)
        return Stall(
            2.0 * period, started, served, written, idle, waiting, stalled, _said(node, web)
        )
    finally:
        node.proxy.kill()  # whichever test comes next starts it anew
        node.write(flag, "")


def _answered(node: Node) -> int:
    """What /healthz answers, or 0 where nobody listens."""
    try:
        return told(node, HEALTH, "/healthz").status
    except OSError:
        return 0


def _said(node: Node, web: Service) -> Said:
    healthz, livez = (told(node, HEALTH, path).status for path in ("/healthz", "/livez"))
    return Said(healthz, livez, health(node.system, "IPv4", web.health_check_node_port))


def _serves(world: World, web: Service) -> bool:
    client = LabClient(world.lab, world.hosts("pod")[0], "IPv4", "TCP")
    return client.connect(web.cluster_ip_of("IPv4"), web.port).endpoint is not None


def _add_endpoint(service: Services, web: Service) -> None:
    """Another endpoint, of IPv6 alone, and not on the node: on those that are, checks agree."""
    endpoints = (*web.spec.slices[1].endpoints, service.endpoint("remote-pod", 1))
    web.change_slice(1, endpoints=endpoints, settle=False)


def _wait(node: Node, status: int) -> None:
    """Until /healthz answers so, or that is overdue: which, a requirement is to say."""
    with suppress(AssertionError):
        by_time(f"/healthz answers {status}", lambda: _answered(node) == status, _SECONDS)
