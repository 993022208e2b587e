"""IPVS's schedulers: which endpoint a new connection is given, for each that can be configured."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import pytest

from conformance.affinity.pool import CLIENTS, choices, sticky_choices
from conformance.kube_proxy.process.starts import assert_refuses
from conformance.vocabulary import (
    FAMILIES,
    Client,
    Crowd,
    Family,
    Judge,
    Node,
    Port,
    Service,
    Services,
    SocketAddress,
    World,
    arranged,
    clients_of,
    consistent,
    docs,
    expect,
    linux,
    man,
    over,
    requirement,
    round_robin,
    setting,
    source,
    spread,
    tally,
)

_FORGOTTEN = 30  # seconds after which connections that time out after one should be gone
_PORTS = 256


def scheduled_by(*names: str) -> pytest.MarkDecorator:
    """A case for each scheduler, with a proxy that is told to use it."""
    cases = [pytest.param({"ipvs": {"scheduler": name}}, name, id=name) for name in names]
    return pytest.mark.parametrize(("configuration", "scheduler"), cases)


def frontend(web: Service, family: Family) -> SocketAddress:
    """The cluster IP of that family, and the first port."""
    return SocketAddress(web.cluster_ip_of(family), web.port)


def endpoints(web: Service, family: Family) -> list[SocketAddress]:
    """The endpoints of that family, as the first port's slice lists them."""
    return [web.socket(position, family) for position in range(len(web.spec.endpoints))]


def answered(client: Client, web: Service, count: int) -> list[SocketAddress | None]:
    """The endpoints of so many new connections; all of them must be answered."""
    sample = client.connect_many(*frontend(web, client.family), count)
    expect(sample).delivered()
    return sample.chosen


@requirement(
    "lb-rr-exact",
    docs("virtual-ips", "proxy mode ipvs"),
    linux("net/netfilter/ipvs/ip_vs_rr.c"),
    feature="round-robin",
)
@over(protocol=["TCP", "UDP", "SCTP"])
@arranged(3, shared=True)
def test_endpoints_take_turns(web: Service, client: Client, judge: Judge) -> None:
    """Unless another scheduler is configured, a frontend must give its endpoints new connections in
    turn: after any number of them, no endpoint has been given more than one more than another.
    """
    judge(round_robin, answered(client, web, 300), endpoints(web, client.family))


# --- what each scheduler promises -----------------------------------------------------------------


def give_turns(service: Services, world: World, judge: Judge) -> None:
    """rr, wrr: endpoints of equal weight take turns."""
    web = service(3)
    for client in clients_of(world, "TCP"):
        judge(round_robin, answered(client, web, 300), endpoints(web, client.family))


def prefer_the_idle(service: Services, world: World, judge: Judge) -> None:
    """lc, wlc, sed, nq: the endpoint with the fewest connections, half-open or open, is next."""
    web, clients = service(endpoints=1), clients_of(world, "TCP")
    for client in clients:
        client.open(*frontend(web, client.family), 4)
        address = str(web.cluster_ip_of(client.family))
        busy = world.node.host.ipvs.virtual_server("TCP", address, web.port)
        if [each.active for each in busy.real_servers] != [4]:
            raise RuntimeError(f"four connections are open, IPVS counts {busy.real_servers}")
    web.set_endpoints([web.endpoint(0), *service.endpoints(3)])
    for client in clients:
        opened = answered(client, web, 9)  # half-open ones count too
        chosen = tally(opened, endpoints(web, client.family))
        assert list(chosen.values()) == [0, 3, 3, 3], chosen


def keep_clients(service: Services, world: World, judge: Judge) -> None:
    """sh: a client's address always gets the same endpoint, different ones get different."""
    web = service(3)
    for family in FAMILIES:
        crowd = Crowd(world.lab, world.hosts("pod", CLIENTS), family, "TCP")
        sticky_choices(judge, crowd, frontend(web, family), endpoints(web, family))


def keep_destinations(service: Services, world: World, judge: Judge) -> None:
    """dh: all connections to a cluster IP get the same endpoint."""
    web = service(3)
    for family in FAMILIES:
        crowd = Crowd(world.lab, world.hosts("pod", CLIENTS), family, "TCP")
        at = frontend(web, family)
        judge(consistent, [(at, endpoint) for endpoint in choices(crowd, at)], 3)


def keep_sockets(service: Services, world: World, judge: Judge) -> None:
    """mh: a client's address and port always get the same endpoint."""
    web = service(endpoints=4, ports=[Port(protocol="UDP")])
    with short_memory(world.node, web) as forget:
        clients = clients_of(world, "UDP")
        first = [client.connect_many(*frontend(web, client.family), _PORTS) for client in clients]
        for sample in first:
            expect(sample).delivered()
        forget()
        second = [
            client.connect_many(
                *frontend(web, client.family), _PORTS, source_ports=sample.client_ports
            )
            for client, sample in zip(clients, first, strict=True)
        ]
        for before, sample in zip(first, second, strict=True):
            judge(spread, tally(before.chosen, endpoints(web, before.family)))
            met = [*enumerate(before.chosen), *enumerate(sample.chosen)]
            judge(consistent, met, 4, name=f"{_PORTS} sockets keep their endpoint")


@contextlib.contextmanager
def short_memory(node: Node, web: Service) -> Iterator[Callable[[], None]]:
    """Have IPVS forget idle UDP flows after a second; what is given waits until it has forgotten
    those of a Service. (Older ones keep the time that they were given.)
    """
    ipvs = node.host.ipvs
    seconds = ipvs.timeouts.udp
    own = {(str(web.cluster_ip_of(family)), web.port) for family in FAMILIES}

    def forget() -> None:
        deadline = time.monotonic() + _FORGOTTEN
        while left := [each for each in ipvs.connections if each.virtual in own]:
            if time.monotonic() > deadline:
                raise RuntimeError(f"IPVS still knows {len(left)} flows, {left[0]} say")
            time.sleep(0.5)

    node.run(["ipvsadm", "--set", "0", "0", "1"])  # 0 leaves those of TCP as they are
    try:
        yield forget
    finally:
        node.run(["ipvsadm", "--set", "0", "0", str(seconds)])


_PROMISES = {
    "rr": give_turns,
    "wrr": give_turns,
    "lc": prefer_the_idle,
    "wlc": prefer_the_idle,
    "sed": prefer_the_idle,
    "nq": prefer_the_idle,
    "sh": keep_clients,
    "dh": keep_destinations,
    "mh": keep_sockets,
}


@requirement(
    "lb-ipvs-scheduler",
    docs("virtual-ips", "proxy mode ipvs"),
    setting("KubeProxyIPVSConfiguration.scheduler"),
    man("ipvsadm", "--scheduler"),
    feature="ipvs-schedulers",
)
@scheduled_by(*_PROMISES)
@over(families=FAMILIES)
def test_configured_scheduler_chooses(
    service: Services, world: World, judge: Judge, scheduler: str
) -> None:
    """Every virtual server must have the scheduler that is configured, which must choose as it is
    known to: rr and wrr in turn; lc, wlc, sed and nq what has the fewest open connections; sh by
    the client's address; dh by the destination; mh by the client's address and port.
    """
    _PROMISES[scheduler](service, world, judge)
    servers = world.node.host.ipvs.virtual_servers
    assert {each.scheduler for each in servers} == {scheduler}, servers


@requirement(
    "lb-ipvs-mh-flags",
    source("pkg/proxy/ipvs/proxier.go"),
    man("ipvsadm", "mh-port"),
    feature="ipvs-schedulers",
)
@scheduled_by("mh")
@over(families=FAMILIES)
@arranged(3, exposed=True)
def test_maglev_hashing_regards_the_port(
    web: Service, world: World, judge: Judge, scheduler: str
) -> None:
    """With the scheduler mh, every virtual server must have the flag mh-port: connections of one
    client from different ports are spread over the endpoints.
    """
    servers = world.node.host.ipvs.virtual_servers
    assert {each.flags for each in servers} == {frozenset({"mh-port"})}, servers
    for client in clients_of(world, "TCP"):
        chosen = answered(client, web, _PORTS)
        judge(spread, tally(chosen, endpoints(web, client.family)))


@requirement(
    "lb-ipvs-sched-invalid",
    source("pkg/proxy/ipvs/supported.go", "CanUseIPVSProxier"),
    feature="ipvs-schedulers",
)
def test_refuses_an_unknown_scheduler(bare_node: Node) -> None:
    """Where the kernel does not have the scheduler that is configured, kube-proxy must refuse to
    start, with an error that names it, and must leave no virtual server.
    """
    configuration = {"ipvs": {"scheduler": "fairest"}}
    assert_refuses(bare_node, "scheduler", "fairest", configuration=configuration)
    assert bare_node.host.ipvs.virtual_servers == []
