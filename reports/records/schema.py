"""The published JSON Schema of result files, applied line by line."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from reports.records import result_file
from reports.records.results import ResultFileError

if TYPE_CHECKING:
    from pathlib import Path


def schema(name: str = "results.schema.json") -> dict[str, Any]:
    """The schema of one line of a result file; each record type is one of its `$defs`."""
    loaded: dict[str, Any] = json.loads(files("reports.records").joinpath(name).read_text("utf-8"))
    return loaded


def check(path: Path, name: str = "results.schema.json") -> int:
    """Check every line of a file that its reader accepts by the schema in the file `name`; the
    number of its lines.

    Raises ResultFileError naming the first line and member that the schema does not allow.
    """
    whole = schema(name)
    # One validator per record type: the message then speaks of that type, not of "none of six".
    validators = {
        part["$ref"].rpartition("/")[2]: Draft202012Validator({**part, "$defs": whole["$defs"]})
        for part in whole["oneOf"]
    }
    lines = result_file.content(path).decode("utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        record = json.loads(line)
        wrong = best_match(validators[record["type"]].iter_errors(record))
        if wrong is not None:
            member = wrong.json_path.removeprefix("$").removeprefix(".") or "the record"
            raise ResultFileError(
                f"{path}, line {number}: {member}: {wrong.message:.200}; "
                f"reports/records/{name} says what a {record['type']} record holds"
            )
    return len(lines)
