"""The records of a result file, as typed and frozen values.

A result file (`results.jsonl`) holds one JSON object a line; results.schema.json beside this module
is its published description. Times are in seconds unless said otherwise, timestamps are ISO 8601 in
UTC.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from specification.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SCHEMA_VERSION: Final = 1

PASSED: Final = "passed"
FAILED: Final = "failed"
ERROR: Final = "error"
EXPECTED_FAILURE: Final = "expected-failure"
UNEXPECTED_PASS: Final = "unexpected-pass"  # noqa: S105  no password; strict: counts as failed
UNCLAIMED: Final = "unclaimed"
SKIPPED: Final = "skipped"

# From worst to best: the word of several results together is the first of these among them.
OUTCOMES: Final = (
    ERROR,
    FAILED,
    UNEXPECTED_PASS,
    SKIPPED,
    EXPECTED_FAILURE,
    PASSED,
    UNCLAIMED,
)
LEVELS: Final = ("core", "extended", "mode", "provisional")

# pytest and the proxies colour their output; a report brings its own colours.
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")

T = TypeVar("T")


class ResultFileError(BadInputError):
    """A result file cannot be read or written; one line says what is wrong and the way out."""


class Interval(NamedTuple):
    """Bounds around a value that was observed, not computed; `high` is infinite when never seen."""

    low: float
    high: float


class Record:
    """One line of a result file, with typed access to its members."""

    def __init__(self, values: Mapping[str, object], where: str) -> None:
        self._values = values
        self._where = where

    def members(self) -> Iterable[tuple[str, object]]:
        """All members, as they stand there."""
        return self._values.items()

    def wrong(self, problem: str) -> ResultFileError:
        """The error for a problem in this record, with the place where it stands."""
        return ResultFileError(f"{self._where}: {problem}; no report can be made of this file")

    def maybe(self, name: str, kind: type[T]) -> T | None:
        """A member that may be null or missing."""
        value = self._values.get(name)
        if value is None:
            return None
        if kind is float and type(value) is int:
            value = float(value)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.wrong(f'"{name}" is {value!r:.60}, no {kind.__name__}')
        return value

    def need(self, name: str, kind: type[T]) -> T:
        """A member that must be there."""
        value = self.maybe(name, kind)
        if value is None:
            raise self.wrong(f'"{name}" is missing')
        return value

    def get(self, name: str, default: T) -> T:
        """A member of the default's type, or the default."""
        value = self.maybe(name, type(default))
        return default if value is None else value

    def text(self, name: str) -> str:
        """Text without terminal colours; empty when missing."""
        return _ANSI.sub("", self.get(name, ""))

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        """A member that must be one of some words."""
        value = self.need(name, str)
        if value not in choices:
            raise self.wrong(f'unknown {name} "{value:.40}" (known: {", ".join(choices)})')
        return value

    def parts(self, name: str) -> list[Record]:
        """A list of objects; empty when missing."""
        items = self.get(name, list[object]())
        return [self._part(f"{name}[{i}]", item) for i, item in enumerate(items)]

    def part(self, name: str) -> Record:
        """An object; empty when missing."""
        return self._part(name, self._values.get(name) or {})

    def _part(self, name: str, value: object) -> Record:
        if not isinstance(value, dict):
            raise self.wrong(f'"{name}" is {value!r:.60}, no object')
        return Record(value, f"{self._where}, {name}")

    def strings(self, name: str) -> tuple[str, ...]:
        """A list of strings; empty when missing."""
        return tuple(str(item) for item in self.get(name, list[object]()))

    def table(self, name: str) -> dict[str, str]:
        """An object of names and printable values; empty when missing."""
        return {key: str(item) for key, item in self.get(name, dict[str, object]()).items()}

    def numbers(self, name: str) -> tuple[float, ...]:
        """A list of numbers; empty when missing."""
        items = self.get(name, list[object]())
        return tuple(self._number(name, item) for item in items)

    def _number(self, name: str, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.wrong(f'"{name}" holds {value!r:.60}, no number')
        return float(value)

    def _interval(self, name: str, value: object) -> Interval:
        if not isinstance(value, list) or len(value) != 2:
            raise self.wrong(f'"{name}" holds {value!r:.60}, no interval [low, high]')
        high = math.inf if value[1] is None else self._number(name, value[1])
        return Interval(self._number(name, value[0]), high)

    def interval(self, name: str) -> Interval | None:
        """A pair of bounds, or nothing; a null upper bound is infinite."""
        value = self._values.get(name)
        return None if value is None else self._interval(name, value)

    def intervals(self, name: str) -> tuple[Interval, ...]:
        """A list of pairs of bounds; empty when missing."""
        return tuple(self._interval(name, item) for item in self.get(name, list[object]()))


@dataclass(frozen=True)
class Requirement:
    """One sentence that a Service proxy must satisfy."""

    id: str
    area: str
    level: str
    feature: str | None
    reference: str
    statement: str
    test: str

    @classmethod
    def of(cls, record: Record) -> Requirement:
        """The requirement that a record holds. Raises ResultFileError."""
        return cls(
            id=record.need("id", str),
            area=record.need("area", str),
            level=record.choice("level", LEVELS),
            feature=record.maybe("feature", str),
            reference=record.text("reference"),
            statement=" ".join(record.text("statement").split()),
            test=record.text("test"),
        )


@dataclass(frozen=True)
class Fingerprint:
    """What really ran: the proof, from one worker, of the implementation and mode under test."""

    mode: str
    claimed_mode: str
    observed_mode: str | None
    implementation: str
    version: str
    sha256: str
    kernel: str
    system: Mapping[str, str]
    tools: Mapping[str, str]
    cpu: str
    cpus: int | None
    python: str
    worker: str
    node: str
    sysctls: Mapping[str, str]
    seconds_to_ready: float | None

    @classmethod
    def of(cls, record: Record) -> Fingerprint:
        """The fingerprint that a record holds. Raises ResultFileError."""
        return cls(
            mode=record.need("mode", str),
            claimed_mode=record.need("claimed_mode", str),
            observed_mode=record.maybe("observed_mode", str),
            implementation=record.text("implementation"),
            version=record.text("version"),
            sha256=record.text("sha256"),
            kernel=record.text("kernel"),
            system=record.table("system"),
            tools=record.table("tools"),
            cpu=record.text("cpu"),
            cpus=record.maybe("cpus", int),
            python=record.text("python"),
            worker=record.text("worker"),
            node=record.text("node"),
            sysctls=record.table("sysctls"),
            seconds_to_ready=record.maybe("seconds_to_ready", float),
        )


@dataclass(frozen=True)
class Statistic:
    """One statistical test: `p` below `alpha` fails; a number that is not finite is None."""

    name: str
    discipline: str
    test: str
    counts: tuple[float, ...]
    expected: tuple[float, ...]
    statistic: float | None
    p: float | None
    alpha: float | None
    smallest_skew: float | None
    sample: int | None

    @classmethod
    def of(cls, record: Record) -> Statistic:
        """The statistic that a part of a result holds. Raises ResultFileError."""
        return cls(
            name=record.need("name", str),
            discipline=record.text("discipline"),
            test=record.text("test"),
            counts=record.numbers("counts"),
            expected=record.numbers("expected"),
            statistic=record.maybe("statistic", float),
            p=record.maybe("p", float),
            alpha=record.maybe("alpha", float),
            smallest_skew=record.maybe("smallest_skew", float),
            sample=record.maybe("sample", int),
        )


@dataclass(frozen=True)
class Measurement:
    """A measured quantity: each sample, and so each quantile, is an interval in `unit`."""

    name: str
    unit: str
    samples: tuple[Interval, ...]
    p50: Interval | None
    p95: Interval | None
    p99: Interval | None
    note: str
    emulated: bool

    @classmethod
    def of(cls, record: Record) -> Measurement:
        """The measurement that a part of a result holds. Raises ResultFileError."""
        return cls(
            name=record.need("name", str),
            unit=record.need("unit", str),
            samples=record.intervals("samples"),
            p50=record.interval("p50"),
            p95=record.interval("p95"),
            p99=record.interval("p99"),
            note=record.text("note"),
            emulated=record.get("emulated", default=False),
        )


@dataclass(frozen=True)
class Result:
    """What became of one case of a requirement in one mode."""

    requirement: str
    mode: str
    case: str
    nodeid: str
    outcome: str
    reason: str
    details: str
    seconds: float
    setup_seconds: float
    worker: str
    statistics: tuple[Statistic, ...]
    measurements: tuple[Measurement, ...]
    evidence: str | None

    @classmethod
    def of(cls, record: Record) -> Result:
        """The result that a record holds. Raises ResultFileError."""
        return cls(
            requirement=record.need("requirement", str),
            mode=record.need("mode", str),
            case=record.text("case"),
            nodeid=record.text("nodeid"),
            outcome=record.choice("outcome", OUTCOMES),
            reason=record.text("reason").strip(),
            details=record.text("details").rstrip(),
            seconds=record.get("seconds", 0.0),
            setup_seconds=record.get("setup_seconds", 0.0),
            worker=record.text("worker"),
            statistics=tuple(Statistic.of(part) for part in record.parts("statistics")),
            measurements=tuple(Measurement.of(part) for part in record.parts("measurements")),
            evidence=record.maybe("evidence", str),
        )


@dataclass(frozen=True)
class RunError:
    """An error of the run outside any test, in one mode or (mode None) in all of them."""

    mode: str | None
    message: str
    details: str

    @classmethod
    def of(cls, record: Record) -> RunError:
        """The error that a record holds. Raises ResultFileError."""
        return cls(
            mode=record.maybe("mode", str),
            message=record.text("message").strip() or "unknown error",
            details=record.text("details").rstrip(),
        )


def named(implementation: Mapping[str, str]) -> str:
    """Name and version of a proxy, as a header has them."""
    said = f"{implementation['name']} {implementation['version']}".strip()
    return said or "unknown implementation"
