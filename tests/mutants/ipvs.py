"""Mutants of kube-proxy's IPVS mode: what it has programmed, altered once a change is in force.

A mutation makes lines for a shell on the node from what is there for one family, and from what was
there at each earlier time in the same test.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, NamedTuple

from tests.mutants.mutant import Mutant

if TYPE_CHECKING:
    from clusters.inspection.ipset import Set
    from clusters.inspection.ipvs import RealServer, VirtualServer

_FLAGS = {"TCP": "-t", "UDP": "-u", "SCTP": "--sctp-service"}


class Programmed(NamedTuple):
    """What there is for the Services of one family."""

    version: int
    """4 or 6."""
    servers: tuple[VirtualServer, ...]
    entries: dict[str, tuple[str, ...]]
    """The entries of each set."""

    @classmethod
    def of(
        cls,
        version: int,
        servers: Iterable[VirtualServer],
        sets: Iterable[Set],
        spared: Collection[str],
    ) -> Programmed:
        """Of all that there is, what is of a family and not about the addresses ``spared``."""
        return cls(
            version,
            tuple(
                each
                for each in servers
                if each.address and each.address not in spared and _version(each) == version
            ),
            {
                each.name: tuple(
                    sorted(entry for entry in each.entries if entry.split(",")[0] not in spared)
                )
                for each in sets
                if each.name.startswith("KUBE-6-") == (version == 6)
            },
        )

    def set_name(self, name: str) -> str:
        """The family's set ``KUBE-CLUSTER-IP`` of the name ``CLUSTER-IP``."""
        return f"KUBE-{'6-' if self.version == 6 else ''}{name}"

    def of_set(self, name: str) -> tuple[str, ...]:
        """The entries of the family's set of that name, none where it has no such set."""
        return self.entries.get(self.set_name(name), ())

    @property
    def cluster_ips(self) -> list[str]:
        """All cluster IPs."""
        return sorted({entry.split(",")[0] for entry in self.of_set("CLUSTER-IP")})

    @property
    def iptables(self) -> str:
        """The family's program; it waits for the lock."""
        return f"ip{'6' if self.version == 6 else ''}tables -w"


Mutation = Callable[[Programmed, tuple[Programmed, ...]], list[str]]


def _version(server: VirtualServer) -> int:
    return 6 if ":" in str(server.address) else 4


def _socket(where: VirtualServer | RealServer, port: int | None = None) -> str:
    """Address and port, its own or another, as ipvsadm takes it."""
    address = f"[{where.address}]" if ":" in str(where.address) else where.address
    return f"{address}:{where.port if port is None else port}"


def _name(server: VirtualServer) -> str:
    """A virtual server as ipvsadm takes it."""
    return f"{_FLAGS[server.protocol]} {_socket(server)}"


def _how(server: VirtualServer, scheduler: str = "") -> str:
    """A virtual server with its properties, but for the scheduler if one is given."""
    affinity = f" -p {server.persistence}" if server.persistence else ""
    return f"{_name(server)} -s {scheduler or server.scheduler}{affinity}"


def _address(command: str, address: str) -> str:
    return f"ip address {command} {address}/{128 if ':' in address else 32} dev kube-ipvs0"


def unmutated(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    """Nothing is altered."""
    return []


# --- virtual servers ------------------------------------------------------------------------------


def _hashed(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    return [f"ipvsadm -E {_how(server, 'sh')}" for server in now.servers]


def _udp_missing(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    return [f"ipvsadm -D {_name(server)}" for server in now.servers if server.protocol == "UDP"]


def _ipv6_missing(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    return [f"ipvsadm -D {_name(server)}" for server in now.servers if now.version == 6]


def _node_ports_missing(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    ports = now.of_set("NODE-PORT-TCP")
    return [
        f"ipvsadm -D {_name(server)}"
        for server in now.servers
        if server.protocol == "TCP" and str(server.port) in ports
    ]


def _affinity_ignored(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    return [
        f"ipvsadm -E {_name(server)} -s {server.scheduler}"
        for server in now.servers
        if server.persistence
    ]


def _affinity_of_networks(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    mask = "64" if now.version == 6 else "255.255.0.0"
    return [f"ipvsadm -E {_how(server)} -M {mask}" for server in now.servers if server.persistence]


def _affinity_too_long(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    return [
        f"ipvsadm -E {_name(server)} -s {server.scheduler} -p {server.persistence + 60}"
        for server in now.servers
        if server.persistence
    ]


def _each_datagram(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    return [f"ipvsadm -E {_how(server)} -o" for server in now.servers if server.protocol == "UDP"]


def _never_deleted(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    there = {_name(server) for server in now.servers}
    gone = {_name(server): server for known in earlier for server in known.servers}
    return [
        command
        for name, server in gone.items()
        if name not in there
        for command in (
            f"ipvsadm -A {_how(server)}",
            *(f"ipvsadm -a {name} -r {_socket(real)} -m" for real in server.real_servers),
            _address("replace", str(server.address)),
        )
    ]


def _every_port(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    """Virtual servers of any port, which must be persistent, and no rule that refuses others."""
    firsts = {
        (server.protocol, server.address): server
        for server in now.servers
        if server.address in now.cluster_ips and server.real_servers
    }
    commands = []
    for server in firsts.values():
        every = f"{_FLAGS[server.protocol]} {_socket(server, 0)}"
        real = _socket(server.real_servers[0], 0)
        commands += [f"ipvsadm -A {every} -s rr -p 60", f"ipvsadm -a {every} -r {real} -m"]
    return [*commands, f"{now.iptables} -F KUBE-IPVS-FILTER"] if commands else []


def _others_not_refused(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    return [f"{now.iptables} -F KUBE-IPVS-FILTER"]


# --- real servers ---------------------------------------------------------------------------------


def _last_of_weight_0(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    return [
        f"ipvsadm -e {_name(server)} -r {_socket(server.real_servers[-1])} -m -w 0"
        for server in now.servers
        if len(server.real_servers) > 1
    ]


def _last_missing(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    return [
        f"ipvsadm -d {_name(server)} -r {_socket(server.real_servers[-1])}"
        for server in now.servers
        if len(server.real_servers) > 1
    ]


def _wrong_target_port(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    return [
        command
        for server in now.servers
        for real in server.real_servers
        for command in (
            f"ipvsadm -d {_name(server)} -r {_socket(real)}",
            f"ipvsadm -a {_name(server)} -r {_socket(real, real.port + 1)} -m",
        )
    ]


def _not_translated(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    return [
        command
        for server in now.servers
        for real in server.real_servers
        for command in (
            f"ipvsadm -d {_name(server)} -r {_socket(real)}",
            f"ipvsadm -a {_name(server)} -r {_socket(real, server.port)} -g",
        )
    ]


def _endpoints_frozen(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    """Real servers that are gone, or have only their connections left, are back in full."""
    first = {_name(server): server for known in reversed(earlier) for server in known.servers}
    commands = []
    for server in now.servers:
        serving = {_socket(real) for real in server.real_servers if real.weight}
        there = {_socket(real) for real in server.real_servers}
        known = first.get(_name(server), server).real_servers
        commands += [
            f"ipvsadm {'-e' if real in there else '-a'} {_name(server)} -r {real} -m -w 1"
            for real in map(_socket, known)
            if real not in serving
        ]
    return commands


def _removed_at_once(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    return [
        f"ipvsadm -d {_name(server)} -r {_socket(real)}"
        for server in now.servers
        for real in server.real_servers
        if not real.weight
    ]


# --- addresses, sets and rules --------------------------------------------------------------------


def _address_missing(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    return [_address("delete", address) for address in now.cluster_ips]


def _strangers_not_masqueraded(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    return [
        f"{now.iptables} -t nat -I KUBE-SERVICES -d {address} -j RETURN"
        for address in now.cluster_ips
    ]


def _arp_answered(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    return ["echo 0 >/proc/sys/net/ipv4/conf/all/arp_ignore"]


def _emptied(name: str) -> Mutation:
    def mutate(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
        return [f"ipset del {now.set_name(name)} {entry}" for entry in now.of_set(name)]

    return mutate


def _not_masqueraded(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    return [f"{now.iptables} -t nat -F KUBE-POSTROUTING"]


def _pods_masqueraded(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    return [
        f"{now.iptables} -t nat -I KUBE-SERVICES -d {address} -j KUBE-MARK-MASQ"
        for address in now.cluster_ips
    ]


def _reject_as_drop(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    return [
        f"{now.iptables} -I KUBE-IPVS-FILTER -d {server.address} -j DROP"
        for server in now.servers
        if not server.real_servers
    ]


_ALL = (
    Mutant(
        "hashed-choice",
        "the scheduler chooses by the client's address",
        ("lb-rr-exact",),
        _hashed,
        "IPv4 and TCP",
    ),
    Mutant(
        "last-of-weight-0",
        "the last of several endpoints keeps the weight 0, as if it were to go",
        ("lb-all-eps-hit",),
        _last_of_weight_0,
    ),
    Mutant(
        "last-missing",
        "the last of several endpoints is no real server",
        ("lb-all-eps-hit",),
        _last_missing,
    ),
    Mutant(
        "each-datagram-for-itself",
        "each datagram is a connection of its own",
        ("lb-udp-tuple-sticks",),
        _each_datagram,
    ),
    Mutant(
        "wrong-target-port",
        "connections arrive at the port after the target port",
        ("cip-tcp-dnat",),
        _wrong_target_port,
    ),
    Mutant(
        "not-translated",
        "packets are routed to the endpoint with the cluster IP as their destination",
        ("cip-tcp-dnat",),
        _not_translated,
    ),
    Mutant(
        "udp-missing",
        "UDP ports have no virtual server",
        ("cip-udp-dnat",),
        _udp_missing,
    ),
    Mutant(
        "second-family-missing",
        "there is no virtual server of IPv6",
        ("cip-tcp-dnat",),
        _ipv6_missing,
        "IPv6",
    ),
    Mutant(
        "address-missing",
        "the dummy interface has lost the cluster IPs",
        ("cip-tcp-dnat",),
        _address_missing,
    ),
    Mutant(
        "node-ports-missing",
        "nodePorts of TCP have no virtual server",
        ("np-tcp",),
        _node_ports_missing,
    ),
    Mutant(
        "affinity-ignored",
        "virtual servers are not persistent",
        ("aff-clientip-sticky",),
        _affinity_ignored,
    ),
    Mutant(
        "affinity-of-networks",
        "persistence takes all clients of a network for one",
        ("aff-per-client",),
        _affinity_of_networks,
    ),
    Mutant(
        "affinity-too-long",
        "persistence lasts a minute longer than it should",
        ("ipvs-persist",),
        _affinity_too_long,
    ),
    Mutant(
        "nodeport-not-masqueraded",
        "the set of nodePorts whose clients are masqueraded is empty",
        ("np-masq-cluster",),
        _emptied("NODE-PORT-TCP"),
    ),
    Mutant(
        "cluster-ips-unlisted",
        "the set of cluster IPs is empty, so that connections to them are refused",
        ("cip-tcp-dnat",),
        _emptied("CLUSTER-IP"),
    ),
    Mutant(
        "strangers-not-masqueraded",
        "connections from outside to a cluster IP keep their client's address",
        ("masq-ext-cip",),
        _strangers_not_masqueraded,
        "IPv4 and TCP",
    ),
    Mutant(
        "hairpin-not-masqueraded",
        "the set of endpoints that may be sent to themselves is empty",
        ("masq-hairpin",),
        _emptied("LOOP-BACK"),
        "IPv4 and TCP",
    ),
    Mutant(
        "nothing-masqueraded",
        "the mark for masquerading is not acted upon",
        ("masq-ext-cluster",),
        _not_masqueraded,
        "IPv4 and TCP",
    ),
    Mutant(
        "pods-masqueraded",
        "connections of pods to a cluster IP are masqueraded",
        ("cip-no-snat-pod",),
        _pods_masqueraded,
        "IPv4 and TCP",
    ),
    Mutant(
        "reject-as-drop",
        "connections to a Service without endpoints are dropped instead of rejected",
        ("noep-cip-tcp",),
        _reject_as_drop,
        "IPv4 and not remote",
    ),
    Mutant(
        "every-port-served",
        "cluster IPs serve every port",
        ("cip-unserved-port",),
        _every_port,
        "IPv4 and UDP",
    ),
    Mutant(
        "others-not-refused",
        "processes on the node can be reached by cluster IPs",
        ("cip-host-svc-via-vip",),
        _others_not_refused,
    ),
    Mutant(
        "arp-answered",
        "the node answers for the addresses of Services despite strictARP",
        ("sec-arp-strict",),
        _arp_answered,
    ),
    Mutant(
        "endpoints-frozen",
        "a Service keeps the endpoints that it first had",
        ("cip-ep-ip-change",),
        _endpoints_frozen,
    ),
    Mutant(
        "removed-at-once",
        "an endpoint is no longer a real server although it has connections",
        ("cip-keep-on-ep-removed",),
        _removed_at_once,
    ),
    Mutant(
        "never-deleted",
        "a deleted Service is served on",
        ("cip-delete",),
        _never_deleted,
        "IPv4 and TCP",
    ),
)

MUTANTS = tuple(each if each.cases else each._replace(cases="IPv4") for each in _ALL)
