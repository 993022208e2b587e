"""Mutants of kube-proxy's IPVS mode: what it has programmed, altered once a change is in force.

A mutation makes lines for a shell on the node from what is there for one family, and from what was
there at each earlier time in the same test.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.mutants.faults import shape
from tests.mutants.mutant import Mutant
from tests.mutants.programmed import FLAGS, Programmed, bound, named, properties, socket

if TYPE_CHECKING:
    from clusters.inspection.ipvs import RealServer, VirtualServer

Mutation = Callable[[Programmed, tuple[Programmed, ...]], list[str]]


def unmutated(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    """Nothing is altered."""
    return []


# --- virtual servers ------------------------------------------------------------------------------


def _hashed(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    return [f"ipvsadm -E {properties(server, 'sh')}" for server in now.servers]


def _udp_missing(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    return [f"ipvsadm -D {named(server)}" for server in now.servers if server.protocol == "UDP"]


def _ipv6_missing(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    return [f"ipvsadm -D {named(server)}" for server in now.servers if now.version == 6]


def _node_ports_missing(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    ports = now.of_set("NODE-PORT-TCP")
    return [
        f"ipvsadm -D {named(server)}"
        for server in now.servers
        if server.protocol == "TCP" and str(server.port) in ports
    ]


def _affinity_ignored(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    return [
        f"ipvsadm -E {named(server)} -s {server.scheduler}"
        for server in now.servers
        if server.persistence
    ]


def _affinity_of_networks(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    mask = "64" if now.version == 6 else "255.255.0.0"
    return [
        f"ipvsadm -E {properties(server)} -M {mask}" for server in now.servers if server.persistence
    ]


def _affinity_too_long(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    return [
        f"ipvsadm -E {named(server)} -s {server.scheduler} -p {server.persistence + 60}"
        for server in now.servers
        if server.persistence
    ]


def _each_datagram(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    return [
        f"ipvsadm -E {properties(server)} -o" for server in now.servers if server.protocol == "UDP"
    ]


def _never_deleted(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    there = {named(server) for server in now.servers}
    gone = {named(server): server for known in earlier for server in known.servers}
    return [
        command
        for name, server in gone.items()
        if name not in there
        for command in (
            f"ipvsadm -A {properties(server)}",
            *(f"ipvsadm -a {name} -r {socket(real)} -m" for real in server.real_servers),
            bound("replace", str(server.address)),
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
        every = f"{FLAGS[server.protocol]} {socket(server, 0)}"
        real = socket(server.real_servers[0], 0)
        commands += [f"ipvsadm -A {every} -s rr -p 60", f"ipvsadm -a {every} -r {real} -m"]
    return [*commands, f"{now.iptables} -F KUBE-IPVS-FILTER"] if commands else []


def _others_not_refused(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    return [f"{now.iptables} -F KUBE-IPVS-FILTER"]


# --- real servers ---------------------------------------------------------------------------------


def _last_of_weight_0(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    return [
        f"ipvsadm -e {named(server)} -r {socket(server.real_servers[-1])} -m -w 0"
        for server in now.servers
        if len(server.real_servers) > 1
    ]


def _last_missing(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    return [
        f"ipvsadm -d {named(server)} -r {socket(server.real_servers[-1])}"
        for server in now.servers
        if len(server.real_servers) > 1
    ]


def _replaced(end: Callable[[VirtualServer, RealServer], str]) -> Mutation:
    """Each real server gives way to ``end``: a socket and how it is forwarded to."""

    def mutate(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
        return [
            command
            for server in now.servers
            for real in server.real_servers
            for command in (
                f"ipvsadm -d {named(server)} -r {socket(real)}",
                f"ipvsadm -a {named(server)} -r {end(server, real)}",
            )
        ]

    return mutate


_wrong_target_port = _replaced(lambda _, real: f"{socket(real, real.port + 1)} -m")
_not_translated = _replaced(lambda server, real: f"{socket(real, server.port)} -g")


def _endpoints_frozen(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    """Real servers that are gone, or have only their connections left, are back in full."""
    first = {named(server): server for known in reversed(earlier) for server in known.servers}
    commands = []
    for server in now.servers:
        serving = {socket(real) for real in server.real_servers if real.weight}
        there = {socket(real) for real in server.real_servers}
        known = first.get(named(server), server).real_servers
        commands += [
            f"ipvsadm {'-e' if real in there else '-a'} {named(server)} -r {real} -m -w 1"
            for real in map(socket, known)
            if real not in serving
        ]
    return commands


def _removed_at_once(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    return [
        f"ipvsadm -d {named(server)} -r {socket(real)}"
        for server in now.servers
        for real in server.real_servers
        if not real.weight
    ]


# --- addresses, sets and rules --------------------------------------------------------------------


def _address_missing(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    return [bound("delete", address) for address in now.cluster_ips]


def _cluster_ips_sent(target: str) -> Mutation:
    """Before anything else, connections to cluster IPs are sent to ``target``."""

    def mutate(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
        return [
            f"{now.iptables} -t nat -I KUBE-SERVICES -d {address} -j {target}"
            for address in now.cluster_ips
        ]

    return mutate


_strangers_not_masqueraded = _cluster_ips_sent("RETURN")
_pods_masqueraded = _cluster_ips_sent("KUBE-MARK-MASQ")


def _arp_answered(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    return ["echo 0 >/proc/sys/net/ipv4/conf/all/arp_ignore"]


def _emptied(name: str) -> Mutation:
    def mutate(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
        return [f"ipset del {now.set_name(name)} {entry}" for entry in now.of_set(name)]

    return mutate


def _not_masqueraded(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    return [f"{now.iptables} -t nat -F KUBE-POSTROUTING"]


def _reject_as_drop(now: Programmed, earlier: tuple[Programmed, ...]) -> list[str]:
    return [
        f"{now.iptables} -I KUBE-IPVS-FILTER -d {server.address} -j DROP"
        for server in now.servers
        if not server.real_servers
    ]


_IPV4 = "(IPv4 or not IPv6)"
"""Cases of IPv4, of both families, or of none in particular, as pytest's -k takes it."""

_TCP_OF_IPV4 = f"{_IPV4} and (TCP or not UDP)"

fault = functools.partial(shape.fault, censuses=False)
"""What is altered after a test's settle is none of what a census saw, which is taken before."""

_ALL = (
    Mutant(
        "hashed-choice",
        "the scheduler chooses by the client's address",
        ("lb-rr-exact",),
        _hashed,
        _TCP_OF_IPV4,
    ),
    Mutant(
        "last-of-weight-0",
        "the last of several endpoints keeps the weight 0, as if it were to go",
        ("lb-all-eps-hit",),
        _last_of_weight_0,
        _TCP_OF_IPV4,
    ),
    Mutant(
        "last-missing",
        "the last of several endpoints is no real server",
        ("lb-all-eps-hit",),
        _last_missing,
        _TCP_OF_IPV4,
    ),
    Mutant(
        "each-datagram-for-itself",
        "each datagram is a connection of its own",
        ("lb-udp-tuple-sticks", "ct-np-port-clash"),
        _each_datagram,
        "IPv4 and not unanswered",
    ),
    fault("wrong-target-port", _wrong_target_port),
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
    fault("affinity-ignored", _affinity_ignored),
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
    fault("nodeport-not-masqueraded", _emptied("NODE-PORT-TCP")),
    Mutant(
        "cluster-ips-unlisted",
        "the set of cluster IPs is empty, so that connections to them are refused",
        ("cip-tcp-dnat",),
        _emptied("CLUSTER-IP"),
    ),
    Mutant(
        "health-ports-unlisted",
        "the set of healthCheckNodePorts is empty, so that they are refused at cluster IPs",
        ("hc-np-ipvs-vip",),
        _emptied("HEALTH-CHECK-NODE-PORT"),
    ),
    Mutant(
        "strangers-not-masqueraded",
        "connections from outside to a cluster IP keep their client's address",
        ("masq-ext-cip",),
        _strangers_not_masqueraded,
        _TCP_OF_IPV4,
    ),
    fault("hairpin-not-masqueraded", _emptied("LOOP-BACK"), _TCP_OF_IPV4),
    Mutant(
        "nothing-masqueraded",
        "the mark for masquerading is not acted upon",
        ("masq-ext-cluster",),
        _not_masqueraded,
        _TCP_OF_IPV4,
    ),
    fault("pods-masqueraded", _pods_masqueraded, _TCP_OF_IPV4),
    fault("reject-as-drop", _reject_as_drop, f"{_IPV4} and not remote"),
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
    fault(
        "endpoints-frozen",
        _endpoints_frozen,
        f"{_IPV4} and (TCP or not UDP or ct-udp)",
        *("ct-udp-zero-eps", "ct-udp-recreated"),  # which other modes break of themselves
        *("ct-udp-readdressed", "ct-udp-zero-eps-np"),
    ),
    Mutant(
        "removed-at-once",
        "an endpoint is no longer a real server although it has connections",
        ("cip-keep-on-ep-removed",),
        _removed_at_once,
    ),
    fault("never-deleted", _never_deleted, f"{_IPV4} and (TCP or ct-udp)", "ct-udp-deleted"),
)

MUTANTS = tuple(each if each.cases else each._replace(cases=_IPV4) for each in _ALL)
