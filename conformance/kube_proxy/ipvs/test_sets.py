"""IPVS mode from inside: the sets that stand for Services in rules of iptables."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from conformance.kube_proxy.iptables.chains import NAT_JUMPS, Chains, jumps
from conformance.kube_proxy.ipvs.frontends import (
    PORTS,
    PREFIX,
    bound,
    own_addresses,
    sets,
    virtual_addresses,
)
from conformance.vocabulary import (
    NODE_NETWORKS,
    OUTSIDE,
    Family,
    IPAddress,
    Service,
    Services,
    ServiceSpec,
    World,
    arranged,
    family_of,
    in_ipvs,
    source,
)

_RESTRICTED: dict[bool, dict[str, Any]] = {
    False: {},
    True: {"load_balancer_source_ranges": OUTSIDE.values()},
}
_RANGES = (*OUTSIDE.values(), *NODE_NETWORKS.values())
_LONGEST = 31  # characters in the name of a set
_TYPES = {
    "CLUSTER-IP": "hash:ip,port",
    "LOOP-BACK": "hash:ip,port,ip",
    "EXTERNAL-IP": "hash:ip,port",
    "EXTERNAL-IP-LOCAL": "hash:ip,port",
    "LOAD-BALANCER": "hash:ip,port",
    "LOAD-BALANCER-LOCAL": "hash:ip,port",
    "LOAD-BALANCER-FW": "hash:ip,port",
    "LOAD-BALANCER-SOURCE-IP": "hash:ip,port,ip",
    "LOAD-BALANCER-SOURCE-CIDR": "hash:ip,port,net",
    "NODE-PORT-TCP": "bitmap:port",
    "NODE-PORT-LOCAL-TCP": "bitmap:port",
    "NODE-PORT-UDP": "bitmap:port",
    "NODE-PORT-LOCAL-UDP": "bitmap:port",
    "NODE-PORT-SCTP-HASH": "hash:ip,port",
    "NODE-PORT-LOCAL-SCTP-HASH": "hash:ip,port",
    "HEALTH-CHECK-NODE-PORT": "bitmap:port",
    "IPVS-IPS": "hash:ip",
}


def two_of_every_kind(service: Services) -> list[ServiceSpec]:
    """A Service with every kind of frontend, a port of each protocol, externalTrafficPolicy Local
    and source ranges that hold the node, and one with policy Cluster and without ranges; both with
    three endpoints of which one is on the node.
    """
    local = service.spec(
        3,
        ports=PORTS,
        external_traffic_policy="Local",
        load_balancer_source_ranges=_RANGES,
        exposed=True,
    )
    return [local, service.spec(3, ports=PORTS, exposed=True)]


def shortened(name: str, family: Family) -> str:
    """What is left of the name of a set: those of IPv6 have a longer prefix."""
    return name[: _LONGEST - len(PREFIX[family])]


@in_ipvs("ipvs-ipsets", source("pkg/proxy/ipvs/README.md"))
@arranged(two_of_every_kind)
def test_sets_hold_every_frontend(webs: list[Service], world: World, family: Family) -> None:
    """There must be a set, for IPv6 with the prefix KUBE-6- instead of KUBE-, for each thing that
    rules ask about a packet: whether it is for a cluster IP, an external IP, a load balancer's IP,
    a nodePort or a health check's nodePort, by protocol and port and apart for
    externalTrafficPolicy Local, or for any address of kube-ipvs0, whether its source is within the
    ranges of the load balancer, and whether an endpoint of the node talks to itself; the sets must
    hold exactly that.
    """
    local, cluster = webs
    found = sets(world.node, family)
    assert {name: each.type for name, each in found.items()} == {
        shortened(name, family): kind for name, kind in _TYPES.items()
    }
    words = words_about(local) | words_about(cluster)
    for name, expected in entries(local, cluster, world, family).items():
        entry = found[shortened(name, family)]
        assert {each for each in entry.entries if words & split(each)} == expected, entry
        if entry.type.startswith("hash"):
            assert entry.family == {"IPv4": "inet", "IPv6": "inet6"}[family], entry
    assert found["IPVS-IPS"].entries == {
        str(address) for address in bound(world.node) if family_of(address) == family
    }


def split(entry: str) -> set[str]:
    """Address and port of an entry, or its port where it has no address."""
    address, _, port = entry.partition(",")
    return {address, port.split(",")[0].partition(":")[2]}


def words_about(web: Service) -> set[str]:
    """What tells the entries of a Service from those of others: virtual addresses, addresses of
    endpoints, nodePorts.
    """
    ends = {end.address for port in PORTS for end in web.endpoints_of(port.name)}
    health = web.object["spec"].get("healthCheckNodePort")
    node_ports = {web.node_port(port.name) for port in PORTS}
    return set(map(str, virtual_addresses(web) | ends | node_ports | {health}))


def entries(local: Service, cluster: Service, world: World, family: Family) -> dict[str, set[str]]:
    """What the sets should hold of the two Services."""
    both = (local, cluster)
    lbips, eips = zip(
        *([each.address for each in web.external_frontends[1:]] for web in both), strict=True
    )
    ranges = [network[family] for network in (OUTSIDE, NODE_NETWORKS)]
    here = [web.endpoint(0).host.address(family) for web in both]

    def at(*addresses: IPAddress) -> set[str]:
        return {
            f"{address},{port.protocol.lower()}:{port.number}"
            for port in PORTS
            for address in addresses
        }

    def node_ports(port: str, *services: Service) -> set[str]:
        return {str(web.node_port(port)) for web in services}

    def of_sctp(*services: Service) -> set[str]:
        return {
            f"{address},sctp:{number}"
            for number in node_ports("signals", *services)
            for address in own_addresses(world.node, family)
        }

    return {
        "CLUSTER-IP": at(*(web.cluster_ip_of(family) for web in both)),
        "LOOP-BACK": {
            f"{address},{port.protocol.lower()}:{port.target},{address}"
            for address in here
            for port in PORTS
        },
        "EXTERNAL-IP": at(eips[1]),
        "EXTERNAL-IP-LOCAL": at(eips[0]),
        "LOAD-BALANCER": at(*lbips),
        "LOAD-BALANCER-LOCAL": at(lbips[0]),
        "LOAD-BALANCER-FW": at(lbips[0]),
        "LOAD-BALANCER-SOURCE-IP": {f"{each},{lbips[0]}" for each in at(lbips[0])},
        "LOAD-BALANCER-SOURCE-CIDR": {f"{each},{net}" for each in at(lbips[0]) for net in ranges},
        "NODE-PORT-TCP": node_ports("web", *both),
        "NODE-PORT-LOCAL-TCP": node_ports("web", local),
        "NODE-PORT-UDP": node_ports("names", *both),
        "NODE-PORT-LOCAL-UDP": node_ports("names", local),
        "NODE-PORT-SCTP-HASH": of_sctp(*both),
        "NODE-PORT-LOCAL-SCTP-HASH": of_sctp(local),
        "HEALTH-CHECK-NODE-PORT": {str(local.health_check_node_port)},
    }


@in_ipvs("ipvs-iptables-sets", source("pkg/proxy/ipvs/README.md"))
@arranged(["pod"], exposed=True)
def test_iptables_masquerades_and_filters_by_sets(
    web: Service, world: World, chains: Chains, family: Family
) -> None:
    """In IPVS mode iptables must masquerade, accept and refuse, but must not translate any
    destination: in table nat PREROUTING and OUTPUT lead to KUBE-SERVICES and POSTROUTING to
    KUBE-POSTROUTING, in table filter INPUT, FORWARD and OUTPUT to chains that refuse and allow, and
    their rules know Services by the sets alone.
    """
    nat, filtering = chains("nat"), chains("filter")
    assert jumps(nat) == NAT_JUMPS
    assert jumps(filtering) == Counter(
        [
            ("INPUT", "KUBE-IPVS-FILTER", False),
            ("INPUT", "KUBE-PROXY-FIREWALL", False),
            ("INPUT", "KUBE-NODE-PORT", False),
            ("FORWARD", "KUBE-PROXY-FIREWALL", False),
            ("FORWARD", "KUBE-FORWARD", False),
            ("OUTPUT", "KUBE-IPVS-OUT-FILTER", False),
        ]
    )
    rules = [rule for each in (nat, filtering) for chain in each.values() for rule in chain.rules]
    assert not [rule for rule in rules if rule.jump in ("DNAT", "REDIRECT")]
    addresses = virtual_addresses(web) | {end.address for end in web.endpoints}
    texts = {*map(str, addresses), str(web.node_port())}
    assert not [rule for rule in rules for text in texts if text in rule.replace("/", " ").split()]
    names = {value.split()[0] for rule in rules if (value := rule.option("--match-set"))}
    assert names
    assert names <= {PREFIX[family] + name for name in sets(world.node, family)}, names


@in_ipvs("ipvs-const-iptables", source("pkg/proxy/ipvs/README.md"))
@pytest.mark.parametrize("ranges", [False, True], ids=["plain", "source-ranges"])
def test_rules_do_not_depend_on_the_number_of_services(
    service: Services, chains: Chains, *, ranges: bool
) -> None:
    """The rules of iptables must be the same however many Services there are of each kind, those
    with loadBalancerSourceRanges among them.
    """

    def rules() -> list[str]:
        return [
            str(rule)
            for table in ("nat", "filter")
            for chain in chains(table).values()
            for rule in chain.rules
        ]

    # made here, since what other tests leave goes with it: rules of a kind go with the last of it
    service(1, exposed=True, **_RESTRICTED[ranges])
    few = rules()
    service.create([service.spec(1, exposed=True, **_RESTRICTED[ranges]) for _ in range(7)])
    assert rules() == few
