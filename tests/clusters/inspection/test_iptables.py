"""iptables under inspection: real rules in a throwaway namespace, and text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clusters.inspection import iptables
from clusters.inspection.host import Host

if TYPE_CHECKING:
    from collections.abc import Callable


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
