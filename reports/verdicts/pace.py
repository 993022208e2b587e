"""What became slower or faster from one benched proxy to the next, beyond doubt."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from reports.verdicts import slowdown
from reports.verdicts.gate_rules import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reports.model.bench import Bench
    from reports.model.comparison import Comparison
    from reports.verdicts.gate_rules import Latency


@dataclass(frozen=True)
class Pace:
    """One figure of a proxy that takes longer, or less long, than that of the first one."""

    figure: str
    """What takes longer or less long, its number of Services and mode."""
    subject: str
    before: str
    """The proxy that it is held against."""
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


@lru_cache(maxsize=1)  # seconds of resampling, asked for by every text of one comparison
def paces(comparison: Comparison) -> tuple[Pace, ...]:
    """Each bench of another proxy, or version, held against the first of its class of machine; what
    takes longest in comparison is first.

    By the gate's default rules: a ratio is told where its confidence bound is beyond theirs.
    """
    rules = load().latency
    first: list[Bench] = []
    found: list[Pace] = []
    for bench in comparison.benches:
        before = next((other for other in first if not slowdown.unlike(other, bench)), None)
        if before is None:
            first.append(bench)
        elif before.header.subject != bench.header.subject:
            found += _between(before, bench, rules)
    return tuple(sorted(found, key=lambda pace: (not pace.slower, -pace.times)))


def _between(before: Bench, bench: Bench, rules: Latency) -> Iterator[Pace]:
    subjects = bench.header.subject, before.header.subject
    for each in slowdown.slowdowns(slowdown.of_benches(before, bench, rules), rules):
        if each.low > rules.ratio:
            yield Pace(each.name, *subjects, slower=True, times=each.estimate, at_least=each.low)
        elif each.estimate > 0 and each.high < 1 / rules.ratio:
            times, at_least = 1 / each.estimate, 1 / each.high
            yield Pace(each.name, *subjects, slower=False, times=times, at_least=at_least)
