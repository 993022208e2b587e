"""Which mode to take, scenario by scenario, derived from what was measured and nothing else."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from reports.model.wording import number, quantity
from reports.records.results import PASSED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reports.model.bench import Bench
    from reports.model.comparison import Column, Comparison
    from reports.records.figures import Figure

NO_FIGURES: Final = "no figures given"
EITHER: Final = "either"
UNDECIDED: Final = "it depends"


@dataclass(frozen=True)
class Recommendation:
    """What to take in one scenario."""

    scenario: str
    subject: str
    """The proxy that it is about where benches of several were given; else empty."""
    pick: str
    """A mode, "either", "it depends", or "no figures given"."""
    why: tuple[str, ...]
    """The numbers it rests on, or why there is nothing to rest on."""
    said: str
    """What is widely said one should take."""

    @property
    def decided(self) -> bool:
        """Whether there were numbers to decide by."""
        return self.pick != NO_FIGURES

    @property
    def about(self) -> str:
        """The scenario, and the proxy where there are several."""
        return f"{self.scenario}, {self.subject}" if self.subject else self.scenario


def by_scenario(found: Sequence[Recommendation]) -> dict[str, list[Recommendation]]:
    """The recommendations of each scenario."""
    scenarios: dict[str, list[Recommendation]] = {}
    for each in found:
        scenarios.setdefault(each.scenario, []).append(each)
    return scenarios


@cache
def knowledge() -> Mapping[str, Any]:
    """What claims.toml holds: the statements, the scenarios and what counts as alike."""
    return tomllib.loads(files("reports.verdicts").joinpath("claims.toml").read_text("utf-8"))


def alike() -> str:
    """What differs by so little that nobody would choose a mode for it, in words."""
    told = [f"{rule['told']} by less than {_limit(rule)}" for rule in knowledge()["alike"].values()]
    return f"{', '.join(told[:-1])} or {told[-1]}"


def _limit(rule: Mapping[str, Any]) -> str:
    return (
        f"a factor of {number(rule['times'])}"
        if "times" in rule
        else quantity(rule["within"], rule["unit"])
    )


def recommendations(comparison: Comparison) -> tuple[Recommendation, ...]:
    """One for each scenario, and for each proxy (or version) that was measured. Where figures of
    real and of emulated machines were given, the real ones decide.
    """
    benches = [b for b in comparison.benches if not b.header.emulated] or list(comparison.benches)
    subjects = list(dict.fromkeys(bench.header.subject for bench in benches))
    found = []
    for scenario in knowledge()["scenario"]:
        if "refused" in scenario:
            told = {"": _refused(scenario, comparison)}
        else:
            told = {
                subject: _decide(
                    scenario,
                    [column for column in comparison.columns if subject in ("", column.subject)],
                    [bench for bench in benches if subject in ("", bench.header.subject)],
                )
                for subject in (subjects if len(subjects) > 1 else [""])
            }
        found += [
            Recommendation(scenario["name"], subject, pick, tuple(why), scenario["said"])
            for subject, (pick, why) in told.items()
        ]
    return tuple(found)


def _decide(
    scenario: Mapping[str, Any], columns: Sequence[Column], benches: Sequence[Bench]
) -> tuple[str, list[str]]:
    """What all benches of one proxy say together, and of which mode it is known to be unfit."""
    if not benches:
        return NO_FIGURES, ["give the folder of a bench (./conform bench) with the runs"]
    told = [_measured(scenario, bench) for bench in benches]
    picks = {pick for pick, _ in told if pick != NO_FIGURES}
    pick = picks.pop() if len(picks) == 1 else UNDECIDED if picks else NO_FIGURES
    unfit = [
        f"{c.label} does not conform: {c.sentence}"
        for c in columns
        if c.mode in scenario["modes"] and c.verdict in ("fail", "error")
    ]
    return pick, [*(line for _, why in told for line in why), *unfit]


def _refused(scenario: Mapping[str, Any], comparison: Comparison) -> tuple[str, list[str]]:
    """One mode is left where a requirement shows that the other refuses to start."""
    wanted = scenario["refused"]
    cells = [c.cell(wanted["requirement"]) for c in comparison.columns if c.mode == wanted["mode"]]
    if not any(cell.word == PASSED for cell in cells):
        return NO_FIGURES, [f"{wanted['requirement']} was not tested, or does not hold"]
    (left,) = scenario["modes"]
    return left, [f"{wanted['mode']} mode refuses to start there ({wanted['requirement']} holds)"]


def _measured(scenario: Mapping[str, Any], bench: Bench) -> tuple[str, list[str]]:
    """What one bench says of a scenario."""
    missing = [mode for mode in scenario["modes"] if mode not in bench.modes]
    if missing:
        return NO_FIGURES, [f"bench {bench.header.bench} did not measure {' and '.join(missing)}"]
    if "outgrown" in scenario:
        return _outgrown(scenario, bench)
    sizes = [
        size
        for size in bench.sizes
        if size <= scenario.get("up_to", size) and size >= scenario.get("at_least", 0)
    ]
    if not sizes:
        return NO_FIGURES, [
            f"bench {bench.header.bench} measured up to {max(bench.sizes, default=0):,} Services"
        ]
    pick, why = better(scenario["modes"], bench, sizes)
    if bench.header.emulated:
        why = [f"{line}, emulated" for line in why]
    return pick, why


def better(modes: Sequence[str], bench: Bench, sizes: Sequence[int]) -> tuple[str, list[str]]:
    """The better of two modes at the largest of these numbers of Services at which each figure was
    measured in peace, with a sentence for each figure.
    """
    one, other = modes
    ahead: dict[str, list[str]] = {}
    why: list[str] = []
    shaky: list[str] = []
    for name, rule in knowledge()["alike"].items():
        most_first = sorted(sizes, reverse=True)
        measured = list(measured_pairs(bench, modes, name, rule.get("target"), most_first))
        peaceful = [pair for pair in measured if not (pair[0].disturbed or pair[1].disturbed)]
        if not measured:
            continue
        a, b = (peaceful or measured)[0]
        told = f"{one} {quantity(_p50(a), a.unit)}, {other} {quantity(_p50(b), b.unit)}"
        line = f"{name} (p50) at {a.services:,} Services: {told}"
        if not peaceful:
            shaky.append(f"{line}, on a disturbed machine: decides nothing")
        elif _alike(_p50(a), _p50(b), rule):
            why.append(f"{line}: alike in practice")
        else:
            first = (_p50(a) < _p50(b)) is not rule.get("more_is_better", False)
            ahead.setdefault(one if first else other, []).append(rule["told"])
            why.append(line)
    if not why:
        told = " and ".join(f"{size:,}" for size in sizes)
        missing = f"bench {bench.header.bench} has no figures of both modes at {told}"
        return NO_FIGURES, shaky or [missing]
    if len(ahead) > 1:
        split = "; ".join(f"{mode} for {' and '.join(what)}" for mode, what in ahead.items())
        why.insert(0, f"{split}.")
    why += shaky
    return (EITHER if not ahead else next(iter(ahead)) if len(ahead) == 1 else UNDECIDED), why


def measured_pairs(
    bench: Bench, modes: Sequence[str], name: str, target: str | None, sizes: Sequence[int]
) -> Iterator[tuple[Figure, Figure]]:
    """The figures of both modes at these numbers of Services, as far as both have a median."""
    for size in sizes:
        one, other = (bench.figure(name, mode, size, target) for mode in modes)
        if one and other and one.p50 is not None and other.p50 is not None:
            yield one, other


def _p50(figure: Figure) -> float:
    return figure.p50 or 0.0


def _alike(one: float, other: float, rule: Mapping[str, Any]) -> bool:
    """Whether nobody would choose a mode for such a difference."""
    if "times" in rule:
        return max(one, other) <= float(rule["times"]) * min(one, other)
    return abs(one - other) <= float(rule["within"])


def _outgrown(scenario: Mapping[str, Any], bench: Bench) -> tuple[str, list[str]]:
    """The mode to begin with, and from where on the other one is better."""
    start, later = scenario["modes"]
    sizes = sorted(bench.sizes)
    picks = {size: better((start, later), bench, [size]) for size in sizes}
    first = next((size for size, (pick, _) in picks.items() if pick == later), None)
    if first is None:
        told = [pick for pick, _ in picks.values() if pick != NO_FIGURES]
        if not told:
            return NO_FIGURES, [f"bench {bench.header.bench} has no figures of both modes"]
        never = f"{later} is not better in practice at any number of Services up to {sizes[-1]:,}"
        return start if start in told else EITHER, [never]
    if first == sizes[0]:
        return later, [f"better in practice at {first:,} Services already", *picks[first][1]]
    measured = ", ".join(f"{size:,}" for size in sizes)
    return start, [
        f"{later} is better in practice from {first:,} Services on (measured: {measured})",
        *picks[first][1],
        *(
            each.sentence
            for each in bench.crossovers
            if each.name == scenario["outgrown"] and set(each.modes) == {start, later}
        ),
    ]
