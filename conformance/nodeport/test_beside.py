"""NodePorts beside what else a node has: listeners, firewalls, other frontends, changes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final

from clusters.node import EXTERNAL_INTERFACE
from conformance.nodeport.listeners import listening
from conformance.vocabulary import (
    FLOWS,
    Client,
    Endpoint,
    Family,
    LabClient,
    Node,
    NodeServer,
    Port,
    Service,
    Services,
    ServiceSpec,
    SocketAddress,
    World,
    arranged,
    docs,
    e2e,
    expect,
    issue,
    itself,
    kep,
    node_ports_here_and_there,
    over,
    requirement,
    source,
)

_CLASHING: Final = 30_012
_TABLES: Final = {"IPv4": "iptables", "IPv6": "ip6tables"}


@requirement(
    "np-hairpin",
    e2e("service", "allow pods to hairpin back to themselves through services"),
    source("pkg/proxy/iptables/proxier_test.go", "TestInternalExternalMasquerade"),
)
@over(vantage="pod")
def test_pod_reaches_itself_by_the_node(service: Services, client: LabClient) -> None:
    """A pod that connects to the nodePort of its node, of a Service of which it is itself the
    endpoint, must reach itself under either externalTrafficPolicy.
    """
    for web in service.create(
        [
            service.spec([Endpoint(client.host)], type="NodePort", external_traffic_policy=policy)
            for policy in ("Cluster", "Local")
        ]
    ):
        expect(client.connect(*web.at_node)).delivered(to=web, seen_from=web.at_node.address)


@requirement(
    "np-rule-last",
    source("pkg/proxy/iptables/proxier.go", "KUBE-NODEPORTS must be the last rule"),
    feature="external-ips-first",
)
@over(protocol="TCP")
def test_external_ips_come_before_node_ports(
    service: Services, client: Client, world: World
) -> None:
    """Where a Service's external IP is the node's own address, and its port the number of another
    Service's nodePort, the Service with the external IP must have the connections there.
    """
    number, own = Port(_CLASHING, 8000), world.node.address(client.family)
    beside, web = service.create(
        [
            service.spec(1, type="NodePort", ports=[Port(node_port=_CLASHING)]),
            service.spec(1, ports=[number], external_ips=[own]),
        ]
    )
    assert beside.at_node == SocketAddress(own, _CLASHING)
    expect(client.connect_many(own, _CLASHING, 8)).delivered(to=web)


@requirement(
    "np-shadows-host-listener",
    docs("service", "type NodePort"),
    issue(100643),
    feature="shadowed-listeners",
)
@arranged(type="NodePort")
def test_listeners_are_shadowed(web: Service, client: Client, world: World) -> None:
    """A process on the node that listens at the number of a nodePort must not get what is sent to
    the nodePort.
    """
    with listening(world, client, web.at_node):
        expect(client.connect_many(*web.at_node, 4)).delivered(to=web)


@requirement("np-keep-on-sync", kep(3453), docs("virtual-ips", "minSyncPeriod"))
@over(protocol="TCP")
@arranged(2, type="NodePort")
def test_connections_outlive_other_changes(
    service: Services, web: Service, client: LabClient
) -> None:
    """A connection to a nodePort must go on with its endpoint when other Services come, change and
    go.
    """
    flows = client.open(*web.at_node, FLOWS)
    expect(flows.opened).delivered(to=web)
    other = service(1, type="NodePort")
    expect(flows.exchange()).kept(flows)
    other.delete()
    expect(flows.exchange()).kept(flows)


@requirement(
    "np-broadcast-multicast", source("pkg/proxy/iptables/proxier.go", "addrtype LOCAL"), kep(3866)
)
@over(family="IPv4", protocol="UDP")
@arranged(type="NodePort")
def test_broadcasts_are_no_connections(web: Service, client: Client) -> None:
    """What is sent to all hosts of a link, or to a group of them, at the number of a nodePort must
    not reach an endpoint.
    """
    expect(client.connect(*web.at_node)).delivered(to=web)
    for address in ("255.255.255.255", "224.0.0.1"):
        expect(client.connect(ip_address(address), web.node_port())).unserved()


# --- firewalls ------------------------------------------------------------------------------------


@contextlib.contextmanager
def _changed(node: Node, family: Family, there: str, back: str) -> Iterator[None]:
    """The node's table filter has something more, while the block runs."""
    tool = [_TABLES[family], "-w"]
    node.run([*tool, *there.split()])
    try:
        yield
    finally:
        node.run([*tool, *back.split()])


@requirement(
    "np-forward-drop",
    source("pkg/proxy/iptables/proxier.go", "KUBE-FORWARD"),
    issue(39823),
    feature="forwarding-accepted",
)
@arranged(node_ports_here_and_there)
def test_node_ports_pass_a_policy_that_forwards_nothing(
    webs: list[Service], client: LabClient, world: World
) -> None:
    """Where what no rule of the chain FORWARD accepts is dropped, connections to nodePorts must
    still be delivered and go on, whether their endpoints are on the node or elsewhere.
    """
    # as the policy DROP would, but for what shows that the node has forwarded all before it
    last = f"FORWARD -p {client.protocol.lower()} -m multiport --ports 8080 -j DROP"
    with _changed(world.node, client.family, f"-A {last}", f"-D {last}"):
        for web in webs:
            flows = client.open(*web.at_node)
            expect(flows.opened).delivered(to=web)
            expect(flows.exchange()).kept(flows)


def _and_the_node(service: Services) -> list[ServiceSpec]:
    own = service.spec([Endpoint(itself(service.node))], type="NodePort")
    return [*node_ports_here_and_there(service), own]


@requirement(
    "np-input-firewall",
    docs("virtual-ips"),
    source("pkg/proxy/iptables/proxier.go", "PREROUTING"),
    feature="translation-before-input",
)
@over(protocol="TCP")
@arranged(_and_the_node)
def test_input_is_for_what_the_node_itself_gets(
    webs: list[Service], client: Client, world: World
) -> None:
    """What the node's chain INPUT drops must be connections to endpoints that are the node itself,
    and not those to nodePorts whose endpoints are pods, here or elsewhere.
    """
    *others, own = webs
    server = SocketAddress(world.node.address(client.family), 8080)
    rule = f"INPUT -i {EXTERNAL_INTERFACE} -p tcp -j DROP"
    with NodeServer(world.lab, world.node, client.protocol, server):
        expect(client.connect(*own.at_node)).delivered(to=own)
        with _changed(world.node, client.family, f"-I {rule}", f"-D {rule}"):
            for web in others:
                expect(client.connect(*web.at_node)).delivered(to=web)
            expect(client.connect(*own.at_node)).unserved()
