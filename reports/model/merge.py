"""One result file from the shards of a run that was made on several machines."""

from __future__ import annotations

import math
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from reports.model.comparison import Column, columns
from reports.model.reproduce import AND
from reports.model.run import Run, read
from reports.model.wording import NOT_RUN
from reports.records import result_file
from reports.records.base import Implementation
from reports.records.decisions import Census
from reports.records.results import (
    RESULTS,
    SCHEMA_VERSION,
    AnyRecord,
    End,
    Fingerprint,
    Header,
    Origin,
    Requirement,
    Result,
    RunError,
)
from reports.records.writer import ResultWriter
from specification.errors import ResultFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True)
class _Shard:
    """One result file and what it becomes in the whole."""

    path: Path
    run: Run
    names: dict[str, str]
    """Mode -> its name in the merged file."""
    records: list[AnyRecord]


def merge(
    paths: Sequence[Path], folder: Path, modes: Sequence[str] = (), *, gaps: bool = False
) -> Run:
    """Join result files into one, in a folder of its own, and return it.

    Shards may differ in modes, kernels and versions of the proxy, and may split the requirements
    between them. Where a mode was judged on several kernels or of several versions, its name says
    which; where shards are of several proxies, every name does. `modes` are those (by their names
    in the merged file) that must be there. What went wrong in a shard is told of its modes alone.

    Raises ResultFileError where shards were made by different suites, judge the same case twice
    (an overlap), or leave out a requirement that is judged in another mode (a gap, unless `gaps`
    may be there: they are then told as not run, which is no pass).
    """
    shards = _shards(paths)
    _same_suite(shards)
    _no_overlap(shards)
    if not gaps:
        _no_gap(shards, modes)
    writer = ResultWriter(folder)
    for record in (_header(shards), *_records(shards, folder)):
        writer.write(record)
    ends = [shard.run.end for shard in shards]
    writer.close(
        End(
            finished=max(end.finished for end in ends),
            seconds=sum(end.seconds for end in ends),
            exit=max(shard.run.exit_code for shard in shards),
            interrupted=all(end.interrupted for end in ends),  # of some: see _troubles
            statistical_tests=sum(end.statistical_tests for end in ends),
            false_alarm_bound=_false_alarms(shards),
        )
    )
    return read(folder)


def _false_alarms(shards: Sequence[_Shard]) -> float | None:
    """The union bound over all tests; unknown where that of a shard is."""
    bounds = [shard.run.end.false_alarm_bound for shard in shards]
    known = [bound for bound in bounds if bound is not None]
    return min(math.fsum(known), 1.0) if len(known) == len(bounds) else None


def _shards(paths: Sequence[Path]) -> list[_Shard]:
    found = [result_file.locate(path, RESULTS) for path in paths]
    runs = [(path, read(path)) for path in found]
    given = Counter(run.header.run for _, run in runs)
    for path, run in runs:
        if given[run.header.run] > 1:
            raise ResultFileError(f"{path}: run {run.header.run} was given twice; leave one out")
    made = columns(runs)
    return [
        _Shard(
            path,
            run,
            {c.mode: _name(c, made) for c in made if c.number == number},
            result_file.complete(path, AnyRecord, header="run", version=SCHEMA_VERSION),
        )
        for number, (path, run) in enumerate(runs)
    ]


def _name(column: Column, every: Sequence[Column]) -> str:
    """The mode, and what tells it from the same mode elsewhere, or from those of another proxy:
    name and version; kernel.
    """
    origin = column.origin
    same = [c for c in every if c.origin.mode == origin.mode]
    name = origin.mode
    proxies = {c.origin.implementation.name for c in every}
    if len({c.subject for c in same}) > 1 or len(proxies) > 1:
        name += f", {column.subject}"
    same = [c for c in same if c.subject == column.subject]
    if len({c.kernel for c in same}) > 1:
        name += f", kernel {column.kernel or 'unknown'}"
    return name


def _same_suite(shards: Sequence[_Shard]) -> None:
    first = shards[0]
    for shard in shards[1:]:
        for what in ("version", "commit"):
            was, now = (getattr(each.run.header.suite, what) for each in (first, shard))
            if was != now:
                raise ResultFileError(
                    f"{shard.path}: was judged by {what} {now or 'unknown'} of the suite,"
                    f" {first.path} by {was or 'unknown'}; judge all shards by the same"
                )


def _no_overlap(shards: Sequence[_Shard]) -> None:
    seen: dict[tuple[str, str, str], Path] = {}
    for shard in shards:
        for result in shard.run.results:
            key = shard.names[result.mode], result.requirement, result.case
            if seen.setdefault(key, shard.path) != shard.path:
                case = f" ({result.case})" if result.case else ""
                raise ResultFileError(
                    f"{shard.path}: overlaps with {seen[key]}: both judge"
                    f" {result.requirement}{case} in {key[0]} mode; leave one of them out"
                )


def _no_gap(shards: Sequence[_Shard], modes: Sequence[str]) -> None:
    judged: dict[str, set[str]] = {name: set() for s in shards for name in s.names.values()}
    for shard in shards:
        for result in shard.run.results:
            judged[shard.names[result.mode]].add(result.requirement)
    missing = [mode for mode in modes if mode not in judged]
    if missing:
        raise ResultFileError(
            f"a shard is missing: none is of {', '.join(missing)} (there are {', '.join(judged)})"
        )
    every = set().union(*judged.values())
    for name, found in judged.items():
        gap = sorted(every - found)
        if gap:
            raise ResultFileError(
                f"a shard is missing: nothing judges {gap[0]}"
                f"{f' and {len(gap) - 1} other requirements' if len(gap) > 1 else ''} in {name}"
                f" mode, {NOT_RUN.replace('-', ' ')} there and judged elsewhere"
            )


def _header(shards: Sequence[_Shard]) -> Header:
    headers = [shard.run.header for shard in shards]
    names = dict.fromkeys(name for shard in shards for name in shard.names.values())
    origins: dict[str, Origin] = {}
    for shard in shards:
        for mode, name in shard.names.items():
            origin, known = shard.run.header.origin(mode), origins.get(name)
            commands = (*(known.reproduce.split(AND) if known else ()), origin.reproduce)
            origins[name] = replace(origin, reproduce=AND.join(dict.fromkeys(commands)))
    budgets = [*(header.false_alarm_budget for header in headers), _false_alarms(shards)]
    return replace(
        headers[0],
        run="+".join(header.run for header in headers),
        started=min(header.started for header in headers),
        command=(),
        reproduce=AND.join(dict.fromkeys(header.reproduce for header in headers)),
        implementation=_together([header.implementation for header in headers]),
        modes=tuple(names),
        origins=origins,
        areas=next((header.areas for header in headers if header.areas), ()),
        provider=", ".join(sorted({header.provider for header in headers})),
        sampled=tuple(s.names[mode] for s in shards for mode in s.run.header.sampled),
        # the same alpha in each: shards of one run share its budget, more of them go beyond it
        false_alarm_budget=max(filter(None, budgets), default=None),
        workers=sum(header.workers or 0 for header in headers),
    )


def _together(proxies: Sequence[Implementation]) -> Implementation:
    """Several proxies, or versions of one, in the words of a title."""
    first, checksums = proxies[0], {proxy.sha256 for proxy in proxies}
    if len({proxy.name for proxy in proxies}) > 1:
        return Implementation(", ".join(dict.fromkeys(proxy.subject for proxy in proxies)))
    return replace(
        first,
        version=", ".join(sorted({proxy.version for proxy in proxies})),
        sha256=checksums.pop() if len(checksums) == 1 else "",
    )


def _records(shards: Sequence[_Shard], folder: Path) -> Iterator[AnyRecord]:
    """What stands between header and footer, as it stands in the merged file."""
    described: set[str] = set()
    for shard in shards:
        for record in shard.records[1:-1]:
            match record:
                case Requirement(id=name):
                    if name not in described:
                        yield record
                    described.add(name)
                case Result(evidence=str(evidence)):
                    place = (shard.path.parent / evidence).absolute()
                    # a result file may come without its evidence
                    way = os.path.relpath(place, folder.absolute()) if place.exists() else None
                    yield replace(record, mode=shard.names[record.mode], evidence=way)
                case Result(mode=mode) | Fingerprint(mode=mode) | Census(mode=mode):
                    yield replace(record, mode=shard.names[mode])
        yield from _troubles(shard)


def _troubles(shard: _Shard) -> Iterator[RunError]:
    """Why a shard's modes have no verdict: what its file says, and what its reader found. Nothing
    of it may be lost, for another shard's explain the exit code of all of them.
    """
    cut = (RunError(message="the run was interrupted"),) if shard.run.end.interrupted else ()
    for error in (*shard.run.errors, *cut):
        of = shard.names.values() if error.mode is None else [shard.names[error.mode]]
        yield from (replace(error, mode=name) for name in of)
