"""Whether a proxy has the same verdicts on nodes of different kinds, and why not where it has not.

What a requirement says of a proxy should not depend on what the node is. Where columns are of the
same proxy in the same mode, on namespace nodes and on kind nodes say, each verdict that differs is
either a property of the nodes, for which the results give a reason, or a defect of the suite.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from reports.model import wording
from reports.model.run import Cell
from reports.records.results import EXPECTED_FAILURE, PASSED, SKIPPED, UNCLAIMED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from reports.model.comparison import Column, Comparison
    from reports.records.results import Requirement, Result

_LEFT_OUT: Final = (SKIPPED, UNCLAIMED)
_OTHERWISE: Final[Mapping[str, Callable[[Column], str]]] = {
    "kernel": lambda c: c.kernel,
    "version of the suite": lambda c: c.run.header.suite.version,
    "commit of the suite": lambda c: wording.commit(c.run.header.suite.commit),
    "build of the proxy": lambda c: " / ".join(c.run.seen(c.mode, lambda f: f.sha256[:12])),
}
"""What may differ besides the nodes, and explain a verdict too."""


@dataclass(frozen=True)
class Unlike:
    """A requirement whose verdicts differ in a mode."""

    requirement: Requirement
    mode: str
    cells: tuple[Cell, Cell]
    """It on the nodes of the one kind and of the other, of the cases that both have judged."""
    results: tuple[tuple[Result, Result], ...]
    """Those of the cases that differ, on the one and on the other."""

    @cached_property
    def because(self) -> tuple[str, ...]:
        """Why they may differ; nothing where a single case is without a reason."""
        reasons = [tuple(_explanations(*both)) for both in self.results]
        return _once(itertools.chain(*reasons)) if all(reasons) else ()

    @property
    def said(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What the results on either side say beyond that."""
        first, second = (
            _once(result.reason for result in side if result.reason not in self.because)
            for side in zip(*self.results, strict=True)
        )
        return first, second


@dataclass(frozen=True)
class Pair:
    """A mode on the nodes of two kinds."""

    first: Column
    second: Column

    @property
    def mode(self) -> str:
        """The mode of both."""
        return self.first.mode

    @cached_property
    def _compared(self) -> tuple[tuple[Requirement, Cell, Cell], ...]:
        return tuple(
            (each, *both)
            for each in self.first.run.requirements
            if (both := _in_common(each, self.first.cell(each.id), self.second.cell(each.id)))
        )

    @cached_property
    def unlike(self) -> tuple[Unlike, ...]:
        """The requirements whose verdicts differ, in all or in some of their cases."""
        found = []
        for requirement, one, other in self._compared:
            others = {result.case: result for result in other.results}
            pairs = [(result, others[result.case]) for result in one.results]
            differing = tuple((a, b) for a, b in pairs if a.outcome != b.outcome)
            if differing:
                found.append(Unlike(requirement, self.mode, (one, other), differing))
        return tuple(found)

    @cached_property
    def same(self) -> Mapping[str, int]:
        """Word -> how many requirements have it on both sides, in every case."""
        unlike = {each.requirement.id for each in self.unlike}
        return Counter(cell.word for each, cell, _ in self._compared if each.id not in unlike)

    @cached_property
    def alone(self) -> int:
        """How many requirements only one side has judged."""
        judged = [
            {name for name, cell in column.cells.items() if cell.results}
            for column in (self.first, self.second)
        ]
        return len((judged[0] | judged[1]) - {each.id for each, *_ in self._compared})

    @property
    def total(self) -> int:
        """How many requirements both sides have judged."""
        return len(self._compared)


@dataclass(frozen=True)
class Parity:
    """The modes of two runs whose nodes are of two kinds."""

    nodes: tuple[str, str]
    """What the nodes of the first and of the second are called."""
    pairs: tuple[Pair, ...]

    @property
    def unlike(self) -> tuple[Unlike, ...]:
        """What differs in any mode: first what nothing explains."""
        found = [each for pair in self.pairs for each in pair.unlike]
        return tuple(sorted(found, key=lambda each: bool(each.because)))

    @property
    def unexplained(self) -> int:
        """How many of the differences have no reason."""
        return sum(not each.because for each in self.unlike)

    @property
    def also(self) -> tuple[str, ...]:
        """What else the two differ in, such as `kernel: 6.12.1, 6.18.2`."""
        found = []
        for name, get in _OTHERWISE.items():
            values = {(get(pair.first), get(pair.second)): None for pair in self.pairs}
            found += [f"{name}: {a}, {b}" for a, b in values if a and b and a != b]
        return tuple(found)


def parities(comparison: Comparison) -> tuple[Parity, ...]:
    """What there is in a comparison of one proxy on several kinds of nodes, each against the first
    of the same proxy and mode.
    """
    pairs: dict[tuple[str, str, int, int], list[Pair]] = {}
    known = [column for column in comparison.columns if column.nodes]
    for column in known:
        first = next(c for c in known if _alike(c, column))
        if first.nodes != column.nodes:
            key = first.nodes, column.nodes, first.number, column.number
            pairs.setdefault(key, []).append(Pair(first, column))
    return tuple(Parity(key[:2], tuple(members)) for key, members in pairs.items())


def _alike(one: Column, other: Column) -> bool:
    return (one.subject, one.mode) == (other.subject, other.mode)


def _in_common(requirement: Requirement, first: Cell, second: Cell) -> tuple[Cell, Cell] | None:
    """The two, reduced to cases that both have judged (one may have had a sample); None where there
    are no such cases.
    """
    cases = {r.case for r in first.results} & {r.case for r in second.results}
    if not cases:
        return None
    reduced = [
        Cell.of(requirement, [r for r in cell.results if r.case in cases])
        for cell in (first, second)
    ]
    return reduced[0], reduced[1]


def _explanations(one: Result, other: Result) -> Iterable[str]:
    """Reasons that are about the nodes: why something cannot be tried there, or why what is known
    to fail holds there. What a failure says is none.
    """
    for result, against in ((one, other), (other, one)):
        left_out = result.outcome in _LEFT_OUT
        holds = result.outcome == PASSED and against.outcome == EXPECTED_FAILURE
        if (left_out or holds) and result.reason:
            yield result.reason


def _once(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(text for text in dict.fromkeys(texts) if text)
