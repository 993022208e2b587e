"""Whether a candidate is proven slower than a baseline: ratios of medians, and their bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from reports.model.bench import Bench
    from reports.model.comparison import Column
    from reports.records.figures import Figure
    from reports.verdicts.gate_rules import Latency

_RESAMPLES: Final = 9_999
_SEED: Final = 1  # the same files give the same verdict


@dataclass(frozen=True)
class Pair:
    """Samples of one quantity from both sides; those of the candidate are told at their best."""

    name: str
    baseline: tuple[float, ...]
    candidate: tuple[float, ...]


@dataclass(frozen=True)
class Slowdown:
    """How many times as long the candidate takes, in the median."""

    name: str
    estimate: float
    low: float
    """Lower confidence bound, one-sided; that it is slower is judged by it."""
    high: float
    """Upper confidence bound, one-sided; that it is faster is judged by it."""


def of_runs(baseline: Column, candidate: Column, rules: Latency) -> list[Pair]:
    """What both columns have measured. A sample is known only to lie between two observations: the
    candidate's counts as its lower bound, the baseline's as its upper one, so that a difference
    that the observations cannot tell is none.
    """
    before, after = (column.samples(emulated=False) for column in (baseline, candidate))
    return [
        Pair(
            f"{name}, {candidate.mode}",
            tuple(high for _, high in before[name, unit]),
            tuple(low for low, _ in samples if math.isfinite(low)),
        )
        for (name, unit), samples in after.items()
        if (name, unit) in before and _wanted(name, rules)
    ]


def of_benches(baseline: Bench, candidate: Bench, rules: Latency) -> list[Pair]:
    """The figures of both benches: the medians of their rounds. Disturbed ones are left out.

    What a packet takes counts in times of what it took through the node without a proxy, in turn
    with the others: a shared machine may be half as fast an hour later.
    """

    def judged(bench: Bench) -> dict[tuple[object, ...], Figure]:
        return {
            (f.mode, *f.key): f
            for f in bench.figures
            if _wanted(f.name, rules) and f.mode is not None and not f.disturbed
        }

    before, after = judged(baseline), judged(candidate)
    pairs = []
    for key in before.keys() & after.keys():
        figure = after[key]
        target = f" of the {figure.target}" if figure.target else ""
        name = f"{figure.name}{target} at {figure.services:,} Services, {figure.mode}"
        if figure.series != "same-period":
            name += f" ({figure.series})"
        units = [_floor(bench, figure) for bench in (baseline, candidate)]
        if not figure.name.endswith("-packet") or not all(units):
            units = [1.0, 1.0]
        scaled = [
            tuple(value / unit for value in rounds)
            for rounds, unit in zip((before[key].rounds, figure.rounds), units, strict=True)
        ]
        pairs.append(Pair(name, *scaled))
    return sorted(pairs, key=lambda pair: pair.name)


def _floor(bench: Bench, figure: Figure) -> float:
    floor = bench.figure("floor", None, figure.services, series=figure.series)
    return (floor.p50 or 0.0) if floor else 0.0


def unlike(old: Bench, new: Bench) -> str:
    """Why the times of two benches compare with each other in nothing; empty where they do."""
    if old.header.emulated or new.header.emulated:
        return "measured under emulation"
    for name in ("cpu", "cpus", "kernel", "governor"):
        was, now = (str(b.header.machine.get(name, "unknown")) for b in (old, new))
        if was != now:
            return f"another class of machine ({name} {was} before, {now} now)"
    return ""


def _wanted(name: str, rules: Latency) -> bool:
    return any(fnmatch(name, pattern) for pattern in rules.figures)


def slowdowns(pairs: Sequence[Pair], rules: Latency) -> list[Slowdown]:
    """The ratio of each pair that has samples enough, with bounds that hold for all together.

    The confidence is shared among them (Bonferroni's correction), so that many ratios do not make
    a false alarm more likely than one. A median that is zero, or was never seen, gives no ratio.
    """
    enough = [p for p in pairs if min(len(p.baseline), len(p.candidate)) >= rules.samples]
    return [
        found
        for pair in enough
        if (found := _slowdown(pair, (1 - rules.confidence) / len(enough))) is not None
    ]


def _slowdown(pair: Pair, alpha: float) -> Slowdown | None:
    from scipy.stats import bootstrap  # noqa: PLC0415  it takes half a second to load

    candidate, baseline = np.asarray(pair.candidate), np.asarray(pair.baseline)
    if not np.isfinite(np.median(baseline)) or np.median(baseline) <= 0:
        return None
    estimate = float(_ratio(candidate, baseline))
    found = bootstrap(
        (candidate, baseline),
        _ratio,
        n_resamples=_RESAMPLES,
        confidence_level=1 - 2 * alpha,  # alpha on either side
        method="percentile",
        rng=np.random.default_rng(_SEED),
    ).confidence_interval
    return Slowdown(pair.name, estimate, float(found.low), float(found.high))


def _ratio(
    candidate: npt.NDArray[np.float64], baseline: npt.NDArray[np.float64], axis: int = -1
) -> npt.NDArray[np.float64]:
    """Ratio of medians; 0, which proves nothing, where the baseline's is not above zero."""
    below = np.median(baseline, axis=axis)
    ratio: npt.NDArray[np.float64] = np.where(
        below > 0, np.median(candidate, axis=axis) / np.where(below > 0, below, 1.0), 0.0
    )
    return ratio
