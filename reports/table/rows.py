"""Implementations, versions and modes beside each other, area by area: what a public table says."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from launch import invocation
from reports.model.comparison import Comparison, compare
from reports.model.reproduce import AND
from reports.model.wording import NOT_APPLICABLE, NOT_RUN, VERDICTS, commit, several, told
from reports.records.results import (
    ERROR,
    EXPECTED_FAILURE,
    FAILED,
    PASSED,
    SKIPPED,
    UNCLAIMED,
    UNEXPECTED_PASS,
)
from specification.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from reports.model.comparison import Column
    from reports.records.base import Suite
    from reports.records.results import Requirement

NOTHING: Final = ""
"""The word of an area of which nothing is claimed, or applies."""

_CHOSEN: Final = ("implementation", "proxy_binary", "proxy_version", "provider")
"""Options without which the suite chooses the version."""

_RELEASE: Final = re.compile(r"v?\d+\.\d+\.\d+(-\w+\.\d+)?")

_EVERYTHING: Final = "conformance"
"""The path of all tests."""


@dataclass(frozen=True)
class Area:
    """What became of an area's requirements in a row."""

    name: str
    counts: Mapping[str, int]
    whole: bool
    """Whether the row's run was run to its end, and of all requirements."""

    @property
    def word(self) -> str:
        """One of `wording.VERDICTS`, or `NOTHING`. It is no pass where anything was not run."""
        counts = self.counts
        if counts[FAILED] or counts[UNEXPECTED_PASS]:
            return "fail"
        if counts[ERROR]:
            return "error"
        if not self.whole or counts[NOT_RUN] or counts[SKIPPED]:
            return "partial"
        if counts[EXPECTED_FAILURE]:
            return "known-faults"
        return "pass" if counts[PASSED] else NOTHING

    @property
    def share(self) -> str:
        """How many requirements hold of those that bind it, such as `65/67`; empty for none."""
        binding = sum(self.counts.values()) - self.counts[UNCLAIMED] - self.counts[NOT_APPLICABLE]
        return f"{self.counts[PASSED]}/{binding}" if binding else ""

    @property
    def told(self) -> str:
        """All that is counted, in words."""
        return told(self.counts)


@dataclass(frozen=True, eq=False)
class Row:
    """An implementation of a version in a mode, on nodes of one kind."""

    column: Column
    areas: tuple[Area, ...]
    unasked: str
    """Why not all requirements were asked for; empty where all were."""

    @cached_property
    def lacking(self) -> tuple[str, ...]:
        """Why the row is incomplete, a line each; empty where it is whole."""
        faults = self.column.run.faults(self.column.mode)
        left = sum(area.counts[NOT_RUN] + area.counts[SKIPPED] for area in self.areas)
        return (
            *faults,
            *filter(None, [self.unasked]),
            *([f"{several(left, 'requirement')} went untested"] if left else []),
        )

    @property
    def word(self) -> str:
        """The verdict, one of `wording.VERDICTS`: no pass where it is incomplete."""
        verdict = self.column.verdict
        return "partial" if self.lacking and verdict in ("pass", "known-faults") else verdict

    @property
    def label(self) -> str:
        """The verdict in a word or two."""
        more = ", incomplete" if self.lacking and self.word != "partial" else ""
        return f"{VERDICTS[self.word]}{more}"

    @property
    def told(self) -> str:
        """The verdict in a sentence, and why it is incomplete where it is."""
        if not self.lacking:
            return self.column.sentence
        counts: Counter[str] = sum((Counter(area.counts) for area in self.areas), Counter())
        return f"Incomplete: {'; '.join(self.lacking)}. {told(counts)}."

    @property
    def name(self) -> str:
        """The name of the implementation."""
        return self.column.origin.implementation.name

    @property
    def version(self) -> str:
        """Its version, as its program says; empty where it was never asked."""
        return self.column.origin.implementation.version

    @property
    def mode(self) -> str:
        """The mode, as the implementation calls it."""
        return self.column.origin.mode

    @property
    def where(self) -> str:
        """What its nodes are and their kernel."""
        kernel = f"kernel {self.column.kernel}" if self.column.kernel else ""
        return ", ".join(filter(None, [self.column.nodes, kernel]))

    @property
    def sampled(self) -> bool:
        """Whether one case of each requirement was run, not all."""
        return self.column.mode in self.column.run.header.sampled

    @property
    def judged(self) -> str:
        """When its run began, and by what it was judged."""
        header = self.column.run.header
        return ", ".join(filter(None, [header.started[:10], commit(header.suite.commit)]))

    @property
    def command(self) -> str:
        """The command that repeats it, in its mode alone where one command made it; it names the
        version where that is the suite's choice, which changes. Empty where nobody knows.
        """
        commands, usual = self.column.origin.reproduce, invocation.Run()
        if AND in commands:
            return commands
        with contextlib.suppress(ValueError, UsageError):
            asked = dataclasses.replace(invocation.Run.recorded(commands), modes=self.mode)
            same = all(getattr(asked, each) == getattr(usual, each) for each in _CHOSEN)
            if same and _RELEASE.fullmatch(self.version):
                asked = dataclasses.replace(asked, proxy_version=self.version.removeprefix("v"))
            return asked.command()
        return commands


@dataclass(frozen=True, eq=False)
class Table:
    """Rows in the order in which their files were given."""

    comparison: Comparison
    rows: tuple[Row, ...]

    @property
    def areas(self) -> tuple[str, ...]:
        """The areas of any row, in the order of reading."""
        return tuple(self.comparison.areas)

    @property
    def suites(self) -> tuple[str, ...]:
        """By which suites the rows were judged: more than one do not say the same."""
        found = dict.fromkeys(row.column.run.header.suite for row in self.rows)
        return tuple(map(_suite, found))

    @property
    def answer(self) -> str:
        """What there is, in a sentence or two."""
        proxies = {(row.name, row.version) for row in self.rows}
        incomplete = sum(bool(row.lacking) for row in self.rows)
        said = (
            f"{several(len(proxies), 'implementation or version', 'implementations and versions')}"
        )
        said += f" in {several(len(self.rows), 'row')}"
        said += f", of which {incomplete} incomplete." if incomplete else ", all complete."
        if len(self.suites) > 1:
            said += f" Judged by {len(self.suites)} suites, which may ask for different things."
        return said


def table(paths: Sequence[Path]) -> Table:
    """Read result files, or the folders of runs, whose modes become the rows.

    Raises ResultFileError for a file that is bad, cut off or given twice.
    """
    comparison = compare(paths)
    return Table(comparison, tuple(_row(column, comparison.areas) for column in comparison.columns))


def _row(column: Column, areas: Mapping[str, Sequence[Requirement]]) -> Row:
    whole = column.verdict != "error"
    return Row(
        column,
        tuple(
            Area(name, Counter(column.cell(each.id).word for each in members), whole)
            for name, members in areas.items()
        ),
        _unasked(column.origin.reproduce),
    )


def _unasked(commands: str) -> str:
    """What a command that names only some tests says of the rest: no file knows of those."""
    for command in commands.split(AND):
        with contextlib.suppress(ValueError, UsageError):
            asked = invocation.Run.recorded(command)
            if asked.keyword or asked.markexpr or set(asked.file_or_dir) - {_EVERYTHING}:
                return "only some requirements were asked for"
    return ""


def _suite(suite: Suite) -> str:
    return " ".join(filter(None, [suite.name, suite.version, commit(suite.commit)]))
