"""nftables mode from inside: one table for each family, with its chains, maps and sets."""

from __future__ import annotations

import re

from conformance.kube_proxy.conftest import with_all_frontends
from conformance.kube_proxy.nftables.chains import (
    ADDRESS,
    IP,
    Ruleset,
    base_name,
    chain_of,
    chains_of,
    chosen_by,
    leads_to,
    translated,
)
from conformance.vocabulary import (
    Family,
    Service,
    Services,
    World,
    arranged,
    docs,
    in_nftables,
    kep,
    source,
)

_KINDS = ("service", "local", "external", "endpoint", "firewall")


@in_nftables(
    "nft-base-priorities",
    docs("virtual-ips", "proxy mode nftables"),
    source("pkg/proxy/nftables/README.md"),
)
def test_base_chains_have_the_documented_priorities(ruleset: Ruleset) -> None:
    """kube-proxy must filter before it translates at dstnat - 10 (prerouting, output), translate at
    dstnat (prerouting, output), filter what it has translated at filter (input, forward, output)
    and masquerade at srcnat (postrouting), and all its base chains must accept what they do not
    decide.
    """
    found = ruleset().base_chains.values()
    dstnat, filtering, srcnat = -100, 0, 100  # linux/netfilter_ipv4.h, linux/netfilter_ipv6.h
    assert sorted((str(chain.type), str(chain.hook), chain.priority) for chain in found) == sorted(
        [
            ("filter", "prerouting", dstnat - 10),
            ("filter", "output", dstnat - 10),
            ("filter", "input", filtering),
            ("filter", "forward", filtering),
            ("filter", "output", filtering),
            ("nat", "prerouting", dstnat),
            ("nat", "output", dstnat),
            ("nat", "postrouting", srcnat),
        ]
    )
    assert {chain.policy for chain in found} == {"accept"}


@in_nftables(
    "nft-maps",
    docs("virtual-ips", "proxy mode nftables"),
    source("pkg/proxy/nftables/proxier_test.go", "TestOverallNFTablesRules"),
)
@with_all_frontends
def test_maps_lead_from_frontends_to_chains(web: Service, ruleset: Ruleset, family: Family) -> None:
    """The map service-ips must lead from each address, protocol and port of a Service with
    endpoints to the Service's chain, service-nodeports from protocol and nodePort, and firewall-ips
    from a load balancer's IP with source ranges to the chain that checks them, and packets must be
    looked up in each map by one rule.
    """
    table = ruleset()
    base, port = base_name(web), web.port
    internal = f"goto {chain_of(table, 'service', base).name}"
    external = f"goto {chain_of(table, 'external', base).name}"
    firewall = f"goto {chain_of(table, 'firewall', base).name}"
    node, *others = web.frontends[1:]
    cluster_ip, balancer, outer = (str(each.address) for each in (web.frontend, *others))
    expected = {
        "service-ips": {
            (cluster_ip, "tcp", port): internal,
            (outer, "tcp", port): external,
            (balancer, "tcp", port): external,
        },
        "service-nodeports": {("tcp", node.port): external},
        "firewall-ips": {(balancer, "tcp", port): firewall},
        "no-endpoint-services": {},
        "no-endpoint-nodeports": {},
    }
    mine = {cluster_ip, outer, balancer, node.port}
    for name, elements in expected.items():
        found = table.maps[name].elements
        assert {
            key: verdict
            for key, verdict in found.items()
            if isinstance(key, tuple) and mine.intersection(key)
        } == elements, name
        by_port = ("inet_proto", "inet_service")
        keys = by_port if name.endswith("nodeports") else (ADDRESS[family], *by_port)
        assert (table.maps[name].type, table.maps[name].value_type) == (keys, ("verdict",))
        users = [
            rule
            for chain in table.chains.values()
            for rule in chain.rules
            if f"@{name}" in [each["data"] for each in rule.find("vmap")]
        ]
        assert len(users) == 1, (name, users)
        if not name.endswith("nodeports"):
            start = f"{IP[family]} daddr . meta l4proto . th dport vmap"
            assert users[0].text.startswith(start), users


@in_nftables(
    "nft-no-endpoint-maps", source("pkg/proxy/nftables/proxier_test.go", "TestOverallNFTablesRules")
)
def test_service_without_endpoints_is_in_the_maps_that_refuse(
    service: Services, ruleset: Ruleset
) -> None:
    """A Service without endpoints must be in none of the maps that lead to endpoints and must have
    no chain, and no-endpoint-services and no-endpoint-nodeports must lead from its frontends to a
    chain that rejects.
    """
    empty = service(endpoints=0, type="NodePort")
    table = ruleset()
    address, port = (str(empty.cluster_ip), "tcp", empty.port), ("tcp", empty.node_port())
    assert address not in table.maps["service-ips"].elements
    assert port not in table.maps["service-nodeports"].elements
    assert not [name for name in table.chains if base_name(empty) in name]
    refused = {
        table.maps["no-endpoint-services"].elements.get(address),
        table.maps["no-endpoint-nodeports"].elements.get(port),
    }
    assert refused == {"goto reject-chain"}
    assert [rule.verdict for rule in table.chains["reject-chain"].rules] == ["reject"]


@in_nftables(
    "nft-sets", source("pkg/proxy/nftables/README.md"), source("pkg/proxy/nftables/proxier.go")
)
@arranged(lambda service: [service.spec(2, session_affinity=each) for each in (1234, "ClientIP")])
def test_sets_hold_what_the_rules_ask_for(
    webs: list[Service], ruleset: Ruleset, world: World, family: Family
) -> None:
    """The set cluster-ips must hold the cluster IPs, nodeport-ips the node's primary address, and a
    Service with ClientIP affinity must have a set for each endpoint whose elements end with the
    affinity's timeout; a deleted Service must leave nothing in them.
    """
    web, default = webs
    table = ruleset()
    timers = {each.timeout for name, each in table.sets.items() if base_name(default) in name}
    assert timers == {10800}, default
    assert "cluster-ips" in table.sets
    assert str(web.cluster_ip) in table.sets["cluster-ips"].elements
    assert set(table.sets["nodeport-ips"].elements) == {str(world.node.address(family))}
    mine = [each for name, each in table.sets.items() if base_name(web) in name]
    assert [(each.type, each.timeout) for each in mine] == [((ADDRESS[family],), 1234)] * 2, mine
    web.delete()
    table = ruleset()
    assert str(web.cluster_ip) not in table.sets["cluster-ips"].elements
    assert not [name for name in table.sets if base_name(web) in name]


@in_nftables("nft-hairpin-set", source("pkg/proxy/nftables/proxier.go", "hairpinConnectionsSet"))
@arranged(["pod", "remote-pod", "outside"])
def test_hairpin_set_holds_local_endpoints_alone(web: Service, ruleset: Ruleset) -> None:
    """The set hairpin-connections must hold each endpoint on this node, as a connection from and to
    itself, and no endpoint elsewhere.
    """
    here, elsewhere, outside = (web.socket(position) for position in range(3))
    sets = ruleset().sets
    assert "hairpin-connections" in sets, sorted(sets)
    connections = {
        element[1:]
        for element in sets["hairpin-connections"].elements
        if isinstance(element, tuple) and element[0] == element[1]
    }
    assert (str(here.address), "tcp", here.port) in connections
    assert not {
        (str(endpoint.address), "tcp", endpoint.port) for endpoint in (elsewhere, outside)
    }.intersection(connections)


@in_nftables(
    "nft-chain-names",
    source(
        "pkg/proxy/nftables/proxier_test.go",
        "Test_servicePortChainNameBase and Test_servicePortEndpointChainNameBase",
    ),
)
@with_all_frontends
def test_chain_names_have_a_kind_a_hash_and_the_service(web: Service, ruleset: Ruleset) -> None:
    """A Service port's chains must be called service-, local-, external- and firewall-, an
    endpoint's endpoint-, followed by a hash of 8 characters and namespace, name, protocol and port
    name, and for an endpoint its address and port.
    """
    web.update(session_affinity="ClientIP")  # only then has every endpoint a chain of its own
    base = base_name(web)
    names = [name for name in ruleset().chains if base in name]
    hashed = rf"({'|'.join(_KINDS)})-([A-Z2-7]{{8}})-{base}(?:__(.+)/(\d+))?"
    found = [match.groups() for name in names if (match := re.fullmatch(hashed, name))]
    assert len(found) == len(names), names
    of_port = [(kind, digest) for kind, digest, address, _ in found if address is None]
    assert sorted(kind for kind, _ in of_port) == ["external", "firewall", "local", "service"]
    assert len({digest for _, digest in of_port}) == 1, names
    endpoints = {(kind, address, int(port)) for kind, _, address, port in found if address}
    assert endpoints == {
        ("endpoint", str(endpoint.address).replace(":", "."), endpoint.port)
        for endpoint in web.endpoints
    }


@in_nftables("nft-vmap-lb", kep(3866), source("pkg/proxy/nftables/proxier.go"))
@arranged(lambda service: [service.spec(5), service.spec(1)])
def test_one_rule_chooses_the_endpoint(
    service: Services, webs: list[Service], ruleset: Ruleset
) -> None:
    """The chain of a Service with n endpoints must choose by one rule, with ClientIP affinity and
    without: a random number modulo n, looked up in a map with one element for each endpoint, which
    holds the endpoint's address and port, or the verdict to go to its chain, which translates; a
    single endpoint may instead be translated to at once.
    """
    web, alone = webs
    table = ruleset()
    (single,) = alone.endpoints
    assert leads_to(table, chain_of(table, "service", base_name(alone))) == [
        (str(single.address), single.port)
    ]
    for _ in range(2):
        table = ruleset()
        chosen = chosen_by(chain_of(table, "service", base_name(web))).values()
        assert sorted(translated(table, each) for each in chosen) == sorted(
            (str(each.address), each.port) for each in web.endpoints
        )
        web.update(session_affinity="ClientIP")


@in_nftables(
    "nft-affinity-sets", source("pkg/proxy/nftables/proxier.go", "writeServiceToEndpointJumps")
)
@arranged(3, session_affinity=1234)
def test_affinity_looks_for_the_client_in_each_set_before_choosing(
    web: Service, ruleset: Ruleset, family: Family
) -> None:
    """With ClientIP affinity, a Service's chain must first have a rule for each endpoint that sends
    the clients in the endpoint's set to the endpoint's chain, then the one that chooses, and the
    endpoint's chain must put the client into the set again as it translates.
    """
    table = ruleset()
    base, source = base_name(web), f"{IP[family]} saddr"
    rules = chain_of(table, "service", base).rules
    assert [bool(rule.find("numgen")) for rule in rules] == [False, False, False, True], rules
    assert {rule.text for rule in rules[:3]} == {
        f"{source} @{chain.name.replace('endpoint', 'affinity', 1)} goto {chain.name}"
        for chain in chains_of(table, "endpoint", base)
    }
    for chain in chains_of(table, "endpoint", base):
        updated = chain.name.replace("endpoint", "affinity", 1)
        assert chain.rules[0].text == f"update @{updated} {{ {source} }}", chain.rules
        assert chain.rules[-1].find("dnat"), chain.rules


@in_nftables("nft-cluster-ips-reject", source("pkg/proxy/nftables/proxier.go", "cluster-ips-check"))
def test_active_cluster_ips_are_rejected_before_others_are_dropped(ruleset: Ruleset) -> None:
    """The chain cluster-ips-check must reject packets to active cluster IPs by its first rule, and
    only then drop those to the rest of the Service range.
    """
    chains = ruleset().chains
    assert "cluster-ips-check" in chains
    first, *rest = chains["cluster-ips-check"].rules
    assert first.verdict == "reject", first
    assert "@cluster-ips" in first.text, first
    assert {rule.verdict for rule in rest} <= {"drop"}, rest
