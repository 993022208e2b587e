"""A node that is switched to another of kube-proxy's modes: what stays, and who is served."""

from __future__ import annotations

from typing import Final

from clusters.inspection.inventory import inventory, left_behind
from conformance.kube_proxy.iptables.chains import OWN, TOOL
from conformance.kube_proxy.nftables.chains import own_tables
from conformance.kube_proxy.process.served import assert_served
from conformance.vocabulary import (
    BOTH,
    FAMILIES,
    Node,
    Services,
    World,
    docs,
    expect,
    flows_of_each_kind,
    in_iptables,
    in_nftables,
    kep,
    over,
    requirement,
    source,
)

_CLEANUP = source("cmd/kube-proxy/app/server_linux.go", "platformCleanup")

_NAMES: Final = {"iptables": "KUBE-", "nftables": " kube-proxy"}
"""What an inventory has of each mode bears such names."""

_OF_THE_KUBELET: Final = ("KUBE-FIREWALL", "KUBE-IPTABLES-HINT", "KUBE-KUBELET-CANARY")

_dual_stack = over(families=FAMILIES, protocols=["TCP", "UDP"])


def _switch(world: World, mode: str) -> None:
    """Have the node's kube-proxy run in this mode, and everything in force."""
    world.node.proxy.restart({"mode": mode})
    world.canary.settle(syncs=2, removed=False, started=True)


def _other(mode: str) -> str:
    """A mode that every node can run in besides."""
    return "iptables" if mode == "nftables" else "nftables"


def _iptables_left(node: Node) -> list[str]:
    """Chains of kube-proxy's in tables nat and filter of both families, and rules that lead to
    them.
    """
    saved = [
        line
        for tool in TOOL.values()
        for table in ("nat", "filter")
        for line in node.run([f"{tool}-save", "-t", table]).stdout.splitlines()
    ]
    return [line for line in saved if OWN.search(line) and not line.startswith("#")]


@in_nftables("life-switch-to-nft", kep(3866), _CLEANUP)
@over(families=FAMILIES, protocol="TCP")
def test_nftables_mode_removes_the_rules_of_iptables(service: Services, bare_node: Node) -> None:
    """When it starts in nftables mode on a node that was in iptables mode, kube-proxy must remove
    the chains that it had in tables nat and filter of both families, and what led to them.
    """
    bare_node.proxy.start({"mode": "iptables"})
    service(2, exposed=True)
    assert _iptables_left(bare_node), "there is nothing to remove"
    bare_node.proxy.restart({"mode": "nftables"})
    left = [line for line in _iptables_left(bare_node) if "KUBE-PROXY-CANARY" not in line]
    assert not left, left


@in_iptables("life-switch-from-nft", kep(3866), _CLEANUP)
@over(families=FAMILIES, protocol="TCP")
def test_iptables_mode_removes_the_tables_of_nftables(service: Services, bare_node: Node) -> None:
    """When it starts in iptables mode on a node that was in nftables mode, kube-proxy must delete
    its tables of both families.
    """
    bare_node.proxy.start({"mode": "nftables"})
    service(2, exposed=True)
    assert len(own_tables(bare_node)) == len(FAMILIES), "there is nothing to remove"
    bare_node.proxy.restart({"mode": "iptables"})
    assert not own_tables(bare_node)


@requirement(
    "life-switch-clean",
    kep(3866),
    docs("kube-proxy", note="--cleanup"),
    _CLEANUP,
    feature="mode-switches",
)
@over(families=FAMILIES, protocol="TCP")
def test_a_switch_with_cleanup_leaves_nothing(
    service: Services, bare_node: Node, mode: str
) -> None:
    """Where a node is switched from another mode with --cleanup in between, nothing of that mode
    must be left in the kernel, but for KUBE-FIREWALL, which the kubelet has, too.
    """
    proxy = bare_node.proxy
    proxy.start()
    service(2, exposed=True)
    without = inventory(bare_node)
    proxy.stop()
    proxy.cleanup()
    proxy.start({"mode": _other(mode)})
    service(2, exposed=True)
    assert left_behind(inventory(bare_node), without), "there is nothing to remove"
    proxy.stop()
    done = proxy.cleanup()
    assert done.returncode == 0, done.stderr
    proxy.start()
    service.settle(syncs=2)
    now, names = inventory(bare_node), _NAMES[_other(mode)]
    # by name, too: what tests before have left was there from the first, and --cleanup ran since
    left = {*left_behind(now, without), *(each for each in now if names in each)}
    assert not [each for each in left if not any(name in each for name in _OF_THE_KUBELET)], left


@requirement("life-switch-service", kep(3866), _CLEANUP, feature="mode-switches")
@_dual_stack
def test_services_are_served_after_a_switch(
    service: Services, world: World, bare_node: Node, mode: str
) -> None:
    """After a switch to or from nftables mode, and once more after the switch back, the mode that
    runs must be the only one that has programmed the node, and must serve Services as they are by
    then.
    """
    bare_node.proxy.start()
    web = service(2, ports=BOTH)
    assert_served(web, world)
    for now in (_other(mode), mode):
        web.set_endpoints([service.endpoint()], settle=False)
        _switch(world, now)
        assert bare_node.proxy.modes_in_kernel() == {now}
        assert_served(web, world)


@requirement(
    "life-switch-conns",
    kep(3866),
    source("pkg/proxy/conntrack/cleanup.go", "CleanStaleEntries"),
    feature="mode-switches",
)
@_dual_stack
def test_connections_outlive_a_switch(
    service: Services, world: World, bare_node: Node, mode: str
) -> None:
    """Connections that exist when a node is switched from iptables to nftables mode, or back, must
    go on where they were.
    """
    bare_node.proxy.start()
    web = service(3, ports=BOTH)
    flows = flows_of_each_kind(web, world)
    for now in (_other(mode), mode):
        _switch(world, now)
        for flow in flows:
            expect(flow.exchange(), f"in {now} mode").kept(flow)
