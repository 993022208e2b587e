"""nftables under inspection: real rules in a throwaway namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clusters.inspection.host import Host

if TYPE_CHECKING:
    from collections.abc import Callable


# Rules of the shape that kube-proxy 1.36 writes: one Service with two endpoints, one with affinity,
# one without endpoints.
NFTABLES = """
table ip kube-proxy {
    comment "rules for kube-proxy"
    set cluster-ips {
        type ipv4_addr
        comment "Active ClusterIPs"
        elements = { 172.30.0.41, 172.30.0.44, 172.30.0.46 }
    }
    set hairpin-connections {
        type ipv4_addr . ipv4_addr . inet_proto . inet_service
        elements = { 10.180.0.4 . 10.180.0.4 . tcp . 8080 }
    }
    set affinity-HVFWP5L3 {
        type ipv4_addr
        flags dynamic,timeout
        timeout 3h
        elements = { 10.1.0.9 timeout 30m expires 20m, 10.1.0.8 }
    }
    map service-ips {
        type ipv4_addr . inet_proto . inet_service : verdict
        elements = { 172.30.0.41 . tcp . 80 : goto service-ULMVA6XW-ns1/svc1/tcp/p80,
                     172.30.0.44 . udp . 53 : goto service-LAUZTJTB-ns4/svc4/udp/dns }
    }
    map no-endpoint-services {
        type ipv4_addr . inet_proto . inet_service : verdict
        elements = { 172.30.0.46 . tcp . 80 comment "ns6/svc6:p80" : goto reject-chain,
                     1.2.3.4 . tcp . 80 : drop }
    }
    chain reject-chain {
        reject
    }
    chain services {
        ip daddr . meta l4proto . th dport vmap @service-ips
    }
    chain nat-prerouting {
        type nat hook prerouting priority dstnat; policy accept;
        jump services
    }
    chain service-endpoints-check {
        ip daddr . meta l4proto . th dport vmap @no-endpoint-services
    }
    chain filter-forward {
        type filter hook forward priority filter; policy accept;
        ct state new counter packets 7 bytes 420 jump service-endpoints-check comment "a # handle 9"
    }
    chain endpoint-GTK6MW7G {
        update @affinity-HVFWP5L3 { ip saddr }
        meta l4proto tcp dnat to 10.180.0.3:80
    }
    chain service-ULMVA6XW-ns1/svc1/tcp/p80 {
        ip saddr @affinity-HVFWP5L3 goto endpoint-GTK6MW7G
        numgen random mod 2 vmap { 0 : goto endpoint-GTK6MW7G, 1 : goto endpoint-GTK6MW7G }
    }
    chain service-LAUZTJTB-ns4/svc4/udp/dns {
        meta l4proto udp dnat ip addr . port to numgen random mod 2 map {
            0 : 10.180.0.4 . 8080, 1 : 10.180.0.5 . 8080 }
    }
}
table inet other {
    set networks {
        type ipv4_addr
        flags interval
        elements = { 10.0.0.0/8, 192.0.2.1-192.0.2.9 }
    }
}
"""


def test_nftables_tables(host: Host, load: Callable[[str, str], None]) -> None:
    assert host.nftables.tables == set()
    load("nft -f -", NFTABLES)
    assert host.nftables.tables == {("ip", "kube-proxy"), ("inet", "other")}


def test_nftables_table_that_is_not_there(host: Host) -> None:
    table = host.nftables.table("ip6", "kube-proxy")
    assert not table.exists
    assert not table.chains
    assert not table.maps
    assert repr(table) == "<no table ip6 kube-proxy>"


def test_nftables_failure_is_not_taken_for_a_missing_table(host: Host) -> None:
    with pytest.raises(AssertionError, match="Unexpected exit code"):
        host.nftables.table("nonesuch", "kube-proxy")


def test_nftables_base_chains(host: Host, load: Callable[[str, str], None]) -> None:
    load("nft -f -", NFTABLES)
    table = host.nftables.table("ip", "kube-proxy")
    assert set(table.base_chains) == {"nat-prerouting", "filter-forward"}
    chain = table.chains["nat-prerouting"]
    assert (chain.type, chain.hook, chain.priority, chain.policy) == (
        "nat", "prerouting", -100, "accept",
    )  # fmt: skip
    assert [rule.verdict for rule in chain.rules] == ["jump services"]
    assert repr(chain) == "<chain nat-prerouting: 1 rules, nat at prerouting -100>"
    assert table.chains["services"].hook is None


def test_nftables_maps(host: Host, load: Callable[[str, str], None]) -> None:
    load("nft -f -", NFTABLES)
    table = host.nftables.table("ip", "kube-proxy")
    services = table.maps["service-ips"]
    assert services.type == ("ipv4_addr", "inet_proto", "inet_service")
    assert services.value_type == ("verdict",)
    assert services.elements == {
        ("172.30.0.41", "tcp", 80): "goto service-ULMVA6XW-ns1/svc1/tcp/p80",
        ("172.30.0.44", "udp", 53): "goto service-LAUZTJTB-ns4/svc4/udp/dns",
    }
    assert table.maps["no-endpoint-services"].elements == {
        ("172.30.0.46", "tcp", 80): "goto reject-chain",
        ("1.2.3.4", "tcp", 80): "drop",
    }
    assert "2 of ipv4_addr . inet_proto . inet_service : verdict" in repr(services)


def test_nftables_sets(host: Host, load: Callable[[str, str], None]) -> None:
    load("nft -f -", NFTABLES)
    table = host.nftables.table("ip", "kube-proxy")
    assert set(table.sets["cluster-ips"].elements) == {"172.30.0.41", "172.30.0.44", "172.30.0.46"}
    assert ("10.180.0.4", "10.180.0.4", "tcp", 8080) in table.sets["hairpin-connections"].elements
    affinity = table.sets["affinity-HVFWP5L3"]
    assert affinity.timeout == 10_800
    assert "timeout" in affinity.flags
    assert affinity.elements["10.1.0.9"].timeout == 1800
    assert affinity.elements["10.1.0.9"].expires == pytest.approx(1200, abs=30)
    assert affinity.elements["10.1.0.8"].timeout == 10_800
    other = host.nftables.table("inet", "other")
    assert set(other.sets["networks"].elements) == {"10.0.0.0/8", "192.0.2.1-192.0.2.9"}


def test_nftables_rules(host: Host, load: Callable[[str, str], None]) -> None:
    load("nft -f -", NFTABLES)
    chains = host.nftables.table("ip", "kube-proxy").chains
    affine, choice = chains["service-ULMVA6XW-ns1/svc1/tcp/p80"].rules
    assert affine.text == "ip saddr @affinity-HVFWP5L3 goto endpoint-GTK6MW7G"
    assert affine.verdict == "goto endpoint-GTK6MW7G"
    assert choice.text.startswith("numgen random mod 2 vmap {")
    assert choice.find("numgen") == [{"mode": "random", "mod": 2, "offset": 0}]
    assert choice.elements == {0: "goto endpoint-GTK6MW7G", 1: "goto endpoint-GTK6MW7G"}
    (direct,) = chains["service-LAUZTJTB-ns4/svc4/udp/dns"].rules
    assert direct.elements == {0: ("10.180.0.4", 8080), 1: ("10.180.0.5", 8080)}
    (lookup,) = chains["services"].rules
    assert lookup.find("vmap")[0]["data"] == "@service-ips"
    assert lookup.elements == {}
    (counted,) = chains["filter-forward"].rules
    assert (counted.packets, counted.comment) == (7, "a # handle 9")
    assert counted.verdict == "jump service-endpoints-check"
    assert lookup.packets is None
    assert repr(lookup) == "<rule ip daddr . meta l4proto . th dport vmap @service-ips>"


def test_nftables_rules_keep_their_handles_when_others_change(
    host: Host, load: Callable[[str, str], None]
) -> None:
    load("nft -f -", NFTABLES)
    before = host.nftables.table("ip", "kube-proxy")
    load(
        "nft -f -",
        """
        flush chain ip kube-proxy endpoint-GTK6MW7G
        add rule ip kube-proxy endpoint-GTK6MW7G meta l4proto tcp dnat to 10.180.0.7:80
        """,
    )
    after = host.nftables.table("ip", "kube-proxy")
    changed = {name for name, chain in after.chains.items() if chain != before.chains[name]}
    assert changed == {"endpoint-GTK6MW7G"}
    assert len(before.chains["endpoint-GTK6MW7G"].rules) == 2
