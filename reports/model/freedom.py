"""Decisions of a census that came out otherwise in another column, although both are right there:
where nothing is promised, or each claims what it does.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reports.model.wording import several

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reports.model.comparison import Column, Comparison
    from reports.model.run import Run
    from reports.records.decisions import Census, Verdict

_OPEN: Final = "anything: "
_DELIVERED: Final = "delivered"

_Kind = tuple[str, str, str, tuple[str, ...]]


@dataclass(frozen=True)
class Freedom:
    """Decisions of one kind that two columns take in two ways."""

    about: str
    """What decided or, where nothing does, why not."""
    was: str
    """What was seen in the column that the other is held against."""
    now: str
    clauses: tuple[str, ...]
    """The clauses that had a say in one of them alone or, where there are none, in both."""
    decisions: int
    example: str
    """The shortest of them to tell: the attempt, and the Service."""


@dataclass
class Pair:
    """The censuses of two columns, decision by decision."""

    before: Column
    column: Column
    same: int = 0
    """Decisions that came out alike."""
    wrong: int = 0
    """Decisions that are wrong in either: a requirement tells of them."""
    alone: int = 0
    """Decisions that were taken in one of them alone."""
    freedoms: list[Freedom] = field(default_factory=list)

    @property
    def different(self) -> int:
        """Decisions that came out otherwise, although both are right."""
        return sum(each.decisions for each in self.freedoms)

    @property
    def total(self) -> int:
        """Decisions that were taken in both."""
        return self.same + self.wrong + self.different

    @property
    def summary(self) -> str:
        """In a sentence."""
        if not self.total:
            return "no decision was taken in both: their seeds or suites differ"
        told = f"{self.different:,} of {several(self.total, 'decision')} otherwise, though right"
        told += f", {self.wrong:,} wrong in either" if self.wrong else ""
        return told + (f", {self.alone:,} taken in one alone" if self.alone else "")

    def told(self, each: Freedom) -> str:
        """One kind of difference, in a sentence."""
        return (
            f"{each.about}: {each.was} in {self.before.label}, {each.now} in {self.column.label}:"
            f" {several(each.decisions, 'decision')}"
        )


def pairs(comparison: Comparison) -> tuple[Pair, ...]:
    """Each column that has a census, beside the one that it is held against."""
    found = []
    for column in comparison.columns:
        before = comparison.before(column)
        if before and _censuses(before) and _censuses(column):
            found.append(_pair(before, column))
    return tuple(found)


def clauses(run: Run) -> Mapping[str, Mapping[str, tuple[int, int]]]:
    """Clause, in words -> mode -> the decisions of its censuses that it had a say in, and how many
    of them were wrong; in alphabetical order.
    """
    decided, wrong = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for census in run.censuses:
        rows = Counter(row.verdict for state in census.states for row in state.rows)
        for number, count in rows.items():
            verdict = census.verdicts[number]
            for clause in dict.fromkeys(verdict.because):
                decided[clause, census.mode] += count
                wrong[clause, census.mode] += 0 if verdict.right else count
    return {
        in_words(name): {mode: (decided[name, mode], wrong[name, mode]) for mode in run.modes}
        for name in sorted({name for name, _ in decided})
    }


def in_words(clause: str) -> str:
    """The name of a clause as a person says it: `unserved port of a cluster IP`."""
    return re.sub(r"\bip(s?)\b", r"IP\1", clause.replace("_", " "))


def _censuses(column: Column) -> dict[str, Census]:
    return {each.name: each for each in column.run.censuses if each.mode == column.mode}


def _pair(before: Column, column: Column) -> Pair:
    pair = Pair(before, column)
    kinds, examples = Counter[_Kind](), dict[_Kind, str]()
    earlier, later = _censuses(before), _censuses(column)
    for name in earlier.keys() | later.keys():
        one, other = (_decided(each.get(name)) for each in (earlier, later))
        pair.alone += len(one.keys() ^ other.keys())
        for key in one.keys() & other.keys():
            was, now = one[key], other[key]
            if not (was.right and now.right):
                pair.wrong += 1
            elif (was.seen, was.endpoints) == (now.seen, now.endpoints):
                pair.same += 1
            else:
                kind = _about(was, now), *_unlike(was, now), _clauses(was, now)
                kinds[kind] += 1
                here = " ".join(key)
                examples[kind] = min(here, examples.get(kind, here), key=lambda e: (len(e), e))
    pair.freedoms = [
        Freedom(*kind, count, examples[kind])
        for kind, count in sorted(kinds.items(), key=lambda each: (-each[1], each[0]))
    ]
    return pair


def _decided(census: Census | None) -> dict[tuple[str, str], Verdict]:
    """Attempt and state, in words, and what was decided."""
    if census is None:
        return {}
    seed = "" if census.seed is None else f", seed {census.seed}"
    return {
        (census.attempts[row.attempt], f"of {state.name}{seed} ({state.about})"): census.verdicts[
            row.verdict
        ]
        for state in census.states
        for row in state.rows
    }


def _unlike(was: Verdict, now: Verdict) -> tuple[str, str]:
    if was.seen == now.seen:
        return "delivered to some endpoints", "delivered to others"
    return was.seen, now.seen


def _alone(was: Verdict, now: Verdict) -> tuple[str, ...]:
    return tuple(sorted({*was.because} ^ {*now.because}))


def _clauses(was: Verdict, now: Verdict) -> tuple[str, ...]:
    return _alone(was, now) or tuple(sorted({*now.because}))


def _about(was: Verdict, verdict: Verdict) -> str:
    """What decided: a clause that had a say in one of them alone; of what is delivered, who it is
    seen from, which comes last; else all of it.
    """
    if alone := _alone(was, verdict):
        return ", ".join(map(in_words, alone))
    if verdict.allowed.startswith(_OPEN):
        return verdict.allowed.removeprefix(_OPEN)
    said = verdict.because[-1:] if _DELIVERED in verdict.allowed else verdict.because
    return ", ".join(map(in_words, said)) or "no clause"
