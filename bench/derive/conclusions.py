"""What follows from a bench's figures: ratios, growth and crossovers, as records and sentences."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Final

from bench.derive import growth
from reports.records.figures import Crossover, Figure, FigureKey, Fit, Name, Ratio, Series

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

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
    known = _by_key(figures)
    for key in known:
        if key[0] not in _COMPARED:
            continue
        for below, above in itertools.combinations(modes, 2):
            first, second = known[key].get(above), known[key].get(below)
            if not first or not second:
                continue
            if len(first.rounds) != len(second.rounds) or len(first.rounds) < 2:
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
                estimate=_round(found.value),
                low=_round(found.low),
                high=_round(found.high),
                pairs=len(first.rounds),
                disturbed=first.disturbed or second.disturbed,
            )


def fits(figures: Sequence[Figure], modes: Sequence[str], seed: int) -> Iterator[Fit]:
    """A record for each figure of a mode that was measured at two numbers of Services or more.

    What a node without a proxy needs for a first packet is taken off each round, and put back into
    the intercept: the machine is not the same all the time.
    """
    for (name, series, target), mode in itertools.product(_curves(figures), modes):
        found = _curve(figures, name, series, target, mode)
        if len(found) < 2 or min(len(each.rounds) for each in found) < 2:
            continue
        sizes = [each.services for each in found]
        floor = _floor(figures, sizes) if name == "first-packet" else {}
        values = [_above(each.rounds, floor.get(each.services)) for each in found]
        lift = _middle([value for rounds in floor.values() for value in rounds])
        line = growth.line(sizes, values, seed, lift)
        unit = found[0].unit
        yield Fit(
            name=name,
            mode=mode,
            series=series,
            target=target,
            law=line.law,
            intercept=_round(line.intercept),
            slope=_round(line.slope.value),
            low=_round(line.slope.low),
            high=_round(line.slope.high),
            unit=unit,
            sizes=tuple(sizes),
            sentence=f"{_subject(name, target)}: {mode} {_growth(line, unit)}",
        )


def crossovers(figures: Sequence[Figure], modes: Sequence[str], seed: int) -> Iterator[Crossover]:
    """A record for each figure and pair of modes: the mode that wins at most Services is first."""
    for (name, series, target), pair in itertools.product(
        _curves(figures), itertools.combinations(modes, 2)
    ):
        curves = {
            mode: {each.services: each for each in _curve(figures, name, series, target, mode)}
            for mode in pair
        }
        sizes = sorted(
            size
            for size in curves[pair[0]].keys() & curves[pair[1]].keys()
            if len(curves[pair[0]][size].rounds) == len(curves[pair[1]][size].rounds) > 1
        )
        if len(sizes) < 2:
            continue
        at_most = {mode: _middle(curves[mode][sizes[-1]].rounds) for mode in pair}
        winner, loser = sorted(pair, key=lambda mode: at_most[mode])
        found = growth.crossover(
            sizes,
            [curves[winner][size].rounds for size in sizes],
            [curves[loser][size].rounds for size in sizes],
            seed,
        )
        yield Crossover(
            name=name,
            series=series,
            target=target,
            modes=(winner, loser),
            services=_round(found.value) if 0 < found.value < math.inf else None,
            low=_round(found.low) if math.isfinite(found.low) else None,
            high=_round(found.high) if math.isfinite(found.high) else None,
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


def _curves(figures: Sequence[Figure]) -> list[tuple[Name, Series, str | None]]:
    """Name, series and target of all figures of time, each once."""
    curves = ((each.name, each.series, each.target) for each in figures if each.name in _TOLD)
    return list(dict.fromkeys(curves))


def _curve(
    figures: Sequence[Figure], name: Name, series: Series, target: str | None, mode: str
) -> list[Figure]:
    """The figures of one curve, by number of Services."""
    wanted = name, series, target, mode
    found = (e for e in figures if (e.name, e.series, e.target, e.mode) == wanted)
    return sorted(found, key=lambda each: each.services)


def _floor(figures: Sequence[Figure], sizes: Iterable[int]) -> dict[int, Sequence[float]]:
    wanted = set(sizes)
    return {
        each.services: each.rounds
        for each in figures
        if each.name == "floor" and each.services in wanted
    }


def _above(rounds: Sequence[float], floor: Sequence[float] | None) -> list[float]:
    if floor is None or len(floor) != len(rounds):
        return list(rounds)
    return [value - under for value, under in zip(rounds, floor, strict=True)]


def _by_key(figures: Sequence[Figure]) -> dict[FigureKey, dict[str | None, Figure]]:
    """All modes' figures of the same kind."""
    found: dict[FigureKey, dict[str | None, Figure]] = {}
    for each in figures:
        found.setdefault(each.key, {})[each.mode] = each
    return found


def _middle(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) // 2] if ordered else 0.0


def _round(value: float) -> float:
    return float(f"{value:.6g}")


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
