"""May this be released? A candidate held against a baseline by a handful of rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from reports.model.comparison import columns, load
from reports.model.wording import BAD, LABELS, VERDICTS, number, several
from reports.records.results import EXPECTED_FAILURE, PASSED, SKIPPED, UNCLAIMED
from reports.verdicts import slowdown
from specification.errors import ResultFileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from reports.model.bench import Bench
    from reports.model.comparison import Column
    from reports.model.run import Run
    from reports.verdicts.gate_rules import Rules

_UNJUDGED: Final = (SKIPPED, UNCLAIMED)


@dataclass(frozen=True)
class Ruling:
    """What one rule makes of the candidate."""

    rule: str
    reasons: tuple[str, ...]
    """Why it stops the candidate; none where it does not."""
    note: str
    """What it looked at, or why it looked at nothing."""


@dataclass(frozen=True)
class Gate:
    """The rulings on a candidate."""

    subject: str
    against: str
    verdicts: str
    """The candidate's own, by mode: a rule looks at what became worse, not at what is bad."""
    rulings: tuple[Ruling, ...]

    @property
    def exit_code(self) -> int:
        """0 where no rule stops the candidate, else 1."""
        return int(any(ruling.reasons for ruling in self.rulings))


@dataclass(frozen=True)
class _Side:
    """All files given for the baseline, or for the candidate."""

    run: Run | None
    columns: tuple[Column, ...]
    benches: tuple[Bench, ...]

    def mode(self, mode: str) -> Column | None:
        return next((column for column in self.columns if column.mode == mode), None)

    @property
    def subject(self) -> str:
        return (self.run or self.benches[0]).header.subject

    @property
    def suites(self) -> set[str]:
        suites = [bench.header.suite for bench in self.benches]
        suites += [self.run.header.suite] if self.run else []
        return {suite.version for suite in suites}


def judge(
    baseline: Sequence[Path],
    candidate: Sequence[Path],
    rules: Rules,
    *,
    mutants: Path | None = None,
    baseline_mutants: Path | None = None,
) -> Gate:
    """Hold the files of a candidate against those of a baseline: a run, benches, or both.

    Raises ResultFileError for what cannot be judged: a bad file, a run that has no verdict itself,
    sides that do not match, or another version of the suite.
    """
    before, after = _side("baseline", baseline), _side("candidate", candidate)
    if (before.run is None) != (after.run is None):
        less = "baseline" if before.run is None else "candidate"
        raise ResultFileError(f"no conformance run was given for the {less}; give both or neither")
    suites = before.suites | after.suites
    if rules.same_suite and len(suites) > 1:
        raise ResultFileError(
            f"baseline and candidate were judged by suites {' and '.join(sorted(suites))}: judge"
            " both by the same one, or set same_suite = false in the rules"
        )
    rulings = []
    if before.columns:
        rulings += [
            _newly_failing(before, after, rules),
            _lost_features(before, after, rules),
            _fewer_tests(before, after, rules),
        ]
    rulings.append(_slower(before, after, rules))
    if mutants is not None:
        rulings.append(_surviving(mutants, baseline_mutants, rules))
    verdicts = ", ".join(
        f"{column.mode} {VERDICTS[column.verdict].lower()}" for column in after.columns
    )
    return Gate(after.subject, before.subject, verdicts or "no run given", tuple(rulings))


def _side(name: str, paths: Sequence[Path]) -> _Side:
    runs, benches = load(paths)
    if len(runs) > 1:
        raise ResultFileError(
            f"{len(runs)} conformance runs were given for the {name}; join the shards of one run "
            "with: ./conform results merge"
        )
    found = tuple(columns(runs))
    for column in found:
        if column.verdict == "error":
            faults = "; ".join(column.run.faults(column.mode))
            raise ResultFileError(
                f"{runs[0][0]}: the {name} has no verdict in {column.mode} mode ({faults}); "
                "run it again"
            )
    return _Side(runs[0][1] if runs else None, found, tuple(benches))


# --- behaviour ------------------------------------------------------------------------------------


def _pairs(before: _Side, after: _Side) -> Iterable[tuple[Column, Column]]:
    for column in before.columns:
        other = after.mode(column.mode)
        if other is not None:
            yield column, other


def _newly_failing(before: _Side, after: _Side, rules: Rules) -> Ruling:
    reasons = []
    looked_at = 0
    for old, new in _pairs(before, after):
        for requirement in new.run.requirements:
            if requirement.level not in rules.newly_failing:
                continue
            was, now = old.cell(requirement.id), new.cell(requirement.id)
            looked_at += now.word in (PASSED, EXPECTED_FAILURE, *BAD)
            if was.word == PASSED and now.word in (*BAD, EXPECTED_FAILURE):
                reasons.append(f"{requirement.id} in {new.mode}: {_why(new, requirement.id)}")
    levels = " and ".join(rules.newly_failing)
    return Ruling(
        f"no newly failing requirement ({levels})", tuple(reasons), f"{looked_at:,} looked at"
    )


def _why(column: Column, requirement: str) -> str:
    cell = column.cell(requirement)
    first = cell.reasons[0].splitlines()[0] if cell.reasons else "no reason given"
    return f"{LABELS[cell.word]}, {first}"


def _lost_features(before: _Side, after: _Side, rules: Rules) -> Ruling:
    """A feature is held where a requirement of it passes; it is lost when one of those does not."""
    reasons = []
    held = set()
    for old, new in _pairs(before, after):
        for requirement in old.run.requirements:
            if requirement.feature is None or old.cell(requirement.id).word != PASSED:
                continue
            held.add((old.mode, requirement.feature))
            now = new.cell(requirement.id).word
            if now in (*BAD, EXPECTED_FAILURE, UNCLAIMED):
                reasons.append(
                    f"{requirement.feature} in {new.mode}: {requirement.id},"
                    f" {_why(new, requirement.id)}"
                )
    if not rules.lost_features:
        return Ruling("no lost feature", (), "switched off by the rules")
    return Ruling("no lost feature", tuple(reasons), f"{several(len(held), 'feature')} looked at")


def _fewer_tests(before: _Side, after: _Side, rules: Rules) -> Ruling:
    rule = "no fewer tests"
    if not rules.fewer_tests:
        return Ruling(rule, (), "switched off by the rules")
    reasons = []
    counts = []
    for old in before.columns:
        new = after.mode(old.mode)
        if new is None:
            reasons.append(f"{old.mode} mode was judged before, and is missing")
            continue
        was, now = (
            sum(result.outcome not in _UNJUDGED for result in column.results)
            for column in (old, new)
        )
        counts.append(f"{now:,} of {was:,} in {new.mode}")
        if now < was:
            gone = _no_longer_judged(old, new)
            some = f", such as {', '.join(gone[:3])}" if gone else ""
            reasons.append(f"{new.mode}: {now:,} cases were judged, before {was:,}{some}")
    return Ruling(rule, tuple(reasons), ", ".join(counts))


def _no_longer_judged(old: Column, new: Column) -> list[str]:
    judged = {(r.requirement, r.case) for r in new.results if r.outcome not in _UNJUDGED}
    return list(
        dict.fromkeys(
            r.requirement
            for r in old.results
            if r.outcome not in _UNJUDGED and (r.requirement, r.case) not in judged
        )
    )


# --- numbers --------------------------------------------------------------------------------------


def _slower(before: _Side, after: _Side, rules: Rules) -> Ruling:
    rule = f"not slower than {number(rules.latency.ratio)} times"
    pairs: list[slowdown.Pair] = []
    unjudged = []
    for old, new in _pairs(before, after):
        if old.emulated or new.emulated:
            unjudged.append(f"{new.mode}: measured under emulation")
        elif old.machine != new.machine:
            unjudged.append(f"{new.mode}: another class of machine ({_differing(old, new)})")
        else:
            pairs += slowdown.of_runs(old, new, rules.latency)
    for bench in after.benches:
        for old_bench in before.benches:
            unlike = slowdown.unlike(old_bench, bench)
            if unlike:
                unjudged.append(f"bench: {unlike}")
            else:
                pairs += slowdown.of_benches(old_bench, bench, rules.latency)
    found = slowdown.slowdowns(pairs, rules.latency)
    reasons = tuple(
        f"{each.name}: {number(each.estimate)} times, at least {number(each.low)}"
        for each in found
        if each.low > rules.latency.ratio
    )
    notes = [f"{several(len(found), 'ratio')} looked at"]
    worst = max(found, key=lambda each: each.low, default=None)
    if worst is not None:
        notes.append(f"largest lower bound {number(worst.low)}")
    if unjudged:
        notes.append(f"NOT JUDGED: {'; '.join(dict.fromkeys(unjudged))}")
    return Ruling(rule, reasons, ", ".join(notes))


def _differing(old: Column, new: Column) -> str:
    was, now = set(old.machine) - set(new.machine), set(new.machine) - set(old.machine)
    return f"{' '.join(sorted(was)) or 'less'} before, {' '.join(sorted(now)) or 'less'} now"


# --- the suite itself -----------------------------------------------------------------------------


def _surviving(mutants: Path, before: Path | None, rules: Rules) -> Ruling:
    rule = "no new surviving mutant"
    if not rules.surviving_mutants:
        return Ruling(rule, (), "switched off by the rules")
    now = _matrix(mutants)
    known = _alive(_matrix(before)) if before is not None else set()
    reasons = [
        f"{mode} {mutant} survives {requirement}"
        for mode, mutant, requirement in sorted(_alive(now) - known)
    ]
    count = len({(kill.mode, kill.mutant) for kill in now})
    return Ruling(rule, tuple(reasons), f"{several(count, 'mutant')} looked at")


class _Kill(msgspec.Struct):
    """What a requirement made of a mutant."""

    mode: str
    mutant: str
    requirement: str
    verdict: str


def _alive(matrix: list[_Kill]) -> set[tuple[str, str, str]]:
    return {
        (kill.mode, kill.mutant, kill.requirement)
        for kill in matrix
        if kill.verdict not in ("killed", "passed")
    }


def _matrix(path: Path) -> list[_Kill]:
    """The kill matrix that the suite's own test wrote. Raises ResultFileError."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=list[_Kill])
    except OSError as error:
        raise ResultFileError(f"{path}: cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise ResultFileError(
            f"{path}: is no kill matrix ({error}); ./conform selftest writes one to "
            "results/selftest/kill-matrix.json"
        ) from error
    if not found:
        raise ResultFileError(f"{path}: is a kill matrix without mutants; run ./conform selftest")
    return found
