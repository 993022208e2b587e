"""Every report of a run, from its result file."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from reports import html, junit
from reports.model import ResultFileError, Run, read

HTML: Final = "report.html"
JUNIT: Final = "junit.xml"


def render(run_folder: Path | str) -> Run:
    """Write `report.html` and `junit.xml` beside the `results.jsonl` of a run, and return the run.

    Raises ResultFileError, one line long, when the results cannot be read or the reports written.
    """
    folder = Path(run_folder)
    run = read(folder)
    for name, content in ((HTML, html.render(run, folder)), (JUNIT, junit.render(run, folder))):
        # Written aside and renamed: a reader never meets half a report.
        part = folder / f".{name}.part"
        try:
            part.write_text(content, encoding="utf-8", errors="backslashreplace")
            part.replace(folder / name)
        except OSError as error:
            raise ResultFileError(
                f"{folder / name}: cannot be written: {error.strerror}; make room or write "
                "elsewhere, then render again with: python -m reports FOLDER"
            ) from error
    return run
