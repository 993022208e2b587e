"""ipset under inspection: real sets in a throwaway namespace, and captured text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clusters.inspection import ipset
from clusters.inspection.host import Host

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


SETS = """\
create KUBE-CLUSTER-IP hash:ip,port family inet hashsize 2048 maxelem 1000
add KUBE-CLUSTER-IP 172.30.0.44,tcp:80
add KUBE-CLUSTER-IP 172.30.0.10,udp:53
add KUBE-CLUSTER-IP 172.30.0.46,sctp:9000
create KUBE-6-CLUSTER-IP hash:ip,port family inet6
add KUBE-6-CLUSTER-IP fd00:172:30::2c,tcp:8080
create KUBE-LOOP-BACK hash:ip,port,ip
add KUBE-LOOP-BACK 10.180.0.4,tcp:8080,10.180.0.4
create KUBE-NODE-PORT-TCP bitmap:port range 0-65535
add KUBE-NODE-PORT-TCP 30080
create KUBE-SOURCES hash:ip,port,net counters
add KUBE-SOURCES 192.0.2.1,tcp:80,10.0.0.0/8
add KUBE-SOURCES 192.0.2.1,tcp:80,10.9.0.0/16 nomatch
create recent hash:ip timeout 10800 comment counters skbinfo
add recent 10.1.0.2 timeout 60 comment "add to <recent>, timeout 5"
add recent 10.1.0.3
create all list:set
add all KUBE-CLUSTER-IP
create nothing hash:net
"""


def test_ipset_entries(host: Host, load: Callable[[str, str], None]) -> None:
    assert host.ipset.sets == {}
    load("ipset restore", SETS)
    entries = {each.name: each.entries for each in host.ipset.sets.values()}
    assert entries == {
        "KUBE-CLUSTER-IP": {"172.30.0.44,tcp:80", "172.30.0.10,udp:53", "172.30.0.46,sctp:9000"},
        "KUBE-6-CLUSTER-IP": {"fd00:172:30::2c,tcp:8080"},
        "KUBE-LOOP-BACK": {"10.180.0.4,tcp:8080,10.180.0.4"},
        "KUBE-NODE-PORT-TCP": {"30080"},
        "KUBE-SOURCES": {"192.0.2.1,tcp:80,10.0.0.0/8", "192.0.2.1,tcp:80,10.9.0.0/16 nomatch"},
        "recent": {"10.1.0.2", "10.1.0.3"},
        "all": {"KUBE-CLUSTER-IP"},
        "nothing": frozenset(),
    }


def test_ipset_headers(host: Host, load: Callable[[str, str], None]) -> None:
    load("ipset restore", SETS)
    cluster_ips = host.ipset.named("KUBE-CLUSTER-IP")
    assert (cluster_ips.name, cluster_ips.type) == ("KUBE-CLUSTER-IP", "hash:ip,port")
    assert (cluster_ips.family, cluster_ips.hashsize, cluster_ips.maxelem) == ("inet", 2048, 1000)
    assert (cluster_ips.timeout, cluster_ips.range, cluster_ips.comment) == (None, None, False)
    assert host.ipset.named("KUBE-6-CLUSTER-IP").family == "inet6"
    ports = host.ipset.named("KUBE-NODE-PORT-TCP")
    assert (ports.type, ports.range) == ("bitmap:port", "0-65535")
    assert (ports.family, ports.hashsize, ports.maxelem) == (None, None, None)
    recent = host.ipset.named("recent")
    assert (recent.timeout, recent.comment) == (10_800, True)
    assert repr(cluster_ips) == "<set KUBE-CLUSTER-IP: 3 of hash:ip,port>"


def test_ipset_asked_for_what_is_not_there(host: Host, load: Callable[[str, str], None]) -> None:
    load("ipset restore", "create some hash:ip\nadd some 10.0.0.1\n")
    with pytest.raises(LookupError, match=r"no set other among \[<set some: 1 of hash:ip>\]"):
        host.ipset.named("other")


def test_ipset_failure_is_not_taken_for_no_sets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "ipset"
    program.write_text("#!/bin/sh\necho Operation not permitted >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(AssertionError, match="Operation not permitted"):
        _ = Host.get_host("local://").ipset.sets


@pytest.mark.parametrize(
    "line",
    [
        "Name: KUBE-CLUSTER-IP",
        "create KUBE-CLUSTER-IP",
        "create two words hash:ip family inet",
        "add KUBE-CLUSTER-IP 172.30.0.44,tcp:80",
        "create some hash:ip\nadd some",
        "create some hash:ip\nadd other 10.0.0.1",
        "create some hash:ip\n\ncreate other hash:ip",
    ],
)
def test_ipset_text_of_something_else_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="not a line of ipset save"):
        ipset.parse(line)
