"""A bench, read from its result file: what each mode of a proxy costs as Services grow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reports.records import result_file
from reports.records.base import wrong
from reports.records.figures import (
    FIGURES,
    FIGURES_VERSION,
    AnyRecord,
    BenchEnd,
    BenchHeader,
    Crossover,
    Figure,
    Fit,
    Gap,
    Ratio,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


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
class Bench:
    """One bench, complete."""

    header: BenchHeader
    figures: tuple[Figure, ...]
    ratios: tuple[Ratio, ...]
    fits: tuple[Fit, ...]
    crossovers: tuple[Crossover, ...]
    gaps: tuple[Gap, ...]
    footer: BenchEnd

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
    records = result_file.complete(path, AnyRecord, header="bench", version=FIGURES_VERSION)
    bench = Bench(
        header=records[0],
        figures=tuple(each for each in records if isinstance(each, Figure)),
        ratios=tuple(each for each in records if isinstance(each, Ratio)),
        fits=tuple(each for each in records if isinstance(each, Fit)),
        crossovers=tuple(each for each in records if isinstance(each, Crossover)),
        gaps=tuple(each for each in records if isinstance(each, Gap)),
        footer=records[-1],
    )
    _check(bench, records, path)
    return bench


def _check(bench: Bench, records: Sequence[AnyRecord], path: Path) -> None:
    """Refuse what contradicts itself: a hand-edited file, or two joined ones."""
    for number, record in enumerate(records, start=1):
        mode = getattr(record, "mode", None)
        if mode is not None and mode not in bench.modes:
            where = result_file.place(path, number)
            raise wrong(where, f"mode {mode} is none of the bench's modes")
    last = result_file.place(path, len(records))
    found, counted = len(bench.figures), bench.footer.figures
    if found != counted:
        raise wrong(last, f"there are {found} figures before the footer, which counted {counted}")
    if len({(each.mode, each.key) for each in bench.figures}) != found:
        raise wrong(last, "a figure is there twice")
