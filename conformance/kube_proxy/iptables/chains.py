"""Following iptables rules from chain to chain."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from clusters.inspection.iptables import Chain, Rule
from conformance.vocabulary import Family, IPAddress, Node, Service

Chains = Callable[[str], dict[str, Chain]]
"""The chains of a table, by name."""

TOOL = {"IPv4": "iptables", "IPv6": "ip6tables"}
"""The program for a family."""

_KUBELETS = "KUBE-FIREWALL|KUBE-IPTABLES-HINT|KUBE-KUBELET-CANARY"

OWN = re.compile(rf"\b(?!(?:{_KUBELETS})(?![\w-]))KUBE-")
"""How the name of a chain of kube-proxy's begins; it leaves those that the kubelet owns
(pkg/kubelet/kubelet_network_linux.go).
"""

NAT_JUMPS = Counter(
    [
        ("PREROUTING", "KUBE-SERVICES", False),
        ("OUTPUT", "KUBE-SERVICES", False),
        ("POSTROUTING", "KUBE-POSTROUTING", False),
    ]
)
"""The ``jumps`` that table nat should have."""

_NEW = [("-m", "conntrack"), ("--ctstate", "NEW")]


def delete_own(node: Node, family: Family) -> None:
    """Delete kube-proxy's chains, and the rules that lead to them, and nobody else's: a node of
    kind has a container engine's, which resolve names.
    """
    for table in ("nat", "filter", "mangle"):
        saved = node.run([f"{TOOL[family]}-save", "-t", table]).stdout.splitlines()
        kept = [line for line in saved if not OWN.search(line)]
        assert len(kept) < len(saved), f"kube-proxy has nothing in table {table}"
        restored = "\n".join([*kept, ""])
        node.run([f"{TOOL[family]}-restore", "-w", "-T", table], input=restored)


def only(rules: Sequence[Rule], what: str) -> Rule:
    """The one rule there is; fails where there is none, or are several."""
    assert len(rules) == 1, f"one rule wanted ({what}), not {rules}"
    return rules[0]


def conditions(rule: Rule) -> list[tuple[str, str]]:
    """What a packet must be like for the rule to match, comments left out."""
    return [
        (option, value)
        for option, value in rule.options
        if option not in ("-A", "-j", "--comment") and (option, value) != ("-m", "comment")
    ]


def jumps(found: dict[str, Chain]) -> Counter[tuple[str, str, bool]]:
    """Jumps from built-in chains to kube-proxy's: from, to, whether for new connections only."""
    counted: Counter[tuple[str, str, bool]] = Counter()
    for chain in found.values():
        for rule in chain.rules if chain.policy else []:
            if rule.jump and rule.jump.startswith("KUBE-"):
                assert conditions(rule) in ([], _NEW), rule
                counted[chain.name, rule.jump, conditions(rule) == _NEW] += 1
    return counted


def towards(chain: Chain, address: IPAddress | str, port: int) -> list[Rule]:
    """The rules of a chain for packets to that address and port."""
    return [rule for rule in chain.rules if (rule.destination, rule.dport) == (str(address), port)]


def targets(chain: Chain) -> list[str]:
    """The chains that a chain leads to, in order; marking for masquerade left out."""
    return [rule.jump for rule in chain.rules if rule.jump not in (None, "KUBE-MARK-MASQ")]


def service_chain(nat: dict[str, Chain], web: Service) -> Chain:
    """The chain that packets to the cluster IP and first port are sent to."""
    rules = towards(nat["KUBE-SERVICES"], *web.frontend)
    return nat[str(only(rules, f"for {web}").jump)]


def translation(chain: Chain) -> Rule:
    """The rule by which an endpoint's chain translates."""
    return only([rule for rule in chain.rules if rule.jump == "DNAT"], f"DNAT in {chain.name}")


def endpoints_behind(nat: dict[str, Chain], chain: Chain) -> list[str]:
    """Address and port that each chain behind a chain translates to, sorted."""
    return sorted(str(translation(nat[target]).to_destination) for target in targets(chain))
