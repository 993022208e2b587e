"""How a packet finds its Service: through one rule after another, or by one lookup in a map."""

from __future__ import annotations

import json

from clusters.inspection.iptables import Rule
from clusters.inspection.nftables import Table
from conformance.kube_proxy.iptables.chains import (
    TOOL,
    Chains,
    only,
    service_chain,
    targets,
    towards,
)
from conformance.kube_proxy.nftables.chains import Ruleset
from conformance.vocabulary import (
    Client,
    Family,
    LabClient,
    Service,
    Services,
    World,
    arranged,
    docs,
    expect,
    in_iptables,
    in_nftables,
    kep,
    man,
    requirement,
)

_FEW, _MORE = 5, 30


def small(service: Services, count: int) -> list[Service]:
    """Many small Services at once."""
    return service.create([service.spec([service.endpoint()]) for _ in range(count)])


@requirement("cip-local-route", docs("virtual-ips"), feature="unbound-cluster-ips")
@arranged(1)
def test_cluster_ip_is_on_no_interface(web: Service, client: Client, world: World) -> None:
    """A cluster IP must not belong to any interface of the node, nor be a local address of it, and
    packets to it must reach an endpoint all the same.
    """
    expect(client.connect(*web.frontend)).delivered(to=web, reply="any")
    interfaces = json.loads(world.node.run(["ip", "-json", "address"]).stdout)
    carried = {info["local"] for each in interfaces for info in each["addr_info"]}
    if str(world.node.address(client.family)) not in carried:
        raise RuntimeError(
            f"the node's own address is not among those of its interfaces: {carried}"
        )
    assert str(web.cluster_ip) not in carried
    route = world.node.run(["ip", "-json", "route", "get", str(web.cluster_ip)]).stdout
    assert [each.get("type", "unicast") for each in json.loads(route)] == ["unicast"], route


@in_iptables(
    "ipt-linear-search",
    kep(3866, "motivation"),
    docs("virtual-ips", "optimizing iptables mode performance"),
)
def test_a_first_packet_is_compared_with_one_rule_per_service(
    service: Services, chains: Chains, client: Client, world: World, family: Family
) -> None:
    """KUBE-SERVICES must have one rule more for every Service more, and the first packet of a
    connection must pass those of all Services before its own, but none after.
    """
    small(service, _FEW)
    few = len(chains("nat")["KUBE-SERVICES"].rules)
    crowd = small(service, _MORE)
    rules = chains("nat")["KUBE-SERVICES"].rules
    assert len(rules) == few + _MORE
    places = {rule.destination: place for place, rule in enumerate(rules)}
    ordered = sorted(crowd, key=lambda web: places.get(str(web.cluster_ip), -1))
    middle = ordered[_MORE // 2]
    place = places[str(middle.cluster_ip)]
    # rules that do nothing but count this client's packets, set from behind: places stay right
    for name, position in (("after", place + 1), ("before", place), ("first", 0)):
        command = f"{TOOL[family]} -w -t nat -I KUBE-SERVICES"
        match = f"{position + 1} -s {client.address} -m comment --comment counting:{name}"
        world.node.run([*command.split(), *match.split()])

    def counted() -> dict[str, int]:
        found: dict[str, Rule] = {
            str(rule.comment).removeprefix("counting:"): rule
            for rule in chains("nat")["KUBE-SERVICES"].rules
            if str(rule.comment).startswith("counting:")
        }
        if len(found) < 3:
            raise RuntimeError(f"rules that were to count are gone; left are {found}")
        return {name: rule.packets for name, rule in found.items()}

    def passed(web: Service) -> dict[str, int]:
        before = counted()
        expect(client.connect(*web.frontend)).delivered(to=web, reply="any")
        return {name: packets - before[name] for name, packets in counted().items()}

    assert passed(middle) == {"first": 1, "before": 1, "after": 0}
    assert passed(ordered[-1]) == {"first": 1, "before": 1, "after": 1}
    assert passed(ordered[0]) == {"first": 1, "before": 0, "after": 0}


@in_iptables(
    "ipt-first-packet-only",
    man("iptables", "table nat is consulted when a packet creates a new connection"),
)
@arranged(2)
def test_later_packets_do_not_walk_the_rules(
    web: Service, chains: Chains, client: LabClient
) -> None:
    """The first packet of a connection alone must be matched by the rules of its Service: conntrack
    translates all later packets and the replies.
    """
    exchange(client, web, connections=10)
    nat = chains("nat")
    rule = only(towards(nat["KUBE-SERVICES"], *web.frontend), f"for {web}")
    assert rule.packets == 10, rule
    endpoint_rules = [each for name in targets(service_chain(nat, web)) for each in nat[name].rules]
    assert sum(each.packets for each in endpoint_rules) == 10, endpoint_rules


@in_nftables(
    "nft-first-packet-only", man("nft", "type nat sees only the first packet of a given connection")
)
@arranged(2)
def test_later_packets_do_not_look_anything_up(
    web: Service, ruleset: Ruleset, client: LabClient, world: World
) -> None:
    """The first packet of a connection alone must be sent through the chain of its Service:
    conntrack translates all later packets and the replies.
    """
    table = ruleset()
    verdict = table.maps["service-ips"].elements.get((str(web.cluster_ip), "tcp", web.port))
    chain = str(verdict).removeprefix("goto ")
    assert chain in table.chains, verdict
    world.node.run(["nft", "insert", "rule", table.family, table.name, chain, "counter"])
    exchange(client, web, connections=10)
    counting = ruleset().chains[chain].rules[0]
    assert counting.packets == 10, counting


def exchange(client: LabClient, web: Service, connections: int) -> None:
    """Open connections and send five messages there and back over each."""
    flows = client.open(*web.frontend, connections)
    for _ in range(5):
        expect(flows.exchange()).kept(flows)


@in_nftables("nft-constant-rules", kep(3866), docs("virtual-ips", "proxy mode nftables"))
def test_more_services_are_no_more_rules_to_pass(service: Services, ruleset: Ruleset) -> None:
    """However many Services there are, the chains that every packet passes must have the same
    rules: a Service adds elements to maps and a chain that only its own packets are sent to.
    """

    def common(table: Table) -> dict[str, list[str]]:
        reached, ahead = set[str](), list(table.base_chains)
        while ahead:
            reached.add(name := ahead.pop())
            verdicts = [str(rule.verdict).split() for rule in table.chains[name].rules]
            ahead += [words[1] for words in verdicts if words[0] in ("jump", "goto")]
        return {name: [rule.text for rule in table.chains[name].rules] for name in reached}

    small(service, _FEW)
    few = ruleset()
    crowd = small(service, _MORE)
    many = ruleset()
    assert common(many) == common(few)
    keys = {(str(web.cluster_ip), "tcp", web.port) for web in crowd}
    added = many.maps["service-ips"].elements.keys() - few.maps["service-ips"].elements.keys()
    assert added >= keys, keys - added
    assert len(many.chains) - len(few.chains) == _MORE
