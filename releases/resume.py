"""Which results there are of a release already: what was interrupted is none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from reports.model.run import Run, read
from reports.records import result_file
from reports.records.results import RESULTS
from specification.errors import ResultFileError

if TYPE_CHECKING:
    from pathlib import Path

    from releases.plan import Release


def complete(release: Release) -> dict[Path, Run]:
    """The complete result files, oldest first, in the folder that a release's run is written to:
    by the same command, and so seed, of the same program, whichever suite they are by.
    """
    asked, found = release.run.lasting().command(), {}
    for path in sorted(release.run.written.glob(f"*/{RESULTS}")):
        if path.parent.is_symlink() or command_of(path) != asked:
            continue
        try:
            run = read(path)
        except ResultFileError:
            continue
        if run.header.implementation.sha256 == release.sha256 and not run.end.interrupted:
            found[path] = run
    return found


def command_of(path: Path) -> str:
    """The command that repeats the run of a result file; empty where it is none."""
    try:
        first = json.loads(result_file.content(path).split(b"\n", 1)[0])
    except (ResultFileError, ValueError):
        return ""
    return str(first.get("reproduce", "")) if isinstance(first, dict) else ""
