"""A run, read from its result file: the verdicts and matrices that every report shows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

from reports.model.wording import NOT_APPLICABLE, NOT_RUN, known_faults, several
from reports.records import result_file
from reports.records.base import wrong
from reports.records.decisions import Census
from reports.records.results import (
    ERROR,
    EXPECTED_FAILURE,
    FAILED,
    LEVELS,
    OUTCOMES,
    PASSED,
    RESULTS,
    SCHEMA_VERSION,
    SKIPPED,
    UNCLAIMED,
    UNEXPECTED_PASS,
    AnyRecord,
    End,
    Fingerprint,
    Header,
    Requirement,
    Result,
    RunError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

# What is not listed here is 0: nothing is wrong that was not known.
_EXIT_CODES: Final = {"error": 2, "fail": 1}


@dataclass(frozen=True)
class Cell:
    """A requirement in a mode: its word is that of its worst case."""

    word: str
    counts: Mapping[str, int]
    results: tuple[Result, ...]

    @property
    def reasons(self) -> list[str]:
        """Why it has its word: what the results say that gave it, each reason once."""
        found = (r.reason for r in self.results if r.outcome == self.word and r.reason)
        return list(dict.fromkeys(found))

    @classmethod
    def of(cls, requirement: Requirement, results: Sequence[Result]) -> Cell:
        """What becomes of a requirement that has such results in a mode."""
        counts: Counter[str] = Counter(result.outcome for result in results)
        if not results:
            word = NOT_APPLICABLE if requirement.level == "mode" else NOT_RUN
        else:
            word = next(outcome for outcome in OUTCOMES if counts[outcome])
        return cls(word, counts, tuple(results))


def in_reading_order(
    requirements: Iterable[Requirement], areas: Sequence[str]
) -> tuple[Requirement, ...]:
    """Requirements by area, in the order of ``areas`` (others come last, by name), and by id."""
    known = {area: number for number, area in enumerate(areas)}
    return tuple(
        sorted(
            requirements, key=lambda each: (known.get(each.area, len(known)), each.area, each.id)
        )
    )


def by_area(requirements: Iterable[Requirement]) -> Mapping[str, tuple[Requirement, ...]]:
    """Area -> its requirements, in their order."""
    areas: dict[str, tuple[Requirement, ...]] = {}
    for each in requirements:
        areas[each.area] = (*areas.get(each.area, ()), each)
    return areas


@dataclass(frozen=True)
class Run:
    """One run of the suite, complete: what was asked for, what ran, what became of it."""

    header: Header
    requirements: tuple[Requirement, ...]
    fingerprints: tuple[Fingerprint, ...]
    results: tuple[Result, ...]
    errors: tuple[RunError, ...]
    end: End
    censuses: tuple[Census, ...] = ()

    @property
    def modes(self) -> tuple[str, ...]:
        """The modes under test, in the order asked for."""
        return self.header.modes

    @cached_property
    def cells(self) -> Mapping[str, Mapping[str, Cell]]:
        """Requirement id -> mode -> cell; every requirement has a cell in every mode."""
        found: dict[tuple[str, str], list[Result]] = {}
        for result in self.results:
            found.setdefault((result.requirement, result.mode), []).append(result)
        return {
            requirement.id: {
                mode: Cell.of(requirement, found.get((requirement.id, mode), []))
                for mode in self.modes
            }
            for requirement in self.requirements
        }

    @cached_property
    def areas(self) -> Mapping[str, Mapping[str, Counter[str]]]:
        """Area -> mode -> how many of its requirements have which word; areas by name."""
        areas: dict[str, dict[str, Counter[str]]] = {}
        for requirement in self.requirements:
            row = areas.setdefault(requirement.area, {mode: Counter() for mode in self.modes})
            for mode, cell in self.cells[requirement.id].items():
                row[mode][cell.word] += 1
        return areas

    @cached_property
    def totals(self) -> Mapping[str, Counter[str]]:
        """Mode -> how many requirements have which word."""
        totals: dict[str, Counter[str]] = {mode: Counter() for mode in self.modes}
        for row in self.areas.values():
            for mode, counts in row.items():
                totals[mode].update(counts)
        return totals

    def seen(self, mode: str, get: Callable[[Fingerprint], object]) -> list[str]:
        """What the fingerprints of a mode say of something, each value once: workers agree, as a
        rule.
        """
        found = (get(each) for each in self.fingerprints if each.mode == mode)
        return sorted({str(value) for value in found if value})

    def faults(self, mode: str) -> tuple[str, ...]:
        """Why a mode cannot be judged, one line each; empty when it can."""
        faults = [e.message.splitlines()[0] for e in self.errors if e.mode in (None, mode)]
        if self.end.interrupted:
            faults.append("the run was interrupted")
        faults += dict.fromkeys(
            f"the proxy ran in {f.observed_mode} mode, not in {f.claimed_mode} mode as claimed"
            for f in self.fingerprints
            if f.mode == mode and f.observed_mode not in (None, f.claimed_mode)
        )
        if all(r.outcome in (UNCLAIMED, SKIPPED) for r in self.results if r.mode == mode):
            faults.append("nothing was tested")
        errors = self.totals[mode][ERROR]
        if errors:
            faults.append(f"{several(errors, 'requirement')} could not be judged")
        return tuple(faults)

    def verdict(self, mode: str) -> str:
        """One of `wording.VERDICTS`; "error" where the run cannot judge.

        It is a pass where every requirement holds that is core or claimed. Where some fail, each
        listed with a reason, it is "known-faults". Something skipped, or a requirement without any
        result (unless it is about the inside of another mode), makes it partial.
        """
        totals = self.totals[mode]
        if self.faults(mode):
            return "error"
        if totals[FAILED] or totals[UNEXPECTED_PASS]:
            return "fail"
        if totals[SKIPPED] or totals[NOT_RUN]:
            return "partial"
        return "known-faults" if totals[EXPECTED_FAILURE] else "pass"

    def known_faults(self, mode: str) -> Mapping[str, int]:
        """Level -> how many requirements of it fail in a mode as listed, in some case at least."""
        known = Counter(
            requirement.level
            for requirement in self.requirements
            if self.cells[requirement.id][mode].counts[EXPECTED_FAILURE]
        )
        return {level: known[level] for level in LEVELS if known[level]}

    def sentence(self, mode: str) -> str:
        """The verdict on a mode in a sentence."""
        totals, verdict = self.totals[mode], self.verdict(mode)
        known = self.known_faults(mode)
        but = f" but for {known_faults(known)}" if known else ""
        if verdict == "error":
            return f"No verdict: {self.faults(mode)[0]}."
        if verdict == "fail":
            failed = several(totals[FAILED] + totals[UNEXPECTED_PASS], "requirement")
            return f"Does not conform: {failed} failed."
        if verdict == "partial":
            left = several(totals[SKIPPED] + totals[NOT_RUN], "requirement")
            return f"Nothing failed{but}, and {left} went untested."
        hold = several(totals[PASSED], "requirement holds", "requirements hold")
        return f"Conforms{but}: {hold}."

    @property
    def verdicts(self) -> Mapping[str, str]:
        """Mode -> verdict."""
        return {mode: self.verdict(mode) for mode in self.modes}

    @property
    def exit_code(self) -> int:
        """0 when nothing is wrong that was not known; 1 when one fails; 2 when one is an error."""
        return max((_EXIT_CODES.get(verdict, 0) for verdict in self.verdicts.values()), default=2)


def read(path: Path | str) -> Run:
    """Read a result file, or the one in a run's folder.

    Raises ResultFileError, with one clear line, when the file is missing, cut off, without its
    footer, of another schema version, or otherwise not what a run writes.
    """
    path = result_file.locate(path, RESULTS)
    records = result_file.complete(path, AnyRecord, header="run", version=SCHEMA_VERSION)
    header: Header = records[0]
    end: End = records[-1]
    requirements: dict[str, Requirement] = {}
    for number, record in enumerate(records, start=1):
        known = isinstance(record, Requirement) and requirements.setdefault(record.id, record)
        if known and known != record:
            where = result_file.place(path, number)
            raise wrong(where, f"requirement {record.id} was described otherwise")
    for number, record in enumerate(records, start=1):
        if isinstance(record, Result):
            where = result_file.place(path, number)
            if record.requirement not in requirements:
                raise wrong(where, f"requirement {record.requirement} is described nowhere")
        if isinstance(record, Result | Census) and record.mode not in header.modes:
            where = result_file.place(path, number)
            raise wrong(where, f"mode {record.mode} is none of the run's modes")
        if isinstance(record, Census) and record.dangling:
            where = result_file.place(path, number)
            raise wrong(where, f"a row of census {record.name} has no such attempt or verdict")
    run = Run(
        header=header,
        # workers finish in any order: the same results must give the same page
        requirements=in_reading_order(requirements.values(), header.areas),
        fingerprints=tuple(each for each in records if isinstance(each, Fingerprint)),
        results=tuple(each for each in records if isinstance(each, Result)),
        errors=tuple(each for each in records if isinstance(each, RunError)),
        end=end,
        censuses=tuple(each for each in records if isinstance(each, Census)),
    )
    if end.exit > run.exit_code:
        # Never better than the run itself said: something went wrong that left no record.
        message = f"the run ended with exit code {end.exit}, which none of its results explains"
        return replace(run, errors=(*run.errors, RunError(message=message)))
    return run
