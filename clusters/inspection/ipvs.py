"""The testinfra module for IPVS, the kernel's load balancer: `host.ipvs`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from clusters.inspection.module import Module

# The kernel also knows "Local", of its own making: old ones turn a server of the node into that.
_FORWARDING = {"Masq": "masquerade", "Route": "route", "Tunnel": "tunnel", "Local": "local"}
_TEMPLATE_STATES = ("NONE", "ASSURED")

# Numbers only: a name would come from a listing without -n, cut where it is long.
_ADDRESS = r"(\[[\da-f:.]+\]|[\d.]+):(\d+)"
_TITLES = ("IP Virtual Server version ", "Prot LocalAddress:Port ", "  -> RemoteAddress:Port ")
_VIRTUAL_LINE = re.compile(
    rf"(?:(TCP|UDP|SCTP) +{_ADDRESS}|FWM  (\d+)( IPv6)?) (\S+)(?: \((\S+)\))?"
    r"(?: persistent (\d+)(?: mask (\S+))?(?: pe \S+)?)?( ops)?"
)
_REAL_LINE = re.compile(rf"  -> {_ADDRESS} +({'|'.join(_FORWARDING)}) +(\d+) +(\d+) +(\d+) *")
_CONNECTION_TITLES = ("IPVS connection entries", "pro expire ")
_CONNECTION_LINE = re.compile(rf"(\w+) +(\d+):(\d\d) +(\S+) +{_ADDRESS} +{_ADDRESS} +{_ADDRESS}")
_TIMEOUTS = re.compile(r"Timeout \(tcp tcpfin udp\): (\d+) (\d+) (\d+)\n?")


@dataclass(frozen=True)
class RealServer:
    """A server that a virtual server hands connections to.

    `forwarding` is "masquerade", "route" or "tunnel" (ipvsadm's -m, -g, -i), or "local". `active`
    counts its connections that are open or half-open, `inactive` all others, those of UDP among
    them.
    """

    address: str
    port: int
    forwarding: str
    weight: int
    active: int
    inactive: int


@dataclass(frozen=True)
class VirtualServer:
    """What IPVS balances, how, and over which real servers.

    `protocol` is "TCP", "UDP" or "SCTP"; with "FWM" the packets are those of a firewall mark, and
    `address` and `port` are None. `flags` are the scheduler's (mh-port, flag-1). `persistence` is
    in seconds, and `netmask` what makes clients one for it: an IPv4 mask or an IPv6 prefix length;
    both are None where there is none.
    """

    protocol: str
    address: str | None
    port: int | None
    fwmark: int | None
    scheduler: str
    flags: frozenset[str]
    persistence: int | None
    netmask: str | None
    one_packet: bool
    real_servers: tuple[RealServer, ...]

    def __repr__(self) -> str:
        name = _name(self.address, self.port) if self.address else self.fwmark
        return f"<{self.protocol} {name} {self.scheduler}: {len(self.real_servers)} real servers>"


@dataclass(frozen=True)
class Connection:
    """A connection that IPVS has assigned to a real server; `expires` is in seconds.

    `protocol` is "TCP", "UDP" or "SCTP", and "IP" for a template of a firewall mark, whose
    `virtual` address is the mark.
    """

    protocol: str
    state: str
    expires: int
    client: tuple[str, int]
    virtual: tuple[str, int]
    destination: tuple[str, int]

    def __repr__(self) -> str:
        client, virtual, destination = (
            _name(*each) for each in (self.client, self.virtual, self.destination)
        )
        return f"<{self.protocol} {self.state}: {client} -> {virtual}, sent to {destination}>"

    @property
    def is_template(self) -> bool:
        """Whether this is no connection but what persistence keeps: the client's real server."""
        # Port 0 alone is not enough: it can be the client's own, or one not known yet (FTP).
        return self.client[1] == 0 and self.state in _TEMPLATE_STATES


class Timeouts(NamedTuple):
    """How long idle connections are kept, in seconds; `tcp_fin` after one side has closed."""

    tcp: int
    tcp_fin: int
    udp: int


class Ipvs(Module):
    """Virtual servers, real servers and connections of IPVS.

    >>> web = host.ipvs.virtual_server("TCP", "172.30.0.44", 80)
    >>> web.scheduler
    'rr'
    >>> [(server.address, server.port, server.weight) for server in web.real_servers]
    [('10.180.0.4', 8080, 1), ('10.180.0.5', 8080, 1)]
    """

    @property
    def virtual_servers(self) -> list[VirtualServer]:
        """All virtual servers with their real servers, sorted as ipvsadm does.

        :raises AssertionError: where ipvsadm fails, in a kernel without IPVS say.
        """
        # Not -Sn, which has no counts: two commands would tell of two moments.
        return parse(self.output("ipvsadm -Ln"))

    def virtual_server(self, protocol: str, address: str, port: int) -> VirtualServer:
        """The virtual server of that protocol ("TCP"), address and port.

        :raises LookupError: where there is none; it tells which there are.
        """
        there = self.virtual_servers
        for each in there:
            if (each.protocol, each.address, each.port) == (protocol, address, port):
                return each
        wanted = f"{protocol} {_name(address, port)}"
        raise LookupError(f"no virtual server {wanted} among {there}")

    @property
    def connections(self) -> list[Connection]:
        """The connections of all virtual servers, templates of persistence among them."""
        return parse_connections(self.output("ipvsadm -Lcn"))

    @property
    def timeouts(self) -> Timeouts:
        """How long idle connections are kept.

        :raises ValueError: where ipvsadm prints something else.
        """
        printed = self.output("ipvsadm -L --timeout")
        if not (match := _TIMEOUTS.fullmatch(printed)):
            raise ValueError(f"not what ipvsadm -L --timeout prints: {printed!r}")
        return Timeouts(*map(int, match.groups()))


def parse(listed: str) -> list[VirtualServer]:
    """The virtual servers in what `ipvsadm -Ln` prints.

    :raises ValueError: for a line that is no title, virtual server, or real server of one.
    """
    found: list[tuple[re.Match[str], list[RealServer]]] = []
    for line in listed.splitlines():
        if match := _VIRTUAL_LINE.fullmatch(line):
            found.append((match, []))
        elif found and (match := _REAL_LINE.fullmatch(line)):
            address, port, forwarding, *numbers = match.groups()
            where = _socket(address, port)
            found[-1][1].append(RealServer(*where, _FORWARDING[forwarding], *map(int, numbers)))
        elif not line.startswith(_TITLES):
            raise ValueError(f"not a line of ipvsadm -Ln: {line!r}")
    return [_virtual_server(match, real_servers) for match, real_servers in found]


def _virtual_server(line: re.Match[str], real_servers: list[RealServer]) -> VirtualServer:
    protocol, address, port, fwmark, ipv6, scheduler, flags, persistence, mask, ops = line.groups()
    # ipvsadm prints no mask that tells every client from the others.
    every_client = "128" if ipv6 or (address and ":" in address) else "255.255.255.255"
    return VirtualServer(
        protocol=protocol or "FWM",
        address=address and address.strip("[]"),
        port=_number(port),
        fwmark=_number(fwmark),
        scheduler=scheduler,
        flags=frozenset(flags.split(",") if flags else ()),
        persistence=_number(persistence),
        netmask=persistence and (mask or every_client),
        one_packet=ops is not None,
        real_servers=tuple(real_servers),
    )


def parse_connections(listed: str) -> list[Connection]:
    """The connections in what `ipvsadm -Lcn` prints.

    :raises ValueError: for a line that is neither a title nor a connection.
    """
    found: list[Connection] = []
    for line in listed.splitlines():
        if match := _CONNECTION_LINE.fullmatch(line):
            protocol, minutes, seconds, state, *ends = match.groups()
            sockets = [_socket(*ends[at : at + 2]) for at in (0, 2, 4)]
            found.append(Connection(protocol, state, int(minutes) * 60 + int(seconds), *sockets))
        elif not line.startswith(_CONNECTION_TITLES):
            raise ValueError(f"not a line of ipvsadm -Lcn: {line!r}")
    return found


def _socket(address: str, port: str) -> tuple[str, int]:
    return address.strip("[]"), int(port)


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def _name(address: str, port: int | None) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
