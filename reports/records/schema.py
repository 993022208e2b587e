"""The published JSON Schemas of result files, made from the classes of their records."""

from __future__ import annotations

import ast
import inspect
import itertools
from typing import TYPE_CHECKING, Any, Final

import msgspec

from reports.records import base, figures, results

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

FILES: Final = {
    results.RESULTS: (results, results.SCHEMA_VERSION),
    figures.FIGURES: (figures, figures.FIGURES_VERSION),
}
_ABOUT: Final = (
    "One JSON object a line, in UTF-8, each line ended by a newline. A file without its end record,"
    " or with other lines than that record counted and digested, is incomplete and means nothing. A"
    " member that is null is as good as absent; a number that is not finite is written as null."
)


def schema(name: str = results.RESULTS) -> dict[str, Any]:
    """The schema of one line of a file of that name; each kind of record is one of its `$defs`."""
    module, version = FILES[name]
    made = msgspec.json.schema(module.AnyRecord)
    described = dict([*_described(base), *_described(module)])
    for kind, part in made["$defs"].items():
        members = part.get("properties", {})
        for member in members.keys() - part.get("required", []):
            members[member] = {"anyOf": [members[member], {"type": "null"}]}
        for member in members:
            if text := described.get((kind, member)):
                members[member] = {**members[member], "description": text}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:kube-proxy-conformance:{name.partition('.')[0]}:{version}",
        "title": f"One line of {name}, schema version {version}",
        "description": _ABOUT,
        **made,
    }


def _described(module: ModuleType) -> Iterator[tuple[tuple[str, str], str]]:
    """Class and field -> the text that stands after the field."""
    for kind in ast.parse(inspect.getsource(module)).body:
        if not isinstance(kind, ast.ClassDef):
            continue
        for field, text in itertools.pairwise(kind.body):
            match field, text:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(said))),
                ):
                    yield (kind.name, name), " ".join(said.split())
