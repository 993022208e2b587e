"""A bench, read from its result file: what each mode of a proxy costs as Services grow.

`./conform bench` writes `figures.jsonl`, one JSON object a line; figures.schema.json beside this
module describes it. A file without its footer is an error here; the bench itself resumes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reports.records import result_file
from reports.records.results import Record, ResultFileError, named

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = [
    "FIGURES",
    "PUBLISHED",
    "Bench",
    "Crossover",
    "Figure",
    "Fit",
    "Footer",
    "Gap",
    "Header",
    "Published",
    "Ratio",
    "ResultFileError",
    "read",
    "validate",
]

FIGURES: Final = "figures.jsonl"
FIGURES_VERSION: Final = 1

SERIES: Final = ("same-period", "defaults")
"""All modes with the same (small) minSyncPeriod, and each as it comes."""

LAWS: Final = ("constant", "linear")


@dataclass(frozen=True)
class Published:
    """What somebody else has measured and published: drawn beside our figures, never judged."""

    name: str
    mode: str
    services: int
    p50: float
    unit: str
    source: str


_KEP = "https://kubernetes.io/blog/2025/02/28/nftables-kube-proxy"
PUBLISHED: Final = (
    Published("first-packet", "iptables", 5_000, 47.0, "us", _KEP),
    Published("first-packet", "iptables", 10_000, 59.0, "us", _KEP),
    Published("first-packet", "iptables", 30_000, 272.0, "us", _KEP),
    Published("first-packet", "nftables", 5_000, 12.0, "us", _KEP),
    Published("first-packet", "nftables", 10_000, 12.0, "us", _KEP),
    Published("first-packet", "nftables", 30_000, 12.0, "us", _KEP),
)
"""Read off the published chart, to the precision that it allows."""


@dataclass(frozen=True)
class Header:
    """What was asked for, and of which machine."""

    bench: str
    started: str
    suite: Mapping[str, str]
    seed: int
    command: tuple[str, ...]
    reproduce: str
    implementation: Mapping[str, str]
    modes: tuple[str, ...]
    machine: Mapping[str, str]
    emulated: bool
    """Whether the nodes' processors were: such times compare with none but their own."""
    plan: Mapping[str, str]
    """Name (quick, default, full), sizes, probes, repetitions, endpoints of a Service, the sync
    period of each series."""

    @property
    def subject(self) -> str:
        """Name and version of the proxy."""
        return named(self.implementation)

    @classmethod
    def of(cls, record: Record) -> Header:
        """The header that a record holds. Raises ResultFileError."""
        suite, implementation = record.part("suite"), record.part("implementation")
        modes = record.strings("modes")
        if not modes:
            raise record.wrong('"modes" is empty')
        return cls(
            bench=record.need("bench", str),
            started=record.text("started"),
            suite={name: suite.text(name) for name in ("name", "version", "commit")},
            seed=record.need("seed", int),
            command=record.strings("command"),
            reproduce=record.text("reproduce"),
            implementation={
                name: implementation.text(name) for name in ("name", "version", "binary", "sha256")
            },
            modes=modes,
            machine=record.table("machine"),
            emulated=record.get("emulated", default=False),
            plan=record.table("plan"),
        )


@dataclass(frozen=True)
class Figure:
    """One quantity of one mode (`None`: of a node without a proxy) at one number of Services.

    Quantiles and the like are in `unit`; those that make no sense for it are None. `rounds` holds
    what each interleaved round gave: those of two modes with the same name, target, series and
    number of Services are pairs, in their order.
    """

    name: str
    mode: str | None
    services: int
    series: str
    target: str | None
    """Of a packet: which Service (first, middle, last, random). Of a cost: of doing what."""
    unit: str
    n: int
    p1: float | None
    p50: float | None
    p90: float | None
    p99: float | None
    min: float | None
    max: float | None
    mean: float | None
    rounds: tuple[float, ...]
    own: Mapping[str, float]
    """What the proxy says of itself and of the same moments, in seconds and counts."""
    state: Mapping[str, float]
    """The machine meanwhile: load (1 min), steal and foreign (shares of all processors)."""
    disturbed: bool
    seed: int | None
    note: str

    @property
    def key(self) -> tuple[str, int, str, str | None]:
        """What it has in common with the same figure of another mode."""
        return self.name, self.services, self.series, self.target

    @classmethod
    def of(cls, record: Record) -> Figure:
        """The figure that a record holds. Raises ResultFileError."""
        return cls(
            name=record.need("name", str),
            mode=record.maybe("mode", str),
            services=record.need("services", int),
            series=record.choice("series", SERIES),
            target=record.maybe("target", str),
            unit=record.need("unit", str),
            n=record.need("n", int),
            p1=record.maybe("p1", float),
            p50=record.maybe("p50", float),
            p90=record.maybe("p90", float),
            p99=record.maybe("p99", float),
            min=record.maybe("min", float),
            max=record.maybe("max", float),
            mean=record.maybe("mean", float),
            rounds=record.numbers("rounds"),
            own=_numbers(record, "own"),
            state=_numbers(record, "state"),
            disturbed=record.get("disturbed", default=False),
            seed=record.maybe("seed", int),
            note=record.text("note"),
        )


@dataclass(frozen=True)
class Ratio:
    """The p50 of one mode divided by that of another, from interleaved pairs, with the bounds of
    its 95 % bootstrap confidence interval.
    """

    name: str
    services: int
    series: str
    target: str | None
    modes: tuple[str, str]
    estimate: float
    low: float
    high: float
    pairs: int
    disturbed: bool

    @classmethod
    def of(cls, record: Record) -> Ratio:
        """The ratio that a record holds. Raises ResultFileError."""
        return cls(
            name=record.need("name", str),
            services=record.need("services", int),
            series=record.choice("series", SERIES),
            target=record.maybe("target", str),
            modes=_two(record),
            estimate=record.need("estimate", float),
            low=record.need("low", float),
            high=record.need("high", float),
            pairs=record.need("pairs", int),
            disturbed=record.get("disturbed", default=False),
        )


@dataclass(frozen=True)
class Fit:
    """How a figure grows: `intercept + slope * services` in `unit`, where the law is linear; the
    bounds are those of the slope's 95 % confidence interval.
    """

    name: str
    mode: str
    series: str
    target: str | None
    law: str
    intercept: float
    slope: float
    low: float
    high: float
    unit: str
    sizes: tuple[int, ...]
    sentence: str

    @classmethod
    def of(cls, record: Record) -> Fit:
        """The fit that a record holds. Raises ResultFileError."""
        return cls(
            name=record.need("name", str),
            mode=record.need("mode", str),
            series=record.choice("series", SERIES),
            target=record.maybe("target", str),
            law=record.choice("law", LAWS),
            intercept=record.need("intercept", float),
            slope=record.need("slope", float),
            low=record.need("low", float),
            high=record.need("high", float),
            unit=record.need("unit", str),
            sizes=tuple(int(size) for size in record.numbers("sizes")),
            sentence=record.text("sentence"),
        )


@dataclass(frozen=True)
class Crossover:
    """From how many Services on the first of two modes beats the second, with its 95 % interval.

    `services` is None where there is no such number among those measured; `sentence` says why.
    """

    name: str
    series: str
    target: str | None
    modes: tuple[str, str]
    services: float | None
    low: float | None
    high: float | None
    sentence: str

    @classmethod
    def of(cls, record: Record) -> Crossover:
        """The crossover that a record holds. Raises ResultFileError."""
        return cls(
            name=record.need("name", str),
            series=record.choice("series", SERIES),
            target=record.maybe("target", str),
            modes=_two(record),
            services=record.maybe("services", float),
            low=record.maybe("low", float),
            high=record.maybe("high", float),
            sentence=record.text("sentence"),
        )


@dataclass(frozen=True)
class Gap:
    """A mode that could not be measured at some number of Services, and why."""

    mode: str
    services: int
    series: str
    reason: str

    @classmethod
    def of(cls, record: Record) -> Gap:
        """The gap that a record holds. Raises ResultFileError."""
        return cls(
            mode=record.need("mode", str),
            services=record.need("services", int),
            series=record.choice("series", SERIES),
            reason=record.text("reason"),
        )


@dataclass(frozen=True)
class Footer:
    """How the bench ended."""

    finished: str
    seconds: float
    exit: int
    figures: int

    @classmethod
    def of(cls, record: Record) -> Footer:
        """The footer that a record holds. Raises ResultFileError."""
        return cls(
            finished=record.text("finished"),
            seconds=record.get("seconds", 0.0),
            exit=record.need("exit", int),
            figures=record.need("figures", int),
        )


@dataclass(frozen=True)
class Bench:
    """One bench, complete."""

    header: Header
    figures: tuple[Figure, ...]
    ratios: tuple[Ratio, ...]
    fits: tuple[Fit, ...]
    crossovers: tuple[Crossover, ...]
    gaps: tuple[Gap, ...]
    footer: Footer

    @property
    def modes(self) -> tuple[str, ...]:
        """The modes measured, in the order asked for."""
        return self.header.modes

    @property
    def sizes(self) -> tuple[int, ...]:
        """The numbers of Services at which anything was measured."""
        return tuple(sorted({figure.services for figure in self.figures}))

    def figure(
        self,
        name: str,
        mode: str | None,
        services: int,
        target: str | None = None,
        series: str = "same-period",
    ) -> Figure | None:
        """The figure of that name, or None where it was not measured."""
        wanted = name, services, series, target
        found = (each for each in self.figures if each.mode == mode and each.key == wanted)
        return next(found, None)


def read(path: Path | str) -> Bench:
    """Read a bench's result file, or the one in its folder.

    Raises ResultFileError, with one clear line, when the file is missing, cut off, without its
    footer, of another schema version, or otherwise not what a bench writes.
    """
    path = result_file.locate(path, FIGURES)
    first, *middle, last = result_file.complete(path, header="bench", version=FIGURES_VERSION)
    bench = Bench(
        header=Header.of(first),
        figures=tuple(Figure.of(record) for record in _of_type(middle, "figure")),
        ratios=tuple(Ratio.of(record) for record in _of_type(middle, "ratio")),
        fits=tuple(Fit.of(record) for record in _of_type(middle, "fit")),
        crossovers=tuple(Crossover.of(record) for record in _of_type(middle, "crossover")),
        gaps=tuple(Gap.of(record) for record in _of_type(middle, "gap")),
        footer=Footer.of(last),
    )
    _check(bench, middle, last)
    return bench


def validate(path: Path | str) -> int:
    """Check a bench's result file against the published schema, and read it; the number of its
    records.

    Raises ResultFileError for the first record that the schema does not allow.
    """
    from reports.records.schema import check  # noqa: PLC0415  only validation needs jsonschema

    path = result_file.locate(path, FIGURES)
    read(path)
    return check(path, "figures.schema.json")


def _of_type(records: list[Record], kind: str) -> list[Record]:
    return [record for record in records if record.need("type", str) == kind]


def _check(bench: Bench, records: list[Record], last: Record) -> None:
    """Refuse what contradicts itself: a hand-edited file, or two joined ones."""
    known = ("figure", "ratio", "fit", "crossover", "gap")
    for record in records:
        record.choice("type", known)
        mode = record.maybe("mode", str)
        if mode is not None and mode not in bench.modes:
            raise record.wrong(f"mode {mode} is none of the bench's modes")
    if bench.footer.figures != len(bench.figures):
        raise last.wrong(
            f"there are {len(bench.figures)} figures before the footer,"
            f" which counted {bench.footer.figures}"
        )
    twice = {(each.mode, each.key) for each in bench.figures}
    if len(twice) != len(bench.figures):
        raise last.wrong("a figure is there twice")


def _two(record: Record) -> tuple[str, str]:
    modes = record.strings("modes")
    if len(modes) != 2:
        raise record.wrong(f'"modes" is {list(modes)!r:.60}, no two modes')
    return modes[0], modes[1]


def _numbers(record: Record, name: str) -> dict[str, float]:
    """An object of names and numbers; what is null is left out."""
    part = record.part(name)
    return {key: part.need(key, float) for key, item in part.members() if item is not None}
