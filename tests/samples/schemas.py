"""Whether a file is what its published schema says, whoever reads it."""

from __future__ import annotations

import json
from pathlib import Path

from jsonschema import Draft202012Validator

from reports.records import result_file
from reports.records.figures import FIGURES
from reports.records.results import RESULTS
from reports.schemas import schema


def valid(path: Path) -> int:
    """Check every line of a result file or a bench's; the number of lines."""
    lines = [json.loads(line) for line in result_file.content(path).splitlines()]
    validator = Draft202012Validator(schema(RESULTS if lines[0]["type"] == "run" else FIGURES))
    for line in lines:
        validator.validate(line)
    return len(lines)
