"""IPVS under inspection: captured text, and the real command where the kernel can."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clusters.inspection import ipvs
from clusters.inspection.host import Host

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clusters.inspection.ipvs import Connection, Ipvs, VirtualServer

# As ipvsadm 1.31 prints them, the spaces at the ends of lines included.
TITLES = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
"""


SERVERS = (
    TITLES
    + """\
TCP  172.30.0.44:80 rr
  -> 10.180.0.4:8080              Masq    1      3          12        \n\
  -> 10.180.0.5:8080              Masq    0      0          1         \n\
TCP  172.30.0.45:443 sh (sh-fallback,sh-port) persistent 10800 mask 255.255.255.0
  -> 10.180.0.6:8443              Masq    1      4294967295 0         \n\
UDP  172.30.0.10:53 mh (mh-port) ops
  -> 10.180.0.7:53                Route   100    0          0         \n\
  -> 10.180.0.8:53                Tunnel  2147483647 0          0         \n\
UDP  172.30.0.12:5060 wlc (flag-1,flag-2) persistent 300 pe sip ops
SCTP 172.30.0.46:9000 lc
TCP  [fd00:172:30::2c]:8080 rr persistent 10800
  -> [fd00:180::4]:8080           Masq    1      2          1         \n\
TCP  [2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:30080 rr
  -> [2001:db8:1111:2222:3333:4444:5555:6666]:65535 Masq    1      0          0         \n\
UDP  [fd00:172:30::a]:54 rr persistent 60 mask 64
FWM  10 rr persistent 600
  -> 10.0.0.17:0                  Local   1      0          0         \n\
FWM  11 IPv6 rr persistent 600
  -> [fd00::17]:0                 Route   1      0          0         \n\
"""
)


CONNECTIONS = """\
IPVS connection entries
pro expire state       source             virtual            destination
TCP 14:59  ESTABLISHED 10.1.0.2:40000     172.30.0.44:80     10.180.0.4:8080
UDP 05:00  UDP         10.1.0.3:40001     172.30.0.10:53     10.180.0.7:53
TCP 179:53 NONE        10.1.0.2:0         172.30.0.45:443    10.180.0.6:8443
TCP 180:00 ASSURED     10.1.0.9:0         172.30.0.45:443    10.180.0.6:8443
IP  15:48  NONE        192.168.0.6:0      0.0.0.10:0         10.0.0.17:0
SCTP 14:59  ESTABLISHED 10.1.0.2:40002     172.30.0.46:9000   10.180.0.9:9000
TCP 01:59  FIN_WAIT    [fd00::2]:40003    [fd00:172:30::2c]:8080 [fd00:180::4]:8080
TCP 00:05  SYN_RECV    [fd00::2]:40004    [fd00:172:30::2c]:8080 10.180.0.4:8080
"""


# What kube-proxy makes of a Service with affinity, and of one of IPv6 without endpoints.
RULES = """\
-A -t 172.30.0.44:80 -s rr -p 10800 -M 255.255.255.255
-a -t 172.30.0.44:80 -r 10.180.0.4:8080 -m -w 1
-a -t 172.30.0.44:80 -r 10.180.0.5:8080 -m -w 0
-A -u [fd00:172:30::2c]:53 -s rr
"""


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ipvs:
    """The module over an ipvsadm that knows the texts above, each by its exact options."""
    texts = {
        "-Ln": SERVERS,
        "-Lcn": CONNECTIONS,
        "-L --timeout": "Timeout (tcp tcpfin udp): 900 120 300\n",
    }
    for options, text in texts.items():
        (tmp_path / options).write_text(text)
    program = tmp_path / "ipvsadm"
    program.write_text(f'#!/bin/sh\nexec cat -- "{tmp_path}/$*"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    found: Host = Host.get_host("local://")
    return found.ipvs


def one(port: int) -> VirtualServer:
    (found,) = (each for each in ipvs.parse(SERVERS) if each.port == port)
    return found


def test_ipvs_all_virtual_servers_are_found() -> None:
    found = [(each.protocol, each.address, each.port) for each in ipvs.parse(SERVERS)]
    assert found == [
        ("TCP", "172.30.0.44", 80),
        ("TCP", "172.30.0.45", 443),
        ("UDP", "172.30.0.10", 53),
        ("UDP", "172.30.0.12", 5060),
        ("SCTP", "172.30.0.46", 9000),
        ("TCP", "fd00:172:30::2c", 8080),
        ("TCP", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff", 30080),
        ("UDP", "fd00:172:30::a", 54),
        ("FWM", None, None),
        ("FWM", None, None),
    ]
    assert ipvs.parse(TITLES) == []


def test_ipvs_real_servers_belong_to_their_virtual_server() -> None:
    assert one(80).real_servers == (
        ipvs.RealServer("10.180.0.4", 8080, "masquerade", weight=1, active=3, inactive=12),
        ipvs.RealServer("10.180.0.5", 8080, "masquerade", weight=0, active=0, inactive=1),
    )
    assert one(9000).real_servers == ()
    counted = [len(each.real_servers) for each in ipvs.parse(SERVERS)]
    assert counted == [2, 1, 2, 0, 0, 1, 1, 0, 1, 1]


def test_ipvs_real_servers_of_ipv6() -> None:
    (short,) = one(8080).real_servers
    assert short == ipvs.RealServer("fd00:180::4", 8080, "masquerade", 1, active=2, inactive=1)
    (long,) = one(30080).real_servers
    assert (long.address, long.port) == ("2001:db8:1111:2222:3333:4444:5555:6666", 65535)


def test_ipvs_forwarding_and_weight() -> None:
    route, tunnel = one(53).real_servers
    assert (route.forwarding, route.weight) == ("route", 100)
    assert (tunnel.forwarding, tunnel.weight) == ("tunnel", 2147483647)
    (crowded,) = one(443).real_servers
    assert (crowded.forwarding, crowded.active) == ("masquerade", 4294967295)


def test_ipvs_scheduler_and_its_flags() -> None:
    found = {each.port: (each.scheduler, sorted(each.flags)) for each in ipvs.parse(SERVERS)}
    assert found[80] == ("rr", [])
    assert found[443] == ("sh", ["sh-fallback", "sh-port"])
    assert found[53] == ("mh", ["mh-port"])
    assert found[5060] == ("wlc", ["flag-1", "flag-2"])


def test_ipvs_persistence() -> None:
    assert (one(80).persistence, one(80).netmask) == (None, None)
    assert (one(443).persistence, one(443).netmask) == (10800, "255.255.255.0")
    assert (one(5060).persistence, one(5060).netmask) == (300, "255.255.255.255")
    assert (one(54).persistence, one(54).netmask) == (60, "64")
    assert (one(8080).persistence, one(8080).netmask) == (10800, "128")


def test_ipvs_one_packet_scheduling() -> None:
    assert {each.port for each in ipvs.parse(SERVERS) if each.one_packet} == {53, 5060}


def test_ipvs_firewall_marks() -> None:
    first, second = (each for each in ipvs.parse(SERVERS) if each.protocol == "FWM")
    assert (first.fwmark, first.netmask, first.scheduler) == (10, "255.255.255.255", "rr")
    assert (second.fwmark, second.netmask) == (11, "128")
    assert first.real_servers == (ipvs.RealServer("10.0.0.17", 0, "local", 1, 0, 0),)
    assert one(80).fwmark is None


def test_ipvs_virtual_servers_are_legible() -> None:
    assert repr(one(80)) == "<TCP 172.30.0.44:80 rr: 2 real servers>"
    assert repr(one(54)) == "<UDP [fd00:172:30::a]:54 rr: 0 real servers>"
    assert repr(ipvs.parse(SERVERS)[-1]) == "<FWM 11 rr: 1 real servers>"


@pytest.mark.parametrize(
    "line",
    [
        "-A -t 172.30.0.44:80 -s rr",
        "TCP  172.30.0.44:http rr",
        "TCP  localhost:80 rr",
        "TCP  172.30.0.44:80",
        "ICMP 172.30.0.44:80 rr",
        "TCP  172.30.0.44:80 rr something",
        "TCP  172.30.0.44:80 rr persistent",
        "TCP  172.30.0.44:80 rr\n  -> 10.180.0.4:8080 Masq 1 3",
        "TCP  172.30.0.44:80 rr\n  -> 10.180.0.4:8080 Fullnat 1 3 12",
        "  -> 10.180.0.4:8080              Masq    1      3          12        ",
        "TCP  172.30.0.44:80 rr\n\nTCP  172.30.0.45:80 rr",
    ],
)
def test_ipvs_text_of_something_else_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="not a line of ipvsadm -Ln: "):
        ipvs.parse(TITLES + line)


def test_ipvs_lookup_of_a_virtual_server(stub: Ipvs) -> None:
    assert stub.virtual_servers == ipvs.parse(SERVERS)
    assert stub.virtual_server("TCP", "172.30.0.44", 80) == one(80)
    assert stub.virtual_server("UDP", "fd00:172:30::a", 54) == one(54)


@pytest.mark.parametrize(
    ("protocol", "address", "port", "message"),
    [
        ("UDP", "172.30.0.44", 80, "no virtual server UDP 172.30.0.44:80 among "),
        ("TCP", "172.30.0.99", 80, "no virtual server TCP 172.30.0.99:80 among "),
        ("TCP", "fd00::1", 8080, r"no virtual server TCP \[fd00::1\]:8080 among "),
        ("TCP", "172.30.0.44", 81, r"among \[<TCP 172.30.0.44:80 rr: 2 real servers>, <TCP 172"),
    ],
)
def test_ipvs_lookup_of_what_is_not_there(
    stub: Ipvs, protocol: str, address: str, port: int, message: str
) -> None:
    with pytest.raises(LookupError, match=message):
        stub.virtual_server(protocol, address, port)


def connection(client: str, port: int) -> Connection:
    (found,) = (
        each for each in ipvs.parse_connections(CONNECTIONS) if each.client == (client, port)
    )
    return found


def test_ipvs_connections(stub: Ipvs) -> None:
    assert stub.connections == ipvs.parse_connections(CONNECTIONS)
    assert len(stub.connections) == 8
    assert connection("10.1.0.2", 40000) == ipvs.Connection(
        protocol="TCP",
        state="ESTABLISHED",
        expires=899,
        client=("10.1.0.2", 40000),
        virtual=("172.30.0.44", 80),
        destination=("10.180.0.4", 8080),
    )
    assert connection("10.1.0.3", 40001).protocol == "UDP"
    assert connection("10.1.0.3", 40001).expires == 300
    assert connection("10.1.0.2", 40002).protocol == "SCTP"


def test_ipvs_connections_of_ipv6() -> None:
    found = connection("fd00::2", 40003)
    assert (found.virtual, found.destination) == (("fd00:172:30::2c", 8080), ("fd00:180::4", 8080))
    assert connection("fd00::2", 40004).destination == ("10.180.0.4", 8080)


def test_ipvs_templates_are_told_from_connections() -> None:
    templates = [each for each in ipvs.parse_connections(CONNECTIONS) if each.is_template]
    assert [(each.client[0], each.expires) for each in templates] == [
        ("10.1.0.2", 10_793),
        ("10.1.0.9", 10_800),
        ("192.168.0.6", 948),
    ]
    line = "TCP 14:59  {} 10.1.0.2:{} 172.30.0.44:21 10.180.0.4:21"
    (new,) = ipvs.parse_connections(line.format("NONE", 40000))
    assert not new.is_template
    (without_port_yet,) = ipvs.parse_connections(line.format("LISTEN", 0))
    assert not without_port_yet.is_template


def test_ipvs_connections_are_legible() -> None:
    assert repr(connection("fd00::2", 40004)) == (
        "<TCP SYN_RECV: [fd00::2]:40004 -> [fd00:172:30::2c]:8080, sent to 10.180.0.4:8080>"
    )


@pytest.mark.parametrize(
    "line",
    [
        "TCP 14:59  ESTABLISHED 10.1.0.2:40000     172.30.0.44:80",
        "TCP 14:59  ESTABLISHED localhost:40000     172.30.0.44:80 10.180.0.4:8080",
        "TCP never  ESTABLISHED 10.1.0.2:40000     172.30.0.44:80 10.180.0.4:8080",
        "TCP 172.30.0.44:80 rr",
        "",
    ],
)
def test_ipvs_connections_that_are_none_are_refused(line: str) -> None:
    with pytest.raises(ValueError, match="not a line of ipvsadm -Lcn: "):
        ipvs.parse_connections(f"{CONNECTIONS}{line}\n")


def test_ipvs_timeouts(stub: Ipvs, tmp_path: Path) -> None:
    assert stub.timeouts == ipvs.Timeouts(tcp=900, tcp_fin=120, udp=300)
    for numbers in ("900 120", "900 120 300 60"):
        (tmp_path / "-L --timeout").write_text(f"Timeout (tcp tcpfin udp): {numbers}\n")
        with pytest.raises(ValueError, match="not what ipvsadm -L --timeout prints"):
            _ = stub.timeouts


def test_ipvs_failure_is_not_taken_for_an_empty_table(stub: Ipvs, tmp_path: Path) -> None:
    program = tmp_path / "ipvsadm"
    program.write_text("#!/bin/sh\necho Cannot initialize ipvs >&2\nexit 2\n")
    for read in (
        lambda: stub.virtual_servers,
        lambda: stub.virtual_server("TCP", "172.30.0.44", 80),
        lambda: stub.connections,
        lambda: stub.timeouts,
    ):
        with pytest.raises(AssertionError, match="Cannot initialize ipvs"):
            read()


def test_ipvs_in_the_kernel(host: Host, load: Callable[[str, str], None]) -> None:
    if host.run("ipvsadm -Ln").rc != 0:
        pytest.skip("no IPVS in this kernel")
    assert host.ipvs.virtual_servers == []
    load("ipvsadm -R", RULES)
    affine = host.ipvs.virtual_server("TCP", "172.30.0.44", 80)
    assert (affine.scheduler, affine.flags, affine.one_packet) == ("rr", frozenset(), False)
    assert (affine.persistence, affine.netmask) == (10_800, "255.255.255.255")
    assert set(affine.real_servers) == {
        ipvs.RealServer("10.180.0.4", 8080, "masquerade", weight=1, active=0, inactive=0),
        ipvs.RealServer("10.180.0.5", 8080, "masquerade", weight=0, active=0, inactive=0),
    }
    empty = host.ipvs.virtual_server("UDP", "fd00:172:30::2c", 53)
    assert (empty.real_servers, empty.persistence) == ((), None)
    assert len(host.ipvs.virtual_servers) == 2
    assert host.ipvs.connections == []
    host.check_output("ipvsadm --set 901 121 301")
    assert host.ipvs.timeouts == (901, 121, 301)
