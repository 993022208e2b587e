"""Following nftables verdicts to the chains of a Service."""

from __future__ import annotations

from collections.abc import Callable

from clusters.inspection.nftables import Chain, Table, Value
from conformance.vocabulary import Node, Service

IP = {"IPv4": "ip", "IPv6": "ip6"}
"""A family, as nft names it."""

ADDRESS = {"IPv4": "ipv4_addr", "IPv6": "ipv6_addr"}
"""The type of a family's addresses."""

Ruleset = Callable[[], Table]
"""kube-proxy's table as it is now."""


def own_tables(node: Node) -> set[str]:
    """kube-proxy's tables that there are, as nft lists them."""
    listed = node.run(["nft", "list", "tables"]).stdout.splitlines()
    return {line for line in listed if line.endswith(" kube-proxy")}


def base_name(web: Service, port: str = "web", protocol: str = "tcp") -> str:
    """What the names of all chains of a Service port have after the kind and the hash."""
    return f"{web.namespace}/{web.name}/{protocol}/{port}"


def chains_of(table: Table, kind: str, base: str) -> list[Chain]:
    """The chains of that kind whose readable part is or begins with ``base``."""
    return [
        chain
        for name, chain in table.chains.items()
        if name.startswith(f"{kind}-") and name[len(kind) + 1 :][9:].split("__")[0] == base
    ]


def chain_of(table: Table, kind: str, base: str) -> Chain:
    """The one chain of that kind; fails where there is none, or are several."""
    found = chains_of(table, kind, base)
    assert len(found) == 1, f"one {kind} chain of {base} wanted, not {found}"
    return found[0]


def chosen_by(chain: Chain) -> dict[Value, Value]:
    """The choice that a chain makes: what each random number leads to.

    Fails where it has not exactly one rule that chooses at random.
    """
    random = [rule for rule in chain.rules if rule.find("numgen")]
    assert len(random) == 1, chain.rules
    (numgen,) = random[0].find("numgen")
    assert numgen["mode"] == "random", random
    assert sorted(random[0].elements) == list(range(numgen["mod"])), random
    return dict(random[0].elements)


def leads_to(table: Table, chain: Chain) -> list[tuple[str, int]]:
    """The addresses and ports that a chain leads to: by its choice, or by a rule that translates
    at once.
    """
    direct = [nat for rule in chain.rules for nat in rule.find("dnat")]
    if [nat for nat in direct if isinstance(nat.get("addr"), str)]:
        return [(nat["addr"], int(nat["port"])) for nat in direct]
    return sorted(translated(table, each) for each in chosen_by(chain).values())


def translated(table: Table, choice: Value) -> tuple[str, int]:
    """The address and port that a choice stands for: itself, or what the chain it leads to says."""
    if isinstance(choice, tuple):
        return str(choice[0]), int(choice[1])
    chain = table.chains[str(choice).removeprefix("goto ")]
    found = [nat for rule in chain.rules for nat in rule.find("dnat")]
    assert len(found) == 1, chain.rules
    return found[0]["addr"], found[0]["port"]
