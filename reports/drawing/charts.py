"""Small inline SVG charts; their colours come from the style sheet of the report."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup, escape

from reports.model.wording import scale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.records.base import Interval
    from reports.records.results import Measurement

_WIDTH = 640.0
_MARGIN = 14.0
_PLOT = 72.0  # height of the plot; the axis stands below it
_MOST_LINES = 400
_MOST_BARS = 120


class Axis(NamedTuple):
    """A horizontal axis shared by the charts of one quantity, from `low` to `high` in `unit`."""

    low: float
    high: float
    logarithmic: bool
    unit: str

    def x(self, value: float) -> float:
        """Where a value stands; what lies outside stands at the edge."""
        value = min(max(value, self.low), self.high)
        if self.logarithmic:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return round(_MARGIN + share * (_WIDTH - 2 * _MARGIN), 1)

    def ticks(self) -> list[float]:
        """About half a dozen round values."""
        if self.logarithmic:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            steps = (1, 2, 5) if len(decades) <= 3 else (1,)
            candidates = [step * 10.0**decade for decade in decades for step in steps]
        else:
            rough = (self.high - self.low) / 5
            power = 10.0 ** math.floor(math.log10(rough))
            step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough)
            first = math.ceil(self.low / step)
            candidates = [n * step for n in range(first, first + 12)]
        return [value for value in candidates if self.low <= value <= self.high]


def axis(measurements: Sequence[Measurement]) -> Axis | None:
    """The axis that holds all samples of some measurements; logarithmic when they span decades."""
    bounds = [bound for m in measurements for sample in m.samples for bound in sample]
    finite = [bound for bound in bounds if math.isfinite(bound)]
    high = max(finite, default=0.0)
    if high <= 0:
        return None
    positive = [bound for bound in finite if bound > 0]
    if high / min(positive) > 30:
        return Axis(min(positive) / 1.3, high * 1.3, logarithmic=True, unit=measurements[0].unit)
    return Axis(0.0, high * 1.08, logarithmic=False, unit=measurements[0].unit)


def _band(bounds: Interval | None, along: Axis, name: str) -> str:
    if bounds is None:
        return ""
    left, right = along.x(bounds.low), along.x(bounds.high)
    width = max(right - left, 1.5)
    return (
        f'<rect class="{name}" x="{left}" y="0" width="{width:.1f}" height="{_PLOT:.0f}">'
        f"<title>{name}</title></rect>"
    )


def samples(measurement: Measurement, along: Axis, label: str) -> Markup:
    """The samples of a measurement as their cumulative distribution: one line per interval.

    The lowest line is the smallest sample. Shaded bands are the 50th, 95th and 99th percentiles.
    """
    ordered = sorted(measurement.samples)
    stride = max(1, math.ceil(len(ordered) / _MOST_LINES))
    shown = ordered[::stride]
    parts = [_band(getattr(measurement, p), along, p) for p in ("p50", "p95", "p99")]
    divisor, unit = scale(along.high, along.unit)
    for tick in along.ticks():
        x = along.x(tick)
        parts.append(f'<line class="grid" x1="{x}" y1="0" x2="{x}" y2="{_PLOT:.0f}"/>')
        parts.append(
            f'<text x="{x}" y="{_PLOT + 15:.0f}">{tick / divisor:.4g} {escape(unit)}</text>'
        )
    path = []
    for index, (low, high) in enumerate(shown):
        y = _PLOT - 4 - (_PLOT - 8) * (index + 0.5) / len(shown)
        left = along.x(low)
        # Even an exact value must be seen.
        path.append(f"M{left} {y:.1f}H{max(along.x(high), left + 2):.1f}")
    parts.append(f'<path class="samples" d="{"".join(path)}"/>')
    return Markup(  # noqa: S704  only numbers and escaped text
        f'<svg class="chart" viewBox="0 0 {_WIDTH:.0f} {_PLOT + 20:.0f}" role="img" '
        f'aria-label="{{}}">{{}}</svg>'
    ).format(label, Markup("".join(parts)))  # noqa: S704


def bars(counts: Sequence[float], expected: Sequence[float]) -> Markup:
    """Counts as bars, with what was expected as a line across each; empty beyond 120 counts."""
    if not 1 < len(counts) <= _MOST_BARS:
        return Markup("")
    top = max([*counts, *expected, 1e-9])
    pitch = 12 if len(counts) <= 12 else 6 if len(counts) <= 40 else 3
    height = 30
    parts = []
    for index, count in enumerate(counts):
        tall = round(count / top * height, 1)
        parts.append(
            f'<rect class="bar" x="{index * pitch}" y="{height - tall:.1f}" '
            f'width="{pitch - 1}" height="{tall}"/>'
        )
        if index < len(expected):
            y = round(height - expected[index] / top * height, 1)
            x = index * pitch
            parts.append(f'<line class="want" x1="{x}" y1="{y}" x2="{x + pitch - 1}" y2="{y}"/>')
    return Markup(  # noqa: S704
        f'<svg class="bars" viewBox="0 -1 {len(counts) * pitch} {height + 2}" '
        f'width="{len(counts) * pitch}" height="{height + 2}" aria-hidden="true">'
        f"{''.join(parts)}</svg>"
    )
