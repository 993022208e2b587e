"""What has grown in a soak, for the page of its run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.drawing import curves
from reports.drawing.curves import Curve
from reports.model.wording import number

if TYPE_CHECKING:
    from markupsafe import Markup

    from reports.model.run import Run
    from reports.records.results import Requirement, Result, Series


@dataclass(frozen=True)
class Soaked:
    """One quantity, in all modes."""

    requirement: Requirement
    name: str
    chart: Markup
    sentences: tuple[str, ...]


def soaked(run: Run) -> list[Soaked]:
    """Each quantity that a soak has looked at."""
    by_id = {requirement.id: requirement for requirement in run.requirements}
    found: dict[tuple[str, str], list[tuple[Result, Series]]] = {}
    for result in run.results:
        for series in result.series:
            found.setdefault((result.requirement, series.name), []).append((result, series))
    return [
        Soaked(by_id[requirement], name, _chart(name, of_modes), tuple(map(_said, of_modes)))
        for (requirement, name), of_modes in found.items()
    ]


def _chart(name: str, of_modes: list[tuple[Result, Series]]) -> Markup:
    lines = [
        Curve(result.mode, result.mode, 0, life)
        for result, series in of_modes
        for life in series.lives
    ]
    return curves.lives(name, lines, of_modes[0][1].unit)


def _said(of_mode: tuple[Result, Series]) -> str:
    result, series = of_mode
    low, high = series.bounds
    return (
        f"{result.mode}: {number(series.slope)} {series.unit} more after 1,000 operations"
        f" ({number(low)} to {number(high)}; up to {number(series.tolerated)} counts as none)"
    )
