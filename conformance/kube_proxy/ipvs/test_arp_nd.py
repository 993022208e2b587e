"""IPVS mode shares node and link with others: virtual servers that it did not make, and ARP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conformance.kube_proxy.ipvs.frontends import DUMMY, bound, servers_at, virtual_addresses
from conformance.vocabulary import (
    FAMILIES,
    Family,
    IPAddress,
    Neighbours,
    Node,
    Service,
    Services,
    SocketAddress,
    World,
    arranged,
    in_ipvs,
    networks,
    over,
    setting,
    source,
)

_KEPT = networks("100.65.0.0/24", "2001:db8:0:f::/64")
_OTHERS = networks("100.66.0.0/24", "2001:db8:0:10::/64")
_ARP = {"arp_ignore": 1, "arp_announce": 2}
_ARP_FOLDER = "/proc/sys/net/ipv4/conf/all"


class Foreign:
    """Virtual servers that somebody else has made, each with a real server."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._made: list[IPAddress] = []

    def add(self, *addresses: IPAddress) -> None:
        """Make one at each of these addresses."""
        self._made += addresses
        for _ in range(3):  # a periodic sync may come between, and take them at once
            missing = set(self._made) - self.left()
            if not missing:
                return
            commands = ""
            for address in missing:
                where, real = SocketAddress(address, 7000), SocketAddress(address + 1, 7001)
                commands += f"-A -t {where} -s wrr\n-a -t {where} -r {real} -m -w 7\n"
            self._node.run(["ipvsadm", "-R"], input=commands)
        raise RuntimeError(f"no virtual server of somebody else at {missing}")

    def left(self) -> set[IPAddress]:
        """The addresses of those that are as they were made."""
        there = servers_at(self._node, set(self._made))
        return {
            address
            for address in self._made
            if (server := there.get(("TCP", str(address), 7000)))
            and [(each.port, each.weight) for each in server.real_servers] == [(7001, 7)]
        }

    def close(self) -> None:
        """Remove them."""
        for address in self._made:
            where = str(SocketAddress(address, 7000))
            self._node.run(["ipvsadm", "-D", "-t", where], check=False)


@pytest.fixture
def foreign(world: World) -> Iterator[Foreign]:
    """Virtual servers of somebody else, while a test runs."""
    made = Foreign(world.node)
    yield made
    made.close()


@in_ipvs(
    "ipvs-delete-foreign",
    source("pkg/proxy/ipvs/README.md"),
    source("pkg/proxy/ipvs/proxier_test.go", "TestCleanLegacyService"),
)
def test_virtual_servers_of_others_are_deleted(
    service: Services, foreign: Foreign, family: Family
) -> None:
    """A virtual server that belongs to no Service, whoever made it, must be deleted with the next
    change, where no excludeCIDRs are configured.
    """
    foreign.add(_OTHERS[family][1])
    service.settle(removed=True)
    assert foreign.left() == set()


@in_ipvs(
    "ipvs-exclude-cidrs",
    setting("KubeProxyIPVSConfiguration.excludeCIDRs"),
    source("pkg/proxy/ipvs/proxier_test.go", "TestCleanLegacyRealServersExcludeCIDRs"),
)
@over(
    configuration={
        "excludeCIDRs": {"ipvs": {"excludeCIDRs": [str(network) for network in _KEPT.values()]}}
    }
)
def test_virtual_servers_in_excluded_networks_stay(
    service: Services, foreign: Foreign, family: Family
) -> None:
    """Virtual servers whose addresses are within excludeCIDRs must stay as they are, real servers
    included, and others that belong to no Service must be deleted.
    """
    kept = {_KEPT[family][1], _KEPT[family][200]}
    foreign.add(*kept, _OTHERS[family][1])
    service.settle(removed=True)
    assert foreign.left() == kept


@in_ipvs("ipvs-family-scope", source("pkg/proxy/ipvs/proxier_test.go", "TestCleanLegacyService6"))
# long enough that nothing but the test's own changes makes a family sync
@over(configuration={"hourly": {"ipvs": {"syncPeriod": "1h"}}})
@arranged(1)
def test_each_family_clears_away_its_own_alone(
    service: Services, web: Service, world: World, foreign: Foreign, family: Family
) -> None:
    """A change in one family must clear away virtual servers and addresses on kube-ipvs0 that
    belong to no Service in that family, and must leave those of the other family alone.
    """
    mine = _OTHERS[family][1]
    (other,) = (network[1] for each, network in _OTHERS.items() if each != family)
    service.settle(families=FAMILIES, removed=True)
    service.settle()  # by then the other family has nothing more to do
    foreign.add(mine, other)
    for address in (mine, other):
        world.node.run(["ip", "address", "add", str(address), "dev", DUMMY])
    web.set_endpoints([service.endpoint("pod")])
    service.settle(removed=True)
    assert foreign.left() == {other}
    assert {mine, other} & bound(world.node) == {other}
    service.settle(families=FAMILIES, removed=True)
    assert foreign.left() == set()
    assert not {mine, other} & bound(world.node)


@in_ipvs("lbip-ipvs-arp", source("pkg/proxy/ipvs/README.md"))
@over(family="IPv4")
@arranged(1, exposed=True)
def test_node_answers_for_virtual_addresses(web: Service, world: World) -> None:
    """Unless strictARP is set, the node must answer ARP requests for cluster IPs, external IPs and
    load balancers' IPs on its external link, since they are its own.
    """
    neighbours = Neighbours(world.lab)
    for address in virtual_addresses(web):
        assert neighbours.ask(address) == [world.node.wires["external"].node_mac], address


@pytest.fixture
def strict_node(bare_node: Node, world: World) -> Iterator[Node]:
    """The node with strictARP; what that has set is undone after the test."""
    before = {name: _read(bare_node, name) for name in _ARP}
    if set(before.values()) & set(_ARP.values()):
        raise RuntimeError(f"already set before strictARP: {before}")
    bare_node.proxy.start({"ipvs": {"strictARP": True}})
    world.canary.settle(started=True)
    yield bare_node
    for name, value in before.items():  # no proxy does it
        bare_node.write(f"{_ARP_FOLDER}/{name}", str(value))


def _read(node: Node, name: str) -> int:
    return int(node.read(f"{_ARP_FOLDER}/{name}"))


@in_ipvs("ipvs-strictarp", setting("KubeProxyIPVSConfiguration.strictARP"))
def test_strict_arp_sets_the_sysctls(strict_node: Node) -> None:
    """With strictARP, net.ipv4.conf.all.arp_ignore must be 1 and arp_announce 2."""
    assert {name: _read(strict_node, name) for name in _ARP} == _ARP


@in_ipvs("sec-arp-strict", setting("KubeProxyIPVSConfiguration.strictARP"))
@over(family="IPv4")
@arranged(1, exposed=True)
def test_strict_node_does_not_answer_for_virtual_addresses(
    strict_node: Node, web: Service, world: World, family: Family
) -> None:
    """With strictARP, the node must not answer ARP requests for cluster IPs, external IPs and load
    balancers' IPs on its external link, but must for its own address.
    """
    neighbours = Neighbours(world.lab)
    own = neighbours.ask(world.node.address(family))
    assert own == [world.node.wires["external"].node_mac]
    for address in virtual_addresses(web):
        assert address in bound(strict_node)
        assert neighbours.ask(address) == [], address
