"""What became slower or faster from one benched proxy to the next, beyond doubt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports import slower
from reports.rules import load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.comparison import Comparison
    from reports.figures import Bench
    from reports.rules import Latency


@dataclass(frozen=True)
class Pace:
    """One figure of a proxy that takes longer, or less long, than that of the first one."""

    name: str
    """The figure, its number of Services and mode."""
    subject: str
    before: str
    """What it is held against."""
    slower: bool
    times: float
    """How many times as long the slower of both takes, in the median."""
    at_least: float
    """Lower confidence bound of that, which holds for all figures of the two benches together."""

    @property
    def told(self) -> str:
        """In words: `9.1 times as long (at least 8.5)`."""
        word = "long" if self.slower else "fast"
        return f"{self.times:.3g} times as {word} (at least {self.at_least:.3g})"


def paces(comparison: Comparison) -> tuple[Pace, ...]:
    """Each bench of another proxy, or version, held against the first of its class of machine; what
    takes longest in comparison is first.

    By the gate's default rules: a ratio is told where its lower confidence bound is beyond theirs.
    """
    rules = load().latency
    first: list[Bench] = []
    found: list[Pace] = []
    for bench in comparison.benches:
        before = next((other for other in first if not slower.unlike(other, bench)), None)
        if before is None:
            first.append(bench)
        elif before.header.subject != bench.header.subject:
            found += _of(before, bench, rules, slowed=True)
            found += _of(bench, before, rules, slowed=False)
    return tuple(sorted(found, key=lambda pace: (not pace.slower, -pace.times)))


def _of(baseline: Bench, candidate: Bench, rules: Latency, *, slowed: bool) -> Sequence[Pace]:
    before, after = (baseline, candidate) if slowed else (candidate, baseline)
    return [
        Pace(
            each.name, after.header.subject, before.header.subject, slowed, each.estimate, each.low
        )
        for each in slower.slowdowns(slower.of_benches(baseline, candidate, rules), rules)
        if each.low > rules.ratio
    ]
