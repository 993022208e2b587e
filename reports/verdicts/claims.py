"""What is widely said about the modes, and what was found of it in the runs and benches given."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

from reports.model.wording import BAD, SECONDS, number, quantity, several
from reports.records.base import one_of
from reports.records.results import EXPECTED_FAILURE, PASSED, SKIPPED, UNCLAIMED
from reports.verdicts.recommend import (
    EITHER,
    NO_FIGURES,
    UNDECIDED,
    knowledge,
    measured_pairs,
    recommendations,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from reports.model.bench import Bench
    from reports.model.comparison import Column, Comparison

HOLDS: Final = "holds"
LOOSE: Final = "loose"
FAILS: Final = "does not hold"
OPEN: Final = "not measured"

Word = Annotated[str, one_of((HOLDS, LOOSE, FAILS, OPEN))]


@dataclass(frozen=True)
class Finding:
    """What one check has shown."""

    word: Word
    text: str
    """The sentence that says why."""


@dataclass(frozen=True)
class Claim:
    """One statement and what was found of it."""

    id: str
    statement: str
    word: Word
    """holds; does not hold; loose: it holds in part; not measured."""
    findings: tuple[Finding, ...]
    known: str
    """Why it does not hold everywhere, with a source, where that is known."""

    @property
    def checked(self) -> str:
        """How much of what it is checked by could be: `2 of 3 checks`."""
        made = sum(finding.word != OPEN for finding in self.findings)
        return f"{made} of {several(len(self.findings), 'check')}"


def claims(comparison: Comparison) -> tuple[Claim, ...]:
    """Every statement of claims.toml, held against a comparison."""
    found = []
    for entry in knowledge()["claim"]:
        findings = [f for check in entry["check"] for f in _find(check, comparison)]
        word = _together(findings)
        known = entry.get("known", "") if word in (LOOSE, FAILS) else ""
        found.append(Claim(entry["id"], entry["statement"], word, tuple(findings), known))
    return tuple(found)


def _together(findings: Iterable[Finding]) -> str:
    words = {finding.word for finding in findings} - {OPEN}
    if not words:
        return OPEN
    return words.pop() if len(words) == 1 else LOOSE


def _find(check: Mapping[str, Any], comparison: Comparison) -> list[Finding]:
    if "requirements" in check:
        return _requirements(check, comparison)
    if "same" in check:
        return _same(check["same"], comparison)
    if "scenarios" in check:
        return _scenarios(comparison)
    measured = [
        found for bench in comparison.benches if (found := _figure(check, bench)) is not None
    ]
    modes = " and ".join(check["modes"])
    return measured or [Finding(OPEN, f"{check['figure']}: no figures of {modes} were given")]


# --- from results ---------------------------------------------------------------------------------


def _requirements(check: Mapping[str, Any], comparison: Comparison) -> list[Finding]:
    """One finding for each requirement: in which columns it holds, and in which it does not."""
    columns = [c for c in comparison.columns if c.mode in check.get("modes", [c.mode])]
    if not columns:
        named = ", ".join(check["requirements"])
        return [Finding(OPEN, f"{named}: no run in {' or '.join(check['modes'])} mode was given")]
    return [_requirement(name, columns) for name in check["requirements"]]


def _requirement(name: str, columns: Sequence[Column]) -> Finding:
    passed = [c.label for c in columns if c.cell(name).word == PASSED]
    broken = [c.label for c in columns if c.cell(name).word in (*BAD, EXPECTED_FAILURE)]
    if not passed and not broken:
        return Finding(OPEN, f"{name}: not tested")
    everywhere = "in every column" if len(columns) > 1 else f"in {columns[0].label}"
    if not broken:
        where = everywhere if len(passed) == len(columns) else f"in {', '.join(passed)}"
        return Finding(HOLDS, f"{name} holds {where}")
    parts = [f"{name} does not hold in {', '.join(broken)}"]
    if passed:
        parts.append(f"but in {', '.join(passed)}")
    return Finding(LOOSE if passed else FAILS, " ".join(parts))


def _same(level: str, comparison: Comparison) -> list[Finding]:
    """In each run of several modes: whether they agree, and whether what differs is documented."""
    findings = []
    for number_ in dict.fromkeys(c.number for c in comparison.columns):
        columns = [c for c in comparison.columns if c.number == number_]
        if len(columns) < 2:
            continue
        compared = silent = documented = 0
        for requirement in comparison.requirements:
            words = {c.cell(requirement.id).word for c in columns}
            told = words & {PASSED, EXPECTED_FAILURE, UNCLAIMED, *BAD}
            if requirement.level != level or not told or words & {SKIPPED}:
                continue
            compared += 1
            if len(told) > 1:
                silent += bool(told & set(BAD))
                documented += not told & set(BAD)
        if compared:
            modes = ", ".join(c.mode for c in columns)
            text = (
                f"{columns[0].subject}: {several(compared, f'{level} requirement')} compared"
                f" between {modes}; they differ in {documented} as documented, and in {silent}"
                " without a word"
            )
            word = FAILS if silent else HOLDS  # documented is what was said
            findings.append(Finding(word, text))
    return findings or [Finding(OPEN, f"{level} requirements: no run of several modes was given")]


def _scenarios(comparison: Comparison) -> list[Finding]:
    findings = []
    for each in recommendations(comparison):
        told = f"{each.about}: said {each.said}, measured {each.pick}"
        if each.pick == NO_FIGURES:
            findings.append(Finding(OPEN, f"{each.about}: {each.pick}"))
        elif each.pick == each.said:
            findings.append(Finding(HOLDS, told))
        else:
            word = LOOSE if each.pick in (EITHER, UNDECIDED) else FAILS
            findings.append(Finding(word, told))
    return findings


# --- from figures ---------------------------------------------------------------------------------


def _figure(check: Mapping[str, Any], bench: Bench) -> Finding | None:
    """What one bench says of one check of a figure, or nothing where it measured no such thing."""
    for key, judge in _JUDGES.items():
        if key in check:
            found = judge(check, bench)
            if found and _disturbed(check, bench):
                return Finding(OPEN, f"{found.text} (on a disturbed machine: not judged)")
            if found and bench.header.emulated:
                return Finding(found.word, f"{found.text} (emulated)")
            return found
    raise AssertionError(f"no way to judge {check}")


def _disturbed(check: Mapping[str, Any], bench: Bench) -> bool:
    """Whether any figure that a check may rest on was."""
    names = (check["figure"], check.get("below"))
    return any(
        figure.disturbed and figure.name in names and figure.mode in check["modes"]
        for figure in bench.figures
        if figure.series == "same-period"
    )


def _law(check: Mapping[str, Any], bench: Bench) -> Finding | None:
    (mode,) = check["modes"]
    for fit in bench.fits:
        same = fit.name == check["figure"] and fit.mode == mode and fit.series == "same-period"
        if same and fit.target == check.get("target", fit.target):
            return Finding(HOLDS if fit.law == check["law"] else FAILS, fit.sentence)
    return None


def _ratio(check: Mapping[str, Any], bench: Bench) -> Finding | None:
    """Whether the first mode takes less than a share of the second's time, at the most Services."""
    one, other = check["modes"]
    wanted = check["ratio_below"]
    best = None
    for ratio in bench.ratios:
        if ratio.name != check["figure"] or ratio.series != "same-period":
            continue
        if ratio.modes == (one, other):
            bounds = ratio.estimate, ratio.low, ratio.high
        elif ratio.modes == (other, one) and ratio.low > 0:
            bounds = 1 / ratio.estimate, 1 / ratio.high, 1 / ratio.low
        else:
            continue
        if best is None or ratio.services > best[0]:
            best = ratio.services, bounds
    if best is None:
        return None
    size, (estimate, low, high) = best
    word = HOLDS if high < wanted else FAILS if low > 1 else LOOSE
    return Finding(
        word,
        f"{check['figure']} at {size:,} Services: {one} takes {number(estimate)} times as long as"
        f" {other} (95 % CI {number(low)} to {number(high)}; said: below {number(wanted)})",
    )


def _bound(check: Mapping[str, Any], bench: Bench) -> Finding | None:
    """Whether a figure's median at the most Services is above, or below, a bound."""
    (mode,) = check["modes"]
    unit = check["unit"]
    least, most = check.get("at_least", 0.0), check.get("at_most", math.inf)
    said = f"at least {quantity(least, unit)}" if least else f"at most {quantity(most, unit)}"
    for size in reversed(bench.sizes):
        figure = bench.figure(check["figure"], mode, size, check.get("target"))
        if figure is None or figure.middle is None:
            continue
        value = _convert(figure.middle, figure.unit, unit)
        near = least / 10 <= value <= most * 10
        word = HOLDS if least <= value <= most else LOOSE if near else FAILS
        return Finding(
            word,
            f"{check['figure']} of {mode} at {size:,} Services:"
            f" {quantity(figure.middle, figure.unit)} (said: {said})",
        )
    return None


def _below(check: Mapping[str, Any], bench: Bench) -> Finding | None:
    """Whether one figure's median is less than another's, at the most Services."""
    (mode,) = check["modes"]
    for size in reversed(bench.sizes):
        found = [bench.figure(check["figure"], mode, size, t) for t in (None, "random")]
        one = next((figure for figure in found if figure), None)
        other = bench.figure(check["below"], mode, size, "random")
        if one is None or other is None or one.p50 is None or other.p50 is None:
            continue
        return Finding(
            HOLDS if one.p50 < other.p50 else FAILS,
            f"{mode} at {size:,} Services: {check['figure']} {quantity(one.p50, one.unit)},"
            f" {check['below']} {quantity(other.p50, other.unit)}",
        )
    return None


def _alike(check: Mapping[str, Any], bench: Bench) -> Finding | None:
    """Whether two modes differ by less than what matters, wherever there are few Services."""
    name, modes, unit, most = (check[key] for key in ("figure", "modes", "unit", "within"))
    sizes = [size for size in bench.sizes if size <= check["alike_up_to"]]
    apart = {
        one.services: _convert(abs((one.p50 or 0.0) - (other.p50 or 0.0)), one.unit, unit)
        for one, other in measured_pairs(bench, modes, name, check.get("target"), sizes)
    }
    if not apart:
        return None
    told = ", ".join(f"{quantity(value, unit)} at {size:,}" for size, value in apart.items())
    return Finding(
        HOLDS if max(apart.values()) <= most else FAILS,
        f"{name}: {' and '.join(modes)} differ by {told} Services"
        f" (alike: up to {quantity(most, unit)})",
    )


def _convert(value: float, unit: str, wanted: str) -> float:
    return value if unit == wanted else value * SECONDS[unit] / SECONDS[wanted]


_JUDGES: Final[Mapping[str, Callable[[Mapping[str, Any], Bench], Finding | None]]] = {
    "law": _law,
    "below": _below,
    "ratio_below": _ratio,
    "at_least": _bound,
    "at_most": _bound,
    "alike_up_to": _alike,
}
