"""conntrack under inspection: real entries in a throwaway namespace, and captured text."""

from __future__ import annotations

import pytest

from clusters.inspection import conntrack
from clusters.inspection.host import Host

CONNTRACK = """\
ipv4     2 udp      17 29 src=127.0.0.1 dst=127.0.0.1 sport=53074 dport=9 [UNREPLIED] src=127.0.0.1 dst=127.0.0.1 sport=9 dport=53074 mark=0 use=1 id=2553844641
ipv4     2 tcp      6 431999 ESTABLISHED src=10.1.0.2 dst=172.30.0.44 sport=40000 dport=80 packets=4 bytes=240 src=10.180.0.4 dst=192.0.2.1 sport=8080 dport=61234 packets=3 bytes=180 [ASSURED] mark=16384 zone=5 use=1 id=547103862
ipv4     2 tcp      6 src=10.1.0.2 dst=10.2.0.2 sport=40000 dport=80 src=10.2.0.2 dst=10.1.0.2 sport=80 dport=40000 [OFFLOAD] mark=0 use=2 id=7
ipv4     2 icmp     1 59 src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=77 [UNREPLIED] src=10.0.0.2 dst=10.0.0.1 type=0 code=0 id=77 mark=0 use=1 id=2585607785
ipv6     10 sctp     132 3 CLOSED src=fd00::1 dst=fd00::2 sport=1234 dport=80 [UNREPLIED] src=fd00::2 dst=fd00::1 sport=80 dport=1234 mark=0 use=1 id=978476802
ipv4     2 unknown  99 599 src=10.0.0.1 dst=10.0.0.2 [UNREPLIED] src=10.0.0.2 dst=10.0.0.1 mark=0 use=1 id=12
"""  # noqa: E501


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
