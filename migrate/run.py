"""A rehearsal from its first switch to its page."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

from bench import machine
from clusters import program
from clusters.build.progress import Progress
from fixtures.record import fingerprint
from launch.migration import Migration
from migrate.prepared import prepare
from reports import render
from reports.model.migration import read
from reports.pages import migration_page
from reports.records.migration import SWITCHES, RehearsalEnd, RehearsalHeader, Way
from reports.records.writer import ResultWriter
from reports.texts.migration_terminal import summary
from specification.errors import SuiteError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from foretell.configuration import Given
    from migrate.command import Chosen
    from migrate.rehearsal import Rehearsal
    from specification.services import ServiceSpec

HTML: Final = "migration.html"

_STOPPED: Final = 2
_ROOT: Final = Path(__file__).parents[1]


def rehearse(
    chosen: Chosen,
    given: tuple[Given, Given],
    listed: Sequence[ServiceSpec],
    arguments: Sequence[str],
) -> int:
    """Switch again and again, as the command line ``arguments`` ask; the exit code."""
    asked, began = chosen.asked, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="migrate-") as place, Progress("migrate") as progress:
        prepared = prepare(
            chosen.implementation,
            chosen.version,
            chosen.binaries,
            (asked.before, asked.after),
            given,
            listed,
            chosen.machines,
            Path(place),
            chosen.seed,
        )
        with closing(prepared), prepared.rehearsal(progress.update) as rehearsal:
            header = _header(chosen, arguments, rehearsal)
            folder = asked.written / header.rehearsal
            writer = ResultWriter(folder, SWITCHES)
            writer.write(header)
            stopped = _switch_all(asked, rehearsal, writer, progress)
            switches = writer.lines - 1
            if stopped and not switches:
                shutil.rmtree(folder)
                raise stopped
            ended, seconds = bool(stopped) * _STOPPED, round(time.monotonic() - began, 1)
            writer.close(RehearsalEnd(seconds=seconds, exit=ended, switches=switches))
    if stopped:
        why = str(stopped) or "interrupted"
        print(f"conform: {why}; what there is by now is told", file=sys.stderr)
    found = read(folder)
    render.write(folder / HTML, migration_page.render(found))
    print(summary(found, colour=sys.stdout.isatty()))
    print(f"Page: {os.path.relpath(folder / HTML)}")
    return ended or found.exit_code


def _switch_all(
    asked: Migration, rehearsal: Rehearsal, writer: ResultWriter, progress: Progress
) -> BaseException | None:
    """Switch as is asked for; what has stopped it, if anything."""
    try:
        for way, before, after, number in _plan(asked):
            progress.update(f"{way}, {before} to {after}, {number + 1} of {asked.repetitions}")
            writer.write(rehearsal.switch(way, before, after, number))
    except (KeyboardInterrupt, SuiteError) as problem:
        return problem
    return None


def _plan(asked: Migration) -> Iterator[tuple[Way, str, str, int]]:
    """Way, from, to and repetition of each switch. One to a mode that cannot start leaves the node
    where it was, and comes last.
    """
    ways = [way for way in get_args(Way) if way in asked.chosen_ways]
    there, back = (asked.before, asked.after), (asked.after, asked.before)
    for number in range(asked.repetitions):
        for way in ways:
            if way != "failed":
                yield way, *there, number
                yield way, *back, number
    if "failed" in asked.chosen_ways:
        for number in range(asked.repetitions):
            yield "failed", *there, number


def _header(chosen: Chosen, arguments: Sequence[str], rehearsal: Rehearsal) -> RehearsalHeader:
    asked, now = chosen.asked, datetime.now(UTC)
    judged = program.judged(chosen.implementation, chosen.binaries["proxy"])
    return RehearsalHeader(
        rehearsal=f"{now:%Y%m%dT%H%M%SZ}-migrate-{os.urandom(2).hex()}",
        started=now.isoformat(timespec="milliseconds"),
        suite=fingerprint.suite(_ROOT),
        seed=chosen.seed,
        command=(*Migration.COMMAND, *arguments),
        reproduce=asked.lasting().command(),
        implementation=fingerprint.implementation(chosen.implementation, judged),
        modes=(asked.before, asked.after),
        machine=dict(machine.description(rehearsal.node)),
        emulated=rehearsal.node.system.emulated,
        repetitions=asked.repetitions,
        services=len(rehearsal),
        asked=Path(asked.services).name,
    )
