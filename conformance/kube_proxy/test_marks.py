"""The mark by which kube-proxy tells itself what to masquerade, beside other people's marks."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from conformance.vocabulary import (
    Client,
    LabClient,
    Service,
    World,
    arranged,
    expect,
    over,
    requirement,
    setting,
    source,
)

_TABLE = "somebody-else"
_OWN, _OTHERS = 1 << 14, 1 << 3
"""kube-proxy's bit, by default, and one of somebody else's."""

_RULES = f"""
    table inet {_TABLE} {{
        chain before {{
            type filter hook prerouting priority raw; meta mark set {_OTHERS}
        }}
        chain after {{
            type filter hook postrouting priority srcnat + 10
            tcp dport 8080 counter comment "all"
            tcp dport 8080 meta mark & {_OWN} == {_OWN} counter comment "own"
            tcp dport 8080 meta mark & {_OTHERS} == {_OTHERS} counter comment "others"
        }}
    }}"""


@pytest.fixture
def marked(world: World) -> Iterator[None]:
    """Somebody else marks all that comes to the node, and counts with which it leaves."""
    world.node.run(["nft", "-f", "-"], input=_RULES)
    yield
    world.node.run(["nft", "delete", "table", "inet", _TABLE])


def _left(world: World) -> dict[str, int]:
    """How many packets have left the node for endpoints, in all and with each mark."""
    shown = world.node.run(["nft", "--json", "list", "table", "inet", _TABLE]).stdout
    rules = [each["rule"] for each in json.loads(shown)["nftables"] if "rule" in each]
    return {
        rule["comment"]: part["counter"]["packets"]
        for rule in rules
        for part in rule["expr"]
        if "counter" in part
    }


@pytest.mark.usefixtures("marked")
@requirement(
    "masq-mark-cleared",
    source("pkg/proxy/iptables/proxier.go", "KUBE-POSTROUTING clears the mark"),
    feature="kube-proxy-modes",
)
@over(vantage="outside", protocol="TCP")
@arranged(["remote-pod"], type="NodePort")
def test_mark_is_cleared_once_it_has_served(web: Service, client: Client, world: World) -> None:
    """What has been masqueraded must leave the node without kube-proxy's mark, or what a tunnel
    makes of it would be masqueraded again.
    """
    expect(client.connect(*web.at_node)).delivered(to=web, seen_from=web.at_node.address)
    left = _left(world)
    assert left["all"] > 0 == left["own"], left


@pytest.mark.usefixtures("marked")
@requirement(
    "masq-mark-bit",
    setting("KubeProxyIPTablesConfiguration.masqueradeBit"),
    source("pkg/proxy/iptables/proxier.go", "--or-mark and --xor-mark"),
    feature="kube-proxy-modes",
)
@over(vantage=["pod", "outside"], protocol="TCP")
@arranged(["remote-pod"], type="NodePort")
def test_marks_of_others_stay(web: Service, client: LabClient, world: World) -> None:
    """Marks other than kube-proxy's bit, which somebody else has put on a packet, must stay on it,
    whether it is masqueraded or not.
    """
    frontends = (web.frontend, web.at_node)
    for frontend in frontends:
        expect(client.connect(*frontend)).delivered(to=web)
    left = _left(world)
    assert left["others"] == left["all"] >= len(frontends), left
