"""What a change rewrites, what it leaves alone, and what it clears away."""

from __future__ import annotations

import time

from conformance.kube_proxy.iptables.chains import Chains, delete_own, service_chain, targets
from conformance.kube_proxy.nftables.chains import Ruleset, base_name, chain_of
from conformance.vocabulary import (
    ATTEMPTS,
    Client,
    Family,
    Service,
    Services,
    World,
    arranged,
    by_time,
    docs,
    e2e,
    expect,
    in_iptables,
    in_nftables,
    kep,
    over,
    source,
    two,
)

_PATIENCE = 60.0  # seconds in which what is noticed within two must be mended
_GRACE = 1.0  # seconds that nftables mode leaves a stale chain, emptied


@in_iptables(
    "sync-partial-only-changed",
    kep(3453),
    source("pkg/proxy/iptables/proxier_test.go", "TestSyncProxyRulesRepeated"),
)
@arranged(two)
def test_change_rewrites_the_chains_of_the_changed_service_alone(
    service: Services, webs: list[Service], chains: Chains, client: Client
) -> None:
    """A change to one Service must leave the chains of all other Services and their endpoints as
    they are, counters included: only those of the changed Service are written again.
    """
    changed, other = webs

    def counted(web: Service) -> dict[str, int]:
        nat = chains("nat")
        chain = service_chain(nat, web)
        names = [chain.name, *targets(chain)]
        return {rule: rule.packets for name in names for rule in nat[name].rules}

    for web in (changed, other):
        expect(client.connect_many(*web.frontend, 50)).delivered()
    before = counted(other)
    assert sum(before.values()) == 100, before  # at the Service's and at the endpoint's chain
    changed.set_endpoints([changed.endpoint(0), service.endpoint()])
    if any(counted(changed).values()):
        raise RuntimeError("chains that were written again have kept their counters")
    assert counted(other) == before


@in_nftables(
    "nft-partial-ops", source("pkg/proxy/nftables/proxier_test.go", "TestSyncProxyRulesRepeated")
)
@arranged(two)
def test_change_leaves_rules_and_elements_of_other_services_alone(
    service: Services, webs: list[Service], ruleset: Ruleset
) -> None:
    """A change to one Service must add, replace and remove rules of that Service alone: those of
    all other Services keep their handles, and so do the rules of the base chains.
    """
    changed, other = webs

    def handles(web: Service | None) -> set[int]:
        """Of a Service's rules, or of those that belong to none."""
        return {
            rule.handle
            for name, chain in ruleset().chains.items()
            for rule in chain.rules
            if (base_name(web) in name if web else "/" not in name)
        }

    before, common, replaced = handles(other), handles(None), handles(changed)
    assert before
    changed.set_endpoints([changed.endpoint(0), service.endpoint()])
    if handles(changed) & replaced:
        raise RuntimeError("rules that were written again have kept their handles")
    assert handles(other) == before
    assert handles(None) == common


@in_iptables(
    "ipt-stale-gc", source("pkg/proxy/iptables/proxier.go", "'Delete chains no longer in use'")
)
@arranged(2)
def test_chains_no_longer_in_use_are_deleted(web: Service, chains: Chains) -> None:
    """In a cluster of at most 1000 endpoints, the chain of a removed endpoint, and all chains of a
    deleted Service, must be deleted with the change that leaves them without use.
    """
    nat = chains("nat")
    chain = service_chain(nat, web)
    endpoint_chains = set(targets(chain))
    web.set_endpoints([web.endpoint(0)])
    nat = chains("nat")
    left = endpoint_chains & nat.keys()
    assert len(left) == 1, (endpoint_chains, left)
    assert set(targets(service_chain(nat, web))) == left
    web.delete()
    assert not chains("nat").keys() & {chain.name, *endpoint_chains}


@in_iptables(
    "sync-large-cluster",
    source("pkg/proxy/iptables/proxier_test.go", "TestSyncProxyRulesLargeClusterMode"),
)
@over(family="IPv4")
def test_rules_of_large_clusters_are_short(
    service: Services, client: Client, chains: Chains
) -> None:
    """In a cluster of more than 1000 endpoints, kube-proxy must write rules for endpoints without
    comments, and may leave chains that are no longer in use, but must serve all Services as ever.
    """
    large, web, gone = service.create([service.spec(1000), service.spec(2), service.spec(2)])
    web.set_endpoints(service.endpoints(2))  # so that its rules are written once more
    chain = service_chain(chains("nat"), gone).name
    gone.delete()
    nat = chains("nat")
    assert chain in nat
    chosen = service_chain(nat, web)
    leading = [rule for rule in chosen.rules if rule.jump in targets(chosen)]
    assert leading
    assert [rule for rule in leading if "comment" in str(rule)] == []
    expect(client.connect_many(*large.frontend, ATTEMPTS)).delivered(to=large)
    expect(client.connect_many(*web.frontend, ATTEMPTS)).delivered(to=web)
    expect(client.connect(*gone.frontend)).unserved()


@in_iptables(
    "sync-ipt-flush",
    e2e("networking", "recreate its iptables rules if they are deleted"),
    docs("virtual-ips", "syncPeriod"),
)
@over(configuration={"every-two-seconds": {"iptables": {"syncPeriod": "2s"}}})
@arranged(2)
def test_deleted_rules_are_written_again(
    web: Service, client: Client, world: World, chains: Chains, family: Family
) -> None:
    """When all of its rules and chains have been deleted, kube-proxy must notice within syncPeriod
    and write them again, though nothing has changed in the API.
    """
    expect(client.connect(*web.frontend)).delivered(to=web)
    delete_own(world.node, family)

    def restored() -> bool:
        found = chains("nat").get("KUBE-SERVICES")
        return found is not None and any(str(web.cluster_ip) in str(rule) for rule in found.rules)

    by_time("all rules are there again", restored, _PATIENCE)
    expect(client.connect_many(*web.frontend, ATTEMPTS)).delivered(to=web)


@in_nftables("nft-stale-chains", source("pkg/proxy/nftables/proxier.go", "staleChains"))
@arranged(2)
def test_stale_chains_are_emptied_and_deleted_later(
    service: Services, web: Service, ruleset: Ruleset
) -> None:
    """The chains of a deleted Service must be emptied at once, together with the removal of the
    elements that lead to them, and deleted at the first change that is at least a second later.
    """
    name = chain_of(ruleset(), "service", base_name(web)).name
    key = (str(web.cluster_ip), "tcp", web.port)
    start = time.monotonic()
    web.delete()
    table = ruleset()
    seconds = time.monotonic() - start
    assert key not in table.maps["service-ips"].elements
    if name in table.chains:
        assert not table.chains[name].rules
    else:
        assert seconds > _GRACE, f"deleted after {seconds:.2f} s at most"
    # it is the age of the chain that counts: there is nothing to wait for
    time.sleep(_GRACE + 0.01)
    service.settle()
    assert name not in ruleset().chains
