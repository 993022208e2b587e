"""The result file, written while the suite runs: a line at a time, so that nothing is lost."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from reports.records.base import Record, values
from reports.records.figures import BenchEnd
from reports.records.migration import RehearsalEnd
from reports.records.results import RESULTS, End
from specification.errors import ResultFileError


class ResultWriter:
    """Writes `results.jsonl` into a run's folder; safe to share between threads.

    Every method that writes raises ResultFileError, one line long, when the disk does not take it
    all. A file that was not closed has no footer, and no reader takes it for a result.
    """

    def __init__(self, folder: Path | str, name: str = RESULTS) -> None:
        """Create the folder if need be, and in it the file, which must not exist yet."""
        self.path = Path(folder) / name
        self.lines = 0
        self._digest = hashlib.sha256()  # over every line as it stands in the file
        self._lock = threading.Lock()
        self._broken: OSError | None = None
        self._closed = False
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            self._file = os.open(self.path, flags, 0o644)
        except FileExistsError:
            raise ResultFileError(
                f"{self.path}: holds the results of an earlier run; write to another folder"
            ) from None
        except OSError as error:
            raise self._cannot(error) from error

    def write(self, record: Record) -> None:
        """Append one record as one line, and hand it to the kernel at once.

        Numbers that are not finite, which JSON does not know, are written as null.
        """
        line = _line(record)
        with self._lock:
            if self._closed:
                raise ValueError(f"{self.path} is closed")
            self._put(line)
            self._digest.update(line)
            self.lines += 1

    def close(self, end: End | BenchEnd | RehearsalEnd) -> None:
        """Append the footer, which counts and digests the lines before it, and sync to disk.

        `finished` defaults to now. Closing again does nothing.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            end = msgspec.structs.replace(
                end,
                finished=end.finished or datetime.now(UTC).isoformat(timespec="milliseconds"),
                lines=self.lines,
                digest=f"sha256:{self._digest.hexdigest()}",
            )
            try:
                self._put(_line(end))
                os.fsync(self._file)
            except OSError as error:
                raise self._cannot(error) from error
            finally:
                os.close(self._file)

    def _put(self, line: bytes) -> None:
        # After a failure the file may end in half a line: nothing may follow it.
        if self._broken is not None:
            raise self._cannot(self._broken)
        try:
            while line:
                line = line[os.write(self._file, line) :]
        except OSError as error:
            self._broken = error
            raise self._cannot(error) from error

    def _cannot(self, error: OSError) -> ResultFileError:
        return ResultFileError(
            f"{self.path}: results cannot be written: {error.strerror}; "
            "make room there or write to another folder"
        )


def _line(record: Record) -> bytes:
    return json.dumps(values(record), separators=(",", ":"), allow_nan=False).encode() + b"\n"
