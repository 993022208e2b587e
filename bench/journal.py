"""The bench's result file: a task's figures are appended when it is done, so that what was measured
is never lost, and an interrupted bench goes on where it was.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from reports.records.figures import FIGURES, FIGURES_VERSION
from reports.records.results import ResultFileError
from reports.records.writer import ResultWriter

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from bench.plan import Task

_KEPT: Final = ("figure", "gap")  # what follows from them is computed anew at the end

Key = tuple[str, str | None, int, str, str | None]


class Journal:
    """The file of one bench in ``folder``: a new one, or (with ``old`` records) one that goes on.

    Raises ResultFileError where it cannot be written.
    """

    def __init__(
        self, folder: Path, header: Mapping[str, Any], old: Iterable[dict[str, Any]] = ()
    ) -> None:
        self.folder = folder
        self.header = dict(header)
        self.records: list[dict[str, Any]] = []
        old = list(old)
        # written aside, then renamed: there is a whole file at any time
        self._writer = ResultWriter(folder, f".{FIGURES}.part" if old else FIGURES)
        self._writer.write(header)
        for record in old:
            self.add(record)
        if old:
            self._writer.path.replace(folder / FIGURES)

    def add(self, record: dict[str, Any]) -> None:
        """Append a record; figures and gaps are remembered."""
        self._writer.write(record)
        if record["type"] in _KEPT:
            self.records.append(record)

    @property
    def figures(self) -> list[dict[str, Any]]:
        """The figure records so far."""
        return [record for record in self.records if record["type"] == "figure"]

    def gaps(self) -> dict[str, tuple[int, str]]:
        """Modes that cannot be measured from so many Services on, and why."""
        found: dict[str, tuple[int, str]] = {}
        for record in self.records:
            if record["type"] == "gap":
                size = record["services"]
                if record["mode"] not in found or size < found[record["mode"]][0]:
                    found[record["mode"]] = size, record["reason"]
        return found

    def has(self, task: Task, modes: Iterable[str]) -> bool:
        """Whether all of a task's figures of these modes are there."""
        have = {key(figure) for figure in self.figures}
        return all(
            (name, mode, task.services, task.series, target) in have
            for mode in modes
            for name, target in task.figures
        )

    def close(self, **footer: object) -> None:
        """Append the footer: the bench is complete."""
        self._writer.close(figures=len(self.figures), **footer)


def key(figure: Mapping[str, Any]) -> Key:
    """What tells a figure from all others of its bench."""
    return (
        figure["name"],
        figure["mode"],
        figure["services"],
        figure["series"],
        figure["target"],
    )


def newest_like(
    results: Path, wanted: Mapping[str, Any]
) -> tuple[Path, dict[str, Any], list[dict[str, Any]]] | None:
    """Folder, header and records of the newest interrupted bench whose header has the members
    ``wanted``.
    """
    for path in sorted(results.glob(f"*-bench-*/{FIGURES}"), reverse=True):
        try:
            header, records = unfinished(path.parent)
        except ResultFileError:
            continue  # complete, or of no use
        if all(header.get(name) == value for name, value in wanted.items()):
            return path.parent, header, records
    return None


def unfinished(folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Header and the figures and gaps of an interrupted bench; a last line that was cut off is left
    out.

    Raises:
        ResultFileError: there is no such bench, it is complete, or it is of another schema version.
    """
    path = folder / FIGURES
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError as problem:
        raise ResultFileError(
            f"{path}: cannot be resumed: {problem.strerror}; give the folder of a bench"
        ) from problem
    records = []
    for number, text in enumerate(lines, start=1):
        if not text.endswith(b"\n"):
            break
        try:
            records.append(json.loads(text))
        except ValueError as problem:
            raise ResultFileError(
                f"{path}, line {number}: is no JSON ({problem}); begin a new bench"
            ) from problem
    if not records or records[0].get("type") != "bench":
        raise ResultFileError(f"{path}: has no header in its first line; begin a new bench")
    header, *rest = records
    if header.get("schema") != FIGURES_VERSION:
        raise ResultFileError(
            f"{path}: has schema version {header.get('schema')}, this program goes on with version"
            f" {FIGURES_VERSION}; begin a new bench"
        )
    if any(record.get("type") == "end" for record in rest):
        raise ResultFileError(f"{path}: is complete: there is nothing to resume")
    return header, [record for record in rest if record.get("type") in _KEPT]
