"""The result file while it is written: whole lines at once, and no silence about a full disk."""

from __future__ import annotations

import errno
import json
import os
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from reports.model.run import read
from reports.records.base import Interval, made
from reports.records.results import (
    End,
    Header,
    Measurement,
    Requirement,
    Result,
    RunError,
    Statistic,
)
from reports.records.writer import ResultWriter
from specification.errors import ResultFileError
from tests.samples import run as sample_run

if TYPE_CHECKING:
    from pathlib import Path


HEADER = made(sample_run.header(), Header, "here")
END = End(exit=0)


def test_a_record_is_in_the_file_as_soon_as_it_is_written(tmp_path: Path) -> None:
    results = ResultWriter(tmp_path / "new" / "run")
    results.write(RunError(message="two\nlines, ümlaut"))
    (line,) = results.path.read_text().splitlines()
    assert json.loads(line)["message"] == "two\nlines, ümlaut"
    results.close(END)


def test_the_footer_counts_the_lines_and_comes_once(tmp_path: Path) -> None:
    results = ResultWriter(tmp_path)
    results.write(HEADER)
    results.write(made(sample_run.requirement(), Requirement, "here"))
    results.close(End(exit=0, seconds=1.0))
    results.close(End(exit=1))
    last = json.loads(results.path.read_text().splitlines()[-1])
    assert last["lines"] == 2
    assert last["exit"] == 0
    assert last["finished"].endswith("+00:00")
    assert read(tmp_path).end.seconds == 1.0
    with pytest.raises(ValueError, match="closed"):
        results.write(RunError(message="late"))


def test_earlier_results_are_not_overwritten(tmp_path: Path) -> None:
    sample_run.write(tmp_path)
    with pytest.raises(ResultFileError, match="earlier run; write to another folder"):
        ResultWriter(tmp_path)


def test_what_json_does_not_know_is_written_as_what_it_holds(tmp_path: Path) -> None:
    results = ResultWriter(tmp_path)
    bounds = Interval(np.float64(0.5), float("inf"))
    measured = Measurement(name="x", unit="s", samples=(bounds,))
    sample: Any = np.int64(3)
    tested = Statistic(name="x", p=float("nan"), sample=sample)
    result = Result(requirement="x", mode="m", outcome="passed", reason="not \udc80 text",
                    statistics=(tested,), measurements=(measured,))  # fmt: skip
    results.write(result)
    results.close(END)
    record = json.loads(results.path.read_text().splitlines()[0])
    assert record["measurements"][0]["samples"] == [[0.5, None]]
    assert (record["statistics"][0]["p"], record["statistics"][0]["sample"]) == (None, 3)
    read_again = made(record, Result, "here")
    assert read_again.reason == "not \udc80 text"
    assert read_again.measurements == (measured,)


def test_threads_do_not_mix_their_lines(tmp_path: Path) -> None:
    results = ResultWriter(tmp_path)

    def work(name: str) -> None:
        for number in range(200):
            results.write(RunError(message=f"{name}{number}", details=name * 500))

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.close(END)
    lines = [json.loads(line) for line in results.path.read_text().splitlines()]
    assert len(lines) == 801
    assert lines[-1]["lines"] == 800


def test_a_full_disk_is_one_clear_line_and_leaves_no_footer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = ResultWriter(tmp_path)
    results.write(HEADER)
    real, room = os.write, 100

    def write(file: int, data: bytes) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = real(file, data[:room])
        room -= written
        return written

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(ResultFileError, match="No space left on device; make room") as caught:
        results.write(HEADER)
    assert "\n" not in str(caught.value)
    # Room again: still nothing may follow the half line.
    monkeypatch.undo()
    with pytest.raises(ResultFileError, match="No space left on device"):
        results.write(HEADER)
    with pytest.raises(ResultFileError, match="No space left on device"):
        results.close(END)
    with pytest.raises(ResultFileError, match="its last line is cut off"):
        read(tmp_path)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
def test_the_kernel_says_the_same(tmp_path: Path) -> None:
    results = ResultWriter(tmp_path)
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, results._file)
    os.close(full)
    with pytest.raises(ResultFileError, match="No space left on device"):
        results.write(HEADER)
    with pytest.raises(ResultFileError, match="No space left on device"):
        results.close(END)


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultFileError, match="results cannot be written: Not a directory"):
        ResultWriter(tmp_path / "file" / "run")
