"""Releases of a proxy in a row: what each mended, broke and changed against the one before it, and
why, and whether it is ready for what Kubernetes will demand.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, Protocol

from reports.model.comparison import Comparison, columns, load
from reports.model.freedom import pairs
from reports.model.wording import BAD, VERDICTS, several
from reports.records.results import (
    EXPECTED_FAILURE,
    PASSED,
    SKIPPED,
    UNCLAIMED,
    UNEXPECTED_PASS,
)
from specification.errors import ResultFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from reports.model.comparison import Column
    from reports.model.freedom import Freedom, Pair
    from reports.model.run import Cell, Run
    from reports.records.results import Requirement

BROKE: Final = "broke"
MENDED: Final = "mended"
CHANGED: Final = "changed"
UNCOMPARED: Final = "not compared"
KINDS: Final = (BROKE, MENDED, CHANGED, UNCOMPARED)
"""What a release does to a requirement, in the order in which a reader wants it."""

READY: Final = "ready"
NOT_READY: Final = "not ready"
UNTESTED: Final = "not tested"

_HOLDS: Final = (PASSED, UNEXPECTED_PASS)


@dataclass(frozen=True)
class Cause:
    """Why two versions differ, as it was written down, and who says so."""

    reason: str
    reference: str
    read: bool = False
    """Whether it is known from the source of one of them alone, and was in no run before."""

    @property
    def told(self) -> str:
        """In a line."""
        seen = " Read in its source, in no run before." if self.read else ""
        return f"{self.reason}{seen} ({self.reference})".lstrip()


class Known(Protocol):
    """What is written down of a proxy's versions."""

    def by_chance(self, requirement: str, mode: str, case: str, versions: Sequence[str]) -> bool:
        """Whether a case is known to fail now and then in all of these versions."""

    def causes(
        self, requirement: Requirement, mode: str, case: str, versions: tuple[str, str]
    ) -> tuple[Cause, ...]:
        """What is known of a case of one of two versions and not of the other."""

    def clauses(
        self, names: Sequence[str], requirements: Sequence[Requirement], versions: tuple[str, str]
    ) -> tuple[Cause, ...]:
        """The same of what these clauses of the specification are asked about."""


@dataclass(frozen=True)
class Change:
    """What a release did to some cases of a requirement, alike in some modes."""

    kind: str
    requirement: Requirement
    modes: tuple[str, ...]
    was: str
    """The outcome in the release before; empty where the case was not run."""
    now: str
    cases: tuple[str, ...]
    of: int
    """How many cases of the requirement a mode has."""
    causes: tuple[Cause, ...]
    said: tuple[str, ...]
    """What the runs say of the cases, each thing once."""

    @property
    def unknown(self) -> bool:
        """Whether nobody has written down why."""
        return not self.causes


@dataclass(frozen=True)
class Step:
    """A release beside the one before it."""

    before: Run
    run: Run
    changes: tuple[Change, ...]
    pairs: tuple[Pair, ...]
    """Their censuses, decision by decision: what came out otherwise although both are right."""
    decided: Mapping[Freedom, tuple[Cause, ...]]
    """Why, where it is known; where nothing is promised nobody has to know."""

    def of_kind(self, kind: str) -> tuple[Change, ...]:
        """The changes of one kind."""
        return tuple(change for change in self.changes if change.kind == kind)


@dataclass(frozen=True)
class Announced:
    """What Kubernetes will demand from a release on, and what became of it in a column."""

    release: str
    column: Column
    requirements: tuple[Requirement, ...]

    @cached_property
    def cells(self) -> tuple[tuple[Requirement, Cell], ...]:
        """Each requirement with what became of it."""
        return tuple((each, self.column.cell(each.id)) for each in self.requirements)

    @property
    def word(self) -> str:
        """Ready, where all of them hold; not ready, where one fails, expected or not, or is not
        claimed; not tested, where one was not judged and none fails.
        """
        words = {cell.word for _, cell in self.cells}
        if words & {*BAD, EXPECTED_FAILURE, UNCLAIMED}:
            return NOT_READY
        return READY if words == {PASSED} else UNTESTED


@dataclass(frozen=True, eq=False)
class Releases:
    """Runs of one suite over releases of one proxy, in the order in which they are compared."""

    comparison: Comparison
    steps: tuple[Step, ...]

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs, a release each."""
        return tuple({column.number: column.run for column in self.comparison.columns}.values())

    def columns(self, run: Run) -> tuple[Column, ...]:
        """The modes of a release."""
        return tuple(column for column in self.comparison.columns if column.run is run)

    def step(self, run: Run) -> Step | None:
        """What a release did; ``None`` for the first."""
        return next((step for step in self.steps if step.run is run), None)

    @cached_property
    def unlisted(self) -> tuple[tuple[Column, Requirement, Cell], ...]:
        """What fails, passes or could not be judged against all that is written down of a version,
        in whichever release it began.
        """
        return tuple(
            (column, each, column.cell(each.id))
            for column in self.comparison.columns
            for each in self.comparison.requirements
            if column.cell(each.id).word in BAD
        )

    @cached_property
    def unknown(self) -> tuple[tuple[Step, Change], ...]:
        """The differences without a known cause."""
        return tuple(
            (step, change) for step in self.steps for change in step.changes if change.unknown
        )

    @property
    def differing(self) -> tuple[Requirement, ...]:
        """The requirements of which not all releases say the same, or which fail unlisted."""
        found = {change.requirement.id for step in self.steps for change in step.changes}
        found |= {requirement.id for _, requirement, _ in self.unlisted}
        return tuple(each for each in self.comparison.requirements if each.id in found)

    @cached_property
    def announced(self) -> Mapping[str, tuple[Announced, ...]]:
        """Release of Kubernetes -> what it will demand, in each column."""
        demands: dict[str, list[Requirement]] = {}
        for each in self.comparison.requirements:
            if each.conformance:
                demands.setdefault(each.conformance, []).append(each)
        return {
            release: tuple(
                Announced(release, column, tuple(found)) for column in self.comparison.columns
            )
            for release, found in sorted(demands.items(), key=lambda each: _order(each[0]))
        }

    def worst(self, run: Run) -> str:
        """The worst verdict of a release's modes."""
        return min((column.verdict for column in self.columns(run)), key=[*VERDICTS].index)

    @property
    def answer(self) -> str:
        """Whether all is known, in a sentence or two."""
        total = sum(len(step.changes) for step in self.steps)
        differences = several(total, "difference")
        if self.unknown:
            said = f"{len(self.unknown)} of {differences} without a known cause."
        elif total:
            said = f"Each of {differences} has a known cause."
        else:
            said = "Nothing differs between the releases."
        if self.unlisted:
            said += f" {several(len(self.unlisted), 'result')} that nobody has listed."
        return said

    @property
    def exit_code(self) -> int:
        """0 where a cause is known for all that differs, and 1 where something has none."""
        return int(bool(self.unknown or self.unlisted))


def line_up(paths: Sequence[Path], known: Known) -> Releases:
    """Read the runs of releases, and hold each against the one before it.

    Raises ResultFileError for a file that is bad or given twice, and for runs that are not alike:
    of several suites or seeds, or of one version.
    """
    runs, _ = load(paths)
    first = runs[0][1].header
    for path, run in runs:
        if (run.header.suite, run.header.seed) != (first.suite, first.seed):
            raise ResultFileError(
                f"{path}: is by another suite or of another seed than {runs[0][0]}: run both by one"
            )
    versions = [version_of(run) for _, run in runs]
    if twice := [version for version in versions if versions.count(version) > 1]:
        raise ResultFileError(f"{twice[0]} was given twice: give each release once")
    steps = []
    for before, after in itertools.pairwise(runs):
        both = Comparison(tuple(columns([before, after])), ())
        steps.append(_step(both, known))
    return Releases(Comparison(tuple(columns(runs)), ()), tuple(steps))


def version_of(run: Run) -> str:
    """The version of the proxy of a run."""
    return run.header.implementation.version


def _order(release: str) -> tuple[int, ...]:
    return tuple(map(int, release.split(".")))


def _step(both: Comparison, known: Known) -> Step:
    """What the second of two releases did."""
    before, run = both.columns[0].run, both.columns[-1].run
    versions = version_of(before), version_of(run)
    moves = (move for each in both.requirements for move in _moves(both, each, known))
    decisions = pairs(both)
    decided = {
        each: known.clauses(each.clauses, both.requirements, versions)
        for pair in decisions
        for each in pair.freedoms
    }
    changes = _merged(moves)
    changes.sort(key=lambda change: KINDS.index(change.kind))
    return Step(before, run, tuple(changes), decisions, decided)


def _moves(both: Comparison, requirement: Requirement, known: Known) -> Iterator[Change]:
    """What differs of a requirement, a change for each case and mode."""
    for column in both.columns:
        before = both.before(column)
        if before is None or before.mode != column.mode:
            continue
        versions = version_of(before.run), version_of(column.run)
        was = {result.case: result for result in before.cell(requirement.id).results}
        now = {result.case: result for result in column.cell(requirement.id).results}
        for case in dict.fromkeys((*was, *now)):
            one, other = was.get(case), now.get(case)
            first, then = one.outcome if one else "", other.outcome if other else ""
            kind = _kind(first, then)
            if not kind or known.by_chance(requirement.id, column.mode, case, versions):
                continue
            # what nobody has listed is explained by nothing that is listed of something else
            listed = kind != UNCOMPARED and not {first, then} & {*BAD}
            causes = known.causes(requirement, column.mode, case, versions) if listed else ()
            if first == then and not causes:
                continue  # it fails as before
            yield Change(
                kind,
                requirement,
                modes=(column.mode,),
                was=first,
                now=then,
                cases=(case,),
                of=len(now) or len(was),
                causes=causes,
                said=tuple(each.reason for each in (one, other) if each and each.reason),
            )


def _kind(was: str, now: str) -> str:
    """What a release did to a case, given its outcomes; empty where it did nothing.

    What fails in both as listed may do so for another reason, and has then changed.
    """
    if not (was and now) or SKIPPED in (was, now):
        return UNCOMPARED if was != now else ""
    if (was == UNCLAIMED) != (now == UNCLAIMED) or was == now == EXPECTED_FAILURE:
        return CHANGED
    if was in _HOLDS and now not in (*_HOLDS, UNCLAIMED):
        return BROKE
    return MENDED if now in _HOLDS and was not in (*_HOLDS, UNCLAIMED) else ""


def _merged(changes: Iterable[Change]) -> list[Change]:
    """The changes, those as one that differ in their cases alone, and then in their modes alone."""
    found = [
        replace(alike[0], cases=_all(each.cases for each in alike), said=_said(alike))
        for alike in _grouped(changes, lambda each: each.modes)
    ]
    return [
        replace(alike[0], modes=_all(each.modes for each in alike), said=_said(alike))
        for alike in _grouped(found, lambda each: each.cases)
    ]


def _grouped(
    changes: Iterable[Change], also: Callable[[Change], tuple[str, ...]]
) -> Iterable[list[Change]]:
    """Changes of one requirement that are the same for the same causes, and in what is asked for
    besides.
    """
    found: dict[tuple[object, ...], list[Change]] = {}
    for each in changes:
        what = (each.kind, each.requirement.id, each.was, each.now, each.causes, also(each))
        found.setdefault(what, []).append(each)
    return found.values()


def _said(changes: Iterable[Change]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_all(each.said for each in changes)))


def _all(parts: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(itertools.chain.from_iterable(parts))
