"""iptables mode from inside: chains, jumps and rules."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from conformance.kube_proxy.conftest import with_all_frontends
from conformance.kube_proxy.iptables.chains import (
    NAT_JUMPS,
    Chains,
    conditions,
    endpoints_behind,
    jumps,
    only,
    service_chain,
    targets,
    towards,
    translation,
)
from conformance.vocabulary import (
    OUTSIDE,
    Family,
    Port,
    Service,
    Services,
    api,
    arranged,
    by_time,
    docs,
    in_iptables,
    kep,
    source,
)

_HASH = re.compile(r"KUBE-(SVC|SVL|FW|EXT|SEP)-([A-Z2-7]{16})")
_PERIOD = 30  # seconds: syncPeriod, after which a canary that could not be made is tried again


@in_iptables("ipt-jumps-nat", source("pkg/proxy/iptables/proxier.go", "iptablesJumpChains"))
def test_nat_table_jumps_to_the_service_and_postrouting_chains(chains: Chains) -> None:
    """In table nat, PREROUTING and OUTPUT must jump to KUBE-SERVICES and POSTROUTING to
    KUBE-POSTROUTING, once each and without condition.
    """
    assert jumps(chains("nat")) == NAT_JUMPS


@in_iptables("ipt-jumps-filter", source("pkg/proxy/iptables/proxier.go", "iptablesJumpChains"))
def test_filter_table_jumps_to_the_chains_that_refuse_and_allow(chains: Chains) -> None:
    """In table filter, new connections must be taken through KUBE-PROXY-FIREWALL from INPUT,
    FORWARD and OUTPUT, KUBE-SERVICES from FORWARD and OUTPUT and KUBE-EXTERNAL-SERVICES from INPUT
    and FORWARD, and all packets through KUBE-NODEPORTS from INPUT and KUBE-FORWARD from FORWARD.
    """
    found = jumps(chains("filter"))
    for builtin in ("INPUT", "OUTPUT"):  # shared with the kubelet, which may have made its own
        found.pop((builtin, "KUBE-FIREWALL", False), None)
    assert found == Counter(
        [
            ("INPUT", "KUBE-PROXY-FIREWALL", True),
            ("FORWARD", "KUBE-PROXY-FIREWALL", True),
            ("OUTPUT", "KUBE-PROXY-FIREWALL", True),
            ("FORWARD", "KUBE-SERVICES", True),
            ("OUTPUT", "KUBE-SERVICES", True),
            ("INPUT", "KUBE-EXTERNAL-SERVICES", True),
            ("FORWARD", "KUBE-EXTERNAL-SERVICES", True),
            ("INPUT", "KUBE-NODEPORTS", False),
            ("FORWARD", "KUBE-FORWARD", False),
        ]
    )


@in_iptables("ipt-service-chains", docs("virtual-ips", "proxy mode iptables"))
@arranged(3, ports=[Port(80, 8080, "TCP", "web"), Port(80, 5353, "UDP", "dns")])
def test_each_service_port_leads_over_its_own_chains_to_dnat(web: Service, chains: Chains) -> None:
    """KUBE-SERVICES must have exactly one rule for the cluster IP of each Service port, which jumps
    to the port's KUBE-SVC- chain, that one to a KUBE-SEP- chain for each endpoint, and that one
    must translate to the endpoint's address and port.
    """
    nat = chains("nat")
    rules = towards(nat["KUBE-SERVICES"], web.cluster_ip, 80)
    assert sorted(rule.protocol or "any" for rule in rules) == ["tcp", "udp"], rules
    for rule, port in zip(
        sorted(rules, key=lambda rule: str(rule.protocol)), ("web", "dns"), strict=True
    ):
        assert str(rule.jump).startswith("KUBE-SVC-"), rule
        chain = nat[str(rule.jump)]
        assert {name[:9] for name in targets(chain)} == {"KUBE-SEP-"}, chain.rules
        assert endpoints_behind(nat, chain) == sorted(map(str, web.endpoints_of(port)))
        for name in targets(chain):
            assert translation(nat[name]).protocol == rule.protocol, nat[name].rules


@in_iptables("ipt-chain-names", docs("virtual-ips"), source("pkg/proxy/iptables/proxier.go"))
@with_all_frontends
def test_chains_of_a_service_have_a_kind_and_a_hash(web: Service, chains: Chains) -> None:
    """The chains of a Service port must be called KUBE-SVC-, KUBE-SVL-, KUBE-EXT- and KUBE-FW- with
    one hash of 16 characters, and those of its endpoints KUBE-SEP- with a hash each.
    """
    nat = chains("nat")
    frontends = {str(each.address) for each in web.frontends}
    owned = set[str]()
    ahead = [str(rule.jump) for rule in nat["KUBE-SERVICES"].rules if rule.destination in frontends]
    while ahead:
        owned.add(name := ahead.pop())
        ahead += [target for target in targets(nat[name]) if target in nat]
    parts = [match.groups() for name in owned if (match := _HASH.fullmatch(name))]
    assert len(parts) == len(owned), owned
    assert Counter(kind for kind, _ in parts) == {"SVC": 1, "SVL": 1, "EXT": 1, "FW": 1, "SEP": 3}
    assert len({hashed for kind, hashed in parts if kind != "SEP"}) == 1, owned
    assert len({hashed for _, hashed in parts}) == 1 + 3, owned


@in_iptables("ipt-svl-vs-svc", source("pkg/proxy/iptables/proxier.go", "localPolicyChain"))
@with_all_frontends
def test_local_policy_has_a_chain_of_local_endpoints(web: Service, chains: Chains) -> None:
    """A Service with a Local traffic policy must have a KUBE-SVL- chain with this node's endpoints
    alone, where its KUBE-EXT- chain ends, beside the KUBE-SVC- chain with all of them.
    """
    nat = chains("nat")
    *_, external = web.external_frontends
    outer = only(towards(nat["KUBE-SERVICES"], *external), "external IP")
    assert str(outer.jump).startswith("KUBE-EXT-"), outer
    last = nat[str(outer.jump)].rules[-1]
    assert str(last.jump).startswith("KUBE-SVL-"), last
    assert conditions(last) == []
    here = sorted(str(web.socket(position)) for position in (0, 1))
    assert endpoints_behind(nat, nat[str(last.jump)]) == here
    everywhere = sorted(map(str, web.endpoints))
    assert endpoints_behind(nat, service_chain(nat, web)) == everywhere


@in_iptables(
    "ipt-fw-chain",
    api("Service", "spec.loadBalancerSourceRanges"),
    source("pkg/proxy/iptables/proxier.go"),
)
@with_all_frontends
def test_source_ranges_have_a_chain_in_nat_and_a_drop_in_filter(
    web: Service, chains: Chains, family: Family
) -> None:
    """For a Service with loadBalancerSourceRanges, the load balancer's IP must lead to a KUBE-FW-
    chain that lets through the ranges alone, and KUBE-PROXY-FIREWALL in table filter must drop what
    it has not let through.
    """
    nat = chains("nat")
    _, balancer, _ = web.external_frontends
    rule = only(towards(nat["KUBE-SERVICES"], *balancer), "load balancer")
    assert str(rule.jump).startswith("KUBE-FW-"), rule
    through = [each for each in nat[str(rule.jump)].rules if each.jump]
    assert [each.source for each in through] == [str(OUTSIDE[family])], through
    assert str(through[0].jump).startswith("KUBE-EXT-"), through
    firewall = chains("filter")["KUBE-PROXY-FIREWALL"]
    drops = towards(firewall, *balancer)
    assert [each.jump for each in drops] == ["DROP"], firewall.rules


@in_iptables(
    "ipt-nodeports-last",
    source("pkg/proxy/iptables/proxier.go", "'must be the last rule in this chain'"),
)
@with_all_frontends
def test_node_ports_come_last(web: Service, chains: Chains) -> None:
    """The last rule of KUBE-SERVICES, and no other, must jump to KUBE-NODEPORTS, for packets to an
    address of the node, and there the Service's nodePort must lead to its KUBE-EXT- chain.
    """
    nat = chains("nat")
    rules = nat["KUBE-SERVICES"].rules
    jumping = [number for number, rule in enumerate(rules) if rule.jump == "KUBE-NODEPORTS"]
    assert jumping == [len(rules) - 1], rules[-2:]
    assert rules[-1].option("--dst-type") == "LOCAL", rules[-1]
    mine = [rule for rule in nat["KUBE-NODEPORTS"].rules if rule.dport == web.node_port()]
    assert mine
    assert {str(rule.jump)[:9] for rule in mine} == {"KUBE-EXT-"}, mine


@in_iptables("ipt-comments", source("pkg/proxy/iptables/proxier.go", "appendServiceCommentLocked"))
@with_all_frontends
def test_rules_name_their_service_in_a_comment(web: Service, chains: Chains) -> None:
    """In a cluster of at most 1000 endpoints, every rule that sends a Service's packets on, and
    every rule for one of its endpoints, must carry the Service's namespace, name and port name as a
    comment.
    """
    nat = chains("nat")
    chain = service_chain(nat, web)
    rules = [*towards(nat["KUBE-SERVICES"], *web.frontend), *chain.rules]
    rules += [rule for target in targets(chain) for rule in nat[target].rules]
    name = f"{web.namespace}/{web.name}:web"
    assert not [rule for rule in rules if name not in (rule.comment or "")]


@in_iptables(
    "ipt-probability", source("pkg/proxy/iptables/proxier_test.go", "TestComputeProbability")
)
@pytest.mark.parametrize("count", [1, 7])
def test_probabilities_make_each_endpoint_equally_likely(
    service: Services, chains: Chains, count: int
) -> None:
    """Of a Service's n endpoint rules, the first must match with probability 1/n, the next with
    1/(n-1), and so on; the last must have no random match.
    """
    web = service(endpoints=count)
    chain = service_chain(chains("nat"), web)
    rules = [rule for rule in chain.rules if str(rule.jump).startswith("KUBE-SEP-")]
    assert len(rules) == count, chain.rules
    shares = [rule.probability for rule in rules]
    # the kernel keeps a probability as a multiple of 2**-31
    assert shares[:-1] == pytest.approx([1 / left for left in range(count, 1, -1)], abs=1e-9)
    assert conditions(rules[-1]) == [], rules[-1]


@in_iptables(
    "ipt-affinity-recent",
    docs("virtual-ips", "session affinity"),
    source("pkg/proxy/iptables/proxier.go"),
)
@arranged(lambda service: [service.spec(session_affinity=each) for each in (1234, "ClientIP")])
def test_affinity_looks_for_recent_clients_before_choosing(
    webs: list[Service], chains: Chains
) -> None:
    """With ClientIP affinity, a Service's chain must first have a rule for each endpoint that asks
    whether the client was there within the timeout (rcheck, seconds, reap), then the random ones,
    and the endpoint's chain must note the client as it translates.
    """
    web, default = webs
    nat = chains("nat")
    seconds = {rule.option("--seconds") for rule in service_chain(nat, default).rules}
    assert seconds - {None} == {"10800"}, default
    rules = [
        rule for rule in service_chain(nat, web).rules if str(rule.jump).startswith("KUBE-SEP-")
    ]
    recent, chosen = rules[:3], rules[3:]
    assert [rule.jump for rule in recent] == [rule.jump for rule in chosen]
    assert not any("recent" in rule.matches for rule in chosen), chosen
    for rule in recent:
        assert rule.option("--rcheck") == "", rule
        assert rule.option("--reap") == "", rule
        assert rule.option("--seconds") == "1234", rule
        assert rule.option("--rsource") == "", rule
        dnat = translation(nat[str(rule.jump)])
        assert dnat.option("--set") == "", dnat
        assert dnat.option("--name") == rule.option("--name"), (rule, dnat)
    assert len({rule.option("--name") for rule in recent}) == 3, recent


@in_iptables(
    "ipt-large-noop", source("pkg/proxy/iptables/proxier_test.go", "TestOverallIPTablesRules")
)
def test_service_without_endpoints_has_only_rules_that_refuse(
    service: Services, chains: Chains
) -> None:
    """A Service without endpoints must have no chain and no rule in table nat: a REJECT in table
    filter for each of its frontends is all there is of it.
    """
    empty = service(endpoints=0, type="NodePort")
    name = f"{empty.namespace}/{empty.name}:"
    in_nat = [rule for chain in chains("nat").values() for rule in chain.rules if name in rule]
    assert in_nat == []
    found = [rule for chain in chains("filter").values() for rule in chain.rules if name in rule]
    assert {(rule.chain, rule.destination, rule.dport, rule.jump) for rule in found} == {
        ("KUBE-SERVICES", str(empty.cluster_ip), empty.port, "REJECT"),
        ("KUBE-EXTERNAL-SERVICES", None, empty.node_port(), "REJECT"),
    }


@in_iptables("ipt-canary", kep(3178), docs("virtual-ips", "syncPeriod"))
def test_canary_chains_exist(chains: Chains) -> None:
    """A chain KUBE-PROXY-CANARY must be kept in tables mangle, nat and filter: its loss betrays
    that somebody has flushed the rules.
    """
    # made beside the first sync, and tried again after a period should that fail
    for table in ("mangle", "nat", "filter"):
        canary = lambda table=table: "KUBE-PROXY-CANARY" in chains(table)  # noqa: E731
        by_time(f"KUBE-PROXY-CANARY in {table}", canary, 2 * _PERIOD)
