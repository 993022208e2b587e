"""What kube-proxy leaves behind: with --cleanup, and when it starts over what is there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

from conformance.kube_proxy.iptables.chains import OWN, Chains
from conformance.kube_proxy.nftables.chains import IP, Ruleset, own_tables
from conformance.kube_proxy.process.starts import assert_refuses, instead, with_arguments
from conformance.vocabulary import (
    FAMILIES,
    Client,
    Family,
    Node,
    Service,
    Services,
    World,
    arranged,
    docs,
    expect,
    in_iptables,
    in_nftables,
    over,
    requirement,
    source,
)
from fixtures.services.canary import external_ips
from fixtures.world import zone

_CLEANUP = docs("kube-proxy", note="--cleanup")


def _own_chains(chains: Chains) -> set[str]:
    found = {name for table in ("nat", "filter", "mangle") for name in chains(table)}
    return {name for name in found if OWN.match(name)}


def _jumps(chains: Chains) -> list[str]:
    """Rules of the built-in chains that lead to kube-proxy's."""
    return [
        str(rule)
        for table in ("nat", "filter")
        for name, chain in chains(table).items()
        for rule in chain.rules
        if not name.startswith("KUBE-") and OWN.search(str(rule))
    ]


@in_iptables("life-cleanup-ipt", _CLEANUP, source("pkg/proxy/iptables/cleanup.go"))
def test_cleanup_removes_chains(service: Services, world: World, chains: Chains) -> None:
    """With --cleanup, kube-proxy must remove its chains, and the rules that lead to them, from the
    tables nat and filter.
    """
    service(2, exposed=True)
    world.node.proxy.stop()
    assert _own_chains(chains), "there is nothing to clean up"
    assert _jumps(chains), "nothing leads to the chains"
    done = world.node.proxy.cleanup()
    assert done.returncode == 0, done.stderr
    assert _own_chains(chains) <= {"KUBE-PROXY-CANARY"}  # in mangle, which is not cleaned up
    assert _jumps(chains) == []


@in_nftables("life-cleanup-nft", _CLEANUP, source("pkg/proxy/nftables/cleanup.go"))
@over(family="IPv4")
def test_cleanup_deletes_own_tables(service: Services, world: World) -> None:
    """With --cleanup, kube-proxy must delete its tables of both families."""
    service(2, exposed=True)
    world.node.proxy.stop()
    assert own_tables(world.node) == {"table ip kube-proxy", "table ip6 kube-proxy"}
    done = world.node.proxy.cleanup()
    assert done.returncode == 0, done.stderr
    assert own_tables(world.node) == set()


@requirement(
    "life-cleanup-all-modes", _CLEANUP, source("cmd/kube-proxy/app/"), feature="kube-proxy-modes"
)
def test_cleanup_removes_what_other_modes_have_left(bare_node: Node, chains: Chains) -> None:
    """With --cleanup, kube-proxy must remove what any of its modes has left, whichever it is
    configured for.
    """
    left = {"KUBE-SERVICES", "KUBE-SVC-AAAAAAAAAAAAAAAA", "KUBE-MARK-MASQ"}
    bare_node.run(["nft", "add table ip kube-proxy; add table ip6 kube-proxy"])
    for tool in ("iptables", "ip6tables"):
        for name in left:
            there, new = (f"{tool} -w -t nat {what} {name}" for what in ("-S", "-N"))
            bare_node.run(["sh", "-c", f"{there} 2>/dev/null || {new}"])
    assert _own_chains(chains) >= left
    bare_node.proxy.cleanup()
    assert own_tables(bare_node) == set()
    assert _own_chains(chains) <= {"KUBE-PROXY-CANARY"}


@requirement(
    "life-cleanup-idempotent", _CLEANUP, source("cmd/kube-proxy/app/"), feature="kube-proxy-modes"
)
def test_cleanup_of_nothing_is_no_error(bare_node: Node) -> None:
    """With --cleanup, kube-proxy must end with exit code 0 where there is nothing to clean up."""
    done = bare_node.proxy.cleanup()
    assert done.returncode == 0, done.stderr


@in_nftables("life-cleanup-fails", _CLEANUP, source("pkg/proxy/nftables/cleanup.go"))
def test_cleanup_that_fails_is_an_error(bare_node: Node) -> None:
    """With --cleanup, kube-proxy must end with another exit code than 0 where it cannot delete what
    it has programmed.
    """
    refusal = 'echo "Error: Could not process rule: Operation not permitted" >&2; exit 1'
    path = instead(bare_node, "nft", "-f -", refusal)
    wrapper = with_arguments("--cleanup")
    assert_refuses(bare_node, "tearing down", wrapper=wrapper, PATH=path)


_CANARY = "|".join(re.escape(str(each)) for family in FAMILIES for each in external_ips(family))
_NOISE = re.compile(
    rf"{_CANARY}|\[\d+:\d+\]|# .*|\b[A-Z2-7]{{8,16}}\b|(?<=-)[A-Z2-7]{{8}}(?=-)|\d+"
)
_EMPTIED = re.compile(r"chain \S+ \{\s*\}")
"""What nftables mode leaves of a chain for a second or more: see nft-stale-chains."""
_RANGES = re.compile(r"(?<=daddr ).*(?= drop comment \"Drop traffic to unallocated ClusterIPs)")
"""Those of the last sync that wrote everything, which a start is: see sync-servicecidr-nft."""


def _shapes(rules: str) -> Counter[str]:
    """How many lines there are of each shape: without numbers, hashes, counters, which of its two
    addresses the canary has, what is about to go, and the ranges that there were at a time.
    """
    left = _RANGES.sub("", _EMPTIED.sub("", rules))
    lines = (_NOISE.sub("", line).strip() for line in left.splitlines())
    return Counter(line for line in lines if line)


def _settled_shapes(service: Services, world: World, names: Callable[[], str]) -> Counter[str]:
    """Those of a proxy that knows its zone, which it may have missed at its start (the requirement
    topo-zone-at-start): other tests' Services may have hints.
    """
    zone.tell(world, names)
    world.cluster.api.finish_deletions()
    service.settle(families=FAMILIES, syncs=2)
    return _shapes(world.node.proxy.rules())


@requirement(
    "life-restart-idempotent",
    source("pkg/proxy/nftables/proxier_test.go", "TestSyncProxyRulesStartup"),
    feature="kube-proxy-modes",
)
@over(family="IPv4")
@arranged(2, exposed=True)
def test_restarts_add_nothing(
    service: Services, web: Service, world: World, client: Client, names: Callable[[], str]
) -> None:
    """A kube-proxy that starts over its own rules must program the same, and nothing twice."""
    expect(client.connect(*web.frontend)).delivered(to=web)
    before = _settled_shapes(service, world, names)
    world.node.proxy.restart()
    after = _settled_shapes(service, world, names)
    assert after == before, (after - before, before - after)


@in_nftables(
    "life-nft-base-recreate",
    source("pkg/proxy/nftables/proxier_test.go", "TestSyncProxyRulesStartup"),
)
@arranged(2)
def test_start_clears_what_was_left(
    service: Services,
    web: Service,
    world: World,
    client: Client,
    family: Family,
    ruleset: Ruleset,
) -> None:
    """When it starts, kube-proxy must build its base chains anew, and must empty chains and remove
    elements of its maps that lead to no Service which there is.
    """
    table = f"{IP[family]} kube-proxy"
    stale = "service-AAAAAAAA-default/gone/tcp/web"
    vip = web.cluster_ip + 1
    world.node.proxy.stop()
    left = [
        f"add chain {table} {stale}",
        f"add rule {table} {stale} drop",
        f"add element {table} service-ips {{ {vip} . tcp . 80 : goto {stale} }}",
        f"insert rule {table} services {IP[family]} daddr {web.cluster_ip} drop",
    ]
    world.node.run(["nft", "-f", "-"], input="\n".join(left) + "\n")
    expect(client.connect(*web.frontend), "a rule of somebody else's").dropped()
    world.node.proxy.start()
    service.settle(syncs=2)
    expect(client.connect(*web.frontend)).delivered(to=web)
    now = ruleset()
    gone = now.chains.get(stale)
    assert not (gone and gone.rules), gone
    rules = world.node.run(["nft", "list", "map", *table.split(), "service-ips"]).stdout
    assert stale not in rules, rules
