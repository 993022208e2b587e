"""The comparison as one HTML page: it works offline, without scripts, on paper and on a phone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from reports import fingerprints, nodes
from reports.claims import claims
from reports.comparison import KINDS
from reports.html import environment, evidence
from reports.measured import charts
from reports.model import BAD, WORDS
from reports.parity import parities
from reports.recommend import recommendations
from reports.records import EXPECTED_FAILURE, PASSED, SKIPPED
from reports.reproduce import reproduce

if TYPE_CHECKING:
    from pathlib import Path

    from reports.comparison import Column, Comparison
    from reports.records import Result

_TOLD = (*BAD, EXPECTED_FAILURE, SKIPPED)


def _worth_telling(column: Column, requirement: str) -> tuple[Result, ...]:
    """The results of a cell that a reader may want to look into."""
    return tuple(r for r in column.cell(requirement).results if r.outcome in _TOLD or _notable(r))


def _notable(result: Result) -> bool:
    """Whether it is a pass that is told why it is one: the same fails on nodes of another kind."""
    return result.outcome == PASSED and bool(result.reason)


def render(comparison: Comparison, folder: Path) -> str:
    """The page, to be written into `folder`: evidence is linked relative to it."""

    def links(column: Column, result: Result) -> list[tuple[str, str, str]]:
        way = os.path.relpath(column.folder.absolute(), folder.absolute())
        return evidence(result, column.folder, way if way.startswith(".") else f"./{way}")

    numbers = dict.fromkeys(column.number for column in comparison.columns)
    firsts = [next(c for c in comparison.columns if c.number == number) for number in numbers]
    words = {cell.word for each in comparison.requirements for _, cell in comparison.row(each.id)}
    return (
        environment()
        .get_template("compare.html.j2")
        .render(
            comparison=comparison,
            columns=comparison.columns,
            subjects=list(dict.fromkeys(c.subject for c in comparison.columns)),
            kinds=KINDS,
            firsts=firsts,
            words=[word for word in WORDS if word in words],
            parities=parities(comparison),
            nodes=nodes.told,
            charts=charts(comparison),
            claims=claims(comparison),
            recommendations=recommendations(comparison),
            fingerprints=[(c, fingerprints.rows(c.run)) for c in firsts],
            told=_worth_telling,
            links=links,
            reproduce=lambda column, result: reproduce(column.run, result, column.folder),
        )
    )
