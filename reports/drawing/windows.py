"""How long new connections failed, as bars from one bound to the other, one row for each course."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from markupsafe import Markup, escape

from reports.drawing.charts import Axis
from reports.model.wording import scale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.records.base import Interval

_NAMES: Final = 190.0
"""Where the bars begin: the names stand to the left."""
_ROW: Final = 22.0
_SHIFT: Final = _NAMES - 14.0


def windows(rows: Sequence[tuple[str, Sequence[Interval]]]) -> Markup:
    """A row of bars for each name, one for each switch: from the least to the most that it can have
    been, in seconds; faint, so that where many lie on one another it is dark.
    """
    bounds = [high for _, listed in rows for _, high in listed if math.isfinite(high)]
    if not max(bounds, default=0.0):
        return Markup("")
    along = Axis(0.0, max(bounds) * 1.05, logarithmic=False, unit="s")
    divisor, unit = scale(along.high, "s")
    height = _ROW * len(rows)
    parts = []
    for tick in along.ticks():
        x = along.x(tick) + _SHIFT
        parts.append(f'<line class="grid" x1="{x}" y1="0" x2="{x}" y2="{height:.0f}"/>')
        parts.append(f'<text x="{x}" y="{height + 15:.0f}">{tick / divisor:.4g} {unit}</text>')
    for number, (name, listed) in enumerate(rows):
        top = _ROW * number
        parts.append(f'<text class="name" x="0" y="{top + 15:.0f}">{escape(name)}</text>')
        for low, high in listed:
            left, right = along.x(low) + _SHIFT, along.x(min(high, along.high)) + _SHIFT
            width = max(right - left, 2.0)
            parts.append(
                f'<rect class="window" x="{left:.1f}" y="{top + 4:.0f}" width="{width:.1f}"'
                f' height="{_ROW - 8:.0f}"/>'
            )
    return Markup(  # noqa: S704  only numbers and escaped text
        f'<svg class="chart windows" viewBox="0 0 {640 + _SHIFT:.0f} {height + 20:.0f}" role="img"'
        f' aria-label="how long new connections failed">{"".join(parts)}</svg>'
    )
