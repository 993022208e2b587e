"""What kube-proxy makes up for: rules that others have changed, and syncs that have failed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from conformance.kube_proxy.iptables.chains import TOOL, Chains, service_chain
from conformance.kube_proxy.nftables.chains import IP
from conformance.kube_proxy.process.starts import hinderable
from conformance.vocabulary import (
    ATTEMPTS,
    Client,
    Family,
    Node,
    Service,
    Services,
    SocketAddress,
    World,
    arranged,
    by_time,
    expect,
    in_iptables,
    in_nftables,
    kep,
    over,
    source,
    two,
)
from fixtures.world import zone

_PATIENCE = 240.0  # seconds in which what is tried again every two seconds must have succeeded
_PROGRAMS = ("nft", "iptables-restore", "ip6tables-restore")
_PERIOD = {mode: {"syncPeriod": "2s"} for mode in ("iptables", "nftables")}


def _write_all_anew(world: World, service: Services) -> None:
    """Have kube-proxy write all of its rules: the node gets another zone, and then its own."""
    if not zone.there_and_back(world, service):
        raise RuntimeError("the zone of the node is not heeded")
    world.canary.settle(syncs=2)


def _nft(world: World, family: Family, command: str) -> None:
    """A command about kube-proxy's table, which it names TABLE."""
    world.node.run(["nft", command.replace("TABLE", f"{IP[family]} kube-proxy")])


@in_nftables("sync-nft-table-deleted", kep(3866), source("pkg/proxy/nftables/proxier.go"))
@over(configuration={"every-two-seconds": {"nftables": {"syncPeriod": "2s"}}})
@arranged(two)
def test_deleted_table_is_made_again(
    service: Services, webs: list[Service], client: Client, world: World, family: Family
) -> None:
    """Where its table has been deleted, kube-proxy must have made it again, with all Services, by
    syncPeriod after the next change, which has failed.
    """
    changed, other = webs
    expect(client.connect(*other.frontend)).delivered(to=other)
    _nft(world, family, "delete table TABLE")
    expect(client.connect(*other.frontend), "without a table").unserved()
    new = service.endpoint()
    changed.set_endpoints([new], settle=False)
    wanted = SocketAddress(new.host.address(family), 8080)
    by_time(
        "the table is there, with the change",
        lambda: client.connect(*changed.frontend).endpoint == wanted,
        _PATIENCE,
    )
    expect(client.connect_many(*other.frontend, ATTEMPTS)).delivered(to=other)


@in_nftables(
    "sync-nft-element-deleted", source("pkg/proxy/nftables/proxier.go", "OnTopologyChange")
)
@arranged(2)
def test_deleted_element_is_added_again(
    service: Services, web: Service, client: Client, world: World, family: Family
) -> None:
    """When the zone of its node changes, kube-proxy must add again the elements of its maps that
    somebody has deleted.
    """
    element = f"{web.cluster_ip} . tcp . {web.port}"
    _nft(world, family, f"delete element TABLE service-ips {{ {element} }}")
    expect(client.connect(*web.frontend), "without its element").unserved()
    _write_all_anew(world, service)
    expect(client.connect_many(*web.frontend, ATTEMPTS)).delivered(to=web)


@in_iptables("sync-topology-full", source("pkg/proxy/iptables/proxier.go", "OnTopologyChange"))
@arranged(2)
def test_emptied_chain_is_filled_again(
    service: Services, web: Service, client: Client, world: World, family: Family, chains: Chains
) -> None:
    """When the zone of its node changes, kube-proxy must write all of its rules anew, those that
    somebody has deleted among them.
    """
    chain = service_chain(chains("nat"), web).name
    world.node.run([TOOL[family], "-w", "-t", "nat", "-F", chain])
    expect(client.connect(*web.frontend), "without its rules").unserved()
    _write_all_anew(world, service)
    expect(client.connect_many(*web.frontend, ATTEMPTS)).delivered(to=web)


@in_iptables("sync-foreign-rule-in-chain", source("pkg/proxy/iptables/proxier.go"))
@arranged(2)
def test_rule_of_somebody_else_is_gone_from_its_chain(
    service: Services, web: Service, client: Client, world: World, family: Family, chains: Chains
) -> None:
    """When all is written anew, rules that somebody else has put into kube-proxy's chains must be
    gone.
    """
    chain = service_chain(chains("nat"), web).name
    world.node.run([TOOL[family], "-w", "-t", "nat", "-I", chain, "-j", "RETURN"])
    expect(client.connect(*web.frontend), "a rule of somebody else's").unserved()
    _write_all_anew(world, service)
    expect(client.connect_many(*web.frontend, ATTEMPTS)).delivered(to=web)


@in_nftables("nft-foreign-rule-in-chain", source("pkg/proxy/nftables/proxier.go"))
@arranged(2)
def test_rule_of_somebody_else_is_gone_from_its_table(
    service: Services, web: Service, client: Client, world: World, family: Family
) -> None:
    """When all is written anew, rules that somebody else has put into the chains of kube-proxy's
    table must be gone.
    """
    _nft(world, family, f"insert rule TABLE services {IP[family]} daddr {web.cluster_ip} drop")
    expect(client.connect(*web.frontend), "a rule of somebody else's").dropped()
    _write_all_anew(world, service)
    expect(client.connect_many(*web.frontend, ATTEMPTS)).delivered(to=web)


Hinder = Callable[[str], AbstractContextManager[None]]


@pytest.fixture
def hinder(bare_node: Node, world: World) -> Hinder:
    """Has the programs fail by which a kube-proxy writes that has been started with them."""
    search, hindered = hinderable(bare_node, *_PROGRAMS)
    bare_node.proxy.start(_PERIOD, environment={"PATH": search})
    world.canary.settle(removed=False, started=True)
    return hindered


def _fail_at(change: Callable[[], object], node: Node) -> None:
    """Make a change, and return when a sync has failed since."""
    before = _failures(node)
    change()
    by_time("a sync has failed", lambda: _failures(node) > before, _PATIENCE)


def _failures(node: Node) -> float:
    """How many syncs have failed, as kube-proxy counts them."""
    metrics = node.proxy.metrics().items()
    return sum(value for name, value in metrics if "_failures_total" in name)


def _new_endpoint(service: Services, web: Service) -> Callable[[], Service]:
    """Replace the endpoint of a Service, without waiting."""
    return lambda: web.set_endpoints([service.endpoint()], settle=False)


def _kept(service: Services, client: Client, node: Node, hinder: Hinder) -> None:
    """A change that cannot be written leaves all as it was."""
    changed, other = service.create([service.spec(1), service.spec(2)])
    old = changed.endpoints
    with hinder("failing"):
        _fail_at(_new_endpoint(service, changed), node)
        expect(client.connect_many(*changed.frontend, ATTEMPTS)).delivered(to=old)
        expect(client.connect_many(*other.frontend, ATTEMPTS)).delivered(to=other)


def _made_up_for(service: Services, client: Client, node: Node, hinder: Hinder) -> None:
    """A change that could not be written comes into force once it can be."""
    web = service(1)
    with hinder("failing"):
        _fail_at(_new_endpoint(service, web), node)
    by_time(
        "the change is in force",
        lambda: client.connect(*web.frontend).endpoint == web.socket(0),
        _PATIENCE,
    )
    expect(client.connect_many(*web.frontend, ATTEMPTS)).delivered(to=web)


@in_iptables("sync-fail-keeps-old", source("pkg/proxy/iptables/proxier.go", "syncProxyRules"))
def test_failing_restore_leaves_rules_as_they_are(
    service: Services, client: Client, node: Node, hinder: Hinder
) -> None:
    """As long as iptables-restore fails, all Services must be served as by the last sync that has
    succeeded.
    """
    _kept(service, client, node, hinder)


@in_nftables("nft-fail-keeps-old", source("pkg/proxy/nftables/proxier.go", "syncProxyRules"))
def test_failing_transaction_leaves_rules_as_they_are(
    service: Services, client: Client, node: Node, hinder: Hinder
) -> None:
    """As long as nft fails, all Services must be served as by the last sync that has succeeded."""
    _kept(service, client, node, hinder)


@in_iptables("sync-fail-retry", source("pkg/proxy/iptables/proxier.go", "syncProxyRules"))
def test_failed_restore_is_made_up_for(
    service: Services, client: Client, node: Node, hinder: Hinder
) -> None:
    """A sync in which iptables-restore has failed must be made up for by syncPeriod after it works
    again, though nothing else has changed.
    """
    _made_up_for(service, client, node, hinder)


@in_nftables("nft-fail-retry", source("pkg/proxy/nftables/proxier.go", "syncProxyRules"))
def test_failed_transaction_is_made_up_for(
    service: Services, client: Client, node: Node, hinder: Hinder
) -> None:
    """A sync in which nft has failed must be made up for by syncPeriod after it works again, though
    nothing else has changed.
    """
    _made_up_for(service, client, node, hinder)
