"""The records of a bench's result file, `figures.jsonl`: what each mode of a proxy costs as
Services grow. A file without its footer is no result yet; the bench itself resumes it.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec

from reports.records.base import (
    Count,
    Digest,
    Implementation,
    Mode,
    Record,
    Seconds,
    Suite,
    Text,
)

FIGURES: Final = "figures.jsonl"
"""What the file of a bench is called in its folder."""

FIGURES_VERSION: Final = 1

Series = Literal["same-period", "defaults"]
"""All modes with the same (small) minSyncPeriod, and each as it comes."""

Law = Literal["constant", "linear"]

Name = Literal[
    "first-packet",
    "established-packet",
    "floor",
    "sync-endpoint-add",
    "sync-endpoint-remove",
    "sync-service-add",
    "sync-service-remove",
    "sync-100-services",
    "sync-rolling-update",
    "gone-endpoint-packets",
    "full-sync",
    "churn",
    "connection-rate",
    "cpu-seconds",
    "peak-memory",
    "rules",
    "ruleset-bytes",
]
Unit = Literal["us", "ms", "s", "1/s", "s/change", "MiB", "bytes", "rules", "packets"]
Pair = tuple[Mode, Mode]
FigureKey = tuple[Name, int, Series, str | None]


class BenchHeader(Record, frozen=True, kw_only=True, tag="bench"):
    """What was asked for, and of which machine. The first line."""

    schema: int = FIGURES_VERSION
    """Version of this schema."""
    bench: Text
    """Name of the bench, unique: its start and a random part."""
    started: str = ""
    suite: Suite
    """The suite that measured."""
    seed: int
    """Seed of everything random in the bench."""
    command: tuple[str, ...] = ()
    """The command line as it was given."""
    reproduce: str = ""
    """One shell command that repeats the bench."""
    implementation: Implementation
    """The Service proxy that was measured."""
    modes: Annotated[tuple[Mode, ...], msgspec.Meta(min_length=1)]
    """The modes measured, side by side."""
    machine: dict[str, str | float] = msgspec.field(default_factory=dict)
    """Where: kernel (of the nodes), cpu, cpus, memory (MiB), governor, and the versions of nft,
    iptables and other tools.
    """
    emulated: bool = False
    """Whether the nodes' processors were: such times compare with none but their own."""
    plan: dict[str, Any] = msgspec.field(default_factory=dict)
    """What was to be measured: name (quick, default, full), sizes (numbers of Services), probes,
    repetitions, endpoints of each Service, and the minSyncPeriod of each mode in each series.
    """

    @property
    def subject(self) -> str:
        """Name and version of the proxy."""
        return self.implementation.subject


class Figure(Record, frozen=True, kw_only=True, tag="figure"):
    """One quantity of one mode at one number of Services. Quantiles and the like are in `unit`;
    those that make no sense for it are null.
    """

    name: Name
    """first-packet: time through the node of a packet that opens a connection; established-packet:
    of one of a connection that is open; floor: of one that opens a connection through a node
    without a proxy. sync-*: from the API server's acknowledgement to the first packet that shows
    the change. gone-endpoint-packets: connections sent to an endpoint after its removal was
    acknowledged, in a replacement under traffic. full-sync: from the proxy's start to the last
    Service in force. churn: changes a second at which latency has not doubled yet. connection-rate:
    new connections a second through the node with one sending processor. cpu-seconds, peak-memory:
    of the proxy and the programs that it starts. rules, ruleset-bytes: as the mode's own tools list
    them.
    """
    mode: Mode | None = None
    """null: a node without a proxy."""
    services: Count
    series: Series
    target: str | None = None
    """Of a packet: first, middle, last or random Service. Of a cost: of doing what (a figure's
    name), and in peak-memory: proxy or tools.
    """
    unit: Unit
    n: Count
    """Number of samples."""
    p1: float | None = None
    p50: float | None = None
    p90: float | None = None
    p99: float | None = None
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    rounds: tuple[float, ...] = ()
    """What each interleaved round gave (its median, or its only sample); the same place in two
    modes' lists, of the same name, target, series and number of Services, is a pair.
    """
    own: dict[str, float] = msgspec.field(default_factory=dict)
    """What the proxy says of the same moments: sync_proxy_rules and network_programming (mean
    seconds), and how many of each.
    """
    state: dict[str, float] = msgspec.field(default_factory=dict)
    """The machine meanwhile: load (average of a minute), steal and foreign (shares of all
    processors).
    """
    disturbed: bool = False
    """Other programs, or the machine's owner, took much of the processors, once more when it was
    repeated.
    """
    seed: int | None = None
    note: str = ""

    @property
    def middle(self) -> float | None:
        """Its median; its mean where it has none."""
        return self.mean if self.p50 is None else self.p50

    @property
    def key(self) -> FigureKey:
        """What it has in common with the same figure of another mode."""
        return self.name, self.services, self.series, self.target


class Ratio(Record, frozen=True, kw_only=True, tag="ratio"):
    """p50 of the first mode divided by that of the second, from interleaved pairs, with the bounds
    of its 95 % bootstrap confidence interval.
    """

    name: Name
    services: Count
    series: Series
    target: str | None = None
    modes: Pair
    estimate: float
    low: float
    high: float
    pairs: Count
    disturbed: bool = False


class Fit(Record, frozen=True, kw_only=True, tag="fit"):
    """How a figure of a mode grows: `intercept + slope * services` in `unit`, where the law is
    linear; low and high bound the slope with 95 % confidence.
    """

    name: Name
    mode: Mode
    series: Series
    target: str | None = None
    law: Law
    intercept: float
    slope: float
    """unit per Service"""
    low: float
    high: float
    unit: Unit
    sizes: tuple[Count, ...]
    sentence: str = ""


class Crossover(Record, frozen=True, kw_only=True, tag="crossover"):
    """The number of Services from which on the first mode beats the second, with its 95 % interval;
    null where there is none among those measured, and the sentence says why.
    """

    name: Name
    series: Series
    target: str | None = None
    modes: Pair
    services: float | None = None
    low: float | None = None
    high: float | None = None
    sentence: str = ""


class Gap(Record, frozen=True, kw_only=True, tag="gap"):
    """A mode that could not be measured at some number of Services."""

    mode: Mode
    services: Count
    series: Series
    reason: str


class BenchEnd(Record, frozen=True, kw_only=True, tag="end"):
    """How the bench ended. The last line."""

    finished: str = ""
    seconds: Seconds = 0.0
    """Time of the bench, or of its last sitting where it was resumed."""
    exit: Count
    figures: Count
    """Number of figure records."""
    lines: Count = 0
    """Number of lines before this one."""
    digest: Digest | None = None
    """SHA-256 over all bytes before this line."""


def rounded(value: float) -> float:
    """What is recorded of a value: six significant digits. More would be noise, and large files."""
    return float(f"{value:.6g}")


AnyRecord = BenchHeader | Figure | Ratio | Fit | Crossover | Gap | BenchEnd
"""One line of a bench's result file."""
