"""Whether a file is what its published schema says, whoever reads it."""

from __future__ import annotations

import json
from pathlib import Path

from jsonschema import Draft202012Validator

from reports.records import result_file
from reports.records.figures import FIGURES
from reports.records.migration import SWITCHES
from reports.records.results import RESULTS
from reports.schemas import schema

_FILES = {"run": RESULTS, "bench": FIGURES, "rehearsal": SWITCHES}
"""What the file is called whose first line has that type."""


def valid(path: Path) -> int:
    """Check every line of the file of a run, a bench or a rehearsal; the number of lines."""
    lines = [json.loads(line) for line in result_file.content(path).splitlines()]
    validator = Draft202012Validator(schema(_FILES[lines[0]["type"]]))
    for line in lines:
        validator.validate(line)
    return len(lines)
