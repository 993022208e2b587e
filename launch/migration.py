"""What a command line asks of a rehearsal; imports nothing but the standard library."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from launch.invocation import Invocation, option, positive

WAYS = ("in-place", "cleanup", "drained", "failed")
"""How a rehearsal switches a node: see reports.records.migration."""


@dataclass(frozen=True, kw_only=True)
class Migration(Invocation):
    """What is asked of a rehearsal."""

    COMMAND = ("./conform", "migrate")

    modes: str = option("", flags=())
    before: str = option("the mode that nodes are in", "MODE", flags=("--from",))
    after: str = option("the mode that they are to be in", "MODE", flags=("--to",))
    config: tuple[str, ...] = option(
        "the KubeProxyConfiguration of both; given twice, of the one and then of the other: its"
        " addresses are those of the rehearsal's own cluster",
        "FILE",
        (),
        again=True,
    )
    services: str = option(
        "have Services like those in this file, as kubectl get services,endpointslices -A -o yaml"
        " prints them (default: some of each kind)",
        "FILE",
    )
    ways: str = option(
        "how to switch: in-place (its pods are replaced), cleanup (with --cleanup in between),"
        " drained (no pod on the node), failed (the new mode cannot start); default: all",
        "WAY[,WAY]",
        ",".join(WAYS),
    )
    repetitions: int = option(
        "how often each way is gone, there and back (default: 20)", "N", 20, type=positive
    )

    @property
    def chosen_ways(self) -> tuple[str, ...]:
        """The ways that are asked for, in the order in which they are gone."""
        return tuple(dict.fromkeys(word for word in self.ways.split(",") if word))

    def contradictions(self) -> Iterator[str]:
        """See `Invocation`."""
        yield from super().contradictions()
        for name, value in (("--from", self.before), ("--to", self.after)):
            if not value:
                yield f"{name} MODE is needed: iptables, nftables or ipvs"
        if self.before == self.after:
            yield f"--from and --to both name {self.before}: give two modes"
        for way in self.chosen_ways:
            if way not in WAYS:
                yield f"--ways: there is no {way!r}: choose from {', '.join(WAYS)}"
        if not self.chosen_ways:
            yield "--ways names none"
        if len(self.config) > len(("from", "to")):
            yield "--config is given once, for both, or twice"
