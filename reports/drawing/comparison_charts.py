"""What was measured, as charts and tables: from benches where there are any, and from runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from reports.drawing import curves
from reports.drawing.curves import Curve
from reports.model import wording
from reports.model.bench import PUBLISHED
from reports.records.base import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

    from reports.model.bench import Bench
    from reports.model.comparison import Column, Comparison
    from reports.records.figures import Figure

_SHORTEST: Final = 1e-3
"""Seconds below which a moment on the wire cannot be told from another: the logarithm's floor."""

GROWTH: Final[tuple[tuple[str, str | None, str], ...]] = (
    ("first-packet", "random", "First packet of a connection to a random Service"),
    ("first-packet", "last", "First packet of a connection to the Service programmed last"),
    ("established-packet", None, "Packet of an established connection"),
    ("sync-endpoint-add", None, "Until an added endpoint is seen on the wire"),
    ("sync-endpoint-remove", None, "Until a removed endpoint is gone from the wire"),
    ("sync-service-add", None, "Until an added Service is seen on the wire"),
    ("sync-service-remove", None, "Until a removed Service is gone from the wire"),
    ("sync-100-services", None, "Until 100 Services, added at once, are seen on the wire"),
    ("sync-rolling-update", None, "Until the endpoint that replaces another is used"),
    ("gone-endpoint-packets", None, "Connections sent to an endpoint that was replaced"),
    ("full-sync", None, "From the proxy's start to the last Service"),
    ("connection-rate", None, "New connections a second"),
    ("churn", None, "Changes a second before latency doubles"),
    ("cpu-seconds", "endpoint-change", "Processor time for a change of an endpoint"),
    ("cpu-seconds", "full-sync", "Processor time for a full sync"),
    ("peak-memory", "proxy", "Peak memory of the proxy in a full sync"),
    ("peak-memory", "tools", "Peak memory of the tools that it runs"),
    ("rules", None, "Rules in the kernel"),
)
"""Figures whose growth is drawn: name, target and title, in the order of a reader's questions."""


_MOST_BANDS: Final = 3  # more would hide each other

_GLANCE: Final = {
    "First packet of a connection to a random Service": "What a connection's first packet takes",
    "Until an added endpoint is seen on the wire": "How soon a new endpoint is used",
}
"""What says most, the price of a connection and of a change, and what to call it in passing."""


class Drawing(Protocol):
    """A way to draw curves."""

    def __call__(
        self, title: str, curves: Sequence[Curve], unit: str, *, small: bool = False
    ) -> Markup:
        """The picture as SVG."""


@dataclass(frozen=True)
class Chart:
    """One picture, and the numbers behind it for those who cannot see or do not trust it."""

    title: str
    note: str
    lines: tuple[Curve, ...]
    unit: str
    drawing: Drawing
    """What draws the lines: `curves.growth` or `curves.distribution`."""
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def svg(self) -> Markup:
        """The picture; drawing it takes a tenth of a second."""
        return self.drawing(self.title, self.lines, self.unit)

    @property
    def glance(self) -> Markup:
        """The picture for a reader who has only a moment: smaller, and without the spread."""
        lines = _unshaded(self.lines)
        return self.drawing(f"{self.title}, at a glance", lines, self.unit, small=True)


def _unshaded(lines: Sequence[Curve]) -> list[Curve]:
    return [replace(line, bands=()) for line in lines]


def glance(found: Sequence[Chart]) -> dict[str, Chart]:
    """The two charts that say most, by what to call them in passing; without a bench the first two
    that there are.
    """
    most = {_GLANCE[chart.title]: chart for chart in found if chart.title in _GLANCE}
    return most or {chart.title: chart for chart in found[:2]}


def charts(comparison: Comparison) -> tuple[Chart, ...]:
    """Every chart of a comparison: how figures grow, then how latencies are spread.

    What was measured under emulation has charts of its own: it compares with nothing else.
    """
    found: list[Chart] = []
    for emulated in (False, True):
        benches = [b for b in comparison.benches if b.header.emulated == emulated]
        about = " (emulated)" if emulated else ""
        found += filter(None, (_growth(*entry, benches, about) for entry in GROWTH))
    for emulated in (False, True):
        found += _distributions(comparison.columns, emulated=emulated)
    return tuple(found)


# --- growth ---------------------------------------------------------------------------------------


def _growth(
    name: str,
    target: str | None,
    title: str,
    benches: Sequence[Bench],
    about: str,
) -> Chart | None:
    lines: list[Curve] = []
    rows: list[tuple[str, ...]] = []
    unit = ""
    for group, bench in enumerate(benches):
        for mode in bench.modes:
            label = f"{_subject(bench)} {mode}" if len(benches) > 1 else mode
            found = _series(bench, name, target, mode)
            if not found:
                continue
            unit = found[0].unit
            lines.append(_curve(label, mode, group, found))
            rows += [_row(label, figure) for figure in found]
    if not lines:
        return None
    known = sorted({p.mode for p in PUBLISHED if p.name == name} & {line.mode for line in lines})
    if target == "random" and not about:
        for mode in known:
            points = [p for p in PUBLISHED if p.name == name and p.mode == mode and p.unit == unit]
            spots = tuple((float(p.services), p.p50) for p in points)
            lines.append(Curve(f"{mode}, published", mode, 0, spots, dotted=True))
            rows += [
                (f"{mode}, published", f"{p.services:,}", "-", wording.quantity(p.p50, p.unit), "-",
                 p.source)
                for p in points
            ]  # fmt: skip
    if sum(not line.dotted for line in lines) > _MOST_BANDS:
        lines = _unshaded(lines)
    drawable = all(y > 0 for line in lines for _, y in line.points)
    if not drawable:  # a logarithm has no zero
        return None
    note = "Lines are medians"
    note += "; shading spans p50 to p99." if any(line.bands for line in lines) else "."
    if any(line.dotted for line in lines):
        note += " Dotted: published by others, on another machine."
    shaky = sum(row[-1].startswith("disturbed") for row in rows)
    if shaky:
        note += f" {wording.several(shaky, 'point')} measured on a disturbed machine."
    return Chart(
        f"{title}{about}",
        note,
        tuple(lines),
        unit,
        curves.growth,
        ("series", "Services", "n", "p50", "p99", "remarks"),
        tuple(rows),
    )


def _series(bench: Bench, name: str, target: str | None, mode: str) -> list[Figure]:
    """The figures of a mode by number of Services; without a target, of the first that it has."""
    found = [
        f for f in bench.figures if f.name == name and f.mode == mode and f.series == "same-period"
    ]
    targets = sorted({f.target or "" for f in found})
    wanted = target if target is not None else (targets[0] if targets else None)
    found = [f for f in found if (f.target or "") == (wanted or "") and f.middle is not None]
    return sorted(found, key=lambda figure: figure.services)


def _curve(label: str, mode: str, group: int, found: Sequence[Figure]) -> Curve:
    points = tuple((float(f.services), f.middle or 0.0) for f in found)
    spread = all(f.p50 is not None and f.p99 is not None for f in found)
    bands = tuple((f.p50 or 0.0, f.p99 or 0.0) for f in found) if spread else ()
    return Curve(label, mode, group, points, bands)


def _row(label: str, figure: Figure) -> tuple[str, ...]:
    remarks = filter(None, ["disturbed" * figure.disturbed, figure.note])
    return (
        label,
        f"{figure.services:,}",
        f"{figure.n:,}",
        wording.quantity(figure.middle, figure.unit),
        wording.quantity(figure.p99, figure.unit),
        "; ".join(remarks) or "-",
    )


def _subject(bench: Bench) -> str:
    said = bench.header.implementation
    return said.version or said.name


# --- distributions --------------------------------------------------------------------------------


def _distributions(columns: Sequence[Column], *, emulated: bool) -> list[Chart]:
    measured = [(column, column.samples(emulated=emulated)) for column in columns]
    names = dict.fromkeys(name for _, found in measured for name in found)
    about = " (emulated)" if emulated else ""
    return [
        _distribution(f"{name[0].upper()}{name[1:]}{about}", unit, members)
        for name, unit in sorted(names)
        if (members := [(c, s) for c, found in measured if (s := found.get((name, unit)))])
    ]


def _distribution(
    title: str,
    unit: str,
    members: Sequence[tuple[Column, list[Interval]]],
) -> Chart:
    factor, shown = (1e3, "ms") if unit == "s" else (1.0, unit)
    floor = _SHORTEST if unit == "s" else 1e-9
    lines = []
    for column, samples in members:
        lows = sorted(max(low, floor) * factor for low, _ in samples)
        highs = sorted(max(high, floor) * factor for _, high in samples)
        middles = sorted(max((low + high) / 2, floor) * factor for low, high in samples)
        finite = [x for x in middles if x != float("inf")]
        shares = [(index + 0.5) / len(middles) for index in range(len(finite))]
        lines.append(
            Curve(
                column.label,
                column.mode,
                column.number,
                tuple(zip(finite, shares, strict=True)),
                tuple(zip(lows[: len(finite)], highs[: len(finite)], strict=True)),
            )
        )
    shaded = len(lines) <= _MOST_BANDS
    if not shaded:
        lines = _unshaded(lines)
    return Chart(
        title,
        "Measured on the wire in the conformance run, with a handful of Services: a moment is known"
        f" only to lie between two probes{' (the shading)' * shaded}, lines are the middles.",
        tuple(lines),
        shown,
        curves.distribution,
        ("column", "samples", "p50", "p99"),
        tuple(
            (
                column.label,
                f"{len(samples):,}",
                wording.interval(_at(samples, 0.5), unit),
                wording.interval(_at(samples, 0.99), unit),
            )
            for column, samples in members
        ),
    )


def _at(samples: Sequence[Interval], share: float) -> Interval:
    """The interval of a quantile: the same quantile of the lower and of the upper bounds."""
    place = min(int(share * len(samples)), len(samples) - 1)
    return Interval(
        max(sorted(low for low, _ in samples)[place], 0.0),
        sorted(high for _, high in samples)[place],
    )
