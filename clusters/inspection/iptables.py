"""The testinfra module for iptables and ip6tables: `host.iptables`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

from clusters.inspection.module import Module

_COMMANDS = {4: "iptables-save", 6: "ip6tables-save"}
_CHAIN_LINE = re.compile(r":(\S+) (\S+) \[\d+:\d+\]")
_RULE_LINE = re.compile(r"\[(\d+):(\d+)\] (-A (\S+).*)")
_INCOMPATIBLE = "is incompatible, use 'nft' tool"
"""What iptables-save of the nf_tables variant prints, with exit code 0, instead of a table."""
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\S+')


class Rule(str):  # noqa: SLOT000  # what is parsed is kept
    """A rule: the text that iptables-save prints ("-A FORWARD -j ACCEPT"), its counters beside it.

    Two rules are equal if their texts are, whatever they have counted.
    """

    packets: int
    bytes: int

    def __new__(cls, text: str, packets: int = 0, octets: int = 0) -> Self:
        """Take the counters along."""
        rule = super().__new__(cls, text)
        rule.packets = packets
        rule.bytes = octets
        return rule

    @cached_property
    def options(self) -> tuple[tuple[str, str], ...]:
        """Each option with its value, in order; a negated one begins with "! ".

        >>> Rule('-A KUBE-SVC-X ! -s 10.0.0.0/8 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ').options
        (('-A', 'KUBE-SVC-X'), ('! -s', '10.0.0.0/8'), ('-p', 'tcp'), ('-m', 'tcp'), ...)
        """
        options: list[tuple[str, list[str]]] = []
        negation = ""
        for token in _TOKEN.findall(self):
            if token == "!":  # noqa: S105
                negation = "! "
            elif token.startswith("-") or not options:
                options.append((negation + token, []))
                negation = ""
            else:
                options[-1][1].append(_unquoted(token))
        return tuple((option, " ".join(values)) for option, values in options)

    def option(self, name: str) -> str | None:
        """The value of an option, named as iptables-save prints it; "! " before the value of a
        negated one, "" for one that takes no value, None where the rule does not have it.
        """
        for option, value in self.options:
            if option == name:
                return value
            if option == f"! {name}":
                return f"! {value}"
        return None

    @property
    def chain(self) -> str:
        """The chain that the rule is in."""
        return self.option("-A") or ""

    @property
    def jump(self) -> str | None:
        """The target or chain after -j; None for a rule that only counts."""
        return self.option("-j")

    @property
    def matches(self) -> tuple[str, ...]:
        """The match modules that the rule uses, in order."""
        return tuple(value for option, value in self.options if option == "-m")

    @property
    def protocol(self) -> str | None:
        """The protocol, or None for any."""
        return self.option("-p")

    @property
    def source(self) -> str | None:
        """The source address or network; a single address without its prefix length."""
        return _address(self.option("-s"))

    @property
    def destination(self) -> str | None:
        """The destination address or network; a single address without its prefix length."""
        return _address(self.option("-d"))

    @property
    def dport(self) -> int | str | None:
        """The destination port, a number; text where it is a range or negated."""
        port = self.option("--dport")
        return int(port) if port and port.isdecimal() else port

    @property
    def probability(self) -> float | None:
        """The probability of a random match (`-m statistic --mode random`), or None."""
        probability = self.option("--probability")
        return None if probability is None else float(probability)

    @property
    def to_destination(self) -> str | None:
        """Where DNAT sends to: "address:port", "[address]:port"."""
        return self.option("--to-destination")

    @property
    def comment(self) -> str | None:
        """The rule's comment."""
        return self.option("--comment")


@dataclass
class Chain:
    """A chain with its rules; only built-in chains have a policy. (Its counters are left out: with
    nf_tables they run only once somebody has set the policy, else any change of rules zeroes them.)
    """

    name: str
    policy: str | None
    rules: list[Rule] = field(default_factory=list)

    def __repr__(self) -> str:
        policy = f", policy {self.policy}" if self.policy else ""
        return f"<chain {self.name}: {len(self.rules)} rules{policy}>"


class Iptables(Module):
    """Chains and rules of iptables (version 4) and ip6tables (version 6), with their counters.

    In place of testinfra's own module: rules are still text, but know their parts and counters.

    >>> for rule in host.iptables.rules("nat", "KUBE-SVC-4SW47YFZTEDKD3PK"):
    ...     print(rule.probability, rule.jump, rule.packets)
    0.5 KUBE-SEP-UKSFD7AGPMPPLUHC 12
    None KUBE-SEP-C6EBXVWJJZMIWKLZ 9
    """

    def chains(self, table: str = "filter", version: int = 4) -> dict[str, Chain]:
        """All chains of a table by name, in the order of iptables-save, read at once.

        :raises ValueError: for a version other than 4 and 6, and for a table with a rule that
            iptables cannot express.
        :raises AssertionError: where iptables-save fails, for a table that does not exist say.
        """
        if version not in _COMMANDS:
            raise ValueError(f"IP version {version}: it is 4 or 6")
        return parse(self.output(f"{_COMMANDS[version]} -c -t %s", table))

    def rules(
        self, table: str = "filter", chain: str | None = None, version: int = 4
    ) -> list[Rule]:
        """The rules of a chain, or of all chains of a table.

        :raises LookupError: for a chain that the table does not have.
        """
        chains = self.chains(table, version)
        if chain is None:
            return [rule for each in chains.values() for rule in each.rules]
        if chain not in chains:
            raise LookupError(f"no chain {chain} in table {table} of IPv{version}")
        return chains[chain].rules


def parse(saved: str) -> dict[str, Chain]:
    """The chains in what `iptables-save -c -t TABLE` prints.

    :raises ValueError: for a line that is no chain, rule, comment, table or COMMIT, and where it
        says that it cannot show the table.
    """
    chains: dict[str, Chain] = {}
    for line in saved.splitlines():
        if match := _RULE_LINE.fullmatch(line):
            packets, octets, text, name = match.groups()
            chains[name].rules.append(Rule(text, int(packets), int(octets)))
        elif match := _CHAIN_LINE.fullmatch(line):
            name, policy = match.groups()
            chains[name] = Chain(name, None if policy == "-" else policy)
        elif _INCOMPATIBLE in line:
            raise ValueError(f"iptables-save shows nothing: {line}")
        elif line and not line.startswith(("#", "*")) and line != "COMMIT":
            raise ValueError(f"not a line of iptables-save -c: {line!r}")
    return chains


def _unquoted(token: str) -> str:
    return re.sub(r"\\(.)", r"\1", token[1:-1]) if token.startswith('"') else token


def _address(text: str | None) -> str | None:
    return text and text.removesuffix("/128" if ":" in text else "/32")
