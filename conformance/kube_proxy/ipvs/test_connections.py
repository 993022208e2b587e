"""IPVS mode's connections: those of endpoints that go and come back, of clients that come back with
the same port, and the templates that keep clients where they are.
"""

from __future__ import annotations

import time
from collections.abc import Collection

from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from clusters.inspection.ipvs import Connection, RealServer
from conformance.affinity.pool import CLIENTS, HOUR, choices
from conformance.vocabulary import (
    EXTERNAL_IPS,
    Client,
    Crowd,
    Crowds,
    Delivered,
    Endpoint,
    Flows,
    Lab,
    LabClient,
    Service,
    Services,
    SocketAddress,
    World,
    arranged,
    down,
    expect,
    in_ipvs,
    issue,
    linux,
    man,
    numbered,
    over,
    source,
)

_RENEWED = 20  # seconds after which a template of two seconds should have been renewed


def real_servers(world: World, web: Service, protocol: str = "TCP") -> dict[str, RealServer]:
    """The real servers of a Service's cluster IP by address."""
    found = world.node.host.ipvs.virtual_server(protocol, str(web.cluster_ip), web.port)
    return {each.address: each for each in found.real_servers}


def weights(world: World, web: Service) -> dict[str, int]:
    """The weights of the real servers of a Service's cluster IP by address."""
    return {address: each.weight for address, each in real_servers(world, web).items()}


def listed(web: Service, sockets: Collection[SocketAddress | None]) -> list[Endpoint]:
    """The endpoints of a Service that have one of these addresses and ports."""
    every = web.spec.endpoints
    return [each for position, each in enumerate(every) if web.socket(position) in sockets]


def open_on_two(client: LabClient, web: Service) -> tuple[Flows, str, str, str]:
    """Two connections to a Service of three endpoints; the addresses of the endpoints that have the
    first, the second, and none.
    """
    flows = client.open(*web.frontend, 2)
    expect(flows.opened).delivered()
    first, second = (str(each.address) for each in flows.endpoints if each)
    idle = {str(each.address) for each in web.endpoints} - {first, second}
    if len(idle) != 1:
        raise RuntimeError(f"two connections are to have two endpoints: {flows.opened.counts}")
    return flows, first, second, idle.pop()


# --- endpoints that go and come back --------------------------------------------------------------


@in_ipvs("term-ipvs-graceful", source("pkg/proxy/ipvs/graceful_termination.go"))
@arranged(3)
def test_removed_endpoint_is_drained(web: Service, client: LabClient, world: World) -> None:
    """The real server of a removed endpoint that has TCP connections must get weight 0 and stay, so
    that they go on and no new one is given to it, while one without connections must be deleted at
    once.
    """
    flows, drained, kept, _ = open_on_two(client, web)
    web.set_endpoints(listed(web, flows.endpoints[1:]))
    assert weights(world, web) == {drained: 0, kept: 1}
    assert real_servers(world, web)[drained].active == 1
    sample = client.connect_many(*web.frontend, 16)
    expect(sample).delivered()
    assert set(sample.counts) == web.endpoints, sample.counts
    expect(flows.exchange()).kept(flows)


@in_ipvs("term-ipvs-udp-immediate", source("pkg/proxy/ipvs/graceful_termination.go"))
@over(protocol=["UDP", "SCTP"])
@arranged(3)
def test_removed_endpoint_of_datagrams_is_deleted(
    web: Service, client: LabClient, world: World
) -> None:
    """The real server of a removed endpoint of a UDP or SCTP Service must be deleted at once,
    whatever connections it has.
    """
    flows = client.open(*web.frontend, 12)
    expect(flows.opened).delivered()
    counted = real_servers(world, web, client.protocol).values()
    if not all(each.active + each.inactive for each in counted):
        raise RuntimeError(f"each is to have connections: {counted}")
    web.set_endpoints([web.endpoint(0)])
    assert set(real_servers(world, web, client.protocol)) == {str(web.socket(0).address)}


@in_ipvs(
    "term-ipvs-readd",
    source("pkg/proxy/ipvs/graceful_termination.go"),
    source("pkg/proxy/ipvs/proxier.go", "syncEndpoint"),
)
@arranged(3)
def test_drained_endpoint_comes_back(web: Service, client: LabClient, world: World) -> None:
    """The real server of an endpoint that is added again while it is drained must get weight 1 and
    new connections.
    """
    every = web.spec.endpoints
    flows, drained, kept, idle = open_on_two(client, web)
    web.set_endpoints(listed(web, flows.endpoints[1:]))
    if weights(world, web).get(drained) != 0:
        raise RuntimeError(f"{drained} is not drained: {weights(world, web)}")
    web.set_endpoints(every)
    assert weights(world, web) == {drained: 1, kept: 1, idle: 1}
    sample = client.connect_many(*web.frontend, 30)
    assert set(sample.counts) == web.endpoints, sample.counts
    # Nothing is said of the connections that it has: kube-proxy deletes the real server and makes
    # it anew, and a kernel that looks in between, after a tick, ends them (expire_nodest_conn).


@in_ipvs(
    "life-ipvs-weights",
    issue(92019),
    source("pkg/proxy/ipvs/proxier_test.go", "Test_syncEndpoint_updateWeightsOnRestart"),
)
@arranged(3)
def test_start_restores_weights(
    service: Services, web: Service, client: LabClient, world: World
) -> None:
    """When kube-proxy starts, every ready endpoint must have a real server of weight 1 and get
    connections: one that was drained as kube-proxy ended, and one that somebody gave weight 0.
    """
    every = web.spec.endpoints
    flows, drained, kept, idle = open_on_two(client, web)
    web.set_endpoints(listed(web, web.endpoints - {flows.endpoints[0]}))
    edit = f"ipvsadm --edit-server -t {web.frontend} -r {flows.endpoints[1]}"
    with down(world.node.proxy):
        world.node.run([*edit.split(), "--masquerading", "--weight", "0"])
        if weights(world, web) != {drained: 0, kept: 0, idle: 1}:
            raise RuntimeError(f"these are to have weight 0: {drained}, {kept}")
        web.set_endpoints(every, settle=False)
    service.settle()
    assert weights(world, web) == {drained: 1, kept: 1, idle: 1}
    sample = client.connect_many(*web.frontend, 30)
    assert set(sample.counts) == web.endpoints, sample.counts


# --- clients that come back with the same port ----------------------------------------------------


def close(lab: Lab, client: LabClient, flows: Flows) -> None:
    """Close connections, the client first: they end in TIME-WAIT (RFC 9293, 3.6)."""
    for row, probe in enumerate(flows.opened):
        outcome = probe.outcome
        assert isinstance(outcome, Delivered), probe
        own = int(flows.opened.ids[row]) + 1
        other = int(flows.opened.reply_sequences[row]) + 1
        back = (outcome.wire, outcome.endpoint, outcome.source)
        there = (client.host.wire, probe.client, probe.target)
        for way, flags, sequence, acknowledgement in (
            (there, "FA", own, other),
            (back, "FA", other, own + 1),
            (there, "A", own + 1, other + 1),
        ):
            send_segment(lab, *way, flags, sequence, acknowledgement)
            lab.settle()


def send_segment(
    lab: Lab,
    wire: str,
    source: SocketAddress,
    target: SocketAddress,
    flags: str,
    sequence: int,
    acknowledgement: int,
) -> None:
    """Send a TCP segment without data from a lab host."""
    ends, network = lab.node.wires[wire], IP if source.address.version == 4 else IPv6
    frame = (
        Ether(src=ends.lab_mac.hex(":"), dst=ends.node_mac.hex(":"))
        / network(src=str(source.address), dst=str(target.address))
        / TCP(sport=source.port, dport=target.port, flags=flags, seq=sequence, ack=acknowledgement)
    )
    lab.send_raw(wire, bytes(frame))


def connections(world: World, client: Client) -> list[Connection]:
    """What IPVS knows of a client: its connections, and templates."""
    every = world.node.host.ipvs.connections
    return [each for each in every if each.client[0] == str(client.address)]


def closed(world: World, client: LabClient, web: Service, count: int) -> Flows:
    """Connections that are closed, but known to IPVS still."""
    flows = client.open(*web.frontend, count)
    expect(flows.opened).delivered()
    close(world.lab, client, flows)
    states = [each.state for each in connections(world, client) if not each.is_template]
    if states != ["TIME_WAIT"] * count:
        raise RuntimeError(f"{count} connections are to be in TIME-WAIT, these are in {states}")
    return flows


@in_ipvs("term-ipvs-inactive", source("pkg/proxy/ipvs/graceful_termination.go"))
@arranged(2)
def test_endpoint_with_closed_connections_is_drained(
    web: Service, client: LabClient, world: World
) -> None:
    """The real server of a removed endpoint whose connections are all closed, but known still, must
    get weight 0 and stay.
    """
    flows = closed(world, client, web, 4)
    removed = flows.endpoints[0]
    assert removed
    web.set_endpoints(listed(web, web.endpoints - {removed}))
    left = real_servers(world, web)[str(removed.address)]
    assert (left.weight, left.active) == (0, 0)
    assert left.inactive


@in_ipvs("ipvs-conn-reuse", issue(81775))
@arranged(2)
def test_reused_port_leaves_a_removed_endpoint(
    web: Service, client: LabClient, world: World
) -> None:
    """A client whose connection to an endpoint has ended, and that connects from the same port
    after that endpoint was removed, must be served by one that remains, by its first packet.
    """
    flows = closed(world, client, web, 4)
    removed = flows.endpoints[0]
    web.set_endpoints(listed(web, web.endpoints - {removed}))
    again = client.connect_many(*web.frontend, 4, source_ports=flows.opened.client_ports)
    expect(again, f"{removed} is removed").delivered(to=web)


@in_ipvs(
    "ipvs-first-packet-delay",
    issue(93297),
    linux("Documentation/networking/ipvs-sysctl.rst", "conn_reuse_mode"),
)
@arranged(3, shared=True)
def test_first_packet_from_a_reused_port_is_not_dropped(
    web: Service, client: LabClient, world: World
) -> None:
    """A client that connects from the port of a connection that has just ended must be served by
    its first packet: none is dropped so that the client has to repeat it a second later.
    """
    flows = closed(world, client, web, 4)
    for _ in range(2):  # also where the entry that it finds was made by a reused port itself
        again = client.connect_many(*web.frontend, 4, source_ports=flows.opened.client_ports)
        expect(again).delivered()
        assert (again.arrivals == 1).all(), again
        flows = Flows(world.lab, client.host.wire, again)
        close(world.lab, client, flows)


# --- templates that keep clients where they are ---------------------------------------------------


@in_ipvs("aff-cross-frontends", source("pkg/proxy/ipvs/README.md"), man("ipvsadm", "--persistent"))
@arranged(session_affinity=HOUR, external_ips=numbered(EXTERNAL_IPS, 91).values())
def test_frontends_remember_clients_on_their_own(web: Service, crowd: Crowds, world: World) -> None:
    """With ClientIP affinity, each virtual server must have a template of its own for a client: the
    client's endpoint at the cluster IP does not determine the one at an external IP.
    """
    clients = crowd(CLIENTS)
    other = SocketAddress(EXTERNAL_IPS[clients.family][91], web.port)
    chosen = choices(clients, web.frontend)
    hosts = [
        host for host, endpoint in zip(clients.hosts, chosen, strict=True) if endpoint == chosen[0]
    ]
    alike = Crowd(world.lab, hosts, clients.family, clients.protocol)
    elsewhere = choices(alike, other)
    kept: dict[str, set[tuple[str, int]]] = {}
    for each in world.node.host.ipvs.connections:
        if each.is_template:
            kept.setdefault(each.client[0], set()).add(each.virtual)
    both = {(str(at.address), at.port) for at in (web.frontend, other)}
    for host in hosts:
        assert kept.get(str(host.address(clients.family))) == both
    assert len(set(elsewhere)) > 1, f"all {len(hosts)} with {chosen[0]} also have {elsewhere[0]}"


@in_ipvs("aff-ipvs-timewait", issue(89358))
def test_template_outlives_its_timeout_while_connections_are_known(
    service: Services, client: LabClient, world: World
) -> None:
    """With ClientIP affinity, a client must keep its endpoint beyond the timeout for as long as
    IPVS knows a connection of it, even one that is closed and in TIME-WAIT.
    """
    timeout = 2
    web = service(session_affinity=timeout)
    flows = closed(world, client, web, 1)
    deadline = time.monotonic() + _RENEWED
    while time.monotonic() < deadline:
        templates = [each for each in connections(world, client) if each.is_template]
        assert templates, f"the template of {client} is gone"
        if templates[0].expires > timeout:
            break
        time.sleep(0.2)
    else:
        raise RuntimeError(f"neither gone nor renewed after {_RENEWED} s: {templates}")
    sample = client.connect_many(*web.frontend, 16)
    expect(sample).delivered(to=[each for each in flows.endpoints if each], reply="any")
