"""The proxy shares the node with others: what they have programmed stays, and stays in force."""

from __future__ import annotations

from conformance.kube_proxy.conftest import with_all_frontends
from conformance.kube_proxy.iptables.chains import TOOL, Chains
from conformance.kube_proxy.nftables.chains import ADDRESS, IP, Ruleset
from conformance.vocabulary import (
    Client,
    Family,
    Service,
    Services,
    World,
    arranged,
    docs,
    down,
    expect,
    in_iptables,
    in_nftables,
    kep,
    source,
)


@in_iptables(
    "ipt-noflush", source("pkg/proxy/iptables/proxier.go", "NoFlushTables and RestoreCounters")
)
@arranged(1)
def test_chains_of_others_survive_in_the_same_tables(
    service: Services, web: Service, chains: Chains, client: Client, world: World, family: Family
) -> None:
    """As kube-proxy writes its rules, it must leave the chains and rules of others in tables nat
    and filter, and their counters, as they are.
    """
    hooks = {"nat": "PREROUTING", "filter": "FORWARD"}

    def foreign() -> list[tuple[str, int]]:
        return [
            (rule, rule.packets)
            for table in hooks
            for chain in chains(table).values()
            for rule in chain.rules
            if "SOMEBODY-ELSE" in rule
        ]

    def change(*commands: str) -> None:
        for table, hook in hooks.items():
            for command in commands:
                words = command.format(hook=hook, client=client.address).split()
                world.node.run([TOOL[family], "-w", "-t", table, *words])

    change(
        "-N SOMEBODY-ELSE",
        "-A SOMEBODY-ELSE -s {client} -j RETURN",
        "-I {hook} -s {client} -j SOMEBODY-ELSE",
    )
    try:
        expect(client.connect_many(*web.frontend, 5)).delivered()
        before = foreign()
        assert {packets for _, packets in before} == {5}, before
        web.set_endpoints([service.endpoint(), service.endpoint()])
        service(type="NodePort")
        assert foreign() == before
    finally:
        change("-D {hook} -s {client} -j SOMEBODY-ELSE", "-F SOMEBODY-ELSE", "-X SOMEBODY-ELSE")


@in_nftables("nft-tables", kep(3866), source("pkg/proxy/nftables/README.md"))
@arranged(1)
def test_everything_is_in_one_table_for_each_family(
    service: Services, web: Service, client: Client, world: World, family: Family
) -> None:
    """All that kube-proxy programs must be in one table kube-proxy in family ip and one in ip6;
    what others have programmed, in a table of their own, it must leave as it is, counters included,
    though it be named as its own.
    """
    proxy, nftables = world.node.proxy, world.node.host.nftables
    with down(proxy):
        proxy.cleanup()
        others = nftables.tables  # what a node of this kind has without any Service proxy
    service.settle()
    ip, name = IP[family], "somebody-else"
    table = f"""
        table {ip} {name} {{
            set cluster-ips {{
                type {ADDRESS[family]}; elements = {{ {web.cluster_ip} }}
            }}
            chain services {{
                {ip} saddr {client.address} counter return
            }}
            chain nat-prerouting {{
                type nat hook prerouting priority dstnat - 1; jump services;
            }}
        }}"""

    def foreign() -> str:
        return world.node.run(["nft", "-a", "list", "table", ip, name]).stdout

    world.node.run(["nft", "-f", "-"], input=table)
    try:
        expect(client.connect(*web.frontend)).answered()
        before = foreign()
        assert "counter packets 1 " in before, before
        web.set_endpoints([service.endpoint(), service.endpoint()])
        service(type="NodePort")
        assert foreign() == before
        own = {("ip", "kube-proxy"), ("ip6", "kube-proxy")}
        assert nftables.tables == others | own | {(ip, name)}
    finally:
        world.node.run(["nft", "delete", "table", ip, name])


@in_nftables("nft-no-accept", kep(3866), docs("virtual-ips", "proxy mode nftables"))
@with_all_frontends
def test_other_firewalls_have_the_last_word(
    web: Service, ruleset: Ruleset, world: World, client: Client, family: Family
) -> None:
    """kube-proxy must accept nothing on behalf of other firewalls: none of its rules has the
    verdict accept, and what a chain of another table drops stays dropped.
    """
    accepting = [
        rule
        for chain in ruleset().chains.values()
        for rule in chain.rules
        if rule.find("accept") or rule.verdict == "accept"
    ]
    assert not accepting
    expect(client.connect(*web.frontend)).answered()
    firewall = f"""
        table {IP[family]} a-firewall {{
            chain forward {{
                type filter hook forward priority filter + 10;
                {IP[family]} saddr {client.address} drop
            }}
        }}"""
    world.node.run(["nft", "-f", "-"], input=firewall)
    try:
        expect(client.connect(*web.frontend)).unserved()
    finally:
        world.node.run(["nft", "delete", "table", IP[family], "a-firewall"])
