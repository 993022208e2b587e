"""Services as well-known charts and manifests have them, written anew after their documentation."""

from __future__ import annotations

from pathlib import Path

import pytest

from foretell import configuration, foretold, side
from foretell.foretold import Change
from foretell.manifests import cluster
from foretell.manifests.text import objects

CHARTS = {each.stem: each for each in Path(__file__).with_name("charts").glob("*.yaml")}


def changes(chart: str, before: str, after: str) -> dict[str, Change]:
    path = CHARTS[chart]
    known = cluster.read(objects(path.read_bytes(), path.name))
    sides = [side.of(side.named(each), configuration.NONE, ()) for each in (before, after)]
    return {each.name: each for each in foretold.foretell(known, *sides).changes if each.services}


@pytest.mark.parametrize(
    ("chart", "before", "after", "name", "services"),
    [
        ("dns", "iptables", "nftables", "unserved-port-passed", {"kube-dns"}),
        ("dns", "ipvs", "nftables", "ct-udp-deleted", {"kube-dns"}),
        ("dns", "nftables@1.36.3", "nftables", "ct-udp-zero-eps", {"kube-dns"}),
        (
            *("ingress-controller", "iptables", "nftables", "health-checks-accepted"),
            {"ingress-controller"},
        ),
        ("ingress-controller", "ipvs", "nftables", "policy-drops", {"ingress-controller"}),
        ("mesh-gateway", "ipvs", "nftables", "ranges-for-new-connections", {"mesh-gateway"}),
        (
            *("mesh-gateway", "iptables@1.35.4", "iptables", "hc-np-count-family"),
            set(),
        ),
        (
            *("database", "iptables@1.30.4", "iptables", "unannotated-hints"),
            {"database-read"},
        ),
        ("cache", "iptables", "nftables", "affinity-many-clients", {"cache"}),
        ("cache", "ipvs", "iptables", "affinity-timeout-change", {"cache"}),
        ("monitoring", "iptables", "nftables", "localhost-node-ports", {"dashboard"}),
        ("monitoring", "iptables", "nftables", "node-ports-at-every-address", {"dashboard"}),
        ("message-broker", "ipvs", "iptables", "etp-host-shortcircuit", {"broker-0"}),
        ("syslog", "nftables@1.37.2", "nftables@1.38.0", "ct-udp-recreated", {"syslog"}),
        ("manifest", "iptables", "nftables", "localhost-node-ports", {"website"}),
    ],
)
def test_a_chart_is_told_what_changes_for_its_services(
    chart: str, before: str, after: str, name: str, services: set[str]
) -> None:
    found = changes(chart, before, after)
    told = {each.name for each in found[name].services} if name in found else set()
    assert told == services, sorted(found)


def test_all_of_them_are_tried() -> None:
    assert len(CHARTS) >= 8
    for chart in CHARTS:
        assert changes(chart, "iptables", "nftables")
