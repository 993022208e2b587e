"""What mutants of IPVS mode do to what kube-proxy has programmed."""

from __future__ import annotations

import pytest

from clusters.inspection import ipset, ipvs
from tests.mutants import MUTANTS
from tests.mutants.mutant import Mutant
from tests.mutants.programmed import Programmed

CANARY = ("10.96.158.65", "198.51.100.254", "fd00:96::60e5")
UNMUTATED, *EVERY = MUTANTS["ipvs"]
EACH = [pytest.param(each, id=each.name) for each in EVERY if each.of == "rules"]

SERVERS = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  198.51.100.254:1030 rr
  -> 10.129.1.1:31030             Masq    1      0          0
TCP  10.96.158.65:1030 rr
  -> 10.129.1.1:31030             Masq    1      2          0
TCP  10.96.6.1:80 rr persistent 3600
  -> 10.128.1.3:8080              Masq    1      0          0
  -> 10.129.1.4:8080              Masq    1      0          0
TCP  192.0.2.10:30123 rr persistent 3600
  -> 10.128.1.3:8080              Masq    1      0          0
  -> 10.129.1.4:8080              Masq    1      0          0
UDP  10.96.6.2:80 rr
  -> 10.128.1.5:8080              Masq    1      0          0
TCP  10.96.6.3:80 rr
TCP  [fd00:96::60e5]:1030 rr
  -> [fd00:10:0:1::101]:31030     Masq    1      2          0
TCP  [fd00:96::1:1]:80 rr
  -> [fd00:10::103]:8080          Masq    1      0          0
"""

SETS = """\
create KUBE-NODE-PORT-TCP bitmap:port range 0-65535
add KUBE-NODE-PORT-TCP 30123
create KUBE-HEALTH-CHECK-NODE-PORT bitmap:port range 0-65535
add KUBE-HEALTH-CHECK-NODE-PORT 30124
create KUBE-EXTERNAL-IP hash:ip,port family inet hashsize 1024 maxelem 65536
add KUBE-EXTERNAL-IP 198.51.100.254,tcp:1030
create KUBE-LOOP-BACK hash:ip,port,ip family inet hashsize 1024 maxelem 65536
add KUBE-LOOP-BACK 10.128.1.3,tcp:8080,10.128.1.3
create KUBE-CLUSTER-IP hash:ip,port family inet hashsize 1024 maxelem 65536
add KUBE-CLUSTER-IP 10.96.158.65,tcp:1030
add KUBE-CLUSTER-IP 10.96.6.1,tcp:80
add KUBE-CLUSTER-IP 10.96.6.2,udp:80
add KUBE-CLUSTER-IP 10.96.6.3,tcp:80
create KUBE-6-CLUSTER-IP hash:ip,port family inet6 hashsize 1024 maxelem 65536
add KUBE-6-CLUSTER-IP fd00:96::60e5,tcp:1030
add KUBE-6-CLUSTER-IP fd00:96::1:1,tcp:80
"""

CHANGES = {
    "  -> 10.129.1.4:8080              Masq    1 ": "  -> 10.129.1.4:8080              Masq    0 ",
    "UDP  10.96.6.2:80 rr\n  -> 10.128.1.5:8080              Masq    1      0          0\n": "",
    "[fd00:10::103]:8080": "[fd00:10::104]:8080",
}


def programmed(version: int, *, later: bool = False) -> Programmed:
    """What there is of a family, before or after some changes."""
    servers = SERVERS
    for old, new in CHANGES.items() if later else ():
        servers = servers.replace(old, new)
    lines = "".join(f"{line.rstrip()}\n" for line in servers.splitlines())
    return Programmed.of(version, ipvs.parse(lines), ipset.parse(SETS).values(), CANARY)


def commands(mutant: Mutant) -> list[str]:
    """All that a mutant does in both families, before and after the changes."""
    return [
        command
        for version in (4, 6)
        for first, second in [(programmed(version), programmed(version, later=True))]
        for command in (*mutant.mutate(first, ()), *mutant.mutate(second, (first,)))
    ]


def named(name: str) -> Mutant:
    return next(mutant for mutant in EVERY if mutant.name == name)


@pytest.mark.parametrize("mutant", EACH)
def test_mutation_alters_what_is_programmed(mutant: Mutant) -> None:
    assert commands(mutant)


@pytest.mark.parametrize("mutant", EACH)
def test_mutation_spares_the_canary(mutant: Mutant) -> None:
    assert not [each for each in commands(mutant) if any(address in each for address in CANARY)]


def test_without_a_mutation_nothing_is_done() -> None:
    assert commands(UNMUTATED) == []


def test_addresses_are_written_as_ipvsadm_takes_them() -> None:
    mutate = named("wrong-target-port").mutate
    assert mutate(programmed(6), ()) == [
        "ipvsadm -d -t [fd00:96::1:1]:80 -r [fd00:10::103]:8080",
        "ipvsadm -a -t [fd00:96::1:1]:80 -r [fd00:10::103]:8081 -m",
    ]


def test_an_edited_server_keeps_its_affinity() -> None:
    assert "ipvsadm -E -t 10.96.6.1:80 -s sh -p 3600" in commands(named("hashed-choice"))


def test_frozen_endpoints_are_added_or_get_their_weight_back() -> None:
    mutate = named("endpoints-frozen").mutate
    assert mutate(programmed(4, later=True), (programmed(4),)) == [
        "ipvsadm -e -t 10.96.6.1:80 -r 10.129.1.4:8080 -m -w 1",
        "ipvsadm -e -t 192.0.2.10:30123 -r 10.129.1.4:8080 -m -w 1",
    ]
    assert mutate(programmed(6, later=True), (programmed(6),)) == [
        "ipvsadm -a -t [fd00:96::1:1]:80 -r [fd00:10::103]:8080 -m -w 1",
    ]


def test_a_deleted_service_is_made_again() -> None:
    mutate = named("never-deleted").mutate
    assert mutate(programmed(4, later=True), (programmed(4),)) == [
        "ipvsadm -A -u 10.96.6.2:80 -s rr",
        "ipvsadm -a -u 10.96.6.2:80 -r 10.128.1.5:8080 -m",
        "ip address replace 10.96.6.2/32 dev kube-ipvs0",
    ]


def test_cluster_ips_are_no_node_ports() -> None:
    assert named("node-ports-missing").mutate(programmed(4), ()) == [
        "ipvsadm -D -t 192.0.2.10:30123"
    ]
