"""The published JSON Schema of result files, applied line by line."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from reports.records import ResultFileError

if TYPE_CHECKING:
    from pathlib import Path


def schema() -> dict[str, Any]:
    """The schema of one line of a result file; each record type is one of its `$defs`."""
    loaded: dict[str, Any] = json.loads(files("reports").joinpath("schema.json").read_text("utf-8"))
    return loaded


def check(path: Path) -> int:
    """Check every line of a file that `reports.model.read` accepts; the number of its lines.

    Raises ResultFileError naming the first line and member that the schema does not allow.
    """
    whole = schema()
    # One validator per record type: the message then speaks of that type, not of "none of six".
    validators = {
        name: Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": whole["$defs"]})
        for name in ("run", "requirement", "fingerprint", "result", "error", "end")
    }
    lines = path.read_text("utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        record = json.loads(line)
        wrong = best_match(validators[record["type"]].iter_errors(record))
        if wrong is not None:
            member = wrong.json_path.removeprefix("$").removeprefix(".") or "the record"
            raise ResultFileError(
                f"{path}, line {number}: {member}: {wrong.message:.200}; reports/schema.json says "
                f"what a {record['type']} record holds"
            )
    return len(lines)
