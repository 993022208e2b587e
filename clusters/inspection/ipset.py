"""The testinfra module for the sets that rules of iptables match: `host.ipset`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from clusters.inspection.module import Module

_CREATE_LINE = re.compile(r"create (\S+) (\w+:\S+)(.*)")
# An entry has no spaces. "nomatch" belongs to it: it is the exception from a wider one.
_ADD_LINE = re.compile(r"add (\S+) (\S+(?: nomatch)?)(?: .*)?")
_NUMBERS = ("hashsize", "maxelem", "timeout")


@dataclass(frozen=True)
class Set:
    """A set; what its type or the set does not have is None.

    `entries` are as ipset prints them ("10.0.0.1,tcp:80"), without what it knows of each: timeout,
    counters, comment. `timeout` is their default, in seconds. `range` is what a bitmap can hold
    ("0-65535"), and `comment` tells whether entries may have comments.
    """

    name: str
    type: str
    entries: frozenset[str]
    family: str | None = None
    hashsize: int | None = None
    maxelem: int | None = None
    timeout: int | None = None
    range: str | None = None
    comment: bool = False

    def __repr__(self) -> str:
        return f"<set {self.name}: {len(self.entries)} of {self.type}>"


class Ipset(Module):
    """The sets of ipset, with their entries.

    >>> host.ipset.named("KUBE-CLUSTER-IP").entries
    frozenset({'172.30.0.44,tcp:80', '172.30.0.10,udp:53'})
    """

    @property
    def sets(self) -> dict[str, Set]:
        """All sets by name, read at once.

        :raises AssertionError: where ipset fails.
        """
        # Not as XML: ipset does not escape what comments say there.
        return parse(self.output("ipset save"))

    def named(self, name: str) -> Set:
        """The set of that name.

        :raises LookupError: where there is none; it tells which there are.
        """
        there = self.sets
        if name not in there:
            raise LookupError(f"no set {name} among {list(there.values())}")
        return there[name]


def parse(saved: str) -> dict[str, Set]:
    """The sets in what `ipset save` prints.

    :raises ValueError: for a line that makes no set, and adds to none made before.
    """
    types: dict[str, tuple[str, list[str]]] = {}
    entries: dict[str, list[str]] = {}
    for line in saved.splitlines():
        if match := _CREATE_LINE.fullmatch(line):
            name, kind, options = match.groups()
            types[name] = (kind, options.split())
            entries[name] = []
        elif (match := _ADD_LINE.fullmatch(line)) and match[1] in entries:
            entries[match[1]].append(match[2])
        else:
            raise ValueError(f"not a line of ipset save: {line!r}")
    return {name: _set(name, *types[name], entries[name]) for name in types}


def _set(name: str, kind: str, options: list[str], entries: list[str]) -> Set:
    values = dict(pairwise(options))  # some options have none; what follows those is no harm
    numbers = {option: int(values[option]) for option in _NUMBERS if option in values}
    return Set(
        name=name,
        type=kind,
        entries=frozenset(entries),
        family=values.get("family"),
        range=values.get("range"),
        comment="comment" in options,
        **numbers,
    )
