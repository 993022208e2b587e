"""Releases in a row as one HTML page: it works offline, without scripts, on paper too."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from reports.model import node_words, releases
from reports.model.releases import BROKE, CHANGED, KINDS, MENDED, UNCOMPARED, version_of
from reports.model.wording import several
from reports.pages.environment import environment

if TYPE_CHECKING:
    from pathlib import Path

    from reports.model.releases import Releases
    from reports.model.run import Run

_COLOURS: Final = {
    BROKE: "failed",
    MENDED: "passed",
    CHANGED: "expected-failure",
    UNCOMPARED: "skipped",
}
_READY: Final = {
    releases.READY: "passed",
    releases.NOT_READY: "failed",
    releases.UNTESTED: "not-run",
}


def render(found: Releases, folder: Path) -> str:
    """The page, to be written into ``folder``: runs are linked relative to it."""

    def report(run: Run) -> str:
        column = found.columns(run)[0]
        way = os.path.relpath(column.folder.absolute(), folder.absolute())
        return f"./{way}/report.html"

    return (
        environment()
        .get_template("releases.html.j2")
        .render(
            found=found,
            about=_about(found),
            version=version_of,
            report=report,
            kinds=KINDS,
            colours=_COLOURS,
            ready=_READY,
        )
    )


def _about(found: Releases) -> str:
    """What was run, in a line."""
    first = found.runs[0].header
    days = sorted({run.header.started[:10] for run in found.runs})
    where = dict.fromkeys(node_words.told(run) for run in found.runs)
    same = len(found.comparison.requirements) - len(found.differing)
    every = several(len(found.comparison.requirements), "requirement")
    parts = (
        " to ".join(dict.fromkeys((days[0], days[-1]))),
        *filter(None, where),
        f"suite {first.suite.version}",
        f"seed {first.seed}",
        f"{same} of {every} the same in every release",
    )
    return " · ".join(parts)
