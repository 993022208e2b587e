"""The testinfra module for nftables: `host.nftables`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from clusters.inspection.module import Module

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Value: TypeAlias = "str | int | tuple[str | int, ...]"
"""An element of a set or map: a plain value, or a tuple where its type is a concatenation."""

_RULE_LINE = re.compile(r"^\t\t(.*) # handle (\d+)$", re.MULTILINE)
_READS = 5


@dataclass(frozen=True)
class Rule:
    """A rule: `text` as nft prints it, `expr` its statements as in libnftables-json(5)."""

    text: str
    expr: tuple[dict[str, Any], ...]
    handle: int
    comment: str | None = None

    def __repr__(self) -> str:
        return f"<rule {self.text}>"

    def find(self, key: str) -> list[Any]:
        """Every object of that name, however deep in the rule.

        >>> rule.find("numgen")
        [{'mode': 'random', 'mod': 3, 'offset': 0}]
        """
        return list(_find(list(self.expr), key))

    @property
    def verdict(self) -> str | None:
        """What the rule ends in ("accept", "jump services"), or None for a rule without verdict."""
        verdicts = [_verdict(statement) for statement in self.expr]
        return verdicts[-1] if verdicts else None

    @property
    def packets(self) -> int | None:
        """Packets counted by the rule's own counter, or None for a rule without one."""
        return next((int(counter["packets"]) for counter in self.find("counter")), None)

    @property
    def elements(self) -> dict[Value, Value]:
        """The elements of the rule's anonymous maps.

        >>> rule.text
        'numgen random mod 2 vmap { 0 : goto endpoint-a, 1 : goto endpoint-b }'
        >>> rule.elements
        {0: 'goto endpoint-a', 1: 'goto endpoint-b'}
        """
        maps = [*self.find("map"), *self.find("vmap")]
        anonymous = [each["data"]["set"] for each in maps if isinstance(each["data"], dict)]
        return {_value(key): _value(value) for elements in anonymous for key, value in elements}


@dataclass(frozen=True)
class Chain:
    """A chain; a base chain has a hook, a priority, a type and a policy."""

    name: str
    rules: tuple[Rule, ...]
    handle: int
    hook: str | None = None
    priority: int | None = None
    type: str | None = None
    policy: str | None = None

    def __repr__(self) -> str:
        hook = f", {self.type} at {self.hook} {self.priority}" if self.hook else ""
        return f"<chain {self.name}: {len(self.rules)} rules{hook}>"


@dataclass(frozen=True)
class Element:
    """What a set knows of an element: its timeout and what is left of it, in seconds, if any."""

    timeout: int | None = None
    expires: int | None = None
    packets: int | None = None
    comment: str | None = None


@dataclass(frozen=True)
class Set:
    """A named set. `timeout` is its elements' default, in seconds."""

    name: str
    type: tuple[str, ...]
    elements: Mapping[Value, Element]
    flags: frozenset[str] = frozenset()
    timeout: int | None = None

    def __repr__(self) -> str:
        return f"<set {self.name}: {len(self.elements)} of {' . '.join(self.type)}>"


@dataclass(frozen=True)
class Map:
    """A named map, from keys of `type` to `value_type`; a verdict reads as in nft ("goto chain").

    >>> host.nftables.table("ip", "kube-proxy").maps["service-ips"].elements
    {('172.30.0.41', 'tcp', 80): 'goto service-ULMVA6XW-ns1/svc1/tcp/p80'}
    """

    name: str
    type: tuple[str, ...]
    value_type: tuple[str, ...]
    elements: Mapping[Value, Value]

    def __repr__(self) -> str:
        types = f"{' . '.join(self.type)} : {' . '.join(self.value_type)}"
        return f"<map {self.name}: {len(self.elements)} of {types}>"


@dataclass(frozen=True)
class Table:
    """A table as it was when it was asked for; all empty where there is none."""

    family: str
    name: str
    exists: bool
    chains: Mapping[str, Chain] = field(default_factory=dict)
    sets: Mapping[str, Set] = field(default_factory=dict)
    maps: Mapping[str, Map] = field(default_factory=dict)

    def __repr__(self) -> str:
        if not self.exists:
            return f"<no table {self.family} {self.name}>"
        content = f"{len(self.chains)} chains, {len(self.sets)} sets, {len(self.maps)} maps"
        return f"<table {self.family} {self.name}: {content}>"

    @property
    def base_chains(self) -> dict[str, Chain]:
        """The chains that hang on a hook of the kernel."""
        return {name: chain for name, chain in self.chains.items() if chain.hook}


class Nftables(Module):
    """Tables, chains, rules, sets and maps of nftables.

    >>> table = host.nftables.table("ip", "kube-proxy")
    >>> table.exists
    True
    >>> table.chains["nat-prerouting"].hook
    'prerouting'
    >>> table.chains["nat-prerouting"].rules
    (<rule jump services>,)
    """

    @property
    def tables(self) -> set[tuple[str, str]]:
        """(family, name) of each table.

        >>> host.nftables.tables
        {('ip', 'kube-proxy'), ('ip6', 'kube-proxy')}
        """
        listed = json.loads(self.output("nft -j list tables"))["nftables"]
        tables = [item["table"] for item in listed if "table" in item]
        return {(table["family"], table["name"]) for table in tables}

    def table(self, family: str, name: str) -> Table:
        """A table of that family ("ip", "ip6", "inet", ...) and name, read now.

        :raises AssertionError: where nft fails for another reason than that there is no such table.
        """
        # nft's JSON has no text. A rule never changes under its handle, so the text can be read on
        # its own, and again in case the table has changed in between.
        for _ in range(_READS):
            listed = self.run("nft -a list table %s %s", family, name)
            if listed.rc != 0 and "No such file or directory" in listed.stderr:
                return Table(family, name, exists=False)
            if listed.rc != 0:
                raise AssertionError(f"Unexpected exit code {listed.rc} for {listed}")
            texts = {int(handle): text for text, handle in _RULE_LINE.findall(listed.stdout)}
            read = self.run("nft -j list table %s %s", family, name)
            items = json.loads(read.stdout)["nftables"] if read.rc == 0 else []
            if items and all(item["rule"]["handle"] in texts for item in items if "rule" in item):
                return _table(family, name, items, texts)
        raise AssertionError(f"table {family} {name} changed during each of {_READS} readings")


def _table(family: str, name: str, items: list[dict[str, Any]], texts: dict[int, str]) -> Table:
    def all_of(kind: str) -> Iterator[dict[str, Any]]:
        return (item[kind] for item in items if kind in item)

    rules: dict[str, list[Rule]] = {}
    for rule in all_of("rule"):
        text, expr = texts[rule["handle"]], tuple(rule["expr"])
        one = Rule(text, expr, rule["handle"], rule.get("comment"))
        rules.setdefault(rule["chain"], []).append(one)
    chains = [
        Chain(
            chain["name"],
            tuple(rules.get(chain["name"], ())),
            chain["handle"],
            chain.get("hook"),
            chain.get("prio"),
            chain.get("type"),
            chain.get("policy"),
        )
        for chain in all_of("chain")
    ]
    sets = [
        Set(
            each["name"],
            _type(each["type"]),
            dict(_element(raw, each.get("timeout")) for raw in each.get("elem", ())),
            frozenset(each.get("flags", ())),
            each.get("timeout"),
        )
        for each in all_of("set")
    ]
    maps = [
        Map(
            each["name"],
            _type(each["type"]),
            _type(each["map"]),
            {_value(key): _value(value) for key, value in each.get("elem", ())},
        )
        for each in all_of("map")
    ]
    return Table(
        family,
        name,
        exists=True,
        chains={chain.name: chain for chain in chains},
        sets={each.name: each for each in sets},
        maps={each.name: each for each in maps},
    )


def _type(raw: Any) -> tuple[str, ...]:
    match raw:
        case str():
            return tuple(raw.split(" . "))
        case list():
            return tuple(raw)
    return (json.dumps(raw),)  # typeof, with an expression


def _element(raw: Any, timeout: int | None) -> tuple[Value, Element]:
    more = raw.get("elem", {}) if isinstance(raw, dict) else {}
    return _value(raw), Element(
        more.get("timeout", timeout),
        more.get("expires"),
        more.get("counter", {}).get("packets"),
        more.get("comment"),
    )


def _value(raw: Any) -> Value:
    """A JSON expression as a value one would write in a test."""
    match raw:
        case str() | int():
            return raw
        case {"elem": {"val": value}}:
            return _value(value)
        case {"concat": parts}:
            return tuple(_plain(part) for part in parts)
        case {"prefix": {"addr": address, "len": length}}:
            return f"{address}/{length}"
        case {"range": [first, last]}:
            return f"{_plain(first)}-{_plain(last)}"
    verdict = _verdict(raw)
    return json.dumps(raw) if verdict is None else verdict


def _plain(raw: Any) -> str | int:
    value = _value(raw)
    return json.dumps(raw) if isinstance(value, tuple) else value


def _verdict(raw: Any) -> str | None:
    match raw:
        case {"jump": {"target": chain}}:
            return f"jump {chain}"
        case {"goto": {"target": chain}}:
            return f"goto {chain}"
        case {"accept": _} | {"drop": _} | {"return": _} | {"continue": _} | {"reject": _}:
            return str(next(iter(raw)))
    return None


def _find(raw: Any, key: str) -> Iterator[Any]:
    if isinstance(raw, dict):
        if key in raw:
            yield raw[key]
        for value in raw.values():
            yield from _find(value, key)
    elif isinstance(raw, list):
        for value in raw:
            yield from _find(value, key)
