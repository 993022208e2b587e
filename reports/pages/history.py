"""How verdicts and figures moved over the runs in a folder."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reports.drawing.comparison_charts import Chart
from reports.drawing.curves import Curve, over_time
from reports.model.bench import Bench
from reports.model.bench import read as read_bench
from reports.model.comparison import Column, columns
from reports.model.run import Run, read
from reports.model.wording import BAD, interval, quantity, several
from reports.pages.environment import environment
from reports.records.base import Interval
from reports.records.figures import FIGURES
from reports.records.results import EXPECTED_FAILURE, PASSED, RESULTS
from reports.texts import terminal
from specification.errors import ResultFileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


_WHOLE: Final = 0.8
"""A run of at least this share of the most requirements that any run has is a whole one."""
_SHOWN: Final = 15  # runs of a mode in the terminal; the page has all

_OVER_TIME: Final = (("first-packet", "random"), ("sync-service-add", None))


@dataclass(frozen=True)
class Step:
    """One run of a mode, and what changed since the one before it."""

    column: Column
    before: Column | None

    def _moved(self, was: tuple[str, ...], now: tuple[str, ...]) -> tuple[str, ...]:
        if self.before is None:
            return ()
        return tuple(
            requirement.id
            for requirement in self.column.run.requirements
            if self.before.cell(requirement.id).word in was
            and self.column.cell(requirement.id).word in now
        )

    @cached_property
    def broken(self) -> tuple[str, ...]:
        """Requirements that held and no longer do."""
        return self._moved((PASSED, EXPECTED_FAILURE), BAD)

    @cached_property
    def mended(self) -> tuple[str, ...]:
        """Requirements that hold now and did not."""
        return self._moved((*BAD, EXPECTED_FAILURE), (PASSED,))


@dataclass(frozen=True)
class History:
    """The whole runs in a folder by proxy and mode, oldest first."""

    lines: dict[tuple[str, str], tuple[Step, ...]]
    benches: tuple[Bench, ...]
    partial: int
    """Runs of a part of the requirements, left out."""
    bad: tuple[str, ...]
    """Files that could not be read, a line each."""


def gather(folder: Path, *, every: bool = False) -> History:
    """Read all result and bench files under a folder; of `every` run, or of the whole ones.

    A file that cannot be read is named and left out: an interrupted run is part of any history.
    Raises ResultFileError where there is no folder, or no run in it.
    """
    if not folder.is_dir():
        raise ResultFileError(f"{folder}: is no folder; give the one that runs are written to")
    runs: dict[str, tuple[Path, Run]] = {}
    benches: dict[str, Bench] = {}
    bad = []
    for path in _files(folder):
        try:
            if path.name.startswith(FIGURES):
                bench = read_bench(path)
                benches.setdefault(bench.header.bench, bench)
            else:
                run = read(path)
                runs.setdefault(run.header.run, (path, run))
        except ResultFileError as problem:
            bad.append(str(problem))
    if not runs and not benches:
        raise ResultFileError(
            f"{folder}: holds no finished run"
            + (f", only {several(len(bad), 'bad file')}: {bad[0]}" if bad else "")
        )
    most = max((len(run.requirements) for _, run in runs.values()), default=0)
    whole = [
        (path, run)
        for path, run in runs.values()
        if every or (len(run.requirements) >= _WHOLE * most and not run.end.interrupted)
    ]
    ordered = sorted(whole, key=lambda each: each[1].header.started)
    return History(
        _lines(columns(ordered)),
        tuple(sorted(benches.values(), key=lambda bench: bench.header.started)),
        len(runs) - len(whole),
        tuple(bad),
    )


def _files(folder: Path) -> Iterator[Path]:
    for name in (RESULTS, FIGURES):
        for path in sorted(folder.rglob(f"{name}*")):
            if path.suffix in (".jsonl", ".gz", ".xz") and not path.parent.is_symlink():
                yield path
    for path in sorted(folder.glob("*.jsonl*")):  # examples: files named for what they are of
        if not path.name.startswith((RESULTS, FIGURES)):
            yield path


def _lines(made: Sequence[Column]) -> dict[tuple[str, str], tuple[Step, ...]]:
    found: dict[tuple[str, str], list[Step]] = {}
    for column in made:
        line = found.setdefault((column.run.header.implementation.name, column.mode), [])
        line.append(Step(column, line[-1].column if line else None))
    return {key: tuple(line) for key, line in sorted(found.items())}


# --- figures --------------------------------------------------------------------------------------


def charts(history: History) -> list[Chart]:
    """Medians over time: of what runs measured, and of what benches did."""
    found: dict[tuple[str, str], dict[str, list[tuple[str, float, str]]]] = {}
    for (proxy, mode), steps in history.lines.items():
        for step in steps:
            for (name, unit), samples in step.column.samples(emulated=False).items():
                low = statistics.median(max(low, 0.0) for low, _ in samples)
                high = statistics.median(high for _, high in samples)
                line = found.setdefault((name, unit), {}).setdefault(f"{proxy} {mode}", [])
                started = step.column.run.header.started
                line.append((started, (low + high) / 2, interval(Interval(low, high), unit)))
    for name, target in _OVER_TIME:
        for size, mode, started, value, unit in _benched(history.benches, name, target):
            title = f"{name} at {size:,} Services"
            line = found.setdefault((title, unit), {}).setdefault(mode, [])
            line.append((started, value, quantity(value, unit)))
    return [_chart(name, unit, lines) for (name, unit), lines in sorted(found.items())]


def _benched(
    benches: Iterable[Bench], name: str, target: str | None
) -> Iterator[tuple[int, str, str, float, str]]:
    for bench in benches:
        for f in bench.figures:
            wanted = (
                f.name == name and f.series == "same-period" and f.target == (target or f.target)
            )
            if wanted and f.mode and f.p50 is not None and not bench.header.emulated:
                yield f.services, f.mode, bench.header.started, f.p50, f.unit


def _chart(name: str, unit: str, lines: dict[str, list[tuple[str, float, str]]]) -> Chart:
    moments = sorted({moment for line in lines.values() for moment, _, _ in line})
    factor, shown = (1e3, "ms") if unit == "s" else (1.0, unit)
    drawn = [
        Curve(
            label,
            label.rpartition(" ")[2],
            0,
            tuple((float(moments.index(at)), value * factor) for at, value, _ in line),
        )
        for label, line in lines.items()
    ]
    title = f"{name[0].upper()}{name[1:]}"
    return Chart(
        title,
        "Medians, run by run.",
        tuple(drawn),
        shown,
        partial(over_time, moments=[moment[:16].replace("T", " ") for moment in moments]),
        ("series", "started", "median"),
        tuple((label, at, told) for label, line in lines.items() for at, _, told in line),
    )


# --- telling --------------------------------------------------------------------------------------


def page(history: History) -> str:
    """One HTML page, offline."""
    return (
        environment()
        .get_template("history.html.j2")
        .render(history=history, charts=charts(history))
    )


def told(history: History, *, colour: bool = False) -> str:
    """Every line of runs in ASCII, the newest last. No newline at the end."""
    pen = terminal.Pen(colour=colour)
    lines = []
    for (proxy, mode), steps in history.lines.items():
        lines += [pen(f"{proxy} {mode}", "1")]
        if len(steps) > _SHOWN:
            lines.append(f"  {len(steps) - _SHOWN} older runs, in the page")
        verdicts = [step.column.verdict for step in steps[-_SHOWN:]]
        for step in steps[-_SHOWN:]:
            run = step.column.run
            word = terminal.verdict_word(step.column.verdict, verdicts, pen)
            moved = [
                f"{sign} {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}"
                for sign, names in (("broken:", step.broken), ("mended:", step.mended))
                if names
            ]
            about = f"{run.header.started[:16]}  {run.header.implementation.version:<9}"
            lines.append(f"  {about}  {word}  {'; '.join(moved) or step.column.counts}".rstrip())
        lines.append("")
    lines.append(f"{several(sum(map(len, history.lines.values())), 'verdict')}")
    if history.partial:
        lines.append(f"{several(history.partial, 'run')} of a part of the requirements left out")
    if history.bad:
        lines.append(f"{several(len(history.bad), 'file')} left out: {history.bad[0]}")
    return "\n".join(lines)
