"""Runs side by side: what each column says, and in what the columns differ."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reports.model import node_words
from reports.model.bench import Bench
from reports.model.bench import read as read_bench
from reports.model.run import Cell, Run, by_area, in_reading_order, read
from reports.model.wording import BAD, LABELS, NOT_APPLICABLE, NOT_RUN, told
from reports.records import result_file
from reports.records.figures import FIGURES
from reports.records.results import EXPECTED_FAILURE, PASSED, RESULTS, SKIPPED, UNCLAIMED
from specification.errors import ResultFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from reports.records.base import Interval
    from reports.records.results import Fingerprint, Origin, Requirement, Result

NEWLY_FAILING: Final = "newly failing"
FAILING: Final = "failing"
NEWLY_PASSING: Final = "newly passing"
DOCUMENTED: Final = "documented"
UNTESTED: Final = "not tested"
KINDS: Final = (NEWLY_FAILING, FAILING, NEWLY_PASSING, DOCUMENTED, UNTESTED)
"""Kinds of differences, in the order in which a reader wants them."""

_NOTHING = Cell(NOT_RUN, Counter(), ())


@dataclass(frozen=True)
class Column:
    """One mode of one run."""

    label: str
    run: Run
    mode: str
    number: int
    """Which run it is of, counted from 0."""
    folder: Path
    """Where the run's result file is, and so its evidence."""

    @property
    def origin(self) -> Origin:
        """Its proxy and what the mode is called by that, which a joined file says of each mode."""
        return self.run.header.origin(self.mode)

    @property
    def subject(self) -> str:
        """Name and version of the proxy."""
        return self.origin.implementation.subject

    @property
    def kernel(self) -> str:
        """The kernel of its nodes, as they said; several where workers differed."""
        return " / ".join(self.run.seen(self.mode, lambda f: f.kernel))

    @cached_property
    def nodes(self) -> str:
        """What its nodes are called, such as `kind nodes`; empty where the run does not say."""
        return node_words.of(self.run, self.mode)

    @property
    def emulated(self) -> bool:
        """Whether its nodes' processors were emulated: its times then compare with none else's."""
        accelerators = self.run.seen(self.mode, lambda f: f.system.get("accelerator"))
        measured = [m for r in self.results for m in r.measurements]
        return "tcg" in accelerators or any(m.emulated for m in measured)

    @property
    def machine(self) -> tuple[str, ...]:
        """What makes its times comparable with another column's: processor, count, kernel, node."""
        members: tuple[Callable[[Fingerprint], object], ...] = (
            lambda f: f.cpu,
            lambda f: f.cpus,
            lambda f: f.kernel,
            lambda f: f"{f.system.get('kind', '')} {f.system.get('accelerator', '')}".strip(),
        )
        return tuple(value for get in members for value in self.run.seen(self.mode, get))

    @cached_property
    def results(self) -> tuple[Result, ...]:
        """The results of its mode."""
        return tuple(result for result in self.run.results if result.mode == self.mode)

    def samples(self, *, emulated: bool) -> dict[tuple[str, str], list[Interval]]:
        """Name and unit of each quantity measured -> its samples, of both IP families."""
        found: dict[tuple[str, str], list[Interval]] = {}
        for result in self.results:
            for m in result.measurements:
                if m.emulated == emulated:
                    name = re.sub(r", IPv[46]$", "", m.name)
                    found.setdefault((name, m.unit), []).extend(m.samples)
        return found

    @cached_property
    def cells(self) -> Mapping[str, Cell]:
        """Requirement id -> its cell in this mode; only those that the run knows."""
        return {name: row[self.mode] for name, row in self.run.cells.items()}

    def cell(self, requirement: str) -> Cell:
        """What became of a requirement; "not run" where the run does not know it."""
        return self.cells.get(requirement, _NOTHING)

    @property
    def verdict(self) -> str:
        """Of its mode, one of `wording.VERDICTS`."""
        return self.run.verdict(self.mode)

    @property
    def sentence(self) -> str:
        """Its verdict in a sentence."""
        return self.run.sentence(self.mode)

    @property
    def counts(self) -> str:
        """Its totals as text."""
        return told(self.run.totals[self.mode])


@dataclass(frozen=True)
class Difference:
    """A requirement of which the columns do not all say that it holds."""

    kind: str
    requirement: Requirement
    columns: tuple[Column, ...]
    """The columns that make it one of this kind."""
    reasons: tuple[str, ...]
    """What they say, each reason once; a source stands in it where there is one."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Columns side by side, and the benches given with them."""

    columns: tuple[Column, ...]
    benches: tuple[Bench, ...]

    @cached_property
    def requirements(self) -> tuple[Requirement, ...]:
        """Every requirement of any run, by area and id; where runs differ, as the last has it."""
        known = {each.id: each for column in self.columns for each in column.run.requirements}
        return in_reading_order(known.values(), self.columns[-1].run.header.areas)

    @cached_property
    def areas(self) -> Mapping[str, tuple[Requirement, ...]]:
        """Area -> its requirements."""
        return by_area(self.requirements)

    def row(self, requirement: str) -> tuple[tuple[Column, Cell], ...]:
        """A requirement's cell in each column."""
        return tuple((column, column.cell(requirement)) for column in self.columns)

    def before(self, column: Column) -> Column | None:
        """What a column is held against: the same mode of the first run, else the first column."""
        if column is self.columns[0]:
            return None
        same = (c for c in self.columns if c.mode == column.mode and c.number == 0)
        found = next(same, self.columns[0])
        if found is column:  # of the first run itself: its modes are held against the first mode
            several = self.columns[-1].number > 0
            return None if several else self.columns[0]
        return found

    @cached_property
    def differences(self) -> tuple[Difference, ...]:
        """What is not a pass everywhere, each requirement once in each kind that it is of."""
        found = [d for each in self.requirements for d in self._differences(each)]
        return tuple(sorted(found, key=lambda d: KINDS.index(d.kind)))

    def of_kind(self, kind: str) -> tuple[Difference, ...]:
        """The differences of one kind."""
        return tuple(each for each in self.differences if each.kind == kind)

    @cached_property
    def identical(self) -> int:
        """How many requirements have the same word in every column that they apply to."""
        return sum(len(self._words(each)) <= 1 for each in self.requirements)

    def _words(self, requirement: Requirement) -> set[str]:
        words = {cell.word for _, cell in self.row(requirement.id)} - {NOT_APPLICABLE}
        return words - {UNCLAIMED} if requirement.level == "mode" else words

    def _differences(self, requirement: Requirement) -> Iterable[Difference]:
        row = self.row(requirement.id)
        kinds: dict[str, list[tuple[Column, Cell]]] = {}
        for column, cell in row:
            before = self.before(column)
            was = before.cell(requirement.id).word if before else None
            kind = _kind(requirement, cell.word, was, {c.word for _, c in row})
            if kind:
                kinds.setdefault(kind, []).append((column, cell))
        for kind, members in kinds.items():
            told = [cell for _, cell in members]
            if kind == NEWLY_PASSING:  # what was wrong is said where it was
                earlier = [self.before(column) for column, _ in members]
                told = [column.cell(requirement.id) for column in earlier if column]
            told += [cell for _, cell in row if cell.word == PASSED]
            reasons = dict.fromkeys(
                reason
                for cell in told
                for reason in cell.reasons or ([LABELS[cell.word]] if cell.word != PASSED else [])
            )
            yield Difference(kind, requirement, tuple(c for c, _ in members), tuple(reasons))


def _kind(requirement: Requirement, word: str, was: str | None, words: set[str]) -> str | None:
    """What makes a cell worth telling, given the one that it is held against and its whole row."""
    if word in BAD:
        new = was is not None and was not in BAD and was not in (NOT_RUN, NOT_APPLICABLE)
        return NEWLY_FAILING if new else FAILING
    if word == PASSED and was in (*BAD, EXPECTED_FAILURE):
        return NEWLY_PASSING
    if word == EXPECTED_FAILURE:
        return DOCUMENTED
    if word == UNCLAIMED and requirement.level != "mode" and words & {PASSED, EXPECTED_FAILURE}:
        return DOCUMENTED  # the inside of another mode is nobody's difference
    if word in (SKIPPED, NOT_RUN) and words - {word, NOT_APPLICABLE}:
        return UNTESTED
    return UNTESTED if word == SKIPPED else None


def load(paths: Sequence[Path]) -> tuple[list[tuple[Path, Run]], list[Bench]]:
    """Read result files and bench files, or the folders of runs: each run with its file.

    Raises ResultFileError for a file that is bad or given twice.
    """
    runs: list[tuple[Path, Run]] = []
    benches: list[Bench] = []
    for path in paths:
        results, bench = _meant(path)
        if results is None and bench is None:
            raise ResultFileError(
                f"{path}: holds neither {RESULTS} nor {FIGURES}; "
                "give the folder of a run or of a bench, or their files"
            )
        if results:
            run = read(results)
            if any(run.header.run == other.header.run for _, other in runs):
                raise ResultFileError(f"{path}: run {run.header.run} was given twice")
            runs.append((results, run))
        if bench:
            benches.append(read_bench(bench))
    return runs, benches


def compare(paths: Sequence[Path]) -> Comparison:
    """Read result files and bench files, or the folders of runs, and set their modes side by side.

    The modes of a single run are compared with its first; with several runs, each mode with the
    same one of the first run. Raises ResultFileError for a file that is bad or given twice, and
    where there is no conformance run among them.
    """
    runs, benches = load(paths)
    if not runs:
        raise ResultFileError(
            "only benches were given; give the result file of a conformance run beside them"
        )
    return Comparison(tuple(columns(runs)), tuple(benches))


def _meant(path: Path) -> tuple[Path | None, Path | None]:
    """The result file and the bench's that a path means."""
    if path.is_dir():
        return _inside(path, RESULTS), _inside(path, FIGURES)
    return (None, path) if _is_bench(path) else (path, None)


def _inside(folder: Path, name: str) -> Path | None:
    try:
        return result_file.locate(folder, name)
    except ResultFileError:
        return None


def _is_bench(path: Path) -> bool:
    """Whether a file begins as a bench's does; one that is no such thing is left to its reader."""
    try:
        first = json.loads(result_file.content(path).split(b"\n", 1)[0])
    except ValueError:
        return False
    return isinstance(first, dict) and first.get("type") == "bench"


def columns(runs: Sequence[tuple[Path, Run]]) -> list[Column]:
    """The modes of runs, each run with its file, with labels that tell them apart."""
    plain = [
        Column(mode, run, mode, number, path.parent)
        for number, (path, run) in enumerate(runs)
        for mode in run.modes
    ]
    return [replace(c, label=label) for c, label in zip(plain, _labels(plain), strict=True)]


def _labels(columns: Sequence[Column]) -> list[str]:
    """What tells the columns apart, and no more: proxy, version, mode, what its nodes are, kernel,
    at worst the run.
    """
    parts = (
        [c.origin.implementation.name for c in columns],
        [c.origin.implementation.version for c in columns],
        [c.origin.mode for c in columns],
    )
    telling = [part for part in parts if part is parts[2] or len(set(part)) > 1]
    nodes_tell = len({(c.mode, c.nodes) for c in columns}) > len({c.mode for c in columns})
    kernels_tell = len({c.kernel for c in columns}) > 1
    labels = []
    for column, words in zip(columns, zip(*telling, strict=True), strict=True):
        where = column.nodes if nodes_tell else ""
        kernel = column.kernel if kernels_tell else ""
        where = f"{where} ({kernel})" if where and kernel else where or kernel
        labels.append(" ".join(filter(None, [*words, f"on {where}" if where else ""])))
    if len(set(labels)) < len(labels):
        labels = [f"{label}, {c.run.header.run}" for label, c in zip(labels, columns, strict=True)]
    return labels
