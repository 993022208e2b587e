"""The inspection modules, on real commands in a throwaway namespace and on captured text."""

from __future__ import annotations

import subprocess
import textwrap
from typing import TYPE_CHECKING

import pytest
import testinfra
from testinfra.backend import get_backend

from clusters.inspection import conntrack, iptables
from clusters.inspection.host import Host
from clusters.inspection.netns import NetnsBackend
from clusters.inspection.netns import host as host_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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

IPTABLES = """\
*nat
:PREROUTING ACCEPT [11:660]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-SEP-C6EBXVWJJZMIWKLZ - [0:0]
:KUBE-SEP-UKSFD7AGPMPPLUHC - [0:0]
:KUBE-SEP-6E7XQMQ4RAYOWTTM - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-4SW47YFZTEDKD3PK - [0:0]
[11:660] -A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
[3:180] -A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
[3:180] -A KUBE-SEP-C6EBXVWJJZMIWKLZ -s 10.180.0.5/32 -m comment --comment "ns4/svc4:p80" -j KUBE-MARK-MASQ
[4:240] -A KUBE-SEP-C6EBXVWJJZMIWKLZ -p tcp -m comment --comment "ns4/svc4:p80" -m tcp -j DNAT --to-destination 10.180.0.5:80
[3:180] -A KUBE-SEP-UKSFD7AGPMPPLUHC -p tcp -m comment --comment "ns4/svc4:p80" -m tcp -j DNAT --to-destination 10.180.0.4:80
[4:240] -A KUBE-SEP-6E7XQMQ4RAYOWTTM -p tcp -m comment --comment "ns4/svc4:p80" -m tcp -j DNAT --to-destination 10.180.0.6:80
[11:660] -A KUBE-SERVICES -d 172.30.0.44/32 -p tcp -m comment --comment "ns4/svc4:p80 cluster IP" -m tcp --dport 80 -j KUBE-SVC-4SW47YFZTEDKD3PK
[0:0] -A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j RETURN
[3:180] -A KUBE-SVC-4SW47YFZTEDKD3PK ! -s 10.0.0.0/8 -d 172.30.0.44/32 -p tcp -m comment --comment "ns4/svc4:p80 cluster IP" -m tcp --dport 80 -j KUBE-MARK-MASQ
[4:240] -A KUBE-SVC-4SW47YFZTEDKD3PK -m comment --comment "ns4/svc4:p80 -> 10.180.0.4:80" -m statistic --mode random --probability 0.33333333349 -j KUBE-SEP-UKSFD7AGPMPPLUHC
[3:180] -A KUBE-SVC-4SW47YFZTEDKD3PK -m comment --comment "ns4/svc4:p80 -> 10.180.0.5:80" -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-C6EBXVWJJZMIWKLZ
[4:240] -A KUBE-SVC-4SW47YFZTEDKD3PK -m comment --comment "ns4/svc4:p80 -> 10.180.0.6:80" -j KUBE-SEP-6E7XQMQ4RAYOWTTM
COMMIT
"""  # noqa: E501
SERVICE = "KUBE-SVC-4SW47YFZTEDKD3PK"

CONNTRACK = """\
ipv4     2 udp      17 29 src=127.0.0.1 dst=127.0.0.1 sport=53074 dport=9 [UNREPLIED] src=127.0.0.1 dst=127.0.0.1 sport=9 dport=53074 mark=0 use=1 id=2553844641
ipv4     2 tcp      6 431999 ESTABLISHED src=10.1.0.2 dst=172.30.0.44 sport=40000 dport=80 packets=4 bytes=240 src=10.180.0.4 dst=192.0.2.1 sport=8080 dport=61234 packets=3 bytes=180 [ASSURED] mark=16384 zone=5 use=1 id=547103862
ipv4     2 tcp      6 src=10.1.0.2 dst=10.2.0.2 sport=40000 dport=80 src=10.2.0.2 dst=10.1.0.2 sport=80 dport=40000 [OFFLOAD] mark=0 use=2 id=7
ipv4     2 icmp     1 59 src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=77 [UNREPLIED] src=10.0.0.2 dst=10.0.0.1 type=0 code=0 id=77 mark=0 use=1 id=2585607785
ipv6     10 sctp     132 3 CLOSED src=fd00::1 dst=fd00::2 sport=1234 dport=80 [UNREPLIED] src=fd00::2 dst=fd00::1 sport=80 dport=1234 mark=0 use=1 id=978476802
ipv4     2 unknown  99 599 src=10.0.0.1 dst=10.0.0.2 [UNREPLIED] src=10.0.0.2 dst=10.0.0.1 mark=0 use=1 id=12
"""  # noqa: E501


@pytest.fixture
def namespace() -> Iterator[str]:
    """The file of a network namespace that is gone, with all its rules, when the test is over."""
    program = "ip link set lo up; echo ready; exec sleep 600"
    with subprocess.Popen(
        ["unshare", "--net", "sh", "-c", program], stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != b"ready\n":
                pytest.skip("no permission to make a network namespace")
            yield f"/proc/{process.pid}/ns/net"
        finally:
            process.kill()


@pytest.fixture
def load(namespace: str) -> Callable[[str, str], None]:
    """Give a command a text to read, in the namespace."""

    def load(command: str, text: str) -> None:
        line = ["nsenter", f"--net={namespace}", *command.split()]
        subprocess.run(line, input=textwrap.dedent(text), text=True, check=True)

    return load


@pytest.fixture
def host(namespace: str) -> Host:
    return host_in(namespace)


# The backend and the host.


def test_commands_run_in_the_namespace(host: Host) -> None:
    links = host.check_output("ip -brief link show")
    assert [line.split()[0] for line in links.splitlines()] == ["lo"]
    assert host.check_output("printf %s", "it's; quoted") == "it's; quoted"


def test_a_missing_namespace_is_an_error() -> None:
    result = host_in("/proc/1/ns/nonesuch").run("true")
    assert result.rc != 0
    assert "nonesuch" in result.stderr


def test_the_backend_is_found_by_its_url() -> None:
    backend = get_backend("netns://node")
    assert isinstance(backend, NetnsBackend)
    assert backend.path == "/run/netns/node"
    assert backend.get_pytest_id() == "netns://node"


def test_the_modules_come_with_any_backend() -> None:
    plain = testinfra.get_host("local://")
    host = Host.get_host("local://")
    assert isinstance(host, Host)
    assert not isinstance(plain, Host)
    for module in (host.nftables, host.iptables, host.conntrack):
        assert module.output("echo here") == "here"
    assert host.file("/").is_directory


# nftables.


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


# iptables.


def test_iptables_rules(host: Host, load: Callable[[str, str], None]) -> None:
    load("iptables-restore -c", IPTABLES)
    portal, last = host.iptables.rules("nat", "KUBE-SERVICES")
    assert (portal.destination, portal.protocol, portal.dport) == ("172.30.0.44", "tcp", 80)
    assert (portal.chain, portal.jump) == ("KUBE-SERVICES", SERVICE)
    assert (portal.packets, portal.bytes) == (11, 660)
    assert portal.comment == "ns4/svc4:p80 cluster IP"
    assert portal.matches == ("comment", "tcp")
    assert last.option("--dst-type") == "LOCAL"

    masquerade, *choices = host.iptables.rules("nat", SERVICE)
    assert masquerade.source == "! 10.0.0.0/8"
    assert [rule.probability for rule in choices[:-1]] == pytest.approx([1 / 3, 1 / 2])
    assert choices[-1].probability is None
    targets = [host.iptables.rules("nat", rule.jump)[-1] for rule in choices]
    expected = ["10.180.0.4:80", "10.180.0.5:80", "10.180.0.6:80"]
    assert [rule.to_destination for rule in targets] == expected


def test_iptables_rules_of_ipv6(host: Host, load: Callable[[str, str], None]) -> None:
    load(
        "ip6tables-restore",
        """\
        *nat
        :KUBE-SEP-X - [0:0]
        -A KUBE-SEP-X -s fd02::5/128 -p udp -m udp -j DNAT --to-destination [fd02::5]:53
        -A KUBE-SEP-X ! -d fd02::/32 -j RETURN
        COMMIT
        """,
    )
    endpoint, other = host.iptables.rules("nat", "KUBE-SEP-X", version=6)
    assert endpoint.source == "fd02::5"
    assert endpoint.to_destination == "[fd02::5]:53"
    assert other.destination == "! fd02::/32"
    assert "KUBE-SEP-X" not in host.iptables.chains("nat")


def test_iptables_chains(host: Host, load: Callable[[str, str], None]) -> None:
    load("iptables-restore -c", IPTABLES)
    chains = host.iptables.chains("nat")
    assert sum(name.startswith("KUBE-SEP-") for name in chains) == 3
    assert chains["PREROUTING"].policy == "ACCEPT"
    assert chains[SERVICE].policy is None
    assert len(chains[SERVICE].rules) == 4
    assert repr(chains["PREROUTING"]) == "<chain PREROUTING: 1 rules, policy ACCEPT>"
    assert len(host.iptables.rules("nat")) == IPTABLES.count("-A ")
    assert SERVICE not in host.iptables.chains("nat", version=6)


def test_table_that_iptables_cannot_show_is_not_taken_for_empty(
    host: Host, load: Callable[[str, str], None]
) -> None:
    load("iptables-restore -c", IPTABLES)
    load("nft -f -", "add rule ip nat PREROUTING fib daddr type local counter")
    with pytest.raises(ValueError, match="Table `nat' is incompatible"):
        host.iptables.chains("nat")


def test_iptables_rules_that_stay_keep_their_counters(
    host: Host, load: Callable[[str, str], None]
) -> None:
    load("iptables-restore -c", IPTABLES)
    before = host.iptables.chains("nat")
    load(
        "iptables-restore --noflush --counters",
        f"""\
        *nat
        :{SERVICE} - [0:0]
        -A {SERVICE} -j KUBE-SEP-UKSFD7AGPMPPLUHC
        COMMIT
        """,
    )
    after = host.iptables.chains("nat")
    assert [name for name in after if after[name].rules != before[name].rules] == [SERVICE]
    counted = {
        name: [rule.packets for rule in chain.rules]
        for name, chain in after.items()
        if name.startswith("KUBE")
    }
    assert counted == {
        "KUBE-MARK-MASQ": [3],
        "KUBE-SEP-C6EBXVWJJZMIWKLZ": [3, 4],
        "KUBE-SEP-UKSFD7AGPMPPLUHC": [3],
        "KUBE-SEP-6E7XQMQ4RAYOWTTM": [4],
        "KUBE-SERVICES": [11, 0],
        SERVICE: [0],
    }


def test_iptables_asked_for_what_is_not_there(host: Host) -> None:
    with pytest.raises(LookupError, match="no chain KUBE-SERVICES in table nat of IPv4"):
        host.iptables.rules("nat", "KUBE-SERVICES")
    with pytest.raises(AssertionError, match="nonesuch"):
        host.iptables.chains("nonesuch")
    with pytest.raises(ValueError, match="IP version 5"):
        host.iptables.chains("nat", version=5)


def test_iptables_rule_is_text() -> None:
    rule = iptables.Rule(
        r'-A A -p tcp -m comment --comment "say \"-j DROP\" ! twice" -m multiport --dports 1,2 -j B'
    )
    assert rule.startswith("-A A")
    assert (rule.chain, rule.jump) == ("A", "B")
    assert rule.comment == 'say "-j DROP" ! twice'
    assert rule.option("--dports") == "1,2"
    assert rule.dport is None
    assert rule == iptables.Rule(str(rule), 5, 300)


@pytest.mark.parametrize(
    ("text", "dport"),
    [("--dport 80", 80), ("--dport 80:90", "80:90"), ("! --dport 80", "! 80"), ("", None)],
)
def test_iptables_ports(text: str, dport: object) -> None:
    assert iptables.Rule(f"-A A -p tcp -m tcp {text} -j B").dport == dport


def test_iptables_rule_with_a_flag_for_an_option() -> None:
    rule = iptables.Rule("-A A -m recent --rcheck --seconds 10800 --reap --name X --rsource -j B")
    assert rule.option("--rcheck") == ""
    assert rule.option("--seconds") == "10800"
    assert rule.option("--set") is None


def test_iptables_text_of_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="not a line of iptables-save"):
        iptables.parse("-P INPUT ACCEPT\n")


# conntrack.

TRACK = "conntrack -I -t 600 -p tcp --state ESTABLISHED -u SEEN_REPLY,ASSURED "


def test_conntrack_entries(host: Host) -> None:
    for command in (
        TRACK + "-s 10.1.0.2 -d 172.30.0.44 --sport 4000 --dport 80 --dst-nat 10.180.0.4:8080 -m 5",
        TRACK + "-s 10.1.0.2 -d 172.30.0.44 --sport 4001 --dport 443",
        "conntrack -I -t 60 -p udp -s 10.1.0.3 -d 172.30.0.10 --sport 4000 --dport 53",
        "conntrack -I -t 60 -p udp -s fd00::1 -d fd00::2 --sport 4000 --dport 53",
    ):
        host.check_output(command)
    assert host.conntrack.count == 4
    assert len(host.conntrack.entries()) == 4
    assert len(host.conntrack.entries(protocol="udp")) == 2
    assert len(host.conntrack.entries(source="10.1.0.2")) == 2
    assert len(host.conntrack.entries(destination="fd00::2", port=53)) == 1
    assert host.conntrack.entries(protocol="sctp") == []
    assert host.conntrack.entries(destination="172.30.0.99") == []

    (entry,) = host.conntrack.entries(protocol="tcp", destination="172.30.0.44", port=80)
    assert entry.original == ("10.1.0.2", 4000, "172.30.0.44", 80)
    assert entry.endpoint == ("10.180.0.4", 8080)
    assert entry.seen_from == ("10.1.0.2", 4000)
    assert (entry.state, entry.mark, entry.assured, entry.replied) == ("ESTABLISHED", 5, True, True)
    assert entry.timeout == pytest.approx(600, abs=60)


def test_conntrack_id_tells_an_entry_from_its_successor(host: Host) -> None:
    track = TRACK + "-s 10.1.0.2 -d 172.30.0.44 --sport 4000 --dport 80"
    host.check_output(track)
    (entry,) = host.conntrack.entries()
    assert host.conntrack.entries()[0].id == entry.id
    host.conntrack.flush()
    assert host.conntrack.count == 0
    assert host.conntrack.entries() == []


def test_conntrack_statistics(host: Host) -> None:
    counted = host.conntrack.statistics
    assert {"drop", "early_drop", "insert_failed"} <= set(counted)
    assert "cpu" not in counted
    assert all(value >= 0 for value in counted.values())


def test_conntrack_failure_is_not_taken_for_an_empty_table(host: Host) -> None:
    with pytest.raises(AssertionError, match="Unexpected exit code"):
        host.conntrack.entries(protocol="nonesuch")


def test_conntrack_text() -> None:
    udp, tcp, offloaded, icmp, sctp, unknown = conntrack.parse(CONNTRACK)
    assert (udp.protocol, udp.state, udp.timeout, udp.id) == ("udp", None, 29, 2553844641)
    assert not udp.replied
    assert (tcp.endpoint, tcp.seen_from) == (("10.180.0.4", 8080), ("192.0.2.1", 61234))
    assert (tcp.mark, tcp.id, tcp.status) == (16384, 547103862, frozenset({"ASSURED"}))
    assert (offloaded.timeout, offloaded.status) == (None, frozenset({"OFFLOAD"}))
    assert (icmp.original.source_port, icmp.id) == (None, 2585607785)
    assert (sctp.family, sctp.protocol, sctp.state) == ("ipv6", "sctp", "CLOSED")
    assert unknown.protocol == "99"
    assert repr(sctp) == (
        "<sctp CLOSED UNREPLIED: [fd00::1]:1234 -> [fd00::2]:80, "
        "replies [fd00::2]:80 -> [fd00::1]:1234>"
    )
    assert repr(icmp.original) == "10.0.0.1 -> 10.0.0.2"


@pytest.mark.parametrize("line", ["tcp 6", "ipv4 2 udp 17 29 src=1 dst=2 src=2 dst=1", "src=1"])
def test_conntrack_text_of_something_else_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="not a line of conntrack"):
        conntrack.parse(line)
