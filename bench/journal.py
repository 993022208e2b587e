"""The bench's result file: a task's figures are appended when it is done, so that what was measured
is never lost, and an interrupted bench goes on where it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.records import result_file
from reports.records.base import made
from reports.records.figures import (
    FIGURES,
    FIGURES_VERSION,
    AnyRecord,
    BenchEnd,
    BenchHeader,
    Figure,
    Gap,
)
from reports.records.writer import ResultWriter
from specification.errors import ResultFileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from bench.plan import Task


class Journal:
    """The file of one bench in ``folder``: a new one, or (with ``old`` records) one that goes on.

    Raises ResultFileError where it cannot be written.
    """

    def __init__(self, folder: Path, header: BenchHeader, old: Sequence[Figure | Gap] = ()) -> None:
        self.folder = folder
        self.header = header
        self.records: list[AnyRecord] = []
        # written aside, then renamed: there is a whole file at any time
        self._writer = ResultWriter(folder, f".{FIGURES}.part" if old else FIGURES)
        self._writer.write(header)
        for record in old:
            self.add(record)
        if old:
            self._writer.path.replace(folder / FIGURES)

    def add(self, record: AnyRecord) -> None:
        """Append a record; figures and gaps are remembered, all else is computed at the end. A
        figure that is there already stays: its task was interrupted while its figures were added.
        """
        if isinstance(record, Figure) and (record.mode, *record.key) in self._keys:
            return
        self._writer.write(record)
        if isinstance(record, Figure | Gap):
            self.records.append(record)

    @property
    def figures(self) -> list[Figure]:
        """The figures so far."""
        return [record for record in self.records if isinstance(record, Figure)]

    @property
    def _keys(self) -> set[tuple[object, ...]]:
        """What tells the figures apart."""
        return {(figure.mode, *figure.key) for figure in self.figures}

    def gaps(self) -> dict[str, int]:
        """Modes that cannot be measured, and from how many Services on."""
        found: dict[str, int] = {}
        for gap in self.records:
            if isinstance(gap, Gap):
                found[gap.mode] = min(gap.services, found.get(gap.mode, gap.services))
        return found

    def has(self, task: Task, modes: Iterable[str]) -> bool:
        """Whether all of a task's figures of these modes are there."""
        have = self._keys
        return all(
            (mode, name, task.services, task.series, target) in have
            for mode in modes
            for name, target in task.figures
        )

    def close(self, *, seconds: float) -> None:
        """Append the footer: the bench is complete."""
        self._writer.close(BenchEnd(seconds=seconds, exit=0, figures=len(self.figures)))


def newest_like(
    results: Path, wanted: BenchHeader
) -> tuple[Path, BenchHeader, list[Figure | Gap]] | None:
    """Folder, header and records of the newest interrupted bench that the wanted one can go on
    with.
    """
    for path in sorted(results.glob(f"*-bench-*/{FIGURES}"), reverse=True):
        try:
            header, records = unfinished(path.parent)
        except ResultFileError:
            continue  # complete, or of no use
        if not different(header, wanted):
            return path.parent, header, records
    return None


def different(one: BenchHeader, other: BenchHeader) -> list[str]:
    """In what two benches differ of which one cannot go on with the other."""
    members = "plan", "modes", "implementation", "machine", "emulated"
    return [name for name in members if getattr(one, name) != getattr(other, name)]


def unfinished(folder: Path) -> tuple[BenchHeader, list[Figure | Gap]]:
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
    whole = [line for line in lines if line.endswith(b"\n")]
    read = [
        result_file.parsed(line, result_file.place(path, at), "begin a new bench")
        for at, line in enumerate(whole, start=1)
    ]
    if not read or read[0].get("type") != "bench":
        raise ResultFileError(f"{path}: has no header in its first line; begin a new bench")
    if read[0].get("schema") != FIGURES_VERSION:
        raise ResultFileError(
            f"{path}: has schema version {read[0].get('schema')}, this program goes on with version"
            f" {FIGURES_VERSION}; begin a new bench"
        )
    if any(values.get("type") == "end" for values in read):
        raise ResultFileError(f"{path}: is complete: there is nothing to resume")
    header, *records = [
        made(values, AnyRecord, result_file.place(path, at))
        for at, values in enumerate(read, start=1)
    ]
    return header, [record for record in records if isinstance(record, Figure | Gap)]
