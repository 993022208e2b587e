"""The published JSON Schemas of what is written, made from the classes that it is written with."""

from __future__ import annotations

import ast
import inspect
import itertools
from typing import TYPE_CHECKING, Any, Final

import msgspec

from reports.records import base, decisions, figures, migration, results
from reports.texts import comparison_json, publish
from reports.verdicts import claims, pace, recommend

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType

_ABOUT: Final = (
    "One JSON object a line, in UTF-8, each line ended by a newline. A file without its end record,"
    " or with other lines than that record counted and digested, is incomplete and means nothing. A"
    " member that is null is as good as absent; a number that is not finite is written as null."
)


SCHEMAS: Final[Mapping[str, tuple[Any, int, str, tuple[ModuleType, ...]]]] = {
    results.RESULTS: (
        results.AnyRecord,
        results.SCHEMA_VERSION,
        "One line of results.jsonl",
        (base, decisions, results),
    ),
    figures.FIGURES: (
        figures.AnyRecord,
        figures.FIGURES_VERSION,
        "One line of figures.jsonl",
        (base, figures),
    ),
    migration.SWITCHES: (
        migration.AnyRecord,
        migration.SWITCHES_VERSION,
        "One line of switches.jsonl",
        (base, migration),
    ),
    "comparison": (
        comparison_json.Document,
        comparison_json.VERSION,
        "A comparison of conformance runs",
        (base, comparison_json, recommend, pace, claims),
    ),
    "conformance-report": (
        publish.Report,
        publish.VERSION,
        "Conformance report of a Service proxy",
        (publish,),
    ),
}
"""What has a schema, by the name of the file or document: its class, version and title, and the
modules that describe the fields.
"""


def schema(name: str = results.RESULTS) -> dict[str, Any]:
    """The schema of a document, or of one line of a file, of that name: each class is one of its
    `$defs`.
    """
    kind, version, title, modules = SCHEMAS[name]
    made = msgspec.json.schema(kind)
    described = dict(itertools.chain(*map(_described, modules)))
    by_line = name.endswith(".jsonl")
    if interval := made["$defs"].get(base.Interval.__name__):
        interval["prefixItems"][1]["type"] = ["number", "null"]  # null: without an upper bound
    for part, said in made["$defs"].items():
        members = said.get("properties", {})
        said.setdefault("additionalProperties", False)
        said["description"] = " ".join(said["description"].split())
        if by_line:
            for member in members.keys() - said.get("required", []):
                members[member] = {"anyOf": [members[member], {"type": "null"}]}
        for member in members:
            if text := described.get((part, member)):
                members[member] = {**members[member], "description": text}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:kube-proxy-conformance:{name.partition('.')[0]}:{version}",
        "title": f"{title}, schema version {version}",
        **({"description": _ABOUT} if by_line else {}),
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
