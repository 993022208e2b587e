"""Every report of a run, from its result file."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from reports.model.run import Run, read
from reports.pages import run_page
from reports.texts import junit
from specification.errors import ResultFileError

HTML: Final = "report.html"
JUNIT: Final = "junit.xml"


def render(run_folder: Path | str) -> Run:
    """Write `report.html` and `junit.xml` beside the `results.jsonl` of a run, and return the run.

    Raises ResultFileError, one line long, when the results cannot be read or the reports written.
    """
    folder = Path(run_folder)
    run = read(folder)
    for name, content in ((HTML, run_page.render(run, folder)), (JUNIT, junit.render(run))):
        write(folder / name, content, again="then render again with: python -m reports FOLDER")
    return run


def write(path: Path, content: str, again: str = "then try again") -> None:
    """Write a report. Raises ResultFileError, which ends with what to do `again`."""
    # Written aside and renamed: a reader never meets half a report.
    part = path.parent / f".{path.name}.part"
    try:
        part.write_text(content, encoding="utf-8", errors="backslashreplace")
        part.replace(path)
    except OSError as error:
        raise ResultFileError(
            f"{path}: cannot be written: {error.strerror}; make room or write elsewhere, {again}"
        ) from error
