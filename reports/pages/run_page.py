"""The HTML report: one file that works offline, without scripts, and on paper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from reports.drawing import charts
from reports.model import fingerprints, freedom, node_words
from reports.model.reproduce import reproduce
from reports.model.run import by_area
from reports.model.wording import BAD, TOLD, WORDS
from reports.pages.environment import environment, evidence
from reports.pages.soaked import soaked
from reports.records.results import EXPECTED_FAILURE, SKIPPED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from reports.model.run import Run
    from reports.records.results import Measurement, Requirement, Result


@dataclass(frozen=True)
class Group:
    """Results of one requirement in one mode that are told together."""

    requirement: Requirement
    mode: str
    word: str
    reason: str
    results: tuple[Result, ...]
    cases: int


@dataclass(frozen=True)
class Row:
    """One measured quantity in one mode."""

    mode: str
    measurement: Measurement
    chart: Markup


@dataclass(frozen=True)
class Quantity:
    """One measured quantity, to be compared between the modes."""

    requirement: Requirement
    case: str
    name: str
    logarithmic: bool
    rows: tuple[Row, ...]


def _groups(run: Run, outcomes: Sequence[str], *, by_reason: bool) -> list[Group]:
    """The results with some outcomes, by requirement and mode and, if wanted, reason."""
    groups = []
    for requirement in run.requirements:
        for mode, cell in run.cells[requirement.id].items():
            found: dict[str, list[Result]] = {}
            for result in cell.results:
                if result.outcome in outcomes:
                    found.setdefault(result.reason if by_reason else "", []).append(result)
            for reason, results in found.items():
                word = min((r.outcome for r in results), key=WORDS.index)
                groups.append(
                    Group(requirement, mode, word, reason, tuple(results), len(cell.results))
                )
    return groups


def _quantities(run: Run) -> list[Quantity]:
    """Everything measured, the same quantity of all modes together."""
    by_id = {requirement.id: requirement for requirement in run.requirements}
    found: dict[tuple[str, str, str, str], list[tuple[str, Measurement]]] = {}
    for result in run.results:
        for m in result.measurements:
            key = (result.requirement, result.case, m.name, m.unit)
            found.setdefault(key, []).append((result.mode, m))
    quantities = []
    for (requirement, case, name, _), rows in found.items():
        rows.sort(key=lambda row: run.modes.index(row[0]))
        comparable = [m for _, m in rows if not m.emulated] or [m for _, m in rows]
        along = charts.axis(comparable)
        quantities.append(
            Quantity(
                requirement=by_id[requirement],
                case=case,
                name=name,
                logarithmic=along is not None and along.logarithmic,
                rows=tuple(
                    Row(
                        mode,
                        m,
                        charts.samples(m, along, f"{name}, {mode}")
                        if along and m in comparable
                        else Markup(),
                    )
                    for mode, m in rows
                ),
            )
        )
    return quantities


def _cases(run: Run, requirement: Requirement) -> list[tuple[str, dict[str, list[Result]]]]:
    """The cases of a requirement, each with its results by mode."""
    rows: dict[str, dict[str, list[Result]]] = {}
    for mode, cell in run.cells[requirement.id].items():
        for result in cell.results:
            row = rows.setdefault(result.case, {m: [] for m in run.modes})
            row[mode].append(result)
    return list(rows.items())


def render(run: Run, folder: Path | None = None) -> str:
    """The report of a run as one HTML page.

    `folder` is where the page will stand; evidence files found there are linked one by one.
    """

    def links(result: Result) -> Iterable[tuple[str, str, str]]:
        return evidence(result, folder)

    return (
        environment()
        .get_template("report.html.j2")
        .render(
            run=run,
            words=WORDS,
            told_words=TOLD,
            areas=by_area(run.requirements),
            cases=lambda requirement: _cases(run, requirement),
            expected=_groups(run, (EXPECTED_FAILURE,), by_reason=True),
            failures=_groups(run, BAD, by_reason=False),
            skipped=_groups(run, (SKIPPED,), by_reason=True),
            nodes=node_words.groups(run),
            fingerprints=fingerprints.rows(run),
            quantities=_quantities(run),
            soaked=soaked(run),
            clauses=freedom.clauses(run),
            evidence=links,
            reproduce=lambda result: reproduce(run, result),
        )
    )
