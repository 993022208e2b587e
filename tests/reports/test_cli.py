"""The published schema, rendering, and the command line of the reports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from reports.model.run import read
from reports.render import render
from reports.schemas import SCHEMAS, schema
from specification.errors import ResultFileError
from tests.samples import run as sample
from tests.samples.schemas import valid

ROOT = Path(__file__).parents[2]


def reports(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reports", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schema_is_a_schema_and_printed(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))
    done = reports("schema", name)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads(json.dumps(schema(name)))


@pytest.mark.parametrize(
    ("name", "file"), [("comparison", "comparison"), ("conformance-report", "conformance")]
)
def test_the_schemas_beside_the_code_are_fresh(name: str, file: str) -> None:
    path = f"reports/texts/{file}.schema.json"
    there = (ROOT / path).read_text("utf-8")
    assert there == json.dumps(schema(name), indent=2) + "\n", (
        f"refresh it: python -m reports schema {name} > {path}"
    )


@pytest.mark.parametrize("name", ["results.jsonl", "switches.jsonl"])
def test_an_interval_may_lack_its_upper_bound(name: str) -> None:
    whole = schema(name)
    of_an_interval = {"$defs": whole["$defs"], "$ref": "#/$defs/Interval"}
    validator = Draft202012Validator(of_an_interval)
    assert validator.is_valid([0.5, None])
    assert validator.is_valid([0.5, 1.5])
    assert not validator.is_valid([None, 1.5])


def test_the_schema_tells_what_every_member_is() -> None:
    found = schema()["$defs"]["Result"]
    assert found["properties"]["reason"]["description"].startswith("Why, for a reader in a hurry.")
    assert found["required"] == ["type", "requirement", "mode", "outcome"]
    assert schema()["$defs"]["Suite"]["properties"]["commit"]["description"].startswith(
        "Git commit"
    )


def test_the_sample_is_valid_as_a_whole_and_line_by_line(tmp_path: Path) -> None:
    path = sample.generate(tmp_path)
    lines = path.read_text().splitlines()
    assert valid(tmp_path / "results.jsonl") == len(lines)
    whole = Draft202012Validator(schema())
    for line in [*lines[:100], lines[-1]]:
        whole.validate(json.loads(line))


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (sample.result(colour="red"), "line 3: colour is unknown"),
        (sample.result(seconds=-1), "line 3: seconds: float >= 0.0 is needed, not -1"),
        (sample.result(evidence="/etc"), r"evidence: str matching regex .* is needed, not '/etc'"),
        (sample.result(statistics=[{"name": "x", "p": "2"}]), r"statistics\[0\]\.p: "),
    ],
)
def test_what_the_schema_forbids_is_named(
    tmp_path: Path, record: dict[str, Any], message: str
) -> None:
    path = sample.write(tmp_path, sample.requirement(), record)
    with pytest.raises(ResultFileError, match=message):
        read(tmp_path)
    with pytest.raises(ValidationError):
        valid(path)


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
