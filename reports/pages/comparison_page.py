"""The comparison as one HTML page: it works offline, without scripts, on paper and on a phone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from reports.drawing.comparison_charts import charts, glance
from reports.model import fingerprints, node_words
from reports.model.comparison import KINDS
from reports.model.freedom import pairs
from reports.model.parity import parities
from reports.model.reproduce import reproduce
from reports.model.wording import BAD, WORDS, several
from reports.pages.environment import environment, evidence
from reports.records.results import EXPECTED_FAILURE, PASSED, SKIPPED
from reports.verdicts.claims import FAILS, HOLDS, LOOSE, OPEN, claims
from reports.verdicts.pace import paces
from reports.verdicts.recommend import alike, by_scenario, recommendations

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reports.model.comparison import Column, Comparison
    from reports.records.results import Result

_DOUBTS: Final = 3  # statements that do not hold which the first screen has room for
_TOLD: Final = (*BAD, EXPECTED_FAILURE, SKIPPED)


def _worth_telling(column: Column, requirement: str) -> tuple[Result, ...]:
    """The results of a cell that a reader may want to look into. A pass with a reason is among
    them: the same fails on nodes of another kind.
    """
    return tuple(
        result
        for result in column.cell(requirement).results
        if result.outcome in _TOLD or (result.outcome == PASSED and result.reason)
    )


def _about(comparison: Comparison, firsts: Sequence[Column]) -> str:
    """What was compared, in a line; the runs themselves stand at the end of the page."""
    days = sorted({column.run.header.started[:10] for column in firsts})
    where = dict.fromkeys(node_words.told(column.run) for column in firsts)
    parts = [
        f"{several(len(firsts), 'run')} of {' to '.join(dict.fromkeys((days[0], days[-1])))}",
        *(name for name in where if name),
        *(
            f"{several(len(benches), 'bench', 'benches')}{word}"
            for word, emulated in (("", False), (" (emulated)", True))
            if (benches := [b for b in comparison.benches if b.header.emulated is emulated])
        ),
        *dict.fromkeys(f"suite {column.run.header.suite.version}" for column in firsts),
    ]
    return " · ".join(parts)


def _against(comparison: Comparison) -> str:
    """Which column each is held against."""
    held = [
        (column.label, before.label)
        for column in comparison.columns
        if (before := comparison.before(column))
    ]
    told = "; ".join(f"{label} against {before}" for label, before in held)
    return f"Held against another: {told}." if held else "There is but one column."


def render(comparison: Comparison, folder: Path) -> str:
    """The page, to be written into `folder`: evidence is linked relative to it."""

    def links(column: Column, result: Result) -> list[tuple[str, str, str]]:
        way = os.path.relpath(column.folder.absolute(), folder.absolute())
        return evidence(result, column.folder, way if way.startswith(".") else f"./{way}")

    numbers = dict.fromkeys(column.number for column in comparison.columns)
    firsts = [next(c for c in comparison.columns if c.number == number) for number in numbers]
    said = claims(comparison)
    found = {
        word: members
        for word in (HOLDS, FAILS, LOOSE, OPEN)
        if (members := [claim for claim in said if claim.word == word])
    }
    advice = recommendations(comparison)
    pictures = charts(comparison)
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
            paces=paces(comparison),
            parities=parities(comparison),
            decisions=pairs(comparison),
            nodes=node_words.told,
            about=_about(comparison, firsts),
            against=_against(comparison),
            charts=pictures,
            glance=glance(pictures),
            claims=said,
            found=found,
            doubtful=[*found.get(FAILS, []), *found.get(LOOSE, [])][:_DOUBTS],
            recommendations=advice,
            choices=by_scenario(advice),
            measured=[subject for subject in dict.fromkeys(r.subject for r in advice) if subject],
            alike=alike(),
            fingerprints=[(c, fingerprints.rows(c.run)) for c in firsts],
            told=_worth_telling,
            links=links,
            reproduce=lambda column, result: reproduce(column.run, result),
        )
    )
