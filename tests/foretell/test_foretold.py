"""What is foretold of Services: for each kind of difference one that it is about, and one that it
is not about.
"""

from __future__ import annotations

from typing import Any

import pytest

from foretell import requirements
from foretell.foretold import Seen
from specification.features import FEATURES
from tests.foretell.cases import between, concerning, endpoints, node, service

PORT = {"name": "web", "port": 80, "protocol": "TCP", "nodePort": 30_080}
NODE_PORT = service(kind="NodePort", ports=[PORT])
LOCAL = service(kind="NodePort", ports=[PORT], externalTrafficPolicy="Local")
BALANCED = {
    **service(kind="LoadBalancer", ports=[PORT], externalTrafficPolicy="Local"),
    "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}]}},
}
STICKY = service(sessionAffinity="ClientIP")
UDP = service(ports=[{"name": "web", "port": 53, "protocol": "UDP"}])
SCTP = service(ports=[{"name": "web", "port": 53, "protocol": "SCTP"}])
SLICE = endpoints("web", "a", "b")


def with_affinity(seconds: int) -> dict[str, Any]:
    config = {"clientIP": {"timeoutSeconds": seconds}}
    return service(sessionAffinity="ClientIP", sessionAffinityConfig=config)


def hinted() -> dict[str, Any]:
    """Two endpoints, each for a zone of its own."""
    found = endpoints("web", "a", "b")
    for entry, zone in zip(found["endpoints"], ("east", "west"), strict=True):
        entry["hints"] = {"forZones": [{"name": zone}]}
    return found


@pytest.mark.parametrize(
    ("before", "after", "body", "name", "direction"),
    [
        ("iptables", "nftables", NODE_PORT, "localhost-node-ports", "lost"),
        ("iptables", "nftables", NODE_PORT, "node-ports-at-every-address", "lost"),
        ("nftables", "iptables", NODE_PORT, "node-ports-at-every-address", "gained"),
        ("iptables", "nftables", BALANCED, "health-checks-accepted", "lost"),
        ("iptables", "nftables", STICKY, "affinity-many-clients", "gained"),
        ("ipvs", "nftables", with_affinity(60), "affinity-timeout-change", "gained"),
        ("ipvs", "iptables", UDP, "ct-udp-deleted", "fault"),
        ("ipvs", "nftables", service(), "unserved-port-rejected", "gained"),
        ("iptables", "nftables", service(), "unserved-port-passed", "lost"),
        ("ipvs", "nftables", LOCAL, "policy-drops", "gained"),
        ("ipvs", "iptables", LOCAL, "etp-host-shortcircuit", "mended"),
        ("iptables", "nftables", UDP, "sync-atomic", "fault"),
        ("ipvs", "nftables", UDP, "ct-udp-deleted", "fault"),
        ("nftables@1.36.3", "nftables", UDP, "ct-udp-zero-eps", "mended"),
        ("nftables@1.31.0", "nftables@1.33.13", UDP, "ct-udp-zero-eps", "fault"),
        ("nftables@1.37.2", "nftables@1.38.0", UDP, "ct-udp-deleted", "mended"),
    ],
)
def test_a_service_is_told_what_changes_for_it(
    before: str, after: str, body: dict[str, Any], name: str, direction: str
) -> None:
    protocol = body["spec"]["ports"][0]["protocol"]
    found = between(before, after, body, endpoints("web", "a", "b", protocol=protocol))
    changes = concerning(found)
    assert name in changes, sorted(changes)
    change = changes[name]
    assert change.direction == direction
    assert change.sources
    assert change.requirements
    assert change.example


@pytest.mark.parametrize(
    ("before", "after", "body", "name"),
    [
        ("iptables", "nftables", service(), "localhost-node-ports"),
        ("iptables", "nftables", service(), "health-checks-accepted"),
        ("iptables", "nftables", NODE_PORT, "affinity-many-clients"),
        ("ipvs", "nftables", STICKY, "affinity-timeout-change"),
        ("ipvs", "nftables", NODE_PORT, "policy-drops"),
        ("ipvs", "nftables", service(), "ct-udp-deleted"),
        ("nftables@1.36.3", "nftables", service(), "ct-udp-zero-eps"),
        ("ipvs", "nftables", service(), "etp-switch-live"),
    ],
)
def test_others_are_not(before: str, after: str, body: dict[str, Any], name: str) -> None:
    found = between(before, after, body, endpoints("web", "a", "b"))
    assert name not in concerning(found)
    assert name not in {each.name for each in found.changes}


def test_where_it_shows_is_told_by_the_specification() -> None:
    found = between("iptables", "nftables", service(), SLICE)
    change = concerning(found)["unserved-port-passed"]
    assert change.counterpart == FEATURES["unserved-port-rejected"].sentence
    (where,) = change.services.values()
    assert Seen("cluster IP", "pod", "passed on", "refused") in where


def test_hints_are_followed_where_they_are_and_where_zones_differ() -> None:
    """Before 1.31 only Services with an annotation follow them."""
    zoned = [node("a", "east"), node("b", "west"), node("c", "east")]
    sides = "iptables@1.30.4", "iptables@1.31.0"
    change = concerning(between(*sides, service(), hinted(), *zoned))["unannotated-hints"]
    assert change.direction == "gained"
    asking = service()
    asking["metadata"]["annotations"] = {"service.kubernetes.io/topology-mode": "Auto"}
    assert "unannotated-hints" not in concerning(between(*sides, asking, hinted(), *zoned))
    assert "unannotated-hints" not in concerning(between(*sides, service(), SLICE, *zoned))


def test_a_policy_that_nothing_is_kept_from_tells_nothing() -> None:
    """Every node has an endpoint."""
    both = [node("a"), node("b")]
    assert "policy-drops" not in concerning(between("ipvs", "nftables", LOCAL, SLICE, *both))
    more = [*both, node("c")]
    assert "policy-drops" in concerning(between("ipvs", "nftables", LOCAL, SLICE, *more))


@pytest.mark.parametrize(
    ("before", "after", "body", "shows"),
    [
        ({}, {"masqueradeAll": True}, service(), "cluster IP"),
        ({"masqueradeAll": True}, {"masqueradeAll": True}, service(), ""),
    ],
)
def test_configurations_of_the_mode_are_held_against_each_other(
    before: dict[str, Any], after: dict[str, Any], body: dict[str, Any], shows: str
) -> None:
    given = tuple({"clusterCIDR": "10.128.0.0/10", "nftables": each} for each in (before, after))
    found = between("nftables", "nftables", body, SLICE, configs=(given[0], given[1]))
    kinds = {
        seen.frontend
        for each in found.changes
        for where in each.services.values()
        for seen in where
    }
    assert kinds == ({shows} if shows else set())
    assert bool(found.changes) == bool(shows)


def test_a_configuration_of_all_is_held_against_another() -> None:
    old = {"clusterCIDR": "10.128.0.0/10"}
    outside = old | {"nodePortAddresses": ["198.51.100.0/24"]}
    own = old | {"nodePortAddresses": ["192.0.2.0/24"]}
    off = old | {"featureGates": {"AllowServiceExternalIPs": False}}
    there = [SLICE, node("a", address="192.0.2.10")]

    def names(body: dict[str, Any], *configs: dict[str, Any]) -> set[str]:
        two = configs[0], configs[1]
        return set(concerning(between("nftables", "nftables", body, *there, configs=two)))

    assert names(NODE_PORT, old, outside) == {"configuration"}
    assert names(NODE_PORT, own, outside) == {"configuration"}
    assert names(NODE_PORT, own, own) == set()
    assert names(service(), old, outside) == set()
    external = service(externalIPs=["198.51.100.9"])
    assert names(external, old, off) == {"configuration"}
    assert names(service(), old, off) == set()
    unknown = {"clusterCIDR": ""}
    assert names(service(), old, unknown) == {"configuration"}


def test_a_default_is_told_of_where_nothing_is_said_alone() -> None:
    said = {"nodePortAddresses": ["192.0.2.0/24"], "iptables": {"localhostNodePorts": False}}
    found = between("iptables", "nftables", NODE_PORT, SLICE, configs=(said, said))
    assert "node-ports-at-every-address" not in concerning(found)
    assert "localhost-node-ports" not in concerning(found)


def test_schedulers_are_told_of_where_one_is_configured() -> None:
    rr, sh = {"mode": "ipvs"}, {"mode": "ipvs", "ipvs": {"scheduler": "sh"}}
    after = {"mode": "nftables"}
    for before, lost in ((rr, "round-robin"), (sh, "ipvs-schedulers")):
        found = between("ipvs", "nftables", service(), SLICE, configs=(before, after))
        names = {each.name for each in found.changes if each.everywhere}
        assert names & {"round-robin", "ipvs-schedulers"} == {lost}


@pytest.mark.parametrize("words", ["nftables", "iptables", "ipvs", "nftables@1.29.6"])
def test_nothing_changes_from_a_side_to_itself(words: str) -> None:
    found = between(words, words, BALANCED, SCTP, STICKY, SLICE)
    assert found.changes == ()


def test_every_fault_that_is_listed_is_of_a_requirement_that_is_known() -> None:
    for words in ("iptables@1.29.6", "nftables@1.29.6", "ipvs@1.29.6", "nftables@1.38.0"):
        found = between(words, words, service())
        assert {each.requirement for each in found.before.failures} <= requirements.known().keys()
