"""Sync: how soon, how smoothly and how faithfully changes reach the data plane."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import pytest

from conformance.sync.rounds import all_delivered, connect_during, often, write_endpoints
from conformance.vocabulary import (
    BOTH,
    FAMILIES,
    LIMIT,
    Change,
    Client,
    Endpoint,
    Interval,
    LabClient,
    Measure,
    OwnWord,
    Service,
    Services,
    Slice,
    SocketAddress,
    World,
    arranged,
    between_looks,
    client_of_each_kind,
    clients_of,
    docs,
    during,
    e2e,
    expect,
    kep,
    measurement,
    over,
    requirement,
    source,
    time_changes,
)

REPETITIONS = 15
LOOK = 40  # connections: by chance one of two endpoints gets none of them once in 5e11 looks
FLIPS = 40
CROWD = 100
TURNS = 5


@contextlib.contextmanager
def stopwatch(world: World, measure: Measure) -> Iterator[Callable[..., None]]:
    """Gives ``note(what, clients, intervals)``, which fails on what took too long; all that was
    noted is recorded at the end, beside what the proxy itself says of that time.
    """
    own = OwnWord(world.node.proxy)
    took: dict[str, list[Interval]] = {}

    def note(what: str, clients: list[Client], intervals: list[Interval]) -> None:
        for client, interval in zip(clients, intervals, strict=True):
            took.setdefault(f"{what}, {client.family}", []).append(interval)
            assert interval.high <= LIMIT, f"{what}: not in force in {client.family}: {interval}"

    try:
        yield note
    finally:
        word = str(own)
        for name, samples in took.items():
            measure(measurement(f"sync latency: {name}", samples, word))


@requirement(
    "sync-latency-ep",
    e2e("service_latency", "should not be very high"),
    source("test/e2e/framework/service/const.go", "KubeProxyEndpointLagTimeout"),
)
@over(families=FAMILIES, protocol="TCP")
def test_endpoint_change_takes_effect_soon(
    service: Services, world: World, measure: Measure
) -> None:
    """An endpoint that is added, removed or replaced must be chosen, or chosen no longer, by new
    connections within 30 s of the API server's acknowledgement.
    """
    old = service.endpoint("remote-pod", 1)
    web = service(slices=[Slice((old,), address_types=(family,)) for family in FAMILIES])

    def change(
        client: Client, endpoints: Sequence[Endpoint], gone: Endpoint | None, come: Endpoint
    ) -> Change:
        def in_force() -> bool:
            sample = client.connect_many(web.cluster_ip_of(client.family), web.port, LOOK)
            seen = {chosen.address for chosen in sample.chosen if chosen}
            left = gone is None or gone.host.address(client.family) not in seen
            return left and come.host.address(client.family) in seen

        def write() -> None:
            write_endpoints(web, endpoints, FAMILIES.index(client.family))

        return Change(write, [in_force])

    with stopwatch(world, measure) as note:
        for _ in range(often(world, REPETITIONS)):
            added, new = service.endpoint("remote-pod", 1), service.endpoint("remote-pod", 2)
            clients = clients_of(world, "TCP")  # their ports are used up soon
            for what, endpoints, gone, come in (
                ("endpoint added", [old, added], None, added),
                ("endpoint removed", [added], old, added),
                ("endpoint replaced", [new], added, new),
            ):
                changes = [change(client, endpoints, gone, come) for client in clients]
                note(what, clients, time_changes(*changes))
            old = new


@requirement(
    "sync-latency-add",
    source("test/e2e/framework/service/const.go", "KubeProxyLagTimeout"),
    docs("virtual-ips", "minSyncPeriod"),
)
@over(families=FAMILIES, protocol="TCP")
def test_service_is_usable_soon_after_its_creation_and_gone_after_its_deletion(
    service: Services, world: World, measure: Measure
) -> None:
    """A Service that is created, or created again after its deletion, must be served within 30 s of
    the API server's acknowledgement, and one that is deleted must be served no longer.
    """
    web = service([service.endpoint("remote-pod", 1)])
    there = replace(web.spec, cluster_ips=web.cluster_ips)
    gone = replace(there, slices_only=True)
    clients = clients_of(world, "TCP")

    def is_served(client: Client) -> bool:
        probe = client.connect(web.cluster_ip_of(client.family), web.port)
        return probe.endpoint is not None and probe.answered

    def seen(*, served: bool) -> list[Callable[[], bool]]:
        return [partial(lambda client: is_served(client) is served, client) for client in clients]

    assert all(map(is_served, clients)), "not served to begin with"
    with stopwatch(world, measure) as note:
        for _ in range(often(world, REPETITIONS)):
            for name, spec, served in (("deleted", gone, False), ("created", there, True)):
                write = partial(web.become, spec, settle=False)
                note(f"Service {name}", clients, time_changes(Change(write, seen(served=served))))
                if world.node.proxy.stepwise:  # what was seen may be undone before it is done
                    service.settle(removed=True)


@requirement("sync-coalesce-final", source("pkg/proxy/endpointschangetracker.go"))
@over(families=FAMILIES, protocols=["TCP", "UDP"])
def test_last_state_of_a_burst_is_in_force(service: Services, world: World) -> None:
    """After a burst of changes to a Service's endpoints, new connections must go to exactly the
    endpoints of its last state.
    """
    web = service(endpoints=4, ports=BOTH)
    endpoints = web.spec.endpoints
    choose = random.Random(1)
    for _ in range(often(world, FLIPS)):
        last = choose.sample(endpoints, choose.randint(1, 3))
        write_endpoints(web, last)
    service.settle()
    for client in client_of_each_kind(world):
        expected = {SocketAddress(each.host.address(client.family), 8080) for each in last}
        sample = client.connect_many(web.cluster_ip_of(client.family), web.port, 128)
        expect(sample).delivered(to=expected)
        assert set(sample.counts) == expected, f"{sample.counts}, {sample}"


@requirement(
    "sync-atomic", kep(3866), source("pkg/proxy/nftables/proxier.go", "one transaction a sync")
)
@over(protocol="TCP")
def test_no_connection_fails_while_endpoints_change(
    service: Services, client: LabClient, world: World
) -> None:
    """While endpoints of a Service are replaced again and again, every new connection to it, and to
    another Service, must be answered by an endpoint.
    """
    changing, other = service.create([service.spec(3), service.spec(2)])
    first, second, third = changing.spec.endpoints
    known = changing.endpoints | other.endpoints

    def flip() -> None:
        for number in range(often(world, FLIPS)):
            endpoints = [[first, second], [second, third], [third, first]][number % 3]
            write_endpoints(changing, endpoints)

    samples = connect_during(client, [changing.frontend, other.frontend], flip)
    service.settle()
    all_delivered(samples, known)


@requirement("sync-atomic-scale", kep(3453), kep(3866))
@over(families=FAMILIES, protocol="TCP")
@arranged(2)
def test_no_connection_fails_while_many_others_change(
    service: Services, web: Service, world: World
) -> None:
    """While a hundred other Services are created, have their endpoints replaced again and again,
    and are deleted, every new connection to a Service must be answered by one of its endpoints.
    """
    specs = [service.spec(1) for _ in range(often(world, CROWD))]
    endpoints = [service.endpoints(1) for _ in range(TURNS)]

    def come_and_go() -> None:
        crowd = service.create(specs, settle=False)
        for new in endpoints:
            service.api.together(partial(write_endpoints, each, new) for each in crowd)
        service.remove(crowd)

    rounds = during(
        come_and_go,
        lambda: [
            client.connect_many(web.cluster_ip_of(client.family), web.port, 8)
            for client in clients_of(world, "TCP")
        ],
    )
    service.settle()
    for family, samples in zip(FAMILIES, zip(*rounds, strict=True), strict=True):
        all_delivered(samples, web.endpoints_of(web.spec.ports[0].name, family))


@requirement("sync-flap-ready", docs("endpoint-slices", "conditions"))
@over(protocol="TCP")
def test_flapping_endpoint_does_no_harm(service: Services, client: LabClient, world: World) -> None:
    """While one endpoint of a Service is ready and unready in turn, every new connection must be
    answered, and the other endpoints must go on being chosen.
    """
    web = service(endpoints=3)
    flapping, *steady = web.spec.endpoints

    def flap() -> None:
        for number in range(often(world, FLIPS)):
            write_endpoints(web, [replace(flapping, ready=bool(number % 2)), *steady])

    samples = connect_during(client, [web.frontend] * 2, flap)
    service.settle()
    all_delivered(samples)
    seen = {each for sample in samples for each in sample.counts}
    assert seen >= {web.socket(1), web.socket(2)}, f"connections reached {seen}"


@requirement(
    "sync-order-latency",
    source("pkg/proxy/iptables/proxier.go", "conntrack is cleaned after the rules"),
)
@over(protocol="UDP")
def test_busy_udp_flow_does_not_revive_a_removed_endpoint(
    service: Services, client: LabClient, world: World
) -> None:
    """A UDP client that sends all the time from the same port must be served by the new endpoint
    when the old one is replaced, and never by the old one again.
    """
    web = service(endpoints=1)
    old = web.socket(0)
    flows = client.open(*web.frontend, 8)
    expect(flows.opened).delivered(to=old, reply="any")
    with between_looks(world.canary, flows.exchange) as samples:
        web.set_endpoints([service.endpoint("remote-pod", 1)], syncs=2)
    samples.append(flows.exchange())
    for number in range(len(flows)):
        chosen = [sample.chosen[number] for sample in samples]
        assert chosen[-1] == web.socket(0), f"flow {number} ends at {chosen[-1]}: {samples[-1]}"
        revived = old in chosen[chosen.index(web.socket(0)) :]
        assert not revived, f"flow {number} came back to {old}: {chosen}"


PERIOD = 1.0
"""minSyncPeriod for these requirements, in seconds: kube-proxy's default."""

_WAITED = 0.75
"""What of it tells one that waits from one that does not."""


class Pace(NamedTuple):
    """How two changes, one right after the other, came into force with it, in seconds."""

    first: float
    """At most so much later did the first come into force than with a proxy that never waits."""
    second: float
    """At most so long after the first was written did the second come into force."""


@pytest.fixture(scope="session")
def paces() -> dict[str, Pace]:
    """What was found out, by mode: two requirements are judged by it."""
    return {}


@pytest.fixture
def pace(paces: dict[str, Pace], mode: str, world: World, service: Services) -> Pace:
    """Make a change as ever, and two with a proxy that gathers changes and was left in peace."""
    if mode not in paces:
        web = service(endpoints=1)
        usual = time_changes(replacement(service, world, web))
        period = {"minSyncPeriod": f"{PERIOD:g}s"}
        world.configure({"iptables": period, "ipvs": period, "nftables": period})
        time.sleep(1.2 * PERIOD)  # the quiet time
        began = time.monotonic()
        first = time_changes(replacement(service, world, web))
        between = time.monotonic() - began
        second = time_changes(replacement(service, world, web))
        paces[mode] = Pace(
            max(a.high - b.low for a, b in zip(first, usual, strict=True)),
            between + min(each.high for each in second),
        )
    return paces[mode]


def replacement(services: Services, world: World, web: Service) -> Change:
    """Replace the endpoint of a Service, which is in force once clients reach the new one."""
    endpoint = services.endpoint("remote-pod")

    def is_served(client: Client) -> bool:
        probe = client.connect(web.cluster_ip_of(client.family), web.port)
        expected = SocketAddress(endpoint.host.address(client.family), 8080)
        return probe.endpoint == expected

    write = partial(write_endpoints, web, [endpoint])
    return Change(write, [partial(is_served, client) for client in clients_of(world, "TCP")])


@requirement(
    "sync-first-immediate", docs("virtual-ips", "minSyncPeriod"), feature="minimal-sync-period"
)
@over(families=FAMILIES, protocol="TCP")
def test_first_change_after_a_quiet_time_does_not_wait(pace: Pace) -> None:
    """The first change after a quiet time must be applied at once, not after minSyncPeriod."""
    waited = _WAITED * PERIOD  # who waits does so for all of it, but for the time since the sync
    assert pace.first < waited, f"applied {pace.first:.3f} s later than by a proxy that never waits"


@requirement("sync-min-period", docs("virtual-ips", "minSyncPeriod"), feature="minimal-sync-period")
@over(families=FAMILIES, protocol="TCP")
def test_further_change_waits(pace: Pace) -> None:
    """A change that follows another one must be applied no sooner than minSyncPeriod after it."""
    waited = _WAITED * PERIOD  # it follows the sync that had the first, which may have begun before
    assert pace.second >= waited, f"applied at most {pace.second:.3f} s after the first was written"
