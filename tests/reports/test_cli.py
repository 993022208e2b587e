"""The published schema, rendering, and the command line of the reports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from reports.model.run import ResultFileError, validate
from reports.records.schema import schema
from reports.render import render
from tests.samples import run as sample

ROOT = Path(__file__).parents[2]


def reports(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reports", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())
    listed = {ref["$ref"].removeprefix("#/$defs/") for ref in schema()["oneOf"]}
    assert listed == {"run", "requirement", "fingerprint", "result", "error", "end"}


def test_the_sample_is_valid_as_a_whole_and_line_by_line(tmp_path: Path) -> None:
    path = sample.generate(tmp_path)
    lines = path.read_text().splitlines()
    assert validate(tmp_path) == len(lines)
    whole = Draft202012Validator(schema())
    for line in [*lines[:100], lines[-1]]:
        whole.validate(json.loads(line))


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (sample.result(colour="red"), "line 3: the record: Additional properties"),
        (sample.result(seconds=-1), "line 3: seconds: -1 is less than the minimum of 0"),
        (sample.result(evidence="/etc"), "line 3: evidence: '/etc' does not match"),
        (sample.result(statistics=[{"name": "x", "test": "G", "p": 2}]), r"statistics\[0\]\.p: 2"),
    ],
)
def test_what_the_schema_forbids_is_named(
    tmp_path: Path, record: dict[str, Any], message: str
) -> None:
    sample.write(tmp_path, sample.requirement(), record)
    with pytest.raises(ResultFileError, match=message):
        validate(tmp_path)


def test_rendering_writes_the_reports_beside_the_results(tmp_path: Path) -> None:
    sample.generate(tmp_path)
    assert render(tmp_path).exit_code == 1
    found = {path.name for path in tmp_path.iterdir()}
    assert found == {"results.jsonl", "report.html", "junit.xml", "evidence"}


def test_reports_that_cannot_be_written_are_one_clear_line(tmp_path: Path) -> None:
    sample.write(tmp_path, sample.requirement(), sample.result())
    (tmp_path / "report.html").mkdir()
    with pytest.raises(ResultFileError, match=r"report.html: cannot be written") as caught:
        render(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("outcome", "code"), [("passed", 0), ("failed", 1), ("error", 2)])
def test_the_exit_code_is_that_of_the_run(tmp_path: Path, outcome: str, code: int) -> None:
    header = sample.header(modes=["iptables"])
    path = sample.write(tmp_path, header, sample.requirement(), sample.result(outcome=outcome))
    done = reports(path)
    assert done.returncode == code, done.stderr
    assert f"Report: {tmp_path / 'report.html'}" in done.stdout
    assert "\x1b" not in done.stdout


def test_colours_on_demand(tmp_path: Path) -> None:
    sample.write(tmp_path, sample.requirement(), sample.result())
    assert "\x1b[1;32mPASS" in reports("--colour", "always", tmp_path).stdout


def test_a_bad_file_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    path = sample.generate(tmp_path)
    path.write_bytes(path.read_bytes()[:-10])
    for arguments in ([tmp_path], ["validate", path], [tmp_path / "absent"]):
        done = reports(*arguments)
        assert done.returncode == 2
        assert done.stdout == ""
        assert len(done.stderr.splitlines()) == 1


def test_validate_on_the_command_line(tmp_path: Path) -> None:
    path = sample.write(tmp_path, sample.requirement(), sample.result())
    done = reports("validate", path)
    assert (done.returncode, done.stdout) == (0, f"{path}: valid, 4 records\n")


def test_help_mentions_both_uses() -> None:
    done = reports("--help")
    assert done.returncode == 0
    assert "validate FILE" in done.stdout
