"""TOML files whose tables are classes: what a class says of its fields is what a file may hold."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from specification.errors import BadInputError, misfit

if TYPE_CHECKING:
    from pathlib import Path

T = TypeVar("T", bound=msgspec.Struct)


def read(path: Path, refusal: type[BadInputError]) -> dict[str, Any]:
    """What stands in a TOML file; ``refusal`` is raised where it cannot be read."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise refusal(f"{path} cannot be read: {problem}") from problem


def made(table: object, kind: type[T], where: str, refusal: type[BadInputError]) -> T:
    """A table as a ``kind``; ``refusal``, one line long, says ``where`` what does not fit."""
    if not isinstance(table, dict):
        raise refusal(f"{where}: a table is needed, not {table!r:.60}")
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as problem:
        what = re.sub(r"\bobject\b", "table", misfit(problem, table))
        if what.endswith(" is unknown") and ":" not in what:
            what += f"; known are {', '.join(sorted(kind.__struct_fields__))}"
        raise refusal(f"{where}: {what}") from problem
