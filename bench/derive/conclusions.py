"""What follows from a bench's figures: ratios, growth and crossovers, as records and sentences."""

from __future__ import annotations

import itertools
import math
import statistics
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from bench.derive import growth
from reports.records.figures import (
    Crossover,
    Figure,
    FigureKey,
    Fit,
    Name,
    Ratio,
    Series,
    rounded,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TOLD: Final[dict[Name, str]] = {
    "first-packet": "first packet",
    "sync-endpoint-add": "an endpoint added",
    "sync-endpoint-remove": "an endpoint removed",
    "sync-service-add": "a Service added",
    "sync-service-remove": "a Service removed",
    "sync-100-services": "100 Services at once",
    "sync-rolling-update": "an endpoint replaced",
    "full-sync": "full sync",
}
"""Figures of time, of which growth and crossovers are told, and what to call them."""

_COMPARED: Final[tuple[Name, ...]] = (*_TOLD, "established-packet", "connection-rate")
"""Figures of which ratios between modes are told."""

_PER: Final = 1000  # Services, in sentences


def ratios(figures: Sequence[Figure], modes: Sequence[str], seed: int) -> Iterator[Ratio]:
    """A record for each figure that two modes have pairs of; the later mode stands above."""
    known: dict[FigureKey, dict[str | None, Figure]] = {}
    for each in figures:
        if each.name in _COMPARED:
            known.setdefault(each.key, {})[each.mode] = each
    for by_mode, (below, above) in itertools.product(
        known.values(), itertools.combinations(modes, 2)
    ):
        first, second = by_mode.get(above), by_mode.get(below)
        if not first or not second or not len(first.rounds) == len(second.rounds) > 1:
            continue
        found = growth.ratio(first.rounds, second.rounds, seed)
        if not all(map(math.isfinite, found)) or found.low < 0:
            continue  # some change showed before its acknowledgement: there is no ratio
        yield Ratio(
            name=first.name,
            services=first.services,
            series=first.series,
            target=first.target,
            modes=(above, below),
            estimate=rounded(found.value),
            low=rounded(found.low),
            high=rounded(found.high),
            pairs=len(first.rounds),
            disturbed=first.disturbed or second.disturbed,
        )


def fits(figures: Sequence[Figure], modes: Sequence[str], seed: int) -> Iterator[Fit]:
    """A record for each figure of a mode that was measured at two numbers of Services or more.

    What a node without a proxy needs for a first packet is taken off each round, and put back into
    the intercept: the machine is not the same all the time.
    """
    floors = {each.services: each.rounds for each in figures if each.name == "floor"}
    for ((name, series, target), by_mode), mode in itertools.product(
        _curves(figures).items(), modes
    ):
        found = list(by_mode[mode].values())
        if len(found) < 2 or min(len(each.rounds) for each in found) < 2:
            continue
        sizes = [each.services for each in found]
        under = {size: floors.get(size, ()) for size in sizes if name == "first-packet"}
        values = [_above(each.rounds, under.get(each.services, ())) for each in found]
        lift = statistics.median_high([*itertools.chain(*under.values())] or [0.0])
        line = growth.line(sizes, values, seed, lift)
        unit = found[0].unit
        yield Fit(
            name=name,
            mode=mode,
            series=series,
            target=target,
            law=line.law,
            intercept=rounded(line.intercept),
            slope=rounded(line.slope.value),
            low=rounded(line.slope.low),
            high=rounded(line.slope.high),
            unit=unit,
            sizes=tuple(sizes),
            sentence=f"{_subject(name, target)}: {mode} {_growth(line, unit)}",
        )


def crossovers(figures: Sequence[Figure], modes: Sequence[str], seed: int) -> Iterator[Crossover]:
    """A record for each figure and pair of modes: the mode that wins at most Services is first."""
    for ((name, series, target), by_mode), pair in itertools.product(
        _curves(figures).items(), itertools.combinations(modes, 2)
    ):
        one, other = (by_mode[mode] for mode in pair)
        both = one.keys() & other.keys()
        sizes = sorted(s for s in both if len(one[s].rounds) == len(other[s].rounds) > 1)
        if len(sizes) < 2:
            continue
        winner, loser = sorted(
            pair, key=lambda mode: statistics.median_high(by_mode[mode][sizes[-1]].rounds)
        )
        found = growth.crossover(
            sizes,
            [by_mode[winner][size].rounds for size in sizes],
            [by_mode[loser][size].rounds for size in sizes],
            seed,
        )
        yield Crossover(
            name=name,
            series=series,
            target=target,
            modes=(winner, loser),
            services=rounded(found.value) if 0 < found.value < math.inf else None,
            low=rounded(found.low) if math.isfinite(found.low) else None,
            high=rounded(found.high) if math.isfinite(found.high) else None,
            sentence=f"{_subject(name, target)}: {_crossing(winner, loser, found, sizes)}",
        )


def _crossing(winner: str, loser: str, found: growth.Estimate, sizes: Sequence[int]) -> str:
    few, many = f"{sizes[0]:,}", f"{sizes[-1]:,}"
    if math.isinf(found.high):
        return f"it is not sure that {winner} is faster than {loser} up to {many} Services"
    low = few if found.low == 0 else f"{found.low:,.0f}"
    if found.value == 0:
        sure = f" (surely from {found.high:,.0f} on)" if found.high else ""
        return f"{winner} is faster than {loser} at every number from {few} to {many}{sure}"
    return (
        f"{winner} is faster than {loser} from about {found.value:,.0f} Services on"
        f" (95 % CI {low} to {found.high:,.0f})"
    )


def _growth(line: growth.Line, unit: str) -> str:
    value, low, high = (_PER * number for number in line.slope)
    told = f"95 % CI {_number(low)} to {_number(high)}"
    if line.law == "linear":
        return f"grows by {_number(value)} {unit} per 1,000 Services ({told})"
    sign = "+" if value >= 0 else ""
    if low > 0:
        words = "does not grow noticeably"
    else:
        words = "does not grow" if line.flat else "is not surely seen to grow"
    return f"{words} ({sign}{_number(value)} {unit} per 1,000 Services, {told})"


def _subject(name: Name, target: str | None) -> str:
    if target is None:
        return _TOLD[name]
    return (
        f"{_TOLD[name]} to {'random Services' if target == 'random' else f'the {target} Service'}"
    )


def _curves(
    figures: Sequence[Figure],
) -> dict[tuple[Name, Series, str | None], dict[str | None, dict[int, Figure]]]:
    """The figures of time of each name, series and target: by mode and number of Services."""
    found: dict[tuple[Name, Series, str | None], dict[str | None, dict[int, Figure]]] = {}
    for each in sorted(figures, key=lambda each: each.services):
        if each.name in _TOLD:
            curve = found.setdefault((each.name, each.series, each.target), defaultdict(dict))
            curve[each.mode][each.services] = each
    return found


def _above(rounds: Sequence[float], floor: Sequence[float]) -> list[float]:
    """What is left of each round without what the floor took in it, where it is of as many."""
    if len(floor) != len(rounds):
        return list(rounds)
    return [value - under for value, under in zip(rounds, floor, strict=True)]


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
