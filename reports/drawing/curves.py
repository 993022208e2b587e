"""Curves as static SVG: drawn by matplotlib, coloured by the page that they stand in."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MODES: Final = ("iptables", "nftables", "ipvs")
_DASHES: Final = ("-", (0, (5, 2)), (0, (2, 1.5)), (0, (7, 2, 1, 2)))
_MARKERS: Final = ("o", "s", "^", "D")
_SIZE, _SMALL = (6.0, 3.5), (4.6, 2.9)
"""Inches: a page stretches them to the room that it has, text and all."""
# Colours are named by the style sheet, so that a page in dark mode, or on paper, has its own.
# matplotlib draws with these stand-ins, which nothing else uses.
_STAND_INS: Final[Mapping[str, str]] = {
    "#010101": "var(--ink)",
    "#020202": "var(--soft)",
    "#030303": "var(--line)",
    "#040401": "var(--series-1)",
    "#040402": "var(--series-2)",
    "#040403": "var(--series-3)",
    "#040404": "var(--series-4)",
    "#040405": "var(--series-5)",
}
_INK, _SOFT, _LINE, *_SERIES = _STAND_INS


@dataclass(frozen=True)
class Curve:
    """One line of a chart."""

    label: str
    mode: str
    group: int
    """Which run or bench it is of: modes have colours, runs dashes and markers."""
    points: tuple[tuple[float, float], ...]
    bands: tuple[tuple[float, float], ...] = ()
    """Lower and upper bound at each point, where there is a spread to be shown."""
    dotted: bool = False
    """Not measured here: published by somebody else."""


def growth(title: str, curves: Sequence[Curve], unit: str, *, small: bool = False) -> Markup:
    """A quantity against the number of Services, both logarithmic; 1 unit of `unit` a unit up.

    `points` are (Services, value).
    """
    with _axes(small=small) as (figure, axes):
        axes.set_xscale("log")
        axes.set_yscale("log")
        for index, curve in enumerate(curves):
            xs = [max(x, 1.0) for x, _ in curve.points]
            ys = [y for _, y in curve.points]
            colour = _colour(curve.mode, curves)
            if curve.bands:
                low, high = zip(*curve.bands, strict=True)
                axes.fill_between(xs, low, high, color=colour, alpha=0.13, linewidth=0)
            axes.plot(
                xs,
                ys,
                color=colour,
                linestyle=":" if curve.dotted else _DASHES[curve.group % len(_DASHES)],
                marker=_MARKERS[(MODES.index(curve.mode) if curve.mode in MODES else index) % 4],
                markerfacecolor="none" if curve.dotted else colour,
                markersize=5,
                label=curve.label,
            )
        values = [y for curve in curves for _, y in curve.points]
        values += [y for curve in curves for band in curve.bands for y in band]
        axes.set_ylim(min(values) / 1.6, max(values) * 1.6)
        axes.set_xlabel("Services", color=_SOFT)
        axes.set_ylabel(unit, color=_SOFT)
        return _svg(figure, axes, title)


def distribution(title: str, curves: Sequence[Curve], unit: str, *, small: bool = False) -> Markup:
    """Cumulative distributions, the quantity logarithmic.

    `points` are (value, share of samples), `bands` the bounds of each value: a moment that is
    known only to lie between two observations.
    """
    with _axes(small=small) as (figure, axes):
        axes.set_xscale("log")
        for curve in curves:
            ys = [y for _, y in curve.points]
            colour = _colour(curve.mode, curves)
            if curve.bands:
                low, high = (list(side) for side in zip(*curve.bands, strict=True))
                axes.fill_betweenx(ys, low, high, color=colour, alpha=0.10, linewidth=0)
            axes.plot(
                [x for x, _ in curve.points],
                ys,
                color=colour,
                linestyle=_DASHES[curve.group % len(_DASHES)],
                label=curve.label,
            )
        axes.set_ylim(0, 1)
        axes.set_xlabel(unit, color=_SOFT)
        axes.set_ylabel("share of samples", color=_SOFT)
        return _svg(figure, axes, title)


def over_time(
    title: str, curves: Sequence[Curve], unit: str, *, moments: Sequence[str], small: bool = False
) -> Markup:
    """A quantity, logarithmic, run by run: `points` are (place among the moments, value)."""
    with _axes(small=small) as (figure, axes):
        axes.set_yscale("log")
        for curve in curves:
            colour = _colour(curve.mode, curves)
            xs, ys = zip(*((x, y) for x, y in curve.points if y > 0), strict=True)
            axes.plot(xs, ys, color=colour, marker="o", markersize=4, label=curve.label)
        step = max(1, math.ceil(len(moments) / 5))
        axes.set_xticks(range(0, len(moments), step), moments[::step], fontsize=8)
        axes.set_ylabel(unit, color=_SOFT)
        return _svg(figure, axes, title)


def lives(title: str, curves: Sequence[Curve], unit: str) -> Markup:
    """A quantity over hours: `points` are (hours, value). Curves of a mode that follow each other
    are the lives of one proxy, each of its own and all of one label.
    """
    with _axes(small=True) as (figure, axes):
        labels = set[str]()
        for curve in curves:
            label = None if curve.label in labels else curve.label
            labels.add(curve.label)
            xs, ys = zip(*curve.points, strict=True)
            axes.plot(xs, ys, color=_colour(curve.mode, curves), linewidth=1.2, label=label)
        axes.set_ylim(0, max(y for curve in curves for _, y in curve.points) * 1.1)
        axes.set_xlabel("hours", color=_SOFT)
        axes.set_ylabel(unit, color=_SOFT)
        return _svg(figure, axes, title)


def _colour(mode: str, curves: Sequence[Curve]) -> str:
    """Every mode has its colour, the same in all charts; other proxies' modes take what is left."""
    others = sorted({curve.mode for curve in curves} - set(MODES))
    known = [*MODES, *others]
    return _SERIES[known.index(mode) % len(_SERIES)]


@contextmanager
def _axes(*, small: bool = False) -> Iterator[tuple[Figure, Axes]]:
    """A figure of its own, with text as text: what reads a page aloud, or searches it, finds it."""
    import matplotlib as mpl  # noqa: PLC0415  half a second, for those alone who draw
    from matplotlib.figure import Figure  # noqa: PLC0415

    with mpl.rc_context(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "kube-proxy-conformance",  # the same figures give the same file
            "font.size": 10,
            "axes.edgecolor": _LINE,
            "axes.labelsize": 10,
            "text.color": _INK,
            "xtick.color": _SOFT,
            "ytick.color": _SOFT,
            "grid.color": _LINE,
            "lines.linewidth": 1.9,
        }
    ):
        figure = Figure(figsize=_SMALL if small else _SIZE, layout="constrained")
        figure.patch.set_alpha(0)
        axes = figure.add_subplot()
        axes.patch.set_alpha(0)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(visible=True, which="major", linewidth=0.7)
        axes.set_axisbelow(True)
        yield figure, axes


def _plain(value: float, _position: int | None = None) -> str:
    """A tick as people write it: 10,000 and not 10 to the power of 4."""
    if value >= 1:
        return f"{value:,.0f}" if math.isclose(value, round(value)) else f"{value:,.1f}"
    return f"{value:.3g}"


def _svg(figure: Figure, axes: Axes, title: str) -> Markup:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter  # noqa: PLC0415

    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() == "log":
            low, high = axis.get_view_interval()
            steps = (1.0, 2.0, 5.0) if high / low < 300 else (1.0,)
            axis.set_major_locator(LogLocator(subs=steps))
            axis.set_major_formatter(FuncFormatter(_plain))
            axis.set_minor_formatter(NullFormatter())
    handles, labels = axes.get_legend_handles_labels()
    columns = 2 if max(map(len, labels), default=0) < 26 else 1
    figure.legend(
        handles, labels, loc="outside lower center", ncols=columns, frameon=False, fontsize=9
    )
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return _themed(out.getvalue(), title)


def _themed(drawn: str, title: str) -> Markup:
    """Matplotlib's SVG made part of a page: its colours, fonts and names of its own."""
    text = drawn[drawn.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    for stand_in, name in _STAND_INS.items():
        text = text.replace(stand_in, name)
    text = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font: \1px system-ui, sans-serif", text)
    prefix = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    text = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', text)
    text = re.sub(r'(href="#|url\(#)', rf"\g<1>{prefix}-", text)
    text = re.sub(
        r'<svg [^>]*viewBox="([^"]+)"[^>]*>', r'<svg viewBox="\1" {attributes}>', text, count=1
    )
    attributes = f'class="curve" role="img" aria-label="{escape(title)}" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return Markup(text.replace("{attributes}", attributes, 1))  # noqa: S704  our own drawing
