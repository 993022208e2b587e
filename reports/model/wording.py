"""Words for what becomes of requirements, and how numbers, times and counts are told."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

from reports.records.results import (
    ERROR,
    EXPECTED_FAILURE,
    FAILED,
    OUTCOMES,
    PASSED,
    SKIPPED,
    UNCLAIMED,
    UNEXPECTED_PASS,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reports.records.base import Interval

# Outcomes of a case that need a look, from worst to best.
BAD: Final = (ERROR, FAILED, UNEXPECTED_PASS)

# Words of a requirement in a mode in which it has no result.
NOT_RUN: Final = "not-run"
NOT_APPLICABLE: Final = "not-applicable"  # the inside of another mode
WORDS: Final = (*OUTCOMES, NOT_RUN, NOT_APPLICABLE)

LABELS: Final = {
    ERROR: "ERROR",
    FAILED: "FAIL",
    UNEXPECTED_PASS: "UNEXPECTED PASS",
    SKIPPED: "skipped",
    EXPECTED_FAILURE: "expected failure",
    PASSED: "pass",
    UNCLAIMED: "not claimed",
    NOT_RUN: "not run",
    NOT_APPLICABLE: "n/a",
}
# The order in which counts are told: the good news, then what disturbs it.
TOLD: Final = (
    PASSED,
    FAILED,
    UNEXPECTED_PASS,
    ERROR,
    EXPECTED_FAILURE,
    SKIPPED,
    NOT_RUN,
    UNCLAIMED,
)

# Verdict on a mode, from worst to best -> its label.
VERDICTS: Final = {
    "error": "ERROR",
    "fail": "FAIL",
    "partial": "PARTIAL",
    "known-faults": "KNOWN FAULTS",
    "pass": "PASS",
}

URL: Final = re.compile(r"https?://[^\s<>\"']*[^\s<>\"'.,;:)\]]")
"""A web address in running text, without the punctuation after it."""

SECONDS: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
"""The units in which figures of time are recorded."""

_TIME_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def told(counts: Mapping[str, int], *, nothing: str = "-") -> str:
    """Counts of words as text, such as `19 pass, 1 FAIL`."""
    parts = [_counted(counts[word], word) for word in TOLD if counts.get(word)]
    return ", ".join(parts) or nothing


def _counted(count: int, word: str) -> str:
    plural = "s" if word == EXPECTED_FAILURE and count > 1 else ""
    return f"{count} {LABELS[word]}{plural}"


def known_faults(levels: Mapping[str, int]) -> str:
    """How many requirements fail as listed, given their levels: `3 known faults (2 core)`."""
    core = levels.get("core", 0)
    return f"{several(sum(levels.values()), 'known fault')} ({core or 'none'} core)"


def several(number: int, noun: str, plural: str = "") -> str:
    """A number and its noun: `1 case`, `2 cases`."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def number(value: float | None) -> str:
    """At most four significant digits, without the tail of zeros; a dash for None."""
    if value is None:
        return "-"
    if float(value).is_integer() and abs(value) < 1e9:
        return f"{value:,.0f}"
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def probability(value: float | None) -> str:
    """Two significant digits, in scientific notation when small; a dash for None."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    if value >= 0.001:
        return f"{value:.2g}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def commit(of_the_suite: str) -> str:
    """The first digits of a commit, and whatever says that it was modified."""
    return re.sub(r"^([0-9a-f]{12})[0-9a-f]+", r"\1", of_the_suite)


def duration(seconds: float) -> str:
    """A time span in seconds as a person says it: `0.12 s`, `81 s`, `12 min 5 s`."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def scale(value: float, unit: str) -> tuple[float, str]:
    """Divisor and unit in which a value of `unit` reads well; only seconds have smaller units."""
    if unit != "s" or value <= 0:
        return 1.0, unit
    return next(((d, name) for d, name in _TIME_UNITS if value >= d), _TIME_UNITS[-1])


def interval(bounds: Interval | None, unit: str) -> str:
    """An interval in a unit that reads well: `3.1 to 4.2 ms`; `> 5 s` without an upper bound."""
    if bounds is None:
        return "-"
    low, high = bounds
    if math.isinf(high):
        divisor, name = scale(low, unit)
        return f"> {_short(low / divisor)} {name}"
    divisor, name = scale(high, unit)
    first, last = _short(low / divisor), _short(high / divisor)
    return f"{last} {name}" if first == last else f"{first} to {last} {name}"


def quantity(value: float | None, unit: str) -> str:
    """A number in the unit that it was measured in, or a neighbouring one: `1.5 ms` for 1500 us; a
    dash for None.
    """
    if value is None:
        return "-"
    seconds = SECONDS.get(unit)
    if seconds is None:
        return f"{number(value)} {unit}"
    divisor, name = scale(value * seconds, "s")
    return f"{_short(value * seconds / divisor)} {name}"


def _short(value: float) -> str:
    """Three significant digits, never in scientific notation where there are more before the
    point.
    """
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:g}"
