"""TOML files whose tables are classes: what a class says of its fields is what a file may hold."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from specification.errors import BadInputError, misfit

if TYPE_CHECKING:
    from collections.abc import Iterator
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
    for wrong in mistakes(table, kind, where):
        raise refusal(wrong)
    return msgspec.convert(table, kind)


def mistakes(table: object, kind: type[msgspec.Struct], where: str) -> Iterator[str]:
    """What keeps a table from being a ``kind``, a line for each of its keys."""
    if not isinstance(table, dict):
        yield f"{where}: a table is needed, not {table!r:.60}"
        return
    fields = {each.encode_name: each for each in msgspec.structs.fields(kind)}
    for key, value in table.items():
        if key not in fields:
            yield f"{where}: {key} is unknown; known are {', '.join(sorted(fields))}"
            continue
        alone = msgspec.defstruct(kind.__name__, [(key, fields[key].type)])
        try:
            msgspec.convert({key: value}, alone)
        except msgspec.ValidationError as problem:
            wrong = re.sub(r"\bobject\b", "table", misfit(problem, table))
            yield f"{where}: {wrong}"
    for key, field in fields.items():
        if field.required and key not in table:
            yield f"{where}: {key} is missing"
