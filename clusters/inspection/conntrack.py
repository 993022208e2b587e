"""The testinfra module for connection tracking: `host.conntrack`."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from clusters.inspection.module import Module

_FAMILIES = ("ipv4", "ipv6")
_FLAG = re.compile(r"\[([A-Z_]+)\]")


class Flow(NamedTuple):
    """One direction of a connection; ports are None where the protocol has none."""

    source: str
    source_port: int | None
    destination: str
    destination_port: int | None

    def __repr__(self) -> str:
        source, destination = (
            address
            if port is None
            else f"[{address}]:{port}"
            if ":" in address
            else f"{address}:{port}"
            for address, port in (self[:2], self[2:])
        )
        return f"{source} -> {destination}"


@dataclass(frozen=True)
class Entry:
    """A tracked connection: how it began, how its replies look, and what the kernel knows of it.

    `state` is None for protocols without one (UDP); `timeout` is in seconds, and None where it does
    not run. `id` stays the same as long as the entry lives; a later entry for the same flow has
    another. `status` holds the flags that conntrack prints: ASSURED, UNREPLIED, OFFLOAD.
    """

    family: str
    protocol: str
    state: str | None
    timeout: int | None
    original: Flow
    reply: Flow
    status: frozenset[str]
    mark: int
    id: int

    def __repr__(self) -> str:
        words = [self.protocol, self.state or "", *sorted(self.status)]
        return f"<{' '.join(filter(None, words))}: {self.original}, replies {self.reply}>"

    @property
    def replied(self) -> bool:
        """Whether both directions were seen."""
        return "UNREPLIED" not in self.status

    @property
    def assured(self) -> bool:
        """Whether the entry outlives a full table."""
        return "ASSURED" in self.status

    @property
    def endpoint(self) -> tuple[str, int | None]:
        """Who really answers: the destination after translation, if there is any."""
        return self.reply.source, self.reply.source_port

    @property
    def seen_from(self) -> tuple[str, int | None]:
        """Where the endpoint sees it come from: the source after translation, if there is any."""
        return self.reply.destination, self.reply.destination_port


class Conntrack(Module):
    """The connections that the kernel tracks, and what it counts about them.

    >>> host.conntrack.entries(protocol="udp", destination="172.30.0.10", port=53)
    [<udp ASSURED: 10.1.0.2:40000 -> 172.30.0.10:53, replies 10.1.0.9:53 -> 10.1.0.2:40000>]
    """

    def entries(
        self,
        protocol: str | None = None,
        source: str | None = None,
        destination: str | None = None,
        port: int | None = None,
    ) -> list[Entry]:
        """The entries whose original direction is of that protocol, source, destination and port.

        :param protocol: "tcp", "udp", "sctp", "icmp", ...; all if None.
        :raises AssertionError: where conntrack fails.
        """
        given = {"-p": protocol, "-s": source, "-d": destination}
        options = [(name, value) for name, value in given.items() if value is not None]
        command = " ".join(["conntrack -L -o extended,id -f %s", *["%s %s"] * len(options)])
        arguments = [text for option in options for text in option]
        found: list[Entry] = []
        for family in _families(source or destination):
            found += parse(self._list(command, family, *arguments))
        return [entry for entry in found if port in (None, entry.original.destination_port)]

    @property
    def count(self) -> int:
        """How many entries there are, all families and protocols."""
        return int(self.output("conntrack -C"))

    @property
    def statistics(self) -> dict[str, int]:
        """What the kernel counts, summed over its CPUs: found, invalid, insert, insert_failed,
        drop, early_drop, error, search_restart, ...
        """
        total: Counter[str] = Counter()
        for line in self.output("conntrack -S").splitlines():
            for word in line.split()[1:]:  # the first is the CPU
                name, _, value = word.partition("=")
                total[name] += int(value)
        return dict(total)

    def flush(self) -> None:
        """Forget all connections."""
        self.output("conntrack -F")

    def _list(self, command: str, *arguments: str) -> str:
        # Some versions exit with 1 where nothing matches; the number shown is on stderr in all.
        result = self.run(command, *arguments)
        if result.rc == 0 or "0 flow entries have been shown" in result.stderr:
            return str(result.stdout)
        raise AssertionError(f"Unexpected exit code {result.rc} for {result}")


def parse(listed: str) -> list[Entry]:
    """The entries in what `conntrack -L -o extended,id` prints.

    :raises ValueError: for a line that is none.
    """
    return [_entry(line) for line in listed.splitlines() if line.strip()]


def _entry(line: str) -> Entry:
    words = line.split()
    flows: list[dict[str, str]] = []
    rest: dict[str, str] = {}
    plain: list[str] = []
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            plain.append(word)
        elif name == "src":
            flows.append({name: value})
        elif name in ("dst", "sport", "dport"):
            flows[-1][name] = value
        else:
            rest[name] = value
    try:
        original, reply = (_flow(flow) for flow in flows)
        family, _, protocol, number, *more = plain
        numbers = [word for word in more if word.isdecimal()]
        states = [word for word in more if not word.isdecimal() and not word.startswith("[")]
        return Entry(
            family=family,
            protocol=number if protocol == "unknown" else protocol,
            state=states[0] if states else None,
            timeout=int(numbers[0]) if numbers else None,
            original=original,
            reply=reply,
            status=frozenset(_FLAG.findall(line)),
            mark=int(rest.get("mark", 0)),
            id=int(rest["id"]),
        )
    except (ValueError, KeyError) as error:
        raise ValueError(f"not a line of conntrack -L -o extended,id: {line!r}") from error


def _flow(words: dict[str, str]) -> Flow:
    ports = [int(words[name]) if name in words else None for name in ("sport", "dport")]
    return Flow(words["src"], ports[0], words["dst"], ports[1])


def _families(address: str | None) -> tuple[str, ...]:
    if address is None:
        return _FAMILIES
    return ("ipv6",) if ":" in address else ("ipv4",)
