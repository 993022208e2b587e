"""Several implementations, one after another, and one report of all."""

from __future__ import annotations

import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fixtures.record import fingerprint
from fixtures.record.recorder import link_latest
from launch.launcher import attend
from reports import render
from reports.model import merge
from reports.model.run import read
from reports.model.wording import duration
from reports.records.base import Implementation
from reports.records.results import RESULTS, End, Header, RunError
from reports.records.writer import ResultWriter
from reports.texts import terminal
from side_by_side import plan
from specification.errors import ResultFileError, SuiteError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from side_by_side.plan import Part

_ERROR: Final = 2
_ROOT: Final = Path(__file__).parents[1]


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says; the exit code is the worst of all implementations'."""
    # a build that is told to end has its folders to take away, as after Ctrl-C
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _judged(plan.parsed(arguments))
    except SuiteError as problem:
        print(f"conform: {problem}", file=sys.stderr)
    except KeyboardInterrupt:
        print("conform: interrupted; there is no report of all", file=sys.stderr)
    return _ERROR


def _judged(parts: Sequence[Part]) -> int:
    """Run each into a folder of its own, inside that of their common report."""
    now = datetime.now(UTC)
    folder = parts[0].run.written / f"{now:%Y%m%dT%H%M%SZ}-{os.urandom(2).hex()}"
    files: list[Path] = []
    codes: list[int | None] = []
    for number, part in enumerate(parts, start=1):
        told, results = f"conform: {number} of {len(parts)}, {part.told}", folder / str(number)
        if None in codes:
            print(f"{told}: is not run", flush=True)
            files.append(_stand_in(part, results, "not run: the runs were interrupted"))
            continue
        modes = part.run.modes.replace(",", " and ")
        print(f"{told}: runs in {modes} mode", flush=True)
        began = time.monotonic()
        code = attend([str(_ROOT / "conform"), *part.argv(results)])
        codes.append(code)
        files.append(_left(part, results, code))
        print(f"{told}: took {duration(time.monotonic() - began)}", flush=True)
    whole = merge.merge(files, folder, gaps=True)
    render.render(folder)
    link_latest(folder)
    report = folder / render.HTML
    print(terminal.summary(whole, colour=sys.stdout.isatty(), report=report))
    print(f"Side by side: ./conform compare {folder}")
    return max(whole.exit_code, *(_ERROR if code is None else code for code in codes))


def _left(part: Part, results: Path, code: int | None) -> Path:
    """The result file that a run has left; where that is none, or better than the exit code, one
    that says why.
    """
    why = "not run to its end: " + ("it was interrupted" if code is None else "see what it said")
    for path in sorted(results.glob(f"*/{RESULTS}")):
        if not path.parent.is_symlink():
            try:
                run = read(path)
            except ResultFileError as problem:
                why = str(problem)
                continue
            if run.exit_code >= (code or 0):
                return path
            why = f"the run ended with exit code {code}, which none of its results explains: {path}"
    return _stand_in(part, results, why)


def _stand_in(part: Part, folder: Path, why: str) -> Path:
    """A result file of an implementation that has none: its modes have no verdict."""
    proxy = (
        fingerprint.implementation(part.implementation, part.judged)
        if part.judged
        else Implementation(part.implementation.name)
    )
    writer = ResultWriter(folder)
    writer.write(
        Header(
            run=f"{folder.parent.name}-{folder.name}",
            started=datetime.now(UTC).isoformat(timespec="milliseconds"),
            suite=fingerprint.suite(_ROOT),
            seed=part.run.seed,
            reproduce=part.again,
            implementation=proxy,
            modes=tuple(part.run.modes.split(",")),
        )
    )
    writer.write(RunError(message=why))
    writer.close(End(exit=_ERROR))
    return writer.path
