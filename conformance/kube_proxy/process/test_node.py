"""The Node object of a kube-proxy: before it is there, as it changes, when it is gone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from clusters.node import EXTERNAL_INTERFACE
from clusters.registration import pod_cidrs, write_addresses
from conformance.kube_proxy.process.supervised import Supervised
from conformance.vocabulary import (
    FAMILIES,
    Client,
    Family,
    Node,
    Services,
    World,
    by_time,
    expect,
    having,
    networks,
    over,
    requirement,
    setting,
    source,
)

_FURTHER: Final = networks("192.0.2.224/28", "2001:db8:0:1::2:0/112")
"""Parts of the network of the nodes, without the primary addresses."""

_PRIMARY: Final = {"nodePortAddresses": ["primary"]}
"""Makes it visible which addresses kube-proxy takes for its node's."""

_SOON: Final = 240.0  # seconds after which a change of its Node should be noticed
_EARLY: Final = 5.0  # seconds in which one that does not wait would have programmed something
_LOOK: Final = 0.2  # seconds between looks

_NODE: Final = source("pkg/proxy/node.go", "NodeManager")


@pytest.fixture
def own(world: World) -> Iterator[str]:
    """The name of a Node that is the test's own, to be made and deleted: whoever else looks after
    the node under test does not notice.
    """
    name = f"{world.node.name}-own"
    yield name
    world.cluster.api.delete_now("nodes", name)


def _make(world: World, name: str, position: int = 0) -> None:
    """Make a Node with the addresses of the node under test, and the networks of pods of the
    cluster's node number ``position``.
    """
    api = world.cluster.api
    api.create("nodes", {"metadata": {"name": name}, "spec": pod_cidrs(position)})
    write_addresses(api, name, map(world.node.address, FAMILIES))


@contextmanager
def _further(node: Node, family: Family) -> Iterator[Any]:
    """While the block runs, the node has another address besides that of its Node."""
    address = _FURTHER[family][1]
    with having(node, address, interface=EXTERNAL_INTERFACE):
        yield address


@requirement("life-podcidr-change-exit", _NODE, feature="kube-proxy-modes")
def test_ends_when_the_networks_of_its_pods_change(world: World, bare_node: Node, own: str) -> None:
    """Where it tells pods by detectLocalMode NodeCIDR, kube-proxy must end with an error when its
    Node has other podCIDRs.
    """
    _make(world, own)
    proxy = Supervised(bare_node, {"hostnameOverride": own, "detectLocalMode": "NodeCIDR"})
    assert proxy.exit_code is None, proxy.log
    world.cluster.api.delete_now("nodes", own)  # those of a Node that is there cannot be changed
    _make(world, own, 1)
    proxy.assert_ends(own)


@requirement("life-node-deleted", _NODE, feature="outlives-node")
@over(family="IPv4", protocol="TCP")
def test_goes_on_when_its_node_is_deleted(
    service: Services, client: Client, world: World, bare_node: Node, own: str
) -> None:
    """When its Node is deleted, kube-proxy must say so in its log, and must go on: Services are
    served, and changes come into force.
    """
    proxy = bare_node.proxy
    _make(world, own)
    proxy.start({"hostnameOverride": own})
    web = service(1)
    position = proxy.log_position()
    world.cluster.api.delete_now("nodes", own)

    def told() -> bool:
        lines = proxy.log_since(position).splitlines()
        return any("deleted" in line and own in line for line in lines)

    by_time("its log has that the Node is deleted", told, _SOON)
    expect(client.connect(*web.frontend)).delivered(to=web)
    web.set_endpoints([service.endpoint()], settle=False)

    def in_force() -> bool:
        assert proxy.running, "it has ended"
        return client.connect(*web.frontend).endpoint == web.socket(0)

    by_time("the change is in force", in_force, _SOON)
    expect(client.connect(*web.frontend)).delivered(to=web)


@requirement("life-node-deleted-exit", _NODE, feature="ends-with-node")
def test_ends_when_its_node_is_deleted(world: World, bare_node: Node, own: str) -> None:
    """When its Node is deleted, kube-proxy must say so in its log and end with an error."""
    _make(world, own)
    proxy = Supervised(bare_node, {"hostnameOverride": own})
    assert proxy.exit_code is None, proxy.log
    world.cluster.api.delete_now("nodes", own)
    proxy.assert_ends("deleted", own)


@requirement("life-node-ips-exit", _NODE, feature="ends-with-node")
def test_ends_when_its_node_is_renumbered(
    world: World, bare_node: Node, own: str, family: Family
) -> None:
    """When its Node has another first address of a family, kube-proxy must end with an error and
    with that address in its log, and must not end when the Node gets further ones.
    """
    _make(world, own)
    proxy = Supervised(bare_node, {"hostnameOverride": own})
    now = {each: world.node.address(each) for each in FAMILIES}
    further, other = _FURTHER[family][2], _FURTHER[family][3]
    write_addresses(world.cluster.api, own, [*now.values(), further])
    assert proxy.exit_code is None, proxy.log
    now[family] = other
    write_addresses(world.cluster.api, own, now.values())
    proxy.assert_ends(own, str(other))


@requirement("life-node-wait", _NODE, feature="node-port-addresses-primary")
@over(vantage="outside", family="IPv4", protocol="TCP")
def test_waits_for_its_node(
    service: Services, client: Client, world: World, bare_node: Node, own: str
) -> None:
    """Where its Node is not there when it starts, kube-proxy must wait for it before it programs
    anything, and must then take the node's addresses from it.
    """
    proxy = bare_node.proxy
    with _further(bare_node, "IPv4") as further:
        proxy.start({"hostnameOverride": own, **_PRIMARY}, ready=False)
        deadline = time.monotonic() + _EARLY
        while time.monotonic() < deadline:
            assert proxy.running, proxy.log_since(0)
            assert proxy.modes_in_kernel() == set(), "it has not waited"
            time.sleep(_LOOK)
        _make(world, own)
        web = service(1, type="NodePort")
        expect(client.connect(*web.at_node)).delivered(to=web)
        expect(client.connect(further, web.node_port())).refused()


@requirement(
    "life-bind-override",
    setting("KubeProxyConfiguration.bindAddress"),
    source("cmd/kube-proxy/app/server.go", "detectNodeIPs"),
    feature="node-port-addresses-primary",
)
@over(vantage="outside", protocol="TCP")
def test_bind_address_is_the_address_of_the_node(
    service: Services, client: Client, family: Family, bare_node: Node
) -> None:
    """Where bindAddress is an address, kube-proxy must take that for the node's primary one of its
    family, whatever the Node says: nodePortAddresses primary means it.
    """
    with _further(bare_node, family) as further:
        bare_node.proxy.start({"bindAddress": str(further), **_PRIMARY})
        web = service(1, type="NodePort")
        expect(client.connect(further, web.node_port())).delivered(to=web)
        expect(client.connect(*web.at_node)).refused()
